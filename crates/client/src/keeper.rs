//! The task behind a listener; the table of its states is in [`listener`](crate::listener).

use std::{
    panic::AssertUnwindSafe,
    sync::{Arc, atomic::Ordering},
    time::Duration,
};

use futures_util::FutureExt;
use hyco_protocol::{Accept, http::check_headers};
use tokio::{
    sync::watch,
    task::JoinSet,
    time::{Instant, sleep, sleep_until, timeout},
};

use crate::{
    backoff::Backoff,
    clock,
    control_channel::{Arrival, ControlChannel},
    error::{Error, Result},
    event::{AcceptRequest, Events, ListenerEvent},
    http::{LAST_WORDS, Outgoing},
    options::{ListenOptions, Policy, TokenSource},
    random::fraction,
    refusals::{BAD, BUSY, Refusals},
    shared::Shared,
    token::Token,
    token_provider::TokenProvider,
    verdict::{SLOWLY, Verdict, is_fatal, judge},
};

/// Keeps a control channel up.
pub(crate) struct Keeper {
    shared: Arc<Shared>,
    address: std::result::Result<String, &'static str>,
    options: ListenOptions,
    events: Events,
    tokens: Arc<TokenProvider>,
    backoff: Backoff,
    /// Attempts since the listener was online last.
    attempt: u32,
    was_online: bool,
    /// Senders that are being turned away.
    refusals: Refusals,
    /// Channels that are being closed.
    goodbyes: JoinSet<()>,
    /// Answers to HTTP requests.
    outgoing: Outgoing,
}

impl Keeper {
    pub(crate) fn new(
        shared: Arc<Shared>,
        address: std::result::Result<String, &'static str>,
        options: ListenOptions,
        events: Events,
    ) -> Self {
        let (question, provider_events) = (Arc::clone(&shared.tokens), Arc::clone(&events));
        let tokens = TokenProvider::new(options.token.clone(), question, provider_events);
        let outgoing = Outgoing::new(shared.requests.take_queue());
        Self {
            outgoing,
            shared,
            address,
            backoff: Backoff::new(options.reconnect.schedule.clone()),
            options,
            events,
            tokens: Arc::new(tokens),
            attempt: 0,
            was_online: false,
            refusals: Refusals::default(),
            goodbyes: JoinSet::new(),
        }
    }

    pub(crate) async fn run(mut self) {
        let _last = Goodbye(Arc::clone(&self.events));
        let mut closing = self.shared.closing.subscribe();
        loop {
            let round = AssertUnwindSafe(self.round(&mut closing)).catch_unwind();
            let goes_on = match round.await {
                Ok(goes_on) => goes_on,
                Err(panic) => self.recover(Error::panicked(&*panic), &mut closing).await,
            };
            if !goes_on {
                break;
            }
        }
        self.shared.pending.clear();
    }

    /// One attempt to be online, what comes of it, and the pause behind it; whether another follows.
    async fn round(&mut self, closing: &mut watch::Receiver<bool>) -> bool {
        self.attempt = self.attempt.saturating_add(1);
        // A failure is a failure whatever its cause: one that panics must not end the listener.
        let attempt = AssertUnwindSafe(self.attempt(closing)).catch_unwind();
        let error = match attempt.await {
            Ok(Some(error)) => error,
            Ok(None) => return false,
            Err(panic) => Error::panicked(&*panic),
        };
        let pause = tokio::select! {
            biased;
            () = closed(closing) => return false,
            pause = self.pause(error) => pause,
        };
        match pause {
            Some(pause) => self.rest(pause, closing).await,
            None => false,
        }
    }

    /// Waits out a pause; whether the listener is still to go on.
    async fn rest(&mut self, pause: Duration, closing: &mut watch::Receiver<bool>) -> bool {
        tokio::select! {
            biased;
            () = closed(closing) => false,
            () = sleep(pause) => true,
            () = clock::jump() => {
                tracing::info!("the machine was asleep");
                self.backoff.reset();
                true
            }
        }
    }

    /// Opens a channel and serves it until it is lost, which is the error; none when the listener is
    /// closed.
    async fn attempt(&mut self, closing: &mut watch::Receiver<bool>) -> Option<Error> {
        (self.events)(ListenerEvent::Connecting {
            attempt: self.attempt,
        });
        let opened = tokio::select! {
            biased;
            () = closed(closing) => return None,
            opened = self.open() => opened,
        };
        match opened {
            Ok((channel, token)) => self.serve(channel, token, closing).await,
            Err(error) => Some(error),
        }
    }

    /// Goes on after a panic that came from reporting a failure, so that nothing is reported here.
    async fn recover(&mut self, error: Error, closing: &mut watch::Receiver<bool>) -> bool {
        tracing::error!(%error, "listener restarted");
        let pause = self.backoff.next(fraction()).max(AFTER_PANIC);
        self.rest(pause, closing).await
    }

    async fn open(&mut self) -> Result<(ControlChannel, Token)> {
        let address = self.address.clone().map_err(Error::InvalidAddress)?;
        let started = Instant::now();
        // An attempt that hangs must not cost a minute of an outage that may be over.
        let limit = match self.was_online {
            true => self.options.open_timeout.min(REOPEN_TIMEOUT),
            false => self.options.open_timeout,
        };
        let token = self.tokens.fetch(limit).await?;
        let (dialer, timeout) = (&self.shared.dialer, limit.saturating_sub(started.elapsed()));
        let user_agent = self.options.user_agent.as_deref();
        let channel = ControlChannel::open(dialer, address, &token, user_agent, timeout).await?;
        Ok((channel, token))
    }

    /// Serves an open channel until it is lost, which is the error, or until the listener is closed.
    async fn serve(
        &mut self,
        mut channel: ControlChannel,
        token: Token,
        closing: &mut watch::Receiver<bool>,
    ) -> Option<Error> {
        let since = Instant::now();
        (self.attempt, self.was_online) = (0, true);
        let tracking_id = channel.tracking_id().map(ToOwned::to_owned);
        tracing::info!(tracking_id, "online");
        (self.events)(ListenerEvent::Online { tracking_id });

        let period = self.options.keep_alive.filter(|period| !period.is_zero());
        let mut renewal = Box::pin(renewed(Arc::clone(&self.tokens), token));
        let mut jump = std::pin::pin!(clock::jump());
        // These live as long as the channel: what is made anew for each command costs each sender.
        let mut closed = std::pin::pin!(closed(closing));
        let mut beat = std::pin::pin!(due(period.and_then(|period| channel.next_beat(period))));
        self.shared.requests.set_online(true);
        self.outgoing.begin_anew();
        let mut answered = self.outgoing.send(&mut channel).await;
        let lost = loop {
            if let Err(error) = answered {
                break error;
            }
            answered = tokio::select! {
                // A flood of commands must not delay a renewal, and what has arrived is read before the
                // relay is found to be silent.
                biased;
                () = &mut closed => {
                    let answered = self.last_answers(&mut channel).await;
                    tracing::debug!(?answered, "closing");
                    channel.close().await;
                    return None;
                }
                successor = &mut renewal => match successor {
                    Ok(token) => {
                        let sent = channel.renew(&token).await;
                        renewal = Box::pin(renewed(Arc::clone(&self.tokens), token));
                        if sent.is_ok() {
                            tracing::debug!("token renewed");
                            (self.events)(ListenerEvent::Renewed);
                        }
                        sent
                    }
                    Err(error) => {
                        self.goodbyes.spawn(channel.close());
                        break error;
                    }
                },
                arrival = channel.next() => match arrival {
                    Ok(arrival) => {
                        self.take(arrival);
                        self.outgoing.send(&mut channel).await
                    }
                    Err(error) => Err(error),
                },
                Some(answer) = self.outgoing.recv() => {
                    self.outgoing.push(answer);
                    self.outgoing.send(&mut channel).await
                }
                () = &mut beat => {
                    // Nothing, if something was heard since then.
                    let asked = channel.beat(period.unwrap_or_default()).await;
                    beat.set(due(period.and_then(|period| channel.next_beat(period))));
                    asked
                }
                () = &mut jump, if period.is_some() => {
                    jump.set(clock::jump());
                    let asked = channel.wake(period.unwrap_or_default()).await;
                    beat.set(due(period.and_then(|period| channel.next_beat(period))));
                    asked
                }
            };
        };
        self.shared.requests.set_online(false);
        // A relay that accepts and drops at once must not be dialled in a hot loop (C14).
        if since.elapsed() >= STABLE {
            self.backoff.reset();
        }
        Some(lost)
    }

    fn take(&mut self, arrival: Arrival) {
        let requests = &self.shared.requests;
        let answer = match arrival {
            Arrival::Accept(accept) => {
                self.announce(accept);
                None
            }
            Arrival::Request(request, body) => requests.start(request, body),
            Arrival::WithoutBody(request) => Some(requests.body_missing(&request)),
            Arrival::Malformed => {
                requests.malformed();
                None
            }
        };
        if let Some(answer) = answer {
            self.outgoing.push(answer);
        }
    }

    /// Sends the last answers before the channel is closed. Requests that are given up say so to their
    /// senders, which takes a moment.
    async fn last_answers(&mut self, channel: &mut ControlChannel) -> Result<()> {
        let requests = Arc::clone(&self.shared.requests);
        let mut over = std::pin::pin!(async {
            if requests.are_given_up() {
                drop(timeout(LAST_WORDS, requests.idle()).await);
            }
        });
        loop {
            self.outgoing.send(channel).await?;
            tokio::select! {
                biased;
                Some(answer) = self.outgoing.recv() => self.outgoing.push(answer),
                () = &mut over => break,
            }
        }
        // What is answered later finds no queue, and goes by a rendezvous.
        self.outgoing.close();
        self.outgoing.send(channel).await
    }

    fn announce(&mut self, accept: Accept) {
        if let Err(refused) = check_headers(&accept.connect_headers) {
            let shared = Arc::clone(&self.shared);
            shared.requests.bad_handshake(&accept, refused.reason);
            self.refusals.refuse(shared, accept.address, BAD);
            return;
        }
        let Some(number) = self.shared.pending.register(&accept.address) else {
            tracing::warn!(
                id = accept.id,
                "too many undecided accepts, sender rejected"
            );
            let shared = Arc::clone(&self.shared);
            self.refusals.refuse(shared, accept.address, BUSY);
            return;
        };
        let remote = accept.remote_endpoint.unwrap_or_default();
        (self.events)(ListenerEvent::Accept(AcceptRequest {
            accept: number,
            id: accept.id,
            address: accept.address,
            headers: accept.connect_headers.0,
            remote_address: remote.address,
            remote_port: remote.port,
        }));
    }

    /// Reports a failure and decides how long to wait; none means for ever.
    async fn pause(&mut self, error: Error) -> Option<Duration> {
        let has_source = matches!(self.options.token, TokenSource::Ask);
        let is_fatal = is_fatal(&error, self.was_online, has_source);
        let scheduled = self.backoff.next(fraction());
        let proposal = match judge(&error, self.was_online, has_source) {
            Verdict::Retry => Some(scheduled),
            Verdict::RetrySlowly => Some(SLOWLY.mul_f64(1.0 + fraction() / 10.0)),
            Verdict::Final => None,
        };
        let proposal = proposal.map(|pause| self.backoff.at_least(pause));
        let (attempt, error) = (self.attempt, Arc::new(error));
        let stays_down = self.shared.stays_down.load(Ordering::Relaxed);
        let delay = match (self.options.reconnect.policy, proposal) {
            (Policy::Never, _) | (_, None) => None,
            _ if stays_down => None,
            (Policy::Schedule, Some(proposal)) => Some(proposal),
            (Policy::Ask, Some(proposal)) => self.ask(proposal, &error).await,
        };
        let delay = delay.map(|delay| self.backoff.at_least(delay));
        tracing::info!(%error, ?delay, "offline");
        (self.events)(ListenerEvent::Offline {
            attempt,
            delay: delay.unwrap_or_default(),
            is_final: delay.is_none(),
            is_fatal,
            error,
        });
        delay
    }

    async fn ask(&self, proposal: Duration, error: &Arc<Error>) -> Option<Duration> {
        let (attempt, error) = (self.attempt, Arc::clone(error));
        let put = |request| {
            let delay = proposal;
            (self.events)(ListenerEvent::ReconnectDecision {
                request,
                attempt,
                delay,
                error,
            });
        };
        let answer = self.shared.decisions.ask(DECISION_TIMEOUT, put).await;
        answer.unwrap_or(Some(proposal))
    }
}

/// Reports the end when the task ends, however it ends.
struct Goodbye(Events);

impl Drop for Goodbye {
    fn drop(&mut self) {
        (self.0)(ListenerEvent::Closed);
    }
}

async fn closed(closing: &mut watch::Receiver<bool>) {
    // The sender lives in what the task shares with its handles, so there is no error to see.
    drop(closing.wait_for(|closing| *closing).await);
}

async fn renewed(tokens: Arc<TokenProvider>, token: Token) -> Result<Token> {
    tokens.renew(&token).await
}

/// Waits until then; none is never.
async fn due(at: Option<Instant>) {
    match at {
        Some(at) => sleep_until(at).await,
        None => std::future::pending().await,
    }
}

/// How long a channel must have been up for its loss to be answered at once.
const STABLE: Duration = Duration::from_secs(1);
/// The application may decide by asking somebody; after this the schedule decides.
const DECISION_TIMEOUT: Duration = Duration::from_secs(60);
/// The least pause after a panic of which nobody could be told.
const AFTER_PANIC: Duration = Duration::from_secs(1);
/// For an attempt after having been online, with its wait for a token.
const REOPEN_TIMEOUT: Duration = Duration::from_secs(20);
