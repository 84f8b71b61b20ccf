//! The steps of provisioning, numbered as operators know them.

use runwrit_sdk::{Result, info, step};

/// One step.
pub enum Step {
    /// Done by this runbook.
    Here(&'static str),
    /// Not done yet: it needs a capability that does not exist.
    Later(&'static str),
}

/// All steps. Gateway, workers and database (4 to 6) are ordered in one batch.
pub const STEPS: [Step; 14] = [
    Step::Here("reserve the tenant in the registry"),
    Step::Here("create the network"),
    Step::Here("create the firewall"),
    Step::Here("order the gateway"),
    Step::Here("order the workers"),
    Step::Here("order the database server"),
    Step::Here("create and attach the data volume"),
    Step::Here("verify the firewall on every server"),
    Step::Later("create the object storage"),
    Step::Later("deliver the secrets"),
    Step::Here("publish the DNS record"),
    Step::Later("start the containers"),
    Step::Here("activate the tenant in the registry"),
    Step::Here("write the audit event"),
];

/// Begins the steps from `first` to `last`, counted from one.
pub fn begin(first: usize, last: usize) -> Result {
    let titles: Vec<_> = (first..=last).map(title).collect();
    let numbers = if first == last { first.to_string() } else { format!("{first}-{last}") };
    step(&format!("{numbers}/{} {}", STEPS.len(), titles.join(", ")))
}

fn title(number: usize) -> &'static str {
    match STEPS[number - 1] {
        Step::Here(title) | Step::Later(title) => title,
    }
}

/// Tells which of the steps from `first` to `last` this version leaves out.
pub fn tell_later(first: usize, last: usize) {
    for (place, step) in STEPS.iter().enumerate().take(last).skip(first - 1) {
        if let Step::Later(title) = step {
            info(&format!("{}/{} {title}: not done, it comes later", place + 1, STEPS.len()));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn titles_fit_the_limit_of_the_host_even_joined() {
        let longest: usize = (4..=6).map(|number| title(number).len() + 2).sum();
        assert!(longest + "4-6/14 ".len() <= 120, "{longest}");
    }

    #[test]
    fn what_needs_a_later_capability_is_marked_so() {
        let later = |number: &usize| matches!(STEPS[number - 1], Step::Later(_));
        assert_eq!((1..=14).filter(later).collect::<Vec<_>>(), [9, 10, 12]);
    }
}
