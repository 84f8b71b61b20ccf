//! How this state directory claims scopes that came to it with runs: one private file for each
//! scope, in `successions` of it. A restored copy begins anew without them: it is later than all.

use std::collections::BTreeMap;
use std::path::Path;

use runwrit_model::claim::Succession;
use runwrit_model::id::Scope;
use runwrit_model::labels::scope_value;
use runwrit_model::limits;
use serde::{Deserialize, Serialize};

use crate::ambient;
use crate::error::Error;

/// The folder.
const FOLDER: &str = "successions";
/// The ending of each file.
const ENDING: &str = ".json";
/// How a file is laid out.
const VERSION: u32 = 1;

/// A file.
#[derive(Serialize, Deserialize)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
struct Document {
    version: u32,
    epoch: u64,
    after: Option<u64>,
}

/// Reads all of them, by the values of the labels of their scopes.
pub fn read(state: &Path) -> Result<BTreeMap<String, Succession>, Error> {
    let folder = state.join(FOLDER);
    let names = ambient::names_in(&folder);
    let scopes = names.iter().filter_map(|name| Some((name, name.strip_suffix(ENDING)?)));
    scopes
        .map(|(name, scope)| {
            let path = folder.join(name);
            let bytes = ambient::read_private("succession", &path, limits::DOCUMENT_BYTES_MAX)?;
            let read: Option<Document> = serde_json::from_slice(&bytes).ok();
            let document = read.filter(|it| it.version == VERSION).ok_or_else(|| {
                Error::usage(format!("the succession `{}` cannot be read", path.display()))
                    .hint("restore the state directory from a backup")
            })?;
            let Document { epoch, after, .. } = document;
            Ok((scope.to_owned(), Succession { epoch, after }))
        })
        .collect()
}

/// Keeps how a scope is claimed.
pub fn keep(state: &Path, scope: &Scope, succession: Succession) -> Result<(), Error> {
    let folder = state.join(FOLDER);
    ambient::make_private_directory("folder of successions", &folder)?;
    let Succession { epoch, after } = succession;
    let document = Document { version: VERSION, epoch, after };
    let bytes = serde_json::to_vec(&document).expect("it holds only numbers");
    let path = folder.join(format!("{}{ENDING}", scope_value(scope)));
    ambient::write_private_whole("succession", &path, &bytes)
}
