//! Reading a fault from JSON, so that an error names the member that is wrong.

use serde_json::{Map, Value};

use super::Fault;

impl Fault {
    /// Reads a fault from a JSON object and checks it.
    ///
    /// # Errors
    ///
    /// What is wrong, with the name of the member: one that no fault has, one whose value cannot be read
    /// or is out of its range, one that the kind does not have, or one that the kind needs.
    pub(crate) fn parse(value: Value) -> Result<Self, String> {
        let Value::Object(members) = value else {
            return Err("a fault must be a JSON object".to_owned());
        };
        let Some(kind) = members.get("kind") else {
            return Err("a fault needs a kind".to_owned());
        };
        // serde's errors name the value and not where it stood, so each member is read by itself.
        read(&[("kind", kind)]).map_err(|error| format!("kind cannot be {kind}: {error}"))?;
        for (name, value) in &members {
            read(&[("kind", kind), (name, value)]).map_err(|error| {
                match error.starts_with("unknown field") {
                    true => error,
                    false => format!("{name} cannot be {value}: {error}"),
                }
            })?;
        }
        let fault: Self =
            serde_json::from_value(Value::Object(members)).map_err(|error| error.to_string())?;
        fault.check()?;
        Ok(fault)
    }
}

fn read(members: &[(&str, &Value)]) -> Result<(), String> {
    let object: Map<_, _> = members
        .iter()
        .map(|(name, value)| ((*name).to_owned(), (*value).clone()))
        .collect();
    serde_json::from_value::<Fault>(Value::Object(object))
        .map(drop)
        .map_err(|error| error.to_string())
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn what_is_wrong_with_a_fault_is_named() {
        for (fault, named) in [
            (json!([]), "object"),
            (json!({ "on": "control" }), "kind"),
            (json!({ "kind": "dorp" }), "kind cannot be \"dorp\""),
            (
                json!({ "kind": "refuse", "status": "many" }),
                "status cannot be \"many\"",
            ),
            (
                json!({ "kind": "refuse", "status": 503, "count": -1 }),
                "count cannot be -1",
            ),
            (
                json!({ "kind": "drop", "on": "everything" }),
                "on cannot be \"everything\"",
            ),
            (
                json!({ "kind": "drop", "on": "control", "tmies": 1 }),
                "unknown field `tmies`",
            ),
            (json!({ "kind": "drop" }), "needs on"),
            (
                json!({ "kind": "drop", "on": "control", "status": 503 }),
                "has no status",
            ),
            (json!({ "kind": "refuse", "status": 99 }), "status must be"),
        ] {
            let error = Fault::parse(fault.clone()).expect_err("it is wrong");
            assert!(error.contains(named), "{fault}: {error}");
        }
        let fault = json!({ "kind": "refuse", "status": 503, "count": 3 });
        assert_eq!(Fault::parse(fault).expect("it is right").status, Some(503));
    }
}
