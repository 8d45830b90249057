//! The faults that are in force.

use std::sync::{
    Arc, Mutex, MutexGuard, PoisonError,
    atomic::{AtomicBool, AtomicU64, Ordering},
};

use tokio::time::Instant;

use super::{Fault, FaultAction, FaultKind, FaultTarget, milliseconds};

/// The faults of a relay.
#[derive(Default)]
pub(crate) struct Faults {
    state: Mutex<State>,
    /// Whether there is any, so that a relay without faults asks nothing else.
    any: AtomicBool,
}

#[derive(Default)]
struct State {
    serial: u64,
    active: Vec<Arc<Active>>,
}

/// A fault that is in force.
#[derive(Debug)]
pub(crate) struct Active {
    pub(crate) id: u64,
    pub(crate) fault: Fault,
    /// When it was set.
    pub(super) since: Instant,
    struck: AtomicU64,
}

impl Active {
    /// How often it has struck.
    pub(crate) fn struck(&self) -> u64 {
        self.struck.load(Ordering::Relaxed)
    }

    /// Throws the dice; counts if it strikes.
    pub(super) fn strikes(&self) -> bool {
        if let Some(probability) = self.fault.probability {
            // Without random bytes it strikes.
            let dice = f64::from(getrandom::u32().unwrap_or(0)) / 4_294_967_296.0;
            if dice >= probability {
                return false;
            }
        }
        let most = self.fault.count.unwrap_or(u64::MAX);
        self.struck
            .fetch_update(Ordering::Relaxed, Ordering::Relaxed, |struck| {
                (struck < most).then_some(struck + 1)
            })
            .is_ok()
    }

    pub(super) fn matches(&self, hybrid_connection: &str) -> bool {
        let wanted = self.fault.hybrid_connection.as_deref();
        wanted.is_none_or(|path| {
            path.trim_matches('/')
                .eq_ignore_ascii_case(hybrid_connection)
        })
    }
}

impl Faults {
    /// Sets a fault; gives its number.
    pub(crate) fn set(&self, fault: Fault) -> Result<u64, String> {
        fault.check()?;
        let mut state = self.lock();
        if state.active.len() >= MOST {
            return Err(format!("there are {MOST} faults already; remove some"));
        }
        state.serial += 1;
        let id = state.serial;
        state.active.push(Arc::new(Active {
            id,
            fault,
            since: Instant::now(),
            struck: AtomicU64::new(0),
        }));
        self.any.store(true, Ordering::Release);
        Ok(id)
    }

    /// Removes a fault; gives whether there was one.
    pub(crate) fn remove(&self, id: u64) -> bool {
        let mut state = self.lock();
        let before = state.active.len();
        state.active.retain(|active| active.id != id);
        self.any.store(!state.active.is_empty(), Ordering::Release);
        state.active.len() < before
    }

    /// Removes all.
    pub(crate) fn clear(&self) {
        self.lock().active.clear();
        self.any.store(false, Ordering::Release);
    }

    /// Those that are in force, in the order in which they were set.
    pub(crate) fn active(&self) -> Vec<Arc<Active>> {
        match self.any.load(Ordering::Acquire) {
            true => self.lock().active.clone(),
            false => Vec::new(),
        }
    }

    /// The fault that refuses a handshake.
    pub(crate) fn refusal(
        &self,
        action: FaultAction,
        hybrid_connection: &str,
    ) -> Option<Arc<Active>> {
        let wanted = |fault: &Fault| match fault.action {
            Some(wanted) => wanted == action,
            None => action != FaultAction::Accept,
        };
        self.active().into_iter().find(|active| {
            active.fault.kind == FaultKind::Refuse
                && wanted(&active.fault)
                && active.matches(hybrid_connection)
                && active.strikes()
        })
    }

    /// The fault that keeps a listener from hearing of a sender in time.
    pub(crate) fn on_accept(&self, hybrid_connection: &str) -> Option<Arc<Active>> {
        self.active().into_iter().find(|active| {
            matches!(
                active.fault.kind,
                FaultKind::DelayAccept | FaultKind::SwallowAccept
            ) && active.matches(hybrid_connection)
                && active.strikes()
        })
    }

    /// By what the relay's times are multiplied.
    pub(crate) fn factor(&self) -> f64 {
        self.active()
            .iter()
            .filter_map(|active| active.fault.factor)
            .product()
    }

    /// By how many seconds the relay's clock is ahead.
    pub(crate) fn clock(&self) -> i64 {
        self.active()
            .iter()
            .filter_map(|active| active.fault.seconds)
            .sum()
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Active {
    /// Whether it ends or shapes what is of that kind.
    pub(super) fn is_for(&self, target: FaultTarget) -> bool {
        match self.fault.kind {
            FaultKind::Drop | FaultKind::Close | FaultKind::BlackHole => {
                self.fault.on == Some(target)
            }
            FaultKind::Latency | FaultKind::Bandwidth | FaultKind::Slice | FaultKind::CutAfter => {
                target == FaultTarget::Connection
            }
            FaultKind::Refuse
            | FaultKind::DelayAccept
            | FaultKind::SwallowAccept
            | FaultKind::Timers
            | FaultKind::Clock => false,
        }
    }

    /// When it strikes what it chose at a time.
    pub(super) fn due(&self, chosen: Instant) -> Instant {
        chosen.max(self.since) + milliseconds(self.fault.after)
    }
}

/// How many faults can be in force at a time; each is asked at every handshake.
const MOST: usize = 256;
