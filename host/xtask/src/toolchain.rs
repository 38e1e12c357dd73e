//! Which Rust builds guests: the usual one, if it has the wasm32 target, or Debian's packages.

use anyhow::{Result, bail};
use std::path::Path;
use std::process::{Command, Stdio};

pub(crate) const TARGET: &str = "wasm32-unknown-unknown";

/// A way to build for [`TARGET`].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Toolchain {
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

const CURE: &str = "prepare one with: scripts/guest-toolchain.sh";

impl Toolchain {
    /// The one that `POINTSMAN_GUEST_TOOLCHAIN` names, or the first that is there.
    pub(crate) fn find() -> Result<Toolchain> {
        match std::env::var("POINTSMAN_GUEST_TOOLCHAIN").as_deref() {
            Ok("rustup") if rustup_is_there() => Ok(Toolchain::Rustup),
            Ok("rustup") => bail!("POINTSMAN_GUEST_TOOLCHAIN=rustup, but this Rust has no standard library for {TARGET}; {CURE}"),
            Ok("debian") => match debian_lacks() {
                None => Ok(Toolchain::Debian),
                Some(file) => bail!("POINTSMAN_GUEST_TOOLCHAIN=debian, but {file} is missing; {CURE}"),
            },
            Ok("") | Err(_) => {
                if rustup_is_there() {
                    Ok(Toolchain::Rustup)
                } else if debian_lacks().is_none() {
                    Ok(Toolchain::Debian)
                } else {
                    bail!("no toolchain here builds for {TARGET}; {CURE}")
                }
            }
            Ok(other) => bail!("POINTSMAN_GUEST_TOOLCHAIN is '{other}'; it is 'rustup', 'debian' or not set"),
        }
    }

    pub(crate) fn name(self) -> &'static str {
        match self {
            Toolchain::Rustup => "rustup",
            Toolchain::Debian => "debian",
        }
    }

    /// `cargo build` for the target; packages and a place for the output are up to the caller.
    pub(crate) fn cargo_build(self) -> Command {
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
    pub(crate) fn compiler_version(self) -> String {
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
