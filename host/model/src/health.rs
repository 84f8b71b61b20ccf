//! What an operator should know about a host before a run needs it: pure judgements.

use serde::Serialize;

use crate::exit::Exit;
use crate::journal::UnixMs;
use crate::limits::{CLOCK_SKEW_MAX, DISK_BYTES_LOW, DISK_BYTES_MIN, DISK_FILES_MIN};

/// How bad a finding is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Level {
    /// As it should be.
    Good,
    /// It works, and somebody should know.
    Note,
    /// Configuration or surroundings are wrong: runs will be refused or fail.
    Wrong,
    /// What is stored is damaged: a person must look.
    Broken,
}

/// One line of a checkup.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub struct Finding {
    /// What was looked at, one word.
    pub check: &'static str,
    /// How bad it is.
    pub level: Level,
    /// What was found.
    pub text: String,
    /// What to do; nothing where all is well.
    pub fix: Option<String>,
}

impl Finding {
    /// Says that something is as it should be.
    pub fn good(check: &'static str, text: impl Into<String>) -> Self {
        Self { check, level: Level::Good, text: text.into(), fix: None }
    }

    /// Says what is not, and what to do.
    pub fn of(
        check: &'static str,
        level: Level,
        text: impl Into<String>,
        fix: impl Into<String>,
    ) -> Self {
        Self { check, level, text: text.into(), fix: Some(fix.into()) }
    }
}

/// Returns the exit code that all findings together stand for.
pub fn exit(findings: &[Finding]) -> Exit {
    match findings.iter().map(|finding| finding.level).max() {
        Some(Level::Broken) => Exit::Stuck,
        Some(Level::Wrong) => Exit::Usage,
        Some(Level::Good | Level::Note) | None => Exit::Done,
    }
}

/// Judges what is free for the state directory.
pub fn space(free_bytes: u64, free_files: u64) -> Finding {
    let mib = free_bytes >> 20;
    let text = format!("{mib} MiB and {free_files} files are free");
    let fix =
        "free some, or move the state directory: a promise that cannot be written stops a run";
    match () {
        () if free_bytes < DISK_BYTES_MIN || free_files < DISK_FILES_MIN => {
            Finding::of("disk", Level::Wrong, text, fix)
        }
        () if free_bytes < DISK_BYTES_LOW => Finding::of("disk", Level::Note, text, fix),
        () => Finding::good("disk", text),
    }
}

/// Judges the clock of this host by that of an API, which tells whole seconds.
pub fn clock(now: UnixMs, told: UnixMs) -> Finding {
    let (seconds, max) = (now.abs_diff(told) / 1_000, CLOCK_SKEW_MAX.as_secs());
    let side = if now > told { "ahead of" } else { "behind" };
    if seconds <= max {
        return Finding::good("clock", format!("within {max} s of the API's"));
    }
    let text = format!("{seconds} s {side} the API's");
    let fix = "set it (`timedatectl set-ntp true`): grants expire and timers end by it";
    Finding::of("clock", Level::Wrong, text, fix)
}

/// Judges when the store was last written: later than now means that the clock jumped.
pub fn written(now: UnixMs, last_at: UnixMs) -> Finding {
    let ahead = last_at.saturating_sub(now) / 1_000;
    if ahead <= CLOCK_SKEW_MAX.as_secs() {
        return Finding::good("time", "no journal is from the future");
    }
    let text = format!("the last journal entry is {ahead} s in the future: the clock was wrong");
    let fix = "nothing, if the clock is right now: runs go on, and what they write keeps the later \
               time; `tick` sets timers and late looks of that time right by the clock of now";
    Finding::of("time", Level::Note, text, fix)
}

#[cfg(test)]
mod tests {
    use super::*;

    const MIB: u64 = 1 << 20;

    #[test]
    fn space_runs_out_by_bytes_or_by_files() {
        let rows = [
            (10_000 * MIB, 10_000, Level::Good),
            (500 * MIB, 10_000, Level::Note),
            (50 * MIB, 10_000, Level::Wrong),
            (10_000 * MIB, 3, Level::Wrong),
        ];
        for (bytes, files, expected) in rows {
            let found = space(bytes, files);
            assert_eq!(found.level, expected, "{found:?}");
            assert_eq!(found.fix.is_some(), expected != Level::Good, "{found:?}");
        }
    }

    #[test]
    fn clocks_are_wrong_both_ways() {
        let day = 86_400_000;
        let rows = [
            (day, day, Level::Good),
            (day + 29_000, day, Level::Good),
            (day + 40_000, day, Level::Wrong),
            (day - 40_000, day, Level::Wrong),
        ];
        for (now, told, expected) in rows {
            assert_eq!(clock(now, told).level, expected, "{now} {told}");
        }
        assert_eq!(written(day, 2 * day).level, Level::Note);
        assert_eq!(written(2 * day, day).level, Level::Good);
    }

    #[test]
    fn damage_weighs_more_than_a_wrong_setting() {
        let of = |level| Finding::of("x", level, "", "");
        assert_eq!(exit(&[]), Exit::Done);
        assert_eq!(exit(&[of(Level::Good), of(Level::Note)]), Exit::Done);
        assert_eq!(exit(&[of(Level::Wrong), of(Level::Note)]), Exit::Usage);
        assert_eq!(exit(&[of(Level::Wrong), of(Level::Broken)]), Exit::Stuck);
    }
}
