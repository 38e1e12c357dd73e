//! A loaded policy version: what it says of itself, and the program that decides.

use crate::component::{self, KeptInstance};
use crate::log::truncated;
use crate::problem::ProblemCode;
use crate::script;
use pointsman_model::context::Context;
use pointsman_model::decision::Answer;
use pointsman_model::ids::Digest;
use pointsman_model::policy::*;
use sha2::Digest as _;

pub(crate) use pointsman_script::{AskedLimits, Objection, Told};

/// The contract that this crate speaks; part of every version's digest.
pub const CONTRACT: &str = "pointsman:policy@0.1.0";

pub(crate) struct Version {
    pub(crate) description: PolicyDescription,
    pub(crate) program: Program,
}

pub(crate) enum Program {
    Component(component::Program),
    Script(script::Program),
}

/// A call into a policy that gave no answer, with the place in its source where that is known.
#[derive(Clone, Debug)]
pub(crate) struct Failure {
    pub(crate) class: FaultClass,
    pub(crate) code: Option<ProblemCode>,
    pub(crate) message: String,
    pub(crate) fix: Option<String>,
    pub(crate) line: Option<usize>,
    pub(crate) column: Option<usize>,
    pub(crate) cost: Cost,
}

impl Failure {
    pub(crate) fn new(class: FaultClass, message: impl Into<String>) -> Failure {
        Failure {
            class,
            code: None,
            message: message.into(),
            fix: None,
            line: None,
            column: None,
            cost: Cost::default(),
        }
    }

    pub(crate) fn costing(self, cost: Cost) -> Failure {
        Failure { cost, ..self }
    }

    pub(crate) fn into_fault(self) -> Fault {
        let Failure {
            class,
            code: _,
            message,
            fix,
            line,
            column,
            cost,
        } = self;
        let mut detail = match (line, column) {
            (Some(line), Some(column)) => format!("{line}:{column} {message}"),
            _ => message,
        };
        if let Some(fix) = fix {
            detail.push_str("; ");
            detail.push_str(&fix);
        }
        Fault {
            class,
            detail: truncated(crate::log::escaped(&detail), FAULT_DETAIL_BYTES_MAX),
            cost,
        }
    }
}

impl Program {
    pub(crate) fn describe(&self) -> Result<Told, Failure> {
        match self {
            Program::Component(program) => program.describe(),
            Program::Script(program) => program.describe(),
        }
    }

    pub(crate) fn check_settings(&self, settings: &[Setting]) -> Result<Vec<Objection>, Failure> {
        match self {
            Program::Component(program) => program.check_settings(settings),
            Program::Script(program) => program.check_settings(settings),
        }
    }

    /// Before it decides for the first time: under which name it logs, and within which limits it runs.
    pub(crate) fn settle(&mut self, name: &str, limits: PolicyLimits) {
        match self {
            Program::Component(program) => program.settle(name, limits),
            Program::Script(program) => program.settle(name, limits),
        }
    }

    /// Runs on the calling thread, within the version's limits. The answer has been checked for sizes and numbers.
    pub(crate) fn decide(&self, context: &Context) -> Result<Answer, Failure> {
        match self {
            Program::Component(program) => program.decide(context),
            Program::Script(program) => program.decide(context),
        }
    }

    /// The same for a live decision: an instance that has decided before may be asked, where an operator allows it.
    pub(crate) fn decide_live(&self, context: &Context) -> Result<Answer, Failure> {
        match self {
            Program::Component(program) => program.decide_live(context),
            Program::Script(program) => program.decide(context),
        }
    }

    /// The same for one of many decisions, in an instance that the caller keeps.
    pub(crate) fn decide_kept(&self, place: &mut KeptInstance, context: &Context) -> Result<Answer, Failure> {
        match self {
            Program::Component(program) => program.decide_kept(place, context),
            Program::Script(program) => program.decide(context),
        }
    }

    /// Runs on the calling thread, within the limits of one decision. The state has been checked for its size.
    pub(crate) fn migrate(&self, from_version: u32, state: &[u8]) -> Result<Vec<u8>, Failure> {
        let (migrated, cost) = match self {
            Program::Component(program) => program.migrate(from_version, state),
            Program::Script(program) => program.migrate(from_version, state),
        }?;
        if migrated.len() > STATE_BYTES_MAX {
            let problem = format!(
                "the migrated state has {} bytes; at most {STATE_BYTES_MAX} are kept",
                migrated.len()
            );
            return Err(Failure::new(FaultClass::InvalidOutput, problem).costing(cost));
        }
        Ok(migrated)
    }
}

/// Why a version without a migration cannot take over older state.
pub(crate) const NO_MIGRATION: &str = "it has no `migrate`, so it reads state of its own version only";

/// SHA-256, as `sha256sum` prints it for a file.
pub fn sha256(bytes: &[u8]) -> Digest {
    Digest(sha2::Sha256::digest(bytes).into())
}

/// Names code, settings and limits together: SHA-256 over all three. Each part is written with its length, so that no
/// two versions share bytes. `code` is the SHA-256 of the code.
pub fn digest(engine: EngineKind, kind: PolicyKind, code: Digest, settings: &[Setting], limits: PolicyLimits) -> Digest {
    let mut hasher = sha2::Sha256::new();
    parts(engine, kind, code, settings, limits, |bytes| hasher.update(bytes));
    Digest(hasher.finalize().into())
}

/// The same by BLAKE3, as the first releases recorded it. `code` is the BLAKE3 of the code.
pub(crate) fn blake3_digest(engine: EngineKind, kind: PolicyKind, code: Digest, settings: &[Setting], limits: PolicyLimits) -> Digest {
    let mut hasher = blake3::Hasher::new();
    parts(engine, kind, code, settings, limits, |bytes| {
        hasher.update(bytes);
    });
    Digest(*hasher.finalize().as_bytes())
}

fn parts(engine: EngineKind, kind: PolicyKind, code: Digest, settings: &[Setting], limits: PolicyLimits, mut update: impl FnMut(&[u8])) {
    let mut part = |bytes: &[u8]| {
        update(&(bytes.len() as u64).to_le_bytes());
        update(bytes);
    };
    part(CONTRACT.as_bytes());
    part(engine.slug().as_bytes());
    part(kind.slug().as_bytes());
    part(&code.0);
    for Setting { name, value } in settings {
        part(name.as_bytes());
        match value {
            Value::Flag(flag) => part(&[b'f', u8::from(*flag)]),
            Value::Number(number) => {
                part(b"n");
                part(&number.to_bits().to_le_bytes());
            }
            Value::Text(text) => {
                part(b"t");
                part(text.as_bytes());
            }
        }
    }
    let PolicyLimits {
        fuel,
        deadline_ms,
        memory_bytes,
    } = limits;
    part(b"limits");
    for limit in [fuel, u64::from(deadline_ms), memory_bytes] {
        part(&limit.to_le_bytes());
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_digest_names_code_settings_and_limits() {
        assert_eq!(
            sha256(b"abc").to_string(),
            "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad"
        );
        let code = sha256(b"code");
        let limits = PolicyLimits::default();
        let setting = |number| {
            [Setting {
                name: "a".into(),
                value: Value::Number(number),
            }]
        };
        let digest_of = |code, settings: &[Setting], limits| digest(EngineKind::Rhai, PolicyKind::Retry, code, settings, limits);
        let first = digest_of(code, &setting(1.0), limits);
        assert_eq!(first, digest_of(code, &setting(1.0), limits));
        assert_ne!(first, digest_of(code, &setting(2.0), limits));
        assert_ne!(first, digest_of(sha256(b"other"), &setting(1.0), limits));
        assert_ne!(first, digest_of(code, &setting(1.0), PolicyLimits { fuel: 1, ..limits }));
        let trusted = digest(EngineKind::TrustedRhai, PolicyKind::Retry, code, &setting(1.0), limits);
        assert_ne!(first, trusted, "a script that is trusted is another version");
    }
}
