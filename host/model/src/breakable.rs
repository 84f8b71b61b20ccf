//! Crash points and rule switches for tests; empty unless built with the feature `breakable`.
//!
//! - `RUNWRIT_CRASH_AT=17` kills the process (as `kill -9` does) at the 17th boundary it passes;
//!   `RUNWRIT_CRASH_AT=intent-committed:3` at the third of that name, with or without the operation
//!   (`intent-committed/hetzner.servers.create:3`).
//!   Boundaries around files that decide about trust (`trust-file-written`, `trust-file-renamed`)
//!   have to be named: numbers count those of runs, and the log lists those of runs alone.
//! - `RUNWRIT_STOP_AT` stops it (SIGSTOP) there instead, and `RUNWRIT_PANIC_AT` lets it panic.
//! - `RUNWRIT_CRASH_LOG=FILE` appends a line `17 intent-committed hetzner.servers.create` for each
//!   boundary passed, before anything happens to the process, and `crash` or `stop` as a fourth
//!   word to the one where it does.
//! - `RUNWRIT_BREAK=no-settle,no-adoption` breaks rules.
//! - `RUNWRIT_FAIL_CALL=registry.tenants.activate#1` lets the first call of that operation in a run
//!   fail before it has any effect.
//! - `RUNWRIT_CLOCK_SHIFT_MS=-60000` has the host see the time of a minute ago.
//! - `RUNWRIT_ANSWERS=FILE` appends every answer of a simulator in this process, for a judge.

#[cfg(feature = "breakable")]
pub use on::{answers, clock_shift_ms, crash_point, failing_call, file_point, is_broken};

#[cfg(all(test, not(feature = "breakable")))]
pub use switches::is_broken;

/// Marks a boundary where a crash must do no harm. Does nothing in this build.
#[cfg(not(feature = "breakable"))]
#[inline(always)]
pub fn crash_point(_name: &'static str, _operation: &str) {}

/// Marks a boundary around a file that belongs to no run. Does nothing in this build.
#[cfg(not(feature = "breakable"))]
#[inline(always)]
pub fn file_point(_name: &'static str) {}

/// Returns which call of which operation, counted from one, is to fail. None in this build.
#[cfg(not(feature = "breakable"))]
#[inline(always)]
pub fn failing_call() -> Option<(&'static str, usize)> {
    None
}

/// Returns by how much the clock of the host is wrong on purpose. Never in this build.
#[cfg(not(feature = "breakable"))]
#[inline(always)]
pub fn clock_shift_ms() -> i64 {
    0
}

/// Returns where the answers of simulators are written. Nowhere in this build.
#[cfg(not(feature = "breakable"))]
#[inline(always)]
pub fn answers() -> Option<&'static std::fs::File> {
    None
}

/// Returns whether the rule of this code is switched off. Never in this build.
#[cfg(not(any(test, feature = "breakable")))]
#[inline(always)]
pub fn is_broken(_rule: &str) -> bool {
    false
}

/// Rules that a test breaks in its own thread.
#[cfg(any(test, feature = "breakable"))]
mod switches {
    use std::cell::RefCell;

    thread_local! {
        static BROKEN: RefCell<Vec<String>> = const { RefCell::new(Vec::new()) };
    }

    /// Returns whether this thread broke the rule.
    pub fn is_broken(rule: &str) -> bool {
        BROKEN.with_borrow(|broken| broken.iter().any(|name| name == rule))
    }

    /// Runs `act` with one rule switched off on this thread.
    pub fn with_broken<T>(rule: &str, act: impl FnOnce() -> T) -> T {
        BROKEN.with_borrow_mut(|broken| broken.push(rule.to_owned()));
        let _mended = Mended;
        act()
    }

    /// Mends the last broken rule, also when the test panics.
    struct Mended;

    impl Drop for Mended {
        fn drop(&mut self) {
            BROKEN.with_borrow_mut(|broken| drop(broken.pop()));
        }
    }
}

#[cfg(any(test, feature = "breakable"))]
pub use switches::with_broken;

#[cfg(feature = "breakable")]
#[expect(clippy::disallowed_methods, reason = "a harness speaks to it by the environment")]
mod on {
    use std::collections::BTreeMap;
    use std::fs::{File, OpenOptions};
    use std::io::Write as _;
    use std::sync::{Mutex, OnceLock, PoisonError};

    use rustix::process::{Signal, getpid, kill_process};

    /// What the environment asks for, read once.
    struct Plan {
        crash_at: Option<Place>,
        stop_at: Option<Place>,
        panic_at: Option<Place>,
        log: Option<File>,
        answers: Option<File>,
        broken: Vec<String>,
        failing: Option<(String, usize)>,
        clock_shift_ms: i64,
    }

    /// The k-th boundary, of all or of one name.
    struct Place {
        name: Option<String>,
        count: u64,
    }

    static PLAN: OnceLock<Plan> = OnceLock::new();
    static PASSED: Mutex<(u64, BTreeMap<String, u64>)> = Mutex::new((0, BTreeMap::new()));

    /// Marks a boundary where a crash must do no harm; crashes there when asked to.
    pub fn crash_point(name: &'static str, operation: &str) {
        let plan = PLAN.get_or_init(Plan::read);
        let label = format!("{name}/{operation}");
        let mut passed = PASSED.lock().unwrap_or_else(PoisonError::into_inner);
        passed.0 += 1;
        let all = passed.0;
        let mut count = |key: &str| {
            let count = passed.1.entry(key.to_owned()).or_default();
            *count += 1;
            *count
        };
        let (of_name, of_label) = (count(name), count(&label));
        let is_here = |place: &Option<Place>| match place {
            None => false,
            Some(Place { name: None, count }) => *count == all,
            Some(Place { name: Some(wanted), count }) => {
                (wanted == name && *count == of_name) || (*wanted == label && *count == of_label)
            }
        };
        let (is_crash, is_stop) = (is_here(&plan.crash_at), is_here(&plan.stop_at));
        let is_panic = is_here(&plan.panic_at);
        let end = if is_crash {
            " crash"
        } else if is_stop {
            " stop"
        } else {
            ""
        };
        plan.write(&format!("{all} {name} {operation}{end}\n"));
        // Others must not pass a boundary while this one dies.
        if is_crash {
            kill(Signal::KILL);
        }
        drop(passed);
        if is_stop {
            kill(Signal::STOP);
        }
        assert!(!is_panic, "asked to panic at {label}");
    }

    /// Marks a boundary around a file that belongs to no run; crashes there when asked to by name.
    pub fn file_point(name: &'static str) {
        let plan = PLAN.get_or_init(Plan::read);
        let mut passed = PASSED.lock().unwrap_or_else(PoisonError::into_inner);
        let count = passed.1.entry(name.to_owned()).or_default();
        *count += 1;
        let is_here = |place: &Place| place.name.as_deref() == Some(name) && place.count == *count;
        if plan.crash_at.as_ref().is_some_and(is_here) {
            kill(Signal::KILL);
        }
    }

    /// Returns whether the rule of this code is switched off.
    pub fn is_broken(rule: &str) -> bool {
        let plan = PLAN.get_or_init(Plan::read);
        super::switches::is_broken(rule) || plan.broken.iter().any(|name| name == rule)
    }

    /// Returns which call of which operation, counted from one, is to fail.
    pub fn failing_call() -> Option<(&'static str, usize)> {
        let plan = PLAN.get_or_init(Plan::read);
        plan.failing.as_ref().map(|(operation, nth)| (operation.as_str(), *nth))
    }

    /// Returns by how much the clock of the host is wrong on purpose.
    pub fn clock_shift_ms() -> i64 {
        PLAN.get_or_init(Plan::read).clock_shift_ms
    }

    /// Returns where the answers of simulators are written.
    pub fn answers() -> Option<&'static File> {
        PLAN.get_or_init(Plan::read).answers.as_ref()
    }

    fn kill(signal: Signal) {
        kill_process(getpid(), signal).expect("a process may signal itself");
    }

    impl Plan {
        fn read() -> Self {
            let broken = variable("RUNWRIT_BREAK").unwrap_or_default();
            let shift = variable("RUNWRIT_CLOCK_SHIFT_MS").map(|text| {
                text.parse().unwrap_or_else(|_| panic!("`{text}` is no number of milliseconds"))
            });
            Self {
                crash_at: variable("RUNWRIT_CRASH_AT").map(|text| Place::parse(&text)),
                stop_at: variable("RUNWRIT_STOP_AT").map(|text| Place::parse(&text)),
                panic_at: variable("RUNWRIT_PANIC_AT").map(|text| Place::parse(&text)),
                log: appended("RUNWRIT_CRASH_LOG"),
                answers: appended("RUNWRIT_ANSWERS"),
                broken: broken.split(',').map(|name| name.trim().to_owned()).collect(),
                failing: variable("RUNWRIT_FAIL_CALL").map(|text| call(&text)),
                clock_shift_ms: shift.unwrap_or_default(),
            }
        }

        fn write(&self, line: &str) {
            if let Some(mut log) = self.log.as_ref() {
                log.write_all(line.as_bytes()).expect("the crash log is writable");
            }
        }
    }

    impl Place {
        /// A harness that asks for nonsense must not believe that it tested something.
        fn parse(text: &str) -> Self {
            let (name, count) = match text.rsplit_once(':') {
                Some((name, count)) => (Some(name.to_owned()), count),
                None => (None, text),
            };
            let count = count.parse().unwrap_or_else(|_| panic!("`{text}` is no crash point"));
            Self { name, count }
        }
    }

    /// A harness that asks for nonsense must not believe that it tested something.
    fn call(text: &str) -> (String, usize) {
        let read = text
            .split_once('#')
            .and_then(|(operation, nth)| nth.parse().ok().map(|nth| (operation.to_owned(), nth)));
        read.unwrap_or_else(|| panic!("`{text}` is no `<operation>#<n>`"))
    }

    /// Opens the file that a variable names.
    fn appended(name: &str) -> Option<File> {
        let path = variable(name)?;
        let file = OpenOptions::new().append(true).create(true).open(&path);
        Some(file.unwrap_or_else(|error| panic!("{name} `{path}`: {error}")))
    }

    fn variable(name: &str) -> Option<String> {
        std::env::var(name).ok().filter(|text| !text.is_empty())
    }
}
