//! Campaigns, imports and the lock.

use super::operate::{checked_reason, checked_source};
use super::{Turn, conflict, invalid, not_found};
use crate::coordinator::{Refusal, Reply};
use crate::state::CAMPAIGNS_OPEN_MAX;
use pointsman_model::command::ImportBatch;
use pointsman_model::event::Event;
use pointsman_model::run::Work;
use pointsman_model::settings::SettingProblem;
use pointsman_model::source::{CAMPAIGN_ROWS_MAX, CampaignRow, Lock, LockKey, NewSource};
use pointsman_model::{Actor, CampaignId, RunId, SourceId};

const IMPORT_NAME_BYTES_MAX: usize = 128;
/// Most sources of one batch of an import.
const IMPORT_ROWS_MAX: usize = 1_000;

impl Turn<'_> {
    pub(super) fn submit_campaign(&mut self, new: NewSource, rows: u32, actor: Actor, reason: String) -> Result<Reply, Refusal> {
        let reason = checked_reason(reason)?;
        if !(1..=CAMPAIGN_ROWS_MAX).contains(&rows) {
            let mut refusal = invalid(
                "campaign_size",
                format!("size: {rows} is not between 1 and {CAMPAIGN_ROWS_MAX}; import a file where there are more"),
            );
            refusal.fields = vec![SettingProblem {
                field: "size".into(),
                problem: format!("a whole number from 1 to {CAMPAIGN_ROWS_MAX}"),
            }];
            return Err(refusal);
        }
        let campaign = CampaignId(self.state.next.campaign + 1);
        // The longest title that a row will have.
        let longest = CampaignRow { campaign, row: rows };
        let new = checked_source(new, longest.title("").len())?;
        if self.state.open_campaigns.len() >= CAMPAIGNS_OPEN_MAX {
            return Err(conflict("campaigns_full", format!("{CAMPAIGNS_OPEN_MAX} campaigns are under way"))
                .fix("wait until one ends, or `pointsman campaign cancel ID`"));
        }
        let first = SourceId(self.state.next.source + 1);
        self.emit(Event::CampaignQueued {
            campaign,
            new,
            rows,
            first,
            actor,
            reason,
        });
        Ok(Reply::Campaign(campaign))
    }

    pub(super) fn cancel_campaign(&mut self, campaign: CampaignId, end_runs: bool, actor: Actor, reason: String) -> Result<Reply, Refusal> {
        let reason = checked_reason(reason)?;
        let Some(found) = self.state.campaigns.get(&campaign) else {
            return Err(not_found(
                "campaign_unknown",
                format!("there is no campaign {} that may be cancelled", campaign.name()),
            )
            .fix("pointsman campaign list"));
        };
        let left = self.state.rows_left(campaign, found.ids()).count() as u32;
        if left > 0 || found.cancelled.is_none() && found.is_open() {
            self.emit(Event::CampaignCancelled {
                campaign,
                left,
                actor: actor.clone(),
                reason: reason.clone(),
            });
        }
        if end_runs {
            let of_it = |source: &SourceId| {
                let row = self.state.sources.get(source).and_then(|source| source.campaign);
                row.is_some_and(|row| row.campaign == campaign)
            };
            let runs = self.state.runs.values().filter(|run| run.cancelled.is_none());
            let runs = runs.filter(|run| matches!(&run.work, Work::Train { source, .. } if of_it(source)));
            let runs: Vec<RunId> = runs.map(|run| run.token.run).collect();
            for run in runs {
                let (actor, reason) = (actor.clone(), reason.clone());
                self.emit(Event::RunCancelRequested { run, actor, reason });
            }
        }
        Ok(Reply::Campaign(campaign))
    }

    pub(super) fn import_sources(&mut self, order: ImportBatch) -> Result<Reply, Refusal> {
        let ImportBatch {
            import,
            batch,
            digest,
            rows,
            refused,
            actor,
        } = order;
        if import.is_empty() || import.len() > IMPORT_NAME_BYTES_MAX || import.chars().any(char::is_control) {
            return Err(invalid(
                "import_name",
                format!("nonce: an import's name has 1 to {IMPORT_NAME_BYTES_MAX} bytes and no control characters"),
            ));
        }
        let taken = self.state.imports.get(&import).map_or(&[][..], |record| &record.batches);
        match taken.get(batch as usize) {
            Some(before) if *before == digest => {
                return Ok(Reply::Imported { queued: 0, known: true });
            }
            Some(_) => {
                return Err(conflict(
                    "import_differs",
                    format!("import '{import}' was begun with another file: part {} differs", batch + 1),
                )
                .fix("send the same file, or another nonce"));
            }
            None if batch as usize > taken.len() => {
                return Err(conflict(
                    "import_gap",
                    format!("import '{import}' has {} parts so far, this is part {}", taken.len(), batch + 1),
                )
                .fix("send the file from its beginning: what was taken is not taken again"));
            }
            None => {}
        }
        if rows.len() > IMPORT_ROWS_MAX {
            return Err(invalid("import_batch", format!("a part has at most {IMPORT_ROWS_MAX} sources")));
        }
        let rows = rows.into_iter().map(|new| checked_source(new, 0)).collect::<Result<Vec<_>, _>>()?;
        let first = SourceId(self.state.next.source + 1);
        let queued = rows.len() as u32;
        self.emit(Event::SourcesImported {
            import,
            batch,
            digest,
            first,
            rows,
            refused,
            actor,
        });
        Ok(Reply::Imported { queued, known: false })
    }

    pub(super) fn take_lock(&mut self, key: LockKey, value: String, actor: Actor, reason: String) -> Result<Reply, Refusal> {
        let reason = checked_reason(reason)?;
        let value = value.trim().to_string();
        if !self.state.settings.campaign_lock {
            return Err(
                conflict("lock_off", "the campaign lock is off, so that hosts take turns").fix("pointsman settings campaign_lock=true")
            );
        }
        let holder = match key {
            LockKey::Host if value.is_empty() => return Err(invalid("lock_value", "value: names no host")),
            LockKey::Host => None,
            LockKey::Campaign => {
                let id = CampaignId::parse(&value).filter(|id| self.state.open_campaigns.contains(id));
                let Some(id) = id else {
                    let text = format!("there is no campaign '{}' under way", value.chars().take(40).collect::<String>());
                    return Err(not_found("campaign_unknown", text).fix("pointsman campaign list"));
                };
                Some(id)
            }
        };
        if let Some(held) = &self.state.lock {
            if held.key == key && held.value == value {
                return Ok(Reply::Done);
            }
            return Err(conflict(
                "lock_held",
                format!("{} {} holds the lock, by {}", held.key.slug(), held.value, held.actor),
            )
            .fix("pointsman queue unlock"));
        }
        let lock = Lock {
            key,
            value,
            holder,
            since: self.now,
            actor: actor.0,
            reason,
        };
        self.emit(Event::LockTaken { lock });
        Ok(Reply::Done)
    }

    pub(super) fn release_lock(&mut self, actor: Actor, reason: String) -> Result<Reply, Refusal> {
        let reason = checked_reason(reason)?;
        if let Some(lock) = self.state.lock.clone() {
            self.emit(Event::LockReleased { lock, actor, reason });
        }
        Ok(Reply::Done)
    }

    /// Campaigns of which nothing waits or runs any more are over, and what they held is free.
    pub(super) fn end_campaigns(&mut self) {
        while let Some(campaign) = self.state.emptied_campaigns.first().copied() {
            let counts = self.state.campaigns.get(&campaign).map(|found| found.counts).unwrap_or_default();
            self.emit(Event::CampaignEnded {
                campaign,
                done: counts.done,
                failed: counts.failed(),
                cancelled: counts.cancelled,
            });
        }
    }

    /// Releases a lock that nobody may hold any more, and gives it to the oldest campaign where it is free.
    pub(super) fn settle_lock(&mut self) {
        if let Some(lock) = self.state.lock.clone()
            && let Some(reason) = self.why_released(&lock)
        {
            let actor = Actor::new(Actor::HOST);
            self.emit(Event::LockReleased { lock, actor, reason });
        }
        if self.state.lock.is_some() || !self.state.settings.campaign_lock {
            return;
        }
        let may_hold = |id: &&CampaignId| {
            let campaign = self.state.campaigns.get(id);
            campaign.is_some_and(|campaign| {
                !campaign.lock_refused && campaign.cancelled.is_none() && campaign.is_open() && self.state.lane_allowed(campaign.lane)
            })
        };
        let Some(id) = self.state.open_campaigns.iter().find(may_hold).copied() else {
            return;
        };
        let Some(campaign) = self.state.campaigns.get(&id) else { return };
        let (key, value) = match &campaign.host {
            Some(host) => (LockKey::Host, host.clone()),
            None => (LockKey::Campaign, id.name()),
        };
        let lock = Lock {
            key,
            value,
            holder: Some(id),
            since: self.now,
            actor: campaign.actor.clone(),
            reason: campaign.reason.clone(),
        };
        self.emit(Event::LockTaken { lock });
    }

    fn why_released(&self, lock: &Lock) -> Option<String> {
        if !self.state.settings.campaign_lock {
            return Some("the campaign lock was switched off".into());
        }
        let holder = lock.holder?;
        let Some(campaign) = self.state.campaigns.get(&holder).filter(|campaign| campaign.is_open()) else {
            return Some(format!("{} has ended", holder.name()));
        };
        if campaign.cancelled.is_some() && campaign.counts.queued == 0 {
            return Some(format!("{} was cancelled", holder.name()));
        }
        if !self.state.lane_allowed(campaign.lane) {
            return Some(format!("the lane mode shuts the lane of {}", holder.name()));
        }
        None
    }
}
