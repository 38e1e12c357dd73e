//! How far a sink is: a small file beside the journal, replaced as a whole.

use serde::{Deserialize, Serialize};
use std::fs::File;
use std::io::Write;
use std::path::Path;

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub(crate) struct Cursor {
    /// Names the journal that it belongs to.
    pub(crate) journal: String,
    /// All entries up to here have been seen to.
    pub(crate) seq: u64,
    /// Where the file that is being written begins: the position before its first entry.
    pub(crate) begun_at: u64,
}

impl Cursor {
    /// None where there is none for this journal: a cursor of another one says nothing here.
    pub(crate) fn read(path: &Path, journal: &str) -> anyhow::Result<Option<Cursor>> {
        let bytes = match std::fs::read(path) {
            Ok(bytes) => bytes,
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Ok(None),
            Err(error) => anyhow::bail!("{} cannot be read: {error}", path.display()),
        };
        let cursor: Cursor = serde_json::from_slice(&bytes).map_err(|error| {
            anyhow::anyhow!(
                "{} is no cursor ({error}); remove it, and the sink begins as a new one",
                path.display()
            )
        })?;
        Ok(Some(cursor).filter(|cursor| cursor.journal == journal))
    }

    /// On disk when this returns.
    pub(crate) fn write(&self, path: &Path) -> anyhow::Result<()> {
        let draft = path.with_extension("tmp");
        let written = (|| {
            let mut file = File::create(&draft)?;
            file.write_all(&serde_json::to_vec(self)?)?;
            file.sync_all()?;
            std::fs::rename(&draft, path)?;
            match path.parent() {
                Some(parent) => File::open(parent)?.sync_all(),
                None => Ok(()),
            }
        })();
        written.map_err(|error| anyhow::anyhow!("{} cannot be written: {error}", path.display()))
    }
}
