//! The data plane of one environment: its I/O thread, its connections, and the memory they share
//! with JavaScript.
//!
//! | way | how |
//! |---|---|
//! | to JavaScript | the I/O thread parses into slabs and queues records; one wake delivers them all |
//! | from JavaScript | small frames lie in a ring, read once a microtask or after a delivery; large ones cross alone |
//!
//! Nothing here is global to the process: worker threads have hubs of their own, and a hub ends
//! with its environment.

pub mod connect;
pub mod control;
mod delivery;
mod event_loop;
mod function;
mod handle;
pub mod http;
mod lender;
mod lending;
pub mod listen;
pub(crate) mod log;
mod sending;
mod values;

use std::{cell::RefCell, ffi::c_void, ptr, rc::Rc, sync::Arc};

use hyco_client::connection::Connection;
use hyco_hub::{Errands, Exchanges, Homes, HubInbox, IoThread, KeepAlive};
use hyco_log::Log;
use napi::{
    Env, JsValue,
    bindgen_prelude::{
        Buffer, Error, FromNapiValue, Function, Object, ObjectFinalize, Result, Uint32Array,
        Unknown,
    },
    sys,
};
use napi_derive::napi;

use crate::number::Whole;

use self::{
    control::Control,
    delivery::{Given, JsSide},
    event_loop::EventLoop,
    handle::JsHandle,
    lending::{Lending, check},
    sending::Outgoing,
};

/// The native half of `lib/hub/hub.js`.
#[napi(custom_finalize)]
pub struct Hub {
    side: Rc<JsSide>,
    running: Rc<RefCell<Option<Running>>>,
}

/// Memory of JavaScript's that the native side reads and writes.
#[napi(object, object_to_js = false)]
pub struct HubMemory {
    /// Records, in words.
    pub table: Uint32Array,
    /// Acknowledgements, in pairs of words.
    pub results: Uint32Array,
    /// Frames to be sent.
    pub ring: Buffer,
    /// The bytes of small messages.
    pub stage: Buffer,
}

/// What the runtime allows, and is asked for.
#[napi(object, object_to_js = false)]
pub struct HubPolicy {
    /// JavaScript may see memory that it does not own. Else it gets copies of what was received, as
    /// it does where such memory is forbidden.
    pub share: bool,
    /// When the environment ends, the runtime releases memory which may have been moved to another.
    pub releases_all: bool,
    /// Where sockets live ([`Homes`]); all but `thread` need the functions of libuv.
    pub homes: String,
}

/// What ends with the environment.
struct Running {
    side: Rc<JsSide>,
    inbox: Arc<HubInbox>,
    errands: Arc<Errands>,
    keep_alive: Arc<KeepAlive>,
    exchanges: Arc<Exchanges>,
    control: Control,
    log: Log,
    io: IoThread,
}

#[napi]
impl Hub {
    /// Starts the I/O thread of this environment.
    ///
    /// `table` receives records and `results` acknowledgements, in 32-bit words; `stage` receives
    /// the bytes of small messages; `ring` holds the frames to be flushed. `deliver(count, lent,
    /// large, events)` is called with records in the table and returns how many of them it has read;
    /// or it is called with -1, to call `deliver` here later. What its listeners sent lies in the ring
    /// when it returns, and the first word of `results` says how many bytes that is: it is flushed then,
    /// and where frames are acknowledged at once, `deliver` is called with less than -1: with -2 for one
    /// pair in `results`, with -3 for two. It is referred to weakly until `root`.
    /// `resource` is shown to those who look for what keeps a process; its `hasRef` answers them.
    /// `transfer` is `ArrayBuffer.prototype.transfer`, where there is one.
    #[napi(constructor, catch_unwind)]
    pub fn new(
        env: Env,
        memory: HubMemory,
        #[napi(
            ts_arg_type = "(count: number, lent?: ArrayBuffer[], large?: ArrayBuffer[], events?: string[]) => number"
        )]
        deliver: Function<'_, (), ()>,
        resource: Object<'_>,
        policy: HubPolicy,
        #[napi(ts_arg_type = "Function")] transfer: Option<Function<'_, (), ()>>,
    ) -> Result<Self> {
        let HubMemory {
            table,
            results,
            ring,
            stage,
        } = memory;
        let HubPolicy {
            share,
            releases_all,
            homes,
        } = policy;
        let homes: Homes = homes.parse().map_err(|()| {
            let text = "HYCO_RS_HOMES must be 'thread', 'loop', 'rule' or 'roam'";
            Error::from_reason(format!("{text}, not '{homes}'"))
        })?;
        let inbox = HubInbox::with_homes(homes);
        let turning = Arc::clone(&inbox);
        let log = log::of_hub(&inbox);
        let io = IoThread::start(log.clone(), move || turning.turns.end_turn())
            .map_err(|e| Error::from_reason(e.to_string()))?;
        let errands = Arc::new(Errands::default());
        io.handle()
            .spawn(Arc::clone(&errands).attend(Arc::clone(&inbox)));
        let keep_alive = Arc::new(KeepAlive::default());
        io.handle()
            .spawn(Arc::clone(&keep_alive).attend(Arc::clone(&inbox)));
        let exchanges = Arc::new(Exchanges::default());
        io.handle().spawn(Arc::clone(&exchanges).attend());
        #[expect(unsafe_code, reason = "Node-API calls")]
        // SAFETY: on the JavaScript thread of `env`.
        let side = unsafe {
            let transfer = match transfer {
                Some(transfer) => reference(env.raw(), transfer.raw(), 1)?,
                None => ptr::null_mut(),
            };
            let callback = reference(env.raw(), deliver.raw(), 0)?;
            let lending = Lending::new(env.raw(), transfer, releases_all);
            let given = Given {
                table,
                stage,
                callback,
                outgoing: Outgoing::new(ring, results, Arc::clone(&errands)),
            };
            let side = JsSide::open(
                env.raw(),
                resource.raw(),
                Arc::clone(&inbox),
                given,
                lending,
                share,
            )?;
            if homes != Homes::Thread {
                let (env, resource) = (env.raw(), resource.raw());
                let opened = EventLoop::open(env, homes, &inbox, &errands, &side, resource)?;
                if let Some(event_loop) = opened {
                    let _ = side.event_loop.set(event_loop);
                }
            }
            side
        };
        let running = Running {
            side: Rc::clone(&side),
            inbox,
            errands,
            keep_alive,
            exchanges,
            control: Control::default(),
            log,
            io,
        };
        let running = Rc::new(RefCell::new(Some(running)));
        let end = Rc::into_raw(Rc::clone(&running))
            .cast_mut()
            .cast::<c_void>();
        #[expect(unsafe_code, reason = "Node-API call")]
        // SAFETY: the hook gives the count back, once. It was added after the threadsafe
        // function's own hook and so runs before it: nothing calls a released function.
        check(unsafe { sys::napi_add_env_cleanup_hook(env.raw(), Some(end_hub), end) })?;
        Ok(Self { side, running })
    }

    /// Keeps the hub of JavaScript alive, or lets it be collected when nothing refers to it. It is
    /// kept while something is open.
    #[napi(catch_unwind)]
    pub fn root(&self, env: Env, root: bool) -> Result<()> {
        self.side.root(env.raw(), root)
    }

    /// Keeps the process alive, or lets it go.
    #[napi(catch_unwind)]
    pub fn hold(&self, env: Env, hold: bool) {
        self.side.hold(env.raw(), hold);
    }

    /// Delivers what waits.
    #[napi(catch_unwind)]
    pub fn deliver(&self, env: Env) {
        #[expect(unsafe_code, reason = "Node-API calls")]
        // SAFETY: called from JavaScript, which has a handle scope open.
        unsafe {
            self.side.deliver(env.raw());
        }
    }

    /// A copy of a message that a row of the table describes, whose memory was moved away.
    #[napi(catch_unwind, ts_return_type = "ArrayBuffer")]
    pub fn copy(
        &self,
        env: Env,
        #[napi(ts_arg_type = "number")] row: Whole<u32>,
    ) -> Result<Unknown<'_>> {
        let copy = self.side.copy(env.raw(), row.0)?;
        #[expect(unsafe_code, reason = "wraps a value of this call")]
        // SAFETY: the value lives in the handle scope of this call.
        unsafe {
            Unknown::from_napi_value(env.raw(), copy)
        }
    }

    /// How many connections live on the event loop.
    #[napi(catch_unwind)]
    pub fn on_loop(&self) -> u32 {
        self.side
            .event_loop
            .get()
            .map_or(0, |event_loop| event_loop.count())
    }

    /// Bytes that a connection has not yet handed to the operating system.
    #[napi(catch_unwind)]
    pub fn buffered(&self, #[napi(ts_arg_type = "number")] handle: JsHandle) -> f64 {
        self.side
            .with(handle.into(), Connection::buffered)
            .unwrap_or(0) as f64
    }

    /// Stops reading from a connection, or goes on.
    #[napi(catch_unwind)]
    pub fn pause(&self, #[napi(ts_arg_type = "number")] handle: JsHandle, pause: bool) {
        self.side.with(handle.into(), |connection| {
            if pause {
                connection.pause()
            } else {
                connection.resume()
            }
        });
        self.give_errand();
    }

    /// Shuts the sending side of a connection after what is queued.
    #[napi(catch_unwind)]
    pub fn end(&self, #[napi(ts_arg_type = "number")] handle: JsHandle) {
        self.side.with(handle.into(), Connection::end);
        self.give_errand();
    }

    /// Drops a connection and what it has queued.
    #[napi(catch_unwind)]
    pub fn destroy(&self, #[napi(ts_arg_type = "number")] handle: JsHandle) {
        self.side.with(handle.into(), Connection::destroy);
        self.give_errand();
    }

    /// Forgets a connection that was reported closed: its number may be used again.
    #[napi(catch_unwind)]
    pub fn forget(&self, #[napi(ts_arg_type = "number")] handle: JsHandle) {
        self.side.links.borrow_mut().forget(handle.into());
    }
}

impl Hub {
    /// Lets the I/O thread and the loop see at once that they have something to do.
    fn give_errand(&self) {
        self.side.attend();
        self.side.give_errand();
    }
}

/// A reference with that count; a weak one with 0.
#[expect(unsafe_code, reason = "Node-API call")]
unsafe fn reference(
    env: sys::napi_env,
    value: sys::napi_value,
    count: u32,
) -> Result<sys::napi_ref> {
    let mut reference = ptr::null_mut();
    // SAFETY: the caller is on the JavaScript thread of `env`.
    check(unsafe { sys::napi_create_reference(env, value, count, &mut reference) })?;
    Ok(reference)
}

impl ObjectFinalize for Hub {
    /// Ends a hub that was collected, which is one of a package that was loaded again: nothing is
    /// open in it. One whose environment ends has ended before.
    fn finalize(self, env: Env) -> Result<()> {
        let Some(running) = self.running.take() else {
            return Ok(());
        };
        let hook = Rc::as_ptr(&self.running).cast_mut().cast::<c_void>();
        #[expect(unsafe_code, reason = "Node-API calls")]
        // SAFETY: on the JavaScript thread of `env`. The hook has not run, and gives its count back
        // here instead.
        unsafe {
            check(sys::napi_remove_env_cleanup_hook(
                env.raw(),
                Some(end_hub),
                hook,
            ))?;
            drop(Rc::from_raw(hook.cast::<RefCell<Option<Running>>>()));
            if let Some(event_loop) = self.side.event_loop.get() {
                event_loop.close();
            }
            let function = running.side.revoke();
            // Joins the I/O thread: nobody calls the function any more.
            drop(running);
            function.release();
            self.side.close(env.raw());
        }
        Ok(())
    }
}

#[expect(unsafe_code, reason = "called by Node-API")]
unsafe extern "C" fn end_hub(running: *mut c_void) {
    // SAFETY: gives back the count that the constructor leaked, once.
    let running = unsafe { Rc::from_raw(running.cast::<RefCell<Option<Running>>>()) };
    let Some(running) = running.take() else {
        return;
    };
    let _ = running.side.revoke();
    // Dropping it joins the I/O thread, which never waits for JavaScript.
    let inbox = Arc::clone(&running.inbox);
    drop(running);
    inbox.clear();
}
