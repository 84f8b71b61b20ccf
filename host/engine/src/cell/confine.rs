//! The walls of a cell: from here on the kernel refuses everything but computing, the stream and
//! the end.

use std::collections::BTreeMap;

use rustix::process::{Resource, Rlimit, getpid, setrlimit};
use seccompiler::{
    BpfProgram, SeccompAction, SeccompCmpArgLen, SeccompCmpOp, SeccompCondition, SeccompFilter,
    SeccompRule,
};

/// Why the walls do not stand; without them no guest runs in a cell.
#[derive(Debug, thiserror::Error)]
pub enum ConfineError {
    /// A limit of the process.
    #[error("the limits of the cell could not be set")]
    Limits(#[source] rustix::io::Errno),
    /// The filter does not fit this processor.
    #[error("the filter of system calls does not fit this processor")]
    Filter(#[source] seccompiler::BackendError),
    /// The kernel does not take it.
    #[error("the kernel does not filter system calls (seccomp)")]
    Kernel(#[source] seccompiler::Error),
}

/// What a guest needs once its code is mapped: memory, time, threads that wait for each other, the
/// stream, and the end.
const ALLOWED: [libc::c_long; 28] = [
    libc::SYS_read,
    libc::SYS_write,
    libc::SYS_recvfrom,
    libc::SYS_sendto,
    libc::SYS_close,
    libc::SYS_munmap,
    libc::SYS_mremap,
    libc::SYS_madvise,
    libc::SYS_brk,
    libc::SYS_futex,
    libc::SYS_clock_gettime,
    libc::SYS_clock_nanosleep,
    libc::SYS_nanosleep,
    libc::SYS_sched_yield,
    libc::SYS_sched_getaffinity,
    libc::SYS_sigaltstack,
    libc::SYS_rt_sigaction,
    libc::SYS_rt_sigprocmask,
    libc::SYS_rt_sigreturn,
    libc::SYS_getrandom,
    libc::SYS_gettid,
    libc::SYS_getpid,
    libc::SYS_membarrier,
    libc::SYS_rseq,
    libc::SYS_set_robust_list,
    libc::SYS_restart_syscall,
    libc::SYS_exit,
    libc::SYS_exit_group,
];

/// These take protection bits as their third argument: nothing becomes code any more.
const WITHOUT_CODE: [libc::c_long; 2] = [libc::SYS_mmap, libc::SYS_mprotect];
const PROTECTION_ARGUMENT: u8 = 2;

/// An abort signals its own process, and to look whether a descriptor is open changes nothing. The
/// same calls could end or stop any process of this user.
const PROCESS_ARGUMENT: u8 = 0;
const COMMAND_ARGUMENT: u8 = 1;

/// Puts up the walls around all threads of this process, for good. A system call that is not
/// allowed ends it with SIGSYS.
pub fn confine() -> Result<(), ConfineError> {
    open_randomness();
    let none = Rlimit { current: Some(0), maximum: Some(0) };
    for resource in [Resource::Core, Resource::Fsize] {
        setrlimit(resource, none).map_err(ConfineError::Limits)?;
    }
    let program = program().map_err(ConfineError::Filter)?;
    seccompiler::apply_filter_all_threads(&program).map_err(ConfineError::Kernel)
}

/// The context of WASI draws random bytes, whatever becomes of them. In a static program they come
/// from a file, which is opened for the first draw of the process and stays open.
#[expect(clippy::disallowed_methods, reason = "nothing is done with the byte")]
fn open_randomness() {
    // Where it fails, the later draw says so.
    let _ = getrandom::fill(&mut [0]);
}

fn program() -> Result<BpfProgram, seccompiler::BackendError> {
    use SeccompCmpOp::{Eq, MaskedEq};
    let mut rules: BTreeMap<i64, Vec<SeccompRule>> =
        ALLOWED.into_iter().map(|call| (call, Vec::new())).collect();
    for call in WITHOUT_CODE {
        let no_code = MaskedEq(libc::PROT_EXEC as u64);
        rules.insert(call, vec![only(PROTECTION_ARGUMENT, no_code, 0)?]);
    }
    let own = getpid().as_raw_nonzero().get().unsigned_abs().into();
    rules.insert(libc::SYS_tgkill, vec![only(PROCESS_ARGUMENT, Eq, own)?]);
    let look = libc::F_GETFD as u64;
    rules.insert(libc::SYS_fcntl, vec![only(COMMAND_ARGUMENT, Eq, look)?]);
    let processor = std::env::consts::ARCH.try_into()?;
    let (otherwise, allowed) = (SeccompAction::KillProcess, SeccompAction::Allow);
    SeccompFilter::new(rules, otherwise, allowed, processor)?.try_into()
}

/// Lets a call through only where an argument compares so with a value.
fn only(
    argument: u8,
    comparison: SeccompCmpOp,
    value: u64,
) -> Result<SeccompRule, seccompiler::BackendError> {
    let length = SeccompCmpArgLen::Dword;
    SeccompRule::new(vec![SeccompCondition::new(argument, length, comparison, value)?])
}
