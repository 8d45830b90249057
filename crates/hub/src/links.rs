//! The connections of one environment, by number and generation.
//!
//! A number is small, so that JavaScript finds a socket in an array, and is used again. A generation
//! tells those apart that had a number one after the other: a handle that outlives its connection
//! reaches nothing, never the next one.

use std::{fmt, sync::Arc};

use futures_util::future::AbortHandle;
use hyco_client::connection::Connection;

/// Names one connection, from its dial until it is forgotten, and never another.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Handle {
    /// The place in the table. It is given away again after [`Links::forget`].
    pub number: u32,
    /// How many connections had the number before.
    pub generation: u32,
}

impl Handle {
    /// Number and generation in one, small enough for a JavaScript integer.
    #[must_use]
    pub fn to_bits(self) -> u64 {
        u64::from(self.generation) << NUMBER_BITS | u64::from(self.number)
    }

    /// The handle that gave these bits. Bits that no handle gave name a connection that there never
    /// was.
    #[must_use]
    pub fn from_bits(bits: u64) -> Self {
        match u32::try_from(bits >> NUMBER_BITS) {
            Ok(generation) => Self {
                number: (bits & MOST as u64) as u32,
                generation,
            },
            Err(_) => Self {
                number: 0,
                generation: 0,
            },
        }
    }
}

/// The table. It belongs to the JavaScript thread, which decides when a number is free again.
#[derive(Debug)]
pub struct Links<C = Arc<Connection>> {
    slots: Vec<Slot<C>>,
    /// Numbers that nobody has.
    free: Vec<u32>,
}

#[derive(Debug)]
struct Slot<C> {
    generation: u32,
    link: Link<C>,
}

/// How far a connection is.
#[derive(Debug)]
enum Link<C> {
    /// Nobody has the number.
    Free,
    /// The number is taken; what is being opened is not known yet.
    Reserved,
    /// It is being opened and can be aborted.
    Opening(AbortHandle),
    Open(C),
}

/// There are as many connections as there are numbers.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Full;

impl fmt::Display for Full {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            f,
            "this thread has {MOST} connections already; close some first"
        )
    }
}

impl<C> Links<C> {
    /// An empty table. Number 0 is never given away: it stands for what is about no connection.
    #[must_use]
    pub fn new() -> Self {
        let nobody = Slot {
            generation: 0,
            link: Link::Free,
        };
        Self {
            slots: vec![nobody],
            free: Vec::new(),
        }
    }

    /// Takes a number for a connection that is about to be opened.
    ///
    /// # Errors
    /// When there are 2,097,151 connections.
    pub fn reserve(&mut self) -> Result<Handle, Full> {
        let number = match self.free.pop() {
            Some(number) => number,
            None if self.slots.len() > MOST => return Err(Full),
            None => {
                self.slots.push(Slot {
                    generation: 0,
                    link: Link::Free,
                });
                (self.slots.len() - 1) as u32
            }
        };
        let slot = &mut self.slots[number as usize];
        slot.link = Link::Reserved;
        Ok(Handle {
            number,
            generation: slot.generation,
        })
    }

    /// Notes that the connection is being opened, and how that is aborted.
    pub fn opening(&mut self, handle: Handle, opening: AbortHandle) {
        if let Some(link @ Link::Reserved) = self.link_mut(handle) {
            *link = Link::Opening(opening);
        }
    }

    /// Notes that the connection is open.
    pub fn open(&mut self, handle: Handle, connection: C) {
        if let Some(link) = self.link_mut(handle) {
            *link = Link::Open(connection);
        }
    }

    /// Aborts the opening of a connection, if it is still being opened.
    pub fn abort(&self, handle: Handle) {
        if let Some(Link::Opening(opening)) = self.link(handle) {
            opening.abort();
        }
    }

    /// An open connection; `None` before it is open and for a stale handle.
    #[must_use]
    pub fn get(&self, handle: Handle) -> Option<&C> {
        match self.link(handle)? {
            Link::Open(connection) => Some(connection),
            Link::Free | Link::Reserved | Link::Opening(_) => None,
        }
    }

    /// Frees the number of a connection. Its handle is stale from now on. Nothing happens for a
    /// handle that is stale already.
    pub fn forget(&mut self, handle: Handle) {
        if self.link(handle).is_none() {
            return;
        }
        let slot = &mut self.slots[handle.number as usize];
        slot.link = Link::Free;
        // A number whose generations are used up rests for ever: 4 billion connections had it.
        if let Some(next) = slot.generation.checked_add(1) {
            slot.generation = next;
            self.free.push(handle.number);
        }
    }

    fn link(&self, handle: Handle) -> Option<&Link<C>> {
        let slot = self.slots.get(handle.number as usize)?;
        let known = slot.generation == handle.generation && !matches!(slot.link, Link::Free);
        known.then_some(&slot.link)
    }

    fn link_mut(&mut self, handle: Handle) -> Option<&mut Link<C>> {
        self.link(handle)?;
        Some(&mut self.slots[handle.number as usize].link)
    }
}

impl<C> Default for Links<C> {
    fn default() -> Self {
        Self::new()
    }
}

/// Number and generation fit together into the 53 bits of a JavaScript integer.
/// `lib/hub/link.js` takes them apart.
const NUMBER_BITS: u32 = 21;

/// The most connections of one environment.
const MOST: usize = (1 << NUMBER_BITS) - 1;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_number_is_free_only_after_it_was_forgotten() {
        let mut links = Links::new();
        let first = links.reserve().unwrap();
        links.open(first, "first");
        let second = links.reserve().unwrap();
        assert_ne!(first.number, second.number);
        links.forget(first);
        assert_eq!(links.reserve().unwrap().number, first.number);
    }

    #[test]
    fn a_stale_handle_reaches_nobody() {
        let mut links = Links::new();
        let stale = links.reserve().unwrap();
        links.open(stale, "first");
        links.forget(stale);
        assert_eq!(links.get(stale), None);

        let next = links.reserve().unwrap();
        links.open(next, "next");
        assert_eq!(next.number, stale.number);
        assert_eq!(links.get(stale), None);
        links.open(stale, "late");
        links.forget(stale);
        assert_eq!(links.get(next), Some(&"next"));
    }

    #[test]
    fn an_abort_reaches_the_opening_that_its_handle_names() {
        let mut links: Links<()> = Links::new();
        let stale = links.reserve().unwrap();
        let (first, _) = AbortHandle::new_pair();
        links.opening(stale, first.clone());
        links.forget(stale);
        let next = links.reserve().unwrap();
        let (second, _) = AbortHandle::new_pair();
        links.opening(next, second.clone());
        links.abort(stale);
        assert!(!first.is_aborted() && !second.is_aborted());
        links.abort(next);
        assert!(second.is_aborted());
    }

    #[test]
    fn numbers_that_were_never_given_name_nobody() {
        let mut links = Links::new();
        let handle = links.reserve().unwrap();
        links.open(handle, ());
        for number in [0, handle.number + 1, u32::MAX] {
            let unknown = Handle {
                number,
                generation: 0,
            };
            links.open(unknown, ());
            links.abort(unknown);
            links.forget(unknown);
            assert_eq!(links.get(unknown), None);
        }
        assert_eq!(links.get(handle), Some(&()));
    }

    #[test]
    fn a_number_whose_generations_are_used_up_is_not_given_again() {
        let mut links: Links<()> = Links::new();
        let mut handle = links.reserve().unwrap();
        links.slots[handle.number as usize].generation = u32::MAX;
        handle.generation = u32::MAX;
        links.forget(handle);
        assert_ne!(links.reserve().unwrap().number, handle.number);
    }

    #[test]
    fn a_handle_survives_its_way_through_javascript() {
        for (number, generation) in [(1, 0), (MOST as u32, u32::MAX), (7, 3)] {
            let handle = Handle { number, generation };
            assert!(handle.to_bits() < 1 << 53);
            assert_eq!(Handle::from_bits(handle.to_bits()), handle);
        }
        assert_eq!(Handle::from_bits(u64::MAX).number, 0);
    }

    #[test]
    fn there_is_a_most_of_connections() {
        let mut links: Links<()> = Links::new();
        for _ in 0..MOST {
            links.reserve().unwrap();
        }
        assert_eq!(links.reserve(), Err(Full));
    }
}
