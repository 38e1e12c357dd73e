//! Models in service: who answers, what is measured, and what happens when a file is bad.

use std::collections::BTreeSet;
use std::fs;
use std::ops::ControlFlow;
use std::path::{Path, PathBuf};
use std::sync::OnceLock;

use pointsman_model::promotion::Model;
use pointsman_model::protocol::{RunSpec, SpecClass, SpecSource, TrainParams};
use pointsman_model::wants::{Beside, Serving};
use pointsman_model::{Digest, ModelTag, RunId};
use pointsman_runner::{CompletionRequest, ModelService, ServeError, probe_prompts};
use pointsman_trainer::{Faults, MODEL_FILE};

/// Two small models, made once.
fn shop() -> &'static Path {
    static SHOP: OnceLock<PathBuf> = OnceLock::new();
    SHOP.get_or_init(|| {
        let dir = Path::new(env!("CARGO_TARGET_TMPDIR")).join("serving");
        let _ = fs::remove_dir_all(&dir);
        for seed in [1, 2] {
            let out = dir.join(format!("models/{seed}"));
            fs::create_dir_all(&out).unwrap();
            let spec = RunSpec {
                run: seed,
                attempt: 1,
                class: SpecClass::Bootstrap,
                source: SpecSource::default(),
                params: TrainParams {
                    steps: 20,
                    ..TrainParams::default()
                },
                seed,
                base: None,
                candidate: None,
                out_dir: out.to_string_lossy().into_owned(),
                slice: None,
        memory: None,
            };
            pointsman_trainer::run(&spec, Faults::Off, std::io::sink()).unwrap();
        }
        dir
    })
}

fn model(run: u64) -> Model {
    let bytes = fs::read(shop().join(format!("models/{run}")).join(MODEL_FILE)).unwrap();
    Model {
        tag: ModelTag::numbered(run),
        parent: None,
        run: RunId(run),
        digest: Digest::of(&bytes),
        bytes: bytes.len() as u64,
        path: format!("models/{run}"),
        made_at: 0,
        host: None,
        hosts: Vec::new(),
    }
}

/// A model of which there is no file.
fn missing(run: u64) -> Model {
    Model {
        tag: ModelTag::numbered(run),
        path: format!("models/{run}"),
        digest: Digest::of(b"nothing"),
        ..model(1)
    }
}

fn service(serving: Serving) -> ModelService {
    let service = ModelService::new(shop());
    service.apply(&Some(serving));
    service
}

fn canary(candidate: Model, share: f64) -> Serving {
    Serving {
        active: model(1),
        beside: Some(Beside::Canary { candidate, share }),
    }
}

fn request() -> CompletionRequest {
    let prompt = String::from_utf8_lossy(&probe_prompts(1, 0)[0].1).into_owned();
    CompletionRequest {
        prompt,
        max_tokens: 8,
        temperature: 0.6,
        seed: Some(3),
        host: None,
        probe: false,
    }
}

#[test]
fn without_a_model_there_is_a_clear_refusal() {
    let service = ModelService::new(shop());
    assert_eq!(service.complete(&request()), Err(ServeError::NoModel { problem: None }));
    service.apply(&Some(Serving {
        active: missing(99),
        beside: None,
    }));
    let Err(ServeError::NoModel { problem: Some(problem) }) = service.complete(&request()) else {
        panic!()
    };
    assert!(problem.starts_with("m-99: "), "{problem}");
}

#[test]
fn one_seed_gives_one_text_and_a_stream_the_same() {
    let service = service(Serving {
        active: model(1),
        beside: None,
    });
    let whole = service.complete(&request()).unwrap();
    assert_eq!((whole.model.0.as_str(), whole.by_candidate, &whole.sample), ("m-1", false, &None));
    assert!(whole.latency_ms > 0.0);
    let mut pieces = Vec::new();
    let mut on_text = |piece: &str| {
        pieces.push(piece.to_string());
        ControlFlow::Continue(())
    };
    assert_eq!(service.complete_streaming(&request(), &mut on_text).unwrap().text, whole.text);
    assert_eq!(pieces.concat(), whole.text);
    assert!(pieces.len() > 1);
    let first = service.complete_streaming(&request(), &mut |_| ControlFlow::Break(())).unwrap();
    assert_eq!(first.text, pieces[0]);
    let other = CompletionRequest {
        seed: None,
        max_tokens: 100,
        temperature: 1.5,
        ..request()
    };
    assert_ne!(service.complete(&other).unwrap().text, service.complete(&other).unwrap().text);
}

#[test]
fn in_canary_the_candidate_answers_its_share_and_both_score() {
    let service = service(canary(model(2), 0.25));
    let mut by_candidate = 0;
    for _ in 0..400 {
        let completion = service
            .complete(&CompletionRequest {
                max_tokens: 1,
                host: Some("code".into()),
                ..request()
            })
            .unwrap();
        let (tag, sample) = completion.sample.unwrap();
        assert_eq!(tag.0, "m-2");
        assert_eq!(sample.by_candidate, completion.by_candidate);
        assert_eq!(completion.model.0, if completion.by_candidate { "m-2" } else { "m-1" });
        let pair = sample.pair.unwrap();
        assert_eq!(pair.host, "code");
        assert!(pair.baseline > 0.0 && pair.candidate > 0.0 && pair.baseline != pair.candidate);
        by_candidate += u32::from(completion.by_candidate);
    }
    assert!((70..=130).contains(&by_candidate), "{by_candidate}");
}

#[test]
fn a_short_prompt_is_answered_and_not_scored() {
    let service = service(canary(model(2), 1.0));
    let completion = service
        .complete(&CompletionRequest {
            prompt: "short".into(),
            ..request()
        })
        .unwrap();
    let (_, sample) = completion.sample.unwrap();
    assert_eq!((sample.pair, sample.by_candidate, sample.failed), (None, true, false));
}

#[test]
fn in_a_watch_the_candidate_answers_and_the_model_before_scores() {
    let service = service(Serving {
        active: model(2),
        beside: Some(Beside::Watch { before: model(1) }),
    });
    let completion = service.complete(&request()).unwrap();
    let (tag, sample) = completion.sample.unwrap();
    assert_eq!(
        (completion.model.0.as_str(), tag.0.as_str(), sample.by_candidate),
        ("m-2", "m-2", true)
    );
    let watched = sample.pair.unwrap();
    assert_eq!(watched.host, "standard");
    service.apply(&Some(canary(model(2), 0.0)));
    let tried = service.complete(&request()).unwrap().sample.unwrap().1.pair.unwrap();
    assert_eq!((tried.baseline, tried.candidate), (watched.baseline, watched.candidate));
}

#[test]
fn a_candidate_that_cannot_be_loaded_fails_its_share_and_nobody_notices() {
    let service = service(canary(missing(99), 1.0));
    let completion = service.complete(&request()).unwrap();
    assert_eq!((completion.model.0.as_str(), completion.by_candidate), ("m-1", false));
    let (tag, sample) = completion.sample.unwrap();
    assert_eq!(
        (tag.0.as_str(), sample.by_candidate, sample.failed, sample.pair),
        ("m-99", true, true, None)
    );
    assert!(service.status().problem.unwrap().starts_with("m-99: "));
}

#[test]
fn an_active_model_that_cannot_be_loaded_leaves_the_old_one_in_service() {
    let service = service(Serving {
        active: model(1),
        beside: None,
    });
    service.apply(&Some(Serving {
        active: missing(99),
        beside: None,
    }));
    assert_eq!(service.complete(&request()).unwrap().model.0, "m-1");
    assert!(service.status().problem.is_some());
    service.apply(&Some(Serving {
        active: missing(99),
        beside: Some(Beside::Watch { before: model(1) }),
    }));
    let completion = service.complete(&request()).unwrap();
    assert_eq!(completion.model.0, "m-1");
    assert!(completion.sample.unwrap().1.failed);
    service.apply(&Some(Serving {
        active: model(2),
        beside: None,
    }));
    assert_eq!(
        (service.complete(&request()).unwrap().model.0.as_str(), service.status().problem),
        ("m-2", None)
    );
}

#[test]
fn a_file_that_was_changed_is_not_served() {
    let changed = shop().join("models/77");
    fs::create_dir_all(&changed).unwrap();
    fs::copy(shop().join("models/2").join(MODEL_FILE), changed.join(MODEL_FILE)).unwrap();
    let service = service(Serving {
        active: Model {
            path: "models/77".into(),
            ..model(1)
        },
        beside: None,
    });
    assert!(service.status().problem.unwrap().contains("digest"));
    let outside = Model {
        path: "models/../models/1".into(),
        ..model(1)
    };
    service.apply(&Some(Serving {
        active: outside,
        beside: None,
    }));
    assert!(service.status().problem.is_some(), "a path that leads out is refused");
}

#[test]
fn a_model_in_service_is_not_read_again() {
    let dir = shop().join("models/78");
    fs::create_dir_all(&dir).unwrap();
    fs::copy(shop().join("models/1").join(MODEL_FILE), dir.join(MODEL_FILE)).unwrap();
    let moving = Model {
        path: "models/78".into(),
        ..model(1)
    };
    let service = service(Serving {
        active: moving.clone(),
        beside: None,
    });
    fs::remove_dir_all(&dir).unwrap();
    // The same model in another place: no file is needed.
    service.apply(&Some(Serving {
        active: model(2),
        beside: Some(Beside::Watch { before: moving.clone() }),
    }));
    service.apply(&Some(Serving {
        active: moving,
        beside: None,
    }));
    assert_eq!(
        (service.status().problem, service.complete(&request()).unwrap().model.0.as_str()),
        (None, "m-1")
    );
}

#[test]
fn a_switch_under_load_is_never_seen_half_done() {
    let service = service(Serving {
        active: model(1),
        beside: None,
    });
    std::thread::scope(|scope| {
        let askers: Vec<_> = (0..3)
            .map(|_| {
                scope.spawn(|| {
                    let mut seen = BTreeSet::new();
                    while seen.len() < 2 {
                        let completion = service
                            .complete(&CompletionRequest {
                                max_tokens: 1,
                                ..request()
                            })
                            .unwrap();
                        match completion.sample {
                            None => assert_eq!(completion.model.0, "m-1"),
                            Some((tag, _)) => assert_eq!((tag, completion.model.0.as_str()), (completion.model.clone(), "m-2")),
                        }
                        seen.insert(completion.model);
                    }
                })
            })
            .collect();
        let mut turn = 0;
        while !askers.iter().all(|asker| asker.is_finished()) {
            turn += 1;
            service.apply(&Some(match turn % 2 {
                0 => Serving {
                    active: model(1),
                    beside: None,
                },
                _ => Serving {
                    active: model(2),
                    beside: Some(Beside::Watch { before: model(1) }),
                },
            }));
        }
    });
}

#[test]
fn bad_requests_name_the_field() {
    let service = service(Serving {
        active: model(1),
        beside: None,
    });
    let check = |request: CompletionRequest, field: &str| {
        let error = service.complete(&request).unwrap_err().to_string();
        assert!(error.starts_with(&format!("{field}: ")), "{error}");
    };
    check(
        CompletionRequest {
            max_tokens: 0,
            ..request()
        },
        "max_tokens",
    );
    check(
        CompletionRequest {
            max_tokens: u32::MAX,
            ..request()
        },
        "max_tokens",
    );
    check(
        CompletionRequest {
            temperature: f32::NAN,
            ..request()
        },
        "temperature",
    );
    check(
        CompletionRequest {
            temperature: -1.0,
            ..request()
        },
        "temperature",
    );
    check(
        CompletionRequest {
            prompt: "x".repeat(100_000),
            ..request()
        },
        "prompt",
    );
    check(
        CompletionRequest {
            host: Some("x".repeat(1_000)),
            ..request()
        },
        "host",
    );
}
