//! Sockets that work together, and what they do with the messages they receive.

use std::{
    cell::{Cell, RefCell},
    collections::{BTreeMap, HashMap},
    rc::Rc,
};

use tokio::sync::{Notify, mpsc::UnboundedSender, oneshot};

use crate::frame::Batch;

/// What the sockets of a group do with a message.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Mode {
    /// It is counted.
    Count,
    /// It is counted and sent back.
    Echo,
    /// It is the answer to a message of ours: counted, and the next one is sent.
    Drive,
}

/// What a socket is told to do.
#[derive(Debug)]
pub enum Order {
    /// Write that many messages from the batch.
    Flood(Batch, u64),
    /// Start that many messages of a drive.
    Kick(u64),
    /// Write one text message.
    Text(String),
    /// Close with 1000.
    Close,
}

/// Called with every text message of a group.
type OnText = Box<dyn Fn(&[u8])>;

/// One set of sockets. Everything here lives on one thread.
pub struct Group {
    mode: Cell<Mode>,
    next_member: Cell<u64>,
    members: RefCell<BTreeMap<u64, Member>>,
    received: Cell<u64>,
    awaited: Cell<u64>,
    changed: Notify,
    permits: Cell<u64>,
    drive: RefCell<Option<[Batch; 2]>>,
    latencies: RefCell<Vec<u32>>,
    on_text: RefCell<Option<OnText>>,
}

struct Member {
    orders: UnboundedSender<Order>,
    client: bool,
}

impl Group {
    fn new() -> Self {
        Self {
            mode: Cell::new(Mode::Count),
            next_member: Cell::new(0),
            members: RefCell::default(),
            received: Cell::new(0),
            awaited: Cell::new(u64::MAX),
            changed: Notify::new(),
            permits: Cell::new(0),
            drive: RefCell::default(),
            latencies: RefCell::default(),
            on_text: RefCell::default(),
        }
    }

    /// Adds a socket; `client` tells which side of the WebSocket it plays.
    pub fn join(&self, orders: UnboundedSender<Order>, client: bool) -> u64 {
        let id = self.next_member.replace(self.next_member.get() + 1);
        self.members
            .borrow_mut()
            .insert(id, Member { orders, client });
        self.changed.notify_waiters();
        id
    }

    /// Takes a socket out that has ended.
    pub fn leave(&self, id: u64) {
        self.members.borrow_mut().remove(&id);
        self.changed.notify_waiters();
    }

    /// How many sockets there are now.
    pub fn len(&self) -> usize {
        self.members.borrow().len()
    }

    /// Sets what happens to messages from here on, and forgets all counts.
    pub fn reset(&self, mode: Mode) {
        self.mode.set(mode);
        self.received.set(0);
        self.awaited.set(u64::MAX);
        self.permits.set(0);
        self.latencies.borrow_mut().clear();
    }

    /// What to do with a message.
    pub fn mode(&self) -> Mode {
        self.mode.get()
    }

    /// Whether somebody looks at text messages.
    pub fn reads_text(&self) -> bool {
        self.on_text.borrow().is_some()
    }

    /// Hands text messages to `hook`.
    pub fn on_text(&self, hook: impl Fn(&[u8]) + 'static) {
        *self.on_text.borrow_mut() = Some(Box::new(hook));
    }

    /// One text message has come.
    pub fn text(&self, payload: &[u8]) {
        if let Some(hook) = &*self.on_text.borrow() {
            hook(payload);
        }
    }

    /// Messages have come.
    pub fn count(&self, messages: u64) {
        self.received.set(self.received.get() + messages);
        if self.received.get() >= self.awaited.get() {
            self.changed.notify_waiters();
        }
    }

    /// Waits until `sockets` sockets are there, or until all but so many have left.
    pub async fn wait_members(&self, reached: impl Fn(usize) -> bool) {
        loop {
            let changed = self.changed.notified();
            if reached(self.len()) {
                return;
            }
            changed.await;
        }
    }

    /// Waits until `messages` have come since the reset.
    pub async fn wait_received(&self, messages: u64) {
        self.awaited.set(messages);
        loop {
            let changed = self.changed.notified();
            if self.received.get() >= messages {
                return;
            }
            changed.await;
        }
    }

    /// Gives every socket its share of `count` messages to write.
    pub fn flood(&self, size: usize, count: u64) {
        let members = self.members.borrow();
        let each = count / members.len().max(1) as u64;
        let batches = [false, true].map(|masked| Batch::new(size, each, masked));
        for (member, share) in members.values().zip(shares(count, members.len())) {
            let batch = batches[usize::from(member.client)].clone();
            let _ = member.orders.send(Order::Flood(batch, share));
        }
    }

    /// Sends `count` messages of `size`, at most `flight` at a time, each answered by the other end.
    pub async fn drive(&self, size: usize, count: u64, flight: u64) {
        self.reset(Mode::Drive);
        let flight = flight.min(count);
        *self.drive.borrow_mut() =
            Some([false, true].map(|masked| Batch::new(size, flight, masked)));
        self.permits.set(count - flight);
        {
            let members = self.members.borrow();
            for (member, share) in members.values().zip(shares(flight, members.len())) {
                let _ = member.orders.send(Order::Kick(share));
            }
        }
        self.wait_received(count).await;
    }

    /// How many of `wanted` further messages of a drive may be started.
    pub fn permit(&self, wanted: u64) -> u64 {
        let granted = wanted.min(self.permits.get());
        self.permits.set(self.permits.get() - granted);
        granted
    }

    /// The message of the present drive.
    pub fn drive_batch(&self, client: bool) -> Option<Batch> {
        self.drive
            .borrow()
            .as_ref()
            .map(|batches| batches[usize::from(client)].clone())
    }

    /// Keeps how long a message of a drive was under way.
    pub fn latency(&self, nanoseconds: u32) {
        self.latencies.borrow_mut().push(nanoseconds);
    }

    /// The kept times, sorted.
    pub fn sorted_latencies(&self) -> Vec<u32> {
        let mut latencies = std::mem::take(&mut *self.latencies.borrow_mut());
        latencies.sort_unstable();
        latencies
    }

    /// Tells the first socket, if there is one.
    pub fn tell_first(&self, order: Order) -> bool {
        let members = self.members.borrow();
        members
            .values()
            .next()
            .is_some_and(|member| member.orders.send(order).is_ok())
    }

    /// Closes all sockets.
    pub fn close(&self) {
        for member in self.members.borrow().values() {
            let _ = member.orders.send(Order::Close);
        }
    }
}

/// All groups, and the rendezvous that are awaited.
#[derive(Default)]
pub struct World {
    groups: RefCell<HashMap<String, Rc<Group>>>,
    /// Accepts that no listener has answered yet, by their id.
    pub pending: RefCell<HashMap<String, oneshot::Sender<()>>>,
    /// The address of the plain port, and of the TLS port.
    pub addresses: [RefCell<String>; 2],
    /// Answers that are kept open.
    pub held: RefCell<Vec<tokio::net::TcpStream>>,
}

impl World {
    /// The group of that name, made on first use.
    pub fn group(&self, name: &str) -> Rc<Group> {
        let mut groups = self.groups.borrow_mut();
        Rc::clone(
            groups
                .entry(name.to_owned())
                .or_insert_with(|| Rc::new(Group::new())),
        )
    }

    /// The control channels of listeners on that name.
    pub fn control(&self, name: &str) -> Rc<Group> {
        self.group(&format!("{name}#control"))
    }
}

/// Splits `count` over `members`, as evenly as it goes.
fn shares(count: u64, members: usize) -> impl Iterator<Item = u64> {
    let members = members.max(1) as u64;
    (0..members).map(move |i| count / members + u64::from(i < count % members))
}
