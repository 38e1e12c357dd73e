//! The interpreter with its limits.

use crate::meter::Hooks;
use crate::{context, functions, meter};
use rhai::{Engine, OptimizationLevel, Token};

const CALL_LEVELS_MAX: usize = 32;
/// (32, 16) refuses an ordinary policy of 15 lines.
const EXPRESSION_DEPTH_MAX: usize = 64;
pub(crate) const STRING_BYTES_MAX: usize = 64 << 10;
pub(crate) const ARRAY_ITEMS_MAX: usize = 4_096;
const MAP_ENTRIES_MAX: usize = 1_024;
const VARIABLES_MAX: usize = 128;
const FUNCTIONS_MAX: usize = 64;

// `on_parse_token` is marked so because it may change, not because it will go.
#[allow(deprecated)]
pub(crate) fn engine(hooks: Hooks) -> Engine {
    let mut engine = Engine::new_raw();
    engine
        .set_max_call_levels(CALL_LEVELS_MAX)
        .set_max_expr_depths(EXPRESSION_DEPTH_MAX, EXPRESSION_DEPTH_MAX)
        .set_max_string_size(STRING_BYTES_MAX)
        .set_max_array_size(ARRAY_ITEMS_MAX)
        .set_max_map_size(MAP_ENTRIES_MAX)
        .set_max_variables(VARIABLES_MAX)
        .set_max_functions(FUNCTIONS_MAX)
        .set_strict_variables(true)
        .set_fail_on_invalid_map_property(true)
        .set_allow_anonymous_fn(false)
        // The lint reads the script as it was written; it is optimised afterwards.
        .set_optimization_level(OptimizationLevel::None)
        .disable_symbol("eval")
        .disable_symbol("Fn")
        .disable_symbol("call")
        .disable_symbol("curry")
        // The system's power function differs from machine to machine in the last digit; `pow` does not.
        .disable_symbol("**")
        .disable_symbol("**=")
        // Reserved by the language for nothing; the settings of a description need the word.
        .on_parse_token(|token, _, _| match token {
            Token::Reserved(word) if *word == "default" => Token::Identifier(word),
            other => other,
        })
        .on_progress(meter::on_progress(hooks));
    functions::register(&mut engine, hooks);
    context::register(&mut engine);
    engine
}
