//! Signatures of policies: an operator's list of trusted keys, and what a signature says.
//!
//! A signature is a text file beside the policy, `FILE.sig`. It signs a message of a domain of its own with the SHA-256
//! of the code: nothing signed for another purpose passes for it. A public key is a file `NAME.pub`; one that lies in the
//! directory of trusted keys is trusted under that name, from then on and until it is taken away.

use crate::wire::PolicyProblem;
use anyhow::{Context as _, bail, ensure};
use ed25519_compact::{KeyPair, PublicKey, Seed, Signature};
use pointsman_model::Digest;
use pointsman_policy::ProblemCode;
use std::io::{Read, Write};
use std::os::unix::fs::{OpenOptionsExt, PermissionsExt};
use std::path::{Path, PathBuf};

const PRIVATE_HEAD: &str = "pointsman-private-key-v1";
const PUBLIC_HEAD: &str = "pointsman-public-key-v1";
const SIGNATURE_HEAD: &str = "pointsman-signature-v1";
const DOMAIN: &[u8] = b"pointsman policy signature v1\0";
/// Key and signature files are far smaller; a larger one is something else.
const FILE_BYTES_MAX: u64 = 4 << 10;
/// Keys of a directory that are looked at.
const KEYS_MAX: usize = 1_000;

/// Signature that goes with a policy file: `FILE.sig` beside `FILE`.
pub fn signature_file(policy: &Path) -> PathBuf {
    let mut name = policy.as_os_str().to_os_string();
    name.push(".sig");
    name.into()
}

/// The text of `FILE.sig`, where there is one; a text that is too long for a signature is cut, and then refused.
pub fn read_signature(policy: &Path) -> std::io::Result<Option<String>> {
    match std::fs::File::open(signature_file(policy)) {
        Ok(file) => {
            let mut text = Vec::new();
            file.take(FILE_BYTES_MAX).read_to_end(&mut text)?;
            Ok(Some(String::from_utf8_lossy(&text).into_owned()))
        }
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => Ok(None),
        Err(error) => Err(error),
    }
}

/// Makes `NAME.key`, readable by its owner only, and `NAME.pub`. Neither may be there already.
pub fn generate(name: &Path) -> anyhow::Result<(PathBuf, PathBuf)> {
    let (private, public) = (name.with_extension("key"), name.with_extension("pub"));
    ensure!(!public.exists(), "{} is there already", public.display());
    let mut seed = [0; 32];
    std::fs::File::open("/dev/urandom")
        .and_then(|mut random| random.read_exact(&mut seed))
        .context("read random bytes")?;
    let key = KeyPair::from_seed(Seed::new(seed));
    let mut file = std::fs::OpenOptions::new()
        .write(true)
        .create_new(true)
        .mode(0o600)
        .open(&private)
        .with_context(|| format!("{} cannot be made", private.display()))?;
    writeln!(file, "{PRIVATE_HEAD}\n{}", Digest(seed)).with_context(|| format!("write {}", private.display()))?;
    file.sync_all().with_context(|| format!("write {}", private.display()))?;
    std::fs::write(&public, format!("{PUBLIC_HEAD}\n{}\n", Digest(*key.pk))).with_context(|| format!("write {}", public.display()))?;
    Ok((private, public))
}

/// The text of a signature of some code.
pub fn sign(code: &[u8], private: &Path) -> anyhow::Result<String> {
    let mode = std::fs::metadata(private)
        .with_context(|| format!("{} cannot be read", private.display()))?
        .permissions()
        .mode();
    if mode & 0o077 != 0 {
        bail!(
            "{0} can be read by others, so it proves nothing: chmod 600 {0}, or make a new key",
            private.display()
        );
    }
    let seed = key_of(private, PRIVATE_HEAD)?;
    let key = KeyPair::from_seed(Seed::new(seed.0));
    let digest = pointsman_policy::sha256(code);
    let signature = key.sk.sign(message(digest), None);
    let (low, high) = signature.split_at(32);
    let half = |bytes: &[u8]| Digest(bytes.try_into().unwrap_or_default());
    Ok(format!(
        "{SIGNATURE_HEAD}\nkey: {}\ncode: sha256:{digest}\nsignature: {}{}\n",
        Digest(*key.pk),
        half(low),
        half(high)
    ))
}

/// Whom an operator trusts.
#[derive(Clone, Debug, Default)]
pub struct Trust {
    /// Directory of `NAME.pub` files; read at each check, so that a key is trusted from the moment it lies there.
    pub keys: PathBuf,
    /// Refuse what is not signed by one of them.
    pub required: bool,
}

/// Who signed, as far as this host can tell.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Signed {
    /// Under this name the key is trusted.
    By(String),
    /// Rightly, by a key that is not trusted here.
    ByStranger(String),
    /// Not signed, but part of this program: trusted as the program is.
    Shipped,
    No,
}

impl Trust {
    /// Whether code may be taken. A signature that is there must be right, also where none is required.
    pub fn check(&self, file: &str, code: Digest, signature: Option<&str>) -> Result<Signed, PolicyProblem> {
        let refuse = |code: ProblemCode, message: String, fix: String| {
            Err(PolicyProblem {
                code: code.code().to_string(),
                stage: "signature".to_string(),
                file: file.to_string(),
                line: None,
                column: None,
                message,
                fix: Some(fix),
            })
        };
        let sign_it = format!("`pointsman policy sign {file} --key KEYFILE` writes {file}.sig");
        let Some(text) = signature else {
            if crate::shipped::holds(code) {
                return Ok(Signed::Shipped);
            }
            if self.required {
                return refuse(
                    ProblemCode::Unsigned,
                    "it is not signed, and this host takes signed policies only".into(),
                    sign_it,
                );
            }
            return Ok(Signed::No);
        };
        let key = match verified(text, code) {
            Ok(key) => key,
            Err(why) => {
                return refuse(
                    ProblemCode::BadSignature,
                    format!("its signature is wrong: {why}"),
                    format!("sign it again: {sign_it}"),
                );
            }
        };
        match self.name_of(&key) {
            Some(name) => Ok(Signed::By(name)),
            None if self.required => refuse(
                ProblemCode::UntrustedKey,
                format!("it is signed by the key {}, which this host does not trust", key.short()),
                format!(
                    "put the key's .pub file into {}, or sign it with a key that is there",
                    self.keys.display()
                ),
            ),
            None => Ok(Signed::ByStranger(key.short())),
        }
    }

    fn name_of(&self, key: &Digest) -> Option<String> {
        let files = std::fs::read_dir(&self.keys).ok()?;
        let public = files
            .flatten()
            .take(KEYS_MAX)
            .map(|entry| entry.path())
            .filter(|path| path.extension().is_some_and(|extension| extension == "pub"));
        for path in public {
            match key_of(&path, PUBLIC_HEAD) {
                Ok(trusted) if trusted == *key => return path.file_stem().map(|name| name.to_string_lossy().into_owned()),
                Ok(_) => {}
                Err(error) => tracing::warn!("a trusted key is left out: {error:#}"),
            }
        }
        None
    }
}

/// The key whose holder signed this code.
fn verified(text: &str, code: Digest) -> Result<Digest, &'static str> {
    let mut lines = text.lines();
    if lines.next() != Some(SIGNATURE_HEAD) {
        return Err("the file is no signature of this kind");
    }
    let mut field = |name: &str| lines.next().and_then(|line| line.strip_prefix(name)).map(str::trim);
    let damaged = "the signature file is damaged";
    let key = field("key:").and_then(Digest::parse).ok_or(damaged)?;
    let signed = field("code: sha256:").and_then(Digest::parse).ok_or(damaged)?;
    let (low, high) = field("signature:").and_then(|hex| hex.split_at_checked(64)).ok_or(damaged)?;
    let (low, high) = Digest::parse(low).zip(Digest::parse(high)).ok_or(damaged)?;
    if signed != code {
        return Err("it was made for other code");
    }
    let mut signature = [0; Signature::BYTES];
    signature[..32].copy_from_slice(&low.0);
    signature[32..].copy_from_slice(&high.0);
    // Whatever key this is: it counts only where an operator has put the very same one among the trusted.
    match PublicKey::new(key.0).verify(message(code), &Signature::new(signature)) {
        Ok(()) => Ok(key),
        Err(_) => Err("it was not made by the key that it names"),
    }
}

fn message(code: Digest) -> Vec<u8> {
    [DOMAIN, &code.0].concat()
}

fn key_of(path: &Path, head: &str) -> anyhow::Result<Digest> {
    let mut text = String::new();
    std::fs::File::open(path)
        .and_then(|file| file.take(FILE_BYTES_MAX).read_to_string(&mut text))
        .with_context(|| format!("{} cannot be read", path.display()))?;
    let mut lines = text.lines();
    // The text itself is never shown: it may be a private key.
    ensure!(lines.next() == Some(head), "{} is not a file of the kind {head}", path.display());
    lines
        .next()
        .and_then(|line| Digest::parse(line.trim()))
        .with_context(|| format!("{} is damaged", path.display()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_signature_is_of_this_code_by_a_trusted_key() {
        let directory = tempfile::tempdir().expect("a directory");
        let keys = directory.path().join("keys");
        std::fs::create_dir(&keys).expect("made");
        let (private, public) = generate(&directory.path().join("alice")).expect("a key");
        let mode = std::fs::metadata(&private).expect("there").permissions().mode();
        assert_eq!(mode & 0o777, 0o600);
        assert!(generate(&directory.path().join("alice")).is_err(), "a key is not overwritten");

        let signature = sign(b"code", &private).expect("signed");
        let trust = Trust {
            keys: keys.clone(),
            required: true,
        };
        let check = |code: &[u8], signature: Option<&str>| {
            trust
                .check("a.rhai", pointsman_policy::sha256(code), signature)
                .map_err(|problem| problem.code)
        };
        assert_eq!(check(b"code", None), Err("PM2141".into()));
        assert_eq!(check(b"code", Some(&signature)), Err("PM2143".into()));
        std::fs::copy(&public, keys.join("alice.pub")).expect("trusted");
        assert_eq!(check(b"code", Some(&signature)), Ok(Signed::By("alice".into())));
        assert_eq!(check(b"c0de", Some(&signature)), Err("PM2142".into()));
        assert_eq!(check(b"code", Some("nonsense")), Err("PM2142".into()));
        let last = if signature.trim_end().ends_with('0') { "1\n" } else { "0\n" };
        let altered = format!("{}{last}", &signature[..signature.len() - 2]);
        assert_eq!(check(b"code", Some(&altered)), Err("PM2142".into()));

        std::fs::set_permissions(&private, std::fs::Permissions::from_mode(0o644)).expect("changed");
        let refused = sign(b"code", &private).expect_err("others can read the key").to_string();
        assert!(refused.contains("chmod 600"), "{refused}");
    }

    #[test]
    fn where_none_is_required_a_wrong_signature_is_refused_all_the_same() {
        let trust = Trust::default();
        let code = pointsman_policy::sha256(b"code");
        assert_eq!(trust.check("a.rhai", code, None), Ok(Signed::No));
        assert!(trust.check("a.rhai", code, Some("nonsense")).is_err());
    }
}
