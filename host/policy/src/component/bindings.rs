//! Types and calls generated from `wit/policy-0.1.0`, one module per kind. The records that all kinds share are
//! generated once, in [`retry`], so that settings, frames and advice have one conversion and not four.

/// Borrowed parameters: a context is lowered from slices, never from copies made for the call.
#[allow(missing_debug_implementations, unreachable_pub, unused_variables)]
pub mod retry {
    wasmtime::component::bindgen!({
        path: "../../wit/policy-0.1.0",
        world: "retry",
        ownership: Borrowing { duplicate_if_necessary: true },
        // The log may refuse to go on.
        imports: { default: trappable },
    });
}

pub use retry::pointsman::policy::{log, types};

/// Beside the world of a kind, where a policy can read older state.
#[allow(missing_debug_implementations, unreachable_pub, unused_variables)]
pub mod migration {
    wasmtime::component::bindgen!({
        path: "../../wit/policy-0.1.0",
        world: "state-migration",
    });
}

#[allow(missing_debug_implementations, unreachable_pub, unused_variables)]
pub mod selection {
    wasmtime::component::bindgen!({
        path: "../../wit/policy-0.1.0",
        world: "source-selection",
        ownership: Borrowing { duplicate_if_necessary: true },
        with: {
            "pointsman:policy/types": crate::component::bindings::types,
            "pointsman:policy/log": crate::component::bindings::log,
        },
    });
}

#[allow(missing_debug_implementations, unreachable_pub, unused_variables)]
pub mod gate {
    wasmtime::component::bindgen!({
        path: "../../wit/policy-0.1.0",
        world: "promotion-gate",
        ownership: Borrowing { duplicate_if_necessary: true },
        with: {
            "pointsman:policy/types": crate::component::bindings::types,
            "pointsman:policy/log": crate::component::bindings::log,
        },
    });
}

#[allow(missing_debug_implementations, unreachable_pub, unused_variables)]
pub mod curriculum {
    wasmtime::component::bindgen!({
        path: "../../wit/policy-0.1.0",
        world: "curriculum",
        ownership: Borrowing { duplicate_if_necessary: true },
        with: {
            "pointsman:policy/types": crate::component::bindings::types,
            "pointsman:policy/log": crate::component::bindings::log,
        },
    });
}
