//! The question that this crate's tests ask.

use pointsman_model::context::{Context, Frame, RetryContext};
use pointsman_model::run::{FailureClass, FailureCounts};
use pointsman_model::source::{Lane, Origin};

pub(crate) fn plain() -> Context {
    Context::Retry(RetryContext {
        frame: Frame::default(),
        source: 1,
        run: 1,
        title: "a run".into(),
        lane: Lane::Queue,
        origin: Origin::Api,
        host: Some("alpha".into()),
        attempt: 1,
        class: FailureClass::Transient,
        failures: FailureCounts::default(),
        budget: 3,
        budget_left: 2,
        exit_code: None,
        error: "lost".into(),
        error_digest: 1,
        same_error_before: 0,
        elapsed_ms: 1,
        host_successes: 0,
        host_failures: 0,
    })
}
