//! Every language template, the way an author goes: new, build, test, activate, and a live decision answered by it.
//!
//! Source selection goes live on a running host in each language; the other kinds are built and pass their cases. A language that
//! this machine cannot build is skipped, and the reason is printed. `--quick` builds that kind only in JavaScript and Python,
//! whose builds take half a minute each; names of languages choose some: `language-check rust c`.

use anyhow::{Context, Result, bail, ensure};
use pointsman_end_to_end::{Host, Kit};
use pointsman_journal::{DecisionFilter, Reader};
use pointsman_model::decision::Link;
use pointsman_model::policy::PolicyKind;
use serde_json::{Value, json};
use std::path::{Path, PathBuf};
use std::process::{Command, Output};
use std::time::{Duration, Instant};

const LANGUAGES: [&str; 5] = ["rhai", "c", "rust", "js", "python"];
/// The kind that is asked most often, and so goes live.
const LIVE_KIND: &str = "source-selection";
const KINDS: [&str; 4] = [LIVE_KIND, "retry", "promotion-gate", "curriculum"];
/// Languages whose engine goes along into each component.
const SLOW: [&str; 2] = ["js", "python"];
/// Exit code of `policy build` where a compiler is missing.
const MISSING_TOOL: i32 = 4;

struct Checked {
    language: &'static str,
    built: u32,
    /// Why the rest was not.
    skipped: Option<String>,
    live: Option<String>,
    took: Duration,
}

fn main() -> Result<()> {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let quick = arguments.iter().any(|argument| argument == "--quick");
    let wanted: Vec<&str> = arguments.iter().map(String::as_str).filter(|argument| *argument != "--quick").collect();
    if let Some(odd) = wanted.iter().find(|wanted| !LANGUAGES.contains(wanted)) {
        bail!("'{odd}' is not one of {}", LANGUAGES.join(", "));
    }
    let kit = Kit::new()?;
    check(&kit, quick, &wanted).inspect_err(|_| eprintln!("--- the host's last words\n{}\n---", kit.log_tail()))
}

fn check(kit: &Kit, quick: bool, wanted: &[&str]) -> Result<()> {
    let started = Instant::now();
    let mut host = kit.start()?;
    host.wait_ready(Duration::from_secs(60))?;
    let mut checked = Vec::new();
    for language in LANGUAGES.into_iter().filter(|language| wanted.is_empty() || wanted.contains(language)) {
        checked.push(check_language(kit, &mut host, language, quick)?);
    }
    host.stop()?;
    println!("language-check: {} s", started.elapsed().as_secs());
    for Checked { language, built, skipped, live, took } in &checked {
        let live = live.as_deref().unwrap_or("not live");
        let skipped = skipped.as_ref().map_or(String::new(), |reason| format!("; SKIPPED: {reason}"));
        println!("  {language:<7} {built} kinds built and tested in {:>3} s; {live}{skipped}", took.as_secs());
    }
    ensure!(checked.iter().any(|each| each.live.is_some()), "no language could be checked at all");
    Ok(())
}

fn check_language(kit: &Kit, host: &mut Host, language: &'static str, quick: bool) -> Result<Checked> {
    let started = Instant::now();
    let mut checked = Checked { language, built: 0, skipped: None, live: None, took: Duration::ZERO };
    let into = kit.directory.path().join(language);
    std::fs::create_dir(&into)?;
    let kinds = if quick && SLOW.contains(&language) { &KINDS[..1] } else { &KINDS[..] };
    for kind in kinds {
        let name = format!("{language}-{kind}");
        expect(kit, &["policy", "new", &name, "--kind", kind, "--lang", language, "--into", text(&into)?])?;
        let project = into.join(&name);
        let built = pointsman(kit, &["--json", "policy", "build", text(&project)?])?;
        if built.status.code() == Some(MISSING_TOOL) {
            checked.skipped = Some(words(&built));
            break;
        }
        ensure!(built.status.success(), "{name} does not build: {}", words(&built));
        let answer: Value = serde_json::from_slice(&built.stdout).context("build answers with JSON")?;
        let output = PathBuf::from(answer["output"].as_str().context("the output's path")?);
        let tested: Value = serde_json::from_slice(&expect(kit, &["--json", "policy", "test", text(&project)?])?)?;
        ensure!(tested["passed"].as_u64().unwrap_or(0) >= 4 && tested["failed"] == 0, "{name}: {tested}");
        eprintln!("{name}: built and passed {} cases after {} s", tested["passed"], started.elapsed().as_secs());
        checked.built += 1;
        if *kind == LIVE_KIND {
            checked.live = Some(live_decision(kit, host, &name, &output, &tested)?);
        }
    }
    if quick && SLOW.contains(&language) && checked.skipped.is_none() {
        checked.skipped = Some("the other kinds, for the sake of time (--quick)".to_string());
    }
    checked.took = started.elapsed();
    Ok(checked)
}

/// Activates the policy, which picks from now on; a decision in the journal was made by this very version.
fn live_decision(kit: &Kit, host: &mut Host, name: &str, output: &Path, tested: &Value) -> Result<String> {
    host.command(&["policy", "activate", text(output)?, "--reason", "language-check"])?;
    let list = host.get("/api/v1/policies")?;
    let cards = list["policies"].as_array().context("a list of policies")?;
    let card = cards.iter().map(|detail| &detail["card"]).find(|card| card["kind"] == LIVE_KIND).context("the kind's card")?;
    ensure!(card["digest"] == tested["digest"], "{name}: active is {}, tested was {}", card["digest"], tested["digest"]);
    // A new source is a new question.
    host.command(&["queue", "add", "--title", name, "--host", "novel"])?;
    let (journal, kind) = (kit.data().join("journal.sqlite"), PolicyKind::parse(LIVE_KIND));
    let decision = host.wait("a live decision", Duration::from_secs(180), || {
        let newest = Reader::open(&journal)?.decisions(&DecisionFilter { kind, limit: 1, ..DecisionFilter::default() })?;
        Ok(newest.into_iter().find(|decision| json!(decision.digest) == tested["digest"]))
    })?;
    ensure!(decision.link == Link::Active, "{name}: decision {} was answered by {:?}", decision.id, decision.link);
    ensure!(decision.name == name, "{name}: decision {} was answered by {}", decision.id, decision.name);
    Ok(format!(
        "live decision {} ({}): {} fuel, {:.2} ms",
        decision.id,
        decision.verdict,
        decision.fuel.unwrap_or(0),
        f64::from(decision.micros) / 1000.0
    ))
}

fn text(path: &Path) -> Result<&str> {
    path.to_str().context("a path in UTF-8")
}

fn pointsman(kit: &Kit, arguments: &[&str]) -> Result<Output> {
    // What cargo compiled for the shipped guests serves the projects, and the first project the next.
    let target = kit.repository.join("plugins/target");
    Ok(Command::new(&kit.program).args(arguments).env("CARGO_TARGET_DIR", target).output()?)
}

fn expect(kit: &Kit, arguments: &[&str]) -> Result<Vec<u8>> {
    let output = pointsman(kit, arguments)?;
    ensure!(
        output.status.success(),
        "pointsman {}: {} {}{}",
        arguments.join(" "),
        output.status,
        String::from_utf8_lossy(&output.stdout),
        words(&output)
    );
    Ok(output.stdout)
}

fn words(output: &Output) -> String {
    String::from_utf8_lossy(&output.stderr).trim().to_string()
}
