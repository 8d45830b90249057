//! The local relay, on a thread of its own.

use std::{
    cell::RefCell,
    panic::{AssertUnwindSafe, catch_unwind},
    rc::Rc,
    sync::{Arc, OnceLock},
    thread::{self, JoinHandle},
    time::Duration,
};

use hyco_emulator::{
    Emulator, EmulatorOptions, Error, Event, Handle, HybridConnectionOptions, Rights, Rule, Timing,
    TlsOptions,
};
use napi::{
    Env, Status,
    bindgen_prelude::{Error as JsError, Function, Result},
    threadsafe_function::{ThreadsafeFunction, ThreadsafeFunctionCallMode},
};
use napi_derive::napi;
use serde_json::{Value, json};
use tokio::{
    runtime::Builder,
    sync::{
        broadcast::{self, error::RecvError},
        mpsc, oneshot,
    },
};

use crate::number::Whole;

/// What an emulator is to be; `lib/emulator/emulator.js` has the defaults. Times are in milliseconds.
#[napi(object, object_to_js = false)]
pub struct EmulatorSpec {
    /// The address to listen on.
    pub host: String,
    /// The port to listen on; 0 takes a free one.
    #[napi(ts_type = "number")]
    pub port: Whole<u16>,
    /// The port for TLS beside plain connections.
    #[napi(ts_type = "number | undefined")]
    pub tls_port: Option<Whole<u16>>,
    /// Whether any JSON Web Token for Azure Relay is taken.
    pub accept_jwt: bool,
    /// Whether other machines may use the administration.
    pub remote_admin: bool,
    /// Whether there is a page.
    pub ui: bool,
    /// The certificate; none for plain connections.
    pub tls: Option<EmulatorTlsSpec>,
    /// The hybrid connections that exist.
    pub hybrid_connections: Vec<HybridConnectionSpec>,
    /// The rules of the namespace; one is made if there are none.
    pub rules: Vec<RuleSpec>,
    /// Further names of the namespace.
    pub hosts: Vec<String>,
    /// Scheme, host and port in the addresses that listeners dial.
    pub public_url: Option<String>,
    /// How many listeners a hybrid connection may have.
    #[napi(ts_type = "number")]
    pub max_listeners: Whole<u64>,
    /// How many connections may be open.
    #[napi(ts_type = "number")]
    pub max_connections: Whole<u64>,
    /// The longest frame that is passed on whole; 0 cuts none.
    #[napi(ts_type = "number")]
    pub max_frame: Whole<u64>,
    /// How long after its end a token still opens a handshake, in seconds.
    #[napi(ts_type = "number")]
    pub clock_skew: Whole<u64>,
    /// How long a handshake may take.
    pub handshake_timeout: f64,
    /// How long a sender waits for a listener.
    pub accept_timeout: f64,
    /// How long a control channel may outlive its token.
    pub renewal_grace: f64,
    /// How long a control channel lives; 0 ends none.
    pub channel_lifetime: f64,
    /// The pause between two Pongs on a control channel.
    pub keep_alive_interval: f64,
    /// How long the second close frame may take.
    pub close_timeout: f64,
    /// How long a client may take nothing.
    pub send_timeout: f64,
    /// How long an HTTP request may wait for the head of its answer.
    pub response_timeout: f64,
    /// Whether an HTTP request keeps its `Host`.
    pub forward_host: bool,
    /// Whether the rendezvous of an HTTP request serves its sender's next one.
    pub reuse_rendezvous: bool,
}

/// A certificate and its key as PEM; neither makes one.
#[napi(object, object_to_js = false)]
pub struct EmulatorTlsSpec {
    /// The certificate with its chain.
    pub cert: Option<String>,
    /// The private key.
    pub key: Option<String>,
    /// Where the authority of certificates that are made is kept.
    pub folder: Option<String>,
}

/// A hybrid connection.
#[napi(object, object_to_js = false)]
pub struct HybridConnectionSpec {
    /// Its path.
    pub path: String,
    /// Whether senders need a token.
    pub requires_client_authorization: bool,
    /// Its own rules.
    pub rules: Vec<RuleSpec>,
}

/// A rule.
#[napi(object, object_to_js = false)]
pub struct RuleSpec {
    /// Its name.
    pub key_name: String,
    /// Its key.
    pub key: String,
    /// Its second key.
    pub secondary_key: Option<String>,
    /// Whether it grants Listen.
    pub listen: bool,
    /// Whether it grants Send.
    pub send: bool,
    /// Whether it grants Manage.
    pub manage: bool,
}

/// The answer to an operation.
#[napi(object, object_from_js = false)]
pub struct AdminAnswerObject {
    /// A status, as of HTTP.
    pub status: u16,
    /// Whether the body is JSON.
    pub json: bool,
    /// The body.
    pub body: String,
}

/// A local relay. It keeps the process alive until it is closed, and ends with its environment.
#[napi]
pub struct RelayEmulator {
    running: Rc<RefCell<Running>>,
    handle: Arc<OnceLock<Handle>>,
    subscribe: mpsc::UnboundedSender<broadcast::Receiver<Event>>,
}

/// Takes what happens in the relay, as JSON. It does not keep the process alive, and loses what does
/// not fit into its queue.
type Observer = ThreadsafeFunction<String, (), String, Status, false, true, MOST_QUEUED>;

/// Takes events as JSON: `started`, `failed` or `closed`.
type Listener = ThreadsafeFunction<String, (), String, Status, false>;

#[napi]
impl RelayEmulator {
    /// Starts an emulator. `onLife` gets `started` and later `closed`, or `failed` alone; `onEvent` what
    /// happens after `subscribe`.
    #[napi(constructor, catch_unwind)]
    pub fn new(
        env: Env,
        spec: EmulatorSpec,
        #[napi(ts_arg_type = "(event: string) => void")] on_life: Function<'_, String, ()>,
        #[napi(ts_arg_type = "(event: string) => void")] on_event: Function<'_, String, ()>,
    ) -> Result<Self> {
        let on_life: Listener = on_life.build_threadsafe_function().build()?;
        let on_event: Observer = on_event
            .build_threadsafe_function()
            .weak::<true>()
            .max_queue_size::<MOST_QUEUED>()
            .build()?;
        let handle = Arc::new(OnceLock::new());
        let (subscribe, subscribed) = mpsc::unbounded_channel();
        let known = Arc::clone(&handle);
        let (close, closing) = oneshot::channel();
        let (stop, stopped) = oneshot::channel();
        let thread = thread::Builder::new()
            .name("hyco-emulator".into())
            .spawn(move || {
                let ends = Ends {
                    closing,
                    stopped,
                    subscribed,
                };
                let run = AssertUnwindSafe(|| run(spec, ends, &known, &on_life, on_event));
                let event = catch_unwind(run).unwrap_or_else(|_| {
                    failure("HYCO_ERR_INTERNAL", "the emulator has failed".to_owned())
                });
                on_life.call(event.to_string(), ThreadsafeFunctionCallMode::NonBlocking);
            })
            .map_err(|error| JsError::from_reason(error.to_string()))?;
        let running = Rc::new(RefCell::new(Running {
            close: Some(close),
            stop: Some(stop),
            thread: Some(thread),
        }));
        // Added after the threadsafe function's own hook, so it runs before it: the thread never
        // calls a function that is gone.
        env.add_env_cleanup_hook(Rc::clone(&running), |running| running.borrow_mut().end())?;
        Ok(Self {
            running,
            handle,
            subscribe,
        })
    }

    /// Closes the emulator; `closed` tells when that is done.
    #[napi(catch_unwind)]
    pub fn close(&self) {
        self.running.borrow_mut().close.take();
    }

    /// Does what is asked for; `None` when the emulator does not run.
    #[napi(catch_unwind)]
    pub fn request(
        &self,
        method: String,
        target: String,
        body: String,
    ) -> Option<AdminAnswerObject> {
        let answer = self
            .handle
            .get()?
            .request(&method, &target, body.as_bytes())?;
        Some(AdminAnswerObject {
            status: answer.status,
            json: answer.content_type == "application/json",
            body: answer.body,
        })
    }

    /// Lets `onEvent` hear what happens from now on.
    #[napi(catch_unwind)]
    pub fn subscribe(&self) {
        if let Some(events) = self.handle.get().and_then(Handle::subscribe) {
            // An emulator that has ended has nothing to tell.
            let _ = self.subscribe.send(events);
        }
    }

    /// Gives back the thread after the last event. A thread that nobody joins keeps its stack.
    #[napi(catch_unwind)]
    pub fn release(&self) {
        self.running.borrow_mut().end();
    }
}

/// Runs the relay's program with its arguments, on a thread of its own; `onEnd` gets the exit code.
#[napi(catch_unwind)]
pub fn run_emulator_command(
    arguments: Vec<String>,
    #[napi(ts_arg_type = "(exitCode: number) => void")] on_end: Function<'_, u32, ()>,
) -> Result<()> {
    let on_end = on_end.build_threadsafe_function().build()?;
    thread::Builder::new()
        .name("hyco-relay".into())
        .spawn(move || {
            let run = AssertUnwindSafe(|| hyco_emulator::command::run(arguments));
            let code = catch_unwind(run).unwrap_or(1);
            on_end.call(u32::from(code), ThreadsafeFunctionCallMode::NonBlocking);
        })
        .map_err(|error| JsError::from_reason(error.to_string()))?;
    Ok(())
}

/// Dropping a sender gives its signal.
struct Running {
    close: Option<oneshot::Sender<()>>,
    stop: Option<oneshot::Sender<()>>,
    thread: Option<JoinHandle<()>>,
}

impl Running {
    /// Ends the emulator at once, without goodbyes, if it still runs.
    fn end(&mut self) {
        self.stop.take();
        if let Some(thread) = self.thread.take() {
            let _ = thread.join();
        }
    }
}

/// What a running emulator is told.
struct Ends {
    closing: oneshot::Receiver<()>,
    stopped: oneshot::Receiver<()>,
    subscribed: mpsc::UnboundedReceiver<broadcast::Receiver<Event>>,
}

/// Runs an emulator until it is told to end; gives the last event.
fn run(
    spec: EmulatorSpec,
    ends: Ends,
    known: &OnceLock<Handle>,
    on_life: &Listener,
    on_event: Observer,
) -> Value {
    let Ends {
        closing,
        stopped,
        mut subscribed,
    } = ends;
    let runtime = match Builder::new_current_thread().enable_all().build() {
        Ok(runtime) => runtime,
        Err(error) => return failure("HYCO_ERR_INTERNAL", error.to_string()),
    };
    let event = runtime.block_on(async {
        let relay = async {
            let emulator = match start(spec).await {
                Ok(emulator) => emulator,
                Err(error) => return failure(error.code(), error.to_string()),
            };
            let observing = tokio::spawn(async move {
                if let Some(events) = subscribed.recv().await {
                    observe(events, &on_event).await;
                }
            });
            let _ = known.set(emulator.handle());
            let event = started(&emulator).to_string();
            on_life.call(event, ThreadsafeFunctionCallMode::NonBlocking);
            let _ = closing.await;
            emulator.close().await;
            observing.abort();
            json!({ "type": "closed" })
        };
        tokio::select! {
            _ = stopped => json!({ "type": "closed" }),
            event = relay => event,
        }
    });
    // Not waiting for a name look-up that is under way: it has no end to speak of.
    runtime.shutdown_background();
    event
}

/// Tells what happens until the emulator ends.
async fn observe(mut events: broadcast::Receiver<Event>, on_event: &Observer) {
    let mut missed = 0;
    loop {
        let event = match events.recv().await {
            Ok(event) => event,
            Err(RecvError::Lagged(count)) => {
                missed += count;
                continue;
            }
            Err(RecvError::Closed) => return,
        };
        let call = |event: String| {
            on_event.call(event, ThreadsafeFunctionCallMode::NonBlocking) == Status::Ok
        };
        if missed > 0 && call(json!({ "type": "missed", "count": missed }).to_string()) {
            missed = 0;
        }
        let text = serde_json::to_string(&event).unwrap_or_default();
        missed += u64::from(!call(text));
    }
}

async fn start(spec: EmulatorSpec) -> std::result::Result<Emulator, Error> {
    let tls = spec.tls.map(|tls| match (tls.cert, tls.key, tls.folder) {
        (Some(certificate), Some(key), _) => TlsOptions::Given { certificate, key },
        (.., Some(folder)) => TlsOptions::Kept {
            folder: folder.into(),
        },
        _ => TlsOptions::Generated,
    });
    let connection = |connection: HybridConnectionSpec| {
        Ok(HybridConnectionOptions {
            path: connection.path,
            requires_client_authorization: connection.requires_client_authorization,
            rules: rules(connection.rules)?,
        })
    };
    Emulator::bind(EmulatorOptions {
        host: spec.host,
        port: spec.port.0,
        tls,
        tls_port: spec.tls_port.map(|port| port.0),
        accept_jwt: spec.accept_jwt,
        remote_admin: spec.remote_admin,
        page: spec.ui,
        hybrid_connections: spec
            .hybrid_connections
            .into_iter()
            .map(connection)
            .collect::<std::result::Result<_, Error>>()?,
        rules: rules(spec.rules)?,
        hosts: spec.hosts,
        public_url: spec.public_url,
        max_listeners: spec.max_listeners.0 as usize,
        max_connections: spec.max_connections.0 as usize,
        clock_skew: spec.clock_skew.0,
        max_frame: spec.max_frame.0,
        forward_host: spec.forward_host,
        reuse_rendezvous: spec.reuse_rendezvous,
        timing: Timing {
            handshake: milliseconds(spec.handshake_timeout),
            accept: milliseconds(spec.accept_timeout),
            renewal_grace: milliseconds(spec.renewal_grace),
            channel_life: milliseconds(spec.channel_lifetime),
            keep_alive: milliseconds(spec.keep_alive_interval),
            close: milliseconds(spec.close_timeout),
            send: milliseconds(spec.send_timeout),
            response: milliseconds(spec.response_timeout),
            ..Timing::default()
        },
    })
    .await
}

fn rules(specs: Vec<RuleSpec>) -> std::result::Result<Vec<Rule>, Error> {
    let rule = |spec: RuleSpec| {
        let rights = Rights {
            listen: spec.listen,
            send: spec.send,
            manage: spec.manage,
        };
        let rule = Rule::new(spec.key_name, spec.key, rights)?;
        match spec.secondary_key {
            Some(key) => rule.with_secondary_key(key),
            None => Ok(rule),
        }
    };
    let invalid = |error: hyco_protocol::Error| Error::InvalidOption {
        option: "rules",
        reason: error.to_string(),
    };
    specs
        .into_iter()
        .map(rule)
        .map(|made| made.map_err(invalid))
        .collect()
}

fn started(emulator: &Emulator) -> Value {
    let address = emulator.local_addr();
    json!({
        "type": "started",
        "address": {
            "address": address.ip().to_string(),
            "family": if address.is_ipv6() { "IPv6" } else { "IPv4" },
            "port": address.port(),
        },
        "namespace": emulator.namespace(),
        "tlsPort": emulator.tls_addr().map(|address| address.port()),
        "tlsNamespace": emulator.tls_namespace(),
        "tlsConnectionString": emulator.tls_connection_string(None),
        "connectionString": emulator.connection_string(None),
        "keyName": emulator.rule().name(),
        "key": emulator.rule().primary_key(),
        "certificate": emulator.certificate(),
    })
}

fn failure(code: &str, message: String) -> Value {
    json!({ "type": "failed", "error": { "code": code, "message": message } })
}

/// JavaScript's numbers include what no duration holds.
fn milliseconds(count: f64) -> Duration {
    Duration::try_from_secs_f64(count / 1000.0)
        .unwrap_or(Duration::MAX)
        .min(LONGEST)
}

/// How many events wait for a JavaScript thread that is busy.
const MOST_QUEUED: usize = 1024;
/// A year: longer than a process runs, and short enough to be added to any time.
const LONGEST: Duration = Duration::from_secs(365 * 24 * 60 * 60);
