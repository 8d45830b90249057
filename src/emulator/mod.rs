//! The local relay, on a thread of its own.

pub mod spec;

use std::{
    cell::RefCell,
    panic::{AssertUnwindSafe, catch_unwind},
    rc::Rc,
    sync::{Arc, OnceLock},
    thread::{self, JoinHandle},
};

use hyco_emulator::{Emulator, Event, Handle};
use hyco_log::{Log, LogLevel};
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

use spec::{EmulatorSpec, start};
use tracing::Level;

use crate::hub::log::to_json;

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
    level: LogLevel,
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
        let on_event: Arc<Observer> = on_event
            .build_threadsafe_function()
            .weak::<true>()
            .max_queue_size::<MOST_QUEUED>()
            .build()?
            .into();
        let logger = Arc::clone(&on_event);
        let log = Log::new(move |line| {
            // What does not fit into the queue is lost.
            logger.call(to_json(&line), ThreadsafeFunctionCallMode::NonBlocking);
        });
        let level = log.level().clone();
        let handle = Arc::new(OnceLock::new());
        let (subscribe, subscribed) = mpsc::unbounded_channel();
        let known = Arc::clone(&handle);
        let (close, closing) = oneshot::channel();
        let (stop, stopped) = oneshot::channel();
        let thread = thread::Builder::new()
            .name("hyco-emulator".into())
            .spawn(move || {
                let _telling = log.watch();
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
            level,
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

    /// Whether `onEvent` hears `log` events, too.
    #[napi(catch_unwind)]
    pub fn set_logging(&self, on: bool) {
        self.level.set(on.then_some(Level::DEBUG));
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
    on_event: Arc<Observer>,
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

/// How many events wait for a JavaScript thread that is busy.
const MOST_QUEUED: usize = 1024;
