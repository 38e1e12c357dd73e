//! Real processes: shell scripts as trainers, under real supervisors, followed by a real runner.
//!
//! The test binary is all the programs involved: called with `supervise DIR` it is a supervisor, with `trainer` the embedded
//! trainer, with `host DIR` a host that can be killed. Hence its own `main`; the rest of the command line is as with any test.

mod processes {
    pub(crate) mod bench;
    pub(crate) mod endings;
    pub(crate) mod hosts;
    pub(crate) mod outputs;
    pub(crate) mod trees;
    pub(crate) mod upkeep;
}

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::Path;
use std::process::ExitCode;
use std::time::Instant;

use processes::{endings, hosts, outputs, trees, upkeep};

type Test = (&'static str, fn());

fn main() -> ExitCode {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let words: Vec<&str> = arguments.iter().map(String::as_str).collect();
    match words[..] {
        ["supervise", dir] => return pointsman_runner::supervise_main(Path::new(dir)),
        ["trainer"] => return pointsman_trainer::main_from_env(),
        ["host", dir] => return hosts::be_a_host(Path::new(dir)),
        _ => {}
    }
    // SAFETY: there is one thread yet.
    unsafe { std::env::set_var("CANARY_SECRET", "must-not-be-passed-on") };
    let tests: Vec<Test> = [endings::TESTS, trees::TESTS, outputs::TESTS, hosts::TESTS, upkeep::TESTS].concat();
    if words.contains(&"--list") {
        tests.iter().for_each(|(name, _)| println!("{name}: test"));
        return ExitCode::SUCCESS;
    }
    let filters: Vec<&str> = words.iter().copied().filter(|word| !word.starts_with('-')).collect();
    let mut failed = Vec::new();
    for (name, test) in &tests {
        if !filters.is_empty() && !filters.iter().any(|filter| name.contains(filter)) {
            continue;
        }
        let begun = Instant::now();
        let word = match catch_unwind(AssertUnwindSafe(test)) {
            Ok(()) => "ok",
            Err(_) => {
                failed.push(*name);
                "FAILED"
            }
        };
        println!("test {name} ... {word} ({} ms)", begun.elapsed().as_millis());
    }
    println!("\n{} failed: {failed:?}", failed.len());
    if failed.is_empty() { ExitCode::SUCCESS } else { ExitCode::FAILURE }
}
