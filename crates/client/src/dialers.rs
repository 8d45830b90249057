//! Sharing dialers between connections with equal TLS options.

use std::sync::{Mutex, PoisonError};

use crate::{dial::Dialer, error::Result, resolver::Resolver, trust::TlsOptions};

/// Dialers by their TLS options. Connections with equal options share one configuration, so that
/// certificates are parsed once and TLS sessions are resumed.
#[derive(Debug, Default)]
pub struct Dialers {
    /// The options used last stand at the end.
    known: Mutex<Vec<(TlsOptions, Dialer)>>,
    resolver: Resolver,
}

impl Dialers {
    /// The dialer for these options.
    pub fn get(&self, options: &TlsOptions) -> Result<Dialer> {
        let mut known = self.known.lock().unwrap_or_else(PoisonError::into_inner);
        let entry = match known.iter().position(|(existing, _)| existing == options) {
            Some(at) => known.remove(at),
            None => {
                let dialer = Dialer::sharing(options, self.resolver.clone())?;
                (options.clone(), dialer)
            }
        };
        let dialer = entry.1.clone();
        if known.len() == REMEMBERED_OPTIONS {
            known.remove(0);
        }
        known.push(entry);
        Ok(dialer)
    }
}

/// An application uses one or two sets of options; the bound is for one that makes them up.
const REMEMBERED_OPTIONS: usize = 16;

#[cfg(test)]
mod tests {
    use super::*;

    fn certificate() -> rcgen::CertifiedKey<rcgen::KeyPair> {
        rcgen::generate_simple_self_signed(vec!["localhost".to_owned()]).unwrap()
    }

    #[test]
    fn equal_options_share_one_configuration() {
        let dialers = Dialers::default();
        let options = TlsOptions {
            ca: vec![certificate().cert.pem()],
            ..TlsOptions::default()
        };
        let first = dialers.get(&options).unwrap();
        assert!(first.shares_sessions(&dialers.get(&options.clone()).unwrap()));
        assert!(!first.shares_sessions(&dialers.get(&TlsOptions::default()).unwrap()));
        for number in 0..REMEMBERED_OPTIONS {
            let servername = Some(format!("host{number}"));
            dialers
                .get(&TlsOptions {
                    servername,
                    ..TlsOptions::default()
                })
                .unwrap();
        }
        assert!(!first.shares_sessions(&dialers.get(&options).unwrap()));
    }
}
