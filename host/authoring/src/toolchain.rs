//! Which Rust builds guests: the usual one, if it has the wasm32 target, or Debian's packages.

use std::path::Path;
use std::process::{Command, Stdio};

pub const TARGET: &str = "wasm32-unknown-unknown";

/// A way to build for [`TARGET`].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Toolchain {
    /// The cargo on the path, with a standard library for the target: `rustup target add`.
    Rustup,
    /// Debian's rustc, cargo, library sources and linker; the standard library is built along.
    Debian,
}

/// Debian's packages and what shows that each is there.
const DEBIAN_FILES: [&str; 4] = [
    "/usr/bin/rustc",
    "/usr/bin/cargo",
    "/usr/bin/wasm-ld-22",
    "/usr/lib/rustlib/src/rust/library/std/Cargo.toml",
];

/// Prepares a toolchain, where the repository's `scripts/guest-toolchain.sh` is not at hand.
const CURE: &str = "rustup target add wasm32-unknown-unknown    (or on Debian, without rustup: apt-get install -y --no-install-recommends rustc-web cargo-web rust-web-src lld-22)";

#[derive(Debug, thiserror::Error)]
pub enum ToolchainError {
    #[error("no Rust here builds for {TARGET}; install it with: {CURE}")]
    Missing,
    #[error("POINTSMAN_GUEST_TOOLCHAIN={wanted}, but {lacks}; install it with: {CURE}")]
    Lacks { wanted: &'static str, lacks: String },
    #[error("POINTSMAN_GUEST_TOOLCHAIN is '{0}'; it is 'rustup', 'debian' or not set")]
    Unknown(String),
}

impl Toolchain {
    /// The one that `POINTSMAN_GUEST_TOOLCHAIN` names, or the first that is there.
    pub fn find() -> Result<Toolchain, ToolchainError> {
        match std::env::var("POINTSMAN_GUEST_TOOLCHAIN").as_deref() {
            Ok("rustup") if rustup_is_there() => Ok(Toolchain::Rustup),
            Ok("rustup") => Err(ToolchainError::Lacks {
                wanted: "rustup",
                lacks: format!("this Rust has no standard library for {TARGET}"),
            }),
            Ok("debian") => match debian_lacks() {
                None => Ok(Toolchain::Debian),
                Some(file) => Err(ToolchainError::Lacks {
                    wanted: "debian",
                    lacks: format!("{file} is missing"),
                }),
            },
            Ok("") | Err(_) => {
                if rustup_is_there() {
                    Ok(Toolchain::Rustup)
                } else if debian_lacks().is_none() {
                    Ok(Toolchain::Debian)
                } else {
                    Err(ToolchainError::Missing)
                }
            }
            Ok(other) => Err(ToolchainError::Unknown(other.to_string())),
        }
    }

    pub fn name(self) -> &'static str {
        match self {
            Toolchain::Rustup => "rustup",
            Toolchain::Debian => "debian",
        }
    }

    /// `cargo build` for the target; packages and a place for the output are up to the caller.
    pub fn cargo_build(self) -> Command {
        let mut command = self.cargo_build_of_its_own();
        // A dependency of the interpreter bakes random numbers in. With a seed, the same sources make the same bytes.
        command.env("CONST_RANDOM_SEED", "pointsman");
        command
    }

    fn cargo_build_of_its_own(self) -> Command {
        match self {
            Toolchain::Rustup => {
                let mut command = Command::new("cargo");
                command.args(["build", "--release", "--target", TARGET]);
                command
            }
            Toolchain::Debian => {
                let mut command = Command::new("/usr/bin/cargo");
                command
                    // Debian ships the library's sources but no library for this target; building it along is a
                    // feature that stable compilers keep behind this switch.
                    .env("RUSTC_BOOTSTRAP", "1")
                    .env("RUSTC", "/usr/bin/rustc")
                    .env("CARGO_TARGET_WASM32_UNKNOWN_UNKNOWN_LINKER", "wasm-ld-22")
                    .args(["build", "--release", "-Z", "build-std=std,panic_abort", "--target", TARGET]);
                command
            }
        }
    }

    /// The compiler's own words on its version: another compiler makes other modules.
    pub fn compiler_version(self) -> String {
        let rustc = match self {
            Toolchain::Rustup => "rustc",
            Toolchain::Debian => "/usr/bin/rustc",
        };
        let output = Command::new(rustc).arg("-vV").stderr(Stdio::null()).output();
        output
            .map(|output| String::from_utf8_lossy(&output.stdout).into_owned())
            .unwrap_or_default()
    }
}

/// Asks the compiler where its library for the target would be, and looks. Works for any Rust, rustup's or not.
fn rustup_is_there() -> bool {
    let output = Command::new("rustc")
        .args(["--print", "target-libdir", "--target", TARGET])
        .stderr(Stdio::null())
        .output();
    let Ok(output) = output else { return false };
    output.status.success() && Path::new(String::from_utf8_lossy(&output.stdout).trim()).is_dir()
}

fn debian_lacks() -> Option<&'static str> {
    DEBIAN_FILES.into_iter().find(|file| !Path::new(file).exists())
}
