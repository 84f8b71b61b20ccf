//! Which interfaces a guest can reach: only those that were granted to its run.

use std::collections::BTreeSet;

use runwrit_model::operations::{self, Interface};
use wasmtime::component::{HasSelf, Linker};

use crate::Capabilities;
use crate::bindings::runwrit;
use crate::gate::Gate;

/// How the store's data lends the capabilities of its run.
pub type Lend<T, G> = fn(&mut T) -> &mut Capabilities<G>;

/// An interface that cannot be linked.
#[derive(Debug, thiserror::Error)]
pub enum LinkError {
    /// The host offers none of that name.
    #[error("this host offers no interface `{0}`")]
    Unknown(String),
    /// Wasmtime refused it.
    #[error("the interface `{interface}` could not be linked")]
    Refused {
        /// Its name.
        interface: String,
        /// Why.
        source: wasmtime::Error,
    },
}

/// Writes down every interface once: its name in asks and grants, and its module in the bindings.
macro_rules! offers {
    ($($name:literal => $package:ident :: $interface:ident,)*) => {
        /// All interfaces that this host offers, as asks and grants name them.
        pub const INTERFACES: &[&str] = &[$($name),*];

        fn add_one<T: Send + 'static, G: Gate + 'static>(
            linker: &mut Linker<T>,
            name: &str,
            lend: Lend<T, G>,
        ) -> Result<(), LinkError> {
            let linked = match name {
                $($name => runwrit::$package::$interface::add_to_linker::<
                    T,
                    HasSelf<Capabilities<G>>,
                >(linker, lend),)*
                _ => return Err(LinkError::Unknown(name.to_owned())),
            };
            linked.map_err(|source| LinkError::Refused { interface: name.to_owned(), source })
        }
    };
}

offers! {
    "types/failures" => types::failures,
    "types/labels" => types::labels,
    "run/inputs" => run::inputs,
    "run/outputs" => run::outputs,
    "run/steps" => run::steps,
    "run/log" => run::log,
    "run/clock" => run::clock,
    "run/random" => run::random,
    "run/recovery" => run::recovery,
    "hetzner/locations" => hetzner::locations,
    "hetzner/server-types" => hetzner::server_types,
    "hetzner/images" => hetzner::images,
    "hetzner/pricing" => hetzner::pricing,
    "hetzner/ssh-keys" => hetzner::ssh_keys,
    "hetzner/networks" => hetzner::networks,
    "hetzner/firewalls" => hetzner::firewalls,
    "hetzner/servers" => hetzner::servers,
    "hetzner/volumes" => hetzner::volumes,
    "hetzner/primary-ips" => hetzner::primary_ips,
    "dns/records" => dns::records,
    "registry/tenants" => registry::tenants,
    "http/requests" => http::requests,
    "audit/events" => audit::events,
}

/// Returns the interfaces that a run with `granted`, named as in an ask (`hetzner/servers`), can
/// reach: those, and what holds no authority: the shared types, and what reaches nothing outside
/// of the run.
pub fn open(granted: &BTreeSet<String>) -> BTreeSet<String> {
    let free = operations::INTERFACES.iter().filter(|it| it.is_free).map(Interface::path);
    let types = ["types/failures", "types/labels"].map(str::to_owned);
    granted.iter().cloned().chain(types).chain(free).collect()
}

/// Links the interfaces that are open to `granted`. A guest that imports another cannot be
/// instantiated.
pub fn add<T: Send + 'static, G: Gate + 'static>(
    linker: &mut Linker<T>,
    granted: &BTreeSet<String>,
    lend: Lend<T, G>,
) -> Result<(), LinkError> {
    open(granted).iter().try_for_each(|name| add_one(linker, name, lend))
}
