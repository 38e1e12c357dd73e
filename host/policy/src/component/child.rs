//! Compiles in a child process: limits of its own, killable, one of a few at a time.
//!
//! The host starts its own program again with a hidden subcommand whose `main` is [`compile_from_stdin`]. The component
//! goes in by standard input, machine code comes out by standard output, and what is wrong with the component by standard
//! error. The code is believed because the host itself started the process that wrote it; nothing else holds the pipe.

mod talk;
mod work;

pub use work::compile_from_stdin;

use super::compile::uncompilable;
use super::engine::{FINGERPRINT_BYTES, Fingerprint, fingerprint};
use crate::problem::{PolicyProblem, ProblemCode, Stage};
use std::ffi::OsString;
use std::os::unix::process::{CommandExt, ExitStatusExt};
use std::path::PathBuf;
use std::process::{Command, ExitStatus, Stdio};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

/// What one compilation may take.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct CompileLimits {
    pub cpu_s: u64,
    /// By the clock: the backstop for a child that sleeps, or starves.
    pub wall: Duration,
    pub address_space_bytes: u64,
    /// Machine code that is accepted back.
    pub compiled_bytes_max: usize,
}

impl Default for CompileLimits {
    /// Enough for a bundled interpreter on a busy machine: JavaScript (12 MB) and Python (18 MB) guests compile in 17 to
    /// 31 s there.
    fn default() -> CompileLimits {
        CompileLimits {
            cpu_s: 90,
            wall: Duration::from_secs(120),
            address_space_bytes: 4 << 30,
            compiled_bytes_max: 512 << 20,
        }
    }
}

/// Compilations under way at a time, over all users of one [`CompileChild`], and callers that may wait for their turn.
const AT_A_TIME_MAX: u32 = 2;
const WAITING_MAX: u32 = 32;

/// Exit codes of the child.
const EXIT_REFUSED: u8 = 65;
const EXIT_OUT_OF_MEMORY: u8 = 71;
const EXIT_ANOTHER_BUILD: u8 = 78;

/// Starts a process for each compilation. Clones share the places in the queue.
#[derive(Clone, Debug)]
pub struct CompileChild {
    program: PathBuf,
    arguments: Vec<OsString>,
    limits: CompileLimits,
    queue: Arc<Queue>,
}

impl CompileChild {
    /// The program with these arguments must call [`compile_from_stdin`], and be of the same build as this one.
    pub fn new(program: impl Into<PathBuf>, arguments: impl IntoIterator<Item = impl Into<OsString>>) -> CompileChild {
        CompileChild {
            program: program.into(),
            arguments: arguments.into_iter().map(Into::into).collect(),
            limits: CompileLimits::default(),
            queue: Arc::default(),
        }
    }

    pub fn within(self, limits: CompileLimits) -> CompileChild {
        CompileChild { limits, ..self }
    }

    /// Blocks until the child has ended, or was ended.
    pub(crate) fn compile(&self, file: &str, code: &[u8]) -> Result<Vec<u8>, PolicyProblem> {
        let refuse = |code, message: String| PolicyProblem::new(code, Stage::Compile, file, message);
        let failed = |error: std::io::Error| {
            refuse(
                ProblemCode::HostFailure,
                format!("the compiler's process could not be run: {error}"),
            )
            .fix("look whether the machine is out of processes, memory or file descriptors")
        };
        let Some(_place) = self.queue.enter() else {
            return Err(
                refuse(ProblemCode::CompileBusy, format!("{WAITING_MAX} components wait to be compiled"))
                    .fix("try again when they have been compiled"),
            );
        };
        let CompileLimits {
            cpu_s,
            wall,
            address_space_bytes,
            compiled_bytes_max,
        } = self.limits;
        let task = Task {
            fingerprint: *fingerprint(),
            cpu_s,
            address_space_bytes,
            code_bytes: code.len() as u64,
        };
        let mut child = Command::new(&self.program)
            .args(&self.arguments)
            // Nothing of the host's surroundings is a compiler's business.
            .env_clear()
            .current_dir("/")
            .process_group(0)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .map_err(failed)?;
        let deadline = Instant::now() + wall;
        let ended = talk::talk(&mut child, &[&task.to_bytes(), code], deadline, compiled_bytes_max).map_err(failed)?;
        let talk::Ended {
            status,
            by_us,
            output,
            words,
        } = ended;
        let words = String::from_utf8_lossy(&words);
        let words = words.trim();
        let out_of_time = |what: String| {
            refuse(ProblemCode::CompileTime, format!("compiling took more than {what} and was ended"))
                .fix("build in release mode, and split functions of extreme size or nesting")
        };
        let out_of_memory = |what: &str| {
            refuse(ProblemCode::CompileMemory, format!("compiling took too much memory: {what}"))
                .fix("build in release mode, leave out what is not used, and split generated functions")
        };
        match by_us {
            Some(talk::Killed::Late) => return Err(out_of_time(format!("{} s by the clock", wall.as_secs_f64()))),
            Some(talk::Killed::TooMuch) => {
                let what = format!("its machine code has more than {compiled_bytes_max} bytes");
                return Err(out_of_memory(&what));
            }
            None => {}
        }
        match (status.code().map(u8::try_from), status.signal()) {
            (Some(Ok(0)), _) => Ok(output),
            (Some(Ok(EXIT_REFUSED)), _) => Err(uncompilable(file, words)),
            (Some(Ok(EXIT_OUT_OF_MEMORY)), _) => Err(out_of_memory(words)),
            (Some(Ok(EXIT_ANOTHER_BUILD)), _) => {
                Err(refuse(ProblemCode::HostFailure, words.to_string()).fix("restart the host: its program was replaced while it ran"))
            }
            (_, Some(libc::SIGXCPU)) => Err(out_of_time(format!("{cpu_s} s of CPU time"))),
            // Not by us: the kernel does this where memory runs out, or where the hard CPU limit is reached.
            (_, Some(libc::SIGKILL)) => Err(out_of_memory("the system killed the process that compiled it")),
            (_, Some(libc::SIGABRT)) if words.contains("memory allocation of") => Err(out_of_memory(words)),
            (_, _) => Err(crashed(file, status, words)),
        }
    }
}

fn crashed(file: &str, status: ExitStatus, words: &str) -> PolicyProblem {
    let words = if words.is_empty() { "it said nothing" } else { words };
    PolicyProblem::new(
        ProblemCode::CompileCrashed,
        Stage::Compile,
        file,
        format!("the process that compiled it ended with {status}: {words}"),
    )
    .fix("build it with a current toolchain; if it should compile, report it with the file")
}

/// What the child is told before the component's bytes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Task {
    /// The engine that the code is for. Another build's code would be refused when it is loaded; this says why.
    fingerprint: Fingerprint,
    cpu_s: u64,
    address_space_bytes: u64,
    code_bytes: u64,
}

const TASK_BYTES: usize = FINGERPRINT_BYTES + 3 * 8;

impl Task {
    fn to_bytes(self) -> [u8; TASK_BYTES] {
        let Task {
            fingerprint,
            cpu_s,
            address_space_bytes,
            code_bytes,
        } = self;
        let mut bytes = [0; TASK_BYTES];
        let (first, numbers) = bytes.split_at_mut(FINGERPRINT_BYTES);
        first.copy_from_slice(&fingerprint);
        for (place, number) in numbers.chunks_exact_mut(8).zip([cpu_s, address_space_bytes, code_bytes]) {
            place.copy_from_slice(&number.to_le_bytes());
        }
        bytes
    }

    fn from_bytes(bytes: &[u8; TASK_BYTES]) -> Task {
        let (first, numbers) = bytes.split_at(FINGERPRINT_BYTES);
        let number = |index: usize| {
            let bytes = &numbers[index * 8..][..8];
            u64::from_le_bytes(bytes.try_into().expect("eight bytes"))
        };
        Task {
            fingerprint: first.try_into().expect("the length was split off"),
            cpu_s: number(0),
            address_space_bytes: number(1),
            code_bytes: number(2),
        }
    }
}

/// Places for compilations under way. Callers beyond them wait; a long line is turned away.
#[derive(Debug, Default)]
struct Queue {
    line: Mutex<Line>,
    left: Condvar,
}

#[derive(Debug, Default)]
struct Line {
    under_way: u32,
    waiting: u32,
}

struct Place<'a>(&'a Queue);

impl Queue {
    fn enter(&self) -> Option<Place<'_>> {
        let mut line = self.lock();
        if line.under_way >= AT_A_TIME_MAX {
            if line.waiting >= WAITING_MAX {
                return None;
            }
            line.waiting += 1;
            // Ends: each compilation under way ends within its own deadline.
            while line.under_way >= AT_A_TIME_MAX {
                line = self.left.wait(line).unwrap_or_else(PoisonError::into_inner);
            }
            line.waiting -= 1;
        }
        line.under_way += 1;
        Some(Place(self))
    }

    fn lock(&self) -> MutexGuard<'_, Line> {
        self.line.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Drop for Place<'_> {
    fn drop(&mut self) {
        self.0.lock().under_way -= 1;
        self.0.left.notify_one();
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::sync::mpsc;

    /// A shell in the child's place.
    fn shell(script: &str, limits: CompileLimits) -> PolicyProblem {
        let child = CompileChild::new("/bin/sh", ["-c", script]).within(limits);
        child.compile("p.wasm", &vec![7; 1 << 20]).expect_err("a shell compiles nothing")
    }

    fn limits(wall: Duration) -> CompileLimits {
        CompileLimits {
            wall,
            ..CompileLimits::default()
        }
    }

    #[test]
    fn a_task_survives_the_pipe() {
        let task = Task {
            fingerprint: [3; FINGERPRINT_BYTES],
            cpu_s: 1,
            address_space_bytes: u64::MAX,
            code_bytes: 7,
        };
        assert_eq!(Task::from_bytes(&task.to_bytes()), task);
    }

    #[test]
    fn each_end_of_a_child_has_its_code() {
        let minute = limits(Duration::from_secs(60));
        let refused = shell("cat >/dev/null; echo 'type mismatch' >&2; exit 65", minute);
        assert_eq!((refused.code, refused.stage), (ProblemCode::Uncompilable, Stage::Compile));
        assert!(refused.message.contains("type mismatch"), "{refused}");
        assert_eq!(shell("kill -XCPU $$", minute).code, ProblemCode::CompileTime);
        assert_eq!(shell("kill -KILL $$", minute).code, ProblemCode::CompileMemory);
        assert_eq!(
            shell("echo 'memory allocation of 9 bytes failed' >&2; kill -ABRT $$", minute).code,
            ProblemCode::CompileMemory
        );
        assert_eq!(shell("kill -SEGV $$", minute).code, ProblemCode::CompileCrashed);
        assert_eq!(shell("exit 78", minute).code, ProblemCode::HostFailure);
        let crashed = shell("printf 'thread \\033[2Jmain panicked' >&2; exit 101", minute);
        assert_eq!(crashed.code, ProblemCode::CompileCrashed);
        assert!(crashed.message.contains("\\u{1b}[2Jmain panicked"), "escaped: {crashed}");
        assert!(crashed.fix.is_some());
    }

    #[test]
    fn a_child_that_hangs_is_killed_and_what_it_leaves_holds_nobody() {
        let started = Instant::now();
        let late = shell("sleep 1000 & echo $! >&2; sleep 1000", limits(Duration::from_millis(200)));
        assert_eq!(late.code, ProblemCode::CompileTime);
        assert!(started.elapsed() < Duration::from_secs(30));
        // One that leaves a process behind which holds the pipe does not hold us.
        let left = shell("sleep 1000 & exit 65", limits(Duration::from_secs(60)));
        assert_eq!(left.code, ProblemCode::Uncompilable);
        assert!(started.elapsed() < Duration::from_secs(30));
    }

    #[test]
    fn a_flood_ends_at_the_size_that_is_accepted() {
        let small = CompileLimits {
            compiled_bytes_max: 1 << 20,
            ..limits(Duration::from_secs(60))
        };
        let flood = shell("while :; do echo 0123456789012345678901234567890123456789; done", small);
        assert_eq!(flood.code, ProblemCode::CompileMemory);
        let noise = shell(
            "head -c 3000000 /dev/zero | tr '\\0' x >&2; exit 101",
            limits(Duration::from_secs(60)),
        );
        assert!(noise.message.len() <= 4 << 10, "capped");
    }

    #[test]
    fn a_program_that_is_not_there_is_our_own_fault() {
        let child = CompileChild::new("/nowhere/pointsman", ["compile"]);
        let problem = child.compile("p.wasm", b"").expect_err("no such program");
        assert_eq!(problem.code, ProblemCode::HostFailure);
        assert!(problem.fix.is_some());
    }

    #[test]
    fn few_at_a_time_and_a_long_line_is_turned_away() {
        let queue = Queue::default();
        let mut places: Vec<_> = (0..AT_A_TIME_MAX).map(|_| queue.enter().expect("a place")).collect();
        let (entered, entries) = mpsc::channel();
        std::thread::scope(|scope| {
            for _ in 0..WAITING_MAX {
                let (queue, entered) = (&queue, entered.clone());
                scope.spawn(move || {
                    let place = queue.enter();
                    entered.send(place.is_some()).expect("the test listens");
                });
            }
            while queue.lock().waiting < WAITING_MAX {
                std::thread::yield_now();
            }
            assert!(queue.enter().is_none(), "the line is full");
            assert!(entries.try_recv().is_err(), "all of them wait");
            places.clear();
            assert!((0..WAITING_MAX).all(|_| entries.recv().expect("an entry")));
        });
        assert!(queue.enter().is_some());
    }
}
