//! A listener: its handle for the application, and the task that keeps its control channel up.
//!
//! Message flow:
//! 1. the listener opens a WebSocket with `sb-hc-action=listen` and a token;
//! 2. the relay sends `accept` for every sender; the application takes or rejects it at a rendezvous;
//! 3. before the token ends, the listener sends `renewToken`;
//! 4. when the WebSocket is lost, the listener waits as its schedule says and starts again.
//!
//! | state | event | next | action |
//! |---|---|---|---|
//! | Connecting | opened | Online | report `Online` |
//! | Connecting, never online before | no such endpoint, a 400 or 404 that will stay, unusable options or token | Closed | report a final `Offline` |
//! | Connecting, online before | no such endpoint | Waiting | report `Offline`; the pause is 5 minutes |
//! | Connecting | failed otherwise | Waiting | report `Offline`; the pause grows |
//! | Connecting | close | Closed | drop the attempt |
//! | Online | accept | Online | report `Accept`; 503 for the sender when too many are undecided |
//! | Online | request | Online | serve it, see [`http`](crate::http); answer 501 if nobody does |
//! | Online | token is due | Online | ask for a token, send `renewToken` |
//! | Online | one interval without a frame, or the machine wakes from sleep | Online | send a Ping |
//! | Online | lost, closed by the relay, two intervals without a frame, token ended | Waiting | report `Offline` |
//! | Online | close | Closed | send close 1000, wait for the relay's, 5 s at most |
//! | Connecting, Online | a panic | Waiting | report `Offline` with an internal error |
//! | Waiting | pause over, or the machine wakes from sleep, with which the schedule starts anew | Connecting | report `Connecting` |
//! | Waiting | policy is `Never`, or the application says stop | Closed | the `Offline` was final |
//! | Waiting | close | Closed | |
//!
//! The schedule starts anew after a loss if the channel was up for a second at least; otherwise a relay
//! that accepts and drops would be dialled in a hot loop.
//!
//! `Closed` is reported once, as the last event, even if the task should panic.

use std::{
    future::Future,
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    time::Duration,
};

use hyco_protocol::{Accept, Action, Address, Headers, RemoteEndpoint, tracking};
use tokio::{
    runtime::Handle,
    sync::{Semaphore, watch},
};
use tracing::Instrument;

use crate::{
    dial::{Dialer, Upgraded},
    error::{Error, Result},
    event::{AcceptRequest, Events},
    http::{HttpOptions, Requests, Service},
    keeper::Keeper,
    options::ListenOptions,
    pending::PendingAccepts,
    question::Question,
    random::random,
    refusals, rendezvous,
    shared::Shared,
    token::GivenToken,
};

/// The application's handle of a listener. Clones are the same listener; dropping them closes nothing.
#[derive(Clone, Debug)]
pub struct Listener {
    shared: Arc<Shared>,
}

impl Listener {
    /// Starts listening on that runtime. Everything that happens is told to `events`, also a failure.
    pub fn spawn(runtime: &Handle, dialer: Dialer, options: ListenOptions, events: Events) -> Self {
        let dialer = dialer.for_listener();
        let requests = Requests::new(
            dialer.clone(),
            options.accept_timeout,
            &options.address,
            &events,
        );
        let shared = Arc::new(Shared {
            dialer,
            requests,
            accept_timeout: options.accept_timeout,
            tokens: Arc::new(Question::new()),
            decisions: Question::new(),
            stays_down: AtomicBool::new(false),
            pending: PendingAccepts::new(options.max_pending_accepts),
            dials: Arc::new(Semaphore::new(options.max_concurrent_dials.min(MOST_DIALS))),
            closing: watch::Sender::new(false),
        });
        let id = tracking_id(&options);
        let address = listen_address(&options.address, &id);
        let span = tracing::info_span!("listener", id);
        let keeper = Keeper::new(Arc::clone(&shared), address, options, events);
        runtime.spawn(keeper.run().instrument(span));
        Self { shared }
    }

    /// Answers [`TokenNeeded`](crate::ListenerEvent::TokenNeeded) with a token, or with why there is none.
    pub fn provide_token(&self, request: u32, token: std::result::Result<GivenToken, String>) {
        self.shared.tokens.answer(request, token);
    }

    /// Answers [`ReconnectDecision`](crate::ListenerEvent::ReconnectDecision): none means stop.
    pub fn decide_reconnect(&self, request: u32, delay: Option<Duration>) {
        self.shared.decisions.answer(request, delay);
    }

    /// Meets a sender. `headers` go with the handshake at the rendezvous, beside its own. The accept is
    /// decided by the call; the future is the rendezvous, and does not depend on the control channel.
    /// Where too many are being opened already the sender is told 503, and the future fails.
    pub fn accept(
        &self,
        accept: u32,
        protocol: Option<String>,
        headers: Vec<(String, String)>,
    ) -> impl Future<Output = Result<Upgraded>> + Send + 'static {
        let shared = Arc::clone(&self.shared);
        let address = shared.pending.claim(accept);
        async move {
            let address = address.ok_or(Error::SenderGone(None))?;
            let Ok(_dialling) = shared.dials.try_acquire() else {
                refusals::refuse(&shared, &address, refusals::BUSY).await;
                return Err(Error::Busy);
            };
            let (dialer, timeout) = (&shared.dialer, shared.accept_timeout);
            rendezvous::accept(dialer, address, protocol, headers, timeout).await
        }
    }

    /// Has a sender's handshake answered with a status from 100 to 999 and a reason phrase.
    pub fn reject(
        &self,
        accept: u32,
        status: u16,
        description: Option<String>,
    ) -> impl Future<Output = Result<()>> + Send + 'static {
        let shared = Arc::clone(&self.shared);
        let address = shared.pending.claim(accept);
        async move {
            let address = address.ok_or(Error::SenderGone(None))?;
            let description = description.as_deref();
            let (dialer, timeout) = (&shared.dialer, shared.accept_timeout);
            rendezvous::reject(dialer, &address, status, description, timeout).await
        }
    }

    /// Serves HTTP requests with that service from now on, or answers them with 501 again. Requests that
    /// are open stay where they are.
    pub fn serve(&self, served: Option<(Arc<dyn Service>, HttpOptions)>) {
        self.shared.requests.serve(served);
    }

    /// Lets the server that serves requests upgrade a sender, as the decision about its accept. The
    /// address of the request does not matter; the future is the whole life of the connection.
    pub fn upgrade(&self, request: AcceptRequest) -> impl Future<Output = ()> + Send + 'static {
        let shared = Arc::clone(&self.shared);
        let address = shared.pending.claim(request.accept);
        async move {
            let Some(address) = address else {
                return;
            };
            let accept = Accept {
                address,
                id: request.id,
                connect_headers: Headers(request.headers),
                remote_endpoint: Some(RemoteEndpoint {
                    address: request.remote_address,
                    port: request.remote_port,
                }),
            };
            shared.requests.upgrade(accept).await;
        }
    }

    /// How many HTTP requests and upgrades are open.
    pub fn open_requests(&self) -> usize {
        self.shared.requests.open()
    }

    /// How many HTTP requests and upgrades there were.
    pub fn total_requests(&self) -> u64 {
        self.shared.requests.total()
    }

    /// Whether every answered HTTP request is reported as [`Served`](crate::ListenerEvent::Served). At
    /// first none is.
    pub fn report_served(&self, reports: bool) {
        self.shared.requests.report_served(reports);
    }

    /// Completes when no HTTP request and no upgrade is open.
    pub fn idle(&self) -> impl Future<Output = ()> + Send + 'static {
        let shared = Arc::clone(&self.shared);
        async move { shared.requests.idle().await }
    }

    /// Gives up the HTTP requests that are open. Senders that have no answer yet get 502, if this is
    /// called before [`close`](Self::close) by the control channel.
    pub fn end_requests(&self) {
        self.shared.requests.end();
    }

    /// Whether the next failure or loss is the last, whatever the policy says.
    pub fn stay_down(&self, stays_down: bool) {
        self.shared.stays_down.store(stays_down, Ordering::Relaxed);
    }

    /// Ends the listener; [`Closed`](crate::ListenerEvent::Closed) tells when it is down. Accepted
    /// connections stay.
    pub fn close(&self) {
        self.shared.closing.send_replace(true);
    }
}

/// The id given, else that of the address, else a new one; without the suffixes that the service appends,
/// because it appends new ones at every handshake (C15).
fn tracking_id(options: &ListenOptions) -> String {
    let written = || Address::parse(&options.address).ok()?.id();
    match options.id.clone().or_else(written) {
        Some(id) => tracking::bare_id(&id).to_owned(),
        None => tracking::new_guid(random()),
    }
}

/// The address to dial, or what is wrong with the one given.
fn listen_address(address: &str, id: &str) -> std::result::Result<String, &'static str> {
    match Address::parse(address) {
        Ok(address) => Ok(address
            .ensure_action(Action::Listen)
            .with_id(id)
            .to_string()),
        Err(hyco_protocol::Error::InvalidAddress(reason)) => Err(reason),
        Err(_) => Err("it cannot be read"),
    }
}

/// A semaphore holds no more.
const MOST_DIALS: usize = Semaphore::MAX_PERMITS;

#[cfg(test)]
mod tests {
    use super::*;
    use crate::options::TokenSource;

    const GUID: &str = "ca496b91-f5a3-4761-8eda-9a66dd9a2558";

    fn options(address: &str, id: Option<&str>) -> ListenOptions {
        let mut options = ListenOptions::new(address, TokenSource::Ask);
        options.id = id.map(ToOwned::to_owned);
        options
    }

    #[test]
    fn the_address_gets_an_action_and_a_guid_c10() {
        let id = tracking_id(&options("ws://h/$hc/e", None));
        assert!(tracking::is_guid(&id));
        let address = listen_address("ws://h/$hc/e", &id).unwrap();
        assert_eq!(
            address,
            format!("ws://h/$hc/e?sb-hc-action=listen&sb-hc-id={id}")
        );
    }

    #[test]
    fn the_suffixes_of_the_service_are_cut_off_the_id_c15() {
        let address = format!("ws://h/$hc/e?sb-hc-action=listen&sb-hc-id={GUID}_G1_G2");
        let id = tracking_id(&options(&address, None));
        assert_eq!(id, GUID);
        let sent = listen_address(&address, &id).unwrap();
        assert_eq!(
            sent,
            format!("ws://h/$hc/e?sb-hc-action=listen&sb-hc-id={GUID}")
        );
        assert_eq!(tracking_id(&options(&address, Some("mine"))), "mine");
    }
}
