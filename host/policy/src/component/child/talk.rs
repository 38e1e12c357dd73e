//! The host's end of the pipes: all three served at once, until the child has ended or its time has.

use std::io::{self, ErrorKind, Read, Write};
use std::os::fd::{AsRawFd, FromRawFd, OwnedFd, RawFd};
use std::process::{Child, ExitStatus};
use std::time::Instant;

/// What is kept of the child's words: enough for a sentence and a panic's message.
const WORDS_BYTES_MAX: usize = 4 << 10;
const CHUNK_BYTES: usize = 256 << 10;
/// Pipes of this size are filled and emptied in few turns.
const PIPE_BYTES: libc::c_int = 1 << 20;

pub(super) struct Ended {
    pub(super) status: ExitStatus,
    /// Why we ended it, if we did.
    pub(super) by_us: Option<Killed>,
    pub(super) output: Vec<u8>,
    pub(super) words: Vec<u8>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Killed {
    Late,
    /// Its output was more than is accepted.
    TooMuch,
}

/// Writes `input`, reads until the child ends, and leaves nothing of its process group behind.
pub(super) fn talk(child: &mut Child, input: &[&[u8]], deadline: Instant, output_bytes_max: usize) -> io::Result<Ended> {
    let mut output = Vec::new();
    let mut words = Vec::new();
    let by_us = serve(child, input, deadline, output_bytes_max, &mut output, &mut words);
    // The child has not been waited for, so its id, and with it the group's, cannot have gone to another process.
    let group = libc::pid_t::try_from(child.id()).map_err(io::Error::other)?;
    // SAFETY: a plain system call; the group is the child's own.
    unsafe {
        libc::kill(-group, libc::SIGKILL);
    }
    let status = child.wait()?;
    Ok(Ended {
        status,
        by_us: by_us?,
        output,
        words,
    })
}

fn serve(
    child: &mut Child,
    input: &[&[u8]],
    deadline: Instant,
    output_bytes_max: usize,
    output: &mut Vec<u8>,
    words: &mut Vec<u8>,
) -> io::Result<Option<Killed>> {
    let ending = watch_end(child)?;
    let mut stdin = child.stdin.take();
    let (Some(mut stdout), Some(mut stderr)) = (child.stdout.take(), child.stderr.take()) else {
        return Err(io::Error::other("the child has no pipes"));
    };
    for pipe in [
        stdin.as_ref().map(AsRawFd::as_raw_fd),
        Some(stdout.as_raw_fd()),
        Some(stderr.as_raw_fd()),
    ] {
        if let Some(pipe) = pipe {
            never_block(pipe)?;
        }
    }
    let mut unwritten: Vec<&[u8]> = input.iter().rev().copied().collect();
    let mut chunk = vec![0; CHUNK_BYTES];
    let (mut stdout_open, mut stderr_open) = (true, true);
    loop {
        let left = deadline.saturating_duration_since(Instant::now());
        if left.is_zero() {
            return Ok(Some(Killed::Late));
        }
        let mut watched = [
            watched(Some(ending.as_raw_fd()), libc::POLLIN),
            watched(stdin.as_ref().map(AsRawFd::as_raw_fd), libc::POLLOUT),
            watched(stdout_open.then(|| stdout.as_raw_fd()), libc::POLLIN),
            watched(stderr_open.then(|| stderr.as_raw_fd()), libc::POLLIN),
        ];
        // Rounded up, so that the last wait is not one of no time.
        let left_ms = libc::c_int::try_from(left.as_millis() + 1).unwrap_or(libc::c_int::MAX);
        // SAFETY: the array and its length belong together, and the call ends before the array does.
        if unsafe { libc::poll(watched.as_mut_ptr(), watched.len() as libc::nfds_t, left_ms) } < 0 {
            let error = io::Error::last_os_error();
            if error.kind() == ErrorKind::Interrupted {
                continue;
            }
            return Err(error);
        }
        let has_ended = watched[0].revents != 0;
        if watched[1].revents != 0
            && let Some(pipe) = &mut stdin
            && !write_some(pipe, &mut unwritten)?
        {
            stdin = None;
        }
        // What an ended child wrote is in the pipes, all of it; a process that it left behind may hold them open.
        if stdout_open {
            stdout_open = read_some(&mut stdout, &mut chunk, output, output_bytes_max + 1)?;
        }
        if stderr_open {
            stderr_open = read_some(&mut stderr, &mut chunk, words, WORDS_BYTES_MAX)?;
        }
        if output.len() > output_bytes_max {
            return Ok(Some(Killed::TooMuch));
        }
        if has_ended {
            return Ok(None);
        }
    }
}

/// A descriptor that can be read from when the child has ended.
fn watch_end(child: &Child) -> io::Result<OwnedFd> {
    // SAFETY: a plain system call; a descriptor that it returns is new and ours alone.
    unsafe {
        let descriptor = libc::syscall(libc::SYS_pidfd_open, child.id(), 0);
        if descriptor < 0 {
            return Err(io::Error::last_os_error());
        }
        Ok(OwnedFd::from_raw_fd(descriptor as RawFd))
    }
}

fn watched(descriptor: Option<RawFd>, events: libc::c_short) -> libc::pollfd {
    libc::pollfd {
        // A negative one is passed over.
        fd: descriptor.unwrap_or(-1),
        events,
        revents: 0,
    }
}

fn never_block(pipe: RawFd) -> io::Result<()> {
    // SAFETY: plain system calls on a descriptor that we own. A pipe that cannot be made larger works as well.
    unsafe {
        let flags = libc::fcntl(pipe, libc::F_GETFL);
        if flags < 0 || libc::fcntl(pipe, libc::F_SETFL, flags | libc::O_NONBLOCK) < 0 {
            return Err(io::Error::last_os_error());
        }
        libc::fcntl(pipe, libc::F_SETPIPE_SZ, PIPE_BYTES);
    }
    Ok(())
}

/// False when there is nothing more to write, or nobody who reads it: how the child ended tells what happened.
fn write_some(pipe: &mut impl Write, unwritten: &mut Vec<&[u8]>) -> io::Result<bool> {
    while let Some(part) = unwritten.last_mut() {
        if part.is_empty() {
            unwritten.pop();
            continue;
        }
        match pipe.write(part) {
            Ok(count) => *part = &part[count..],
            Err(error) if error.kind() == ErrorKind::WouldBlock => return Ok(true),
            Err(error) if error.kind() == ErrorKind::Interrupted => {}
            Err(error) if error.kind() == ErrorKind::BrokenPipe => return Ok(false),
            Err(error) => return Err(error),
        }
    }
    Ok(false)
}

/// Reads what is there; keeps what fits and drops the rest. False at the end of the pipe.
fn read_some(pipe: &mut impl Read, chunk: &mut [u8], kept: &mut Vec<u8>, kept_max: usize) -> io::Result<bool> {
    // A writer as fast as we are must not keep us from looking at the clock.
    for _ in 0..64 {
        match pipe.read(chunk) {
            Ok(0) => return Ok(false),
            Ok(count) => kept.extend_from_slice(&chunk[..count.min(kept_max - kept.len())]),
            Err(error) if error.kind() == ErrorKind::WouldBlock => return Ok(true),
            Err(error) if error.kind() == ErrorKind::Interrupted => {}
            Err(error) => return Err(error),
        }
    }
    Ok(true)
}
