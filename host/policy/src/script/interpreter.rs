//! The interpreter's component (`plugins/rhai`): part of this program, compiled once per process, linked to the log alone.

use crate::component::Compiler;
use crate::component::cache::CompiledCache;
use crate::component::call::{self, Call};
use crate::component::engine::{interpreter_engine, ticking};
use crate::log::LogLevel;
use crate::version::sha256;
use pointsman_model::policy::PolicyLimits;
use pointsman_script::SOURCES;
use std::sync::OnceLock;
use wasmtime::component::{Component, ComponentExportIndex, InstancePre, Linker};
use wasmtime::{Store, StoreContextMut};

static CODE: &[u8] = include_bytes!(concat!(env!("OUT_DIR"), "/interpreter.wasm"));

/// Ready to be instantiated, and where its exports are.
pub(super) struct Interpreter {
    pub(super) pre: InstancePre<Call>,
    pub(super) load: ComponentExportIndex,
    pub(super) describe: ComponentExportIndex,
    pub(super) check_settings: ComponentExportIndex,
    pub(super) decide: ComponentExportIndex,
    pub(super) migrate: ComponentExportIndex,
}

/// Why scripts cannot run in the sandbox.
#[derive(Debug, thiserror::Error)]
pub(super) enum Unavailable {
    #[error("the sandboxed interpreter is not part of this build")]
    NotBuilt,
    #[error("the sandboxed interpreter was built from other sources ({found}) than this program ({SOURCES})")]
    OtherSources { found: String },
    #[error("the sandboxed interpreter does not start: {0}")]
    DoesNotStart(String),
}

/// Compiled at the first use, which takes about a second, or loaded from the cache of whoever asks first.
pub(super) fn interpreter(cache: Option<&CompiledCache>, compiler: &Compiler) -> Result<&'static Interpreter, &'static Unavailable> {
    static INTERPRETER: OnceLock<Result<Interpreter, Unavailable>> = OnceLock::new();
    INTERPRETER.get_or_init(|| make(cache, compiler)).as_ref()
}

fn make(cache: Option<&CompiledCache>, compiler: &Compiler) -> Result<Interpreter, Unavailable> {
    if CODE.is_empty() {
        return Err(Unavailable::NotBuilt);
    }
    let broken = |error: wasmtime::Error| Unavailable::DoesNotStart(format!("{error:#}"));
    let component = compiled(cache, compiler).map_err(broken)?;
    let interpreter = link(&component).map_err(broken)?;
    let found = sources(&component, &interpreter).map_err(broken)?;
    if found != SOURCES {
        return Err(Unavailable::OtherSources { found });
    }
    Ok(interpreter)
}

/// These bytes are our own and need no limits, but compiling two megabytes takes over a hundred of memory, which a child
/// gives back. Where there is no child to be had, it is done here.
fn compiled(cache: Option<&CompiledCache>, compiler: &Compiler) -> wasmtime::Result<Component> {
    let engine = interpreter_engine();
    if let Some((component, _)) = cache.and_then(|cache| cache.load(engine, CODE)) {
        return Ok(component);
    }
    let by_child = match compiler {
        Compiler::InThisProcess => None,
        Compiler::Child(child) => child
            .compile("the interpreter of scripts", CODE)
            .inspect_err(|problem| tracing::warn!(%problem, "the interpreter is compiled by the host itself"))
            .ok(),
    };
    let compiled = match by_child {
        Some(compiled) => compiled,
        None => engine.precompile_component(CODE)?,
    };
    if let Some(cache) = cache {
        cache.keep(engine, CODE, sha256(CODE), &compiled);
    }
    // SAFETY: the bytes were made a moment ago by this very engine, or by a child process that we started for it and that
    // nobody else could write for.
    unsafe { Component::deserialize(engine, &compiled) }
}

fn link(component: &Component) -> wasmtime::Result<Interpreter> {
    let mut linker: Linker<Call> = Linker::new(interpreter_engine());
    linker
        .root()
        .func_wrap("log", |mut store: StoreContextMut<'_, Call>, (message,): (String,)| {
            store.data_mut().log_line(LogLevel::Info, &message)
        })?;
    let export = |name: &str| {
        let found = component.get_export_index(None, name);
        found.ok_or_else(|| wasmtime::Error::msg(format!("the export `{name}` is missing")))
    };
    Ok(Interpreter {
        pre: linker.instantiate_pre(component)?,
        load: export("load")?,
        describe: export("describe")?,
        check_settings: export("check-settings")?,
        decide: export("decide")?,
        migrate: export("migrate")?,
    })
}

fn sources(component: &Component, interpreter: &Interpreter) -> wasmtime::Result<String> {
    let _ticking = ticking();
    let mut store: Store<Call> = call::store(interpreter_engine(), &"interpreter".into(), PolicyLimits::default())?;
    let instance = interpreter.pre.instantiate(&mut store)?;
    let index = component
        .get_export_index(None, "sources")
        .ok_or_else(|| wasmtime::Error::msg("the export `sources` is missing"))?;
    let (sources,) = instance.get_typed_func::<(), (String,)>(&mut store, &index)?.call(&mut store, ())?;
    Ok(sources)
}
