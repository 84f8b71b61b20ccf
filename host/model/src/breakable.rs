//! Switches that break one rule each, for builds that must be seen to fail.
//!
//! Without the feature `breakable` every function here is empty, so the product has no such switch.

/// Returns whether the rule of this code is switched off.
#[cfg(not(feature = "breakable"))]
#[inline(always)]
pub fn is_broken(_rule: &str) -> bool {
    false
}

/// Returns whether the rule of this code is switched off: named in `RUNWRIT_BREAK`, or by
/// [`with_broken`] on this thread.
#[cfg(feature = "breakable")]
pub fn is_broken(rule: &str) -> bool {
    let named = std::env::var("RUNWRIT_BREAK").unwrap_or_default();
    named.split(',').any(|name| name == rule)
        || BROKEN.with_borrow(|broken| broken.iter().any(|name| name == rule))
}

#[cfg(feature = "breakable")]
thread_local! {
    static BROKEN: std::cell::RefCell<Vec<String>> = const { std::cell::RefCell::new(Vec::new()) };
}

/// Runs `act` with one rule switched off on this thread.
#[cfg(feature = "breakable")]
pub fn with_broken<T>(rule: &str, act: impl FnOnce() -> T) -> T {
    BROKEN.with_borrow_mut(|broken| broken.push(rule.to_owned()));
    let result = act();
    BROKEN.with_borrow_mut(|broken| drop(broken.pop()));
    result
}
