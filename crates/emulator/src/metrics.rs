//! What is counted, and how Prometheus reads it.

use std::{
    collections::BTreeMap,
    fmt::Write as _,
    sync::{
        Mutex, PoisonError,
        atomic::{AtomicU64, Ordering},
    },
};

use crate::{bridges::Span, events::Traffic, relay::Relay};

/// What is counted from the start.
#[derive(Default)]
pub(crate) struct Metrics {
    /// By action and status.
    answers: Mutex<BTreeMap<(&'static str, u16), u64>>,
    connections: AtomicU64,
    to_listener: [AtomicU64; 2],
    to_sender: [AtomicU64; 2],
    /// Bytes of the bodies of HTTP requests, and of their answers.
    http: [AtomicU64; 2],
}

impl Metrics {
    /// A request was answered.
    pub(crate) fn answered(&self, action: &'static str, status: u16) {
        let mut answers = self.answers.lock().unwrap_or_else(PoisonError::into_inner);
        *answers.entry((action, status)).or_default() += 1;
    }

    /// A relayed connection has ended.
    pub(crate) fn ended(&self, span: &Span) {
        self.connections.fetch_add(1, Ordering::Relaxed);
        add(&self.to_listener, span.to_listener.traffic());
        add(&self.to_sender, span.to_sender.traffic());
    }

    /// An HTTP request that a listener was told of has ended.
    pub(crate) fn request_ended(&self, to_listener: u64, to_sender: u64) {
        self.http[0].fetch_add(to_listener, Ordering::Relaxed);
        self.http[1].fetch_add(to_sender, Ordering::Relaxed);
    }
}

fn add(total: &[AtomicU64; 2], traffic: Traffic) {
    total[0].fetch_add(traffic.messages, Ordering::Relaxed);
    total[1].fetch_add(traffic.bytes, Ordering::Relaxed);
}

/// The numbers, in Prometheus' text format.
pub(crate) fn prometheus(relay: &Relay) -> String {
    let metrics = &relay.metrics;
    let spans = relay.bridges.list();
    let mut text = String::new();
    let mut one = |name: &str, kind: &str, help: &str, lines: &[(String, u64)]| {
        // Writing into a String cannot fail.
        let _ = writeln!(text, "# HELP {name} {help}\n# TYPE {name} {kind}");
        for (labels, value) in lines {
            let _ = writeln!(text, "{name}{labels} {value}");
        }
    };
    let plain = |value: u64| vec![(String::new(), value)];
    let connections = relay.hybrid_connections();
    let listeners: Vec<_> = connections
        .iter()
        .map(|connection| {
            let path = escaped(&connection.path);
            let labels = format!("{{hybrid_connection=\"{path}\"}}");
            (labels, connection.listeners().len() as u64)
        })
        .collect();
    one(
        "hyco_relay_listeners",
        "gauge",
        "Listeners whose control channel is up.",
        &listeners,
    );
    one(
        "hyco_relay_pending_senders",
        "gauge",
        "Senders that wait for a listener.",
        &plain(relay.pending.count() as u64),
    );
    one(
        "hyco_relay_connections",
        "gauge",
        "Relayed connections that are open.",
        &plain(spans.len() as u64),
    );
    let requests = relay.requests.list();
    one(
        "hyco_relay_http_requests",
        "gauge",
        "HTTP requests that have not ended.",
        &plain(requests.len() as u64),
    );
    let ended = metrics.connections.load(Ordering::Relaxed);
    one(
        "hyco_relay_connections_total",
        "counter",
        "Relayed connections since the start.",
        &plain(ended + spans.len() as u64),
    );
    let answers = metrics
        .answers
        .lock()
        .unwrap_or_else(PoisonError::into_inner)
        .iter()
        .map(|((action, status), count)| {
            (
                format!("{{action=\"{action}\",status=\"{status}\"}}"),
                *count,
            )
        })
        .collect::<Vec<_>>();
    one(
        "hyco_relay_requests_total",
        "counter",
        "Requests, by action and status of the answer.",
        &answers,
    );
    let mut open = [[0u64; 2]; 2];
    for span in &spans {
        for (sum, traffic) in open
            .iter_mut()
            .zip([span.to_listener.traffic(), span.to_sender.traffic()])
        {
            sum[0] += traffic.messages;
            sum[1] += traffic.bytes;
        }
    }
    for (index, name, help) in [
        (0, "hyco_relay_messages_total", "Messages relayed."),
        (1, "hyco_relay_bytes_total", "Bytes of payload relayed."),
    ] {
        let lines = [
            ("listener", &metrics.to_listener[index], open[0][index]),
            ("sender", &metrics.to_sender[index], open[1][index]),
        ]
        .map(|(to, ended, open)| {
            (
                format!("{{to=\"{to}\"}}"),
                ended.load(Ordering::Relaxed) + open,
            )
        });
        one(name, "counter", help, &lines);
    }
    let bodies = requests
        .iter()
        .map(|request| request.bytes())
        .fold((0, 0), |(listener, sender), (to_listener, to_sender)| {
            (listener + to_listener, sender + to_sender)
        });
    let lines = [("listener", 0, bodies.0), ("sender", 1, bodies.1)].map(|(to, index, open)| {
        let ended = metrics.http[index].load(Ordering::Relaxed);
        (format!("{{to=\"{to}\"}}"), ended + open)
    });
    one(
        "hyco_relay_http_bytes_total",
        "counter",
        "Bytes of the bodies of HTTP requests and of their answers.",
        &lines,
    );
    text
}

/// A value of a label.
fn escaped(text: &str) -> String {
    text.replace('\\', "\\\\")
        .replace('"', "\\\"")
        .replace('\n', "\\n")
}
