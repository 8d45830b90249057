//! What the crates trace, as lines for whoever wants to read them.
//!
//! A thread that does [`Log::watch`] gives its events to the sink of that log. Nothing is built while the
//! log is off: an event then costs the look at a level.
#![forbid(unsafe_code)]

mod line;

use std::sync::{
    Arc,
    atomic::{AtomicU8, Ordering},
};

use tracing::{
    Dispatch, Event, Level, Metadata, Subscriber,
    dispatcher::{self, DefaultGuard},
    span::{Attributes, Id},
    subscriber::Interest,
};
use tracing_subscriber::{
    Layer,
    layer::{Context, SubscriberExt},
    registry::{LookupSpan, Registry},
};

use line::Fields;
pub use line::Line;

/// The program of the README.
#[cfg(doctest)]
#[doc = include_str!("../README.md")]
struct Readme;

/// A log: where events of the threads that watch for it go.
#[derive(Clone, Debug)]
pub struct Log {
    dispatch: Dispatch,
    level: LogLevel,
}

/// What a log is told to give; of all clones the same.
#[derive(Clone, Debug)]
pub struct LogLevel(Arc<AtomicU8>);

impl LogLevel {
    /// From now on lines of that level and of those above it are given to the sink; none means none.
    pub fn set(&self, level: Option<Level>) {
        self.0.store(level.map_or(OFF, severity), Ordering::Relaxed);
    }

    /// Whether lines of that level are given to the sink.
    #[must_use]
    pub fn takes(&self, level: Level) -> bool {
        severity(level) <= self.0.load(Ordering::Relaxed)
    }
}

impl Log {
    /// A log that is off; `sink` gets its lines, on the threads on which they arise.
    pub fn new(sink: impl Fn(Line) + Send + Sync + 'static) -> Self {
        let level = LogLevel(Arc::new(AtomicU8::new(OFF)));
        let layer = Lines {
            level: level.clone(),
            sink,
        };
        Self {
            dispatch: Dispatch::new(Registry::default().with(layer)),
            level,
        }
    }

    /// What it gives.
    #[must_use]
    pub fn level(&self) -> &LogLevel {
        &self.level
    }

    /// Takes the events of this thread until the guard is dropped.
    #[must_use]
    pub fn watch(&self) -> DefaultGuard {
        dispatcher::set_default(&self.dispatch)
    }

    /// Takes the events of a call, and lets the spans that it makes belong to this log.
    pub fn during<T>(&self, call: impl FnOnce() -> T) -> T {
        dispatcher::with_default(&self.dispatch, call)
    }
}

/// Makes lines of events.
struct Lines<F> {
    level: LogLevel,
    sink: F,
}

impl<S, F> Layer<S> for Lines<F>
where
    S: Subscriber + for<'a> LookupSpan<'a>,
    F: Fn(Line) + Send + Sync + 'static,
{
    fn register_callsite(&self, metadata: &'static Metadata<'static>) -> Interest {
        // The level may change at any time.
        match is_ours(metadata) {
            true => Interest::sometimes(),
            false => Interest::never(),
        }
    }

    fn enabled(&self, metadata: &Metadata<'_>, _: Context<'_, S>) -> bool {
        // Spans of what lives long are there before somebody wants to read.
        let lasts = metadata.is_span() && *metadata.level() <= Level::INFO;
        is_ours(metadata) && (lasts || self.level.takes(*metadata.level()))
    }

    fn on_new_span(&self, attributes: &Attributes<'_>, id: &Id, context: Context<'_, S>) {
        if let Some(span) = context.span(id) {
            let mut fields = Fields::default();
            attributes.record(&mut fields);
            span.extensions_mut().insert(fields);
        }
    }

    fn on_event(&self, event: &Event<'_>, context: Context<'_, S>) {
        let mut line = Line::new(event);
        for span in context.event_scope(event).into_iter().flatten() {
            if let Some(fields) = span.extensions().get::<Fields>() {
                line.add_span(span.name(), fields);
            }
        }
        (self.sink)(line);
    }
}

/// Other crates trace as well, by events that are made for those who work on them.
fn is_ours(metadata: &Metadata<'_>) -> bool {
    metadata.target().starts_with("hyco")
}

fn severity(level: Level) -> u8 {
    match level {
        Level::ERROR => 1,
        Level::WARN => 2,
        Level::INFO => 3,
        Level::DEBUG => 4,
        Level::TRACE => 5,
    }
}

const OFF: u8 = 0;

#[cfg(test)]
mod tests {
    use std::sync::Mutex;

    use tracing::{debug, info, info_span, warn};

    use super::*;

    fn log() -> (Log, Arc<Mutex<Vec<Line>>>) {
        let lines = Arc::new(Mutex::new(Vec::new()));
        let kept = Arc::clone(&lines);
        (Log::new(move |line| kept.lock().unwrap().push(line)), lines)
    }

    #[test]
    fn nothing_is_built_while_the_log_is_off() {
        let (log, lines) = log();
        let _watching = log.watch();
        let built = std::cell::Cell::new(0);
        let costly = || {
            built.set(built.get() + 1);
            "built"
        };
        warn!(value = costly(), "heard by nobody");
        assert_eq!(built.get(), 0);
        log.level().set(Some(Level::WARN));
        info!(value = costly(), "below the level");
        assert_eq!(built.get(), 0);
        warn!(value = costly(), "heard");
        assert_eq!(built.get(), 1);
        log.level().set(None);
        warn!("heard by nobody");
        assert_eq!(lines.lock().unwrap().len(), 1);
    }

    #[test]
    fn a_line_has_fields_and_the_spans_around_it() {
        let (log, lines) = log();
        let _watching = log.watch();
        // A listener is older than the wish to read of it.
        let span = info_span!("server", number = 7);
        let inner = span.in_scope(|| info_span!("listener", id = "abc"));
        log.level().set(Some(Level::DEBUG));
        let error = std::io::Error::other("gone");
        inner.in_scope(|| debug!(%error, attempt = 3, "address failed"));
        let json = serde_json::to_value(&lines.lock().unwrap()[0]).unwrap();
        assert_eq!(
            json,
            serde_json::json!({
                "level": "debug",
                "target": "hyco_log::tests",
                "message": "address failed",
                "fields": { "error": "gone", "attempt": "3" },
                "spans": { "listener.id": "abc", "server.number": "7" },
            })
        );
    }

    #[test]
    fn secrets_are_hidden() {
        let (log, lines) = log();
        let _watching = log.watch();
        log.level().set(Some(Level::TRACE));
        let address = "wss://ns/$hc/a?sb-hc-token=SharedAccessSignature%20sig%3Dsecret";
        warn!(address, "cannot dial {address}");
        let json = serde_json::to_string(&*lines.lock().unwrap()).unwrap();
        assert!(!json.contains("secret"), "{json}");
    }

    #[test]
    fn a_thread_that_does_not_watch_says_nothing() {
        let (log, lines) = log();
        log.level().set(Some(Level::TRACE));
        warn!("not for this log");
        log.during(|| warn!("for it"));
        let texts: Vec<String> = lines
            .lock()
            .unwrap()
            .iter()
            .map(|it| it.message.clone())
            .collect();
        assert_eq!(texts, ["for it"]);
    }
}
