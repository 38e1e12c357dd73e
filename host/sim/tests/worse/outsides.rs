//! Outsides in which a worse policy does harm, one for each kind.

use pointsman_model::run::FailureClass;
use pointsman_model::settings::Settings;
use pointsman_sim::simulate::{OutsideModel, Spread};
use std::collections::BTreeMap;

pub(super) const SEED: u64 = 7;

pub(super) struct Outside {
    pub(super) model: OutsideModel,
    pub(super) hours: f64,
}

/// One host alone has more work than there is time; the others' sources are few.
pub(super) fn one_host_has_too_much() -> Outside {
    let mut model = OutsideModel::built_in();
    for host in &mut model.hosts {
        (host.arrivals_per_hour, host.waiting_at_start) = (1.5, 1);
    }
    (model.hosts[0].waiting_at_start, model.hosts[0].arrivals_per_hour) = (10, 40.0);
    Outside { model, hours: 4.0 }
}

/// Of four sources that fail, three are sure to fail again.
pub(super) fn many_are_hopeless() -> Outside {
    let mut model = OutsideModel::built_in();
    for host in &mut model.hosts {
        host.success = vec![0.6];
        host.failures = BTreeMap::from([(FailureClass::Deterministic, 3.0), (FailureClass::Transient, 1.0)]);
    }
    model.settings.retry_budget = 50;
    Outside { model, hours: 12.0 }
}

/// Practice changes next to nothing, so that there is next to nothing to promote.
pub(super) fn nothing_to_promote() -> Outside {
    let mut model = OutsideModel::built_in();
    for host in &mut model.hosts {
        (host.learning, host.noise, host.forgetting) = (0.0, 0.02, 0.0);
        // In the middle of the way: noise may go up as well as down.
        host.loss_floor = host.loss_start - 1.0;
    }
    model.settings.promotion_window = 5;
    Outside { model, hours: 48.0 }
}

/// Nobody queues anything: what is trained is what the curriculum seeds.
pub(super) fn practice_alone() -> Outside {
    let mut model = OutsideModel::built_in();
    for host in &mut model.hosts {
        host.arrivals_per_hour = 0.0;
        host.waiting_at_start = 0;
        host.success = vec![0.95];
        host.training_s = Spread::Fixed(60.0);
    }
    model.settings = Settings {
        promotion_window: 15,
        ..Settings::default()
    };
    Outside { model, hours: 12.0 }
}
