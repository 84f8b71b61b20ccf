//! Opens the places where packages are kept, with the credential of each.

use runwrit_distribution::error::TransferError;
use runwrit_distribution::reference::{Place, Reference};
use runwrit_distribution::registry::Credential;
use runwrit_distribution::shelf::Shelf;
use runwrit_model::limits;
use runwrit_model::secret::Secret;

use crate::ambient;
use crate::configuration::Configuration;
use crate::error::{Error, chain};
use crate::session::Session;

/// Reads a reference that a person typed; paths in it start from their directory.
pub fn reference(text: &str, session: &Session) -> Result<Reference, Error> {
    let reference: Reference = text.parse().map_err(|error| Error::usage(format!("{error}")))?;
    let directory = &session.ambient.directory;
    let place = match reference.place {
        Place::Layout(path) => Place::Layout(directory.join(path)),
        Place::Archive(path) => Place::Archive(directory.join(path)),
        registry @ Place::Registry { .. } => registry,
    };
    Ok(Reference { place, ..reference })
}

/// Opens a place to take from.
pub fn open(
    reference: &Reference,
    configuration: &Configuration,
    session: &Session,
) -> Result<Shelf, Error> {
    let credential = credential(&reference.place, configuration, session)?;
    Shelf::open(&reference.place, credential).map_err(failed)
}

/// Opens a place to put to. A registry has to be told under which name.
pub fn begin(
    reference: &Reference,
    configuration: &Configuration,
    session: &Session,
) -> Result<Shelf, Error> {
    let is_registry = matches!(reference.place, Place::Registry { .. });
    if is_registry && reference.tag.is_none() && reference.digest.is_none() {
        return Err(failed(TransferError::NoTag(reference.to_string())));
    }
    let credential = credential(&reference.place, configuration, session)?;
    Shelf::begin(&reference.place, credential).map_err(failed)
}

/// Says why a package did not travel.
pub fn failed(error: TransferError) -> Error {
    Error::new(error.exit(), chain(&error)).hint(error.hint())
}

/// Finds who one is to a registry: in the variable or the file that the configuration names.
fn credential(
    place: &Place,
    configuration: &Configuration,
    session: &Session,
) -> Result<Option<Credential>, Error> {
    let Place::Registry { host, .. } = place else { return Ok(None) };
    let Some(found) = configuration.settings.registries.get(host) else { return Ok(None) };
    let text = match (&found.env, &found.file) {
        (Some(variable), _) => match session.ambient.variable(variable) {
            Some(text) => text.to_owned(),
            None => {
                let message = format!("the registry `{host}` needs `{variable}`, which is not set");
                return Err(Error::usage(message).hint(format!(
                    "`export {variable}=…`, or name a file of mode 0600 under \
                     `[registries.\"{host}\"]` in runwrit.toml"
                )));
            }
        },
        (None, Some(file)) => {
            let path = configuration.path(file);
            let bytes = ambient::read_private("secret", &path, limits::KEY_BYTES_MAX)?;
            // What is no text is no secret that a header can carry, and is refused as such.
            String::from_utf8_lossy(&bytes).trim_end_matches(['\n', '\r']).to_owned()
        }
        (None, None) => return Ok(None),
    };
    let (user, token_service) = (found.user.clone(), found.token_service.clone());
    Ok(Some(Credential { user, secret: Secret::new(text), token_service }))
}
