//! Components written as text, down to the byte. Each is a retry policy that is lawful but for one thing.

use anyhow::{Context, Result};
use std::path::Path;

/// The parts of a guest that a case replaces.
pub(super) struct Guest {
    pub(super) imports: String,
    pub(super) memory: String,
    /// Functions, data, tables.
    pub(super) parts: String,
    /// Body of the allocator that the host calls to hand over the context: parameter 3 is the size.
    pub(super) realloc: String,
    /// Body of `decide`: leaves the address of its result. 4096 and what follows is zero, which reads as "retry at once,
    /// with no advice".
    pub(super) decide: String,
}

impl Default for Guest {
    fn default() -> Guest {
        Guest {
            imports: String::new(),
            memory: "(memory (export \"memory\") 4)".into(),
            parts: String::new(),
            realloc: "(local $at i32)
                (local.set $at (i32.and (i32.add (global.get $next) (i32.const 15)) (i32.const -16)))
                (global.set $next (i32.add (local.get $at) (local.get 3)))
                (if (i32.gt_u (global.get $next) (i32.const 262144)) (then unreachable))
                (local.get $at)"
                .into(),
            decide: "(i32.const 4096)".into(),
        }
    }
}

/// What a guest may import.
pub(super) const LOG: &str = r#"(import "pointsman:policy/log@0.1.0" "log" (func $log (param i32 i32 i32)))"#;

impl Guest {
    pub(super) fn deciding(decide: &str) -> Guest {
        Guest {
            decide: decide.into(),
            ..Guest::default()
        }
    }

    /// The core module as text.
    pub(super) fn text(&self) -> String {
        let Guest {
            imports,
            memory,
            parts,
            realloc,
            decide,
        } = self;
        format!(
            r#"(module
            {imports}
            {memory}
            (global $next (mut i32) (i32.const 65536))
            (func (export "cabi_realloc") (param i32 i32 i32 i32) (result i32) {realloc})
            (data (i32.const 256) "wat-guest")
            (data (i32.const 272) "1.0.0")
            (func (export "describe") (result i32)
                (i32.store (i32.const 1024) (i32.const 256))
                (i32.store (i32.const 1028) (i32.const 9))
                (i32.store (i32.const 1032) (i32.const 272))
                (i32.store (i32.const 1036) (i32.const 5))
                (i32.store8 (i32.const 1040) (i32.const 1))
                (i32.const 1024))
            (func (export "check-settings") (param i32 i32) (result i32) (i32.const 2048))
            {parts}
            (func (export "decide") (param i32) (result i32) {decide}))"#
        )
    }

    pub(super) fn component(&self) -> Result<Vec<u8>> {
        component_of(&wat::parse_str(self.text()).context("the guest's text")?)
    }
}

/// Gives a core module the types of the contract's retry world.
fn component_of(core: &[u8]) -> Result<Vec<u8>> {
    let mut resolve = wit_parser::Resolve::default();
    let wit = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../wit/policy-0.1.0");
    let (package, _) = resolve.push_dir(wit)?;
    let world = resolve.select_world(&[package], Some("retry"))?;
    let mut core = core.to_vec();
    wit_component::embed_component_metadata(&mut core, &resolve, world, wit_component::StringEncoding::UTF8)?;
    wit_component::ComponentEncoder::default().module(&core)?.encode()
}

/// `Err(failed(text))`, the text being `length` bytes at `at`.
pub(super) fn failed_with(at: u32, length: u32) -> String {
    format!(
        "(i32.store8 (i32.const 4096) (i32.const 1)) (i32.store8 (i32.const 4104) (i32.const 2))
        (i32.store (i32.const 4108) (i32.const {at})) (i32.store (i32.const 4112) (i32.const {length})) (i32.const 4096)"
    )
}

/// A distribution of one number.
pub(super) fn distribution_of(number: &str) -> String {
    format!(
        "(f64.store (i32.const 8192) (f64.const {number})) (i32.store (i32.const 4172) (i32.const 8192))
        (i32.store (i32.const 4176) (i32.const 1)) (i32.const 4096)"
    )
}

/// A component of plain text, with no policy's exports.
pub(super) fn plain(text: &str) -> Result<Vec<u8>> {
    wat::parse_str(text).context("the component's text")
}
