//! The words that stand for our enums in the tables.

use pointsman_model::decision::Link;
use pointsman_model::event::PolicyCanaryEnd;
use pointsman_model::policy::{EngineKind, PolicyKind};
use pointsman_model::promotion::CandidateEnd;
use pointsman_model::run::{FailureClass, RunClass, RunStatus};
use pointsman_model::source::{Lane, Origin};

/// An enum without data that is stored as a word.
pub(crate) trait Word: Copy + Sized + 'static {
    const ALL: &'static [Self];
    fn word(self) -> &'static str;

    fn parse(word: &str) -> Option<Self> {
        Self::ALL.iter().copied().find(|item| item.word() == word)
    }
}

impl Word for Lane {
    const ALL: &'static [Lane] = &Lane::ALL;
    fn word(self) -> &'static str {
        self.slug()
    }
}

impl Word for Origin {
    const ALL: &'static [Origin] = &Origin::ALL;
    fn word(self) -> &'static str {
        self.slug()
    }
}

impl Word for RunClass {
    const ALL: &'static [RunClass] = &[RunClass::Training, RunClass::Eval, RunClass::Canary, RunClass::Manual];
    fn word(self) -> &'static str {
        match self {
            RunClass::Training => "training",
            RunClass::Eval => "eval",
            RunClass::Canary => "canary",
            RunClass::Manual => "manual",
        }
    }
}

impl Word for RunStatus {
    const ALL: &'static [RunStatus] = &[
        RunStatus::Queued,
        RunStatus::Warming,
        RunStatus::Running,
        RunStatus::Completed,
        RunStatus::Failed,
        RunStatus::Cancelled,
    ];
    fn word(self) -> &'static str {
        self.slug()
    }
}

impl Word for FailureClass {
    const ALL: &'static [FailureClass] = &FailureClass::ALL;
    fn word(self) -> &'static str {
        self.slug()
    }
}

impl Word for PolicyKind {
    const ALL: &'static [PolicyKind] = &PolicyKind::ALL;
    fn word(self) -> &'static str {
        self.slug()
    }
}

impl Word for EngineKind {
    const ALL: &'static [EngineKind] = &[
        EngineKind::Component,
        EngineKind::Rhai,
        EngineKind::BuiltIn,
        EngineKind::TrustedRhai,
        EngineKind::WarmComponent,
    ];
    fn word(self) -> &'static str {
        self.slug()
    }
}

impl Word for Link {
    const ALL: &'static [Link] = &[Link::Candidate, Link::Active, Link::LastGood, Link::BuiltIn];
    fn word(self) -> &'static str {
        self.slug()
    }
}

impl Word for PolicyCanaryEnd {
    const ALL: &'static [PolicyCanaryEnd] = &[PolicyCanaryEnd::Promoted, PolicyCanaryEnd::Withdrawn, PolicyCanaryEnd::Tripped];
    fn word(self) -> &'static str {
        self.slug()
    }
}

impl Word for CandidateEnd {
    const ALL: &'static [CandidateEnd] = &[CandidateEnd::Kept, CandidateEnd::Rejected, CandidateEnd::RolledBack];
    fn word(self) -> &'static str {
        match self {
            CandidateEnd::Kept => "kept",
            CandidateEnd::Rejected => "rejected",
            CandidateEnd::RolledBack => "rolled_back",
        }
    }
}
