//! The address of a relay, and what can be asked of it.

use std::{fmt, str::FromStr};

use url::Host;

use crate::{
    action::Action,
    encoding::{encode, encode_illegal, encode_path},
    error::Error,
    names::{self, HYBRID_SEGMENT},
    query,
    redact::redact,
    resource,
};

/// The scheme of an address. `sb` is another word for `wss`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Scheme {
    /// A WebSocket without TLS.
    Ws,
    /// A WebSocket over TLS.
    Wss,
    /// Service Bus: TLS, and the protocol as the context says.
    Sb,
    /// HTTP without TLS.
    Http,
    /// HTTP over TLS.
    Https,
}

impl Scheme {
    /// The scheme's name in a URI.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Ws => "ws",
            Self::Wss => "wss",
            Self::Sb => "sb",
            Self::Http => "http",
            Self::Https => "https",
        }
    }

    /// Whether it means TLS.
    pub fn is_secure(self) -> bool {
        matches!(self, Self::Wss | Self::Sb | Self::Https)
    }

    fn parse(name: &str) -> Option<Self> {
        [Self::Ws, Self::Wss, Self::Sb, Self::Http, Self::Https]
            .into_iter()
            .find(|scheme| scheme.as_str().eq_ignore_ascii_case(name))
    }
}

/// A relay URI, taken apart. What it does not have to change it keeps as it was written.
///
/// ```
/// use hyco_protocol::{Action, Address};
///
/// let address = Address::parse("sb://contoso.servicebus.windows.net/hyco?room=1")?
///     .for_websocket()
///     .ensure_action(Action::Connect)
///     .ensure_id("7c6ab5b0-5b6e-4d7c-8a63-0a6d3e6f5c11");
/// assert_eq!(
///     address.to_string(),
///     "wss://contoso.servicebus.windows.net/$hc/hyco?room=1\
///      &sb-hc-action=connect&sb-hc-id=7c6ab5b0-5b6e-4d7c-8a63-0a6d3e6f5c11",
/// );
/// # Ok::<(), hyco_protocol::Error>(())
/// ```
#[derive(Clone, PartialEq, Eq, Hash)]
pub struct Address {
    scheme: Scheme,
    host: String,
    port: Option<u16>,
    path: String,
    query: Option<String>,
}

impl Address {
    /// Reads an address. User info and fragment are dropped, characters that are illegal in a URI are
    /// percent-encoded, the host becomes lower case.
    pub fn parse(text: &str) -> Result<Self, Error> {
        let text = text.trim();
        let (scheme, rest) = text
            .split_once("://")
            .ok_or(Error::InvalidAddress("it has no scheme"))?;
        let scheme = Scheme::parse(scheme).ok_or(Error::InvalidAddress(
            "its scheme is none of ws, wss, sb, http, https",
        ))?;
        let rest = rest.split('#').next().unwrap_or_default();
        let end = rest.find(['/', '?']).unwrap_or(rest.len());
        let (authority, rest) = rest.split_at(end);
        let (host, port) = split_authority(authority)?;
        let (path, query) = match rest.split_once('?') {
            Some((path, query)) => (path, Some(encode_illegal(query).into_owned())),
            None => (rest, None),
        };
        let path = if path.is_empty() { "/" } else { path };
        Ok(Self {
            scheme,
            host,
            port,
            path: encode_illegal(path).into_owned(),
            query,
        })
    }

    /// The scheme as written.
    pub fn scheme(&self) -> Scheme {
        self.scheme
    }

    /// Whether to speak TLS.
    pub fn is_secure(&self) -> bool {
        self.scheme.is_secure()
    }

    /// The host: lower case, an IPv6 address in brackets.
    pub fn host(&self) -> &str {
        &self.host
    }

    /// The port to connect to.
    pub fn port(&self) -> u16 {
        let default = if self.is_secure() { 443 } else { 80 };
        self.port.unwrap_or(default)
    }

    /// The port if one is written.
    pub fn explicit_port(&self) -> Option<u16> {
        self.port
    }

    /// Host and port as written, which is what a `Host` header holds.
    pub fn authority(&self) -> String {
        match self.port {
            Some(port) => format!("{}:{port}", self.host),
            None => self.host.clone(),
        }
    }

    /// The path, percent-encoded, with `/$hc` if it is there.
    pub fn path(&self) -> &str {
        &self.path
    }

    /// The query without its `?`.
    pub fn query(&self) -> Option<&str> {
        self.query.as_deref()
    }

    /// The path of the hybrid connection (and suffix), percent-encoded, without `/$hc`.
    pub fn entity_path(&self) -> &str {
        strip_hybrid(&self.path).0
    }

    /// Path and query: what stands in the first line of an HTTP request.
    pub fn request_target(&self) -> String {
        match &self.query {
            Some(query) => format!("{}?{query}", self.path),
            None => self.path.clone(),
        }
    }

    /// The decoded value of a query parameter.
    pub fn parameter(&self, name: &str) -> Option<String> {
        query::parameter(self.query.as_deref()?, name)
    }

    /// The action asked for; none if the parameter is missing or empty.
    pub fn action(&self) -> Result<Option<Action>, Error> {
        match self.parameter(names::ACTION).as_deref() {
            None | Some("") => Ok(None),
            Some(word) => word.parse().map(Some),
        }
    }

    /// The tracking id, unless it is missing or empty.
    pub fn id(&self) -> Option<String> {
        self.parameter(names::ID).filter(|id| !id.is_empty())
    }

    /// The token in the query, unless it is missing or empty.
    pub fn token(&self) -> Option<String> {
        self.parameter(names::TOKEN)
            .filter(|token| !token.is_empty())
    }

    /// The audience for which a token of this address is to be signed (docs/protocol.md, 2.3).
    pub fn audience(&self) -> String {
        resource::canonical_of(&self.host, &self.path)
    }

    /// As a WebSocket address of the relay: scheme `ws` or `wss`, `/$hc` in front of the path.
    #[must_use]
    pub fn for_websocket(mut self) -> Self {
        self.scheme = if self.is_secure() {
            Scheme::Wss
        } else {
            Scheme::Ws
        };
        if !strip_hybrid(&self.path).1 {
            self.path = format!("/{HYBRID_SEGMENT}{}", self.path);
        }
        self
    }

    /// With the path of a hybrid connection, given as plain text, below the present path.
    #[must_use]
    pub fn join(mut self, path: &str) -> Self {
        let base = self.path.trim_end_matches('/');
        self.path = format!("{base}/{}", encode_path(path.trim_start_matches('/')));
        self
    }

    /// On another port.
    #[must_use]
    pub fn with_port(mut self, port: u16) -> Self {
        self.port = Some(port);
        self
    }

    /// Under another scheme.
    #[must_use]
    pub fn with_scheme(mut self, scheme: Scheme) -> Self {
        self.scheme = scheme;
        self
    }

    /// With that action, unless one is written already.
    #[must_use]
    pub fn ensure_action(self, action: Action) -> Self {
        self.ensure(names::ACTION, action.as_str())
    }

    /// With that tracking id, unless one is written already.
    #[must_use]
    pub fn ensure_id(self, id: &str) -> Self {
        self.ensure(names::ID, id)
    }

    /// With that tracking id in place of any other.
    #[must_use]
    pub fn with_id(mut self, id: &str) -> Self {
        self.query = Some(query::set(
            self.query().unwrap_or_default(),
            names::ID,
            &encode(id),
        ));
        self
    }

    /// With that token in the query, in place of any other.
    #[must_use]
    pub fn with_token(mut self, token: &str) -> Self {
        let query = self.query().unwrap_or_default();
        self.query = Some(query::set(query, names::TOKEN, &encode(token)));
        self
    }

    /// Without a token in the query.
    #[must_use]
    pub fn without_token(mut self) -> Self {
        self.query = self
            .query
            .map(|query| query::remove(&query, names::TOKEN))
            .filter(|query| !query.is_empty());
        self
    }

    /// Without a query.
    #[must_use]
    pub fn without_query(mut self) -> Self {
        self.query = None;
        self
    }

    fn ensure(mut self, name: &str, value: &str) -> Self {
        let mut query = self.query.unwrap_or_default();
        if query::raw_parameter(&query, name).is_none_or(str::is_empty) {
            query = query::remove(&query, name);
            query::push(&mut query, name, &encode(value));
        }
        self.query = Some(query);
        self
    }
}

impl FromStr for Address {
    type Err = Error;

    fn from_str(text: &str) -> Result<Self, Error> {
        Self::parse(text)
    }
}

impl fmt::Display for Address {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (scheme, authority) = (self.scheme.as_str(), self.authority());
        write!(f, "{scheme}://{authority}{}", self.request_target())
    }
}

impl fmt::Debug for Address {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Address({})", redact(&self.to_string()))
    }
}

/// Path, query and fragment of a URI; a text without scheme is that already.
pub(crate) fn origin_form(uri: &str) -> &str {
    match uri.split_once("://") {
        Some((scheme, rest)) if !scheme.contains(['/', '?', '#']) => {
            rest.find(['/', '?', '#']).map_or("", |at| &rest[at..])
        }
        _ => uri,
    }
}

/// Takes a leading `/$hc` segment, in any case, off a path; the rest starts with a slash.
pub(crate) fn strip_hybrid(path: &str) -> (&str, bool) {
    let after = path
        .strip_prefix('/')
        .and_then(|rest| rest.split_at_checked(HYBRID_SEGMENT.len()))
        .filter(|(segment, rest)| {
            segment.eq_ignore_ascii_case(HYBRID_SEGMENT)
                && (rest.is_empty() || rest.starts_with('/'))
        });
    match after {
        Some((_, "")) => ("/", true),
        Some((_, rest)) => (rest, true),
        None => (path, false),
    }
}

/// Host (checked, lower case) and port of an authority; user info is dropped.
pub(crate) fn split_authority(authority: &str) -> Result<(String, Option<u16>), Error> {
    let invalid = Error::InvalidAddress;
    let authority = authority
        .rsplit_once('@')
        .map_or(authority, |(_, host)| host);
    let (host, port) = match authority.rsplit_once(':') {
        Some((host, port)) if !port.contains(']') => (host, port),
        _ => (authority, ""),
    };
    let port = match port {
        "" => None,
        digits if !digits.bytes().all(|b| b.is_ascii_digit()) => {
            return Err(invalid("its port is not a number"));
        }
        digits => Some(
            digits
                .parse()
                .map_err(|_| invalid("its port is out of range"))?,
        ),
    };
    if host.is_empty() {
        return Err(invalid("it has no host"));
    }
    let host = Host::parse(host).map_err(|_| invalid("its host name is not valid"))?;
    Ok((host.to_string(), port))
}
