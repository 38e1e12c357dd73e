//! The models in service: which one answers standard requests, and which one stands beside it and is measured.
//!
//! What should be in service comes as [`Serving`], any number of times; models are loaded before the switch and the
//! switch is one atomic store, so a request is answered by one state of affairs from its first byte to its last. A model that
//! cannot be loaded changes nothing but [`ServingStatus::problem`], and counts as a failure of the candidate, if it is one.

mod answer;
mod probes;

use std::collections::BTreeMap;
use std::fmt;
use std::path::{Path, PathBuf};
use std::sync::atomic::AtomicU64;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use arc_swap::ArcSwap;
use pointsman_model::promotion::Model as ModelRecord;
use pointsman_model::wants::{Beside, Serving};
use pointsman_model::{Digest, ModelTag};
use pointsman_trainer::{LoadError, Model};
use serde::Serialize;

pub use answer::{Completion, CompletionRequest, MAX_TOKENS_MAX, PROMPT_BYTES_MAX, SCORED_BYTES_MIN, ServeError};
pub use probes::probe_prompts;

/// Pause before a model that could not be loaded is tried again.
const RETRY_AFTER: Duration = Duration::from_secs(5);

/// Answers standard requests. Shared by reference; every method may be called from any thread.
pub struct ModelService {
    data_dir: PathBuf,
    stage: ArcSwap<Stage>,
    loading: Mutex<Loading>,
    /// Requests so far: decides who answers while a candidate is in canary.
    requests: AtomicU64,
}

/// What is in service at one moment.
#[derive(Default)]
struct Stage {
    /// Answers by default.
    answering: Option<Loaded>,
    trial: Option<Trial>,
    problem: Option<String>,
}

#[derive(Clone)]
struct Loaded {
    tag: ModelTag,
    digest: Digest,
    model: Arc<Model>,
}

/// A candidate being tried on requests.
struct Trial {
    candidate: ModelTag,
    kind: TrialKind,
}

enum TrialKind {
    /// Answers a share of the requests; none while it cannot be loaded.
    Canary { share: f64, model: Option<Loaded> },
    /// Answers all requests, and the model before it scores the prompts.
    Watch { before: Option<Loaded> },
    /// Should answer all requests and cannot be loaded: the model before it does.
    Absent,
}

#[derive(Default)]
struct Loading {
    applied: Option<Serving>,
    /// Models that could not be loaded, when that was and why.
    broken: BTreeMap<Digest, (Instant, String)>,
}

/// What is in service, for people.
#[derive(Clone, Debug, Default, PartialEq, Serialize)]
pub struct ServingStatus {
    pub answering: Option<ModelTag>,
    pub candidate: Option<ModelTag>,
    /// What keeps the wanted models from being in service.
    pub problem: Option<String>,
}

#[derive(Debug, thiserror::Error)]
enum ServingError {
    #[error(transparent)]
    Load(#[from] LoadError),
    #[error("the file has digest {found}, not {expected}")]
    OtherFile { expected: Digest, found: String },
    #[error("{0:?} is not a directory inside the data directory")]
    Outside(String),
}

impl ModelService {
    pub fn new(data_dir: &Path) -> ModelService {
        ModelService {
            data_dir: data_dir.to_path_buf(),
            stage: ArcSwap::default(),
            loading: Mutex::default(),
            requests: AtomicU64::new(0),
        }
    }

    /// Puts in service what is wanted. Loads what is not loaded yet, which takes a while, and then switches. May be called again
    /// with the same value: what is in service already is left alone, and what could not be loaded is tried again now and then.
    pub fn apply(&self, serving: &Option<Serving>) {
        let mut loading = self.loading.lock().unwrap_or_else(PoisonError::into_inner);
        loading.broken.retain(|_, (at, _)| at.elapsed() < RETRY_AFTER);
        let stage = self.stage.load_full();
        if loading.applied == *serving && (stage.problem.is_none() || !loading.broken.is_empty()) {
            return;
        }
        let next = match serving {
            None => Stage::default(),
            Some(serving) => self.next_stage(&stage, serving, &mut loading),
        };
        if let Some(problem) = &next.problem {
            tracing::error!(problem, "a model cannot be put in service");
        }
        self.stage.store(Arc::new(next));
        loading.applied = serving.clone();
    }

    pub fn status(&self) -> ServingStatus {
        let stage = self.stage.load();
        ServingStatus {
            answering: stage.answering.as_ref().map(|model| model.tag.clone()),
            candidate: stage.trial.as_ref().map(|trial| trial.candidate.clone()),
            problem: stage.problem.clone(),
        }
    }

    fn next_stage(&self, now: &Stage, wanted: &Serving, loading: &mut Loading) -> Stage {
        let mut problems = Vec::new();
        let mut loaded = |record: &ModelRecord| {
            let model = self.loaded(now, record, loading);
            model.map_err(|problem| problems.push(format!("{}: {problem}", record.tag))).ok()
        };
        let active = loaded(&wanted.active);
        let (answering, trial) = match (&wanted.beside, active) {
            (None, Some(active)) => (Some(active), None),
            (None, None) => (now.answering.clone(), None),
            (Some(Beside::Canary { candidate, share }), active) => {
                let kind = TrialKind::Canary {
                    share: *share,
                    model: loaded(candidate),
                };
                (
                    active.or_else(|| now.answering.clone()),
                    Some(Trial {
                        candidate: candidate.tag.clone(),
                        kind,
                    }),
                )
            }
            (Some(Beside::Watch { before }), Some(active)) => {
                let trial = Trial {
                    candidate: active.tag.clone(),
                    kind: TrialKind::Watch { before: loaded(before) },
                };
                (Some(active), Some(trial))
            }
            (Some(Beside::Watch { before }), None) => {
                let trial = Trial {
                    candidate: wanted.active.tag.clone(),
                    kind: TrialKind::Absent,
                };
                (loaded(before).or_else(|| now.answering.clone()), Some(trial))
            }
        };
        let problem = (!problems.is_empty()).then(|| problems.join("; "));
        Stage { answering, trial, problem }
    }

    /// A model in service already is taken from there: each file is read once.
    fn loaded(&self, now: &Stage, record: &ModelRecord, loading: &mut Loading) -> Result<Loaded, String> {
        let beside = match now.trial.as_ref().map(|trial| &trial.kind) {
            Some(TrialKind::Canary { model, .. }) => model.as_ref(),
            Some(TrialKind::Watch { before }) => before.as_ref(),
            Some(TrialKind::Absent) | None => None,
        };
        let in_service = [now.answering.as_ref(), beside]
            .into_iter()
            .flatten()
            .find(|loaded| loaded.digest == record.digest);
        if let Some(Loaded { model, .. }) = in_service {
            return Ok(Loaded {
                tag: record.tag.clone(),
                digest: record.digest,
                model: model.clone(),
            });
        }
        if let Some((_, problem)) = loading.broken.get(&record.digest) {
            return Err(problem.clone());
        }
        self.load(record).map_err(|error| {
            let problem = error.to_string();
            loading.broken.insert(record.digest, (Instant::now(), problem.clone()));
            problem
        })
    }

    fn load(&self, record: &ModelRecord) -> Result<Loaded, ServingError> {
        let dir = inside(&self.data_dir, &record.path).ok_or_else(|| ServingError::Outside(record.path.clone()))?;
        let model = Model::load(dir)?;
        if model.digest() != record.digest.to_string() {
            return Err(ServingError::OtherFile {
                expected: record.digest,
                found: model.digest().to_string(),
            });
        }
        tracing::info!(model = %record.tag, "model loaded");
        Ok(Loaded {
            tag: record.tag.clone(),
            digest: record.digest,
            model: Arc::new(model),
        })
    }
}

impl fmt::Debug for ModelService {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ModelService")
            .field("data_dir", &self.data_dir)
            .field("status", &self.status())
            .finish_non_exhaustive()
    }
}

/// A directory named relative to the data directory, unless the name leads out of it.
pub(crate) fn inside(data_dir: &Path, relative: &str) -> Option<PathBuf> {
    let path = Path::new(relative);
    let is_plain = path.components().all(|part| matches!(part, std::path::Component::Normal(_)));
    (is_plain && !relative.is_empty()).then(|| data_dir.join(path))
}
