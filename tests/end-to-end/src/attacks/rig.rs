//! What the cases are played with, and how they are judged.

use super::bystander::Bystander;
use super::compiling;
use super::guest::{self, Guest};
use super::play::{self, Asked, Course};
use super::table::{Seen, Table, seen, short};
use anyhow::{Context as _, Result, anyhow, bail, ensure};
use pointsman_coordinator::Policies;
use pointsman_model::context::Context;
use pointsman_model::decision::{Answer, Link, RetryVerdict, Verdict};
use pointsman_model::policy::*;
use pointsman_policy::{
    Checked, CompileChild, CompileLimits, Compiler, Engines, Library, PolicyProblem, PolicySource, ProblemCode, Stage, canned_context,
};
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

/// Over its deadline a decision may be by this much, in CPU time of the deciding thread, fallback and record included.
const OVER_DEADLINE_MS: f64 = 20.0;
/// How long an offer may take that is refused before it is compiled.
const REFUSED_WITHIN_MS: f64 = 2_000.0;
const CALM: Duration = Duration::from_secs(3);

/// Promises for the whole corpus.
const P99_FACTOR_MAX: f64 = 2.0;
const MEMORY_GROWTH_BYTES_MAX: u64 = 150 << 20;
const WHOLE_S_MAX: f64 = 180.0;

pub struct Rig {
    pub(super) library: Library,
    program: PathBuf,
    pub(super) plugins: PathBuf,
    pub(super) directory: tempfile::TempDir,
    healthy: PolicyDescription,
    pub(super) bystander: Bystander,
    memory_bytes_before: u64,
}

impl Rig {
    /// `program` compiles; `plugins` holds the built guests.
    pub fn new(program: &Path, plugins: &Path) -> Result<Rig> {
        let directory = tempfile::tempdir().context("a directory for compiled code")?;
        let compiler = Compiler::Child(CompileChild::new(program, ["compile"]));
        let library = Library::with_compiler_and_cache(compiler, &directory.path().join("cache"))?;
        let install = |source: PolicySource| -> Result<PolicyDescription> {
            let checked = library.check(source, PolicyLimits::default())?;
            let description = checked.description.clone();
            library.install(checked);
            Ok(description)
        };
        let healthy = install(source("healthy.wasm", Guest::default().component()?))?;
        let shipped = plugins.join("retry_backoff.wasm");
        let bytes = std::fs::read(&shipped).with_context(|| format!("{} is not built; `make plugins` builds it", shipped.display()))?;
        let neighbour = install(source("retry_backoff.wasm", bytes))?;
        let question = question(&neighbour);
        let mut engines = Engines::new(library.clone());
        let expected = engines
            .ask(&neighbour.policy, &question)
            .map_err(|fault| anyhow!("{fault:?}"))?
            .verdict;
        Ok(Rig {
            program: program.to_path_buf(),
            plugins: plugins.to_path_buf(),
            directory,
            healthy,
            bystander: Bystander::start(engines, neighbour.policy, question, expected),
            library,
            memory_bytes_before: 0,
        })
    }

    /// Makes what is large; from then on the growth of resident memory counts.
    pub fn prepare(&mut self) -> Result<()> {
        compiling::make_large_guests(self)?;
        // SAFETY: gives free memory back to the system; safe at any time.
        unsafe {
            libc::malloc_trim(0);
        }
        // Resets the peak that the kernel keeps.
        std::fs::write("/proc/self/clear_refs", "5").context("reset the peak of resident memory")?;
        self.memory_bytes_before = memory_bytes("VmRSS")?;
        Ok(())
    }

    pub(super) fn calm(&self) {
        self.bystander.calm(CALM);
    }

    /// A library that compiles in children with these limits, and keeps nothing.
    pub(super) fn library_within(&self, limits: CompileLimits) -> Library {
        Library::with_compiler(Compiler::Child(CompileChild::new(&self.program, ["compile"]).within(limits)))
    }

    /// The next decision of a healthy policy on this thread, and all so far on the other, are unharmed.
    pub(super) fn unharmed(&self) -> Result<()> {
        let answer = self.ask(&self.healthy.policy, &question(&self.healthy));
        let answer = answer.map_err(|fault| anyhow!("the next decision of a healthy policy failed: {fault:?}"))?;
        ensure!(
            answer.verdict == Verdict::Retry(RetryVerdict::Retry(0)),
            "the next decision of a healthy policy was {answer:?}"
        );
        if let Some(harmed) = self.bystander.harmed() {
            bail!("a decision of the bystander was harmed: {harmed}");
        }
        Ok(())
    }

    pub(super) fn ask(&self, policy: &PolicyRef, context: &Context) -> Result<Answer, Fault> {
        Engines::new(self.library.clone()).ask(policy, context)
    }

    pub(super) fn check(&self, file: &str, bytes: impl Into<Vec<u8>>) -> Result<Checked, PolicyProblem> {
        self.library.check(source(file, bytes), PolicyLimits::default())
    }

    /// Refused before it serves, at one of these stages, quickly.
    pub(super) fn refused(&self, file: &str, bytes: impl Into<Vec<u8>>, stages: &[Stage]) -> Result<Seen> {
        let began = Instant::now();
        let problem = match self.check(file, bytes) {
            Ok(checked) => bail!("{} was accepted", checked.description.policy),
            Err(problem) => problem,
        };
        let ms = ms_since(began);
        ensure!(stages.contains(&problem.stage), "refused at {}: {problem}", problem.stage);
        ensure!(problem.code != ProblemCode::HostFailure, "called our own fault: {problem}");
        ensure!(ms <= REFUSED_WITHIN_MS, "refused after {ms:.0} ms: {problem}");
        self.unharmed()?;
        Ok(seen(refusal(&problem), ms))
    }

    /// Made active without the self-test that would refuse it, and asked through the coordinator: the fault has one of
    /// these classes, the built-in answers, and the record says so.
    pub(super) fn contained(&self, engine: EngineKind, kind: PolicyKind, code: &[u8], classes: &[FaultClass]) -> Result<Seen> {
        let asked = self.play(engine, kind, code)?;
        let (decision, cpu_ms) = (&asked.decision, asked.cpu_ms);
        let declined = decision
            .ruling
            .declined
            .first()
            .with_context(|| format!("it answered {}", decision.ruling.verdict.slug()))?;
        let Fault { class, detail, cost: _ } = &declined.fault;
        ensure!(classes.contains(class), "ended by {}: {detail}", class.slug());
        ensure!(
            detail.len() <= FAULT_DETAIL_BYTES_MAX,
            "the record keeps {} bytes of the fault",
            detail.len()
        );
        ensure!(decision.ruling.link == Link::BuiltIn, "{} answered", decision.ruling.link.slug());
        ensure!(
            play::is_fallback(&decision.ruling.verdict),
            "the fallback was {:?}",
            decision.ruling.verdict
        );
        let allowed_ms = f64::from(PolicyLimits::default().deadline_ms) + OVER_DEADLINE_MS;
        ensure!(cpu_ms <= allowed_ms, "ended by {} after {cpu_ms:.1} ms of CPU time", class.slug());
        self.unharmed()?;
        Ok(seen(format!("T {}: {}", class.slug(), short(detail)), cpu_ms))
    }

    /// Like [`Rig::contained`], for what is no more than odd: the policy itself answers, within its limits.
    pub(super) fn answered(&self, engine: EngineKind, kind: PolicyKind, code: &[u8]) -> Result<Seen> {
        let Asked { decision, cpu_ms, .. } = self.play(engine, kind, code)?;
        let declined = decision.ruling.declined.first();
        ensure!(declined.is_none(), "ended by {:?}", declined.map(|declined| &declined.fault));
        ensure!(decision.ruling.link == Link::Active, "{} answered", decision.ruling.link.slug());
        self.unharmed()?;
        Ok(seen(format!("goes on and answers {}", decision.ruling.verdict.slug()), cpu_ms))
    }

    /// A retry component with an answer that may be taken or refused, but does no harm.
    pub(super) fn contained_or_answered(&self, code: &[u8]) -> Result<Seen> {
        let (engine, kind) = (EngineKind::Component, PolicyKind::Retry);
        self.answered(engine, kind, code)
            .or_else(|_| self.contained(engine, kind, code, &[FaultClass::InvalidOutput]))
    }

    fn play(&self, engine: EngineKind, kind: PolicyKind, code: &[u8]) -> Result<Asked> {
        let description = self.load_unasked(engine, kind, code)?;
        let digest = description.policy.digest;
        let asked = play::ask(description, &mut Engines::new(self.library.clone()), Course::plain());
        self.library.remove(&digest);
        asked
    }

    /// Loads code as a start of the host does: without asking it anything, as it was once accepted.
    pub(super) fn load_unasked(&self, engine: EngineKind, kind: PolicyKind, code: &[u8]) -> Result<PolicyDescription> {
        guest::load_unasked(&self.library, engine, kind, code, PolicyLimits::default())
            .map_err(|problem| anyhow!("it does not load: {problem}"))
    }

    /// What holds for all of it together.
    pub(super) fn judge_whole(&self, table: &mut Table) -> Result<()> {
        let (calm, attacked) = self.bystander.p99_us();
        let (calm_middle, attacked_middle) = self.bystander.p50_us();
        let asked = self.bystander.asked();
        table.case("P1", "other decisions, all the while", "p99 at most 2 x calm, none harmed", || {
            self.unharmed()?;
            let text = format!(
                "{asked} asked, none harmed; p99 {attacked:.1} us, calm {calm:.1} us: {:.2} x (p50 {attacked_middle:.1}, calm {calm_middle:.1})",
                attacked / calm
            );
            ensure!(attacked <= calm * P99_FACTOR_MAX, "{text}");
            Ok(seen(text, attacked / 1e3))
        });
        let peak = memory_bytes("VmHWM")?;
        table.case(
            "P3",
            "resident memory, all the while",
            "peak at most 150 MiB over the start",
            || {
                ensure!(self.memory_bytes_before > 0, "nobody began to count");
                let growth = peak.saturating_sub(self.memory_bytes_before);
                let mib = |bytes: u64| bytes as f64 / f64::from(1 << 20);
                let text = format!(
                    "{:.0} MiB at the start, at most {:.0} MiB more",
                    mib(self.memory_bytes_before),
                    mib(growth)
                );
                ensure!(growth <= MEMORY_GROWTH_BYTES_MAX, "{text}");
                Ok(seen(text, 0.0))
            },
        );
        let whole_s = table.elapsed_s();
        table.case("all", "the whole corpus", "under 3 minutes", || {
            ensure!(whole_s < WHOLE_S_MAX, "{whole_s:.0} s");
            Ok(seen(format!("{whole_s:.0} s"), whole_s * 1e3))
        });
        Ok(())
    }
}

pub(super) fn source(file: &str, bytes: impl Into<Vec<u8>>) -> PolicySource {
    PolicySource {
        file: file.to_string(),
        bytes: bytes.into(),
        settings: Vec::new(),
        trusted: false,
    }
}

/// The canned context of a version's kind, with its settings.
pub(super) fn question(description: &PolicyDescription) -> Context {
    let mut context = canned_context(description.kind);
    context.frame_mut().settings.clone_from(&description.settings);
    context
}

pub(super) fn refusal(problem: &PolicyProblem) -> String {
    format!("refused at {}, {}: {}", problem.stage, problem.code, short(&problem.message))
}

pub(super) fn ms_since(began: Instant) -> f64 {
    began.elapsed().as_secs_f64() * 1e3
}

/// CPU time of this thread.
pub(super) fn cpu_ms() -> f64 {
    let mut time = libc::timespec { tv_sec: 0, tv_nsec: 0 };
    // SAFETY: the clock exists, and `time` outlives the call.
    unsafe { libc::clock_gettime(libc::CLOCK_THREAD_CPUTIME_ID, &mut time) };
    time.tv_sec as f64 * 1e3 + time.tv_nsec as f64 / 1e6
}

pub(super) fn memory_bytes(field: &str) -> Result<u64> {
    let status = std::fs::read_to_string("/proc/self/status").context("read /proc/self/status")?;
    let line = status.lines().find_map(|line| line.strip_prefix(field)?.strip_prefix(':'));
    let kib = line
        .and_then(|line| line.trim().strip_suffix(" kB"))
        .with_context(|| format!("{field} is in /proc/self/status"))?;
    Ok(kib.trim().parse::<u64>()? << 10)
}
