//! Whether a token allows what is asked (docs/protocol.md, 2.6).

use std::fmt;

use crate::{
    error::Coded,
    resource,
    target::segment_prefix,
    time::timestamp,
    token::{self, SasToken},
};

/// What a rule can grant.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Right {
    /// To listen and to renew the token of a control channel.
    Listen,
    /// To connect and to send HTTP requests.
    Send,
    /// To manage; includes the other two.
    Manage,
}

impl fmt::Display for Right {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Debug::fmt(self, f)
    }
}

/// The rights that a rule grants.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Rights {
    /// Grants [`Right::Listen`].
    pub listen: bool,
    /// Grants [`Right::Send`].
    pub send: bool,
    /// Grants all.
    pub manage: bool,
}

impl Rights {
    /// Every right.
    pub const ALL: Self = Self {
        listen: true,
        send: true,
        manage: true,
    };

    /// Whether they grant that right.
    pub fn grant(self, right: Right) -> bool {
        self.manage
            || match right {
                Right::Listen => self.listen,
                Right::Send => self.send,
                Right::Manage => false,
            }
    }
}

impl FromIterator<Right> for Rights {
    fn from_iter<I: IntoIterator<Item = Right>>(rights: I) -> Self {
        rights
            .into_iter()
            .fold(Self::default(), |sum, right| match right {
                Right::Listen => Self {
                    listen: true,
                    ..sum
                },
                Right::Send => Self { send: true, ..sum },
                Right::Manage => Self {
                    manage: true,
                    ..sum
                },
            })
    }
}

/// A named policy with its keys.
#[derive(Clone, PartialEq, Eq)]
pub struct Rule {
    name: String,
    primary_key: String,
    secondary_key: Option<String>,
    rights: Rights,
}

impl Rule {
    /// A rule with one key. Name and key have 1 to 256 characters.
    pub fn new(
        name: impl Into<String>,
        primary_key: impl Into<String>,
        rights: Rights,
    ) -> Result<Self, crate::Error> {
        let (name, primary_key) = (name.into(), primary_key.into());
        token::check_rule(&name, primary_key.as_bytes())?;
        Ok(Self {
            name,
            primary_key,
            secondary_key: None,
            rights,
        })
    }

    /// The same rule with a second key.
    pub fn with_secondary_key(self, key: impl Into<String>) -> Result<Self, crate::Error> {
        let key = key.into();
        token::check_rule(&self.name, key.as_bytes())?;
        Ok(Self {
            secondary_key: Some(key),
            ..self
        })
    }

    /// The name, which `skn` of a token gives in any case.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// The first key.
    pub fn primary_key(&self) -> &str {
        &self.primary_key
    }

    /// The second key.
    pub fn secondary_key(&self) -> Option<&str> {
        self.secondary_key.as_deref()
    }

    /// What the rule grants.
    pub fn rights(&self) -> Rights {
        self.rights
    }

    fn signed(&self, token: &SasToken) -> bool {
        self.name.to_lowercase() == token.rule().to_lowercase()
            && (token.is_signed_with(&self.primary_key)
                || self
                    .secondary_key()
                    .is_some_and(|key| token.is_signed_with(key)))
    }
}

impl fmt::Debug for Rule {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Rule")
            .field("name", &self.name)
            .field("rights", &self.rights)
            .finish_non_exhaustive()
    }
}

/// What a token has to allow, and when.
#[derive(Clone, Copy, Debug)]
pub struct Demand<'a> {
    /// The names of the relay, without port; the token is for one of them.
    pub hosts: &'a [String],
    /// The path of the request without `/$hc`, percent-encoded.
    pub path: &'a str,
    /// The right needed; none if any right will do.
    pub right: Option<Right>,
    /// The time, in Unix seconds.
    pub now: u64,
    /// For how many seconds after its end a token is still good.
    pub clock_skew: u64,
}

/// What a good token says.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Verified {
    /// The name of the rule, as the rule spells it.
    pub rule: String,
    /// What the rule grants.
    pub rights: Rights,
    /// When the token ends, in Unix seconds.
    pub expires_at: u64,
}

/// Why a token is refused. Its text is the message of the relay's answer.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum TokenError {
    /// There is none.
    #[error("MissingToken: The request carries no token.")]
    Missing,
    /// It cannot be read.
    #[error("MalformedToken: The token cannot be understood.")]
    Malformed,
    /// No rule of that name has signed it.
    #[error("InvalidSignature: The token has an invalid signature.")]
    InvalidSignature,
    /// It has ended.
    #[error("ExpiredToken: The token is expired. Expiration time: '{}'.", timestamp(*.0))]
    Expired(u64),
    /// It is for another relay or another path.
    #[error("InvalidAudience: The authorization header contains a token with a wrong audience.")]
    InvalidAudience,
    /// Its rule does not grant what is asked.
    #[error("Authorization failed for specified action: {0}.")]
    MissingRight(Right),
}

impl TokenError {
    /// The status of the relay's answer: 401, also for a missing right.
    pub fn status(&self) -> u16 {
        401
    }
}

impl Coded for TokenError {
    fn code(&self) -> &'static str {
        "HYCO_ERR_UNAUTHORIZED"
    }
}

/// Verifies a SAS token.
///
/// Rules of the hybrid connection go before those of the namespace; if both have a rule of that name,
/// either may have signed. The order of the checks is signature, expiry, audience, right. A token that
/// ends now has ended.
pub fn verify(
    token: &str,
    entity_rules: &[Rule],
    namespace_rules: &[Rule],
    demand: &Demand<'_>,
) -> Result<Verified, TokenError> {
    if token.trim().is_empty() {
        return Err(TokenError::Missing);
    }
    let token = SasToken::parse(token).map_err(|_| TokenError::Malformed)?;
    let rule = entity_rules
        .iter()
        .chain(namespace_rules)
        .find(|rule| rule.signed(&token))
        .ok_or(TokenError::InvalidSignature)?;
    if token.expires_at().saturating_add(demand.clock_skew) <= demand.now {
        return Err(TokenError::Expired(token.expires_at()));
    }
    if !covers(&token.audience(), demand) {
        return Err(TokenError::InvalidAudience);
    }
    if let Some(right) = demand.right.filter(|&right| !rule.rights.grant(right)) {
        return Err(TokenError::MissingRight(right));
    }
    let (rule, rights) = (rule.name.clone(), rule.rights);
    Ok(Verified {
        rule,
        rights,
        expires_at: token.expires_at(),
    })
}

/// Whether an audience is one of the relay's names and a prefix of the path, by whole segments.
///
/// Scheme, port, letter case and slashes at the end do not count: clients differ in all of them.
fn covers(audience: &str, demand: &Demand<'_>) -> bool {
    let Ok((host, path)) = resource::host_and_path(audience) else {
        return false;
    };
    demand
        .hosts
        .iter()
        .any(|name| name.eq_ignore_ascii_case(&host))
        && segment_prefix(path, demand.path).is_some()
}
