//! Campaigns and imports as the state knows them: counted where sources enter and leave, and nowhere else.

use super::State;
use pointsman_model::source::{Lane, NewSource, Source, SourceStage};
use pointsman_model::{Actor, CampaignId, Millis, SourceId};
use serde::{Deserialize, Serialize};

/// Campaigns that are over and still remembered; older ones are in the journal alone.
pub const CAMPAIGNS_KEPT: usize = 200;
/// Most campaigns under way.
pub const CAMPAIGNS_OPEN_MAX: usize = 1_000;
/// Imports of which it is remembered what was taken.
pub const IMPORTS_KEPT: usize = 500;

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Campaign {
    pub id: CampaignId,
    pub title: String,
    pub host: Option<String>,
    pub lane: Lane,
    pub rows: u32,
    /// Its rows have the ids from here on.
    pub first: SourceId,
    pub queued_at: Millis,
    pub actor: String,
    pub reason: String,
    pub counts: CampaignCounts,
    /// When its first run was planned.
    pub started_at: Option<Millis>,
    /// Since when nothing of it waits or runs.
    pub finished_at: Option<Millis>,
    pub cancelled: Option<Cancelled>,
    /// Somebody took the lock from it: it does not take it again.
    pub lock_refused: bool,
}

/// Each row is in one of these.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct CampaignCounts {
    /// Pending, or waiting for another attempt.
    pub queued: u32,
    pub running: u32,
    pub done: u32,
    /// Given up.
    pub given_up: u32,
    /// Disabled: out of budget, by a policy or by a person.
    pub disabled: u32,
    pub cancelled: u32,
}

impl CampaignCounts {
    pub fn failed(&self) -> u32 {
        self.given_up + self.disabled
    }
}

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Cancelled {
    pub at: Millis,
    pub actor: String,
    pub reason: String,
}

impl Campaign {
    pub fn is_open(&self) -> bool {
        self.counts.queued + self.counts.running > 0
    }

    /// The ids of its rows.
    pub fn ids(&self) -> std::ops::Range<SourceId> {
        self.first..SourceId(self.first.0 + u64::from(self.rows))
    }
}

/// What was taken of an import.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct ImportRecord {
    /// One digest for each batch.
    pub batches: Vec<u64>,
    pub queued: u64,
    pub refused: u64,
    pub at: Millis,
}

impl State {
    pub(super) fn apply_campaign_queued(
        &mut self,
        at: Millis,
        id: CampaignId,
        new: &NewSource,
        rows: u32,
        first: SourceId,
        (actor, reason): (&Actor, &str),
    ) {
        self.next.campaign = self.next.campaign.max(id.0);
        let campaign = Campaign {
            id,
            title: new.title.clone(),
            host: new.host.clone(),
            lane: new.lane,
            rows,
            first,
            queued_at: at,
            actor: actor.0.clone(),
            reason: reason.to_string(),
            counts: CampaignCounts::default(),
            started_at: None,
            finished_at: None,
            cancelled: None,
            lock_refused: false,
        };
        self.campaigns.insert(id, campaign);
        self.open_campaigns.insert(id);
        for row in 1..=rows {
            let place = pointsman_model::source::CampaignRow { campaign: id, row };
            let source = SourceId(first.0 + u64::from(row) - 1);
            self.enter_new(at, source, new, Some(place));
        }
    }

    /// Everything of it that neither runs nor is done leaves.
    pub(super) fn apply_campaign_cancelled(&mut self, at: Millis, id: CampaignId, actor: &Actor, reason: &str) {
        let Some(campaign) = self.campaigns.get_mut(&id) else { return };
        campaign.cancelled = Some(Cancelled {
            at,
            actor: actor.0.clone(),
            reason: reason.to_string(),
        });
        let ids = campaign.ids();
        let left: Vec<SourceId> = self.rows_left(id, ids).collect();
        for source in left {
            self.take_source(source);
            self.count_ended(Some(id), |counts| counts.cancelled += 1);
        }
    }

    /// Rows of a campaign that are neither running nor done.
    pub fn rows_left(&self, id: CampaignId, ids: std::ops::Range<SourceId>) -> impl Iterator<Item = SourceId> {
        let of_it = move |source: &&Source| source.campaign.is_some_and(|row| row.campaign == id);
        let stands = |source: &&Source| !matches!(source.stage, SourceStage::Running { .. });
        self.sources
            .range(ids)
            .map(|(_, source)| source)
            .filter(of_it)
            .filter(stands)
            .map(|source| source.id)
    }

    pub(super) fn apply_campaign_ended(&mut self, at: Millis, id: CampaignId) {
        self.open_campaigns.remove(&id);
        self.emptied_campaigns.remove(&id);
        if let Some(campaign) = self.campaigns.get_mut(&id) {
            campaign.finished_at = Some(at);
        }
        let over = self.campaigns.len().saturating_sub(self.open_campaigns.len());
        if over > CAMPAIGNS_KEPT {
            let oldest = self.campaigns.keys().find(|id| !self.open_campaigns.contains(id)).copied();
            oldest.and_then(|id| self.campaigns.remove(&id));
        }
    }

    /// A source enters or leaves a stage.
    pub(super) fn count_row(&mut self, source: &Source, enters: bool) {
        let Some(row) = source.campaign else { return };
        let Some(campaign) = self.campaigns.get_mut(&row.campaign) else {
            return;
        };
        let counts = &mut campaign.counts;
        let count = match source.stage {
            SourceStage::Pending | SourceStage::Waiting { .. } => &mut counts.queued,
            SourceStage::Running { .. } => &mut counts.running,
            SourceStage::Disabled { .. } => &mut counts.disabled,
        };
        *count = if enters { *count + 1 } else { count.saturating_sub(1) };
        if !campaign.is_open() {
            // What is left of one that has ended ends nothing again.
            if self.open_campaigns.contains(&row.campaign) {
                self.emptied_campaigns.insert(row.campaign);
            }
            return;
        }
        self.emptied_campaigns.remove(&row.campaign);
        if campaign.finished_at.take().is_some() {
            // A disabled row was brought back.
            self.open_campaigns.insert(row.campaign);
        }
    }

    /// A row is over for good.
    pub(super) fn count_ended(&mut self, campaign: Option<CampaignId>, count: impl FnOnce(&mut CampaignCounts)) {
        if let Some(campaign) = campaign.and_then(|id| self.campaigns.get_mut(&id)) {
            count(&mut campaign.counts);
        }
    }

    pub(super) fn apply_imported(&mut self, at: Millis, import: &str, digest: u64, first: SourceId, rows: &[NewSource], refused: u32) {
        for (offset, new) in rows.iter().enumerate() {
            self.enter_new(at, SourceId(first.0 + offset as u64), new, None);
        }
        if !self.imports.contains_key(import) && self.imports.len() >= IMPORTS_KEPT {
            let oldest = self
                .imports
                .iter()
                .min_by_key(|(_, record)| record.at)
                .map(|(import, _)| import.clone());
            oldest.and_then(|import| self.imports.remove(&import));
        }
        let record = self.imports.entry(import.to_string()).or_default();
        record.batches.push(digest);
        record.queued += rows.len() as u64;
        record.refused += u64::from(refused);
        record.at = at;
    }
}
