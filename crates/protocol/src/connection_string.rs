//! Connection strings: `Endpoint=sb://…;SharedAccessKeyName=…;SharedAccessKey=…;EntityPath=…`.
//!
//! The grammar is that of docs/protocol.md, 6.2: parts between semicolons, each split at its first `=`,
//! keys in any case. This parser also takes blanks around keys and values, more schemes, and
//! `UseDevelopmentEmulator=true`; keys it does not know it reports instead of failing.

use std::{fmt, str::FromStr, time::Duration};

use crate::{
    address::{Address, Scheme},
    error::Error,
    names::EMULATOR_PORT,
    token::{Kind, check_rule},
};

/// Who a client says it is.
#[derive(Clone, PartialEq, Eq)]
pub enum Credential {
    /// Nobody: enough for a sender where senders may be anonymous.
    None,
    /// The holder of a rule's key.
    Key {
        /// The rule's name.
        name: String,
        /// Its key.
        key: String,
    },
    /// The holder of a token made elsewhere.
    Token(String),
    /// An identity that the named mechanism knows, such as `Managed Identity`.
    Identity(String),
}

impl fmt::Debug for Credential {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::None => f.write_str("None"),
            Self::Key { name, .. } => write!(f, "Key {{ name: {name:?}, key: *** }}"),
            Self::Token(_) => f.write_str("Token(***)"),
            Self::Identity(mechanism) => write!(f, "Identity({mechanism:?})"),
        }
    }
}

/// A connection string, taken apart.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ConnectionString {
    endpoint: Address,
    entity_path: Option<String>,
    credential: Credential,
    operation_timeout: Option<Duration>,
    development_emulator: bool,
    unknown_keys: Vec<String>,
}

impl ConnectionString {
    /// Reads a connection string.
    pub fn parse(text: &str) -> Result<Self, Error> {
        let mut parts = Parts::default();
        for part in text
            .split(';')
            .map(str::trim)
            .filter(|part| !part.is_empty())
        {
            parts.add(part)?;
        }
        parts.finish()
    }

    /// The namespace's address as written.
    pub fn endpoint(&self) -> &Address {
        &self.endpoint
    }

    /// The path of the hybrid connection, as plain text.
    pub fn entity_path(&self) -> Option<&str> {
        self.entity_path.as_deref()
    }

    /// Who the client says it is.
    pub fn credential(&self) -> &Credential {
        &self.credential
    }

    /// How long opening may take; none if the string does not say.
    pub fn operation_timeout(&self) -> Option<Duration> {
        self.operation_timeout
    }

    /// Whether the string is meant for the emulator.
    pub fn development_emulator(&self) -> bool {
        self.development_emulator
    }

    /// The keys that mean nothing here, as written; worth a warning.
    pub fn unknown_keys(&self) -> &[String] {
        &self.unknown_keys
    }

    /// The WebSocket address of the hybrid connection, still without an action.
    ///
    /// `EntityPath` or `path` names it. If both are there, `path` has to be `EntityPath`, or to begin with
    /// it and a slash: a sender may address what is below. For the emulator, `sb` means `ws`, and the port
    /// is [`EMULATOR_PORT`] unless one is written.
    pub fn address(&self, path: Option<&str>) -> Result<Address, Error> {
        let path = match (self.entity_path(), path) {
            (Some(path), None) | (None, Some(path)) => path,
            (Some(entity), Some(path)) if is_below(path, entity) => path,
            (Some(entity), Some(_)) => {
                return Err(invalid(format!(
                    "EntityPath is '{entity}', so a path beside it has to be or to begin with '{entity}'"
                )));
            }
            (None, None) => return Err(invalid("EntityPath is missing, and no path is given")),
        };
        let mut address = self.endpoint.clone().without_query();
        if self.development_emulator {
            if address.scheme() == Scheme::Sb {
                address = address.with_scheme(Scheme::Ws);
            }
            if address.explicit_port().is_none() {
                address = address.with_port(EMULATOR_PORT);
            }
        }
        Ok(address.join(path).for_websocket())
    }
}

/// Whether a path is that of a hybrid connection, or below it.
fn is_below(path: &str, entity: &str) -> bool {
    let rest = path.trim_start_matches('/').strip_prefix(entity);
    rest.is_some_and(|rest| rest.is_empty() || rest.starts_with('/'))
}

impl FromStr for ConnectionString {
    type Err = Error;

    fn from_str(text: &str) -> Result<Self, Error> {
        Self::parse(text)
    }
}

/// Writes the string with its secrets; unknown keys are left out.
impl fmt::Display for ConnectionString {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Endpoint={}", self.endpoint)?;
        match &self.credential {
            Credential::None => {}
            Credential::Key { name, key } => {
                write!(f, ";SharedAccessKeyName={name};SharedAccessKey={key}")?;
            }
            Credential::Token(token) => write!(f, ";SharedAccessSignature={token}")?,
            Credential::Identity(mechanism) => write!(f, ";Authentication={mechanism}")?,
        }
        if let Some(path) = &self.entity_path {
            write!(f, ";EntityPath={path}")?;
        }
        if let Some(timeout) = self.operation_timeout {
            write!(f, ";OperationTimeout={}", time_span(timeout))?;
        }
        if self.development_emulator {
            f.write_str(";UseDevelopmentEmulator=true")?;
        }
        Ok(())
    }
}

/// What has been read so far.
#[derive(Default)]
struct Parts {
    endpoint: Option<String>,
    entity_path: Option<String>,
    key_name: Option<String>,
    key: Option<String>,
    signature: Option<String>,
    operation_timeout: Option<String>,
    authentication: Option<String>,
    development_emulator: Option<String>,
    unknown_keys: Vec<String>,
}

impl Parts {
    fn add(&mut self, part: &str) -> Result<(), Error> {
        let (key, value) = part
            .split_once('=')
            .ok_or_else(|| invalid("a part between semicolons has no '='"))?;
        let (key, value) = (key.trim(), value.trim());
        let place = match key.to_ascii_lowercase().as_str() {
            "endpoint" => &mut self.endpoint,
            "entitypath" => &mut self.entity_path,
            "sharedaccesskeyname" => &mut self.key_name,
            "sharedaccesskey" => &mut self.key,
            "sharedaccesssignature" => &mut self.signature,
            "operationtimeout" => &mut self.operation_timeout,
            "authentication" => &mut self.authentication,
            "usedevelopmentemulator" => &mut self.development_emulator,
            _ => {
                self.unknown_keys.push(key.to_owned());
                return Ok(());
            }
        };
        match place.replace(value.to_owned()) {
            None => Ok(()),
            Some(_) => Err(invalid(format!("{key} stands there twice"))),
        }
    }

    fn finish(self) -> Result<ConnectionString, Error> {
        let endpoint = self.endpoint.as_deref().filter(|text| !text.is_empty());
        let endpoint = endpoint.ok_or_else(|| invalid("Endpoint is missing"))?;
        let endpoint =
            Address::parse(endpoint).map_err(|error| invalid(format!("Endpoint: {error}")))?;
        let entity_path = match self
            .entity_path
            .as_deref()
            .map(|path| path.trim_matches('/'))
        {
            Some("") => return Err(invalid("EntityPath is empty")),
            path => path.map(str::to_owned),
        };
        let operation_timeout = match self.operation_timeout.as_deref() {
            Some(text) => Some(duration(text).ok_or_else(|| {
                invalid("OperationTimeout is neither hh:mm:ss nor seconds above zero")
            })?),
            None => None,
        };
        let development_emulator = match self
            .development_emulator
            .as_deref()
            .map(str::to_ascii_lowercase)
            .as_deref()
        {
            None | Some("false") => false,
            Some("true") => true,
            Some(_) => return Err(invalid("UseDevelopmentEmulator is neither true nor false")),
        };
        let credential = credential(self.key_name, self.key, self.signature, self.authentication)?;
        Ok(ConnectionString {
            endpoint,
            entity_path,
            credential,
            operation_timeout,
            development_emulator,
            unknown_keys: self.unknown_keys,
        })
    }
}

fn credential(
    name: Option<String>,
    key: Option<String>,
    signature: Option<String>,
    authentication: Option<String>,
) -> Result<Credential, Error> {
    let by_key = match (name, key) {
        (Some(name), Some(key)) => Some((name, key)),
        (None, None) => None,
        _ => {
            return Err(invalid(
                "SharedAccessKeyName and SharedAccessKey go together",
            ));
        }
    };
    match (by_key, signature, authentication) {
        (None, None, None) => Ok(Credential::None),
        (Some((name, key)), None, None) => {
            check_rule(&name, key.as_bytes()).map_err(|error| invalid(error.to_string()))?;
            Ok(Credential::Key { name, key })
        }
        (None, Some(token), None) if Kind::of(&token) == Kind::Sas => Ok(Credential::Token(token)),
        (None, Some(_), None) => Err(invalid(
            "SharedAccessSignature does not start with SharedAccessSignature",
        )),
        (None, None, Some(mechanism)) => {
            let plain: String = mechanism.split_whitespace().collect();
            match plain.eq_ignore_ascii_case("ManagedIdentity") {
                true => Ok(Credential::Identity("Managed Identity".to_owned())),
                false => Ok(Credential::Identity(mechanism)),
            }
        }
        (Some(_), Some(_), _) => Err(invalid(
            "SharedAccessKey and SharedAccessSignature exclude each other",
        )),
        (_, _, Some(_)) => Err(invalid("Authentication excludes shared access members")),
    }
}

/// `[d.]hh:mm:ss[.f]` as .NET writes it, or whole seconds as Java does; above zero.
fn duration(text: &str) -> Option<Duration> {
    let number = |text: &str| -> Option<u64> {
        (!text.is_empty() && text.bytes().all(|b| b.is_ascii_digit())).then(|| text.parse().ok())?
    };
    let parts: Vec<&str> = text.split(':').collect();
    let duration = match parts[..] {
        [seconds] => Duration::from_secs(number(seconds)?),
        [hours, minutes, seconds] => {
            let (days, hours) = hours.split_once('.').unwrap_or(("0", hours));
            let (seconds, fraction) = seconds.split_once('.').unwrap_or((seconds, "0"));
            let (days, hours) = (number(days)?, number(hours)?);
            let (minutes, seconds) = (number(minutes)?, number(seconds)?);
            if hours > 23 || minutes > 59 || seconds > 59 || fraction.len() > 9 {
                return None;
            }
            let whole = days
                .checked_mul(86_400)?
                .checked_add(hours * 3600 + minutes * 60 + seconds)?;
            let nanoseconds = number(&format!("{fraction:0<9}"))?;
            Duration::new(whole, u32::try_from(nanoseconds).ok()?)
        }
        _ => return None,
    };
    (!duration.is_zero()).then_some(duration)
}

fn time_span(duration: Duration) -> String {
    let seconds = duration.as_secs();
    let days = match seconds / 86_400 {
        0 => String::new(),
        days => format!("{days}."),
    };
    let fraction = match duration.subsec_nanos() {
        0 => String::new(),
        nanoseconds => format!(".{nanoseconds:09}"),
    };
    let (hours, minutes, seconds) = (seconds / 3600 % 24, seconds / 60 % 60, seconds % 60);
    format!("{days}{hours:02}:{minutes:02}:{seconds:02}{fraction}")
}

fn invalid(message: impl Into<String>) -> Error {
    Error::InvalidConnectionString(message.into())
}
