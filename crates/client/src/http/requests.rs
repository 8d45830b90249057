//! The requests of one listener: who serves them, how many are open, where small answers go.

use std::{
    fmt,
    pin::Pin,
    sync::{
        Arc, Mutex, PoisonError, RwLock, Weak,
        atomic::{AtomicBool, AtomicU64, Ordering},
    },
    time::Duration,
};

use hyco_protocol::{Accept, FullRequest, RemoteEndpoint, Request, http::Cookies};
use tokio::{
    sync::{mpsc, watch},
    time::timeout,
};
use tokio_tungstenite::tungstenite::Bytes;

use super::{
    answer::response_json,
    channel::Channel,
    outgoing::Answer,
    refusal::{BUSY, NOT_SERVED, Refusal, bad},
    runners::{Job, Runners},
    serve::Origin,
    service::{HttpOptions, RequestInfo, Service},
    upgrade,
};
use crate::{
    connection::BufferPool,
    dial::Dialer,
    error::Error,
    event::{Events, ListenerEvent},
};

/// What a listener's requests share.
pub(crate) struct Requests {
    pub(super) dialer: Dialer,
    pub(super) accept_timeout: Duration,
    /// The `Host` of requests that have none.
    pub(super) host: String,
    pub(super) secure: bool,
    /// The listener's task keeps it, and so does every open request.
    events: Weak<dyn Fn(ListenerEvent) + Send + Sync>,
    served: RwLock<Option<Arc<Served>>>,
    open: watch::Sender<usize>,
    total: AtomicU64,
    reports_served: AtomicBool,
    /// Whether a control channel is up.
    online: watch::Sender<bool>,
    answers: mpsc::Sender<Answer>,
    /// Taken by the listener's task.
    queue: Mutex<Option<mpsc::Receiver<Answer>>>,
    /// Turns true when open requests are to be given up.
    ended: watch::Sender<bool>,
    runners: Arc<Runners>,
    /// What their rendezvous read and write with.
    buffers: Arc<BufferPool>,
}

/// Who serves, and how.
#[derive(Clone, Debug)]
pub(crate) struct Served {
    pub(crate) service: Arc<dyn Service>,
    pub(crate) options: HttpOptions,
}

/// What most requests do not need. It has memory of its own: within the task of a request it would take
/// room in each of them, and a dial is large.
pub(super) type Rarely<'a, T> = Pin<Box<dyn Future<Output = T> + Send + 'a>>;

/// Counts a request as open; dropping it makes its place free.
pub(super) struct Place(Arc<Requests>);

impl Drop for Place {
    fn drop(&mut self) {
        self.0.open.send_modify(|open| *open -= 1);
    }
}

impl Requests {
    pub(crate) fn new(
        dialer: Dialer,
        accept_timeout: Duration,
        address: &str,
        events: &Events,
    ) -> Arc<Self> {
        let (answers, queue) = mpsc::channel(WAITING_ANSWERS);
        let (scheme, rest) = address.split_once("://").unwrap_or(("", address));
        let host = rest.split(['/', '?']).next().unwrap_or_default();
        let host = host.rsplit_once('@').map_or(host, |(_, host)| host);
        Arc::new(Self {
            dialer,
            accept_timeout,
            host: host.trim_end_matches(":443").to_owned(),
            secure: !matches!(scheme, "ws" | "http"),
            events: Arc::downgrade(events),
            served: RwLock::default(),
            open: watch::Sender::new(0),
            total: AtomicU64::new(0),
            reports_served: AtomicBool::new(false),
            online: watch::Sender::new(false),
            answers,
            queue: Mutex::new(Some(queue)),
            ended: watch::Sender::new(false),
            runners: Arc::default(),
            buffers: Arc::default(),
        })
    }

    /// Requests are served by this from now on; those that are open stay where they are.
    pub(crate) fn serve(&self, served: Option<(Arc<dyn Service>, HttpOptions)>) {
        let served = served.map(|(service, options)| Arc::new(Served { service, options }));
        *self.served.write().unwrap_or_else(PoisonError::into_inner) = served;
    }

    /// How many requests and upgrades are open.
    pub(crate) fn open(&self) -> usize {
        *self.open.borrow()
    }

    /// How many requests and upgrades there were.
    pub(crate) fn total(&self) -> u64 {
        self.total.load(Ordering::Relaxed)
    }

    /// Whether every answer is reported.
    pub(super) fn reports_served(&self) -> bool {
        self.reports_served.load(Ordering::Relaxed)
    }

    /// Says whether every answer is to be reported.
    pub(crate) fn report_served(&self, reports: bool) {
        self.reports_served.store(reports, Ordering::Relaxed);
    }

    /// Waits until no request and no upgrade is open.
    pub(crate) async fn idle(&self) {
        let mut open = self.open.subscribe();
        // The sender lives in what `self` is, so there is no error to see.
        drop(open.wait_for(|open| *open == 0).await);
    }

    /// Gives up what is open: senders without an answer are told so.
    pub(crate) fn end(&self) {
        self.ended.send_replace(true);
    }

    /// Whether open requests are given up.
    pub(crate) fn are_given_up(&self) -> bool {
        *self.ended.borrow()
    }

    /// Turns true when open requests are given up.
    pub(super) fn end_of_all(&self) -> watch::Receiver<bool> {
        self.ended.subscribe()
    }

    /// Waits until open requests are given up.
    pub(super) async fn given_up(&self) {
        drop(self.ended.subscribe().wait_for(|ended| *ended).await);
    }

    /// Says whether a control channel is up.
    pub(crate) fn set_online(&self, online: bool) {
        self.online.send_replace(online);
    }

    /// Where the answers for the control channel come out; the first caller gets it.
    pub(crate) fn take_queue(&self) -> mpsc::Receiver<Answer> {
        let queue = self
            .queue
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .take();
        queue.unwrap_or_else(|| mpsc::channel(1).1)
    }

    /// Takes a request that came by the control channel, with its body if it has one. Gives the answer
    /// where none has to be waited for.
    pub(crate) fn start(self: &Arc<Self>, request: Request, body: Option<Bytes>) -> Option<Answer> {
        let served = self.served();
        let place = served
            .as_ref()
            .and_then(|served| self.enter(served.options.max_requests));
        let refusal = match (&served, &place) {
            (None, _) => Some(NOT_SERVED),
            (Some(_), None) => Some(BUSY),
            _ => None,
        };
        let request = match (request, refusal) {
            (Request::Full(request), Some(refusal)) => {
                if refusal == BUSY {
                    self.failed(
                        self.info(&request.id, request.remote_endpoint.as_ref()),
                        Error::TooManyRequests,
                    );
                }
                return Some(refuse(&request, refusal));
            }
            (request, _) => request,
        };
        let origin = match request {
            Request::Full(request) => Origin::Control(request, body),
            Request::Pointer { address } => Origin::Rendezvous(address),
        };
        let served = refusal.is_none().then_some(served).flatten();
        self.runners.serve(Job {
            requests: Arc::clone(self),
            place,
            served,
            refusal: refusal.unwrap_or(NOT_SERVED),
            origin,
            events: self.events.upgrade(),
        });
        None
    }

    /// Lets the server upgrade a sender of a WebSocket, from its handshake to its end.
    pub(crate) async fn upgrade(self: &Arc<Self>, accept: Accept) {
        let served = self.served();
        let most = served
            .as_ref()
            .map_or(0, |served| served.options.max_requests);
        match (served, self.enter(most)) {
            (Some(served), Some(_place)) => {
                let _events = self.events.upgrade();
                tokio::select! {
                    () = self.given_up() => {}
                    () = upgrade::run(self, &served, accept) => {}
                }
            }
            _ => upgrade::refuse(self, &accept, 503, "The listener is busy").await,
        }
    }

    /// A sender's handshake has headers that cannot have come over HTTP.
    pub(crate) fn bad_handshake(&self, accept: &Accept, reason: &'static str) {
        let info = self.info(&accept.id, accept.remote_endpoint.as_ref());
        self.failed(info, Error::BadRequest(reason));
    }

    /// A message announced a body, and a text came in its place.
    pub(crate) fn body_missing(&self, request: &FullRequest) -> Answer {
        let error = Error::BadRequest("a text message came in place of its body");
        self.failed(
            self.info(&request.id, request.remote_endpoint.as_ref()),
            error,
        );
        refuse(request, bad(400))
    }

    /// A `request` message could not be understood.
    pub(crate) fn malformed(&self) {
        let error = Error::BadRequest("its message is not as it should be");
        self.failed(RequestInfo::default(), error);
    }

    /// Reports that a request was not served.
    pub(super) fn failed(&self, info: RequestInfo, error: Error) {
        tracing::debug!(tracking_id = info.tracking_id, %error, "request not served");
        self.report(ListenerEvent::RequestFailed {
            info,
            error: Arc::new(error),
        });
    }

    pub(super) fn report(&self, event: ListenerEvent) {
        if let Some(events) = self.events.upgrade() {
            events(event);
        }
    }

    /// Hands an answer to the control channel, or to the next one if that is up soon. Gives it back if
    /// there is none.
    pub(super) async fn answer(&self, answer: Answer) -> Result<(), Answer> {
        let is_offline = !*self.online.borrow() && !self.answers.is_closed();
        if is_offline && !self.comes_back().await {
            return Err(answer);
        }
        self.answers.send(answer).await.map_err(|refused| refused.0)
    }

    /// Whether there is a control channel soon.
    fn comes_back(&self) -> Rarely<'_, bool> {
        Box::pin(async {
            let mut online = self.online.subscribe();
            let coming = online.wait_for(|online| *online);
            timeout(OFFLINE, coming).await.is_ok()
        })
    }

    /// Opens the rendezvous at that address.
    pub(super) fn dial(&self, address: String) -> Rarely<'static, Result<Box<Channel>, Error>> {
        let buffers = Arc::clone(&self.buffers);
        let dialer = self.dialer.clone();
        Box::pin(Channel::dial(dialer, address, self.accept_timeout, buffers))
    }

    pub(super) fn info(&self, id: &str, remote: Option<&RemoteEndpoint>) -> RequestInfo {
        RequestInfo {
            tracking_id: id.to_owned(),
            remote_address: remote
                .map(|remote| remote.address.clone())
                .filter(|text| !text.is_empty()),
            remote_port: remote.map(|remote| remote.port).filter(|&port| port != 0),
            secure: self.secure,
        }
    }

    fn served(&self) -> Option<Arc<Served>> {
        self.served
            .read()
            .unwrap_or_else(PoisonError::into_inner)
            .clone()
    }

    fn enter(self: &Arc<Self>, most: usize) -> Option<Place> {
        let is_free = self.open.send_if_modified(|open| {
            let is_free = *open < most;
            *open += usize::from(is_free);
            is_free
        });
        is_free.then(|| {
            self.total.fetch_add(1, Ordering::Relaxed);
            Place(Arc::clone(self))
        })
    }
}

/// The listener's own answer to a request that came by the control channel.
pub(super) fn refuse(request: &FullRequest, refusal: Refusal) -> Answer {
    let (head, body) = refusal.answer(&request.id, &request.method);
    let json = response_json(head, &request.id, Cookies::First, !body.is_empty());
    Answer::new(json, body.into())
}

impl fmt::Debug for Requests {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Requests")
            .field("open", &self.open)
            .finish_non_exhaustive()
    }
}

/// Answers that wait for the control channel; further ones wait with their requests.
const WAITING_ANSWERS: usize = 64;
/// How long an answer waits for the next control channel before it goes by a rendezvous.
const OFFLINE: Duration = Duration::from_secs(3);
/// How long it may take to tell the senders of requests that are given up.
pub(crate) const LAST_WORDS: Duration = Duration::from_secs(1);
