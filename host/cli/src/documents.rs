//! The files that people write: grants and inputs.

use std::path::Path;

use runwrit_model::grant::Grant;
use runwrit_model::limits;

use crate::ambient;
use crate::error::Error;

/// Reads a grant.
pub fn grant(path: &Path) -> Result<Grant, Error> {
    let text = ambient::read_text("grant", path, limits::DOCUMENT_BYTES_MAX)?;
    Ok(Grant::parse(&path.display().to_string(), &text)?)
}
