//! Lookups over the sources, so that a decision never walks a long backlog.

use super::HostRecord;
use pointsman_model::source::{Lane, Origin, Source, SourceStage};
use pointsman_model::{CampaignId, Millis, SourceId};
use std::cmp::Reverse;
use std::collections::{BTreeMap, BTreeSet, VecDeque, btree_set};
use std::iter::Peekable;

/// Follows the stage of every source. Equal to what [`Index::of`] builds from the sources and hosts alone.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Index {
    lanes: [LaneIndex; 2],
    waiting: BTreeSet<(Millis, SourceId)>,
    /// Lane and host of each waiting source, since the set above is ordered by time.
    waiting_at: BTreeMap<SourceId, (Lane, String)>,
    pending_by_host: BTreeMap<String, u32>,
    running_by_host: BTreeMap<String, u32>,
    disabled: BTreeSet<SourceId>,
    /// When each host was last picked, for its turn.
    picked: BTreeMap<String, Millis>,
}

/// Sources of one lane.
#[derive(Clone, Debug, Default, PartialEq)]
struct LaneIndex {
    /// Pending ones by host, urgent and then old ones first; the empty name stands for no host.
    ready: BTreeMap<String, BTreeSet<(Reverse<i32>, SourceId)>>,
    /// Hosts of `ready`, the one that was picked longest ago first.
    turns: BTreeSet<(Millis, String)>,
    ready_count: u32,
    /// Pending and waiting ones.
    pending: BTreeSet<SourceId>,
    by_origin: [u32; 5],
}

/// What selection is held to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Only<'a> {
    Host(&'a str),
    /// A campaign's rows: its host, and the ids that its rows have.
    Campaign {
        campaign: CampaignId,
        first: SourceId,
        rows: u32,
    },
}

impl Index {
    pub fn of<'a>(sources: impl Iterator<Item = &'a Source>, hosts: &BTreeMap<String, HostRecord>) -> Index {
        let picked = hosts.iter().filter_map(|(host, record)| Some((host.clone(), record.picked_at?)));
        let mut index = Index {
            picked: picked.collect(),
            ..Index::default()
        };
        for source in sources {
            index.enter(source);
        }
        index
    }

    pub fn enter(&mut self, source: &Source) {
        let host = host_name(source);
        match &source.stage {
            SourceStage::Pending => {
                let turn = self.picked.get(host).copied().unwrap_or(0);
                let lane = &mut self.lanes[source.lane as usize];
                match lane.ready.get_mut(host) {
                    Some(ids) => {
                        ids.insert(place(source));
                    }
                    None => {
                        lane.ready.insert(host.to_string(), BTreeSet::from([place(source)]));
                        lane.turns.insert((turn, host.to_string()));
                    }
                }
                lane.ready_count += 1;
                self.count_pending(source, true);
            }
            SourceStage::Waiting { until } => {
                self.waiting.insert((*until, source.id));
                self.waiting_at.insert(source.id, (source.lane, host.to_string()));
                self.count_pending(source, true);
            }
            SourceStage::Running { .. } => adjust(&mut self.running_by_host, host, 1),
            SourceStage::Disabled { .. } => {
                self.disabled.insert(source.id);
            }
        }
    }

    pub fn leave(&mut self, source: &Source) {
        let host = host_name(source);
        match &source.stage {
            SourceStage::Pending => {
                let turn = self.picked.get(host).copied().unwrap_or(0);
                let lane = &mut self.lanes[source.lane as usize];
                if let Some(ids) = lane.ready.get_mut(host) {
                    ids.remove(&place(source));
                    if ids.is_empty() {
                        lane.ready.remove(host);
                        lane.turns.remove(&(turn, host.to_string()));
                    }
                }
                lane.ready_count = lane.ready_count.saturating_sub(1);
                self.count_pending(source, false);
            }
            SourceStage::Waiting { until } => {
                self.waiting.remove(&(*until, source.id));
                self.waiting_at.remove(&source.id);
                self.count_pending(source, false);
            }
            SourceStage::Running { .. } => adjust(&mut self.running_by_host, host, -1),
            SourceStage::Disabled { .. } => {
                self.disabled.remove(&source.id);
            }
        }
    }

    /// A host was picked: its next turn comes after those of the others.
    pub fn note_picked(&mut self, host: &str, at: Millis) {
        let before = self.picked.insert(host.to_string(), at).unwrap_or(0);
        for lane in &mut self.lanes {
            if lane.turns.remove(&(before, host.to_string())) {
                lane.turns.insert((at, host.to_string()));
            }
        }
    }

    fn count_pending(&mut self, source: &Source, enters: bool) {
        let lane = &mut self.lanes[source.lane as usize];
        let of_origin = &mut lane.by_origin[origin_place(source.origin)];
        if enters {
            lane.pending.insert(source.id);
            *of_origin += 1;
        } else {
            lane.pending.remove(&source.id);
            *of_origin = of_origin.saturating_sub(1);
        }
        adjust(&mut self.pending_by_host, host_name(source), if enters { 1 } else { -1 });
    }

    /// Pending and waiting sources of a lane.
    pub fn pending(&self, lane: Lane) -> u32 {
        self.lanes[lane as usize].pending.len() as u32
    }

    /// The same of one origin.
    pub fn pending_of_origin(&self, lane: Lane, origin: Origin) -> u32 {
        self.lanes[lane as usize].by_origin[origin_place(origin)]
    }

    /// The oldest pending or waiting source of a lane.
    pub fn oldest(&self, lane: Lane) -> Option<SourceId> {
        self.lanes[lane as usize].pending.first().copied()
    }

    /// Sources that wait for another attempt.
    pub fn waiting(&self) -> u32 {
        self.waiting.len() as u32
    }

    pub fn disabled(&self) -> u32 {
        self.disabled.len() as u32
    }

    pub fn pending_of_host(&self, host: &str) -> u32 {
        self.pending_by_host.get(host).copied().unwrap_or(0)
    }

    pub fn running_of_host(&self, host: &str) -> u32 {
        self.running_by_host.get(host).copied().unwrap_or(0)
    }

    /// Hosts with pending or waiting sources; those of no host are no host.
    pub fn pending_hosts(&self) -> u32 {
        let named = self.pending_by_host.len() as u32;
        named - u32::from(self.pending_by_host.contains_key(""))
    }

    /// Hosts with pending or running sources; the empty name stands for no host.
    pub fn hosts(&self) -> impl Iterator<Item = &str> {
        self.pending_by_host.keys().chain(self.running_by_host.keys()).map(String::as_str)
    }

    pub fn any_ready(&self, lane: Lane, now: Millis) -> bool {
        self.lanes[lane as usize].ready_count > 0
            || self
                .due(now)
                .any(|(_, id)| self.waiting_at.get(id).is_some_and(|(found, _)| *found == lane))
    }

    fn due(&self, now: Millis) -> impl Iterator<Item = &(Millis, SourceId)> {
        self.waiting.range(..=(now, SourceId(u64::MAX)))
    }

    /// The sources of a lane, stage or host where they are few; none where they are many, or where nothing is said of them.
    /// What is wanted is among them, and not all of them need be wanted.
    pub fn few(&self, lane: Option<Lane>, stage: Option<&str>, host: Option<&str>, most: usize) -> Option<Vec<SourceId>> {
        if stage == Some("waiting") && self.waiting.len() <= most {
            return Some(self.waiting_at.keys().copied().collect());
        }
        // They are in no list of a lane or host.
        let disabled: &[&BTreeSet<SourceId>] = match stage {
            None | Some("disabled") => &[&self.disabled],
            Some(_) => &[],
        };
        let disabled = disabled.iter().copied().flatten().copied();
        if disabled.clone().nth(most).is_some() {
            return None;
        }
        if stage == Some("disabled") {
            return Some(disabled.collect());
        }
        if let Some(host) = host
            && self.pending_of_host(host) as usize <= most
            && self.waiting.len() <= most
        {
            let ready = self
                .lanes
                .iter()
                .filter_map(|lane| lane.ready.get(host))
                .flatten()
                .map(|(_, id)| *id);
            let waiting = self.waiting_at.iter().filter(|(_, (_, at))| at == host).map(|(id, _)| *id);
            return Some(ready.chain(waiting).chain(disabled).collect());
        }
        let pending = &self.lanes[lane? as usize].pending;
        (pending.len() <= most).then(|| pending.iter().copied().chain(disabled).collect())
    }

    /// When the next waiting source becomes due, strictly after `now`.
    pub fn next_due(&self, now: Millis) -> Option<Millis> {
        self.waiting
            .range((now.saturating_add(1), SourceId(0))..)
            .next()
            .map(|(until, _)| *until)
    }

    /// Ready sources of a lane, at most `limit`: a turn for each host with room, first those that were picked longest ago, and of
    /// each host the urgent and then the oldest, so that one host's backlog hides nobody. Answers the ids, in their own order, and
    /// how many ready ones were left out. Costs no more with a long backlog than with a short one: hosts without room are those
    /// that run something, and runs are few.
    pub fn shortlist(&self, lane: Lane, now: Millis, limit: usize, room: impl Fn(&str) -> bool) -> (Vec<SourceId>, u32) {
        let found = &self.lanes[lane as usize];
        let mut total = found.ready_count as usize;
        for host in self.running_by_host.keys().filter(|host| !room(host)) {
            total -= found.ready.get(host).map_or(0, BTreeSet::len);
        }
        let mut due: BTreeMap<&str, VecDeque<(Reverse<i32>, SourceId)>> = BTreeMap::new();
        for (_, id) in self.due(now).take(limit) {
            match self.waiting_at.get(id) {
                Some((at, host)) if *at == lane && room(host) => {
                    total += 1;
                    due.entry(host).or_default().push_back((Reverse(0), *id));
                }
                _ => {}
            }
        }
        let mut turns: Vec<Turn<'_>> = Vec::new();
        for (_, host) in &found.turns {
            if turns.len() >= limit {
                break;
            }
            if room(host) {
                let ready = found.ready.get(host).map(|ids| ids.iter().peekable());
                turns.push(Turn::new(ready, due.remove(host.as_str())));
            }
        }
        // Hosts that have nothing but sources whose retry is due.
        turns.extend(due.into_values().map(|ids| Turn::new(None, Some(ids))));
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

    /// Ready sources of a lane that the lock lets through, urgent and then old ones first, and how many there are beyond `limit`.
    pub fn shortlist_of(
        &self,
        only: Only<'_>,
        lane: Lane,
        now: Millis,
        limit: usize,
        sources: &BTreeMap<SourceId, Source>,
    ) -> (Vec<SourceId>, u32) {
        let of_source = |id: &SourceId| sources.get(id).map(place);
        let is_due = |id: &SourceId, host: Option<&str>| {
            let at = self.waiting_at.get(id);
            at.is_some_and(|(found, name)| *found == lane && host.is_none_or(|host| host == name))
        };
        let (mut places, total) = match only {
            Only::Host(host) => {
                let ready = self.lanes[lane as usize].ready.get(host);
                let mut places: Vec<_> = ready.into_iter().flatten().take(limit).copied().collect();
                let due: Vec<_> = self.due(now).filter(|(_, id)| is_due(id, Some(host))).take(limit).collect();
                let total = ready.map_or(0, BTreeSet::len) + due.len();
                places.extend(due.into_iter().filter_map(|(_, id)| of_source(id)));
                (places, total)
            }
            Only::Campaign { campaign, first, rows } => {
                let last = SourceId(first.0 + u64::from(rows.saturating_sub(1)));
                let is_ready = |source: &&Source| match source.stage {
                    SourceStage::Pending => true,
                    SourceStage::Waiting { until } => until <= now,
                    SourceStage::Running { .. } | SourceStage::Disabled { .. } => false,
                };
                let of_it = |source: &&Source| source.lane == lane && source.campaign.is_some_and(|row| row.campaign == campaign);
                let rows = sources.range(first..=last).map(|(_, source)| source);
                // A campaign has a bound, and so has this walk.
                let places: Vec<_> = rows.filter(of_it).filter(is_ready).map(place).collect();
                let total = places.len();
                (places, total)
            }
        };
        places.sort_unstable();
        places.truncate(limit);
        let left_out = total.saturating_sub(places.len()) as u32;
        (places.into_iter().map(|(_, id)| id).collect(), left_out)
    }
}

/// Sources of a host by priority, then by number.
type InOrder<'a> = Peekable<btree_set::Iter<'a, (Reverse<i32>, SourceId)>>;

/// One host's ready sources, those whose retry is due among them.
struct Turn<'a> {
    ready: Option<InOrder<'a>>,
    due: VecDeque<(Reverse<i32>, SourceId)>,
}

impl<'a> Turn<'a> {
    fn new(ready: Option<InOrder<'a>>, due: Option<VecDeque<(Reverse<i32>, SourceId)>>) -> Turn<'a> {
        let mut due = due.unwrap_or_default();
        due.make_contiguous().sort_unstable();
        Turn { ready, due }
    }

    fn next(&mut self) -> Option<SourceId> {
        let ready = self.ready.as_mut().and_then(|ready| ready.peek().copied().copied());
        match (ready, self.due.front()) {
            (Some(ready), Some(due)) if *due < ready => self.due.pop_front().map(|(_, id)| id),
            (Some(_), _) => self.ready.as_mut().and_then(Iterator::next).map(|(_, id)| *id),
            (None, _) => self.due.pop_front().map(|(_, id)| id),
        }
    }
}

fn place(source: &Source) -> (Reverse<i32>, SourceId) {
    (Reverse(source.priority), source.id)
}

fn origin_place(origin: Origin) -> usize {
    match origin {
        Origin::Ui => 0,
        Origin::Api => 1,
        Origin::Cli => 2,
        Origin::Campaign => 3,
        Origin::Curriculum => 4,
    }
}

fn host_name(source: &Source) -> &str {
    source.host.as_deref().unwrap_or_default()
}

fn adjust(counts: &mut BTreeMap<String, u32>, host: &str, by: i32) {
    match counts.get_mut(host) {
        Some(count) => {
            *count = count.saturating_add_signed(by);
            if *count == 0 {
                counts.remove(host);
            }
        }
        None if by > 0 => {
            counts.insert(host.to_string(), by as u32);
        }
        None => {}
    }
}
