//! Which rules a connection string is made with.

use hyco_protocol::{Right, Rule};

/// The rules by which a listener and a sender are best let in: the same one where one has both rights.
#[derive(Clone, Debug)]
pub(crate) struct ChosenRules {
    /// It grants Listen; none if no rule does.
    pub(crate) listener: Option<Rule>,
    /// It grants Send; none if no rule does.
    pub(crate) sender: Option<Rule>,
}

impl ChosenRules {
    /// Chooses among the rules of a hybrid connection, which go first, and those of its namespace.
    pub(crate) fn among(own: &[Rule], of_namespace: &[Rule]) -> Self {
        let rules = || own.iter().chain(of_namespace);
        let that_grants = |rights: &[Right]| {
            let grants = |rule: &&Rule| rights.iter().all(|&right| rule.rights().grant(right));
            rules().find(grants).cloned()
        };
        let both = that_grants(&[Right::Listen, Right::Send]);
        Self {
            listener: both.clone().or_else(|| that_grants(&[Right::Listen])),
            sender: both.or_else(|| that_grants(&[Right::Send])),
        }
    }

    /// The rule of the connection string for everybody, if there is one.
    pub(crate) fn first(&self) -> Option<&Rule> {
        self.listener.as_ref().or(self.sender.as_ref())
    }

    /// The rule of a sender, where it needs another one than a listener.
    pub(crate) fn other_sender(&self) -> Option<&Rule> {
        let listener = self.listener.as_ref()?;
        self.sender.as_ref().filter(|sender| {
            sender.name() != listener.name() || sender.primary_key() != listener.primary_key()
        })
    }
}

#[cfg(test)]
mod tests {
    use hyco_protocol::Rights;

    use super::*;

    fn rule(name: &str, rights: &[Right]) -> Rule {
        let rights: Rights = rights.iter().copied().collect();
        Rule::new(name, "key", rights).expect("a rule")
    }

    fn names(own: &[Rule], of_namespace: &[Rule]) -> [Option<String>; 3] {
        let chosen = ChosenRules::among(own, of_namespace);
        let name = |rule: Option<&Rule>| rule.map(|rule| rule.name().to_owned());
        [
            name(chosen.listener.as_ref()),
            name(chosen.sender.as_ref()),
            name(chosen.other_sender()),
        ]
    }

    #[test]
    fn one_rule_serves_both_sides_where_it_can() {
        let send = rule("send", &[Right::Send]);
        let listen = rule("listen", &[Right::Listen]);
        let both = rule("both", &[Right::Listen, Right::Send]);
        let some = |name: &str| Some(name.to_owned());
        assert_eq!(
            names(std::slice::from_ref(&send), std::slice::from_ref(&both)),
            [some("both"), some("both"), None]
        );
        assert_eq!(
            names(&[], &[send.clone(), listen]),
            [some("listen"), some("send"), some("send")]
        );
        assert_eq!(names(&[], &[send]), [None, some("send"), None]);
        assert_eq!(names(&[], &[]), [None, None, None]);
    }
}
