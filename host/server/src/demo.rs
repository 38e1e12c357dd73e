//! `pointsman up --demo`: quick settings, and sources that show the whole loop. Nothing in it is staged: the models
//! are trained, measured and judged as always; two of the sources are really bad, and one really fails once.

use crate::inbox::{Inbox, Rejected};
use pointsman_model::Actor;
use pointsman_model::command::Command;
use pointsman_model::settings::Settings;
use pointsman_model::source::{Lane, NewSource, Origin, TrainingParams};

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

/// Settings for a quick look.
pub fn settings(settings: Settings) -> Settings {
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

/// The first pass: each host twice, one of them with a fault in its first attempt.
pub async fn begin(inbox: &Inbox) -> Result<(), Rejected> {
    let now = inbox.look(|state| state.settings.clone()).await?;
    inbox
        .send(Command::ChangeSettings {
            settings: settings(now),
            actor: Actor::new("demo"),
        })
        .await?;
    for pass in ["first reading", "second reading"] {
        for (host, title) in HOSTS {
            let fault = if (pass, host) == ("first reading", "code") {
                " [fault:transient]"
            } else {
                ""
            };
            submit(inbox, format!("{title}, {pass}{fault}"), host, None).await?;
        }
    }
    inbox
        .send(Command::StartTraining {
            actor: Actor::new("demo"),
            reason: "pointsman up --demo".to_string(),
        })
        .await?;
    Ok(())
}

/// After the first model went live: sources that do harm, trained without practice of what is known.
pub async fn harm(inbox: &Inbox) -> Result<(), Rejected> {
    let harmful = || {
        Some(TrainingParams {
            steps: 600,
            learning_rate: 3e-3,
            replay_share: 0.0,
        })
    };
    submit(inbox, "Sums, and nothing else".to_string(), "sums", harmful()).await?;
    submit(inbox, "Noise from a broken sensor".to_string(), "noise", harmful()).await
}

async fn submit(inbox: &Inbox, title: String, host: &str, params: Option<TrainingParams>) -> Result<(), Rejected> {
    let new = NewSource {
        title,
        body: String::new(),
        host: Some(host.to_string()),
        lane: Lane::Queue,
        origin: Origin::Cli,
        priority: 0,
        params,
    };
    inbox.send(Command::SubmitSource(new)).await.map(|_| ())
}
