//! Where a relay may send a listener.
//!
//! Azure names another host for a rendezvous than that of the namespace, so the host may be any. But a
//! public relay has no reason to point to this machine, or to its neighbours of which only a cloud
//! knows, where a listener could be made to knock on doors that are closed to others.

use std::{
    net::{IpAddr, Ipv4Addr, Ipv6Addr},
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
};

/// Whether the relay of a listener is out there. Clones are the same one.
#[derive(Clone, Debug, Default)]
pub(crate) struct Reach(Arc<AtomicBool>);

impl Reach {
    /// The relay was met there.
    pub(crate) fn met(&self, host: &str, address: Option<IpAddr>) {
        let is_near = is_near_name(host) || address.is_some_and(is_near);
        self.0.store(!is_near, Ordering::Relaxed);
    }

    /// Whether addresses of this machine and its nearest neighbours are refused.
    pub(crate) fn is_public(&self) -> bool {
        self.0.load(Ordering::Relaxed)
    }
}

/// Whether a host is this machine or link-local by its very name.
pub(crate) fn is_near_name(host: &str) -> bool {
    let host = host.trim_end_matches('.');
    match host.parse::<IpAddr>() {
        Ok(address) => is_near(address),
        Err(_) => host == "localhost" || host.ends_with(".localhost"),
    }
}

/// Whether an address is of this machine or link-local, such as that at which clouds tell their secrets.
pub(crate) fn is_near(address: IpAddr) -> bool {
    match address.to_canonical() {
        IpAddr::V4(v4) => v4.is_loopback() || v4.is_link_local() || v4 == Ipv4Addr::UNSPECIFIED,
        IpAddr::V6(v6) => {
            v6.is_loopback() || v6.is_unicast_link_local() || v6 == Ipv6Addr::UNSPECIFIED
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn this_machine_and_link_local_addresses_are_near() {
        for host in [
            "localhost",
            "a.localhost.",
            "127.9.9.9",
            "169.254.169.254",
            "0.0.0.0",
            "::1",
            "::",
            "fe80::1",
            "::ffff:127.0.0.1",
        ] {
            assert!(is_near_name(host), "{host}");
        }
        for host in ["10.0.0.1", "example.org", "notlocalhost", "2001:db8::1"] {
            assert!(!is_near_name(host), "{host}");
        }
    }

    #[test]
    fn a_relay_is_as_near_as_where_it_was_met() {
        let reach = Reach::default();
        assert!(!reach.is_public());
        reach.met("ns.servicebus.windows.net", "203.0.113.7".parse().ok());
        assert!(reach.is_public());
        // A name of this machine's own.
        reach.met("relay.test", "127.0.0.1".parse().ok());
        assert!(!reach.is_public());
        reach.met("localhost", None);
        assert!(!reach.is_public());
    }
}
