//! Making dialers that share what is scarce.

use crate::{dial::Dialer, error::Result, resolver::Resolver, trust::TlsOptions};

/// Makes dialers whose name look-ups share their threads. Connections of one dialer share its TLS
/// configuration, so that certificates are parsed once and sessions are resumed: keep it.
#[derive(Debug, Default)]
pub struct Dialers {
    resolver: Resolver,
}

impl Dialers {
    /// A dialer with these options. This parses every certificate.
    ///
    /// # Errors
    /// [`Error::InvalidTls`](crate::Error::InvalidTls) for options that cannot be used.
    pub fn make(&self, options: &TlsOptions) -> Result<Dialer> {
        Dialer::sharing(options, self.resolver.clone())
    }
}
