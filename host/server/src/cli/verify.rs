//! `pointsman verify`: is the journal what was written? Works on the file, with or without a host.

use super::exit::Exit;
use crate::host::journal_path;
use pointsman_journal::{Reader, VerifyOptions};
use serde_json::json;
use std::path::Path;
use std::process::ExitCode;

pub(crate) fn verify(json: bool, data: &Path) -> Result<ExitCode, Exit> {
    let path = journal_path(data);
    let reader = Reader::open(&path).map_err(|error| Exit::from(anyhow::Error::new(error)))?;
    let options = VerifyOptions { views: true, anchor: None };
    let report = reader.verify(&options).map_err(|error| Exit::from(anyhow::Error::new(error)))?;
    if json {
        println!("{}", json!(report));
    } else {
        println!(
            "{} entries up to {}, chained to {}",
            report.entries, report.last_seq, report.last_hash
        );
        println!(
            "{} decisions, {} recordings, {} no longer kept",
            report.decisions, report.recordings, report.recordings_absent
        );
        println!("{} view rows compared", report.view_rows);
        for problem in &report.problems {
            println!("PROBLEM {problem}");
        }
    }
    if report.is_sound() {
        if !json {
            println!("sound");
        }
        return Ok(ExitCode::SUCCESS);
    }
    Err(Exit::negative(format!("{} problems in {}", report.problem_count, path.display())))
}
