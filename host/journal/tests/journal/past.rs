//! Changes of settings are found among everything else, and what was gained is counted from a position on.

use crate::common::*;
use pointsman_journal::Gained;
use pointsman_model::event::{Event, StageBy};
use pointsman_model::settings::{Settings, SettingsCause};
use pointsman_model::{Actor, DecisionId, ModelTag, Seq, SourceId};

fn changed(retry_budget: u32) -> Event {
    Event::SettingsChanged {
        settings: Settings {
            retry_budget,
            ..Settings::default()
        },
        actor: Actor::new("anna"),
        reason: String::new(),
        cause: SettingsCause::Edited,
    }
}

#[test]
fn changes_of_settings_are_a_list_of_their_own() {
    let directory = tempfile::tempdir().expect("a directory");
    let mut journal = open(directory.path());
    for budget in 1..=3 {
        journal
            .append(START, &[queued(u64::from(budget)), bare(changed(budget))], &[])
            .expect("appended");
    }
    let reader = journal.reader().expect("a reader");
    let page = |before, limit| {
        let rows = reader.settings_changes(before, limit).expect("read");
        rows.into_iter().map(|row| row.seq.0).collect::<Vec<_>>()
    };
    assert_eq!(page(None, 10), [6, 4, 2]);
    assert_eq!(page(None, 2), [6, 4]);
    assert_eq!(page(Some(Seq(4)), 10), [2]);
    assert_eq!(reader.settings_changes(None, 1).expect("read")[0].event, changed(3));
}

#[test]
fn what_was_gained_is_counted_from_a_position_on() {
    let directory = tempfile::tempdir().expect("a directory");
    let mut journal = open(directory.path());
    let first = [queued(1), planned(1, 1, 1, None), started(1, 1), finished(1, 1, 2)];
    let baseline = journal.append(START, &first, &[]).expect("appended").0 + first.len() as u64 - 1;
    let then = [
        queued(2),
        queued(3),
        planned(2, 2, 1, None),
        started(2, 1),
        finished(2, 1, 3),
        planned(3, 3, 1, None),
        started(3, 1),
        failed(3, 1),
        bare(Event::SourceGivenUp {
            source: SourceId(3),
            decision: DecisionId(1),
        }),
        bare(Event::ModelApplied {
            model: ModelTag::numbered(3),
            before: ModelTag::numbered(2),
            by: StageBy::Host,
        }),
    ];
    journal.append(START + 500, &then, &[]).expect("appended");
    let reader = journal.reader().expect("a reader");
    let gained = Gained {
        outcomes: 2,
        successes: 1,
        queue_consumed: 2,
        live_applies: 1,
        rolled_back: 0,
        decisions: 0,
        last_switch: Some(START + 500),
    };
    assert_eq!(reader.gained_since(Seq(baseline)).expect("counted"), gained);
    let all = reader.gained_since(Seq(0)).expect("counted");
    assert_eq!((all.outcomes, all.successes, all.queue_consumed), (3, 2, 3));
    assert_eq!(
        reader.gained_since(reader.last_seq().expect("a position")).expect("counted"),
        Gained::default()
    );
    assert_eq!(reader.at(Seq(baseline)).expect("read"), Some(START));
}
