//! Finds the secret of a credential: in the variable or the file that it names, nowhere else.

use runwrit_capabilities::hetzner::client::Credential;
use runwrit_model::endpoint::{Endpoint, check_token};
use runwrit_model::limits;
use runwrit_model::secret::Secret;
use runwrit_model::world::{self, Source};

use crate::ambient::{self, Ambient};
use crate::configuration::Configuration;
use crate::error::Error;
use crate::simulation::simulated_token;

/// Where credentials come from.
#[derive(Debug, Clone)]
pub enum Wallet {
    /// From the environment and the files that the configuration names.
    Real(Box<(Ambient, Configuration)>),
    /// Made up, for the simulator at this endpoint. The real ones are not even looked at.
    Simulated(Endpoint),
}

impl Wallet {
    /// Takes credentials from where the configuration says.
    pub fn real(ambient: &Ambient, configuration: &Configuration) -> Self {
        Self::Real(Box::new((ambient.clone(), configuration.clone())))
    }

    /// Returns a credential by its name.
    pub fn credential(&self, name: &str) -> Result<Credential, Error> {
        match self {
            Self::Real(sources) => real(name, &sources.0, &sources.1),
            Self::Simulated(endpoint) => Ok(Credential {
                name: name.to_owned(),
                token: Secret::new(simulated_token(name)),
                endpoint: endpoint.clone(),
            }),
        }
    }
}

fn real(name: &str, ambient: &Ambient, configuration: &Configuration) -> Result<Credential, Error> {
    let variable = ambient.variable("HCLOUD_ENDPOINT");
    let found = world::credential(&configuration.settings, name, variable)
        .map_err(|error| Error::usage(error.to_string()))?;
    let token = secret(name, &found.source, ambient, configuration)?;
    check_token(name, &token, &found.endpoint).map_err(|error| Error::usage(error.to_string()))?;
    Ok(Credential { name: name.to_owned(), token, endpoint: found.endpoint })
}

fn secret(
    name: &str,
    source: &Source,
    ambient: &Ambient,
    configuration: &Configuration,
) -> Result<Secret, Error> {
    match source {
        Source::Variable(variable) if !ambient.has_variable(variable) => {
            let message = format!("the credential `{name}` needs `{variable}`, which is not set");
            Err(Error::usage(message).hint(format!(
                "`export {variable}=…`, or name a file of mode 0600 under `[credentials.{name}]` \
                 in runwrit.toml"
            )))
        }
        Source::Variable(variable) => {
            Ok(Secret::new(ambient.variable(variable).unwrap_or_default()))
        }
        Source::File(path) => {
            let path = configuration.path(path);
            let bytes = ambient::read_private("token file", &path, limits::DOCUMENT_BYTES_MAX)?;
            // What is no text is no token; the check of its form says so.
            let text = String::from_utf8_lossy(&bytes);
            // Editors end files with a line feed, which no token has.
            Ok(Secret::new(text.trim_end_matches(['\n', '\r'])))
        }
    }
}
