//! What is wrong with a policy that was offered: a stable code, the place, a sentence, and the cure.

use serde::{Deserialize, Serialize};
use std::fmt;

/// Where in the way into service a policy was refused. The stages stand in their order.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Stage {
    Fetch,
    Digest,
    Parse,
    Compile,
    Link,
    Describe,
    Settings,
    SelfTest,
}

impl fmt::Display for Stage {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(match self {
            Stage::Fetch => "fetch",
            Stage::Digest => "digest",
            Stage::Parse => "parse",
            Stage::Compile => "compile",
            Stage::Link => "link",
            Stage::Describe => "describe",
            Stage::Settings => "settings",
            Stage::SelfTest => "self-test",
        })
    }
}

macro_rules! codes {
    ($($(#[$doc:meta])* $name:ident = $code:literal, $page:literal;)*) => {
        /// Stable codes: users script against them, so a code is never given another meaning.
        #[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
        pub enum ProblemCode {
            $($(#[$doc])* #[serde(rename = $code)] $name,)*
        }

        impl ProblemCode {
            pub const ALL: &[ProblemCode] = &[$(ProblemCode::$name),*];

            pub fn code(self) -> &'static str {
                match self { $(ProblemCode::$name => $code,)* }
            }

            /// The page of `policy explain CODE`.
            pub fn explain(self) -> &'static str {
                match self { $(ProblemCode::$name => $page,)* }
            }
        }
    };
}

codes! {
    UnknownFormat = "PM2101",
    "The file is neither a WebAssembly component nor a Rhai script. A component starts with the bytes 00 61 73 6d; a script is UTF-8 text in a file whose name ends in .rhai.";
    TooLarge = "PM2102",
    "The file is larger than a policy may be: 32 MiB for a component, 64 KiB for a script. Build in release mode with debug information stripped.";
    CoreModule = "PM2103",
    "The file is a core WebAssembly module. Pointsman runs components: turn it into one with `wasm-tools component new`, or build it with the SDK in plugins/.";
    UnknownField = "PM2104",
    "The script reads a field that neither the context of its kind, nor a setting, nor any map in the script has. The fields are those of wit/policy-0.1.0 with '_' for '-'.";
    UnknownFunction = "PM2105",
    "The script calls a function that it does not define and that policies do not have. Only bounded functions exist in policies: no sleep, no clock, no files, no replace.";
    UnknownVariable = "PM2106",
    "The script uses a variable that is not defined there. Functions see only their own parameters and variables.";
    Syntax = "PM2107",
    "The script does not parse.";
    Forbidden = "PM2108",
    "The script uses a part of the language that policies do not have: eval, import, export, closures.";
    MissingFunction = "PM2109",
    "A script defines `fn describe()` and `fn decide(ctx)`, and may define `fn check_settings(settings)`.";
    Malformed = "PM2110",
    "The file starts as a WebAssembly component but is not a valid one.";
    RefusedImport = "PM2111",
    "A policy may import pointsman:policy/log and nothing else: no clock, files, network or randomness. Build for wasm32-unknown-unknown, which has no WASI.";
    Uncompilable = "PM2112",
    "The component does not compile: it is invalid, or it uses a proposal that is off here (threads, memory64, GC, relaxed SIMD, async).";
    WrongExports = "PM2113",
    "The component does not export describe, check-settings and decide with the types of one kind of pointsman:policy@0.1.";
    DescribeFailed = "PM2114",
    "The policy failed while it described itself. `describe` runs within the same limits as a decision.";
    BadDescription = "PM2115",
    "What the policy says of itself cannot be used: a name, version, kind or settings schema is missing or malformed.";
    BadSetting = "PM2116",
    "A setting that was given does not exist in this policy, or its value is of another type or out of bounds.";
    SettingsRefused = "PM2117",
    "The policy itself refused the settings that it was given.";
    SelfTestFailed = "PM2118",
    "The policy failed on a small, plain context of its kind. Nothing live was asked of it.";
    DigestMismatch = "PM2119",
    "The stored code, settings and limits are not those that were recorded when the policy was activated. They were altered or damaged.";
    HostFailure = "PM2120",
    "The host itself failed, not the policy.";
    RuntimeError = "PM2121",
    "The script raised an error while it ran.";
    NoInterpreter = "PM2130",
    "Scripts run in a sandboxed interpreter, which is built with the plugins and embedded; this program was built without it, or with one from other sources. Run `make plugins` and build again. A script that an operator vouches for runs natively and does not need it.";
    CompileTime = "PM2131",
    "Compiling the component took more CPU time, or more time by the clock, than a policy may take, and was ended. Nothing live was touched. A policy of ordinary size compiles in a tenth of a second; a bundled JavaScript or Python interpreter in half a minute. What takes longer has functions of extreme size or nesting: build in release mode, and split generated functions.";
    CompileMemory = "PM2132",
    "Compiling the component took more memory than a policy may take, and was ended. Nothing live was touched. Build in release mode, leave out what is not used, and split generated functions.";
    CompileCrashed = "PM2133",
    "The process that compiled the component crashed. Nothing live was touched: a crash of the compiler ends that process only. Build the policy with a current toolchain; if it is one that should compile, report it with the file.";
    CompileBusy = "PM2134",
    "Too many components wait to be compiled. Try again when those under way have ended.";
    Unsigned = "PM2141",
    "This host takes signed policies only, and no signature came with this one. Sign the file with `pointsman policy sign FILE --key KEYFILE`; the signature stands in FILE.sig beside it.";
    BadSignature = "PM2142",
    "The signature is not one of this code: the file was changed after it was signed, or the signature belongs to another file or is damaged. Sign the file again.";
    UntrustedKey = "PM2143",
    "The signature is right, but its key is not among those that this host trusts. An operator trusts a key by putting its .pub file into the directory of trusted keys.";
    BudgetBroken = "PM2151",
    "The version was asked about recorded decisions, and what it answered is outside the budgets that were declared: too many changed verdicts, new errors, fuel, or a class of change that is forbidden. Nothing live was asked of it. Look with `pointsman policy dry-run FILE`, and correct the policy or the budgets.";
    StateNotTaken = "PM2152",
    "The version could not take over the state of the version before it, tried on a copy. Correct `migrate`, or give the policy another name so that it starts empty.";
    ShadowDisagreed = "PM2153",
    "In shadow, the version disagreed with live decisions more often than allowed, or saw too few of them in time.";
    NotActivated = "PM2154",
    "The version passed its checks, but the host refused the activation: the kind is pinned, the version was taken out of service a short while ago, or the journal cannot be written.";
    Cancelled = "PM2155",
    "Somebody ended the swap before the version was activated, or the host was shut down.";
}

impl fmt::Display for ProblemCode {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.code())
    }
}

/// Why a policy was refused. Its text reads well in a terminal:
/// `PM2104 retry.rhai:12:9 'backof_ms' is not a field of a retry context; did you mean 'backoff_ms'?`
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, thiserror::Error)]
#[error("{}", self.line_of_text())]
pub struct PolicyProblem {
    pub code: ProblemCode,
    pub stage: Stage,
    pub file: String,
    pub line: Option<u32>,
    pub column: Option<u32>,
    /// What is wrong, in one sentence without the place.
    pub message: String,
    /// What to do about it.
    pub fix: Option<String>,
}

impl PolicyProblem {
    pub(crate) fn new(code: ProblemCode, stage: Stage, file: &str, message: impl Into<String>) -> PolicyProblem {
        let message = crate::log::truncated(crate::log::escaped(&message.into()), 4 << 10);
        PolicyProblem {
            code,
            stage,
            file: crate::log::escaped(file),
            line: None,
            column: None,
            message,
            fix: None,
        }
    }

    pub(crate) fn fix(self, fix: impl Into<String>) -> PolicyProblem {
        PolicyProblem {
            fix: Some(crate::log::escaped(&fix.into())),
            ..self
        }
    }

    pub(crate) fn at(self, line: Option<usize>, column: Option<usize>) -> PolicyProblem {
        PolicyProblem {
            line: line.map(|line| line as u32),
            column: column.map(|column| column as u32),
            ..self
        }
    }

    fn line_of_text(&self) -> String {
        let PolicyProblem {
            code,
            stage: _,
            file,
            line,
            column,
            message,
            fix,
        } = self;
        let mut text = format!("{code} {file}");
        for number in [line, column].into_iter().flatten() {
            text.push_str(&format!(":{number}"));
        }
        text.push(' ');
        text.push_str(message);
        if let Some(fix) = fix {
            text.push_str("; ");
            text.push_str(fix);
        }
        text
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn codes_are_distinct_and_explained() {
        let mut codes: Vec<_> = ProblemCode::ALL.iter().map(|code| code.code()).collect();
        codes.dedup();
        assert_eq!(codes.len(), ProblemCode::ALL.len());
        assert!(ProblemCode::ALL.iter().all(|code| code.explain().len() > 20));
    }

    #[test]
    fn a_problem_reads_well_in_a_terminal_and_in_json() {
        let problem = PolicyProblem::new(ProblemCode::UnknownField, Stage::Parse, "retry.rhai", "'atempt' is not a field")
            .at(Some(12), Some(9))
            .fix("did you mean 'attempt'?");
        assert_eq!(
            problem.to_string(),
            "PM2104 retry.rhai:12:9 'atempt' is not a field; did you mean 'attempt'?"
        );
        let json = serde_json::to_value(&problem).expect("plain data");
        assert_eq!(json["code"], "PM2104");
        assert_eq!(json["stage"], "parse");
    }
}
