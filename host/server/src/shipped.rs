//! The policies that come with the program.

use crate::policy_install::{Installer, Offer, Order, SwapEnd};
use crate::wire::Alert;
use pointsman_model::policy::PolicyKind;
use pointsman_model::{Actor, Digest};
use std::collections::BTreeSet;
use std::sync::OnceLock;

include!(concat!(env!("OUT_DIR"), "/components.rs"));
include!(concat!(env!("OUT_DIR"), "/scripts.rs"));

/// Whether this code is part of this program.
pub fn holds(code: Digest) -> bool {
    static CODES: OnceLock<BTreeSet<Digest>> = OnceLock::new();
    let all = || COMPONENTS.iter().chain(SCRIPTS);
    CODES
        .get_or_init(|| all().map(|(_, code)| pointsman_policy::sha256(code)).collect())
        .contains(&code)
}

/// What serves a kind until somebody else is put in its place: the first of these that is embedded and passes the checks.
fn preferred(kind: PolicyKind) -> &'static [&'static str] {
    match kind {
        PolicyKind::SourceSelection => &["host_diverse.wasm", "source-selection.rhai"],
        PolicyKind::PromotionGate => &["eprocess_gate.wasm", "promotion-gate.rhai"],
        PolicyKind::Retry => &["retry.rhai", "retry_backoff.wasm"],
        PolicyKind::Curriculum => &["curriculum.rhai"],
    }
}

/// The shipped versions of a kind that are embedded, the preferred one first.
pub(crate) fn offers(kind: PolicyKind) -> impl Iterator<Item = Offer> {
    preferred(kind).iter().filter_map(|name| {
        let (file, code) = COMPONENTS.iter().chain(SCRIPTS).find(|(file, _)| file == name)?;
        Some(Offer {
            file: file.to_string(),
            code: code.to_vec(),
            ..Offer::default()
        })
    })
}

/// Activates a shipped version of each kind that has none. Answers what a person should know.
pub fn activate_where_none(installer: &Installer) -> Result<Vec<Alert>, crate::inbox::Rejected> {
    let mut alerts = Vec::new();
    for kind in installer.kinds_without_policy()? {
        if let Some(alert) = activate(installer, kind) {
            alerts.push(alert);
        }
    }
    Ok(alerts)
}

fn activate(installer: &Installer, kind: PolicyKind) -> Option<Alert> {
    let mut refused = None;
    for offer in offers(kind) {
        let name = offer.file.clone();
        match installer.swap(Order::activate(offer, Actor::new("host"), "shipped with Pointsman")) {
            SwapEnd::Done { .. } | SwapEnd::WasActive { .. } => {
                let first_choice = preferred(kind)[0] == name;
                return (!first_choice).then(|| alert(kind, &format!("{name} serves as {kind} policy: the component was not built")));
            }
            SwapEnd::Failed(problem) | SwapEnd::Refused(problem, _) => refused = Some(format!("{name}: {}", problem.message)),
        }
    }
    let why = refused.unwrap_or_else(|| "none is part of this build".to_string());
    Some(alert(kind, &format!("The built-in fallback serves as {kind} policy ({why})")))
}

fn alert(kind: PolicyKind, text: &str) -> Alert {
    Alert {
        level: "info".to_string(),
        code: format!("no_shipped_policy_{kind}"),
        text: format!("{text}."),
        fix: Some("`make build` builds the shipped policies; or activate one of yours.".to_string()),
    }
}
