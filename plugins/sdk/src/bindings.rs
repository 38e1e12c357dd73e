//! What `wit-bindgen` makes of `wit/policy-0.1.0`: one module per world, all four sharing one set of `types`.
//!
//! The macros named `export_world_*` are used by this crate's own `export_*` macros; authors need neither.

/// World `source-selection`, and the types that the other worlds share.
#[allow(unreachable_pub, missing_docs)]
pub mod source_selection {
    wit_bindgen::generate!({
        path: "../../wit/policy-0.1.0",
        world: "source-selection",
        pub_export_macro: true,
        export_macro_name: "export_world_source_selection",
        default_bindings_module: "::pointsman_policy_sdk::bindings::source_selection",
        additional_derives: [PartialEq],
        generate_unused_types: true,
    });
}

/// World `retry`.
#[allow(unreachable_pub, missing_docs)]
pub mod retry {
    wit_bindgen::generate!({
        path: "../../wit/policy-0.1.0",
        world: "retry",
        pub_export_macro: true,
        export_macro_name: "export_world_retry",
        default_bindings_module: "::pointsman_policy_sdk::bindings::retry",
        additional_derives: [PartialEq],
        with: {
            "pointsman:policy/types@0.1.0": crate::bindings::source_selection::pointsman::policy::types,
            "pointsman:policy/log@0.1.0": crate::bindings::source_selection::pointsman::policy::log,
        },
    });
}

/// World `promotion-gate`.
#[allow(unreachable_pub, missing_docs)]
pub mod promotion_gate {
    wit_bindgen::generate!({
        path: "../../wit/policy-0.1.0",
        world: "promotion-gate",
        pub_export_macro: true,
        export_macro_name: "export_world_promotion_gate",
        default_bindings_module: "::pointsman_policy_sdk::bindings::promotion_gate",
        additional_derives: [PartialEq],
        with: {
            "pointsman:policy/types@0.1.0": crate::bindings::source_selection::pointsman::policy::types,
            "pointsman:policy/log@0.1.0": crate::bindings::source_selection::pointsman::policy::log,
        },
    });
}

/// World `curriculum`.
#[allow(unreachable_pub, missing_docs)]
pub mod curriculum {
    wit_bindgen::generate!({
        path: "../../wit/policy-0.1.0",
        world: "curriculum",
        pub_export_macro: true,
        export_macro_name: "export_world_curriculum",
        default_bindings_module: "::pointsman_policy_sdk::bindings::curriculum",
        additional_derives: [PartialEq],
        with: {
            "pointsman:policy/types@0.1.0": crate::bindings::source_selection::pointsman::policy::types,
            "pointsman:policy/log@0.1.0": crate::bindings::source_selection::pointsman::policy::log,
        },
    });
}

/// World `state-migration`: one more export beside a kind's world.
#[allow(unreachable_pub, missing_docs)]
pub mod state_migration {
    wit_bindgen::generate!({
        path: "../../wit/policy-0.1.0",
        world: "state-migration",
        pub_export_macro: true,
        export_macro_name: "export_world_state_migration",
        default_bindings_module: "::pointsman_policy_sdk::bindings::state_migration",
    });
}
