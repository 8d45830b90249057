//! What one read step collects.

use std::{ops::Range, sync::Arc};

use hyco_client::connection::{Batch, BufferPool};
use hyco_websocket::{Assembled, Sink, Violation};
use serde_json::json;

use crate::{Record, record::kind};

/// The records of one read step of one connection.
#[derive(Debug)]
pub struct HubBatch {
    pool: Arc<BufferPool>,
    connection: u32,
    /// Where the step's space begins in the slab.
    base: u32,
    /// The end of the last record's bytes, counted from `base`.
    used: usize,
    pub(crate) records: Vec<Record>,
    pub(crate) large: Vec<Vec<u8>>,
    pub(crate) events: Vec<String>,
    /// Bytes of `large` and `events`.
    beside: usize,
}

impl HubBatch {
    pub(crate) fn new(pool: Arc<BufferPool>) -> Self {
        Self {
            pool,
            connection: 0,
            base: 0,
            used: 0,
            records: Vec::new(),
            large: Vec::new(),
            events: Vec::new(),
            beside: 0,
        }
    }

    /// Begins a step in space that begins at `base` of the slab.
    pub(crate) fn begin(&mut self, connection: u32, base: usize) {
        self.connection = connection;
        self.base = base as u32;
        self.used = 0;
        self.beside = 0;
        // A step that panicked has left its records; they are nobody's.
        self.records.clear();
        self.large.clear();
        self.events.clear();
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.records.is_empty()
    }

    /// How much of the space records refer to.
    pub(crate) fn used(&self) -> usize {
        self.used
    }

    /// What the step's records cost in memory while they wait.
    pub(crate) fn cost(&self) -> usize {
        self.used + self.beside + self.records.len() * size_of::<Record>()
    }

    fn bytes(&mut self, kind: u32, at: &Range<usize>) {
        self.used = self.used.max(at.end);
        self.records.push(Record {
            connection: self.connection,
            kind,
            offset: self.base + at.start as u32,
            length: at.len() as u32,
        });
    }

    fn push(&mut self, kind: u32, offset: u32, length: u32) {
        self.records.push(Record {
            connection: self.connection,
            kind,
            offset,
            length,
        });
    }

    /// Adds an event's text; returns its index.
    fn text(&mut self, text: String) -> u32 {
        self.beside += size_of::<String>() + text.capacity();
        self.events.push(text);
        (self.events.len() - 1) as u32
    }
}

impl Sink for HubBatch {
    fn buffer(&mut self, capacity: usize) -> Vec<u8> {
        self.pool.take(capacity)
    }

    #[inline]
    fn message(&mut self, text: bool, at: Range<usize>) {
        self.bytes(if text { kind::TEXT } else { kind::BINARY }, &at);
    }

    fn large(&mut self, text: bool, message: Assembled) {
        let Assembled { bytes, fragments } = message;
        let mut length = 0;
        if fragments.len() > 1 {
            length = self.text(json!(fragments).to_string()) + 1;
        }
        self.beside += size_of::<Vec<u8>>() + bytes.capacity();
        let kind = if text {
            kind::LARGE_TEXT
        } else {
            kind::LARGE_BINARY
        };
        self.push(kind, self.large.len() as u32, length);
        self.large.push(bytes);
    }

    fn ping(&mut self, at: Range<usize>) {
        self.bytes(kind::PING, &at);
    }

    fn pong(&mut self, at: Range<usize>) {
        self.bytes(kind::PONG, &at);
    }

    fn close(&mut self, code: Option<u16>, reason: Range<usize>) {
        match code {
            Some(_) => self.bytes(kind::CLOSE, &reason),
            None => self.push(kind::CLOSE_WITHOUT_CODE, 0, 0),
        }
    }
}

impl Batch for HubBatch {
    fn violation(&mut self, violation: Violation) {
        let event = json!({
            "type": "violation",
            "message": violation.to_string(),
            "code": violation.code(),
            "closeCode": violation.close_code(),
            "range": violation.is_range_error(),
        });
        let index = self.text(event.to_string());
        self.push(kind::EVENT, index, 0);
    }

    fn ended(&mut self) {
        self.push(kind::ENDED, 0, 0);
    }
}
