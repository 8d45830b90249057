//! Reading a fault from JSON.

use serde_json::Value;

use super::Fault;
use crate::json::{Object, from_value};

impl Fault {
    /// Reads a fault from a JSON object and checks it.
    ///
    /// # Errors
    ///
    /// What is wrong, with the name of the member: one that no fault has, one whose value cannot be read
    /// or is out of its range, one that the kind does not have, or one that the kind needs.
    pub(crate) fn parse(value: Value) -> Result<Self, String> {
        let Object(fault): Object<Self> = from_value(value)?;
        fault.check()?;
        Ok(fault)
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn what_is_wrong_with_a_fault_is_named() {
        for (fault, named) in [
            (json!("drop"), "expected an object"),
            (json!(["drop", "control"]), "it must be an object"),
            (json!({ "on": "control" }), "missing field `kind`"),
            (json!({ "kind": "dorp" }), "kind: unknown variant `dorp`"),
            (
                json!({ "kind": "refuse", "status": "many" }),
                "status: invalid type: string \"many\"",
            ),
            (
                json!({ "kind": "refuse", "status": 503, "count": -1 }),
                "count: invalid value: integer `-1`",
            ),
            (
                json!({ "kind": "drop", "on": "everything" }),
                "on: unknown variant `everything`",
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
