//! A week of a listener in paused time: tokens of an hour, a control channel that the relay ends twice a
//! day, and outages. It has a process of its own, in which tasks and descriptors can be counted.
#![expect(
    clippy::unwrap_used,
    clippy::print_stdout,
    reason = "helpers of tests panic as tests do, and a week has figures"
)]

use std::{
    thread,
    time::{Duration, SystemTime, UNIX_EPOCH},
};

use hyco_client::{Dialer, ListenOptions, Listener, ListenerEvent, TlsOptions, TokenSource};
use hyco_emulator::{Emulator, EmulatorOptions, Fault, FaultAction, FaultKind, FaultTarget};
use hyco_protocol::token::sign_canonical;
use tokio::{
    runtime::{Builder, Handle},
    sync::mpsc,
    task::{spawn_blocking, yield_now},
    time::{Instant, advance},
};

const HOUR: Duration = Duration::from_secs(3600);
const WEEK: Duration = Duration::from_secs(7 * 24 * 3600);
/// Of time in which nothing is expected to change; less than the interval of the keep-alive.
const STRIDE: Duration = Duration::from_secs(25);
/// Of time in which the listener is about to return.
const STEP: Duration = Duration::from_millis(50);

#[derive(Clone, Copy, PartialEq)]
enum State {
    Connecting,
    Online,
    Offline,
}

/// What the week was like.
#[derive(Debug, Default)]
struct Log {
    renewals: u32,
    losses: u32,
    tries: u32,
    tokens: u32,
}

struct Week {
    emulator: Emulator,
    listener: Listener,
    events: mpsc::UnboundedReceiver<ListenerEvent>,
    state: State,
    log: Log,
}

#[test]
fn a_week_leaves_a_listener_online_and_nothing_behind() {
    let runtime = Builder::new_current_thread()
        .enable_all()
        .start_paused(true)
        // Sockets are looked at between any two tasks, since the clock does not wait for them.
        .event_interval(1)
        .build()
        .unwrap();
    runtime.block_on(async {
        // A blocking task keeps the clock from running by itself, so that handshakes take no time.
        let (release, held) = std::sync::mpsc::channel::<()>();
        let holding = spawn_blocking(move || held.recv().is_ok());
        let before = (tasks(), descriptors());
        let mut week = Week::start().await;
        let (up, online) = week.live().await;
        let log = week.end().await;
        let patience = std::time::Instant::now() + Duration::from_secs(60);
        while (tasks(), descriptors()) != before && std::time::Instant::now() < patience {
            spawn_blocking(|| thread::sleep(Duration::from_millis(1)))
                .await
                .unwrap();
        }
        assert_eq!((tasks(), descriptors()), before, "tasks and descriptors");

        let share = online.as_secs_f64() / up.as_secs_f64();
        println!(
            "online {:.4} % of the relay's uptime; {log:?}",
            share * 100.0
        );
        assert!(share > 0.9999, "{share} {log:?}");
        // Eight outages, and the ends by the relay's clock, of which each of seven days has one or two.
        assert!((15..=22).contains(&log.losses), "{log:?}");
        // Each token lives for an hour and is renewed well before.
        assert!((168..=7 * 24 * 2).contains(&log.renewals), "{log:?}");
        assert!(log.tokens < 2 * (log.renewals + log.tries), "{log:?}");
        drop(release);
        holding.await.unwrap();
    });
}

impl Week {
    async fn start() -> Self {
        let mut options = EmulatorOptions::default();
        // Outages end channels as well, so that one of 24 hours would hardly be seen.
        options.timing.channel_life = 12 * HOUR;
        let emulator = Emulator::bind(options).await.unwrap();
        let address = format!("{}/$hc/hyco", emulator.namespace());
        let options = ListenOptions::new(address, TokenSource::Ask);
        let dialer = Dialer::new(&TlsOptions::default()).unwrap();
        let (sender, events) = mpsc::unbounded_channel();
        let put = std::sync::Arc::new(move |event| drop(sender.send(event)));
        let listener = Listener::spawn(&Handle::current(), dialer, options, put);
        let mut week = Self {
            emulator,
            listener,
            events,
            state: State::Offline,
            log: Log::default(),
        };
        week.settle().await;
        assert!(week.state == State::Online);
        week
    }

    /// Lives for a week; how long the relay was up, and how long of that the listener was online.
    async fn live(&mut self) -> (Duration, Duration) {
        let (mut up, mut online) = (Duration::ZERO, Duration::ZERO);
        let end = Instant::now() + WEEK;
        let mut outages = outages().into_iter();
        let mut next = outages.next();
        let mut back: Option<Instant> = None;
        while Instant::now() < end {
            let now = Instant::now();
            if let Some((start, length)) = next
                && now >= end - WEEK + start
            {
                self.fail();
                back = Some(now + length);
                next = outages.next();
                self.settle().await;
            }
            if back.is_some_and(|back| now >= back) {
                self.emulator.clear_faults();
                back = None;
            }
            let is_up = back.is_none();
            let step = match (back, self.state) {
                (Some(back), _) => (back - now).min(Duration::from_secs(1)),
                (None, State::Online) => STRIDE,
                (None, _) => STEP,
            };
            let was_online = self.state == State::Online;
            advance(step).await;
            if is_up {
                up += step;
                online += if was_online { step } else { Duration::ZERO };
            }
            self.settle().await;
        }
        (up, online)
    }

    /// The relay loses what it has, and takes nothing more until its faults are cleared.
    fn fail(&self) {
        let mut refuse = Fault::default();
        refuse.kind = FaultKind::Refuse;
        refuse.action = Some(FaultAction::Listen);
        refuse.status = Some(503);
        let mut lose = Fault::default();
        lose.kind = FaultKind::Drop;
        lose.on = Some(FaultTarget::Control);
        for fault in [refuse, lose] {
            self.emulator.set_fault(fault).unwrap();
        }
    }

    /// Lets happen what is to happen at this moment. Only the time of the machine passes meanwhile.
    async fn settle(&mut self) {
        let patience = std::time::Instant::now() + Duration::from_secs(60);
        loop {
            for _ in 0..8 {
                yield_now().await;
            }
            let heard = self.hear();
            let waits = self.state == State::Connecting || !heard_all(&self.emulator, self.state);
            if !heard && !waits {
                return;
            }
            assert!(std::time::Instant::now() < patience, "nothing happens");
            spawn_blocking(|| thread::sleep(Duration::from_millis(1)))
                .await
                .unwrap();
        }
    }

    /// Takes the events that are there; whether there was one.
    fn hear(&mut self) -> bool {
        let mut heard = false;
        while let Ok(event) = self.events.try_recv() {
            heard = true;
            match event {
                ListenerEvent::Connecting { .. } => {
                    self.log.tries += 1;
                    self.state = State::Connecting;
                }
                ListenerEvent::Online { .. } => self.state = State::Online,
                ListenerEvent::Offline {
                    is_final, attempt, ..
                } => {
                    assert!(!is_final);
                    self.log.losses += u32::from(attempt == 0);
                    self.state = State::Offline;
                }
                ListenerEvent::TokenNeeded { request } => {
                    self.log.tokens += 1;
                    let token = Ok(self.token().into());
                    self.listener.provide_token(request, token);
                }
                ListenerEvent::Renewed => self.log.renewals += 1,
                other => panic!("{other:?}"),
            }
        }
        heard
    }

    fn token(&self) -> String {
        let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap();
        let rule = self.emulator.rule();
        let (name, key) = (rule.name(), rule.primary_key());
        // No two in a row are the same, although the clock on the wall stands nearly still.
        let end = (now + HOUR).as_secs() + u64::from(self.log.tokens % 60);
        sign_canonical(&self.emulator.namespace(), name, key, end).unwrap()
    }

    /// Ends both, and waits until their tasks are gone.
    async fn end(mut self) -> Log {
        self.listener.close();
        let patience = std::time::Instant::now() + Duration::from_secs(60);
        while !matches!(self.events.try_recv(), Ok(ListenerEvent::Closed)) {
            assert!(std::time::Instant::now() < patience, "it does not close");
            spawn_blocking(|| thread::sleep(Duration::from_millis(1)))
                .await
                .unwrap();
        }
        drop(self.listener);
        self.emulator.close().await;
        for _ in 0..100 {
            yield_now().await;
        }
        self.log
    }
}

/// Whether the listener knows what the relay has done: a channel that it lost, it may not have noticed.
fn heard_all(emulator: &Emulator, state: State) -> bool {
    let admin = emulator.handle();
    let listeners = admin.request("GET", "/listeners", b"").unwrap().body;
    let is_connected = listeners.trim() != "[]";
    is_connected == (state == State::Online)
}

/// When the relay fails, and for how long: every day for at most three seconds, and once for minutes. A
/// listener returns from the first kind within 3 s, and from the other within the longest pause, 36 s.
fn outages() -> Vec<(Duration, Duration)> {
    let mut state = 0x9e37_79b9_u64;
    let mut random = move |below: u64| {
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        state % below
    };
    let mut outages: Vec<_> = (0..7)
        .map(|day| {
            let start = 24 * 3600 * day + 3600 + random(20 * 3600);
            let length = 200 + random(2800);
            (Duration::from_secs(start), Duration::from_millis(length))
        })
        .collect();
    outages.push((Duration::from_secs(23 * 3600), Duration::from_secs(240)));
    outages.sort();
    outages
}

fn tasks() -> usize {
    Handle::current().metrics().num_alive_tasks()
}

/// How many descriptors the process has, where the system tells.
fn descriptors() -> usize {
    std::fs::read_dir("/proc/self/fd").map_or(0, Iterator::count)
}
