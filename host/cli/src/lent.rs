//! What other installations lent with runs that moved here: one private file for each scope, in
//! `lent` of the state directory.

use std::path::Path;

use data_encoding::BASE64;
use runwrit_model::id::Scope;
use runwrit_model::labels::{HostKey, Lent, scope_value};
use runwrit_model::limits;
use serde::{Deserialize, Serialize};

use crate::ambient;
use crate::error::Error;

/// The folder.
pub const FOLDER: &str = "lent";
/// The ending of each file.
pub const ENDING: &str = ".json";

/// A file.
#[derive(Serialize, Deserialize)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
struct Document {
    version: u32,
    scope: String,
    installation: String,
    /// Base64.
    key: String,
}

/// Adds everything that was lent to the key of a state directory.
pub fn open(key: HostKey, state: &Path) -> Result<HostKey, Error> {
    let folder = state.join(FOLDER);
    let names = ambient::names_in(&folder);
    names.iter().filter(|name| name.ends_with(ENDING)).try_fold(key, |key, name| {
        let path = folder.join(name);
        let bytes = ambient::read_private("lent key", &path, limits::DOCUMENT_BYTES_MAX)?;
        let read = serde_json::from_slice(&bytes).ok().and_then(|it: Document| {
            let bytes = BASE64.decode(it.key.as_bytes()).ok()?;
            let key = <[u8; 32]>::try_from(bytes).ok().filter(|_| it.version == 1)?;
            Some((Scope::from(it.scope), Lent { installation: it.installation, key }))
        });
        let (scope, lent) = read.ok_or_else(|| {
            Error::usage(format!("the lent key `{}` cannot be read", path.display()))
                .hint("restore the state directory from a backup, or import the run again")
        })?;
        Ok(key.with_lent(&scope, lent))
    })
}

/// Keeps what was lent for a scope.
pub fn keep(state: &Path, scope: &Scope, lent: &Lent) -> Result<(), Error> {
    let folder = state.join(FOLDER);
    ambient::make_private_directory("folder of lent keys", &folder)?;
    let document = Document {
        version: 1,
        scope: scope.to_string(),
        installation: lent.installation.clone(),
        key: BASE64.encode(&lent.key),
    };
    let bytes = serde_json::to_vec(&document).expect("it holds only strings");
    let path = folder.join(format!("{}{ENDING}", scope_value(scope)));
    ambient::write_private_whole("lent key", &path, &bytes)
}
