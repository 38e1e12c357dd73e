//! Standard requests: the model in service answers them, and what they tell about a candidate goes to the coordinator.

use crate::clock::now_ms;
use crate::hub::Hub;
use crate::inbox::Inbox;
use pointsman_model::ModelTag;
use pointsman_model::command::Command;
use pointsman_model::promotion::ServedSample;
use pointsman_runner::{Completion, CompletionRequest, ModelService, ServeError, ServingStatus, probe_prompts};
use std::collections::BTreeMap;
use std::ops::ControlFlow;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

/// Samples are handed over together, after so long at the latest.
const HAND_OVER_EVERY: Duration = Duration::from_millis(250);
/// Samples that wait to be handed over; more are dropped, which only makes the sample smaller.
const WAITING_MAX: usize = 4_096;
/// Samples of one command.
const SAMPLES_AT_ONCE: usize = 256;
/// While a candidate is on trial the host asks itself as often.
const PROBE_EVERY: Duration = Duration::from_millis(100);
/// Minutes of which answers are counted.
const MINUTES_KEPT: u64 = 30;
/// A probe needs an answer to count, not a long one.
const PROBE_TOKENS: u32 = 16;

/// Answers standard requests and counts them.
pub struct StandardRequests {
    service: Arc<ModelService>,
    waiting: Mutex<Waiting>,
    probes: AtomicBool,
    stopping: AtomicBool,
}

#[derive(Default)]
struct Waiting {
    samples: Vec<(ModelTag, ServedSample)>,
    answered: BTreeMap<String, u64>,
    answered_changed: bool,
    /// Requests of others answered, by minute.
    by_minute: BTreeMap<u64, u64>,
}

/// The threads that hand samples over and ask probes.
pub struct StandardThreads {
    requests: Arc<StandardRequests>,
    threads: Vec<JoinHandle<()>>,
}

impl StandardRequests {
    pub fn new(service: Arc<ModelService>, probes: bool) -> Arc<StandardRequests> {
        Arc::new(StandardRequests {
            service,
            waiting: Mutex::default(),
            probes: AtomicBool::new(probes),
            stopping: AtomicBool::new(false),
        })
    }

    /// Answers a request; blocks while the model writes.
    pub fn complete(
        &self,
        request: &CompletionRequest,
        on_text: &mut dyn FnMut(&str) -> ControlFlow<()>,
    ) -> Result<Completion, ServeError> {
        let mut completion = self.service.complete_streaming(request, on_text)?;
        let mut waiting = self.waiting.lock().unwrap_or_else(PoisonError::into_inner);
        *waiting.answered.entry(completion.model.0.clone()).or_default() += 1;
        waiting.answered_changed = true;
        if !request.probe {
            let minute = now_ms() / 60_000;
            *waiting.by_minute.entry(minute).or_default() += 1;
            waiting.by_minute.retain(|known, _| *known + MINUTES_KEPT > minute);
        }
        if let Some(sample) = completion.sample.take()
            && waiting.samples.len() < WAITING_MAX
        {
            waiting.samples.push(sample);
        }
        Ok(completion)
    }

    /// Requests of others that were answered within the last 30 minutes, by this process.
    pub fn answered_30m(&self) -> u64 {
        let waiting = self.waiting.lock().unwrap_or_else(PoisonError::into_inner);
        let since = (now_ms() / 60_000).saturating_sub(MINUTES_KEPT - 1);
        waiting.by_minute.range(since..).map(|(_, count)| count).sum()
    }

    /// What is in service, and what keeps it from being so.
    pub fn status(&self) -> ServingStatus {
        self.service.status()
    }

    pub fn start(self: &Arc<Self>, inbox: Inbox, hub: Hub) -> std::io::Result<StandardThreads> {
        let mut threads = Vec::new();
        let requests = self.clone();
        threads.push(
            std::thread::Builder::new()
                .name("samples".into())
                .spawn(move || requests.hand_over(&inbox, &hub))?,
        );
        let requests = self.clone();
        threads.push(std::thread::Builder::new().name("probes".into()).spawn(move || requests.probe())?);
        Ok(StandardThreads {
            requests: self.clone(),
            threads,
        })
    }

    fn hand_over(&self, inbox: &Inbox, hub: &Hub) {
        let mut problem = None;
        while !self.stopping.load(Ordering::Relaxed) {
            std::thread::park_timeout(HAND_OVER_EVERY);
            let mut waiting = self.waiting.lock().unwrap_or_else(PoisonError::into_inner);
            let samples = std::mem::take(&mut waiting.samples);
            let answered = std::mem::take(&mut waiting.answered_changed).then(|| waiting.answered.clone());
            drop(waiting);
            let mut by_candidate: BTreeMap<ModelTag, Vec<ServedSample>> = BTreeMap::new();
            for (candidate, sample) in samples {
                by_candidate.entry(candidate).or_default().push(sample);
            }
            for (candidate, samples) in by_candidate {
                for samples in samples.chunks(SAMPLES_AT_ONCE) {
                    // A candidate whose trial has just ended is not there any more: that is no news.
                    let command = Command::ReportServed {
                        candidate: candidate.clone(),
                        samples: samples.to_vec(),
                    };
                    if let Err(error) = inbox.send_blocking(command, Vec::new()) {
                        tracing::debug!("samples of {candidate} were not taken: {error}");
                    }
                }
            }
            if let Some(answered) = answered {
                hub.aside(|asides| asides.answered = answered);
            }
            let now = self.service.status().problem;
            if now != problem {
                hub.alert(
                    "0-serving",
                    now.clone().map(|text| crate::wire::Alert {
                        level: "error".to_string(),
                        code: "model_not_in_service".to_string(),
                        text: format!("A model cannot be put in service: {text}."),
                        fix: Some("Restore its file from a backup, or roll back: `pointsman models rollback`.".to_string()),
                    }),
                );
                problem = now;
            }
        }
    }

    fn probe(&self) {
        let mut offset = 0;
        while !self.stopping.load(Ordering::Relaxed) {
            let started = Instant::now();
            if self.probes.load(Ordering::Relaxed) && self.service.status().candidate.is_some() {
                for (host, prompt) in probe_prompts(1, offset) {
                    let request = CompletionRequest {
                        prompt: String::from_utf8_lossy(&prompt).into_owned(),
                        max_tokens: PROBE_TOKENS,
                        temperature: 0.0,
                        seed: Some(offset),
                        host: Some(host),
                        probe: true,
                    };
                    if let Err(error) = self.complete(&request, &mut |_| ControlFlow::Continue(())) {
                        tracing::debug!("a probe was not answered: {error}");
                    }
                }
                offset += 1;
            }
            std::thread::park_timeout(PROBE_EVERY.saturating_sub(started.elapsed()));
        }
    }
}

impl StandardThreads {
    pub fn stop(self) {
        self.requests.stopping.store(true, Ordering::Relaxed);
        for thread in self.threads {
            thread.thread().unpark();
            let _ = thread.join();
        }
    }
}
