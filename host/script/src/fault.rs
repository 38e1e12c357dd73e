//! What an error of the interpreter means, and where in the script it stands.

use crate::lint::place;
use crate::meter::{Ended, LOG_BYTES_MAX, LOG_CALLS_MAX};
use crate::nearest::nearest;
use crate::outcome::{Failure, Mistake, Refusal};
use crate::{context, functions};
use pointsman_model::policy::{FaultClass, PolicyKind};
use rhai::{EvalAltResult, ParseError, ParseErrorType, Position};

pub(crate) fn of_error(error: EvalAltResult) -> Failure {
    let mut error = error;
    // The innermost error has the place; the calls around it are the script's own business.
    while let EvalAltResult::ErrorInFunctionCall(_, _, inner, _) = error {
        error = *inner;
    }
    let position = error.position();
    let (class, mistake, message, fix) = match &error {
        EvalAltResult::ErrorTooManyOperations(_) => (FaultClass::Fuel, None, "the policy used up its fuel".to_string(), None),
        EvalAltResult::ErrorTerminated(token, _) => match token.clone().try_cast::<Ended>() {
            Some(Ended::LogFlood) => (
                FaultClass::Trap,
                None,
                format!("the policy logged more than {LOG_CALLS_MAX} lines or {LOG_BYTES_MAX} bytes in one decision"),
                None,
            ),
            Some(Ended::Stack) => (FaultClass::Trap, None, "calls are nested too deeply".to_string(), None),
            Some(Ended::Memory) => (
                FaultClass::Memory,
                None,
                "memory grew too much while the policy ran".to_string(),
                None,
            ),
            Some(Ended::Deadline) | None => (
                FaultClass::Deadline,
                None,
                "the policy ran longer than its deadline allows".to_string(),
                None,
            ),
        },
        EvalAltResult::ErrorDataTooLarge(what, _) => (FaultClass::Memory, None, format!("{what} is over its limit"), None),
        EvalAltResult::ErrorTooManyVariables(_) => (FaultClass::Memory, None, "too many variables".to_string(), None),
        EvalAltResult::ErrorStackOverflow(_) => (FaultClass::Trap, None, "calls are nested too deeply".to_string(), None),
        // `throw` is how a script says that it cannot decide.
        EvalAltResult::ErrorRuntime(thrown, _) => (FaultClass::Declined, None, thrown.to_string(), None),
        EvalAltResult::ErrorPropertyNotFound(name, _) => unknown_field(name),
        EvalAltResult::ErrorDotExpr(text, _) => match text.split('\'').nth(1) {
            Some(name) if text.starts_with("Unknown property") => unknown_field(name),
            _ => (FaultClass::Trap, Some(Mistake::RuntimeError), text.clone(), None),
        },
        EvalAltResult::ErrorFunctionNotFound(signature, _) => unknown_function(signature),
        other => (
            FaultClass::Trap,
            Some(Mistake::RuntimeError),
            without_position(other, position),
            None,
        ),
    };
    let mut failure = Failure::new(class, message);
    failure.mistake = mistake;
    failure.fix = fix;
    (failure.line, failure.column) = place(position);
    failure
}

type Told = (FaultClass, Option<Mistake>, String, Option<String>);

fn unknown_field(name: &str) -> Told {
    let known = PolicyKind::ALL.into_iter().flat_map(context::fields);
    let fix = nearest(name, known).map(|meant| format!("did you mean '{meant}'?"));
    (
        FaultClass::Trap,
        Some(Mistake::UnknownField),
        format!("there is no field '{name}' here"),
        fix,
    )
}

fn unknown_function(signature: &str) -> Told {
    let name = signature.split(' ').next().unwrap_or(signature);
    let (message, fix) = if functions::NAMES.contains(&name) {
        (
            format!("'{name}' does not take these: {signature}"),
            Some("convert with to_float() or to_int(), or check for ()".to_string()),
        )
    } else {
        let fix = nearest(name, functions::NAMES.iter().copied()).map(|meant| format!("did you mean '{meant}'?"));
        (format!("there is no function or operator {signature}"), fix)
    };
    (FaultClass::Trap, Some(Mistake::UnknownFunction), message, fix)
}

fn without_position(error: &EvalAltResult, position: Position) -> String {
    let text = error.to_string();
    match (position.line(), text.rsplit_once(" (line ")) {
        (Some(_), Some((before, _))) => before.to_string(),
        _ => text,
    }
}

pub(crate) fn of_parse_error(source: &str, error: &ParseError) -> Refusal {
    let position = error.position();
    let (line, column) = place(position);
    let refuse = |mistake, message: String| Refusal::new(mistake, message).at(line, column);
    match error.err_type() {
        ParseErrorType::VariableUndefined(name) => {
            let words = source
                .split(|character: char| !character.is_alphanumeric() && character != '_')
                .filter(|word| word != name);
            let problem = refuse(Mistake::UnknownVariable, format!("'{name}' is not a variable here"));
            match nearest(name, words.chain(["ctx"])) {
                Some(meant) => problem.fix(format!("did you mean '{meant}'?")),
                None => problem.fix("functions see only their own parameters and variables"),
            }
        }
        ParseErrorType::Reserved(word)
            if [
                "eval", "import", "export", "Fn", "call", "curry", "sync", "async", "await", "go", "spawn", "thread",
            ]
            .contains(&word.as_str()) =>
        {
            refuse(Mistake::Forbidden, format!("'{word}' does not exist in policies")).fix("a policy decides from its context alone")
        }
        other if other.to_string().contains("'**") => refuse(Mistake::Forbidden, "'**' does not exist in policies".to_string())
            .fix("write pow(x, y), which is the same on every machine"),
        other => {
            let text = other.to_string();
            let forbidden = ["'eval'", "'Fn'", "'call'", "'curry'", "'import'", "'export'"]
                .iter()
                .any(|word| text.contains(word));
            let code = if forbidden { Mistake::Forbidden } else { Mistake::Syntax };
            let fix = match other {
                ParseErrorType::MissingToken(token, _) => format!("write '{token}' before this place, or remove what should not be here"),
                ParseErrorType::UnexpectedEOF => "the file ends within a block: close what was opened last".to_string(),
                _ => "mend this line; whatever comes after it has not been read yet".to_string(),
            };
            refuse(code, text).fix(fix)
        }
    }
}
