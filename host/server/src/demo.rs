//! `pointsman up --demo`: quick settings, and sources that show the whole loop. Nothing in it is staged: the models
//! are trained, measured and judged as always; two of the sources are really bad, and one really fails once.

use crate::inbox::{Inbox, Rejected};
use crate::readers::Readers;
use pointsman_coordinator::State;
use pointsman_journal::SourceFilter;
use pointsman_model::Actor;
use pointsman_model::command::Command;
use pointsman_model::settings::Settings;
use pointsman_model::source::{Lane, NewSource, Origin, TrainingParams};
use std::collections::BTreeSet;

/// Set for trainers, so that a mark in a title may make a run fail.
pub const FAULTS_ENV: &str = "POINTSMAN_DEMO_FAULTS";

/// Hosts that are good to learn from, in the order of the first pass.
const HOSTS: [(&str, &str); 5] = [
    ("novel", "A novel"),
    ("speeches", "Speeches"),
    ("code", "Source code"),
    ("lexicon", "A lexicon"),
    ("events", "Event logs"),
];

const FIRST_STEP: &str = "demo: five hosts, a window of 5 successes, one run that fails once, and later two bad sources";
const SECOND_STEP: &str = "demo: now two sources that do harm; watch the gate";
const GOES_ON: &str = "demo: this data directory is in use already; it goes on where it was";

/// What the demo asks for, in two steps: the first pass over the good hosts, and, once a model is live, sources that
/// do harm. What is due is read off the journal, so a host that was killed in the middle of a step finishes it.
pub struct Demo {
    inbox: Inbox,
    /// Titles of all sources there have been.
    known: BTreeSet<String>,
}

impl Demo {
    /// Carries out what is due; answers what to tell of it.
    pub async fn start(inbox: Inbox, readers: &Readers) -> anyhow::Result<(Demo, &'static str)> {
        let known = titles(readers)?;
        let mut demo = Demo { inbox, known };
        let told = demo.go_on().await?.unwrap_or(GOES_ON);
        Ok((demo, told))
    }

    /// The same, after something has happened.
    pub async fn go_on(&mut self) -> Result<Option<&'static str>, Rejected> {
        let known = self.known.clone();
        let Some((told, commands)) = self.inbox.look(move |state| due(&known, state)).await? else {
            return Ok(None);
        };
        for command in commands {
            let title = match &command {
                Command::SubmitSource(source) => Some(source.title.clone()),
                _ => None,
            };
            self.inbox.send(command).await?;
            self.known.extend(title);
        }
        Ok(Some(told))
    }
}

fn titles(readers: &Readers) -> anyhow::Result<BTreeSet<String>> {
    let mut titles = BTreeSet::new();
    readers.with(|reader| {
        let mut filter = SourceFilter {
            limit: 500,
            ..SourceFilter::default()
        };
        loop {
            let page = reader.sources(&filter)?;
            let Some(last) = page.last() else { return anyhow::Ok(()) };
            filter.before = Some(last.id);
            titles.extend(page.into_iter().map(|row| row.title));
        }
    })??;
    Ok(titles)
}

/// Training is started last, so a first step is whole when training has been started once.
fn due(known: &BTreeSet<String>, state: &State) -> Option<(&'static str, Vec<Command>)> {
    let (first, harmful) = (first_pass(), harmful());
    let is_ours = |title: &String| first.iter().any(|source| source.title == *title);
    let missing = |sources: Vec<NewSource>| {
        let sources = sources.into_iter().filter(|source| !known.contains(&source.title));
        sources.map(Command::SubmitSource).collect::<Vec<_>>()
    };
    if state.training.since.is_none() && state.models.is_empty() && known.iter().all(is_ours) {
        let mut commands = vec![Command::ChangeSettings {
            settings: settings(state.settings.clone()),
            actor: Actor::new("demo"),
        }];
        commands.extend(missing(first));
        commands.push(Command::StartTraining {
            actor: Actor::new("demo"),
            reason: "pointsman up --demo".to_string(),
            automatic: true,
        });
        return Some((FIRST_STEP, commands));
    }
    let commands = missing(harmful);
    (state.totals.live_applies > 0 && known.iter().any(is_ours) && !commands.is_empty()).then_some((SECOND_STEP, commands))
}

/// Settings for a quick look.
fn settings(settings: Settings) -> Settings {
    Settings {
        promotion_window: 5,
        default_steps: 400,
        eval_blocks_per_host: 8,
        canary_pairs_first: 20,
        canary_pairs_max: 120,
        watch_pairs_max: 60,
        ..settings
    }
}

/// Each host twice, one of them with a fault in its first attempt.
fn first_pass() -> Vec<NewSource> {
    let mut sources = Vec::new();
    for pass in ["first reading", "second reading"] {
        for (host, title) in HOSTS {
            let fault = if (pass, host) == ("first reading", "code") {
                " [fault:transient]"
            } else {
                ""
            };
            sources.push(source(format!("{title}, {pass}{fault}"), host, None));
        }
    }
    sources
}

/// Trained without practice of what is known.
fn harmful() -> Vec<NewSource> {
    let params = TrainingParams {
        steps: 600,
        learning_rate: 3e-3,
        replay_share: 0.0,
    };
    vec![
        source("Sums, and nothing else".to_string(), "sums", Some(params.clone())),
        source("Noise from a broken sensor".to_string(), "noise", Some(params)),
    ]
}

fn source(title: String, host: &str, params: Option<TrainingParams>) -> NewSource {
    NewSource {
        title,
        body: String::new(),
        host: Some(host.to_string()),
        lane: Lane::Queue,
        origin: Origin::Cli,
        priority: 0,
        params,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn titles_of(sources: &[NewSource]) -> BTreeSet<String> {
        sources.iter().map(|source| source.title.clone()).collect()
    }

    fn submitted(due: Option<(&'static str, Vec<Command>)>) -> Vec<String> {
        let commands = due.map(|(_, commands)| commands).unwrap_or_default();
        let titles = commands.into_iter().filter_map(|command| match command {
            Command::SubmitSource(source) => Some(source.title),
            _ => None,
        });
        titles.collect()
    }

    /// A kill between two of its commands once left training never started.
    #[test]
    fn a_first_step_cut_short_is_finished() {
        let first = first_pass();
        for done in 0..=first.len() {
            let (told, commands) = due(&titles_of(&first[..done]), &State::empty()).expect("something is due");
            assert_eq!(told, FIRST_STEP);
            assert!(matches!(commands.last(), Some(Command::StartTraining { .. })));
            assert_eq!(submitted(Some((told, commands))).len(), first.len() - done);
        }
    }

    #[test]
    fn a_directory_of_somebody_elses_is_left_alone() {
        let known = BTreeSet::from(["A source of mine".to_string()]);
        let mut state = State::empty();
        assert!(due(&known, &state).is_none());
        state.totals.live_applies = 1;
        state.training.since = Some(1);
        assert!(due(&known, &state).is_none());
    }

    #[test]
    fn harm_comes_once_and_after_the_first_live_apply() {
        let mut known = titles_of(&first_pass());
        let mut state = State::empty();
        state.training.since = Some(1);
        assert!(due(&known, &state).is_none());
        state.totals.live_applies = 1;
        assert_eq!(submitted(due(&known, &state)).len(), 2);
        known.insert(harmful()[0].title.clone());
        assert_eq!(submitted(due(&known, &state)), [harmful()[1].title.clone()]);
        known.insert(harmful()[1].title.clone());
        assert!(due(&known, &state).is_none());
    }
}
