//! `build.toml`: how the component of a runbook is made from its source. It stands beside
//! `runbook.toml` and never travels with the package.

use std::path::PathBuf;

use serde::{Deserialize, Serialize};

use crate::document::Presence::Required;
use crate::document::rules::{PATH, SENTENCE};
use crate::document::{Faults, Field, Kind, Lines, Presence, read, settle};

/// What the file is called.
pub const FILE: &str = "build.toml";

/// The whole file.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub struct Recipe {
    /// The version of the format.
    pub version: u32,
    /// A line for the shell, which runs it in the folder of this file.
    pub command: String,
    /// What it makes, seen from that folder: a component, or a core module that carries its world.
    pub output: PathBuf,
}

const fn field(name: &'static str, presence: Presence, kind: Kind, about: &'static str) -> Field {
    Field { name, about, presence, kind }
}

/// The fields of the file.
pub const SCHEMA: &[Field] = &[
    field("version", Required, Kind::Integer(1, 1), "the version of the format"),
    field("command", Required, Kind::Text(&SENTENCE), "what the shell runs in this folder"),
    field("output", Required, Kind::Text(&PATH), "the component or core module that it makes"),
];

impl Recipe {
    /// Reads a `build.toml`. `file` is its name for errors.
    pub fn parse(file: &str, text: &str) -> Result<Self, Faults> {
        let (recipe, lines): (Self, Lines) = read(file, text, SCHEMA)?;
        settle(file, &lines, Vec::new())?;
        Ok(recipe)
    }
}
