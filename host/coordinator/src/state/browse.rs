//! A look into the backlog, a page at a time.
//!
//! A short list of candidates for the page is gone through here. A long one is left to the journal's table, on a thread that
//! holds nobody up: there, what is asked for is either frequent and found at once, or the page says how far it has looked.

use super::State;
use pointsman_model::run::Work;
use pointsman_model::source::{Lane, Origin, Source, SourceStage};
use pointsman_model::{CampaignId, SourceId};

/// Sources that are gone through between two steps of the host: well below a millisecond.
pub const STATE_LIST_MAX: usize = 5_000;

/// Which open sources are wanted.
#[derive(Clone, Debug, Default)]
pub struct BrowseFilter {
    pub lane: Option<Lane>,
    /// `pending`, `waiting`, `running` or `disabled`; none for all four.
    pub stage: Option<&'static str>,
    /// The empty name stands for no host.
    pub host: Option<String>,
    pub origin: Option<Origin>,
    /// Any but this origin.
    pub origin_not: Option<Origin>,
    pub campaign: Option<CampaignId>,
    /// In the title, whatever the case of its ASCII letters.
    pub text: Option<String>,
    pub before: Option<SourceId>,
    pub limit: usize,
}

/// Where the page is to be found.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Browse {
    /// These, newest first; at most as many as asked for and one more, which tells that there are more.
    Ids(Vec<SourceId>),
    /// Too many to be gone through here: none is older than `oldest`.
    Scan { oldest: SourceId },
}

impl State {
    pub fn browse(&self, filter: &BrowseFilter) -> Browse {
        let oldest = self.sources.keys().next().copied().unwrap_or(SourceId(u64::MAX));
        let before = filter.before.unwrap_or(SourceId(u64::MAX));
        let matches = |source: &&Source| filter.matches(source);
        let newest = |ids: Vec<SourceId>| {
            let mut ids = ids;
            ids.sort_unstable_by(|one, other| other.cmp(one));
            ids.truncate(filter.limit + 1);
            Browse::Ids(ids)
        };
        let running = self.runs.values().filter_map(|run| match &run.work {
            Work::Train { source, .. } => self.sources.get(source),
            Work::Bootstrap | Work::Evaluate { .. } => None,
        });
        let running = running.filter(|source| source.id < before).filter(matches).map(|source| source.id);
        if filter.stage == Some("running") {
            return newest(running.collect());
        }
        if let Some(campaign) = filter.campaign {
            // Bounded by the most rows that a campaign may have.
            let ids = self.campaigns.get(&campaign).map(|campaign| campaign.ids());
            let rows = ids.into_iter().flat_map(|ids| self.sources.range(ids)).map(|(_, source)| source);
            return newest(
                rows.filter(|source| source.id < before)
                    .filter(matches)
                    .map(|source| source.id)
                    .collect(),
            );
        }
        if self.sources.len() <= STATE_LIST_MAX {
            let rows = self.sources.range(..before).map(|(_, source)| source).rev();
            return Browse::Ids(rows.filter(matches).map(|source| source.id).take(filter.limit + 1).collect());
        }
        if let Some(ids) = self.index.few(filter.lane, filter.stage, filter.host.as_deref(), STATE_LIST_MAX) {
            let rows = ids.into_iter().filter(|id| *id < before).filter_map(|id| self.sources.get(&id));
            return newest(rows.filter(matches).map(|source| source.id).chain(running).collect());
        }
        Browse::Scan { oldest }
    }
}

impl BrowseFilter {
    fn matches(&self, source: &Source) -> bool {
        let BrowseFilter {
            lane,
            stage,
            host,
            origin,
            origin_not,
            campaign,
            text,
            before: _,
            limit: _,
        } = self;
        let name = source.host.as_deref().unwrap_or_default();
        lane.is_none_or(|lane| lane == source.lane)
            && stage.is_none_or(|stage| stage == stage_word(&source.stage))
            && host.as_deref().is_none_or(|host| host == name)
            && origin.is_none_or(|origin| origin == source.origin)
            && origin_not.is_none_or(|origin| origin != source.origin)
            && campaign.is_none_or(|campaign| source.campaign.is_some_and(|row| row.campaign == campaign))
            && text.as_deref().is_none_or(|text| holds(&source.title, text))
    }
}

pub(super) fn stage_word(stage: &SourceStage) -> &'static str {
    match stage {
        SourceStage::Pending => "pending",
        SourceStage::Waiting { .. } => "waiting",
        SourceStage::Running { .. } => "running",
        SourceStage::Disabled { .. } => "disabled",
    }
}

fn holds(title: &str, text: &str) -> bool {
    title.to_ascii_lowercase().contains(&text.to_ascii_lowercase())
}
