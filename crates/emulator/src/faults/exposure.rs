//! What the faults do to one control channel or one relayed connection.

use std::sync::Arc;

use tokio::time::Instant;

use super::{
    Fault, FaultDirection, FaultKind, FaultTarget, Faults, Shape, milliseconds, store::Active,
};

/// The faults that have chosen one victim.
#[derive(Debug, Default)]
pub(crate) struct Exposure {
    /// The last fault that has thrown its dice.
    seen: u64,
    chosen: Vec<(Arc<Active>, Instant)>,
}

/// How a fault ends its victim.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Ending {
    /// Without a close frame.
    Drop,
    /// With a code and a reason.
    Close(u16, String),
}

/// What the faults do to a victim at a time.
#[derive(Debug, Default)]
pub(crate) struct State {
    pub(crate) ending: Option<Ending>,
    /// Nothing passes to the listener.
    pub(crate) hole_to_listener: bool,
    /// Nothing passes to the sender.
    pub(crate) hole_to_sender: bool,
    /// When the state changes next by itself.
    pub(crate) next: Option<Instant>,
}

impl Exposure {
    /// Throws the dice for the faults that are new, and forgets those that are gone. Gives those that
    /// have chosen this victim now.
    pub(crate) fn refresh(
        &mut self,
        faults: &Faults,
        target: FaultTarget,
        hybrid_connection: &str,
    ) -> Vec<Arc<Active>> {
        let active = faults.active();
        self.chosen
            .retain(|(chosen, _)| active.iter().any(|active| active.id == chosen.id));
        let mut new = Vec::new();
        for fault in active {
            if fault.id <= self.seen {
                continue;
            }
            self.seen = fault.id;
            if fault.is_for(target) && fault.matches(hybrid_connection) && fault.strikes() {
                new.push(Arc::clone(&fault));
                self.chosen.push((fault, Instant::now()));
            }
        }
        new
    }

    /// What the faults do at a time.
    pub(crate) fn state(&self, now: Instant) -> State {
        let mut state = State::default();
        for (active, chosen) in &self.chosen {
            let fault = &active.fault;
            if !matches!(
                fault.kind,
                FaultKind::Drop | FaultKind::Close | FaultKind::BlackHole
            ) {
                continue;
            }
            let due = active.due(*chosen);
            let next = match fault.duration {
                _ if now < due => Some(due),
                Some(duration) => {
                    let until = due + milliseconds(Some(duration));
                    (now < until).then_some(until)
                }
                None => None,
            };
            state.next = state.next.into_iter().chain(next).min();
            let over = fault.duration.is_some() && next.is_none();
            if now < due || over {
                continue;
            }
            match fault.kind {
                FaultKind::Drop => state.ending = Some(Ending::Drop),
                FaultKind::Close => {
                    let reason = fault.reason.clone().unwrap_or_default();
                    state.ending = Some(Ending::Close(fault.code.unwrap_or(1011), reason));
                }
                _ => {
                    state.hole_to_listener |= strikes(fault, FaultDirection::ToListener);
                    state.hole_to_sender |= strikes(fault, FaultDirection::ToSender);
                }
            }
        }
        state
    }

    /// How bytes pass in a direction.
    pub(crate) fn shape(&self, direction: FaultDirection) -> Shape {
        let mut shape = Shape::default();
        for (active, _) in &self.chosen {
            let fault = &active.fault;
            if !strikes(fault, direction) {
                continue;
            }
            let least = |one: Option<u64>, other: Option<u64>| one.into_iter().chain(other).min();
            match fault.kind {
                FaultKind::Latency => {
                    shape.delay += milliseconds(fault.delay);
                    shape.jitter += milliseconds(fault.jitter);
                }
                FaultKind::Bandwidth => {
                    shape.bytes_per_second = least(shape.bytes_per_second, fault.bytes_per_second);
                }
                FaultKind::Slice => shape.slice = least(shape.slice, fault.bytes),
                FaultKind::CutAfter => shape.cut_after = least(shape.cut_after, fault.bytes),
                _ => {}
            }
        }
        shape
    }
}

fn strikes(fault: &Fault, direction: FaultDirection) -> bool {
    fault.direction.is_none_or(|wanted| wanted == direction)
}
