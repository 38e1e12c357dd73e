//! Stories as text: one command a line, and a transcript of what followed.
//!
//! ```text
//! # a comment
//! train start first try          the automatic loop, with a reason
//! submit novel Call me Ishmael   a source of host `novel`; `-` stands for no host
//! campaign 5 novel Learn Latin   a campaign of five; end-campaign 1 why, and end-campaign-and-runs 1 why
//! import fruit 0 7 novel,code    part 0, with digest 7, of the import named fruit: a source for each host
//! edit 3 priority=5 host=code    and title=, lane=; remove 3 why, run 3 why (a manual run)
//! lock host novel why            selection is held to it; unlock why
//! train restart a daemon asks    a start by a program: refused where somebody stopped it
//! set retry_budget=2             live settings
//! install retry mine@1           a scripted version becomes active; options: state=2 (its state version), confirm=60s,
//!                                force, fresh; several as a set with ` + ` between them
//! confirm retry                  what waits for a confirmation stays
//! rollback-policy retry why      back to the version before; rollback-set takes the whole set back
//! pin retry why                  and unpin
//! canary start retry mine@2 0.5  a version decides a share; canary promote retry why, canary end retry why
//! migrate mine new-state         what the next migration answers; `!reason` for one that fails
//! release retry                  policies are asked again about the oldest input in quarantine
//! crash 10s                      the host dies and starts again from its journal, at once or later
//! answer mine {"retry":{"retry":5000}} try later
//! fault mine trap unreachable    its next answer is a fault
//! started 1                      the runner reports of run 1
//! finish 1 ok novel=2.5          it completed, with a model and held-out losses
//! finish 1 fail transient reset  it failed, with class and error
//! finish 2 pairs novel 8 3.0 2.5 an evaluation: 8 pairs, baseline and candidate
//! served m-2 10 2.6 2.5 candidate  standard requests that both models scored, and who answered
//! approve m-2 why               a person's word on a held candidate, as seen with decision 7: approve m-2@7 why; reject m-2 why,
//!                                approve-despite-guards m-2 why; rollback-model why
//! pin-model m-2 why              and unpin-model; prune 3 (keep 3), prune 3 m-1,m-2 (the models that a dry run has told)
//! wait 5s                        the clock moves in steps from deadline to deadline, each with a tick
//! show wants                     what should be true outside; show state, show policies, show queue,
//!                                show promotion (window and candidate), show retention 3
//! show next 3                    what would be picked now, and why not source 3
//! ```

mod transcript;

use crate::scripted::Scripted;
use crate::world::{Broken, World};
use pointsman_coordinator::{Preview, Refusal, Reply, prune_plan};
use pointsman_model::command::{Activation, Command, ImportBatch};
use pointsman_model::decision::Verdict;
use pointsman_model::event::Recorded;
use pointsman_model::policy::{FaultClass, PolicyDescription, PolicyKind};
use pointsman_model::promotion::ServedSample;
use pointsman_model::run::{Completion, Failure, FailureClass, HostLoss, ModelFile, Pair, RunEnd, RunReport};
use pointsman_model::source::{Lane, LockKey, NewSource, Origin, SourceEdit};
use pointsman_model::{Actor, CampaignId, DecisionId, Digest, ModelTag, RunId, SourceId};
use std::fmt::Write;

#[derive(Debug, thiserror::Error)]
pub enum ScenarioError {
    #[error("line {line}: {problem}")]
    Line { line: usize, problem: String },
    #[error("line {line}: {broken}")]
    Broken { line: usize, broken: Broken },
}

/// Runs a script; answers the transcript.
pub fn run(script: &str) -> Result<String, ScenarioError> {
    let mut stage = Stage {
        world: World::default(),
        out: String::new(),
    };
    stage.step("start-host").map_err(|problem| problem.at(0))?;
    for (number, line) in script.lines().enumerate() {
        let line = line.trim_end();
        if line.is_empty() || line.starts_with('#') {
            let _ = writeln!(stage.out, "{line}");
            continue;
        }
        let _ = writeln!(stage.out, "> {line}");
        stage.step(line).map_err(|problem| problem.at(number + 1))?;
    }
    Ok(stage.out)
}

enum Stumble {
    Script(String),
    Broken(Broken),
}

impl Stumble {
    fn at(self, line: usize) -> ScenarioError {
        match self {
            Stumble::Script(problem) => ScenarioError::Line { line, problem },
            Stumble::Broken(broken) => ScenarioError::Broken { line, broken },
        }
    }
}

impl From<String> for Stumble {
    fn from(problem: String) -> Stumble {
        Stumble::Script(problem)
    }
}

struct Stage {
    world: World,
    out: String,
}

impl Stage {
    fn step(&mut self, line: &str) -> Result<(), Stumble> {
        let (verb, rest) = line.split_once(' ').unwrap_or((line, ""));
        let rest = rest.trim();
        let actor = Actor::new("operator");
        let command = match verb {
            "start-host" => Command::StartHost {
                version: "0.1.0".into(),
                paused: false,
            },
            "submit" => {
                let (host, title) = two(rest)?;
                Command::SubmitSource(queued(host, title, Origin::Cli))
            }
            "campaign" => {
                let (rows, rest) = two(rest)?;
                let (host, title) = two(rest)?;
                Command::SubmitCampaign {
                    new: queued(host, title, Origin::Campaign),
                    rows: number(rows)?,
                    actor,
                    reason: String::new(),
                }
            }
            "end-campaign" | "end-campaign-and-runs" => {
                let (campaign, reason) = two(rest)?;
                Command::CancelCampaign {
                    campaign: CampaignId(number(campaign)?),
                    end_runs: verb == "end-campaign-and-runs",
                    actor,
                    reason: reason.into(),
                }
            }
            "import" => {
                let words: Vec<&str> = rest.split_whitespace().collect();
                let [import, batch, digest, hosts] = words[..] else {
                    return Err("import NAME PART DIGEST HOST,HOST".to_string().into());
                };
                let rows = hosts.split(',').map(|host| queued(host, host, Origin::Cli));
                Command::ImportSources(ImportBatch {
                    import: import.into(),
                    batch: number(batch)?,
                    digest: number(digest)?,
                    rows: rows.collect(),
                    refused: 0,
                    actor,
                })
            }
            "edit" => {
                let (source, changes) = two(rest)?;
                let mut edit = SourceEdit::default();
                for change in changes.split_whitespace() {
                    match change.split_once('=') {
                        Some(("title", title)) => edit.title = Some(title.into()),
                        Some(("host", host)) => edit.host = Some(host.into()),
                        Some(("priority", priority)) => edit.priority = Some(number(priority)?),
                        Some(("lane", lane)) => edit.lane = Some(from_word(lane)?),
                        _ => return Err(format!("{change:?} is no change of a source").into()),
                    }
                }
                Command::EditSource {
                    source: SourceId(number(source)?),
                    edit,
                    actor,
                    reason: String::new(),
                }
            }
            "remove" | "run" => {
                let (source, reason) = two(rest)?;
                let (source, reason) = (SourceId(number(source)?), reason.to_string());
                match verb {
                    "remove" => Command::CancelSource { source, actor, reason },
                    _ => Command::RunSource { source, actor, reason },
                }
            }
            "lock" => {
                let (key, rest) = two(rest)?;
                let (value, reason) = two(rest)?;
                Command::TakeLock {
                    key: from_word::<LockKey>(key)?,
                    value: value.into(),
                    actor,
                    reason: reason.into(),
                }
            }
            "unlock" => Command::ReleaseLock {
                actor,
                reason: rest.into(),
            },
            "train" => match two(rest)? {
                ("restart", reason) => Command::StartTraining {
                    actor: Actor::new("daemon"),
                    reason: reason.into(),
                    automatic: true,
                },
                ("start", reason) => Command::StartTraining {
                    actor,
                    reason: reason.into(),
                    automatic: false,
                },
                ("stop", reason) => Command::StopTraining {
                    actor,
                    reason: reason.into(),
                },
                (other, _) => return Err(format!("train start or train stop, not {other}").into()),
            },
            "set" => self.settings(rest, actor)?,
            "install" => install(rest, actor)?,
            "confirm" => Command::ConfirmPolicy {
                kind: policy_kind(rest)?,
                actor,
            },
            "pin" | "unpin" => {
                let (kind, reason) = two(rest)?;
                Command::PinPolicy {
                    kind: policy_kind(kind)?,
                    pinned: verb == "pin",
                    actor,
                    reason: reason.into(),
                }
            }
            "canary" => canary(rest, actor)?,
            "migrate" => {
                let (name, state) = two(rest)?;
                let outcome = match state.strip_prefix('!') {
                    Some(reason) => Err(Scripted::fault(FaultClass::Declined, reason)),
                    None => Ok(state.as_bytes().to_vec()),
                };
                self.world.policies.migrate_to(name, outcome);
                return Ok(());
            }
            "release" => {
                let kind = policy_kind(rest)?;
                let slot = self.world.coordinator().state().slot(kind);
                let key = slot.and_then(|slot| slot.quarantined().next()).map(|(input, _)| input.key);
                Command::ReleaseQuarantine {
                    kind,
                    key: key.unwrap_or_default(),
                    actor,
                }
            }
            "crash" => {
                // Down for so long, without a tick.
                let seconds: u64 = if rest.is_empty() {
                    0
                } else {
                    number(rest.strip_suffix('s').unwrap_or(rest))?
                };
                self.world.now += seconds * 1000;
                self.world.crash().map_err(Stumble::Broken)?;
                return self.step("start-host");
            }
            "answer" => return self.answer(rest),
            "fault" => {
                let (name, rest) = two(rest)?;
                let (class, detail) = two(rest)?;
                self.world.policies.fail(name, from_word::<FaultClass>(class)?, detail);
                return Ok(());
            }
            "rollback-policy" | "rollback-set" => {
                let (kind, reason) = two(rest)?;
                Command::RollBackPolicy {
                    kind: policy_kind(kind)?,
                    whole_set: verb == "rollback-set",
                    actor,
                    reason: reason.into(),
                }
            }
            "rollback-model" => Command::RollBackModel {
                actor,
                reason: rest.into(),
            },
            "approve" | "approve-despite-guards" | "reject" => {
                let (tag, reason) = two(rest)?;
                let (tag, decision) = match tag.split_once('@') {
                    Some((tag, decision)) => (tag, Some(DecisionId(number(decision)?))),
                    None => (tag, None),
                };
                Command::DecideHeld {
                    candidate: ModelTag(tag.into()),
                    decision,
                    approve: verb != "reject",
                    despite_guards: verb == "approve-despite-guards",
                    actor,
                    reason: reason.into(),
                }
            }
            "pin-model" | "unpin-model" => {
                let (tag, reason) = two(rest)?;
                Command::PinModel {
                    model: ModelTag(tag.into()),
                    pinned: verb == "pin-model",
                    actor,
                    reason: reason.into(),
                }
            }
            "prune" => {
                let mut words = rest.split_whitespace();
                let keep = words.next().map(number).transpose()?;
                let plan = words
                    .next()
                    .map(|tags| prune_plan(tags.split(',').map(|tag| ModelTag(tag.into())).collect::<Vec<_>>().iter()));
                Command::PruneModels {
                    keep,
                    plan,
                    actor,
                    reason: "scripted".into(),
                }
            }
            "enable" => Command::EnableSource {
                source: SourceId(number(rest)?),
                actor,
                reason: String::new(),
            },
            "disable" => {
                let (source, reason) = two(rest)?;
                Command::DisableSource {
                    source: SourceId(number(source)?),
                    actor,
                    reason: reason.into(),
                }
            }
            "cancel" => {
                let (run, reason) = two(rest)?;
                Command::CancelRun {
                    run: RunId(number(run)?),
                    actor,
                    reason: reason.into(),
                }
            }
            "started" => Command::ReportStarted {
                token: self.token(number(rest)?)?,
            },
            "finish" => self.finish(rest)?,
            "served" => served(rest)?,
            "wait" => return self.wait(rest),
            "show" => return self.show(rest),
            other => return Err(format!("there is no command {other:?}").into()),
        };
        self.command(command)
    }

    fn command(&mut self, command: Command) -> Result<(), Stumble> {
        match self.world.command(command).map_err(Stumble::Broken)? {
            Ok((reply, entries)) => {
                self.write_entries(&entries);
                match reply {
                    Reply::Done
                    | Reply::Run(_)
                    | Reply::Source(_)
                    | Reply::Campaign(_)
                    | Reply::Models(_)
                    | Reply::Imported { .. }
                    | Reply::Generation(_)
                    | Reply::Generations(_)
                        if !entries.is_empty() => {}
                    reply => {
                        let _ = writeln!(self.out, "    nothing changes ({reply:?})");
                    }
                }
            }
            Err(Refusal {
                kind,
                code,
                message,
                fields: _,
                fix,
            }) => {
                let _ = write!(self.out, "    refused {kind:?} {code}: {message}");
                let _ = writeln!(self.out, "{}", fix.map(|fix| format!("; try: {fix}")).unwrap_or_default());
            }
        }
        Ok(())
    }

    fn write_entries(&mut self, entries: &[Recorded]) {
        for recorded in entries {
            let _ = writeln!(self.out, "    {:>3} {}", recorded.seq, transcript::line(recorded));
        }
    }

    fn settings(&self, rest: &str, actor: Actor) -> Result<Command, String> {
        let mut settings = serde_json::to_value(&self.world.coordinator().state().settings).map_err(|error| error.to_string())?;
        for change in rest.split_whitespace() {
            let (name, value) = change.split_once('=').ok_or_else(|| format!("{change:?} is not name=value"))?;
            let slot = settings.get_mut(name).ok_or_else(|| format!("there is no setting {name:?}"))?;
            *slot = serde_json::from_str(value).unwrap_or_else(|_| value.into());
        }
        let settings = serde_json::from_value(settings).map_err(|error| error.to_string())?;
        Ok(Command::ChangeSettings { settings, actor })
    }

    fn answer(&mut self, rest: &str) -> Result<(), Stumble> {
        let (name, rest) = two(rest)?;
        let mut stream = serde_json::Deserializer::from_str(rest).into_iter::<Verdict>();
        let verdict = stream
            .next()
            .ok_or("a verdict in JSON follows the name".to_string())?
            .map_err(|error| error.to_string())?;
        let reason = rest[stream.byte_offset()..].trim();
        let (reason, state) = match reason.split_once(" state=") {
            Some((reason, state)) => (reason, Some(state.as_bytes().to_vec())),
            None => (reason, None),
        };
        self.world.policies.answer(name, verdict, reason, state);
        Ok(())
    }

    fn token(&self, run: u64) -> Result<pointsman_model::run::AttemptToken, String> {
        let state = self.world.coordinator().state();
        let planned = self.world.journal().iter().find_map(|recorded| match &recorded.event {
            pointsman_model::event::Event::RunPlanned { run: planned, .. } if planned.token.run.0 == run => Some(planned.token),
            _ => None,
        });
        let live = state.runs.get(&RunId(run)).map(|run| run.token);
        live.or(planned).ok_or_else(|| format!("run {run} was never planned"))
    }

    fn finish(&mut self, rest: &str) -> Result<Command, String> {
        let (run, rest) = two(rest)?;
        let token = self.token(number(run)?)?;
        let (how, rest) = rest.split_once(' ').unwrap_or((rest, ""));
        let end = match how {
            "ok" => RunEnd::Completed(Completion {
                steps: 400,
                losses: losses(rest)?,
                model: Some(ModelFile {
                    digest: Digest::of(run.as_bytes()),
                    bytes: 1000,
                    path: format!("models/{run}"),
                }),
                ..Completion::default()
            }),
            "pairs" => RunEnd::Completed(Completion {
                pairs: pairs(rest)?,
                ..Completion::default()
            }),
            "fail" => {
                let (class, error) = two(rest)?;
                RunEnd::Failed(Failure {
                    class: from_word::<FailureClass>(class)?,
                    error: error.into(),
                    exit_code: Some(1),
                })
            }
            "cancelled" => RunEnd::Cancelled,
            other => return Err(format!("finish RUN ok|pairs|fail|cancelled, not {other:?}")),
        };
        Ok(Command::ReportFinished {
            token,
            report: RunReport { duration_ms: 1000, end },
        })
    }

    /// Moves the clock, stopping at each deadline on the way.
    fn wait(&mut self, rest: &str) -> Result<(), Stumble> {
        let seconds: u64 = number(rest.strip_suffix('s').unwrap_or(rest))?;
        let end = self.world.now + seconds * 1000;
        while let Some(deadline) = self
            .world
            .coordinator()
            .next_deadline(self.world.now)
            .filter(|deadline| *deadline <= end)
        {
            self.world.now = deadline;
            let entries = self.world.command(Command::Tick).map_err(Stumble::Broken)?;
            if let Ok((_, entries)) = entries
                && !entries.is_empty()
            {
                let _ = writeln!(self.out, "    at {} s", (deadline - crate::world::EPOCH_MS) as f64 / 1000.0);
                self.write_entries(&entries);
            }
        }
        self.world.now = end;
        self.command(Command::Tick)
    }

    fn show(&mut self, what: &str) -> Result<(), Stumble> {
        let coordinator = self.world.coordinator();
        let text = match what {
            "wants" => transcript::wants(&coordinator.wants()),
            "state" => transcript::state(coordinator.state()),
            "policies" => transcript::policies(coordinator.state()),
            "queue" => transcript::queue(coordinator.state()),
            "promotion" => transcript::promotion(coordinator.state()),
            keep if keep.starts_with("retention ") => transcript::retention(coordinator.state(), number(&keep["retention ".len()..])?),
            next if next == "next" || next.starts_with("next ") => {
                let about = next.strip_prefix("next ").map(number).transpose()?.map(SourceId);
                let preview = Preview::of(coordinator.state(), self.world.now, about);
                transcript::next(&preview.ask(&mut self.world.policies))
            }
            other => return Err(format!("show wants, state, policies, queue, promotion, retention KEEP or next, not {other:?}").into()),
        };
        self.out.push_str(&text);
        Ok(())
    }
}

/// `KIND NAME@VERSION`, options, and the same again after each ` + `.
fn install(rest: &str, actor: Actor) -> Result<Command, String> {
    let mut confirm_within_ms = None;
    let mut force = false;
    let mut policies = Vec::new();
    for one in rest.split(" + ") {
        let mut words = one.split_whitespace();
        let (Some(kind), Some(version)) = (words.next(), words.next()) else {
            return Err("install KIND NAME@VERSION".into());
        };
        let mut activation = Activation::of(described(kind, version)?);
        for option in words {
            match option.split_once('=') {
                Some(("state", version)) => activation.description.state_version = number(version)?,
                Some(("confirm", within)) => {
                    let seconds: u64 = number(within.strip_suffix('s').unwrap_or(within))?;
                    confirm_within_ms = Some(seconds * 1000);
                }
                None if option == "force" => force = true,
                None if option == "fresh" => activation.fresh_state = true,
                Some(_) | None => return Err(format!("{option:?} is not state=N, confirm=Ns, force or fresh")),
            }
        }
        policies.push(activation);
    }
    Ok(Command::ActivatePolicies {
        policies,
        confirm_within_ms,
        force,
        actor,
        reason: "scripted".into(),
    })
}

fn canary(rest: &str, actor: Actor) -> Result<Command, String> {
    let words: Vec<&str> = rest.split_whitespace().collect();
    match words[..] {
        ["start", kind, version, share] | ["start", kind, version, share, "force"] => Ok(Command::StartPolicyCanary {
            description: described(kind, version)?,
            share: number(share)?,
            report: None,
            force: words.len() == 5,
            actor,
            reason: "scripted".into(),
        }),
        [how @ ("promote" | "end"), kind, ..] => Ok(Command::EndPolicyCanary {
            kind: policy_kind(kind)?,
            promote: how == "promote",
            actor,
            reason: words[2..].join(" "),
        }),
        _ => Err("canary start KIND NAME@VERSION SHARE, or canary promote|end KIND REASON".into()),
    }
}

fn described(kind: &str, version: &str) -> Result<PolicyDescription, String> {
    let (name, version) = version.split_once('@').ok_or_else(|| format!("{version:?} is not NAME@VERSION"))?;
    Ok(Scripted::describe(name, version, policy_kind(kind)?))
}

fn served(rest: &str) -> Result<Command, String> {
    let words: Vec<&str> = rest.split_whitespace().collect();
    let [tag, count, baseline, candidate, by] = words[..] else {
        return Err("served TAG COUNT BASELINE CANDIDATE candidate|baseline|failed".into());
    };
    let pair = Pair {
        host: "standard".into(),
        baseline: number(baseline)?,
        candidate: number(candidate)?,
    };
    let sample = ServedSample {
        by_candidate: by != "baseline",
        failed: by == "failed",
        latency_ms: 5.0,
        pair: (by != "failed").then_some(pair),
    };
    Ok(Command::ReportServed {
        candidate: ModelTag(tag.into()),
        samples: vec![sample; number(count)?],
    })
}

fn losses(rest: &str) -> Result<Vec<HostLoss>, String> {
    let loss = |word: &str| {
        let (host, after) = word.split_once('=').ok_or_else(|| format!("{word:?} is not host=loss"))?;
        Ok(HostLoss {
            host: host.into(),
            before: None,
            after: number(after)?,
        })
    };
    rest.split_whitespace().map(loss).collect()
}

/// `HOST COUNT BASELINE CANDIDATE`, any number of times.
fn pairs(rest: &str) -> Result<Vec<Pair>, String> {
    let words: Vec<&str> = rest.split_whitespace().collect();
    let mut pairs = Vec::new();
    for group in words.chunks(4) {
        let [host, count, baseline, candidate] = group else {
            return Err("pairs come as HOST COUNT BASELINE CANDIDATE".into());
        };
        let pair = Pair {
            host: host.to_string(),
            baseline: number(baseline)?,
            candidate: number(candidate)?,
        };
        pairs.extend(std::iter::repeat_n(pair, number(count)?));
    }
    Ok(pairs)
}

fn queued(host: &str, title: &str, origin: Origin) -> NewSource {
    NewSource {
        title: title.trim_matches('"').into(),
        body: String::new(),
        host: (host != "-").then(|| host.to_string()),
        lane: Lane::Queue,
        origin,
        priority: 0,
        params: None,
    }
}

fn two(rest: &str) -> Result<(&str, &str), String> {
    rest.split_once(' ')
        .map(|(a, b)| (a, b.trim()))
        .ok_or_else(|| format!("{rest:?} lacks its second part"))
}

fn number<T: std::str::FromStr>(word: &str) -> Result<T, String> {
    word.parse()
        .map_err(|_| format!("{word:?} is not a number of the kind that is needed"))
}

fn from_word<T: serde::de::DeserializeOwned>(word: &str) -> Result<T, String> {
    serde_json::from_value(word.into()).map_err(|error| error.to_string())
}

fn policy_kind(word: &str) -> Result<PolicyKind, String> {
    PolicyKind::parse(word).ok_or_else(|| format!("there is no policy kind {word:?}"))
}
