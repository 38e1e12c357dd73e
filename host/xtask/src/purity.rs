//! `purity`: invariant 1. The thinking part builds for a machine that has no system, and asks for nothing of one.

use crate::guests::compile;
use pointsman_authoring::{TARGET, Toolchain};
use anyhow::{Context, Result, bail};
use std::fs;
use std::path::Path;
use wasmparser::{Parser, Payload};

/// What the standard library says, on a target without a system, where one is needed. Such a call imports nothing and
/// fails only when it runs; but its message is in the module if the call is.
const SYSTEM_CALLS: [(&str, &str); 3] = [
    ("time not implemented on this platform", "reads a clock"),
    (
        "operation not supported on this platform",
        "uses files, the network, threads or processes",
    ),
    ("can't sleep", "sleeps"),
];

pub(crate) fn check(root: &Path) -> Result<()> {
    let plugins = root.join("plugins");
    compile(&plugins, Toolchain::find()?, &["--package", "core-purity", "--lib"])?;
    let file = plugins.join("target").join(TARGET).join("release/core_purity.wasm");
    let module = fs::read(&file).with_context(|| format!("cannot read {}", file.display()))?;
    let exports = exported_functions(&module)?;
    if exports.is_empty() {
        bail!("core_purity.wasm exports no function, so nothing was checked");
    }
    let faults = faults(&module)?;
    if !faults.is_empty() {
        bail!("the coordinator is not pure:\n  {}", faults.join("\n  "));
    }
    eprintln!(
        "purity: the coordinator builds for {TARGET} and imports nothing ({:.0} kB, exports {})",
        module.len() as f64 / 1000.0,
        exports.join(", ")
    );
    Ok(())
}

/// One line for each import and each trace of a system call.
fn faults(module: &[u8]) -> Result<Vec<String>> {
    let mut faults = Vec::new();
    for payload in Parser::new(0).parse_all(module) {
        if let Payload::ImportSection(section) = payload.context("core_purity.wasm is no module")? {
            for import in section.into_imports() {
                let import = import?;
                faults.push(format!("it imports {}::{}", import.module, import.name));
            }
        }
    }
    for (message, what) in SYSTEM_CALLS {
        if contains(module, message.as_bytes()) {
            faults.push(format!("it {what} (\"{message}\")"));
        }
    }
    Ok(faults)
}

fn exported_functions(module: &[u8]) -> Result<Vec<String>> {
    let mut names = Vec::new();
    for payload in Parser::new(0).parse_all(module) {
        if let Payload::ExportSection(section) = payload? {
            for export in section {
                let export = export?;
                if export.kind == wasmparser::ExternalKind::Func {
                    names.push(export.name.to_string());
                }
            }
        }
    }
    Ok(names)
}

fn contains(haystack: &[u8], needle: &[u8]) -> bool {
    haystack.windows(needle.len()).any(|window| window == needle)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A module with one type, `() -> ()`, and one import of it.
    fn importing() -> Vec<u8> {
        let mut module = b"\0asm\x01\0\0\0".to_vec();
        module.extend([1, 4, 1, 0x60, 0, 0]);
        module.extend([2, 11, 1, 3]);
        module.extend(b"env");
        module.push(3);
        module.extend(b"now");
        module.extend([0, 0]);
        module
    }

    #[test]
    fn an_import_is_named() {
        assert_eq!(faults(&importing()).unwrap(), ["it imports env::now"]);
    }

    #[test]
    fn a_hidden_clock_is_found() {
        // A custom section stands for the module's data.
        let mut module = b"\0asm\x01\0\0\0".to_vec();
        let text = b"time not implemented on this platform";
        module.extend([0, text.len() as u8 + 2, 1, b'x']);
        module.extend(text);
        assert_eq!(
            faults(&module).unwrap(),
            ["it reads a clock (\"time not implemented on this platform\")"]
        );
    }

    #[test]
    fn an_empty_module_is_pure_and_rubbish_is_an_error() {
        assert!(faults(b"\0asm\x01\0\0\0").unwrap().is_empty());
        assert!(faults(b"rubbish!").is_err());
    }
}
