//! Contexts with long lists, as they cross the boundary: those of the contract, but that their rows are handed over as
//! blocks. A retry has no such list, and is handed over as it was generated.

use super::bindings::{gate, retry, selection, types};
use super::rows::{CandidateRow, HostLoadRow, PairRow, SkillRow};
use gate::pointsman::policy::promotion_gate_types::{Guardrail, Stage};
use selection::pointsman::policy::source_selection_types::LaneMode;
use wasmtime::component::{ComponentType, Lower};

pub(super) use retry::pointsman::policy::retry_types::Context as RetryQuestion;

#[derive(ComponentType, Lower)]
#[component(record)]
pub(super) struct SelectionQuestion<'a> {
    pub(super) frame: types::Frame<'a>,
    pub(super) free: u32,
    #[component(name = "lane-mode")]
    pub(super) lane_mode: LaneMode,
    #[component(name = "curriculum-fallback")]
    pub(super) curriculum_fallback: bool,
    pub(super) lock: Option<u32>,
    #[component(name = "same-host-cap")]
    pub(super) same_host_cap: u32,
    pub(super) hosts: &'a [&'a str],
    pub(super) campaigns: &'a [&'a str],
    #[component(name = "host-loads")]
    pub(super) host_loads: &'a [HostLoadRow],
    #[component(name = "recent-hosts")]
    pub(super) recent_hosts: &'a [u32],
    pub(super) candidates: &'a [CandidateRow],
    #[component(name = "left-out")]
    pub(super) left_out: u32,
}

#[derive(ComponentType, Lower)]
#[component(record)]
pub(super) struct GateQuestion<'a> {
    pub(super) frame: types::Frame<'a>,
    pub(super) stage: Stage,
    pub(super) candidate: &'a str,
    pub(super) baseline: &'a str,
    pub(super) hosts: &'a [&'a str],
    pub(super) pairs: &'a [PairRow],
    pub(super) guardrails: &'a [Guardrail<'a>],
    pub(super) looks: u32,
    pub(super) cap: u32,
    #[component(name = "ingest-lag")]
    pub(super) ingest_lag: Option<u32>,
}

#[derive(ComponentType, Lower)]
#[component(record)]
pub(super) struct CurriculumQuestion<'a> {
    pub(super) frame: types::Frame<'a>,
    pub(super) budget: u32,
    #[component(name = "pending-queue")]
    pub(super) pending_queue: u32,
    #[component(name = "pending-curriculum")]
    pub(super) pending_curriculum: u32,
    pub(super) hosts: &'a [&'a str],
    pub(super) skills: &'a [SkillRow],
}
