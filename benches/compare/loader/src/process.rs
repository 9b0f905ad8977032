//! What the kernel says about a process: CPU time and memory, from `/proc`, its descendants included.

use std::fs;
use std::io::{self, ErrorKind};

/// Length of a tick of `/proc/PID/stat`, in seconds (USER_HZ is 100 on every Linux).
const TICK: f64 = 0.01;

/// The process `pid` and all its descendants that live now.
pub(crate) fn tree(pid: u32) -> Vec<u32> {
    let mut found = vec![pid];
    let mut at = 0;
    while let Some(&pid) = found.get(at) {
        at += 1;
        let threads = fs::read_dir(format!("/proc/{pid}/task"))
            .into_iter()
            .flatten()
            .flatten();
        for thread in threads {
            let children = fs::read_to_string(thread.path().join("children")).unwrap_or_default();
            found.extend(
                children
                    .split_ascii_whitespace()
                    .filter_map(|child| child.parse::<u32>().ok()),
            );
        }
    }
    found
}

/// CPU time that a process has taken so far, in seconds, all threads together.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Cpu {
    pub(crate) user: f64,
    pub(crate) system: f64,
}

impl Cpu {
    /// Reads the CPU time of `pid` and its descendants.
    pub(crate) fn of_tree(pid: u32) -> io::Result<Self> {
        tree(pid).into_iter().try_fold(
            Self {
                user: 0.0,
                system: 0.0,
            },
            |sum, pid| {
                let one = Self::of(&pid.to_string())?;
                Ok(Self {
                    user: sum.user + one.user,
                    system: sum.system + one.system,
                })
            },
        )
    }

    /// Reads the CPU time of `pid` ("self" for the own process).
    pub(crate) fn of(pid: &str) -> io::Result<Self> {
        let stat = fs::read_to_string(format!("/proc/{pid}/stat"))?;
        // The second field is the command's name in parentheses, which may hold spaces itself.
        let rest = stat.rsplit_once(')').map_or("", |(_, rest)| rest);
        let mut fields = rest.split_ascii_whitespace().skip(11).map(str::parse::<u32>);
        match (fields.next(), fields.next()) {
            (Some(Ok(user)), Some(Ok(system))) => Ok(Self {
                user: f64::from(user) * TICK,
                system: f64::from(system) * TICK,
            }),
            _ => Err(io::Error::new(
                ErrorKind::InvalidData,
                format!("/proc/{pid}/stat has no CPU time"),
            )),
        }
    }

    /// What was taken since `before`.
    pub(crate) fn since(self, before: Self) -> Self {
        Self {
            user: self.user - before.user,
            system: self.system - before.system,
        }
    }

    /// User and system time together, in seconds.
    pub(crate) fn total(self) -> f64 {
        self.user + self.system
    }
}

/// Resident memory of `pid` and its descendants, in KiB.
pub(crate) fn resident_kib(pid: u32) -> io::Result<u64> {
    tree(pid)
        .into_iter()
        .try_fold(0, |sum, pid| Ok(sum + resident_kib_of(pid)?))
}

fn resident_kib_of(pid: u32) -> io::Result<u64> {
    let status = fs::read_to_string(format!("/proc/{pid}/status"))?;
    status
        .lines()
        .find_map(|line| {
            line.strip_prefix("VmRSS:")?
                .trim()
                .strip_suffix("kB")?
                .trim()
                .parse()
                .ok()
        })
        .ok_or_else(|| io::Error::new(ErrorKind::InvalidData, format!("/proc/{pid}/status has no VmRSS")))
}
