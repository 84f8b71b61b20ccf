//! The systemd units that call `runwrit tick`.

use std::path::Path;

use runwrit_model::exit::Exit;
use runwrit_model::limits;

use crate::ambient::{self, trusted};
use crate::configuration::Configuration;
use crate::error::Error;
use crate::keyring;
use crate::output::Style;
use crate::session::Session;

const SERVICE: &str = include_str!("../units/runwrit-tick.service");
const TIMER: &str = include_str!("../units/runwrit-tick.timer");

/// Where names of users stand.
const ACCOUNTS: &str = "/etc/passwd";

/// Writes service and timer for this program, this configuration and this state directory. The
/// service runs as whoever owns that directory, which must be who asks for it.
pub fn write(
    directory: &Path,
    session: &Session,
    configuration: &Configuration,
) -> Result<Exit, Error> {
    let directory = session.ambient.directory.join(directory);
    let state = configuration.state_directory(session)?;
    let user = user(&state, session)?;
    let config = configuration.file.as_deref();
    let program = ambient::program_file();
    let mut words = vec![word(&program)?, "tick".to_owned(), "--state".to_owned(), word(&state)?];
    if let Some(config) = config {
        words.extend(["--config".to_owned(), word(config)?]);
    }
    // The keyring of the machine is found by itself, as long as it stands there.
    let keyring = keyring::place(session)?;
    if !keyring::is_system(&keyring) {
        words.extend(["--trust".to_owned(), word(&keyring)?]);
    }
    let service = SERVICE.replace("@USER@", &user).replace("@COMMAND@", &words.join(" "));
    for (name, text) in [("runwrit-tick.service", service.as_str()), ("runwrit-tick.timer", TIMER)]
    {
        let path = directory.join(name);
        ambient::write_whole("unit", &path, text.as_bytes())?;
        session.output.data(&path.display().to_string());
    }
    session.note(
        Style::Plain,
        "next: systemctl daemon-reload && systemctl enable --now runwrit-tick.timer",
    );
    Ok(Exit::Done)
}

/// Returns the user that the service is to run as: the owner of the state directory or, where there
/// is none yet, of the directory that it would be made in.
fn user(state: &Path, session: &Session) -> Result<String, Error> {
    let owner = state.ancestors().find_map(trusted::ownership).map_or(0, |(owner, _)| owner);
    // Names of a directory service are missing there; systemd takes numbers as well.
    let accounts =
        ambient::read_text("list of users", Path::new(ACCOUNTS), limits::DOCUMENT_BYTES_MAX)
            .unwrap_or_default();
    let name = name_of(owner, &accounts);
    let variable = |name| session.ambient.variable(name);
    let behind_sudo = variable("SUDO_USER").map(|name| {
        let told = variable("SUDO_UID").and_then(|uid| uid.parse().ok());
        told.or_else(|| id_of(name, &accounts)).unwrap_or(u32::MAX)
    });
    if may_serve(trusted::user(), behind_sudo, owner) {
        return Ok(name);
    }
    let (shown, starter) = (state.display(), session.ambient.starter());
    let message = format!("the state directory `{shown}` is that of `{name}`, not of `{starter}`");
    Err(Error::usage(message).hint(format!(
        "name yours with `--state DIR`, and its configuration with `--config FILE`; or write the \
         units for that user: `sudo -u {name} runwrit tick --units DIR`"
    )))
}

/// Returns whether whoever asks may have a service run as `owner`: root may for anybody, unless a
/// user stands behind it, whose state this would not be.
fn may_serve(process: u32, behind_sudo: Option<u32>, owner: u32) -> bool {
    match (process, behind_sudo) {
        (0, None | Some(0)) => true,
        (0, Some(user)) | (user, _) => user == owner,
    }
}

fn name_of(uid: u32, accounts: &str) -> String {
    let is_plain =
        |name: &str| name.bytes().all(|it| it.is_ascii_alphanumeric() || b"._-".contains(&it));
    let mut found = fields(accounts).filter(|(name, id)| *id == uid && is_plain(name));
    found.next().map_or_else(|| uid.to_string(), |(name, _)| name.to_owned())
}

fn id_of(name: &str, accounts: &str) -> Option<u32> {
    fields(accounts).find(|(known, _)| *known == name).map(|(_, id)| id)
}

/// Returns names and numbers of `passwd(5)`.
fn fields(accounts: &str) -> impl Iterator<Item = (&str, u32)> {
    accounts.lines().filter_map(|line| {
        let mut fields = line.split(':');
        Some((fields.next().filter(|name| !name.is_empty())?, fields.nth(1)?.parse().ok()?))
    })
}

/// Quotes a path as systemd reads it, where `%` begins a specifier and `$` a variable.
fn word(path: &Path) -> Result<String, Error> {
    let shown = path.display();
    let text = path.to_str().filter(|text| !text.contains(['\n', '\r'])).ok_or_else(|| {
        Error::usage(format!("the path `{shown}` cannot stand in a unit of systemd"))
            .hint("use a path of UTF-8 text without line breaks")
    })?;
    let escaped = text.replace('\\', "\\\\").replace('"', "\\\"");
    Ok(format!("\"{}\"", escaped.replace('%', "%%").replace('$', "$$")))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_service_runs_as_whoever_owns_its_state_and_nobody_has_one_for_others() {
        let rows = [
            ("root for itself", 0, None, 0, true),
            ("root for a user", 0, None, 1_000, true),
            ("root through sudo of root", 0, Some(0), 1_000, true),
            ("a user through sudo", 0, Some(1_000), 1_000, true),
            ("a user", 1_000, None, 1_000, true),
            ("a user who became another by sudo", 1_001, Some(1_000), 1_001, true),
            ("a user through sudo, with the state of root", 0, Some(1_000), 0, false),
            ("a user through sudo, with that of another", 0, Some(1_000), 1_001, false),
            ("a user with the state of root", 1_000, None, 0, false),
            ("a user who became another, with their own", 1_001, Some(1_000), 1_000, false),
        ];
        for (name, process, behind_sudo, owner, expected) in rows {
            assert_eq!(may_serve(process, behind_sudo, owner), expected, "{name}");
        }
    }

    #[test]
    fn users_have_their_names_where_those_can_stand_in_a_unit() {
        let accounts = "root:x:0:0:root:/root:/bin/sh\n\nada:x:1000:1000::/home/ada:/bin/sh\n\
                        a%h:x:1001:1001::/:/bin/sh\nhalf:x\n:x:1002:1::/:/bin/sh\n";
        let rows = [(0, "root"), (1_000, "ada"), (1_001, "1001"), (1_002, "1002"), (7, "7")];
        for (uid, expected) in rows {
            assert_eq!(name_of(uid, accounts), expected);
        }
        let rows = [("ada", Some(1_000)), ("root", Some(0)), ("half", None), ("nobody", None)];
        for (name, expected) in rows {
            assert_eq!(id_of(name, accounts), expected, "{name}");
        }
    }

    #[test]
    fn paths_are_read_by_systemd_as_they_are() {
        let rows = [
            ("/usr/bin/runwrit", "\"/usr/bin/runwrit\""),
            ("/a b/100%/$x", "\"/a b/100%%/$$x\""),
            ("/a\"b\\c", "\"/a\\\"b\\\\c\""),
        ];
        for (path, expected) in rows {
            assert_eq!(word(Path::new(path)).unwrap(), expected);
        }
        assert!(word(Path::new("/a\nExecStart=/bin/sh")).is_err());
    }
}
