//! The child's end: takes limits upon itself, reads a component, writes machine code.

use super::super::engine::{compiling_engine, fingerprint_of};
use super::{EXIT_ANOTHER_BUILD, EXIT_OUT_OF_MEMORY, EXIT_REFUSED, TASK_BYTES, Task};
use crate::limits::COMPONENT_BYTES_MAX;
use std::io::{self, Read, Write};

/// After the host, level with nothing else: trainers run at 10, and a swap should not wait for them.
const NICENESS: libc::c_int = 5;
/// Pipes, and what the runtime opens to count the processors.
const DESCRIPTORS_MAX: u64 = 32;
/// Between the signal that ends the child and the kill that would, if it did not.
const CPU_GRACE_S: u64 = 2;

/// The whole of the process that compiles. Reads standard input, writes standard output, and exits.
pub fn compile_from_stdin() -> std::process::ExitCode {
    let (code, words) = match work() {
        // Nothing is torn down: the process ends here, and the host waits for that.
        Ok(()) => std::process::exit(0),
        Err(ended) => ended,
    };
    // Nobody is left to tell when this fails.
    let _ = writeln!(io::stderr(), "{words}");
    code.into()
}

type Ended = (u8, String);

fn work() -> Result<(), Ended> {
    let broken = |error: io::Error| (1, format!("the host is gone: {error}"));
    let mut input = io::stdin().lock();
    let mut task = [0; TASK_BYTES];
    input.read_exact(&mut task).map_err(broken)?;
    let Task {
        fingerprint,
        cpu_s,
        address_space_bytes,
        code_bytes,
    } = Task::from_bytes(&task);
    take_limits(cpu_s, address_space_bytes).map_err(|error| (1, format!("the limits cannot be set: {error}")))?;
    let mut code = Vec::new();
    input
        .take(code_bytes.min(COMPONENT_BYTES_MAX as u64))
        .read_to_end(&mut code)
        .map_err(broken)?;
    if code.len() as u64 != code_bytes {
        return Err((1, "the component was cut off".to_string()));
    }
    let engine = compiling_engine().map_err(|error| (1, format!("there is no engine: {error:#}")))?;
    if fingerprint_of(&engine) != fingerprint {
        return Err((
            EXIT_ANOTHER_BUILD,
            "the program that compiles is not of the host's build".to_string(),
        ));
    }
    let compiled = engine.precompile_component(&code).map_err(|error| {
        let out_of_memory = error
            .chain()
            .filter_map(|cause| cause.downcast_ref::<io::Error>())
            .any(|cause| cause.raw_os_error() == Some(libc::ENOMEM));
        let code = if out_of_memory { EXIT_OUT_OF_MEMORY } else { EXIT_REFUSED };
        (code, format!("{error:#}"))
    })?;
    let mut output = io::stdout().lock();
    output.write_all(&compiled).and_then(|()| output.flush()).map_err(broken)
}

fn take_limits(cpu_s: u64, address_space_bytes: u64) -> io::Result<()> {
    // Where the machine's memory runs out, this process goes first. Not to be had everywhere, and no reason to stop.
    let _ = std::fs::write("/proc/self/oom_score_adj", "1000");
    // SAFETY: plain system calls; the structures outlive them.
    unsafe {
        libc::setpriority(libc::PRIO_PROCESS, 0, NICENESS);
        for (resource, soft, hard) in [
            (libc::RLIMIT_CPU, cpu_s, cpu_s + CPU_GRACE_S),
            (libc::RLIMIT_AS, address_space_bytes, address_space_bytes),
            (libc::RLIMIT_CORE, 0, 0),
            (libc::RLIMIT_NOFILE, DESCRIPTORS_MAX, DESCRIPTORS_MAX),
            // It writes to pipes only.
            (libc::RLIMIT_FSIZE, 0, 0),
        ] {
            let limit = libc::rlimit {
                rlim_cur: soft,
                rlim_max: hard,
            };
            if libc::setrlimit(resource, &limit) != 0 {
                return Err(io::Error::last_os_error());
            }
        }
    }
    Ok(())
}
