//! What looks at recorded decisions shares: where they are, how many of them, and how it can go wrong.

use crate::cli::exit::Exit;
use crate::dry_run::WindowError;
use crate::host::journal_path;
use crate::recovery;
use pointsman_coordinator::Guards;
use pointsman_journal::Reader;
use std::num::NonZeroUsize;
use std::path::Path;

/// Decisions where nothing is named.
pub(super) const LAST_DEFAULT: u32 = 1_000;

/// A journal that no host has to be up for, and the guards that its settings have.
pub(super) fn open(data: &Path) -> Result<(Reader, Guards), Exit> {
    let reader = Reader::open(journal_path(data)).map_err(|error| Exit::from(anyhow::Error::new(error)))?;
    let restored = recovery::restore(&reader)?;
    let guards = Guards::of(&restored.coordinator.state().settings);
    Ok((reader, guards))
}

pub(super) fn all_threads() -> NonZeroUsize {
    std::thread::available_parallelism().unwrap_or(NonZeroUsize::MIN)
}

pub(super) fn window_exit(error: WindowError) -> Exit {
    let mut exit = Exit::from(anyhow::Error::new(error));
    if exit.message.starts_with("there is no decision") {
        exit.code = Exit::NOT_FOUND;
    }
    exit
}
