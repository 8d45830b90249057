//! The tasks that serve requests, each one request after the other.
//!
//! The state of a request takes some KiB. In a task of its own these were allocated, moved and freed for
//! each of them.
//!
//! | state of a task | event | next |
//! |---|---|---|
//! | – | a request comes, and no task rests | serving |
//! | serving | the request is over, and few tasks rest | resting |
//! | serving | the request is over, and enough tasks rest | – |
//! | serving | all are given up, and their senders have had a moment to be told | – |
//! | resting | a request comes | serving |
//! | resting | the listener is gone | – |

use std::{
    fmt,
    future::poll_fn,
    mem,
    pin::pin,
    sync::{Arc, Mutex, MutexGuard, PoisonError, Weak},
    task::{Poll, Waker},
};

use tokio::{sync::watch, task::yield_now, time::sleep};
use tracing::Instrument;

use super::{
    refusal::Refusal,
    requests::{LAST_WORDS, Place, Requests, Served},
    serve::{self, Origin},
};
use crate::event::Events;

/// A request on its way to the task that serves it.
pub(super) struct Job {
    pub(super) requests: Arc<Requests>,
    pub(super) place: Option<Place>,
    pub(super) served: Option<Arc<Served>>,
    /// The answer where nobody serves.
    pub(super) refusal: Refusal,
    pub(super) origin: Origin,
    /// A request may still have something to report when the listener's task is over.
    pub(super) events: Option<Events>,
}

/// The tasks of one listener that rest. Dropping it ends them.
#[derive(Default)]
pub(super) struct Runners(Mutex<Vec<Arc<Seat>>>);

/// Where a resting task gets its next job.
struct Seat(Mutex<Next>);

#[expect(
    clippy::large_enum_variant,
    reason = "there is one for each task, and it most often holds a job"
)]
enum Next {
    /// Not known yet. The waker is that of the task, once it waits.
    Open(Option<Waker>),
    Job(Job),
    /// There is none.
    Over,
}

impl Runners {
    /// Gives a request to a task that rests, or to a new one.
    pub(super) fn serve(self: &Arc<Self>, job: Job) {
        // The one that served last is the one whose memory is warm.
        let rested = lock(&self.0).pop();
        match rested {
            Some(seat) => seat.put(Next::Job(job)),
            None => {
                let ended = job.requests.end_of_all();
                let task = run(job, Arc::downgrade(self), ended);
                tokio::spawn(task.in_current_span());
            }
        }
    }

    /// Whether there is room for one more task that rests; it does from now on.
    fn let_rest(&self, seat: &Arc<Seat>) -> bool {
        let mut resting = lock(&self.0);
        let has_room = resting.len() < MOST_RESTING;
        if has_room {
            resting.push(Arc::clone(seat));
        }
        has_room
    }
}

impl Drop for Runners {
    fn drop(&mut self) {
        for seat in mem::take(&mut *lock(&self.0)) {
            seat.put(Next::Over);
        }
    }
}

async fn run(first: Job, runners: Weak<Runners>, mut ended: watch::Receiver<bool>) {
    let mut last_words = pin!(async {
        // The sender lives as long as a job, so there is no error to see while one is served.
        drop(ended.wait_for(|ended| *ended).await);
        // The request looks for that whenever its task is woken.
        yield_now().await;
        sleep(LAST_WORDS).await;
    });
    let seat = Arc::new(Seat(Mutex::new(Next::Job(first))));
    loop {
        let Some(job) = seat.next().await else {
            return;
        };
        tokio::select! {
            biased;
            () = job.serve() => {}
            () = &mut last_words => return,
        }
        let rests = runners
            .upgrade()
            .is_some_and(|runners| runners.let_rest(&seat));
        if !rests {
            return;
        }
    }
}

impl Job {
    async fn serve(self) {
        let Self {
            requests,
            place: _place,
            events: _events,
            ..
        } = self;
        serve::run(&requests, self.served.as_deref(), self.refusal, self.origin).await;
    }
}

impl Seat {
    async fn next(&self) -> Option<Job> {
        poll_fn(|cx| {
            let mut next = lock(&self.0);
            match mem::replace(&mut *next, Next::Open(None)) {
                Next::Job(job) => Poll::Ready(Some(job)),
                Next::Over => Poll::Ready(None),
                Next::Open(_) => {
                    *next = Next::Open(Some(cx.waker().clone()));
                    Poll::Pending
                }
            }
        })
        .await
    }

    fn put(&self, next: Next) {
        let before = mem::replace(&mut *lock(&self.0), next);
        if let Next::Open(Some(waker)) = before {
            waker.wake();
        }
    }
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

impl fmt::Debug for Runners {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Runners")
            .field("resting", &lock(&self.0).len())
            .finish()
    }
}

/// As many requests as come together on a busy listener; the tasks hold 4 KiB each.
const MOST_RESTING: usize = 64;

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use tokio::runtime::Handle;

    use super::{super::refusal::NOT_SERVED, *};
    use crate::{Dialer, TlsOptions};

    /// One that ends at once, since there is nothing to fetch at its address.
    fn job(requests: &Arc<Requests>) -> Job {
        Job {
            requests: Arc::clone(requests),
            place: None,
            served: None,
            refusal: NOT_SERVED,
            origin: Origin::Rendezvous(String::new()),
            events: None,
        }
    }

    fn requests() -> Arc<Requests> {
        let dialer = Dialer::new(&TlsOptions::default()).unwrap();
        let events: Events = Arc::new(|_| {});
        let address = "ws://localhost/$hc/hyco";
        Requests::new(dialer, Duration::from_secs(1), address, &events)
    }

    fn resting(runners: &Runners) -> usize {
        lock(&runners.0).len()
    }

    fn tasks() -> usize {
        Handle::current().metrics().num_alive_tasks()
    }

    async fn settle() {
        for _ in 0..10 {
            yield_now().await;
        }
    }

    #[tokio::test]
    async fn one_task_serves_the_requests_that_come_one_after_the_other() {
        let (requests, runners) = (requests(), Arc::new(Runners::default()));
        for _ in 0..3 {
            runners.serve(job(&requests));
            assert_eq!((resting(&runners), tasks()), (0, 1));
            settle().await;
            assert_eq!((resting(&runners), tasks()), (1, 1));
        }
    }

    #[tokio::test]
    async fn requests_that_come_together_have_a_task_each_of_which_some_rest() {
        let (requests, runners) = (requests(), Arc::new(Runners::default()));
        for _ in 0..74 {
            runners.serve(job(&requests));
        }
        assert_eq!(tasks(), 74);
        settle().await;
        assert_eq!(
            (resting(&runners), tasks()),
            (64, 64),
            "further ones have ended"
        );
    }

    #[tokio::test]
    async fn tasks_that_rest_end_with_their_listener() {
        let (requests, runners) = (requests(), Arc::new(Runners::default()));
        runners.serve(job(&requests));
        runners.serve(job(&requests));
        settle().await;
        assert_eq!(tasks(), 2);
        drop(runners);
        settle().await;
        assert_eq!(tasks(), 0);
    }
}
