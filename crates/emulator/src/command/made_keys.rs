//! The keys of rules that have none in the configuration.

use std::collections::BTreeMap;

use crate::{admin::namespace::RuleSpec, options::new_key};

/// The keys that were made. A rule keeps its key as long as the program runs, however often the
/// configuration is read.
#[derive(Default)]
pub(crate) struct MadeKeys(BTreeMap<(String, String), String>);

impl MadeKeys {
    /// Gives keys to the rules of a hybrid connection that have none, or of the namespace where `path` is
    /// empty.
    pub(crate) fn complete(&mut self, path: &str, rules: &mut [RuleSpec]) -> Result<(), String> {
        for rule in rules.iter_mut().filter(|rule| rule.key.is_none()) {
            let name = rule.key_name.to_ascii_lowercase();
            let place = (path.trim_matches('/').to_ascii_lowercase(), name);
            let key = match self.0.get(&place) {
                Some(key) => key.clone(),
                None => new_key().map_err(|error| error.to_string())?,
            };
            rule.key = Some(key.clone());
            self.0.insert(place, key);
        }
        Ok(())
    }
}
