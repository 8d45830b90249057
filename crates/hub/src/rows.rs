//! From records to the rows that JavaScript reads, with bytes that are its own.
//!
//! Nothing that a program gets shares memory with another socket. Consecutive messages of one
//! connection are a *run*. The bytes of a long run are lent: an ArrayBuffer of their own. Those of
//! a short run are copied into the *stage*, from where JavaScript copies them into memory of their
//! socket: that costs less than an ArrayBuffer.

use std::{ops::Range, sync::Arc};

use crate::{
    Record, Slab,
    record::{RECORD_WORDS, kind},
};

/// Shows memory to JavaScript.
pub trait Lend {
    /// Why that failed.
    type Error;

    /// Shows a range of a slab as an ArrayBuffer of its own; returns its number, from 1 on, or
    /// `None` where JavaScript may not see memory that is not its own.
    ///
    /// # Errors
    /// When nothing further can be delivered.
    fn lend(&mut self, slab: &Arc<Slab>, range: Range<usize>) -> Result<Option<u32>, Self::Error>;
}

/// Writes rows for the first of `records`, as many as fit into the table and the stage, at least
/// one; returns how many. `slabs` are those that the records name by their places.
///
/// # Errors
/// As [`Lend::lend`].
///
/// # Panics
/// When the stage is smaller than [`STAGE`], or a record names a slab that is not there.
pub fn write_rows<L: Lend>(
    records: &[Record],
    slabs: &[Arc<Slab>],
    table: &mut [u32],
    stage: &mut [u8],
    lend: &mut L,
) -> Result<usize, L::Error> {
    assert!(stage.len() >= STAGE);
    let most = table.len() / RECORD_WORDS;
    let records = &records[..records.len().min(most)];
    let mut staged = 0;
    let mut at = 0;
    while at < records.len() {
        let (length, span) = run(&records[at..]);
        let rows = &mut table[at * RECORD_WORDS..(at + length) * RECORD_WORDS];
        let run = &records[at..at + length];
        let Some(span) = span else {
            write(rows, run, 0, 0..0, 0);
            at += length;
            continue;
        };
        let slab = &slabs[run[0].slab()];
        let lent = if span.len() >= LEND_FROM {
            lend.lend(slab, span.clone())?
        } else {
            None
        };
        match lent {
            Some(number) => write(rows, run, number, span, 0),
            None => {
                // JavaScript copies by words: nothing of another run may be in the last one.
                let end = (staged + span.len()).next_multiple_of(ALIGNMENT);
                if end > stage.len() {
                    break;
                }
                let (bytes, padding) = stage[staged..end].split_at_mut(span.len());
                slab.copy(&span, bytes);
                padding.fill(0);
                write(rows, run, 0, span, staged);
                staged = end;
            }
        }
        at += length;
    }
    Ok(at)
}

/// The first run: how many records, and where their bytes are. Other records are runs of one.
fn run(records: &[Record]) -> (usize, Option<Range<usize>>) {
    let first = &records[0];
    let Some(mut span) = first.range() else {
        return (1, None);
    };
    if !matches!(first.kind(), kind::TEXT | kind::BINARY) {
        return (1, Some(span));
    }
    let mut length = 1;
    for record in &records[1..] {
        let follows = record.connection == first.connection
            && record.slab() == first.slab()
            && matches!(record.kind(), kind::TEXT | kind::BINARY);
        if !follows {
            break;
        }
        // An empty message has its place in order, too.
        span.end = span.end.max((record.offset + record.length) as usize);
        length += 1;
    }
    (length, Some(span))
}

/// Writes the rows of a run whose `span` JavaScript sees at `shown` of the memory `number`.
fn write(rows: &mut [u32], run: &[Record], number: u32, span: Range<usize>, shown: usize) {
    for (row, record) in rows.chunks_exact_mut(RECORD_WORDS).zip(run) {
        let offset = match record.range() {
            Some(_) => record.offset - span.start as u32 + shown as u32,
            None => record.offset,
        };
        row[0] = record.connection;
        row[1] = record.kind() | number << 8;
        row[2] = offset;
        row[3] = record.length;
    }
}

/// The bytes that a stage has at least: the longest run fits.
pub const STAGE: usize = Slab::SIZE.next_multiple_of(ALIGNMENT);

/// Runs begin at multiples of this in the stage.
const ALIGNMENT: usize = 8;

/// A run of so many bytes is lent. Copying this many costs about as much as an ArrayBuffer over
/// memory that is not JavaScript's.
const LEND_FROM: usize = 8 * 1024;
