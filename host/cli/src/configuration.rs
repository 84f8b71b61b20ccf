//! `runwrit.toml`: where it is, what it says, and the paths in it.

use std::path::{Path, PathBuf};

use runwrit_model::limits;
use runwrit_model::settings::Settings;

use crate::ambient::{self, Ambient};
use crate::error::Error;
use crate::session::Session;

/// Where the configuration of the machine is.
const SYSTEM: &str = "/etc/runwrit/runwrit.toml";

/// The configuration, and the directory that its relative paths start from.
#[derive(Debug, Clone)]
pub struct Configuration {
    /// What it says.
    pub settings: Settings,
    /// Where it stands; nothing where there is none.
    pub file: Option<PathBuf>,
    base: PathBuf,
}

impl Configuration {
    /// Reads the file of `--config`, else of `RUNWRIT_CONFIG`, else of the user, else of the
    /// machine; where there is none, everything has its default.
    ///
    /// The current directory is not searched: a folder that somebody else wrote could name another
    /// endpoint for a credential.
    pub fn read(session: &Session) -> Result<Self, Error> {
        let named = session.shared.config.clone();
        let named = named.or(session.ambient.variable("RUNWRIT_CONFIG").map(PathBuf::from));
        match named.or_else(|| found(&session.ambient)) {
            Some(path) => Self::of_file(&path, &session.ambient.directory),
            None => {
                let base = session.ambient.directory.clone();
                Ok(Self { settings: Settings::default(), file: None, base })
            }
        }
    }

    fn of_file(path: &Path, directory: &Path) -> Result<Self, Error> {
        let text = ambient::read_text("configuration", path, limits::DOCUMENT_BYTES_MAX)?;
        let settings = Settings::parse(&path.display().to_string(), &text)?;
        let file = directory.join(path);
        let base = file.parent().unwrap_or(directory).to_owned();
        Ok(Self { settings, file: Some(file), base })
    }

    /// Returns the state directory: of `--state`, else of the configuration, else of the user.
    pub fn state_directory(&self, session: &Session) -> Result<PathBuf, Error> {
        if let Some(path) = &session.shared.state {
            return Ok(session.ambient.directory.join(path));
        }
        if let Some(path) = &self.settings.state {
            return Ok(self.base.join(path));
        }
        session.ambient.user_directory("XDG_STATE_HOME", ".local/state").ok_or_else(|| {
            Error::usage("there is no state directory: neither `HOME` nor `XDG_STATE_HOME` is set")
                .hint("name one with `--state DIR`, or as `state` in runwrit.toml")
        })
    }

    /// Returns the directories where runbooks are looked for by name.
    pub fn package_directories(&self) -> Vec<PathBuf> {
        self.settings.packages.iter().map(|path| self.base.join(path)).collect()
    }

    /// Returns a path of the configuration as the file means it.
    pub fn path(&self, path: &str) -> PathBuf {
        self.base.join(path)
    }
}

fn found(ambient: &Ambient) -> Option<PathBuf> {
    let user = ambient.user_directory("XDG_CONFIG_HOME", ".config");
    let candidates = user.map(|folder| folder.join("runwrit.toml")).into_iter();
    candidates.chain([PathBuf::from(SYSTEM)]).find(|path| ambient::exists(path))
}
