//! Tells whether anything changed since the last build, faster than cargo can: over all that guests are made of.

use anyhow::{Context, Result};
use std::fs;
use std::hash::{DefaultHasher, Hash, Hasher};
use std::path::Path;

/// Digest of the given folders' files, by path and content, and of `extra`.
///
/// Folders named `target`, `dist` or `node_modules` and hidden ones are left out. This guards against stale
/// builds, not against an attacker, so a 64-bit hash does.
pub(crate) fn of(root: &Path, folders: &[&str], extra: &[&str]) -> Result<String> {
    let mut hasher = DefaultHasher::new();
    extra.hash(&mut hasher);
    for folder in folders {
        let path = root.join(folder);
        if path.is_dir() {
            hash_folder(&path, &mut hasher)?;
        } else if path.is_file() {
            hash_file(&path, &mut hasher)?;
        }
    }
    Ok(format!("{:016x}", hasher.finish()))
}

fn hash_folder(folder: &Path, hasher: &mut DefaultHasher) -> Result<()> {
    let mut entries = fs::read_dir(folder)
        .and_then(Iterator::collect::<std::io::Result<Vec<fs::DirEntry>>>)
        .with_context(|| format!("cannot list {}", folder.display()))?;
    entries.sort_by_key(fs::DirEntry::file_name);
    for entry in entries {
        let name = entry.file_name();
        let name = name.to_string_lossy();
        if name.starts_with('.') || ["target", "dist", "node_modules"].contains(&name.as_ref()) {
            continue;
        }
        name.hash(hasher);
        if entry.path().is_dir() {
            hash_folder(&entry.path(), hasher)?;
        } else {
            hash_file(&entry.path(), hasher)?;
        }
    }
    Ok(())
}

fn hash_file(file: &Path, hasher: &mut DefaultHasher) -> Result<()> {
    fs::read(file)
        .with_context(|| format!("cannot read {}", file.display()))?
        .hash(hasher);
    Ok(())
}
