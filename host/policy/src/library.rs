//! Policy versions: checked before they may serve, kept while they do.

use crate::component::Compiler;
use crate::component::cache::CompiledCache;
use crate::limits::{COMPONENT_BYTES_MAX, NAME_BYTES_MAX, REASON_TEXT_BYTES_MAX, SCRIPT_BYTES_MAX, within};
use crate::log::is_plain;
use crate::problem::{PolicyProblem, ProblemCode, Stage};
use crate::self_test::canned_context;
use crate::version::{Failure, Program, Told, Version, blake3_digest, digest, sha256};
use crate::{component, script, settings};
use pointsman_model::ids::Digest;
use pointsman_model::policy::*;
use std::collections::HashMap;
use std::hash::{BuildHasherDefault, Hasher};
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::Path;
use std::sync::atomic::{AtomicBool, AtomicU8, Ordering};
use std::sync::{Arc, PoisonError, RwLock};

/// All loaded versions, by digest. Cheap to clone; any thread may check or load while another asks.
#[derive(Clone)]
pub struct Library(Arc<Shelves>);

struct Shelves {
    versions: RwLock<HashMap<Digest, Arc<Version>, BuildHasherDefault<OfDigest>>>,
    cache: Option<Arc<CompiledCache>>,
    trusts_scripts: AtomicBool,
    /// Kinds whose components may be kept warm, a bit each in the order of [`PolicyKind::ALL`].
    warm_kinds: AtomicU8,
    compiler: Compiler,
}

/// A digest is a hash already: its first bytes are as good as any other, and each decision looks its version up.
#[derive(Default)]
struct OfDigest(u64);

impl Hasher for OfDigest {
    fn write(&mut self, bytes: &[u8]) {
        if let Some((first, _)) = bytes.split_first_chunk() {
            self.0 ^= u64::from_le_bytes(*first);
        }
    }

    fn finish(&self) -> u64 {
        self.0
    }
}

/// A policy that is offered: a file as it was found, and the settings that differ from its defaults.
#[derive(Clone, Debug)]
pub struct PolicySource {
    /// For messages, and to tell a script by its ending.
    pub file: String,
    pub bytes: Vec<u8>,
    pub settings: Vec<Setting>,
    /// An operator vouches for it: a script then runs natively, three times as fast and not contained by the sandbox.
    /// Components always run in it.
    pub trusted: bool,
}

/// A policy that passed every stage and may be installed.
#[derive(Clone)]
pub struct Checked {
    pub description: PolicyDescription,
    pub code: Arc<[u8]>,
    version: Arc<Version>,
}

impl std::fmt::Debug for Checked {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Checked")
            .field("description", &self.description)
            .finish_non_exhaustive()
    }
}

#[derive(Debug, thiserror::Error)]
pub enum LibraryError {
    #[error("the cache of compiled policies at {path} cannot be used")]
    Cache { path: std::path::PathBuf, source: std::io::Error },
}

impl Library {
    /// A library that compiles anew at each load, in this process: for tests and benches, whose policies are known.
    pub fn new() -> Library {
        Library::over(Compiler::InThisProcess, None)
    }

    /// The same, keeping compiled code in a directory, which it makes and trusts only as far as its own key goes.
    pub fn with_cache(directory: &Path) -> Result<Library, LibraryError> {
        Library::with_compiler_and_cache(Compiler::InThisProcess, directory)
    }

    /// A library that compiles where it is told, anew at each load.
    pub fn with_compiler(compiler: Compiler) -> Library {
        Library::over(compiler, None)
    }

    /// What a host uses: compiles where it is told, and keeps compiled code.
    pub fn with_compiler_and_cache(compiler: Compiler, directory: &Path) -> Result<Library, LibraryError> {
        let cache = CompiledCache::open(directory).map_err(|source| LibraryError::Cache {
            path: directory.to_path_buf(),
            source,
        })?;
        Ok(Library::over(compiler, Some(Arc::new(cache))))
    }

    /// A library without a version that compiles as this one does and shares its cache.
    pub fn empty(&self) -> Library {
        Library::over(self.0.compiler.clone(), self.0.cache.clone())
    }

    /// Whether the operator vouches for every script that is checked from now on. Versions that were recorded run as
    /// they were activated.
    pub fn trust_scripts(&self, trust: bool) {
        self.0.trusts_scripts.store(trust, Ordering::Relaxed);
    }

    /// Components of these kinds that are checked from now on may answer live decisions from an instance that has decided
    /// before: a small decision is then many times cheaper, and a policy may remember what it should not. Versions that
    /// were recorded run as they were activated.
    pub fn keep_warm(&self, kinds: &[PolicyKind]) {
        let bits = kinds.iter().fold(0, |bits, kind| bits | warm_bit(*kind));
        self.0.warm_kinds.store(bits, Ordering::Relaxed);
    }

    fn over(compiler: Compiler, cache: Option<Arc<CompiledCache>>) -> Library {
        Library(Arc::new(Shelves {
            versions: RwLock::default(),
            cache,
            trusts_scripts: AtomicBool::new(false),
            warm_kinds: AtomicU8::new(0),
            compiler,
        }))
    }

    /// Takes a policy through every stage, on the calling thread: keep it off the one that decides, as a component
    /// takes a tenth of a second to compile, and a hostile one longer.
    pub fn check(&self, source: PolicySource, ceilings: PolicyLimits) -> Result<Checked, PolicyProblem> {
        self.check_watched(source, ceilings, &mut |_| {})
    }

    /// The same, telling each stage as it begins. A script is not compiled and not linked.
    pub fn check_watched(
        &self,
        source: PolicySource,
        ceilings: PolicyLimits,
        on_stage: &mut dyn FnMut(Stage),
    ) -> Result<Checked, PolicyProblem> {
        on_stage(Stage::Fetch);
        let PolicySource {
            file,
            bytes,
            settings: given,
            trusted,
        } = source;
        let engine = fetch(&file, &bytes, trusted || self.0.trusts_scripts.load(Ordering::Relaxed))?;
        on_stage(Stage::Digest);
        let (mut program, code_digest) = self.load(engine, &file, &bytes, ceilings, on_stage)?;
        on_stage(Stage::Describe);
        let told =
            guarded(|| program.describe()).map_err(|failure| problem(failure, ProblemCode::DescribeFailed, Stage::Describe, &file))?;
        check_told(&file, &told)?;
        if let Program::Component(component) = &program
            && component.kind() != told.kind
        {
            let message = format!(
                "it says that it is a {} policy, but `decide` has the type of {}",
                told.kind,
                component.kind()
            );
            return Err(PolicyProblem::new(ProblemCode::BadDescription, Stage::Describe, &file, message)
                .fix("return the kind of the world it is built for"));
        }
        on_stage(Stage::Settings);
        let settings = settings::complete(&told.settings, &given)
            .map_err(|fault| PolicyProblem::new(ProblemCode::BadSetting, Stage::Settings, &file, fault.message).fix(fault.fix))?;
        let objections = guarded(|| program.check_settings(&settings))
            .map_err(|failure| problem(failure, ProblemCode::SettingsRefused, Stage::Settings, &file))?;
        if let Some(objection) = objections.first() {
            let message = format!("the policy refuses setting '{}': {}", objection.name, objection.problem);
            return Err(PolicyProblem::new(ProblemCode::SettingsRefused, Stage::Settings, &file, message));
        }

        on_stage(Stage::SelfTest);
        let limits = within(ceilings, told.limits);
        program.settle(&told.name, limits);
        let mut engine = engine;
        if let Program::Component(component) = &mut program
            && self.0.warm_kinds.load(Ordering::Relaxed) & warm_bit(told.kind) != 0
        {
            engine = EngineKind::WarmComponent;
            component.allow_warm();
        }
        let mut context = canned_context(told.kind);
        context.frame_mut().settings = settings.clone();
        guarded(|| program.decide(&context)).map_err(|failure| problem(failure, ProblemCode::SelfTestFailed, Stage::SelfTest, &file))?;

        let Told {
            name,
            version,
            kind,
            summary,
            settings: settings_schema,
            limits: _,
            state_version,
        } = told;
        let description = PolicyDescription {
            policy: PolicyRef {
                name,
                version,
                digest: digest(engine, kind, code_digest, &settings, limits),
                engine,
            },
            kind,
            summary,
            settings_schema,
            settings,
            limits,
            state_version,
            code_bytes: bytes.len() as u64,
        };
        let version = Arc::new(Version {
            description: description.clone(),
            program,
        });
        Ok(Checked {
            description,
            code: bytes.into(),
            version,
        })
    }

    /// What a checked version makes of another's state, on the calling thread: rehearsed on a copy before the version is
    /// installed. The same call is made again in the turn that activates it, through [`Engines`](crate::Engines).
    pub fn rehearse_migration(&self, checked: &Checked, from_version: u32, state: &[u8]) -> Result<Vec<u8>, Fault> {
        guarded(|| checked.version.program.migrate(from_version, state)).map_err(Failure::into_fault)
    }

    /// From now on the version can be asked.
    pub fn install(&self, checked: Checked) {
        let Checked {
            description: _,
            code: _,
            version,
        } = checked;
        self.put(version);
    }

    /// Loads a version as it was recorded, at a start of the host. It was checked when it was activated, so it is not
    /// asked again who it is: code, settings and limits must have the recorded digest.
    pub fn load_recorded(&self, description: &PolicyDescription, code: &[u8]) -> Result<(), PolicyProblem> {
        let file = description.policy.to_string();
        let PolicyRef {
            name,
            version: _,
            digest: recorded,
            engine,
        } = &description.policy;
        if self.contains(recorded) {
            return Ok(());
        }
        let code_digest = sha256(code);
        let found = digest(*engine, description.kind, code_digest, &description.settings, description.limits);
        // Journals of the first releases name versions by BLAKE3.
        let first = || {
            blake3_digest(
                *engine,
                description.kind,
                Digest::of(code),
                &description.settings,
                description.limits,
            )
        };
        if found != *recorded && first() != *recorded {
            let message = format!(
                "its stored code, settings and limits have digest {}, recorded was {}",
                found.short(),
                recorded.short()
            );
            return Err(PolicyProblem::new(ProblemCode::DigestMismatch, Stage::Digest, &file, message)
                .fix("restore the data directory from a backup, or activate the policy again"));
        }
        if *engine == EngineKind::BuiltIn {
            return Ok(());
        }
        let (mut program, _) = self.load(*engine, &file, code, description.limits, &mut |_| {})?;
        program.settle(name, description.limits);
        self.put(Arc::new(Version {
            description: description.clone(),
            program,
        }));
        Ok(())
    }

    /// Drops a version; a decision under way on another thread finishes on it. False if it was not there.
    pub fn remove(&self, digest: &Digest) -> bool {
        self.0
            .versions
            .write()
            .unwrap_or_else(PoisonError::into_inner)
            .remove(digest)
            .is_some()
    }

    pub fn contains(&self, digest: &Digest) -> bool {
        self.0.versions.read().unwrap_or_else(PoisonError::into_inner).contains_key(digest)
    }

    pub fn description(&self, digest: &Digest) -> Option<PolicyDescription> {
        self.version(digest).map(|version| version.description.clone())
    }

    /// Decisions under way on a version, and what else still holds it: a shadow, a replay.
    pub fn uses(&self, digest: &Digest) -> usize {
        let versions = self.0.versions.read().unwrap_or_else(PoisonError::into_inner);
        versions.get(digest).map_or(0, |version| Arc::strong_count(version) - 1)
    }

    /// How many versions are loaded.
    pub fn len(&self) -> usize {
        self.0.versions.read().unwrap_or_else(PoisonError::into_inner).len()
    }

    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    pub(crate) fn version(&self, digest: &Digest) -> Option<Arc<Version>> {
        self.0.versions.read().unwrap_or_else(PoisonError::into_inner).get(digest).cloned()
    }

    fn put(&self, version: Arc<Version>) {
        let digest = version.description.policy.digest;
        self.0
            .versions
            .write()
            .unwrap_or_else(PoisonError::into_inner)
            .insert(digest, version);
    }

    /// The program, and the SHA-256 of its code.
    fn load(
        &self,
        engine: EngineKind,
        file: &str,
        code: &[u8],
        limits: PolicyLimits,
        on_stage: &mut dyn FnMut(Stage),
    ) -> Result<(Program, Digest), PolicyProblem> {
        on_stage(Stage::Parse);
        match engine {
            EngineKind::Component | EngineKind::WarmComponent => {
                let Shelves { cache, compiler, .. } = &*self.0;
                let (mut program, sha256) = component::load(file, code, limits, cache.as_deref(), compiler, on_stage)?;
                if engine == EngineKind::WarmComponent {
                    program.allow_warm();
                }
                Ok((Program::Component(program), sha256))
            }
            EngineKind::Rhai => script::load(file, code, false, limits, self.0.cache.as_deref(), &self.0.compiler)
                .map(|program| (Program::Script(program), sha256(code))),
            EngineKind::TrustedRhai => {
                script::load(file, code, true, limits, None, &self.0.compiler).map(|program| (Program::Script(program), sha256(code)))
            }
            EngineKind::BuiltIn => Err(PolicyProblem::new(
                ProblemCode::UnknownFormat,
                Stage::Fetch,
                file,
                "a built-in policy has no code",
            )),
        }
    }
}

impl Default for Library {
    fn default() -> Library {
        Library::new()
    }
}

fn warm_bit(kind: PolicyKind) -> u8 {
    match kind {
        PolicyKind::SourceSelection => 1,
        PolicyKind::Retry => 1 << 1,
        PolicyKind::PromotionGate => 1 << 2,
        PolicyKind::Curriculum => 1 << 3,
    }
}

/// What runs it, told by its bytes and then by its name.
fn fetch(file: &str, bytes: &[u8], trusted: bool) -> Result<EngineKind, PolicyProblem> {
    let refuse = |code, message: String| PolicyProblem::new(code, Stage::Fetch, file, message);
    let too_large = |max: usize| refuse(ProblemCode::TooLarge, format!("{} bytes; at most {max} are allowed", bytes.len()));
    if bytes.starts_with(b"\0asm") {
        return if bytes.len() > COMPONENT_BYTES_MAX {
            Err(too_large(COMPONENT_BYTES_MAX).fix("build in release mode and strip debug information"))
        } else {
            Ok(EngineKind::Component)
        };
    }
    if !file.ends_with(".rhai") {
        return Err(refuse(
            ProblemCode::UnknownFormat,
            "it is neither a WebAssembly component nor a Rhai script".to_string(),
        )
        .fix("offer a .wasm component, or a script whose name ends in .rhai"));
    }
    if bytes.len() > SCRIPT_BYTES_MAX {
        return Err(too_large(SCRIPT_BYTES_MAX).fix("shorten the script, or write it in Rust"));
    }
    Ok(if trusted { EngineKind::TrustedRhai } else { EngineKind::Rhai })
}

fn check_told(file: &str, told: &Told) -> Result<(), PolicyProblem> {
    let Told {
        name,
        version,
        kind: _,
        summary,
        settings: schema,
        limits: _,
        state_version: _,
    } = told;
    let refuse = |message: String| PolicyProblem::new(ProblemCode::BadDescription, Stage::Describe, file, message);
    for (what, text) in [("name", name), ("version", version)] {
        let plain = |byte: u8| byte.is_ascii_alphanumeric() || b"-_.+".contains(&byte);
        if text.is_empty() || text.len() > NAME_BYTES_MAX || !text.bytes().all(plain) {
            return Err(refuse(format!("its {what} '{}' cannot be used", text.escape_debug())).fix(format!(
                "use letters, digits, '-', '_', '.' and '+', at most {NAME_BYTES_MAX} bytes"
            )));
        }
    }
    if summary.len() > REASON_TEXT_BYTES_MAX || !summary.chars().all(is_plain) {
        return Err(refuse(format!(
            "its summary is longer than {REASON_TEXT_BYTES_MAX} bytes or holds control characters"
        ))
        .fix("write one plain sentence"));
    }
    settings::check_schema(schema).map_err(refuse)
}

/// A panic in an engine is a refusal like any other.
fn guarded<T>(call: impl FnOnce() -> Result<T, Failure>) -> Result<T, Failure> {
    catch_unwind(AssertUnwindSafe(call))
        .unwrap_or_else(|_| Err(Failure::new(FaultClass::HostFault, "the engine panicked while it ran this policy")))
}

fn problem(failure: Failure, stage_code: ProblemCode, stage: Stage, file: &str) -> PolicyProblem {
    let Failure {
        class,
        code,
        message,
        fix,
        line,
        column,
        cost: _,
    } = failure;
    let what = match (stage, class) {
        (_, FaultClass::HostFault) => return PolicyProblem::new(ProblemCode::HostFailure, stage, file, message),
        (Stage::SelfTest, _) => format!("a plain test context ended in {}: {message}", class.slug()),
        (_, FaultClass::Trap | FaultClass::Declined) => message,
        (_, _) => format!("{}: {message}", class.slug()),
    };
    let problem = PolicyProblem::new(code.unwrap_or(stage_code), stage, file, what).at(line, column);
    match fix {
        Some(fix) => problem.fix(fix),
        None => problem,
    }
}
