//! Who says what time it is, beside the clock of this machine: the endpoints of its credentials.

use std::collections::BTreeSet;

use runwrit_engine::view;
use runwrit_model::due::is_contradicted;

use crate::ambient;
use crate::configuration::Configuration;
use crate::error::{Error, chain};
use crate::installation::Installation;
use crate::session::Session;
use crate::site::{self, Site};

/// Has an endpoint confirm the clock of this machine: those of `concerned` are asked first, one
/// after the other, until one answers. It is an error that it has another time, and that none
/// answers. A host without any credential has nobody to ask.
pub async fn confirm(
    concerned: &BTreeSet<String>,
    installation: &Installation,
    session: &Session,
    configuration: &Configuration,
) -> Result<(), Error> {
    let Ok(mut names) = site::credentials(session, configuration) else { return Ok(()) };
    names.sort_by_key(|name| !concerned.contains(name));
    let mut silent = Vec::new();
    for name in names {
        let asked = async {
            let site = Site::open(&name, session, installation, configuration)?;
            site.date_unix_ms().await.map_err(|error| Error::usage(chain(&error)))
        };
        match asked.await {
            Ok(told) => return judge(&name, told),
            Err(error) => silent.push(format!("`{name}`: {}", error.message)),
        }
    }
    Err(unconfirmed(silent))
}

fn judge(name: &str, told: u64) -> Result<(), Error> {
    let now = ambient::now_unix_ms();
    if !is_contradicted(now, told) {
        return Ok(());
    }
    let (now, told) = (view::time(now), view::time(told));
    let message = format!("the clock says {now}, and the endpoint of `{name}` says {told}");
    Err(Error::usage(message).hint(
        "set it (`timedatectl set-ntp true`); nothing was done, and all that is due stays so",
    ))
}

/// A wrong clock would end waits, deadlines, grants and budgets for good, so silence confirms none.
fn unconfirmed(silent: Vec<String>) -> Error {
    let now = view::time(ambient::now_unix_ms());
    let message = format!("the clock says {now}, and no endpoint confirms it");
    let error = Error::usage(message).hint(
        "nothing was done, and all that is due stays so until one answers; look at the network, \
         then at the clock: one that is ahead lets certificates seem expired",
    );
    silent.into_iter().fold(error, Error::detail)
}
