//! What an editor offers while a script is written, from the definitions that the interpreter itself runs with.

use crate::{context, functions};
use pointsman_model::policy::PolicyKind;
use serde::Serialize;

/// All that a script of one kind may name.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Completion {
    pub kind: PolicyKind,
    pub entries: Vec<Entry>,
}

#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Entry {
    pub name: String,
    pub place: Place,
    /// How it is called, one for each form: `min(x: int, y: float) -> float`. Empty for fields.
    pub signatures: Vec<String>,
}

/// Where a name can stand.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Place {
    /// Called: `name(...)`, or as a method of its first argument.
    Function,
    /// Read from `ctx`.
    Context,
    /// Read from an item of the named list, or from `failures`.
    Candidate,
    HostLoad,
    Failures,
    Pair,
    Guardrail,
    Skill,
    /// Given back by `decide`.
    Answer,
}

/// Fields of the map that `decide` returns.
const ANSWER: &[&str] = &["verdict", "reasons", "scores", "distribution", "state", "suggestions", "extras"];

impl Place {
    pub fn word(self) -> &'static str {
        match self {
            Place::Function => "function",
            Place::Context => "ctx",
            Place::Candidate => "candidate",
            Place::HostLoad => "host_load",
            Place::Failures => "failures",
            Place::Pair => "pair",
            Place::Guardrail => "guardrail",
            Place::Skill => "skill",
            Place::Answer => "answer",
        }
    }
}

pub fn completion(kind: PolicyKind) -> Completion {
    let functions = functions::signatures().into_iter().map(|(name, signatures)| Entry {
        name: name.to_string(),
        place: Place::Function,
        signatures,
    });
    let fields = context::places(kind)
        .into_iter()
        .chain([(Place::Answer, ANSWER)])
        .flat_map(|(place, names)| {
            names.iter().map(move |name| Entry {
                name: (*name).to_string(),
                place,
                signatures: Vec::new(),
            })
        });
    Completion {
        kind,
        entries: fields.chain(functions).collect(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn fields_and_signatures_are_those_of_the_engine() {
        let offered = completion(PolicyKind::Retry).entries;
        let find = |name: &str, place: Place| {
            let found = offered.iter().find(|entry| entry.name == name && entry.place == place);
            found.unwrap_or_else(|| panic!("{name} is offered")).signatures.clone()
        };
        assert!(find("attempt", Place::Context).is_empty());
        assert!(find("transient", Place::Failures).is_empty());
        assert!(!offered.iter().any(|entry| entry.name == "candidates"), "of another kind");
        assert_eq!(find("seeded", Place::Function), ["seeded(seed: int, index: int) -> float"]);
        assert_eq!(
            find("min", Place::Function),
            [
                "min(x: int, y: int) -> int",
                "min(x: float, y: float) -> float",
                "min(x: int, y: float) -> float",
                "min(x: float, y: int) -> float"
            ]
        );
        assert_eq!(find("push", Place::Function), ["push(list: list, item: any)"]);
        assert!(
            offered
                .iter()
                .all(|entry| entry.place != Place::Function || !entry.signatures.is_empty())
        );
    }
}
