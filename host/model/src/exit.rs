//! Exit codes: a contract with scripts, so a code never changes its meaning.

/// How a command ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[repr(u8)]
pub enum Exit {
    /// Everything was done.
    Done = 0,
    /// The run failed and was rolled back fully.
    RolledBack = 1,
    /// Arguments, inputs or configuration are wrong.
    Usage = 2,
    /// A rollback needs a person, or volumes with data are held.
    Stuck = 3,
    /// Signature, keyring, floor, or imports outside the ask.
    Untrusted = 4,
    /// The grant is missing something, or was exceeded before the start.
    NotGranted = 5,
    /// A verification found differences, or the run left its plan.
    Differs = 6,
    /// Another run holds the scope.
    Busy = 7,
    /// Waiting for an approval, a timer or an unknown outcome.
    Parked = 8,
    /// A replay did not match the journal.
    Nondeterministic = 9,
    /// A bug in the host.
    Bug = 70,
    /// Interrupted; `resume` continues.
    Interrupted = 130,
}

impl Exit {
    /// Returns the number that the process exits with.
    pub fn code(self) -> u8 {
        self as u8
    }
}
