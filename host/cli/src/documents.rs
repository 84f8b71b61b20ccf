//! The files that people name: grants and plans.

use std::path::Path;

use runwrit_model::grant::Grant;
use runwrit_model::limits;
use runwrit_model::plan::Plan;

use crate::ambient;
use crate::error::{Error, chain};

/// Reads a grant.
pub fn grant(path: &Path) -> Result<Grant, Error> {
    parse_grant(path, &grant_text(path)?)
}

/// Reads the text of a grant.
pub fn grant_text(path: &Path) -> Result<String, Error> {
    ambient::read_text("grant", path, limits::DOCUMENT_BYTES_MAX)
}

/// Reads what the text of a grant says.
pub fn parse_grant(path: &Path, text: &str) -> Result<Grant, Error> {
    Ok(Grant::parse(&path.display().to_string(), text)?)
}

/// Reads a plan.
pub fn plan(path: &Path) -> Result<Plan, Error> {
    let text = ambient::read_text("plan", path, limits::PLAN_BYTES_MAX as u64 + 1)?;
    Plan::parse(&path.display().to_string(), &text).map_err(|error| {
        Error::usage(chain(&error)).hint("make a new one with `runwrit plan … --out FILE`")
    })
}
