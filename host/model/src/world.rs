//! Where a run acts: which credential, which endpoint, which project. A run never acts in another
//! world than the one it began in, since an answer from elsewhere proves nothing.

use std::collections::BTreeMap;

use crate::endpoint::{self, Endpoint};
use crate::journal::World;
use crate::nearest::nearest;
use crate::settings::Settings;

/// The name of the credential that `HCLOUD_TOKEN` and `HCLOUD_ENDPOINT` make.
pub const DEFAULT_CREDENTIAL: &str = "hetzner";

/// A credential, found: where its secret is and where it goes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Credential {
    /// Its name.
    pub name: String,
    /// Where its secret is.
    pub source: Source,
    /// The one endpoint that it is sent to.
    pub endpoint: Endpoint,
}

/// Where a secret is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Source {
    /// In this environment variable.
    Variable(String),
    /// In this file.
    File(String),
}

/// Why there is no such credential.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum CredentialError {
    /// Not configured.
    #[error("there is no credential `{name}`: {fix}")]
    Unknown {
        /// The name.
        name: String,
        /// What to do.
        fix: String,
    },
    /// The variable is no endpoint.
    #[error("`HCLOUD_ENDPOINT`: {0}")]
    Endpoint(endpoint::EndpointError),
    /// Two endpoints for one token.
    #[error(
        "the credential `{name}` is for `{configured}`, but `HCLOUD_ENDPOINT` is `{variable}`: \
         unset the variable, or name the same endpoint in both"
    )]
    Contradiction {
        /// The credential.
        name: String,
        /// What the configuration says.
        configured: String,
        /// What the variable says.
        variable: String,
    },
}

/// Finds a credential of Hetzner Cloud by its name. `variable` is `HCLOUD_ENDPOINT`, where set.
pub fn credential(
    settings: &Settings,
    name: &str,
    variable: Option<&str>,
) -> Result<Credential, CredentialError> {
    let variable = variable
        .filter(|text| !text.is_empty())
        .map(|text| Endpoint::parse(text).map_err(CredentialError::Endpoint))
        .transpose()?;
    let (source, own) = match settings.credentials.get(name) {
        Some(found) => (source(found), found.endpoint.as_deref()),
        None if name == DEFAULT_CREDENTIAL => (Source::Variable("HCLOUD_TOKEN".into()), None),
        None => return Err(unknown(settings, name)),
    };
    let own = own.and_then(|text| Endpoint::parse(text).ok());
    let fallback = || Endpoint::parse(endpoint::HETZNER).expect("our own constant is an endpoint");
    let is_default = name == DEFAULT_CREDENTIAL;
    // Only the credential that the variables make takes its endpoint from one of them.
    let endpoint = match (own, &variable) {
        (Some(own), _) => own,
        (None, Some(variable)) if is_default => variable.clone(),
        (None, _) => fallback(),
    };
    match variable {
        Some(variable) if variable != endpoint => Err(CredentialError::Contradiction {
            name: name.to_owned(),
            configured: endpoint.to_string(),
            variable: variable.to_string(),
        }),
        _ => Ok(Credential { name: name.to_owned(), source, endpoint }),
    }
}

fn source(found: &crate::settings::Credential) -> Source {
    match (&found.env, &found.file) {
        (Some(variable), _) => Source::Variable(variable.clone()),
        (None, file) => Source::File(file.clone().unwrap_or_default()),
    }
}

fn unknown(settings: &Settings, name: &str) -> CredentialError {
    let known: Vec<&str> =
        settings.credentials.keys().map(String::as_str).chain([DEFAULT_CREDENTIAL]).collect();
    let fix = match nearest(name, known.iter().copied()) {
        Some(other) => format!("did you mean `{other}`?"),
        None => format!("add `[credentials.{name}]` with `env` or `file` to runwrit.toml"),
    };
    CredentialError::Unknown { name: name.to_owned(), fix }
}

/// How the present world differs from the one that a run began in.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Mismatch {
    /// The run used a capability that is not set up now.
    #[error("the run acted in `{capability}`, which is not set up now: restore its credential")]
    Missing {
        /// The capability.
        capability: String,
    },
    /// A capability that the run never used.
    #[error("the run never acted in `{capability}`: remove it")]
    Unexpected {
        /// The capability.
        capability: String,
    },
    /// One of credential, endpoint and project differs.
    #[error(
        "the {part} of `{capability}` was `{recorded}` when the run began and is `{present}` now: \
         nothing was touched; set it back"
    )]
    Differs {
        /// The capability.
        capability: String,
        /// Credential name, endpoint or project.
        part: &'static str,
        /// In the journal.
        recorded: String,
        /// Now.
        present: String,
    },
}

/// Compares the worlds of a journal with the present ones; any difference forbids to act at all.
pub fn compare(
    recorded: &BTreeMap<String, World>,
    present: &BTreeMap<String, World>,
) -> Result<(), Vec<Mismatch>> {
    let mut found = Vec::new();
    for (capability, before) in recorded {
        match present.get(capability) {
            None => found.push(Mismatch::Missing { capability: capability.clone() }),
            Some(now) => found.extend(differences(capability, before, now)),
        }
    }
    for capability in present.keys().filter(|name| !recorded.contains_key(*name)) {
        found.push(Mismatch::Unexpected { capability: capability.clone() });
    }
    if crate::breakable::is_broken("world") {
        found.clear();
    }
    if found.is_empty() { Ok(()) } else { Err(found) }
}

/// Compares the projects alone: what another run made stands where it was made, whatever its
/// credential is called now.
pub fn compare_projects(
    recorded: &BTreeMap<String, World>,
    present: &BTreeMap<String, World>,
) -> Result<(), Vec<Mismatch>> {
    let both =
        recorded.iter().filter_map(|(name, before)| Some((name, before, present.get(name)?)));
    let found = both.flat_map(|(name, before, now)| differences(name, before, now));
    let is_project = |it: &Mismatch| matches!(it, Mismatch::Differs { part: PROJECT, .. });
    let mut found: Vec<Mismatch> = found.filter(is_project).collect();
    if crate::breakable::is_broken("home") {
        found.clear();
    }
    if found.is_empty() { Ok(()) } else { Err(found) }
}

/// The part of a world that says in which project things stand.
const PROJECT: &str = "project";

fn differences(capability: &str, before: &World, now: &World) -> Vec<Mismatch> {
    let parts = [
        ("credential", &before.credential, &now.credential),
        ("endpoint", &before.endpoint, &now.endpoint),
        (PROJECT, &before.marker, &now.marker),
    ];
    let differs = |(part, recorded, present): (&'static str, &String, &String)| {
        // An empty marker identifies nothing, so two of them are not the same project.
        (recorded != present || recorded.is_empty()).then(|| Mismatch::Differs {
            capability: capability.to_owned(),
            part,
            recorded: recorded.clone(),
            present: present.clone(),
        })
    };
    parts.into_iter().filter_map(differs).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::breakable::with_broken;

    fn settings(text: &str) -> Settings {
        Settings::parse("runwrit.toml", &format!("version = 1\n{text}")).unwrap()
    }

    #[test]
    fn a_credential_has_exactly_one_endpoint() {
        let configured = "[credentials.prod]\nenv = \"PROD\"\nendpoint = \"https://a.example/v1\"\n\
                          [credentials.bare]\nfile = \"/t\"\n";
        let (api, sim) = (endpoint::HETZNER, "http://127.0.0.1:1/v1");
        let rows: [(&str, Option<&str>, Result<&str, &str>); 11] = [
            ("hetzner", None, Ok(api)),
            ("hetzner", Some(sim), Ok(sim)),
            ("hetzner", Some(""), Ok(api)),
            ("hetzner", Some("x"), Err("no endpoint")),
            ("prod", None, Ok("https://a.example/v1")),
            ("prod", Some("https://a.example/v1/"), Ok("https://a.example/v1")),
            ("prod", Some(sim), Err("unset the variable")),
            ("bare", None, Ok(api)),
            ("bare", Some(sim), Err("unset the variable")),
            ("prd", None, Err("did you mean `prod`")),
            ("other", None, Err("add `[credentials.other]`")),
        ];
        for (name, variable, expected) in rows {
            let found = credential(&settings(configured), name, variable);
            match (found, expected) {
                (Ok(found), Ok(endpoint)) => {
                    assert_eq!(found.endpoint.as_str(), endpoint, "{name}")
                }
                (Err(error), Err(part)) => assert!(error.to_string().contains(part), "{error}"),
                (found, _) => panic!("{name} with {variable:?} gave {found:?}"),
            }
        }
    }

    fn world(credential: &str, endpoint: &str, marker: &str) -> BTreeMap<String, World> {
        let world = World {
            credential: credential.into(),
            endpoint: endpoint.into(),
            marker: marker.into(),
        };
        [("hetzner".to_owned(), world)].into()
    }

    #[test]
    fn any_difference_forbids_to_act() {
        let recorded = world("prod", "https://a", "12:abc");
        compare(&recorded, &recorded).unwrap();
        let rows = [
            (world("test", "https://a", "12:abc"), "credential"),
            (world("prod", "https://b", "12:abc"), "endpoint"),
            (world("prod", "https://a", "13:abc"), "project"),
            (world("prod", "https://a", "12:ABC"), "project"),
            (world("prod", "https://a", ""), "project"),
            (BTreeMap::new(), "not set up"),
        ];
        for (present, part) in rows {
            let found = compare(&recorded, &present).expect_err(part);
            assert_eq!(found.len(), 1, "{part}");
            assert!(found[0].to_string().contains(part), "{}", found[0]);
        }
        assert!(compare(&BTreeMap::new(), &recorded).is_err());
        let blank = world("prod", "https://a", "");
        assert!(compare(&blank, &blank).is_err(), "two unmarked projects are not the same one");
        with_broken("world", || compare(&recorded, &blank)).expect("nothing else compares worlds");
    }

    #[test]
    fn what_stands_in_a_project_is_looked_for_in_that_project_only() {
        let recorded = world("prod", "https://a", "12:abc");
        let renamed = world("production", "https://b", "12:abc");
        for present in [renamed, BTreeMap::new()] {
            compare_projects(&recorded, &present).unwrap();
        }
        compare_projects(&BTreeMap::new(), &recorded).unwrap();
        for marker in ["13:abc", "12:abd", ""] {
            let other = world("prod", "https://a", marker);
            let found = compare_projects(&recorded, &other).expect_err(marker);
            assert!(found.len() == 1 && found[0].to_string().contains("project"), "{found:?}");
            let unchecked = with_broken("home", || compare_projects(&recorded, &other));
            unchecked.expect("nothing else compares projects");
        }
    }
}
