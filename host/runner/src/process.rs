//! Processes as `/proc` shows them: who is who, who descends from whom, and how to end them all.

use std::collections::{BTreeMap, BTreeSet};
use std::ffi::OsStr;
use std::fs;
use std::os::unix::ffi::OsStrExt;
use std::path::Path;
use std::sync::OnceLock;

use serde::{Deserialize, Serialize};

/// A process for good: numbers are used again, but not with the same start in the same boot of the machine.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub struct ProcessId {
    pub pid: i32,
    /// Start of the process in clock ticks since the boot.
    pub start_ticks: u64,
    /// The kernel's random id of that boot.
    pub boot: String,
}

impl ProcessId {
    /// The process that has this number now; none if there is no such process or it has ended.
    pub fn of(pid: i32) -> Option<ProcessId> {
        let stat = Stat::read(pid).filter(|stat| !stat.is_dead())?;
        Some(ProcessId {
            pid,
            start_ticks: stat.start_ticks,
            boot: boot_id().to_string(),
        })
    }

    pub fn is_alive(&self) -> bool {
        ProcessId::of(self.pid).as_ref() == Some(self)
    }

    /// Sends a signal if this very process still lives.
    pub fn signal(&self, signal: i32) {
        if self.is_alive() {
            send(self.pid, signal);
        }
    }

    /// The process group it is in, while it lives.
    pub(crate) fn group(&self) -> Option<i32> {
        // SAFETY: getpgid touches no memory of ours.
        let group = unsafe { libc::getpgid(self.pid) };
        (group > 0 && self.is_alive()).then_some(group)
    }

    /// Takes the exit status of a child of ours that nobody waits for any more, so that it does not stay as a zombie.
    /// Does nothing to processes of others.
    pub fn reap(&self) {
        // SAFETY: a null status is allowed, and WNOHANG never blocks.
        unsafe { libc::waitpid(self.pid, std::ptr::null_mut(), libc::WNOHANG) };
    }
}

/// What is of interest in `/proc/PID/stat`.
#[derive(Clone, Copy, Debug)]
struct Stat {
    state: u8,
    parent: i32,
    start_ticks: u64,
}

impl Stat {
    fn read(pid: i32) -> Option<Stat> {
        Stat::parse(&fs::read(format!("/proc/{pid}/stat")).ok()?)
    }

    /// The second field is the name in parentheses and may hold anything, so we count from the last parenthesis on.
    fn parse(line: &[u8]) -> Option<Stat> {
        let after_name = line.iter().rposition(|byte| *byte == b')')? + 1;
        let mut fields = std::str::from_utf8(&line[after_name..]).ok()?.split_ascii_whitespace();
        let state = *fields.next()?.as_bytes().first()?;
        let parent = fields.next()?.parse().ok()?;
        // State is the 3rd field of the line, the parent the 4th and the start the 22nd.
        let start_ticks = fields.nth(17)?.parse().ok()?;
        Some(Stat {
            state,
            parent,
            start_ticks,
        })
    }

    fn is_dead(&self) -> bool {
        matches!(self.state, b'Z' | b'X')
    }
}

fn boot_id() -> &'static str {
    static BOOT: OnceLock<String> = OnceLock::new();
    BOOT.get_or_init(|| {
        fs::read_to_string("/proc/sys/kernel/random/boot_id")
            .unwrap_or_default()
            .trim()
            .to_string()
    })
}

fn all_pids() -> Vec<i32> {
    let Ok(entries) = fs::read_dir("/proc") else { return Vec::new() };
    entries
        .flatten()
        .filter_map(|entry| entry.file_name().to_str()?.parse().ok())
        .collect()
}

/// Living processes that descend from any of `roots`; the roots themselves are not among them.
pub(crate) fn descendants(roots: &[i32]) -> Vec<ProcessId> {
    let stats: BTreeMap<i32, Stat> = all_pids().into_iter().filter_map(|pid| Some((pid, Stat::read(pid)?))).collect();
    let mut children: BTreeMap<i32, Vec<i32>> = BTreeMap::new();
    for (pid, stat) in &stats {
        children.entry(stat.parent).or_default().push(*pid);
    }
    let mut found = BTreeSet::new();
    let mut open = roots.to_vec();
    // Ends because every process is opened at most once, whatever a changing /proc says about parents.
    while let Some(pid) = open.pop() {
        for child in children.get(&pid).into_iter().flatten() {
            if !roots.contains(child) && found.insert(*child) {
                open.push(*child);
            }
        }
    }
    let living = found.into_iter().filter(|pid| !stats[pid].is_dead());
    living
        .map(|pid| ProcessId {
            pid,
            start_ticks: stats[&pid].start_ticks,
            boot: boot_id().to_string(),
        })
        .collect()
}

/// Living processes of a run whose supervisor is gone: those that carry the run's mark in their environment, those
/// that were seen before, and what descends from either.
///
/// What escapes: a process that wiped its environment, was born after the supervisor last looked (half a second) and has lost
/// all its ancestors. The supervisor itself misses none; this is for the case that it was killed.
pub fn left_behind(mark: &EnvMark, seen: &[ProcessId]) -> Vec<ProcessId> {
    let own = std::process::id() as i32;
    let mut found: BTreeSet<ProcessId> = seen.iter().filter(|process| process.is_alive()).cloned().collect();
    found.extend(
        all_pids()
            .into_iter()
            .filter(|pid| *pid != own && mark.is_on(*pid))
            .filter_map(ProcessId::of),
    );
    let roots: Vec<i32> = found.iter().map(|process| process.pid).collect();
    found.extend(descendants(&roots));
    found.into_iter().collect()
}

/// `NAME=value` as it stands in the environment of each process of a run.
pub struct EnvMark {
    bytes: Vec<u8>,
}

impl EnvMark {
    pub fn new(name: &str, value: &Path) -> EnvMark {
        EnvMark {
            bytes: [OsStr::new(name).as_bytes(), b"=", value.as_os_str().as_bytes()].concat(),
        }
    }

    fn is_on(&self, pid: i32) -> bool {
        // Other users' processes cannot be read; ours are never theirs.
        let Ok(environment) = fs::read(format!("/proc/{pid}/environ")) else {
            return false;
        };
        environment.split(|byte| *byte == 0).any(|variable| variable == self.bytes)
    }
}

pub(crate) fn send(pid: i32, signal: i32) {
    // A pid of 0, 1 or below would mean a whole group or everybody.
    if pid > 1 {
        // SAFETY: kill touches no memory of ours.
        unsafe { libc::kill(pid, signal) };
    }
}

pub(crate) fn send_to_group(group: i32, signal: i32) {
    if group > 1 {
        // SAFETY: killpg touches no memory of ours.
        unsafe { libc::killpg(group, signal) };
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_full_of_parentheses_does_not_shift_the_fields() {
        let line = b"42 (a) R 1 (b) S 7 42 42 0 -1 4194560 1 2 3 4 5 6 7 8 9 10 11 12 98765 13 14";
        let stat = Stat::parse(line).unwrap();
        assert_eq!((stat.state, stat.parent, stat.start_ticks), (b'S', 7, 98765));
    }

    #[test]
    fn a_reused_number_is_not_the_same_process() {
        let own = ProcessId::of(std::process::id() as i32).unwrap();
        assert!(own.is_alive());
        assert!(
            !ProcessId {
                start_ticks: own.start_ticks + 1,
                ..own.clone()
            }
            .is_alive()
        );
        assert!(
            !ProcessId {
                boot: "another boot".into(),
                ..own
            }
            .is_alive()
        );
    }

    #[test]
    fn a_child_is_a_descendant_until_it_has_ended() {
        let own = std::process::id() as i32;
        let mut child = std::process::Command::new("cat")
            .stdin(std::process::Stdio::piped())
            .spawn()
            .unwrap();
        let pid = child.id() as i32;
        assert!(descendants(&[own]).iter().any(|process| process.pid == pid));
        child.kill().unwrap();
        child.wait().unwrap();
        assert!(!descendants(&[own]).iter().any(|process| process.pid == pid));
    }
}
