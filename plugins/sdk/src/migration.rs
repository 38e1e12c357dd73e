//! Carrying a policy's state over to a version that reads it differently.

/// A policy whose `state_version` was raised, and which can read older state.
pub trait StateMigration {
    /// Turns state of an older version into this version's, or says why it cannot.
    fn migrate(from_version: u32, state: Vec<u8>) -> Result<Vec<u8>, String>;
}

/// Exports a [`StateMigration`] beside a kind's own export.
#[macro_export]
macro_rules! export_state_migration {
    ($policy:ty) => {
        const _: fn(u32, ::std::vec::Vec<u8>) -> ::std::result::Result<::std::vec::Vec<u8>, ::std::string::String> =
            <$policy as $crate::StateMigration>::migrate;
        #[cfg(target_arch = "wasm32")]
        const _: () = {
            use $crate::bindings::state_migration as bindings;
            struct Exported;
            impl bindings::Guest for Exported {
                fn migrate(
                    from_version: u32,
                    state: ::std::vec::Vec<u8>,
                ) -> ::std::result::Result<::std::vec::Vec<u8>, ::std::string::String> {
                    $crate::guest::enter();
                    <$policy as $crate::StateMigration>::migrate(from_version, state)
                }
            }
    bindings::export_world_state_migration!(Exported with_types_in bindings);
        };
    };
}
