//! A slow, late or short way: what latency, bandwidth and cuts do to the bytes of one direction.
//!
//! Bytes wait here for their time. What waits is bounded, so that a slow way still stops its writer.

use std::{
    collections::VecDeque,
    future::Future,
    io,
    pin::Pin,
    task::{Context, Poll, ready},
    time::Duration,
};

use tokio::{
    io::AsyncWrite,
    time::{Instant, Sleep, sleep_until},
};

use crate::stream::Stream;

/// How bytes pass; the default changes nothing.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Shape {
    pub(crate) delay: Duration,
    pub(crate) jitter: Duration,
    pub(crate) bytes_per_second: Option<u64>,
    /// The longest frame.
    pub(crate) slice: Option<u64>,
    /// What passes before the connection is lost.
    pub(crate) cut_after: Option<u64>,
}

impl Shape {
    /// Whether bytes have to pass a shaper.
    pub(crate) fn is_plain(&self) -> bool {
        *self
            == Self {
                slice: self.slice,
                ..Self::default()
            }
    }
}

/// Bytes that wait for their time.
pub(crate) struct Shaper {
    shape: Shape,
    queue: VecDeque<Waiting>,
    waiting: usize,
    /// Until when the way is busy with what was sent before.
    busy_until: Instant,
    /// How many bytes may still pass.
    left: u64,
    timer: Option<Pin<Box<Sleep>>>,
}

struct Waiting {
    due: Instant,
    bytes: Vec<u8>,
    written: usize,
}

impl Shaper {
    pub(crate) fn new(shape: Shape) -> Self {
        Self {
            shape,
            queue: VecDeque::new(),
            waiting: 0,
            busy_until: Instant::now(),
            left: shape.cut_after.unwrap_or(u64::MAX),
            timer: None,
        }
    }

    /// Shapes what comes from now on; what waits keeps its time.
    pub(crate) fn reshape(&mut self, shape: Shape) {
        if shape.cut_after != self.shape.cut_after {
            self.left = shape.cut_after.unwrap_or(u64::MAX);
        }
        self.shape = shape;
    }

    /// Nothing waits, so that the shaper can be taken away.
    pub(crate) fn is_empty(&self) -> bool {
        self.queue.is_empty()
    }

    /// As much has passed as may.
    pub(crate) fn is_cut(&self) -> bool {
        self.left == 0 && self.queue.is_empty()
    }

    /// What waits may go now.
    pub(crate) fn release(&mut self) {
        let now = Instant::now();
        for waiting in &mut self.queue {
            waiting.due = now;
        }
    }

    /// Takes bytes, as many as there is room for.
    pub(crate) fn poll_take(
        &mut self,
        cx: &mut Context<'_>,
        stream: &mut Stream,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        // What is behind the cut is lost.
        if self.left == 0 {
            return Poll::Ready(Ok(bytes.len()));
        }
        if self.waiting >= MOST_WAITING
            && let Poll::Ready(Err(error)) = self.poll_write(cx, stream)
        {
            return Poll::Ready(Err(error));
        }
        if self.waiting >= MOST_WAITING {
            return Poll::Pending;
        }
        let piece = match self.shape.bytes_per_second {
            Some(rate) => (rate / PIECES_A_SECOND).max(1),
            None => u64::MAX,
        };
        let count = (bytes.len() as u64).min(self.left).min(piece) as usize;
        self.left -= count as u64;
        let now = Instant::now();
        let sent = match self.shape.bytes_per_second {
            Some(rate) => {
                self.busy_until.max(now) + Duration::from_secs_f64(count as f64 / rate as f64)
            }
            None => now,
        };
        self.busy_until = sent;
        // Bytes never overtake each other.
        let due = self
            .queue
            .back()
            .map_or(now, |last| last.due)
            .max(sent + self.latency());
        self.queue.push_back(Waiting {
            due,
            bytes: bytes[..count].to_vec(),
            written: 0,
        });
        self.waiting += count + ENTRY;
        Poll::Ready(Ok(count))
    }

    fn latency(&self) -> Duration {
        let dice = f64::from(getrandom::u32().unwrap_or(0)) / f64::from(u32::MAX);
        (self.shape.delay + self.shape.jitter.mul_f64(2.0 * dice)).saturating_sub(self.shape.jitter)
    }

    /// Writes what is due; ready when nothing waits.
    pub(crate) fn poll_write(
        &mut self,
        cx: &mut Context<'_>,
        stream: &mut Stream,
    ) -> Poll<io::Result<()>> {
        while let Some(first) = self.queue.front_mut() {
            if first.due > Instant::now() {
                let due = first.due;
                let timer = self.timer.get_or_insert_with(|| Box::pin(sleep_until(due)));
                timer.as_mut().reset(due);
                ready!(timer.as_mut().poll(cx));
                continue;
            }
            let rest = &first.bytes[first.written..];
            let count = ready!(Pin::new(&mut *stream).poll_write(cx, rest))?;
            if count == 0 {
                return Poll::Ready(Err(io::ErrorKind::WriteZero.into()));
            }
            first.written += count;
            if first.written == first.bytes.len() {
                self.waiting -= first.bytes.len() + ENTRY;
                self.queue.pop_front();
                // Pieces leave one by one, as they would arrive.
                ready!(Pin::new(&mut *stream).poll_flush(cx))?;
            }
        }
        Poll::Ready(Ok(()))
    }
}

/// What waits at most on a late way, in one direction.
const MOST_WAITING: usize = 4 * 1024 * 1024;
/// What an entry of the queue takes beside its bytes.
const ENTRY: usize = 64;
/// In how many pieces the bytes of a second pass.
const PIECES_A_SECOND: u64 = 50;

#[cfg(test)]
mod tests {
    use std::future::poll_fn;

    use super::*;

    const LATE: Shape = Shape {
        delay: Duration::from_secs(3600),
        jitter: Duration::ZERO,
        bytes_per_second: None,
        slice: None,
        cut_after: None,
    };

    /// How many pieces of a length a late way takes before it stops its writer.
    async fn takes(length: usize) -> usize {
        let (mut stream, _peer) = Stream::pair().await;
        let (mut shaper, piece) = (Shaper::new(LATE), vec![7; length]);
        let mut taken = 0;
        loop {
            let turn = poll_fn(|cx| Poll::Ready(shaper.poll_take(cx, &mut stream, &piece)));
            match turn.await {
                Poll::Ready(count) => assert_eq!(count.ok(), Some(length)),
                Poll::Pending => return taken,
            }
            taken += 1;
        }
    }

    #[tokio::test]
    async fn a_late_way_holds_four_mebibytes() {
        assert_eq!(takes(64 * 1024).await, 64);
    }

    #[tokio::test]
    async fn tiny_pieces_on_a_late_way_are_counted_by_what_they_take() {
        assert_eq!(takes(1).await, (4usize * 1024 * 1024).div_ceil(65));
    }

    #[tokio::test(start_paused = true)]
    async fn a_narrow_way_passes_its_bytes_in_fiftieths_of_a_second() {
        let (mut stream, _peer) = Stream::pair().await;
        let mut shaper = Shaper::new(Shape {
            delay: Duration::ZERO,
            bytes_per_second: Some(5000),
            ..LATE
        });
        let started = Instant::now();
        let taken = poll_fn(|cx| shaper.poll_take(cx, &mut stream, &[7; 1000])).await;
        assert_eq!(taken.ok(), Some(100));
        let written = poll_fn(|cx| shaper.poll_write(cx, &mut stream)).await;
        assert!(written.is_ok());
        assert_eq!(started.elapsed().as_millis(), 20);
    }
}
