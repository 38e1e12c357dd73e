//! Lookups over the sources, so that a decision never walks a long backlog.

use pointsman_model::source::{Lane, Source, SourceStage};
use pointsman_model::{Millis, SourceId};
use std::collections::{BTreeMap, BTreeSet};

/// Follows the stage of every source. Equal to what [`Index::of`] builds from the sources alone.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Index {
    /// Pending sources by lane and host; the empty name stands for no host.
    ready: BTreeMap<(Lane, String), BTreeSet<SourceId>>,
    waiting: BTreeSet<(Millis, SourceId)>,
    /// Lane of each waiting source, since the set above is ordered by time.
    waiting_lane: BTreeMap<SourceId, (Lane, String)>,
    /// Pending and waiting sources by lane.
    pending: [u32; 2],
    pending_by_host: BTreeMap<String, u32>,
    running_by_host: BTreeMap<String, u32>,
}

impl Index {
    pub fn of<'a>(sources: impl Iterator<Item = &'a Source>) -> Index {
        let mut index = Index::default();
        for source in sources {
            index.enter(source);
        }
        index
    }

    pub fn enter(&mut self, source: &Source) {
        let host = host_name(source);
        match &source.stage {
            SourceStage::Pending => {
                self.ready.entry((source.lane, host.clone())).or_default().insert(source.id);
                self.count_pending(source.lane, host, 1);
            }
            SourceStage::Waiting { until } => {
                self.waiting.insert((*until, source.id));
                self.waiting_lane.insert(source.id, (source.lane, host.clone()));
                self.count_pending(source.lane, host, 1);
            }
            SourceStage::Running { .. } => adjust(&mut self.running_by_host, host, 1),
            SourceStage::Disabled { .. } => {}
        }
    }

    pub fn leave(&mut self, source: &Source) {
        let host = host_name(source);
        match &source.stage {
            SourceStage::Pending => {
                let key = (source.lane, host.clone());
                if let Some(ids) = self.ready.get_mut(&key) {
                    ids.remove(&source.id);
                    if ids.is_empty() {
                        self.ready.remove(&key);
                    }
                }
                self.count_pending(source.lane, host, -1);
            }
            SourceStage::Waiting { until } => {
                self.waiting.remove(&(*until, source.id));
                self.waiting_lane.remove(&source.id);
                self.count_pending(source.lane, host, -1);
            }
            SourceStage::Running { .. } => adjust(&mut self.running_by_host, host, -1),
            SourceStage::Disabled { .. } => {}
        }
    }

    fn count_pending(&mut self, lane: Lane, host: String, by: i32) {
        let slot = &mut self.pending[lane as usize];
        *slot = slot.saturating_add_signed(by);
        adjust(&mut self.pending_by_host, host, by);
    }

    /// Pending and waiting sources of a lane.
    pub fn pending(&self, lane: Lane) -> u32 {
        self.pending[lane as usize]
    }

    pub fn pending_of_host(&self, host: &str) -> u32 {
        self.pending_by_host.get(host).copied().unwrap_or(0)
    }

    pub fn running_of_host(&self, host: &str) -> u32 {
        self.running_by_host.get(host).copied().unwrap_or(0)
    }

    /// Hosts with pending or running sources; the empty name stands for no host.
    pub fn hosts(&self) -> impl Iterator<Item = &str> {
        self.pending_by_host.keys().chain(self.running_by_host.keys()).map(String::as_str)
    }

    pub fn any_ready(&self, lane: Lane, now: Millis) -> bool {
        self.ready
            .range((lane, String::new())..)
            .next()
            .is_some_and(|((found, _), _)| *found == lane)
            || self
                .due(now)
                .any(|(_, id)| self.waiting_lane.get(id).is_some_and(|(found, _)| *found == lane))
    }

    fn due(&self, now: Millis) -> impl Iterator<Item = &(Millis, SourceId)> {
        self.waiting.range(..=(now, SourceId(u64::MAX)))
    }

    /// When the next waiting source becomes due, strictly after `now`.
    pub fn next_due(&self, now: Millis) -> Option<Millis> {
        self.waiting
            .range((now.saturating_add(1), SourceId(0))..)
            .next()
            .map(|(until, _)| *until)
    }

    /// Ready sources of a lane, at most `limit`: a turn for each host with room, oldest first, so that one host's
    /// backlog hides nobody. Answers the ids and how many ready ones were left out.
    pub fn shortlist(&self, lane: Lane, now: Millis, limit: usize, room: impl Fn(&str) -> bool) -> (Vec<SourceId>, u32) {
        let mut by_host: BTreeMap<&str, Vec<SourceId>> = BTreeMap::new();
        let mut total = 0usize;
        for ((found, host), ids) in self.ready.range((lane, String::new())..) {
            if *found != lane {
                break;
            }
            if room(host) {
                total += ids.len();
                by_host.entry(host).or_default().extend(ids.iter().take(limit));
            }
        }
        for (_, id) in self.due(now).take(limit) {
            match self.waiting_lane.get(id) {
                Some((found, host)) if *found == lane && room(host) => {
                    total += 1;
                    let ids = by_host.entry(host).or_default();
                    // Both lists of a host are in order, and no source is in both.
                    let place = ids.partition_point(|before| before < id);
                    ids.insert(place, *id);
                }
                _ => {}
            }
        }
        let mut turns: Vec<_> = by_host.into_values().map(Vec::into_iter).collect();
        let mut ids = Vec::with_capacity(limit.min(total));
        while ids.len() < limit && !turns.is_empty() {
            turns.retain_mut(|turn| match turn.next() {
                Some(id) if ids.len() < limit => {
                    ids.push(id);
                    true
                }
                _ => false,
            });
        }
        ids.sort_unstable();
        let left_out = total.saturating_sub(ids.len()) as u32;
        (ids, left_out)
    }
}

fn host_name(source: &Source) -> String {
    source.host.clone().unwrap_or_default()
}

fn adjust(counts: &mut BTreeMap<String, u32>, host: String, by: i32) {
    let count = counts.entry(host.clone()).or_default();
    *count = count.saturating_add_signed(by);
    if *count == 0 {
        counts.remove(&host);
    }
}
