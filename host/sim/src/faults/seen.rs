//! What scenarios went through, added up and told.

use std::collections::BTreeMap;
use std::fmt;

/// What a scenario went through.
#[derive(Clone, Debug, Default)]
pub struct Seen {
    pub entries: u64,
    pub outcomes: u64,
    pub crashes: u64,
    pub appends_refused: u64,
    pub slow_appends: u64,
    pub lost: u64,
    pub doubled: u64,
    pub late: u64,
    pub stuck: u64,
    pub refused_commands: u64,
    pub events: BTreeMap<&'static str, u64>,
}

impl Seen {
    pub fn add(&mut self, other: &Seen) {
        let Seen {
            entries,
            outcomes,
            crashes,
            appends_refused,
            slow_appends,
            lost,
            doubled,
            late,
            stuck,
            refused_commands,
            events,
        } = other;
        self.entries += entries;
        self.outcomes += outcomes;
        self.crashes += crashes;
        self.appends_refused += appends_refused;
        self.slow_appends += slow_appends;
        self.lost += lost;
        self.doubled += doubled;
        self.late += late;
        self.stuck += stuck;
        self.refused_commands += refused_commands;
        for (event, count) in events {
            *self.events.entry(event).or_default() += count;
        }
    }
}

impl fmt::Display for Seen {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Seen {
            entries,
            outcomes,
            crashes,
            appends_refused,
            slow_appends,
            lost,
            doubled,
            late,
            stuck,
            refused_commands,
            events: _,
        } = self;
        writeln!(
            f,
            "  {entries} journal entries, {outcomes} outcomes, none lost or doubled; {refused_commands} commands refused"
        )?;
        write!(
            f,
            "  {crashes} crashes, {appends_refused} appends refused, {slow_appends} slow; messages: {lost} lost, {doubled} doubled, {late} late; {stuck} runs hung"
        )
    }
}
