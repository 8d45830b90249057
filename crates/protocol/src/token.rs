//! Tokens: signing them, and reading them.
//!
//! A SAS token is `SharedAccessSignature sr={audience}&sig={signature}&se={expiry}&skn={rule}`. The
//! signature is an HMAC-SHA256 over the encoded audience, a line feed and the expiry; its key is the
//! text of the rule's key, which looks like base64 and is not decoded (docs/protocol.md, 2.1).

use std::fmt;

use base64::{Engine, engine::general_purpose::STANDARD, prelude::BASE64_URL_SAFE_NO_PAD};
use hmac::{Hmac, KeyInit, Mac};
use serde::Deserialize;
use sha2::Sha256;

use crate::{
    encoding::{decode, decode_plus, encode, encode_component, encode_field},
    error::Error,
    legacy::Legacy,
    names::SAS_SCHEME,
    resource,
};

/// Signs a token for a URI, character by character as `createRelayToken` of `hyco-ws` does.
///
/// The key is mostly a text, whose bytes count. It differs where that function's token is of no use: a rule name is escaped, user info is not
/// signed, and a namespace without a path is accepted under every scheme.
///
/// ```
/// let token = hyco_protocol::token::sign_drop_in(
///     "wss://contoso.servicebus.windows.net/$hc/hyco",
///     "RootManageSharedAccessKey",
///     "AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8=",
///     1_700_000_000,
/// )?;
/// assert_eq!(
///     token,
///     "SharedAccessSignature sr=http%3A%2F%2Fcontoso.servicebus.windows.net%2Fhyco\
///      &sig=%2BMkbuZlQcESy1IKohN8Tbv29rANXrR8x9aAkOUG8oBY%3D&se=1700000000\
///      &skn=RootManageSharedAccessKey",
/// );
/// # Ok::<(), hyco_protocol::Error>(())
/// ```
pub fn sign_drop_in(
    uri: &str,
    rule: &str,
    key: impl AsRef<[u8]>,
    expires_at: u64,
) -> Result<String, Error> {
    let key = key.as_ref();
    check_rule(rule, key)?;
    let resource = encode_component(&Legacy::parse(uri)?.resource());
    let expiry = expires_at.to_string();
    let signature = encode_component(&signature(key, &resource, &expiry));
    let rule = encode_field(rule);
    Ok(format!(
        "{SAS_SCHEME} sr={resource}&sig={signature}&se={expiry}&skn={rule}"
    ))
}

/// Signs a token for the canonical form of a URI (docs/protocol.md, 2.3).
pub fn sign_canonical(uri: &str, rule: &str, key: &str, expires_at: u64) -> Result<String, Error> {
    let key = key.as_bytes();
    check_rule(rule, key)?;
    let resource = encode(&resource::canonical(uri)?);
    let expiry = expires_at.to_string();
    let signature = encode(&signature(key, &resource, &expiry));
    let rule = encode(rule);
    Ok(format!(
        "{SAS_SCHEME} sr={resource}&sig={signature}&se={expiry}&skn={rule}"
    ))
}

/// When a token ends, in Unix seconds: `se` of a SAS token, `exp` of a JSON Web Token.
///
/// It serves scheduling, so the token is not verified. None if it cannot be read.
pub fn expires_at(token: &str) -> Option<u64> {
    match Kind::of(token) {
        Kind::Sas => SasToken::parse(token).ok().map(|token| token.expires_at()),
        Kind::WebToken => WebToken::parse(token).ok().map(|token| token.expires_at),
    }
}

/// What a token's text looks like.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// It starts with `SharedAccessSignature`.
    Sas,
    /// Anything else, which may be a JSON Web Token.
    WebToken,
}

impl Kind {
    /// Looks at a token's first word.
    pub fn of(token: &str) -> Self {
        let start = token.trim_start();
        let word = start.split(char::is_whitespace).next().unwrap_or_default();
        match word.eq_ignore_ascii_case(SAS_SCHEME) {
            true => Self::Sas,
            false => Self::WebToken,
        }
    }
}

/// A SAS token whose fields are all there, exactly once. Its signature may still be wrong.
#[derive(Clone, PartialEq, Eq)]
pub struct SasToken {
    resource: String,
    signature: String,
    expiry: String,
    expires_at: u64,
    rule: String,
}

impl SasToken {
    /// Reads a token; its fields may stand in any order, their names in any case.
    pub fn parse(text: &str) -> Result<Self, Error> {
        let text = text.trim();
        let (_, fields) = text
            .split_once(char::is_whitespace)
            .filter(|(scheme, _)| scheme.eq_ignore_ascii_case(SAS_SCHEME))
            .ok_or(Error::InvalidToken(
                "it does not start with SharedAccessSignature",
            ))?;
        let fields = fields.trim_start();
        if fields.contains(char::is_whitespace) {
            return Err(Error::InvalidToken("it has a blank between its fields"));
        }
        let (mut resource, mut signature, mut expiry, mut rule) = (None, None, None, None);
        for field in fields.split('&') {
            let (name, value) = field
                .split_once('=')
                .ok_or(Error::InvalidToken("a field has no value"))?;
            let place = match name.to_ascii_lowercase().as_str() {
                "sr" => &mut resource,
                "sig" => &mut signature,
                "se" => &mut expiry,
                "skn" => &mut rule,
                _ => continue,
            };
            if place.replace(value.to_owned()).is_some() {
                return Err(Error::InvalidToken("a field stands there twice"));
            }
        }
        let filled = |field: Option<String>| {
            field
                .filter(|value| !value.is_empty())
                .ok_or(Error::InvalidToken("a field is missing"))
        };
        let (resource, signature) = (filled(resource)?, filled(signature)?);
        let (expiry, rule) = (filled(expiry)?, decode_plus(&filled(rule)?));
        let expires_at =
            seconds(&expiry).ok_or(Error::InvalidToken("its expiry is not a number"))?;
        Ok(Self {
            resource,
            signature,
            expiry,
            expires_at,
            rule,
        })
    }

    /// The URI that the token is for, decoded.
    pub fn audience(&self) -> String {
        decode_plus(&self.resource)
    }

    /// When the token ends, in Unix seconds.
    pub fn expires_at(&self) -> u64 {
        self.expires_at
    }

    /// The name of the rule whose key signed the token.
    pub fn rule(&self) -> &str {
        &self.rule
    }

    /// Whether that key signed the token; takes the same time for every wrong signature.
    pub fn is_signed_with(&self, key: &str) -> bool {
        let Ok(claimed) = STANDARD.decode(decode_signature(&self.signature)) else {
            return false;
        };
        // Over the fields as they stand: encoders differ, and the signature covers their output.
        mac(key.as_bytes(), &self.resource, &self.expiry)
            .verify_slice(&claimed)
            .is_ok()
    }
}

impl fmt::Display for SasToken {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self {
            resource,
            signature,
            expiry,
            rule,
            ..
        } = self;
        let rule = encode(rule);
        write!(
            f,
            "{SAS_SCHEME} sr={resource}&sig={signature}&se={expiry}&skn={rule}"
        )
    }
}

impl fmt::Debug for SasToken {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("SasToken")
            .field("audience", &self.audience())
            .field("expires_at", &self.expires_at)
            .field("rule", &self.rule)
            .finish_non_exhaustive()
    }
}

/// What a JSON Web Token says about itself. Its signature is not looked at.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct WebToken {
    /// The claim `exp`, in Unix seconds.
    pub expires_at: u64,
    /// The claim `roles`.
    pub roles: Vec<String>,
    /// The claim `aud`, which has one or several.
    pub audiences: Vec<String>,
}

impl WebToken {
    /// Reads the claims of a token, with or without `Bearer ` in front.
    pub fn parse(text: &str) -> Result<Self, Error> {
        let text = text.trim();
        let text = match text.split_once(char::is_whitespace) {
            Some((word, token)) if word.eq_ignore_ascii_case("Bearer") => token.trim_start(),
            _ => text,
        };
        let parts: Vec<&str> = text.split('.').collect();
        let [head, claims, _] = parts[..] else {
            return Err(Error::InvalidToken(
                "it is neither a SAS token nor a JSON Web Token",
            ));
        };
        let json = |part: &str| {
            BASE64_URL_SAFE_NO_PAD
                .decode(part.trim_end_matches('='))
                .ok()
        };
        json(head)
            .and_then(|head| serde_json::from_slice::<serde_json::Map<_, _>>(&head).ok())
            .ok_or(Error::InvalidToken("its header cannot be read"))?;
        let claims: Claims = json(claims)
            .and_then(|claims| serde_json::from_slice(&claims).ok())
            .ok_or(Error::InvalidToken("its claims cannot be read"))?;
        // A cast of a float saturates, and so does a time out of range.
        Ok(Self {
            expires_at: claims.exp as u64,
            roles: claims.roles,
            audiences: match claims.aud {
                None => Vec::new(),
                Some(Audience::One(name)) => vec![name],
                Some(Audience::Several(names)) => names,
            },
        })
    }
}

#[derive(Deserialize)]
struct Claims {
    exp: f64,
    aud: Option<Audience>,
    #[serde(default)]
    roles: Vec<String>,
}

/// RFC 7519, 4.1.3.
#[derive(Deserialize)]
#[serde(untagged)]
enum Audience {
    One(String),
    Several(Vec<String>),
}

pub(crate) fn check_rule(rule: &str, key: &[u8]) -> Result<(), Error> {
    let key = String::from_utf8_lossy(key);
    let checks = [
        (
            rule,
            "its name is empty",
            "its name is longer than 256 characters",
        ),
        (
            key.as_ref(),
            "its key is empty",
            "its key is longer than 256 characters",
        ),
    ];
    for (text, empty, long) in checks {
        if text.is_empty() {
            return Err(Error::InvalidRule(empty));
        }
        if text.chars().count() > LONGEST_NAME {
            return Err(Error::InvalidRule(long));
        }
    }
    Ok(())
}

fn signature(key: &[u8], resource: &str, expiry: &str) -> String {
    STANDARD.encode(mac(key, resource, expiry).finalize().into_bytes())
}

fn mac(key: &[u8], resource: &str, expiry: &str) -> Hmac<Sha256> {
    let mut mac = Hmac::<Sha256>::new_from_slice(key).expect("HMAC takes keys of any length");
    for part in [resource, "\n", expiry] {
        mac.update(part.as_bytes());
    }
    mac
}

/// A `+` in a signature is one of base64's digits that a client forgot to encode, never a blank.
fn decode_signature(encoded: &str) -> String {
    decode(encoded)
}

/// Decimal seconds; .NET reads a fraction, so it is allowed and cut off.
fn seconds(text: &str) -> Option<u64> {
    let (whole, fraction) = text.split_once('.').unwrap_or((text, ""));
    let digits = |text: &str| text.bytes().all(|byte| byte.is_ascii_digit());
    if whole.is_empty() || !digits(whole) || !digits(fraction) {
        return None;
    }
    whole.parse().ok()
}

/// Rule names and keys of the service are not longer.
const LONGEST_NAME: usize = 256;
