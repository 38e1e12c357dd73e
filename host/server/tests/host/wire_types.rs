//! `web/src/wire.ts` is what `wire.rs` says. `POINTSMAN_UPDATE=1 cargo test -p pointsman --test host wire_types` writes it anew.

use pointsman::wire::*;
use std::path::Path;
use ts_rs::{Config, TS};

fn generated() -> String {
    let config = Config::new().with_large_int("number");
    let mut text = String::from("// Generated from host/server/src/wire.rs by its test; do not edit.\n");
    macro_rules! add {
        ($($kind:ty),* $(,)?) => {$(
            text.push('\n');
            if let Some(docs) = <$kind as TS>::docs() {
                text.push_str(&docs);
            }
            text.push_str("export ");
            text.push_str(&<$kind as TS>::decl(&config));
            text.push('\n');
        )*};
    }
    add!(
        Dashboard,
        TrainingState,
        Stage,
        Window,
        Totals,
        HostBits,
        ModelCard,
        HostComparison,
        CandidateCard,
        Apply,
        PolicyCard,
        PolicyProblem,
        JobRow,
        DecisionRow,
        ReasonRow,
        DeclinedRow,
        Alert,
        DecisionDetail,
        JobDetail,
        Frame,
        Problem,
        FieldError,
        JobList,
        SourceRow,
        SourceList,
        DecisionList,
        ModelRow,
        LiveChange,
        ModelList,
        Activation,
        PolicySetting,
        PolicyDetail,
        PolicyList,
        PolicyCheck,
        Done,
        Swap,
        SwapPart,
        SwapStage,
        SwapList,
        ReplayReport,
        ReplayBudgets,
        Counted,
        CostSummary,
        Divergence,
        ReplayGroup,
        ReplayTiming,
        TimeSummary,
        ValueReport,
        ValueEstimate,
        CannotKnow,
        ReplayLine,
        ReplayProgress,
        VerificationReport,
        VerificationRow,
        FlipReport,
        FlipRow,
        Definitions,
        Definition,
        ShadowCard,
        CanaryCard,
        BreakerCard,
        TrippedCard,
        QuarantineCard,
        VersionRow,
        VersionList,
        VersionDetail,
        VersionDiff,
        FieldDiff,
        DecidedBy,
        HelpList,
        FieldHelp,
        ViewStamp,
        SettingsForm,
        SettingsGroup,
        SettingRow,
        Ceiling,
        SettingDiff,
        SettingsAnswer,
        SettingsHistory,
        SettingsChange,
        PresetList,
        PresetRow,
        PresetBody,
        HealthReport,
        HealthPart,
        LiveSnapshot,
        Heartbeat,
        Cycle,
        EvaluationAttempt,
        LastError,
        OldestPending,
        Coverage,
        RecentOutcomes,
        PipelineStrip,
        PipelineStage,
        Evidence,
        Provenance,
        Capacity,
        QueueCard,
        LaneCard,
        OriginCount,
        LockCard,
        NowRow,
        CampaignRow,
        CampaignList,
        QueueSummary,
        OutcomeStorage,
        NextPick,
        NextCandidate,
        ScoreTerm,
        Excluded,
        WhyNot,
        SourceDetail,
        ImportLine,
        ImportProgress,
        RefusedLine,
        ImportReport,
        Promotion,
        PromotionWorker,
        PromotionWindow,
        RoleCard,
        PromotionCandidate,
        CanaryProgress,
        ServedCard,
        Quality,
        HeldCard,
        CandidateEnding,
        RoutedModel,
        UnusedModels,
        RetentionCard,
        OutcomeCounters,
        RetainedModel,
        KeptForRow,
        PrunePlan,
        Pruned,
        LiveAt,
        LiveRole,
    );
    text.push_str("\n/** A point of a loss curve: step, training loss, held-out loss. */\nexport type Point = [number, number | null, number | null];\n");
    text.lines().map(|line| format!("{}\n", line.trim_end())).collect()
}

#[test]
fn the_types_of_the_page_are_those_of_the_host() {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../web/src/wire.ts");
    let generated = generated();
    if std::env::var_os("POINTSMAN_UPDATE").is_some() {
        std::fs::write(&path, &generated).expect("web/src can be written");
    }
    let there = std::fs::read_to_string(&path).unwrap_or_default();
    assert!(
        there == generated,
        "web/src/wire.ts is stale: run POINTSMAN_UPDATE=1 cargo test --release -p pointsman --test host wire_types"
    );
}
