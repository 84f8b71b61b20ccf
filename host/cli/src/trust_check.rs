//! Looks at keyring and memory, and says what is not in order, with a fix each.

use runwrit_model::exit::Exit;
use runwrit_model::health::{Finding, Level};
use runwrit_model::limits;
use runwrit_trust::floors::timestamp;
use runwrit_trust::keyring::{ExpiredRoot, Key, Keyring, Role, Unsigned};

use crate::ambient;
use crate::keyring::Trust;
use crate::output::Style;
use crate::session::Session;

/// A key that expires sooner is told: its successor has to reach every host.
const SOON_MS: u64 = 30 * 24 * 3_600 * 1_000;

/// The way out of a clock that had jumped ahead.
const RESET: &str = "`runwrit trust reset-clock`, if the clock of this host had jumped ahead";

/// Prints what is found; whatever lets nothing run, or too much, is exit code 4.
pub fn check(session: &Session) -> Exit {
    let findings = look(session);
    for finding in &findings {
        match session.output.is_json {
            true => session.output.object(finding),
            false => print(finding, session),
        }
    }
    match findings.iter().any(|finding| finding.level > Level::Note) {
        true => Exit::Untrusted,
        false => Exit::Done,
    }
}

fn print(finding: &Finding, session: &Session) {
    let (check, text) = (finding.check, &finding.text);
    let style = if finding.level == Level::Good { Style::Plain } else { Style::Warning };
    session.output.styled_data(style, &format!("{check:<10} {text}"));
    if let Some(fix) = &finding.fix {
        session.output.data(&format!("{:<10} fix: {fix}", ""));
    }
}

/// Returns all findings about the keyring.
pub fn look(session: &Session) -> Vec<Finding> {
    let trust = match Trust::open(session) {
        Ok(trust) => trust,
        Err(error) => {
            let fix = error.hints.join("; ");
            return vec![Finding::of("keyring", Level::Wrong, error.message, fix)];
        }
    };
    let shown = trust.file.display();
    let mut findings = vec![Finding::good("keyring", format!("`{shown}`, {}", trust.digest))];
    findings.extend(root(&trust));
    findings.push(enough(&trust.keyring));
    findings.extend(grants(&trust.keyring));
    findings.extend(trust.keyring.keys.iter().filter_map(|key| dates(key, &trust)));
    if trust.keyring.policy.unsigned == Unsigned::Flag {
        let text = "`--allow-unsigned` lets packages run that nobody vouches for";
        let fix = "`unsigned = \"deny\"` under `[policy]`, once all that runs here is signed";
        findings.push(Finding::of("unsigned", Level::Note, text, fix));
    }
    findings.extend(clock(&trust));
    findings.push(memory(&trust));
    findings
}

/// Whether enough keys are there for anything to run.
fn enough(keyring: &Keyring) -> Finding {
    let counts =
        |key: &&Key| key.has(Role::Runbook) && keyring.revoked_key(&key.public.hint()).is_none();
    let (count, needed) = (keyring.keys.iter().filter(counts).count(), keyring.threshold.runbook);
    let text = format!("{count} keys may sign runbooks, and it takes {needed}");
    match count >= needed {
        true => Finding::good("threshold", text),
        false => {
            let fix = "`runwrit trust add-key`, or a lower `runbook` under `[threshold]`";
            Finding::of("threshold", Level::Wrong, text, fix)
        }
    }
}

/// Whether the root that says who may sign still counts.
fn root(trust: &Trust) -> Option<Finding> {
    let newest = trust.chain.as_ref()?.newest();
    let (version, until) = (newest.version, newest.expires);
    let clock = ambient::now_unix_ms();
    let (now, soon) = (trust.floors.time(clock), timestamp(clock.saturating_add(SOON_MS)));
    let fix = "bring the next one: `runwrit trust advance FILE`; `trust rotate` makes it";
    Some(match (until <= now, until <= soon, trust.keyring.policy.expired_root) {
        (true, _, ExpiredRoot::Deny) => {
            let text = format!("root {version} has expired on {until}: nothing runs");
            Finding::of("root", Level::Wrong, text, fix)
        }
        (true, _, ExpiredRoot::Warn) => {
            let text = format!("root {version} has expired on {until}, and counts all the same");
            Finding::of("root", Level::Note, text, fix)
        }
        (false, true, _) => {
            Finding::of("root", Level::Note, format!("root {version} expires on {until}"), fix)
        }
        (false, false, _) => Finding::good("root", format!("root {version}, until {until}")),
    })
}

/// Whether runs that nobody watches can have a grant that counts.
fn grants(keyring: &Keyring) -> Option<Finding> {
    if keyring.policy.allow_unsigned_grants {
        let text = "runs that nobody watches may have a grant that nobody signed";
        let fix = "`allow-unsigned-grants = false` under `[policy]`, once grants are signed";
        return Some(Finding::of("grants", Level::Note, text, fix));
    }
    let (count, needed) = (keyring.holders(Role::Grant).count(), keyring.threshold.grant);
    (count < needed).then(|| {
        let text = format!(
            "{count} keys may sign grants, and it takes {needed}: no run starts \
                            without a person at the terminal"
        );
        let fix = "`runwrit trust add-key FILE.pub --id NAME --role grant`, if others are to";
        Finding::of("grants", Level::Note, text, fix)
    })
}

fn dates(key: &Key, trust: &Trust) -> Option<Finding> {
    let clock = ambient::now_unix_ms();
    let (now, soon) = (trust.floors.time(clock), timestamp(clock.saturating_add(SOON_MS)));
    let until = key.not_after().filter(|until| *until <= soon.max(now))?;
    let word = if until <= now { "has expired" } else { "expires" };
    let text = format!("`{}` {word} on {until}", key.id);
    let fix = match until <= now && until > timestamp(clock) {
        true => RESET,
        false => "`runwrit trust add-key` its successor, and have packages signed with that",
    };
    Some(Finding::of("key", Level::Note, text, fix))
}

/// Whether this host has seen a later time than its clock says.
fn clock(trust: &Trust) -> Option<Finding> {
    let clock = ambient::now_unix_ms();
    let step = limits::CLOCK_MEMORY_STEP.as_millis() as u64;
    let seen = trust.floors.max_time_seen()?;
    (seen > timestamp(clock.saturating_add(step))).then(|| {
        let text = format!(
            "the latest time that was seen here is {seen}, and the clock says {}: what expires in \
             between counts as expired",
            timestamp(clock)
        );
        Finding::of("clock", Level::Note, text, RESET)
    })
}

/// Whether what ran can be remembered.
fn memory(trust: &Trust) -> Finding {
    let count = trust.floors.all().len();
    let shown = trust.state.display();
    // Asked, not tried: a look makes no folder, no lock and no memory.
    let lock = trust.state.with_extension("lock");
    let folder = trust.state.ancestors().skip(1).find(|folder| ambient::exists(folder));
    let files =
        [trust.state.as_path(), lock.as_path()].into_iter().filter(|it| ambient::exists(it));
    let needed = files.chain(folder);
    match needed.into_iter().find(|path| !ambient::may_write(path)) {
        None => Finding::good("memory", format!("`{shown}` holds {count} floors")),
        Some(path) => {
            let path = path.display();
            let text = format!(
                "the memory of the keyring `{shown}` cannot be kept: this user may \
                                not write to `{path}`"
            );
            Finding::of("memory", Level::Wrong, text, "run as a user who may, or change its mode")
        }
    }
}
