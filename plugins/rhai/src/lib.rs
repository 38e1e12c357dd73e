//! The interpreter of scripts, inside the sandbox.
//!
//! An instance holds one script. The host makes it, has it parse the script once, and asks it as often as it likes; after
//! a trap it makes another. All that the interpreter cannot bound by itself (bytes of memory, processor time, the stack)
//! ends here as it does for any other component.

mod allocator;

use pointsman_model::context::Context;
use pointsman_model::policy::{FaultClass, Setting};
use pointsman_script::{Failure, Hooks, Outcome, Refusal, SOURCES, Script};
use std::cell::RefCell;

wit_bindgen::generate!({ path: "../../wit/interpreter-0.1.0", world: "interpreter" });

struct Interpreter;

export!(Interpreter);

thread_local! {
    static SCRIPT: RefCell<Option<Script>> = const { RefCell::new(None) };
}

/// wasmtime counts and watches; the interpreter has nothing to look at.
const HOOKS: Hooks = Hooks { look: None, log };

impl Guest for Interpreter {
    fn sources() -> String {
        SOURCES.to_string()
    }

    fn load(code: Vec<u8>) -> Vec<u8> {
        // Without it each build, and so each host, would look functions up by other hashes.
        let _ = rhai::config::hashing::set_hashing_seed(Some([1, 2, 3, 4]));
        std::panic::set_hook(Box::new(|panic| log(&panic.to_string())));
        let loaded: Result<(), Refusal> = Script::load(&code, HOOKS).map(|script| SCRIPT.set(Some(script)));
        bytes(&loaded)
    }

    fn describe(operations: u64) -> Vec<u8> {
        bytes(&with_script(operations, Script::describe))
    }

    fn check_settings(settings: Vec<u8>, operations: u64) -> Vec<u8> {
        bytes(&with_script(operations, |script| {
            match postcard::from_bytes::<Vec<Setting>>(&settings) {
                Ok(settings) => script.check_settings(&settings),
                Err(_) => host_fault("the settings cannot be read"),
            }
        }))
    }

    fn decide(context: Vec<u8>, operations: u64) -> Vec<u8> {
        bytes(&with_script(operations, |script| match Context::decode(&context) {
            Ok(context) => script.decide(&context),
            Err(_) => host_fault("the context cannot be read"),
        }))
    }

    fn migrate(from_version: u32, state: Vec<u8>, operations: u64) -> Vec<u8> {
        bytes(&with_script(operations, |script| script.migrate(from_version, &state)))
    }
}

fn with_script<T>(operations: u64, call: impl FnOnce(&Script) -> Outcome<T>) -> Outcome<T> {
    SCRIPT.with_borrow_mut(|script| match script {
        Some(script) => {
            script.limit_operations(operations);
            call(script)
        }
        None => host_fault("no script is loaded"),
    })
}

/// The host and this component do not fit together.
fn host_fault<T>(message: &str) -> Outcome<T> {
    let failure = Failure {
        class: FaultClass::HostFault,
        mistake: None,
        message: message.to_string(),
        fix: None,
        line: None,
        column: None,
    };
    Outcome {
        operations: 0,
        result: Err(failure),
    }
}

fn bytes<T: serde::Serialize>(value: &T) -> Vec<u8> {
    postcard::to_stdvec(value).expect("plain data has bytes")
}
