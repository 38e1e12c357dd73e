//! What would be picked next, and why not another: the live question on the live state, asked without anything following from it.

use super::selection::{IDLE_RETRY_MS, Question, pick_not_before, room_of_host, sticky_key};
use crate::chain;
use crate::port::Policies;
use crate::state::{Only, State};
use pointsman_model::context::{Context, SelectionContext};
use pointsman_model::decision::{Decision, Scores, Subject};
use pointsman_model::policy::PolicyKind;
use pointsman_model::settings::LaneMode;
use pointsman_model::source::{Lane, Source, SourceStage};
use pointsman_model::{Millis, SourceId};

/// Hosts at their cap that are named one by one.
const HOSTS_NAMED_MAX: usize = 20;

/// Which lane a pick comes from.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum SelectionMode {
    None,
    QueuePending,
    CurriculumFallback,
}

impl SelectionMode {
    pub fn of(lane: Option<Lane>) -> SelectionMode {
        match lane {
            None => SelectionMode::None,
            Some(Lane::Queue) => SelectionMode::QueuePending,
            Some(Lane::Curriculum) => SelectionMode::CurriculumFallback,
        }
    }

    pub fn slug(self) -> &'static str {
        match self {
            SelectionMode::None => "none",
            SelectionMode::QueuePending => "queue_pending",
            SelectionMode::CurriculumFallback => "curriculum_fallback",
        }
    }
}

/// A rule of the host that keeps sources, or all of them, from being picked now.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Excluded {
    pub code: &'static str,
    /// Sources that it keeps out; none where it keeps all of them from being picked for the time being.
    pub sources: Option<u32>,
    pub text: String,
    pub fix: Option<String>,
}

impl Excluded {
    fn all(code: &'static str, text: impl Into<String>, fix: Option<&str>) -> Excluded {
        Excluded {
            code,
            sources: None,
            text: text.into(),
            fix: fix.map(Into::into),
        }
    }

    fn some(code: &'static str, sources: u32, text: impl Into<String>, fix: Option<&str>) -> Excluded {
        Excluded {
            sources: Some(sources),
            ..Excluded::all(code, text, fix)
        }
    }
}

/// A question as it would be asked now. Made between two steps of the host, and asked elsewhere: it holds what the answer needs.
pub struct Preview {
    /// Settings, numbers and the versions that decide: what the chain looks at.
    state: State,
    question: Option<Question>,
    titles: Vec<String>,
    holds: Vec<Excluded>,
    excluded: Vec<Excluded>,
    about: Option<(SourceId, Vec<Excluded>)>,
}

/// What came of it.
pub struct Previewed {
    /// None where nothing is eligible.
    pub answer: Option<PreviewAnswer>,
    /// What keeps anything from being picked at this moment.
    pub holds: Vec<Excluded>,
    /// What is not among the candidates, and why.
    pub excluded: Vec<Excluded>,
    /// The one source that was asked about, and which rules of the host keep it out.
    pub about: Option<(SourceId, Vec<Excluded>)>,
}

pub struct PreviewAnswer {
    pub context: SelectionContext,
    /// One for each candidate.
    pub titles: Vec<String>,
    pub decision: Decision,
    pub scores: Option<Scores>,
}

impl Preview {
    pub fn of(state: &State, now: Millis, about: Option<SourceId>) -> Preview {
        // With no slot free the question is what the next free one brings.
        let question = Question::of(state, now, state.training_free().max(1));
        let ids = question.as_ref().map(|question| question.ids.as_slice()).unwrap_or_default();
        let title = |id: &SourceId| state.sources.get(id).map(|source| source.title.clone()).unwrap_or_default();
        let titles = ids.iter().map(title).collect();
        let about = about.map(|id| (id, why_not(state, now, id, ids)));
        let kind = PolicyKind::SourceSelection;
        let slots = state.slot(kind).cloned().map(|slot| (kind, slot));
        Preview {
            titles,
            holds: holds(state, now),
            excluded: excluded(state, now),
            about,
            question,
            state: State {
                settings: state.settings.clone(),
                next: state.next,
                policies: slots.into_iter().collect(),
                ..State::empty()
            },
        }
    }

    /// Asks the versions that would be asked now, by the function that decides live.
    pub fn ask(self, policies: &mut dyn Policies) -> Previewed {
        let Preview {
            state,
            question,
            titles,
            holds,
            excluded,
            about,
        } = self;
        let answer = question.map(|Question { context, ids: _ }| {
            let sticky = sticky_key(&context);
            let mut context = Context::Selection(context);
            let (decision, recording) = chain::rule(&state, policies, Subject::Selection, &sticky, &mut context);
            let scores = recording.scores.as_deref().and_then(|bytes| Scores::decode(bytes).ok());
            let Context::Selection(context) = context else {
                unreachable!("the chain changes settings and state of a question and not its kind")
            };
            PreviewAnswer {
                context,
                titles,
                decision,
                scores,
            }
        });
        Previewed {
            answer,
            holds,
            excluded,
            about,
        }
    }
}

/// What keeps everything from being picked at this moment, first what a person decided.
fn holds(state: &State, now: Millis) -> Vec<Excluded> {
    let mut holds = Vec::new();
    let training = &state.training;
    if !training.enabled {
        let text = match training.since {
            None => "Training was never started.".to_string(),
            Some(_) if training.reason.is_empty() => format!("Training was stopped by {}.", training.actor),
            Some(_) => format!("Training was stopped by {}: {}", training.actor, training.reason),
        };
        holds.push(Excluded::all("training_stopped", text, Some("pointsman train start")));
    }
    if state.active.is_none() {
        holds.push(Excluded::all("no_model", "The first model is not made yet.", None));
    }
    if state.training_free() == 0 {
        let (running, cap) = (state.training_runs(), state.settings.training_cap());
        let text = match running >= cap {
            true => format!("All {cap} training slots are taken."),
            false => format!(
                "{} of {} slots are taken, {} of them are reserved for evaluations and canaries.",
                state.runs.len(),
                state.settings.global_max,
                state.settings.reserved_slots
            ),
        };
        holds.push(Excluded::all("no_slot", text, None));
    }
    if let Some(at) = pick_not_before(state).filter(|at| now < *at) {
        let text = format!("The loop's interval: the next pick may come in {:.1} s.", (at - now) as f64 / 1e3);
        holds.push(Excluded::all("interval", text, None));
    }
    if let Some(since) = state.selection_idle_since.filter(|since| now < since + IDLE_RETRY_MS) {
        let left = (since + IDLE_RETRY_MS - now) as f64 / 1e3;
        let text = format!("The policy picked nothing; it is asked again when something changes, or in {left:.1} s.");
        holds.push(Excluded::all("policy_idle", text, None));
    }
    holds
}

/// Sources that are no candidates, by the rule that keeps them out.
fn excluded(state: &State, now: Millis) -> Vec<Excluded> {
    let mut excluded = Vec::new();
    let (queue, curriculum) = (state.index.pending(Lane::Queue), state.index.pending(Lane::Curriculum));
    if queue > 0 && !state.lane_open(Lane::Queue, now) {
        let text = "Automatic only: what is queued stays queued.";
        excluded.push(Excluded::some(
            "lane_mode",
            queue,
            text,
            Some("pointsman settings lane_mode=hybrid"),
        ));
    }
    if curriculum > 0 && !state.lane_open(Lane::Curriculum, now) {
        excluded.push(curriculum_out(state, curriculum));
    }
    let waiting = state.index.waiting();
    if waiting > 0 && state.index.next_due(now).is_some() {
        excluded.push(Excluded::some(
            "waiting",
            waiting,
            "They failed, and wait until it is time for another attempt.",
            None,
        ));
    }
    if state.index.disabled() > 0 {
        excluded.push(Excluded::some(
            "disabled",
            state.index.disabled(),
            "They are disabled until a person enables them.",
            Some("pointsman queue list --status disabled"),
        ));
    }
    if let Some(lock) = &state.lock {
        let inside = match state.locked_to() {
            Some(Only::Host(host)) => state.index.pending_of_host(host),
            Some(Only::Campaign { campaign, .. }) => state.campaigns.get(&campaign).map_or(0, |campaign| campaign.counts.queued),
            None => 0,
        };
        let outside = (queue + curriculum).saturating_sub(inside);
        let text = format!("The lock holds selection to {} {}.", lock.key.slug(), lock.value);
        excluded.push(Excluded::some("lock", outside, text, Some("pointsman queue unlock")));
    }
    let room = room_of_host(state);
    let full = state
        .index
        .hosts()
        .filter(|host| !host.is_empty() && state.index.running_of_host(host) >= room);
    let mut full: Vec<&str> = full.filter(|host| state.index.pending_of_host(host) > 0).collect();
    full.dedup();
    full.truncate(HOSTS_NAMED_MAX);
    for host in full {
        let text = format!("Host {host} has {room} runs under way, which is its cap.");
        excluded.push(Excluded::some("host_cap", state.index.pending_of_host(host), text, None));
    }
    excluded
}

fn curriculum_out(state: &State, sources: u32) -> Excluded {
    let (code, text, fix) = match (state.settings.lane_mode, state.settings.curriculum_fallback) {
        (LaneMode::QueuedOnly, _) => (
            "lane_mode",
            "Queued only: the curriculum is not picked from.",
            Some("pointsman settings lane_mode=hybrid"),
        ),
        (LaneMode::Hybrid, false) => (
            "fallback_off",
            "The curriculum fallback is off.",
            Some("pointsman settings curriculum_fallback=true"),
        ),
        (LaneMode::Hybrid, true) | (LaneMode::AutomaticOnly, _) => {
            ("queue_first", "The queue goes first; the curriculum comes when it is empty.", None)
        }
    };
    Excluded::some(code, sources, text, fix)
}

/// Why one source is not among the candidates; empty where it is.
fn why_not(state: &State, now: Millis, id: SourceId, candidates: &[SourceId]) -> Vec<Excluded> {
    let one = |code, text: String| Excluded::some(code, 1, text, None);
    let Some(source) = state.sources.get(&id) else {
        return vec![one(
            "unknown",
            format!("There is no source {id} that is pending, running or disabled."),
        )];
    };
    if candidates.contains(&id) {
        return Vec::new();
    }
    let mut why = Vec::new();
    match &source.stage {
        SourceStage::Pending => {}
        SourceStage::Waiting { until } if *until <= now => {}
        SourceStage::Waiting { until } => {
            why.push(one(
                "waiting",
                format!("It failed, and is tried again in {:.1} s.", (until - now) as f64 / 1e3),
            ));
        }
        SourceStage::Running { run } => return vec![one("running", format!("It is running as run {run}."))],
        SourceStage::Disabled { reason } => why.push(one("disabled", format!("It is disabled: {reason}"))),
    }
    if !state.lane_open(source.lane, now) {
        why.push(match source.lane {
            Lane::Queue => one("lane_mode", "Automatic only: what is queued stays queued.".into()),
            Lane::Curriculum => curriculum_out(state, 1),
        });
    }
    if let Some(only) = state.locked_to()
        && !lets_through(only, source)
        && let Some(lock) = &state.lock
    {
        why.push(one(
            "lock",
            format!("The lock holds selection to {} {}.", lock.key.slug(), lock.value),
        ));
    }
    let host = source.host.as_deref().unwrap_or_default();
    let room = room_of_host(state);
    if !host.is_empty() && state.index.running_of_host(host) >= room {
        why.push(one("host_cap", format!("Host {host} has {room} runs under way, which is its cap.")));
    }
    if why.is_empty() {
        let text = "It is eligible, and others come before it: older or more urgent ones of its host, and one of each host in turn.";
        why.push(one("left_out", text.into()));
    }
    why
}

fn lets_through(only: Only<'_>, source: &Source) -> bool {
    match only {
        Only::Host(host) => source.host.as_deref() == Some(host),
        Only::Campaign { campaign, .. } => source.campaign.is_some_and(|row| row.campaign == campaign),
    }
}
