//! What most likely helps after a refusal.

use hyco_protocol::{Right, Rule, SasToken, TokenError, time::timestamp, token::WebToken};

/// What a refused token is about.
pub(crate) struct Refused<'a> {
    pub(crate) token: &'a str,
    pub(crate) path: &'a str,
    pub(crate) hosts: &'a [String],
    /// The rules that may have signed it.
    pub(crate) rules: &'a [Rule],
    pub(crate) right: Right,
    pub(crate) now: u64,
}

impl Refused<'_> {
    /// What most likely helps.
    pub(crate) fn hint(&self, error: &TokenError) -> String {
        let token = SasToken::parse(self.token).ok();
        match (error, token) {
            (TokenError::Missing, _) => {
                "send a token in the header ServiceBusAuthorization, or in the query as sb-hc-token"
                    .to_owned()
            }
            (TokenError::InvalidSignature, Some(token)) => self.signature(token.rule()),
            (TokenError::Expired(end), _) => format!(
                "the token ended at {}, and it is {}: make a new one, or set the clock of the client",
                timestamp(*end),
                timestamp(self.now),
            ),
            (TokenError::InvalidAudience, Some(token)) => format!(
                "the token is for {}, the request is for {} at one of the hosts {}",
                token.audience(),
                self.path,
                self.hosts.join(", "),
            ),
            (TokenError::MissingRight(right), Some(token)) => {
                let doing = match self.right {
                    Right::Listen => "listening",
                    Right::Send => "sending",
                    Right::Manage => "managing",
                };
                let rule = self.rule(token.rule());
                let has = rule.map_or_else(String::new, granted);
                format!("the rule {} has {has}, {doing} needs {right}", token.rule())
            }
            _ if WebToken::parse(self.token).is_ok() => {
                "a JSON Web Token is taken with --accept-jwt, or acceptJwt in the options"
                    .to_owned()
            }
            _ => "the token must be a SharedAccessSignature with sr, sig, se and skn".to_owned(),
        }
    }

    fn signature(&self, name: &str) -> String {
        match self.rule(name) {
            Some(_) => format!(
                "the rule {name} exists, so the key is another one (it is used as text, and not \
                 decoded from base64)"
            ),
            None => {
                let names: Vec<_> = self.rules.iter().map(Rule::name).collect();
                format!(
                    "there is no rule {name}; the rules here are {}",
                    names.join(", ")
                )
            }
        }
    }

    fn rule(&self, name: &str) -> Option<&Rule> {
        self.rules
            .iter()
            .find(|rule| rule.name().eq_ignore_ascii_case(name))
    }
}

/// The rights of a rule, as a text.
fn granted(rule: &Rule) -> String {
    let rights = rule.rights();
    let names = [
        ("Listen", rights.listen),
        ("Send", rights.send),
        ("Manage", rights.manage),
    ];
    let names: Vec<_> = names
        .iter()
        .filter_map(|&(name, granted)| granted.then_some(name))
        .collect();
    names.join(", ")
}
