//! Shadows over a restart: what was offered, a file for each. What they had seen is not kept; they count anew.
//!
//! A shadow decides nothing, so it is in no journal, and a file that is lost or damaged costs nothing but the shadow.

use crate::policy_install::Offer;
use crate::wire::ShadowCard;
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use pointsman_model::Actor;
use pointsman_model::policy::Setting;
use serde::{Deserialize, Serialize};
use std::fs;
use std::io;
use std::path::{Path, PathBuf};

/// Where offers of shadows lie.
pub struct KeptShadows {
    directory: PathBuf,
}

#[derive(Serialize, Deserialize)]
struct Kept {
    file: String,
    code_base64: String,
    settings: Vec<Setting>,
    trusted: bool,
    signature: Option<String>,
    actor: String,
}

impl KeptShadows {
    pub fn new(directory: PathBuf) -> KeptShadows {
        KeptShadows { directory }
    }

    pub fn keep(&self, card: &ShadowCard, offer: &Offer, actor: &Actor) -> io::Result<()> {
        let Offer {
            file,
            code,
            settings,
            trusted,
            signature,
            budgets: _,
        } = offer;
        let kept = Kept {
            file: file.clone(),
            code_base64: STANDARD.encode(code),
            settings: settings.clone(),
            trusted: *trusted,
            signature: signature.clone(),
            actor: actor.0.clone(),
        };
        fs::create_dir_all(&self.directory)?;
        let path = self.path(card);
        // Written beside and renamed, so that a start reads the whole file or none.
        let beside = path.with_extension("tmp");
        fs::write(&beside, serde_json::to_vec(&kept)?)?;
        fs::rename(&beside, &path)
    }

    pub fn forget(&self, card: &ShadowCard) -> io::Result<()> {
        match fs::remove_file(self.path(card)) {
            Err(error) if error.kind() != io::ErrorKind::NotFound => Err(error),
            Ok(()) | Err(_) => Ok(()),
        }
    }

    /// Each file's name, and what was offered or why that cannot be read.
    pub fn all(&self) -> io::Result<Vec<(String, io::Result<(Offer, Actor)>)>> {
        let entries = match fs::read_dir(&self.directory) {
            Ok(entries) => entries,
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(Vec::new()),
            Err(error) => return Err(error),
        };
        let mut paths = entries
            .map(|entry| entry.map(|entry| entry.path()))
            .collect::<io::Result<Vec<PathBuf>>>()?;
        paths.retain(|path| path.extension().is_some_and(|extension| extension == "json"));
        paths.sort();
        let named = |path: &PathBuf| path.file_name().unwrap_or_default().to_string_lossy().into_owned();
        Ok(paths.iter().map(|path| (named(path), read(path))).collect())
    }

    fn path(&self, card: &ShadowCard) -> PathBuf {
        self.directory.join(format!("{}-{}.json", card.kind, card.digest))
    }
}

fn read(path: &Path) -> io::Result<(Offer, Actor)> {
    let Kept {
        file,
        code_base64,
        settings,
        trusted,
        signature,
        actor,
    } = serde_json::from_slice(&fs::read(path)?)?;
    let offer = Offer {
        file,
        code: STANDARD.decode(code_base64).map_err(io::Error::other)?,
        settings,
        trusted,
        signature,
        ..Offer::default()
    };
    Ok((offer, Actor(actor)))
}
