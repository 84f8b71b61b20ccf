//! The files that people name: grants and plans.

use std::path::Path;

use runwrit_model::grant::Grant;
use runwrit_model::limits;
use runwrit_model::plan::Plan;

use crate::ambient;
use crate::error::{Error, chain};

/// Reads a grant.
pub fn grant(path: &Path) -> Result<Grant, Error> {
    let text = ambient::read_text("grant", path, limits::DOCUMENT_BYTES_MAX)?;
    Ok(Grant::parse(&path.display().to_string(), &text)?)
}

/// Reads a plan.
pub fn plan(path: &Path) -> Result<Plan, Error> {
    let text = ambient::read_text("plan", path, limits::PLAN_BYTES_MAX as u64 + 1)?;
    Plan::parse(&path.display().to_string(), &text).map_err(|error| {
        Error::usage(chain(&error)).hint("make a new one with `runwrit plan … --out FILE`")
    })
}
