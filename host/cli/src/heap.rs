//! Where memory comes from: one heap for all threads.

/// Has all threads take memory from one heap. The library of the system gives each thread its own,
/// which is for programs whose threads compute; here one works and the others wait for it, and each
/// page that is asked for a second time takes longer than what is then done with it.
#[cfg(target_env = "gnu")]
#[expect(unsafe_code, reason = "no library passes this setting on")]
pub fn share() {
    // SAFETY: it sets a number, before this process has a second thread. Where it fails, threads
    // have heaps of their own, and nothing else changes.
    unsafe { libc::mallopt(libc::M_ARENA_MAX, 1) };
}

/// Other libraries have one heap.
#[cfg(not(target_env = "gnu"))]
pub fn share() {}
