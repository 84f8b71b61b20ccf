//! Looks at keyring, store, disk, clock, credentials, code cache, modes and Docker, and changes
//! nothing.

use std::path::Path;

use runwrit_engine::store::{StoreError, library};
use runwrit_model::exit::Exit;
use runwrit_model::health::{self, Finding, Level};
use runwrit_model::limits::{PROGRAM_WAIT_MAX, TICK_OVERDUE};

use crate::ambient::{self, ThrowAway};
use crate::configuration::Configuration;
use crate::error::{Error, chain};
use crate::installation::Installation;
use crate::session::Session;
use crate::site::{self, Site};
use crate::trust_check;

/// Others could read or write there.
const OPEN_TO_OTHERS: u32 = 0o077;
/// The database of the state directory.
const STORE: &str = "store.sqlite";
/// Others could write there.
const WRITABLE_BY_OTHERS: u32 = 0o022;

/// Looks at everything. One thing that is wrong keeps none of the others back.
pub async fn look(session: &Session, configuration: &Configuration) -> Vec<Finding> {
    let mut findings = Vec::new();
    findings.extend(configuration.file.as_deref().map(configured));
    findings.extend(trust_check::look(session));
    let state = match configuration.state_directory(session) {
        Ok(state) => state,
        Err(error) => return vec![wrong("state", &error)],
    };
    if ambient::exists(&state) {
        findings.push(modes(&state));
    }
    if let Some(text) = unused(&state) {
        let fix = "nothing: the first run makes it; or name another with `--state DIR`";
        findings.push(Finding::of("state", Level::Note, text, fix));
        findings.extend(new_host(&state, session, configuration).await);
        findings.extend(docker(session).await);
        return findings;
    }
    findings.push(disk(&state));
    let opened = match incomplete(&state) {
        Some(finding) => Err(finding),
        None => Installation::open(session, configuration).map_err(|error| wrong("store", &error)),
    };
    match opened {
        Err(finding) => findings.push(finding),
        Ok(installation) => {
            findings.extend(store(&installation).await);
            findings.push(cache(&state));
            findings.extend(credentials(session, &installation, configuration).await);
        }
    }
    findings.extend(docker(session).await);
    findings
}

/// Says that no state was made there yet, where that is so. To open it would make it.
fn unused(state: &Path) -> Option<String> {
    let shown = state.display();
    if !ambient::exists(state) {
        return Some(format!("`{shown}` does not exist yet"));
    }
    let is_made = |name: &str| ambient::exists(&state.join(name));
    let is_unused = !is_made(STORE) && !is_made("host.key");
    let has_runs = !ambient::names_in(&state.join("runs")).is_empty();
    (is_unused && !has_runs).then(|| format!("`{shown}` holds no store yet"))
}

/// Tells what is missing of a state directory that is in use. To open it would make it anew.
fn incomplete(state: &Path) -> Option<Finding> {
    let missing = [STORE, "host.key", "runs", "components"];
    let missing = missing.into_iter().find(|name| !ambient::exists(&state.join(name)))?;
    let text = format!("`{missing}` is missing in `{}`, which is in use", state.display());
    let fix = "restore the state directory from a backup: what runs made is known by these alone";
    Some(Finding::of("store", Level::Broken, text, fix))
}

/// Looks at what a first run would need, without making the state directory.
async fn new_host(state: &Path, session: &Session, configuration: &Configuration) -> Vec<Finding> {
    let stands = state.ancestors().find(|folder| ambient::exists(folder));
    let mut findings = vec![disk(stands.unwrap_or(Path::new("/")))];
    let folder = match ThrowAway::new() {
        Ok(folder) => folder,
        Err(error) => return vec![findings.remove(0), wrong("store", &error)],
    };
    match Installation::open_thrown_away(&folder, session, configuration) {
        Ok(installation) => {
            findings.extend(credentials(session, &installation, configuration).await);
        }
        Err(error) => findings.push(wrong("store", &error)),
    }
    findings
}

/// An error of another room, as a finding: what must be restored is broken, all else is wrong.
fn wrong(check: &'static str, error: &Error) -> Finding {
    let is_damage = error.exit == Exit::Stuck || error.message.contains("is damaged");
    let level = if is_damage { Level::Broken } else { Level::Wrong };
    let fix = match error.hints.is_empty() {
        true => mend(check).to_owned(),
        false => error.hints.join("; "),
    };
    Finding::of(check, level, error.message.clone(), fix)
}

/// Says what to do about an error that does not say so itself.
fn mend(check: &str) -> &'static str {
    match check {
        "credential" => {
            "put the token of the project into the variable or file that is named for it, whole \
             and for this endpoint; the console shows one once, and makes another at any time"
        }
        "state" => "name another with `--state DIR`, or in `state` of runwrit.toml",
        _ => {
            "look at owner, mode and free space of the state directory; restore it from a backup \
             where that is as it should be"
        }
    }
}

fn configured(file: &Path) -> Finding {
    let shown = file.display();
    match ambient::mode(file) {
        Some(mode) if mode & WRITABLE_BY_OTHERS != 0 => Finding::of(
            "config",
            Level::Wrong,
            format!("others may write to `{shown}` (mode {mode:04o})"),
            format!("`chmod go-w {shown}`: it says where tokens are sent"),
        ),
        _ => Finding::good("config", format!("`{shown}`")),
    }
}

fn modes(state: &Path) -> Finding {
    let names = [".", "host.key", "store.sqlite", "runs", "components", "epoch", "lent"];
    let is_open = |name: &&str| {
        ambient::mode(&state.join(name)).is_some_and(|mode| mode & OPEN_TO_OTHERS != 0)
    };
    let open: Vec<&str> = names.into_iter().filter(is_open).collect();
    let shown = state.display();
    match open.is_empty() {
        true => Finding::good("modes", format!("`{shown}` belongs to its owner alone")),
        false => Finding::of(
            "modes",
            Level::Wrong,
            format!("others may enter or read `{}` in `{shown}`", open.join("`, `")),
            format!("`chmod -R go= {shown}`: it holds the host key and the journals"),
        ),
    }
}

fn disk(state: &Path) -> Finding {
    match ambient::free(state) {
        Ok((bytes, files)) => health::space(bytes, files),
        Err(error) => {
            let text = format!("what is free cannot be told: {error}");
            Finding::of("disk", Level::Note, text, "look with `df`")
        }
    }
}

/// Reads the whole store, verifies every journal, and looks whether somebody calls `tick`.
async fn store(installation: &Installation) -> Vec<Finding> {
    let runs = match installation.store.runs().await {
        Ok(runs) => runs,
        Err(error) => return vec![wrong("store", &error.into())],
    };
    let mut findings = Vec::new();
    if let Err(error) = installation.store.check().await {
        let fix = "restore the state directory from a backup";
        findings.push(Finding::of("store", Level::Broken, chain(&error), fix));
    }
    for row in &runs {
        let verified = installation.store.verify_chain(&row.run).await;
        findings.extend(verified.err().map(|error| broken(&error)));
    }
    if findings.is_empty() {
        let (count, library) = (runs.len(), library());
        let text = format!("SQLite {library}, {count} runs, every journal is as it was written");
        findings.push(Finding::good("store", text));
    }
    let now = ambient::now_unix_ms();
    let last_at = runs.iter().map(|row| row.changed_at).max().unwrap_or_default();
    findings.push(health::written(now, last_at));
    findings.push(ticks(installation, now).await);
    findings
}

fn broken(error: &StoreError) -> Finding {
    let fix = "restore the state directory from a backup; the other runs are not concerned";
    Finding::of("store", Level::Broken, chain(error), fix)
}

async fn ticks(installation: &Installation, now: u64) -> Finding {
    let overdue = u64::try_from(TICK_OVERDUE.as_millis()).unwrap_or(u64::MAX);
    match installation.store.due_sweeps(now.saturating_sub(overdue)).await {
        Ok(late) if late.is_empty() => Finding::good("tick", "nothing is overdue"),
        Ok(late) => {
            let text = format!("{} late looks are overdue: nobody calls `tick`", late.len());
            let fix = "`runwrit tick`, and `runwrit tick --units DIR` for a timer";
            Finding::of("tick", Level::Note, text, fix)
        }
        Err(error) => wrong("tick", &error.into()),
    }
}

fn cache(state: &Path) -> Finding {
    let folder = state.join("code");
    let names = ambient::names_in(&folder);
    let bytes: u64 = names.iter().filter_map(|name| ambient::size(&folder.join(name))).sum();
    match ambient::mode(&folder) {
        Some(mode) if mode & WRITABLE_BY_OTHERS != 0 => Finding::of(
            "code-cache",
            Level::Wrong,
            format!("others may write to `{}` (mode {mode:04o})", folder.display()),
            format!("`rm -r {}`: it is made again", folder.display()),
        ),
        _ => {
            let text = format!("{} files, {} MiB of compiled code", names.len(), bytes >> 20);
            Finding::good("code-cache", text)
        }
    }
}

async fn credentials(
    session: &Session,
    installation: &Installation,
    configuration: &Configuration,
) -> Vec<Finding> {
    let names = match site::credentials(session, configuration) {
        Ok(names) => names,
        Err(error) => {
            let fix = error.hints.join("; ");
            return vec![Finding::of("credential", Level::Note, "there is none", fix)];
        }
    };
    let mut findings = Vec::new();
    for name in names {
        let site = match Site::open(&name, session, installation, configuration) {
            Ok(site) => site,
            Err(error) => {
                findings.push(wrong("credential", &error));
                continue;
            }
        };
        findings.extend(reached(&name, &site).await);
    }
    findings
}

async fn reached(name: &str, site: &Site) -> Vec<Finding> {
    let probe = match site.probe().await {
        Ok(probe) => probe,
        Err(error) => {
            let text = format!("`{name}` is of no use: {}", chain(&error));
            let fix = "check the token, its endpoint and the network";
            return vec![Finding::of("credential", Level::Wrong, text, fix)];
        }
    };
    let mut findings = vec![match probe.may_write {
        true => Finding::good("credential", format!("`{name}` is taken and may change things")),
        false => Finding::of(
            "credential",
            Level::Note,
            format!("`{name}` only reads: runs that create anything will be refused"),
            "make a token with read and write permission, if it is meant for runs",
        ),
    }];
    let now = ambient::now_unix_ms();
    findings.extend(probe.date_unix_ms.map(|told| health::clock(now, told)));
    findings
}

/// Docker is needed only by runbooks that ask for it.
async fn docker(session: &Session) -> Vec<Finding> {
    let questions: [(&'static str, &[&str]); 2] = [
        ("docker", &["version", "--format", "{{.Server.Version}}"]),
        ("compose", &["compose", "version", "--short"]),
    ];
    let mut findings = Vec::new();
    for (check, arguments) in questions {
        let told = ambient::ask_program(&session.ambient, "docker", arguments, PROGRAM_WAIT_MAX);
        findings.push(match told.await {
            Some(Ok(version)) => Finding::good(check, format!("version {version}")),
            Some(Err(why)) => Finding::of(
                check,
                Level::Note,
                format!("installed, and does not answer: {why}"),
                "start the engine, or let this user use it, if a runbook needs it",
            ),
            None => {
                let fix = "nothing, unless a runbook needs it";
                Finding::of(check, Level::Note, "not installed", fix)
            }
        });
    }
    findings
}
