//! Journal entries, wants and state as short lines for people.

use pointsman_coordinator::{Excluded, Installed, Previewed, SelectionMode, State};
use pointsman_model::decision::{Decision, SelectionVerdict, Verdict};
use pointsman_model::event::{Event, Recorded, StageBy, StateHandover};
use pointsman_model::promotion::{CandidateStage, HoldCause};
use pointsman_model::run::{RunClass, RunEnd, Work};
use pointsman_model::source::{Lane, Lock, SourceStage};
use pointsman_model::wants::{Beside, Wants};
use std::fmt::Write;

pub(super) fn line(recorded: &Recorded) -> String {
    let event = &recorded.event;
    format!("{} {}", event.slug(), detail(event)).trim_end().to_string()
}

fn detail(event: &Event) -> String {
    match event {
        Event::HostStarted { version, term } => format!("version {version} term {term}"),
        Event::SourceQueued { source, new, decision } => {
            let by = decision.map(|decision| format!(" by decision {decision}")).unwrap_or_default();
            format!("{source} {} {:?}{by}", new.host.as_deref().unwrap_or("-"), new.title)
        }
        Event::CampaignQueued {
            campaign,
            new,
            rows,
            first,
            actor,
            reason: _,
        } => format!(
            "{} {rows} rows from source {first} {} {:?} by {}",
            campaign.name(),
            new.host.as_deref().unwrap_or("-"),
            new.title,
            actor.0
        ),
        Event::CampaignCancelled {
            campaign,
            left,
            actor,
            reason,
        } => format!("{} {left} rows leave, by {}: {reason}", campaign.name(), actor.0),
        Event::CampaignEnded {
            campaign,
            done,
            failed,
            cancelled,
        } => format!("{} done {done} failed {failed} cancelled {cancelled}", campaign.name()),
        Event::SourcesImported {
            import,
            batch,
            digest: _,
            first,
            rows,
            refused,
            actor,
        } => format!(
            "{import} part {batch}: {} sources from {first}, {refused} refused, by {}",
            rows.len(),
            actor.0
        ),
        Event::SourceEdited {
            source,
            edit,
            actor,
            reason: _,
        } => {
            let edit = serde_json::to_string(edit).unwrap_or_default();
            format!("{source} {edit} by {}", actor.0)
        }
        Event::SourceCancelled { source, actor, reason } => format!("{source} by {}: {reason}", actor.0),
        Event::LockTaken { lock } => format!("{} by {}", lock_words(lock), lock.actor),
        Event::LockReleased { lock, actor, reason } => format!("{} by {}: {reason}", lock_words(lock), actor.0),
        Event::SourceEnabled { source, actor, reason: _ } => format!("{source} by {}", actor.0),
        Event::SourceDisabled {
            source,
            actor,
            reason,
            decision: _,
        } => format!("{source} by {}: {reason}", actor.0),
        Event::RetryScheduled { source, at, decision } => format!("{source} at {} s, decision {decision}", seconds(*at)),
        Event::SourceMoved { source, lane, decision } => format!("{source} to {lane:?}, decision {decision}"),
        Event::SourceGivenUp { source, decision } => format!("{source}, decision {decision}"),
        Event::HostsParked { hosts, decision } => format!("{}, decision {decision}", hosts.join(" ")),
        Event::TrainingStarted { actor, reason } | Event::TrainingStopped { actor, reason } => format!("by {}: {reason}", actor.0),
        Event::SettingsChanged {
            settings: _,
            actor,
            reason: _,
            cause: _,
        } => format!("by {}", actor.0),
        Event::PresetSaved { name, preset: _, actor } | Event::PresetDeleted { name, actor } => format!("{name} by {}", actor.0),
        Event::Decided(decision) => decided(decision),
        Event::RunPlanned { run, decision: _ } => {
            let work = match &run.work {
                Work::Bootstrap => "bootstrap".to_string(),
                Work::Train {
                    source,
                    host,
                    replay_hosts,
                    ..
                } => {
                    format!(
                        "source {source} host {} replay [{}]",
                        host.as_deref().unwrap_or("-"),
                        replay_hosts.join(" ")
                    )
                }
                Work::Evaluate {
                    candidate,
                    offset,
                    blocks_per_host,
                } => format!("{candidate} blocks {offset}+{blocks_per_host}"),
            };
            let base = run.base.as_ref().map(|base| base.0.as_str()).unwrap_or("-");
            format!(
                "run {} attempt {} {:?} base {base}: {work}",
                run.token.run, run.token.attempt, run.class
            )
        }
        Event::RunStarted { token } => format!("run {}", token.run),
        Event::RunCancelRequested { run, actor, reason } => format!("run {run} by {}: {reason}", actor.0),
        Event::RunFinished { token, report, model } => {
            let end = match &report.end {
                RunEnd::Completed(completion) if !completion.pairs.is_empty() => format!("{} pairs", completion.pairs.len()),
                RunEnd::Completed(_) => "completed".to_string(),
                RunEnd::Failed(failure) => format!("failed {}: {}", failure.class.slug(), failure.error),
                RunEnd::Cancelled => "cancelled".to_string(),
            };
            let model = model.as_ref().map(|model| format!(" made {model}")).unwrap_or_default();
            format!("run {} {end}{model}", token.run)
        }
        Event::ModelBootstrapped { model } => model.to_string(),
        Event::CandidateRaised {
            candidate,
            baseline,
            watermark,
        } => format!("{candidate} against {baseline}, watermark {watermark}"),
        Event::WindowPassed { watermark } => format!("watermark {watermark}"),
        Event::CandidateAdvanced { candidate, to, by } => format!("{candidate} to {to:?} {}", stage_by(by)),
        Event::CandidateServed { candidate, samples } => format!("{candidate} {} requests", samples.len()),
        Event::MorePairsWanted {
            candidate,
            pairs,
            decision,
        } => format!("{candidate} {pairs} more, decision {decision}"),
        Event::CandidateHeld {
            candidate,
            reason,
            decision: _,
            cause,
        } => match cause {
            HoldCause::Gate => format!("{candidate}: {reason}"),
            HoldCause::Setting => format!("{candidate} by promotion_hold: {reason}"),
        },
        Event::ModelApplied { model, before, by } => format!("{model} replaces {before} {}", stage_by(by)),
        Event::CandidateEnded {
            candidate,
            end,
            reason,
            by,
        } => format!("{candidate} {end:?} {}: {reason}", stage_by(by)),
        Event::ModelRolledBack { from, to, reason, by } => {
            let by = by.as_ref().map(stage_by).unwrap_or_default();
            format!("{from} back to {to} {by}: {reason}")
        }
        Event::ModelsRetired { models, actor, reason } => {
            let tags = models.iter().map(ToString::to_string).collect::<Vec<_>>().join(" ");
            let by = actor.as_ref().map(|actor| format!(" by {} ({reason})", actor.0));
            format!("{tags}{}", by.unwrap_or_default())
        }
        Event::ModelPinned {
            model,
            pinned,
            actor,
            reason,
        } => {
            let verb = if *pinned { "pinned" } else { "unpinned" };
            format!("{model} {verb} by {}: {reason}", actor.0)
        }
        Event::PolicyActivated {
            generation,
            description,
            previous,
            actor,
            reason: _,
            set,
            confirm_by,
            state,
            report: _,
        } => {
            let mut text = format!("{} generation {generation} {}", description.kind, description.policy);
            if let Some(previous) = previous {
                let _ = write!(text, " after {previous}");
            }
            let _ = write!(text, " by {}", actor.0);
            if let Some(set) = set {
                let _ = write!(text, ", set {set}");
            }
            if let Some(by) = confirm_by {
                let _ = write!(text, ", to be confirmed by {} s", seconds(*by));
            }
            text + handover(state).as_str()
        }
        Event::PolicyConfirmed { kinds, set, actor } => {
            let kinds: Vec<&str> = kinds.iter().map(|kind| kind.slug()).collect();
            let set = set.map(|set| format!(", set {set}")).unwrap_or_default();
            format!("{} by {}{set}", kinds.join(" "), actor.0)
        }
        Event::PolicyRolledBack {
            kind,
            generation,
            to,
            from,
            actor,
            reason,
            set,
            tripped_until,
        } => {
            let mut text = format!("{kind} generation {generation} {} from {from} by {}: {reason}", to.policy, actor.0);
            if let Some(set) = set {
                let _ = write!(text, ", set {set}");
            }
            text + cool_down(*tripped_until).as_str()
        }
        Event::PolicyPinned {
            kind,
            pinned,
            actor,
            reason,
        } => format!("{kind} {} by {}: {reason}", if *pinned { "pinned" } else { "free" }, actor.0),
        Event::PolicyCanaryStarted {
            description,
            share,
            state,
            actor,
            reason,
            report: _,
        } => format!(
            "{} {} for {share} by {}: {reason}{}",
            description.kind,
            description.policy,
            actor.0,
            handover(state)
        ),
        Event::PolicyCanaryEnded {
            kind,
            policy,
            end,
            actor,
            reason,
            tripped_until,
        } => format!(
            "{kind} {policy} {} by {}: {reason}{}",
            end.slug(),
            actor.0,
            cool_down(*tripped_until)
        ),
        Event::InputQuarantined {
            kind,
            key: _,
            about,
            policy,
            fault,
        } => format!("{kind} {policy} on {about}: {} {}", fault.class.slug(), fault.detail),
        Event::InputReleased { kind, key: _, actor } => format!("{kind} by {}", actor.0),
    }
}

fn lock_words(lock: &Lock) -> String {
    let holder = lock.holder.map(|holder| format!(" held by {}", holder.name())).unwrap_or_default();
    format!("{} {}{holder}", lock.key.slug(), lock.value)
}

fn handover(state: &StateHandover) -> String {
    match state {
        StateHandover::Empty => String::new(),
        StateHandover::Carried | StateHandover::FromCanary => format!(", state {}", state.slug()),
        StateHandover::Migrated { from_version, state } => {
            format!(
                ", state migrated from version {from_version} to {:?}",
                String::from_utf8_lossy(state)
            )
        }
    }
}

fn cool_down(until: Option<u64>) -> String {
    until.map(|until| format!(", out until {} s", seconds(until))).unwrap_or_default()
}

/// Seconds since the world began.
fn seconds(at: u64) -> f64 {
    at.saturating_sub(crate::world::EPOCH_MS) as f64 / 1000.0
}

fn decided(decision: &Decision) -> String {
    let ruling = &decision.ruling;
    let verdict = match &ruling.verdict {
        Verdict::Selection(verdict) => format!("{verdict:?}"),
        Verdict::Retry(verdict) => format!("{verdict:?}"),
        Verdict::Gate(verdict) => format!("{verdict:?}"),
        Verdict::Curriculum(verdict) => format!("{verdict:?}"),
    };
    let reason = ruling.advice.reasons.first().map(|reason| reason.text.as_str()).unwrap_or("");
    let mut text = format!(
        "{} {} {verdict} by {} ({}): {reason}",
        decision.id,
        decision.kind,
        ruling.policy.name,
        ruling.link.slug()
    );
    for declined in &ruling.declined {
        let _ = write!(
            text,
            " [{} {}: {} {}]",
            declined.link.slug(),
            declined.policy,
            declined.fault.class.slug(),
            declined.fault.detail
        );
    }
    text
}

fn stage_by(by: &StageBy) -> String {
    match by {
        StageBy::Decision(decision) => format!("by decision {decision}"),
        StageBy::Person { actor, reason } => format!("by {} ({reason})", actor.0),
        StageBy::Host => "by the host".into(),
    }
}

pub(super) fn wants(wants: &Wants) -> String {
    let mut out = String::new();
    for wanted in &wants.runs {
        let cancelled = if wanted.run.cancelled.is_some() { ", cancelled" } else { "" };
        let _ = writeln!(out, "    run {} {:?}{cancelled}", wanted.run.token.run, wanted.run.class);
    }
    let serving = match &wants.serving {
        None => "nothing".to_string(),
        Some(serving) => {
            let beside = match &serving.beside {
                None => String::new(),
                Some(Beside::Canary { candidate, share }) => format!(", {} answers {share}", candidate.tag),
                Some(Beside::Watch { before }) => format!(", {} watches", before.tag),
            };
            format!("{}{beside}", serving.active.tag)
        }
    };
    let _ = writeln!(out, "    serving {serving}");
    let _ = writeln!(out, "    keep {}", wants.keep.iter().cloned().collect::<Vec<_>>().join(" "));
    out
}

/// Window, watermark and what is on its way.
pub(super) fn promotion(state: &State) -> String {
    let mut out = String::new();
    let (size, watermark) = (u64::from(state.settings.promotion_window), state.watermark);
    let reached = state.window.reached_at.map(|at| format!(", last full at {} s", seconds(at)));
    let _ = writeln!(
        out,
        "    window {} done {}/{size} watermark {watermark} next target {}{}",
        state.window.passed + 1,
        state.window_done(),
        watermark + size,
        reached.unwrap_or_default()
    );
    if let Some(candidate) = &state.candidate {
        let stage = match &candidate.stage {
            CandidateStage::Evaluating {
                run: None,
                failures,
                not_before,
                ..
            } => format!("evaluation due after {failures} failures, not before {} s", seconds(*not_before)),
            CandidateStage::Held { from, cause, decision, .. } => {
                format!("held from {} by {} with decision {decision}", from.slug(), cause.slug())
            }
            stage => stage.slug().to_string(),
        };
        let _ = writeln!(out, "    candidate {} against {}: {stage}", candidate.tag, candidate.baseline);
    }
    if let Some(ended) = &state.ended_candidate {
        let by = stage_by(&ended.by);
        let _ = writeln!(out, "    ended {} {} {by}: {}", ended.candidate.tag, ended.end.slug(), ended.reason);
    }
    let since = state.window.rolled_back_at.map(seconds);
    let _ = writeln!(
        out,
        "    rolled back at {}",
        since.map_or("-".to_string(), |since| format!("{since} s"))
    );
    out
}

/// Every model and what keeps it, newest first.
pub(super) fn retention(state: &State, keep: u32) -> String {
    let mut out = String::new();
    for retained in state.retention(keep) {
        let why: Vec<&str> = retained.kept_for.iter().map(|kept| kept.slug()).collect();
        let why = if why.is_empty() { "goes".to_string() } else { why.join(" ") };
        let _ = writeln!(out, "    {} {} bytes: {why}", retained.model.tag, retained.model.bytes);
    }
    out
}

pub(super) fn state(state: &State) -> String {
    let mut out = String::new();
    for source in state.sources.values() {
        let stage = match &source.stage {
            SourceStage::Pending => "pending".to_string(),
            SourceStage::Waiting { .. } => "waiting".to_string(),
            SourceStage::Running { run } => format!("running as {run}"),
            SourceStage::Disabled { reason } => format!("disabled: {reason}"),
        };
        let _ = writeln!(out, "    source {} {:?} {stage}", source.id, source.lane);
    }
    let tag = |tag: &Option<pointsman_model::ModelTag>| tag.as_ref().map_or("-".to_string(), ToString::to_string);
    let _ = writeln!(
        out,
        "    line {} active {} previous {}",
        tag(&state.line),
        tag(&state.active),
        tag(&state.previous)
    );
    let totals = &state.totals;
    let _ = writeln!(
        out,
        "    outcomes {} successes {} failures {} window {}/{} applies {} rejected {} rolled back {}",
        totals.outcomes,
        totals.successes,
        totals.failures,
        state.window_done(),
        state.settings.promotion_window,
        totals.live_applies,
        totals.rejected,
        totals.rolled_back
    );
    out
}

/// Lanes, slots, the lock and the campaigns.
pub(super) fn queue(state: &State) -> String {
    let mut out = String::new();
    let index = &state.index;
    let _ = writeln!(
        out,
        "    queue {} curriculum {} waiting {} disabled {} hosts {}",
        index.pending(Lane::Queue),
        index.pending(Lane::Curriculum),
        index.waiting(),
        index.disabled(),
        index.pending_hosts()
    );
    let _ = writeln!(
        out,
        "    slots: training {} of {} (ceiling {}), manual {}, eval {}, all {} of {}; free {}",
        state.training_runs(),
        state.settings.training_cap(),
        state.settings.training_ceiling(),
        state.runs_of(RunClass::Manual),
        state.runs_of(RunClass::Eval),
        state.runs.len(),
        state.settings.global_max,
        state.training_free()
    );
    if let Some(lock) = &state.lock {
        let _ = writeln!(out, "    lock: {}", lock_words(lock));
    }
    for campaign in state.campaigns.values() {
        let counts = campaign.counts;
        let _ = writeln!(
            out,
            "    {}: {} of {} done, {} queued, {} running, {} failed, {} cancelled{}",
            campaign.id.name(),
            counts.done,
            campaign.rows,
            counts.queued,
            counts.running,
            counts.failed(),
            counts.cancelled,
            if campaign.finished_at.is_some() { ", over" } else { "" }
        );
    }
    out
}

/// What would be picked, and why not the others.
pub(super) fn next(previewed: &Previewed) -> String {
    let mut out = String::new();
    let rules = |out: &mut String, what: &str, rules: &[Excluded]| {
        for rule in rules {
            let sources = rule.sources.map(|sources| format!(" ({sources})")).unwrap_or_default();
            let _ = writeln!(out, "    {what} {}{sources}: {}", rule.code, rule.text);
        }
    };
    match &previewed.answer {
        None => {
            let _ = writeln!(out, "    nothing is eligible, mode {}", SelectionMode::None.slug());
        }
        Some(answer) => {
            let candidates = &answer.context.candidates;
            let picked = match &answer.decision.ruling.verdict {
                Verdict::Selection(SelectionVerdict::Pick(picks)) => picks.clone(),
                _ => Vec::new(),
            };
            let lane = picked.first().map(|pick| candidates[*pick as usize].lane);
            let ids: Vec<String> = picked.iter().map(|pick| candidates[*pick as usize].id.to_string()).collect();
            let _ = writeln!(
                out,
                "    picks [{}] of {} by {}, mode {}, left out {}",
                ids.join(" "),
                candidates.len(),
                answer.decision.ruling.policy.name,
                SelectionMode::of(lane).slug(),
                answer.context.left_out
            );
        }
    }
    rules(&mut out, "held", &previewed.holds);
    rules(&mut out, "out", &previewed.excluded);
    if let Some((id, reasons)) = &previewed.about {
        rules(&mut out, &format!("not source {id}:"), reasons);
    }
    out
}

/// The versions of each kind, with their states as text.
pub(super) fn policies(state: &State) -> String {
    let mut out = String::new();
    for (kind, slot) in &state.policies {
        let active = slot.active.as_ref().map_or_else(|| "the built-in".to_string(), installed);
        let _ = writeln!(out, "    {kind} generation {}: {active}", slot.generation);
        for before in slot.history.iter().rev() {
            let _ = writeln!(out, "        before: {}", installed(before));
        }
        if let Some(canary) = &slot.canary {
            let _ = writeln!(out, "        canary for {}: {}", canary.share, installed(&canary.installed));
        }
        if let Some(by) = slot.confirm_by() {
            let _ = writeln!(out, "        to be confirmed by {} s", seconds(by));
        }
        if let Some(pin) = &slot.pin {
            let _ = writeln!(out, "        pinned by {}: {}", pin.actor, pin.reason);
        }
        for trip in &slot.tripped {
            let _ = writeln!(out, "        {} out until {} s: {}", trip.policy, seconds(trip.until), trip.why);
        }
        for (input, quarantine) in slot.quarantined() {
            let _ = writeln!(
                out,
                "        {} not asked about {} after {} faults",
                quarantine.policy, quarantine.about, input.faults
            );
        }
    }
    out
}

fn installed(installed: &Installed) -> String {
    format!(
        "{} state {:?} decisions {} faults {} ({} in a row)",
        installed.description.policy,
        String::from_utf8_lossy(&installed.state),
        installed.decisions,
        installed.faults,
        installed.faults_in_a_row
    )
}
