//! The program `pointsman`. Everything is in the library, so that tests can start a host of their own.

fn main() -> std::process::ExitCode {
    pointsman::cli::main()
}
