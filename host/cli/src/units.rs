//! The systemd units that call `runwrit tick`.

use std::path::Path;

use runwrit_model::exit::Exit;

use crate::ambient;
use crate::configuration::Configuration;
use crate::error::Error;
use crate::keyring;
use crate::output::Style;
use crate::session::Session;

const SERVICE: &str = include_str!("../units/runwrit-tick.service");
const TIMER: &str = include_str!("../units/runwrit-tick.timer");

/// Writes service and timer for this program, this configuration and this state directory.
pub fn write(
    directory: &Path,
    session: &Session,
    configuration: &Configuration,
) -> Result<Exit, Error> {
    let directory = session.ambient.directory.join(directory);
    let state = configuration.state_directory(session)?;
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
    let service = SERVICE.replace("@COMMAND@", &words.join(" "));
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
