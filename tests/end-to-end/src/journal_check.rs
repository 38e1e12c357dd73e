//! What the journal of a host must look like, whatever happened to the host.

use anyhow::{Context, Result, ensure};
use pointsman_coordinator::Coordinator;
use pointsman_journal::{Reader, VerifyOptions};
use pointsman_model::decision::Link;
use pointsman_model::event::{Event, Recorded};
use pointsman_model::policy::{PolicyKind, PolicyRef};
use pointsman_model::run::{RunEnd, RunStatus, Work};
use pointsman_model::{Digest, ModelTag, RunId, Seq, SourceId};
use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;

#[derive(Debug, Default)]
pub struct Findings {
    pub events: u64,
    pub decisions: u64,
    pub fallbacks: u64,
    pub swaps: u64,
    pub outcomes: u64,
    pub starts: u32,
    /// Model, and the one before it, of each live apply.
    pub applies: Vec<(ModelTag, ModelTag)>,
    pub rejected: u64,
}

/// Reads the whole journal and checks what must hold in it:
/// the chain is whole; entries are without gaps; each decision is there once, with its context, and was made by the
/// version that was active at its place; each run has at most one outcome and was planned before it; attempts of a
/// source are without gaps; the state folded from the entries alone agrees with the views.
pub fn check_journal(file: &Path) -> Result<Findings> {
    let reader = Reader::open(file).context("the journal opens")?;
    let report = reader.verify(&VerifyOptions::default())?;
    ensure!(report.is_sound(), "the journal is not sound: {report:?}");

    let mut findings = Findings::default();
    let mut coordinator = Coordinator::new();
    let mut walk = Walk::default();
    let mut last = Seq(0);
    loop {
        let page = reader.events_after(last, 500)?;
        let Some(newest) = page.last() else { break };
        let reached = newest.seq;
        for recorded in &page {
            ensure!(recorded.seq.0 == last.0 + 1, "entry {} follows {last}", recorded.seq);
            last = recorded.seq;
            walk.step(recorded, &reader, &mut findings).with_context(|| format!("entry {}", recorded.seq))?;
            coordinator.apply_recorded(recorded);
        }
        ensure!(last == reached, "a page ends where it says");
    }
    findings.events = last.0;

    let state = coordinator.state();
    ensure!(state.totals.decisions == findings.decisions, "the state counts {} decisions", state.totals.decisions);
    for run in walk.planned.keys() {
        let row = reader.run(*run)?.with_context(|| format!("run {run} is missing from the views"))?;
        let over = matches!(row.status, RunStatus::Completed | RunStatus::Failed | RunStatus::Cancelled);
        ensure!(over == walk.finished.contains(run), "run {run} is {} in the views", row.status.slug());
        ensure!(over != state.runs.contains_key(run), "run {run} is {} in the views, and wanted at once", row.status.slug());
    }
    Ok(findings)
}

#[derive(Default)]
struct Walk {
    /// Versions by kind: the active one, and those before it.
    active: BTreeMap<PolicyKind, (u32, PolicyRef)>,
    history: BTreeMap<PolicyKind, Vec<PolicyRef>>,
    canaries: BTreeMap<PolicyKind, PolicyRef>,
    planned: BTreeMap<RunId, Option<SourceId>>,
    finished: BTreeSet<RunId>,
    attempts: BTreeMap<SourceId, u32>,
    models: BTreeSet<Digest>,
}

impl Walk {
    fn step(&mut self, recorded: &Recorded, reader: &Reader, findings: &mut Findings) -> Result<()> {
        match &recorded.event {
            Event::HostStarted { term, .. } => {
                findings.starts += 1;
                ensure!(*term == findings.starts, "start {} is called {term}", findings.starts);
            }
            Event::Decided(decision) => {
                findings.decisions += 1;
                ensure!(decision.id.0 == findings.decisions, "decision {} is the journal's number {}", decision.id, findings.decisions);
                let record = reader.decision(decision.id)?.context("the decision is missing from the ledger")?;
                let context = record.decode_context().context("its context is missing")?.context("its context is damaged")?;
                ensure!(context.kind() == decision.kind, "a {} decision has a {} context", decision.kind, context.kind());
                ensure!(context.encode().digest == decision.context, "its context has another digest");
                let ruling = &decision.ruling;
                let active = self.active.get(&decision.kind);
                ensure!(decision.generation == active.map_or(0, |(generation, _)| *generation), "it names generation {}", decision.generation);
                let before = self.history.get(&decision.kind).and_then(|history| history.last());
                let by_link = |link: Link| match link {
                    Link::Candidate => self.canaries.get(&decision.kind).cloned(),
                    Link::Active => active.map(|(_, policy)| policy.clone()),
                    Link::LastGood => before.cloned(),
                    Link::BuiltIn => Some(PolicyRef::built_in(decision.kind)),
                };
                for (link, policy) in
                    ruling.declined.iter().map(|declined| (declined.link, &declined.policy)).chain([(ruling.link, &ruling.policy)])
                {
                    ensure!(by_link(link).as_ref() == Some(policy), "{policy} answered as {} of generation {}", link.slug(), decision.generation);
                }
                findings.fallbacks += u64::from(!ruling.declined.is_empty());
            }
            Event::PolicyActivated { generation, description, .. } => {
                let before = self.active.insert(description.kind, (*generation, description.policy.clone()));
                ensure!(*generation == before.as_ref().map_or(0, |(generation, _)| *generation) + 1, "generation {generation} has a gap");
                let before = before.map(|(_, before)| before).filter(|before| *before != PolicyRef::built_in(description.kind));
                if let Some(before) = before {
                    self.history.entry(description.kind).or_default().push(before);
                    findings.swaps += 1;
                }
            }
            Event::PolicyCanaryStarted { description, .. } => {
                self.canaries.insert(description.kind, description.policy.clone());
            }
            Event::PolicyCanaryEnded { kind, policy, .. } => {
                ensure!(self.canaries.remove(kind).as_ref() == Some(policy), "{policy} ends a canary that is another's");
            }
            Event::PolicyRolledBack { kind, generation, to, .. } => {
                let restored = self.history.entry(*kind).or_default().pop();
                let restored = restored.unwrap_or_else(|| PolicyRef::built_in(*kind));
                ensure!(restored == to.policy, "a rollback brings back {}", to.policy);
                self.active.insert(*kind, (*generation, to.policy.clone()));
                findings.swaps += 1;
            }
            Event::RunPlanned { run, .. } => {
                let source = match &run.work {
                    Work::Train { source, .. } => Some(*source),
                    Work::Bootstrap | Work::Evaluate { .. } => None,
                };
                ensure!(self.planned.insert(run.token.run, source).is_none(), "run {} is planned twice", run.token.run);
                if let Some(source) = source {
                    let attempts = self.attempts.entry(source).or_default();
                    *attempts += 1;
                    ensure!(run.token.attempt == *attempts, "attempt {} of source {source} is its number {attempts}", run.token.attempt);
                }
            }
            Event::RunFinished { token, report, model } => {
                ensure!(self.planned.contains_key(&token.run), "run {} ends without a plan", token.run);
                ensure!(self.finished.insert(token.run), "run {} has two outcomes", token.run);
                findings.outcomes += 1;
                if let (RunEnd::Completed(completion), Some(_)) = (&report.end, model) {
                    let file = completion.model.as_ref().context("a model without a file")?;
                    self.models.insert(file.digest);
                }
            }
            Event::ModelApplied { model, before, .. } => findings.applies.push((model.clone(), before.clone())),
            Event::CandidateEnded { end, .. } => {
                findings.rejected += u64::from(*end == pointsman_model::promotion::CandidateEnd::Rejected);
            }
            _ => {}
        }
        Ok(())
    }
}
