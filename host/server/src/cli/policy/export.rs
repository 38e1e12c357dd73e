//! `pointsman policy export`: recorded decisions as a file, which a dry run reads anywhere.

use super::parse_kind;
use super::past::{LAST_DEFAULT, open, window_exit};
use crate::cli::client::{Client, url_encoded};
use crate::cli::exit::Exit;
use crate::cli::swap::parse_time_ms;
use crate::clock::now_ms;
use crate::dry_run::{self, FileWindow, Span};
use clap::Args;
use pointsman_model::policy::PolicyKind;
use pointsman_sim::dry_run::Window;
use std::path::{Path, PathBuf};
use std::process::ExitCode;

#[derive(Args, Debug)]
pub(crate) struct Export {
    /// File to write; `-` is standard output.
    out: PathBuf,
    #[arg(long, value_parser = parse_kind)]
    kind: PolicyKind,
    /// The latest decisions [default: 1000].
    #[arg(long, conflicts_with = "since", value_parser = clap::value_parser!(u32).range(1..=i64::from(dry_run::LAST_MAX)))]
    last: Option<u32>,
    /// Decisions of the last while: 90s, 10m, 24h, 7d.
    #[arg(long, value_parser = parse_time_ms)]
    since: Option<u64>,
    /// Read this data directory instead of asking a host.
    #[arg(long)]
    data: Option<PathBuf>,
}

pub(crate) fn export(client: &Client, asked: &Export) -> Result<ExitCode, Exit> {
    let since = asked.since.map(|ago| now_ms().saturating_sub(ago));
    let mut written: Vec<u8> = Vec::new();
    match &asked.data {
        Some(data) => {
            let (reader, guards) = open(data)?;
            let span = match since {
                Some(since) => Span::Since(since),
                None => Span::Last(asked.last.unwrap_or(LAST_DEFAULT)),
            };
            dry_run::export(&reader, asked.kind, span, guards, &mut written).map_err(window_exit)?;
        }
        None => {
            let span = match since {
                Some(since) => format!("since={since}"),
                None => format!("last={}", asked.last.unwrap_or(LAST_DEFAULT)),
            };
            let path = format!("/api/v1/decisions/window?kind={}&{span}", url_encoded(asked.kind.slug()));
            client.copy(&path, &mut written)?;
        }
    }
    if asked.out == Path::new("-") {
        return std::io::Write::write_all(&mut std::io::stdout(), &written)
            .map(|()| ExitCode::SUCCESS)
            .map_err(|error| Exit::failed(format!("standard output: {error}")));
    }
    // Whole or not at all: a window that was cut off would be refused when it is read.
    let shown = asked.out.display();
    let temporary = asked.out.with_extension("partial");
    let put = std::fs::write(&temporary, &written).and_then(|()| std::fs::rename(&temporary, &asked.out));
    put.map_err(|error| Exit::failed(format!("{shown} cannot be written: {error}")))?;
    let window = FileWindow::open(&asked.out).map_err(window_exit)?;
    eprintln!("{shown}: {} decisions of {}", window.total(), asked.kind);
    eprintln!("next: pointsman policy dry-run FILE --window {shown}");
    Ok(ExitCode::SUCCESS)
}
