//! Calls by name: what a guest in a process of its own asks, answered as if it were linked here.
//!
//! Arguments and answers are values of JSON in the shape that the bindings give them.

use std::collections::BTreeSet;

use serde::Serialize;
use serde::de::DeserializeOwned;
use serde_json::{Value, json};

use crate::Capabilities;
use crate::bindings::runwrit;
use crate::bindings::runwrit::types::failures::Host as _;
use crate::gate::{CallError, Gate, Stop};

/// A call, as it comes from the other process: nothing of it is believed.
#[derive(Debug, Clone, PartialEq)]
pub struct Asked {
    /// The interface, named as in an ask (`hetzner/servers`).
    pub interface: String,
    /// The function, named as in its package (`create-many`).
    pub function: String,
    /// The arguments, in order.
    pub arguments: Vec<Value>,
}

/// Why a call has no answer. A guest whose component was admitted never sees the first three.
#[derive(Debug, thiserror::Error)]
pub enum DispatchError {
    /// It was not granted to the run.
    #[error("`{0}` was called, which was not granted to this run")]
    NotGranted(String),
    /// The host has no such function.
    #[error("`{interface}` of this host has no function `{function}`")]
    Unknown {
        /// The interface.
        interface: String,
        /// The function.
        function: String,
    },
    /// The arguments are not those of the function.
    #[error("`{interface}` was called in a shape that this host does not know: {cause}")]
    Shape {
        /// The interface and function.
        interface: String,
        /// Why.
        cause: String,
    },
    /// The gate stops the run.
    #[error(transparent)]
    Stopped(#[from] Stop),
    /// A local call failed.
    #[error("{0}")]
    Local(wasmtime::Error),
}

/// Writes down every function once: its name in the package, and its method in the bindings.
macro_rules! functions {
    ($($interface:literal => $package:ident :: $module:ident {
        $($function:literal => $method:ident($($argument:ident),*) $(.$later:tt)?,)*
    })*) => {
        /// Every function that can be called by name, as (interface, function).
        pub const FUNCTIONS: &[(&str, &str)] = &[$($(($interface, $function)),*),*];

        async fn answer<G: Gate>(
            host: &mut Capabilities<G>,
            asked: Asked,
        ) -> Result<Value, DispatchError> {
            let Asked { interface, function, arguments } = asked;
            let place = format!("{interface}.{function}");
            match (interface.as_str(), function.as_str()) {
                $($(($interface, $function) => {
                    let [$($argument),*] = all(&place, arguments)?;
                    $(let $argument = one(&place, $argument)?;)*
                    let told = runwrit::$package::$module::Host::$method(host, $($argument),*)
                        $(.$later)?;
                    told.tell(host)
                })*)*
                _ => Err(DispatchError::Unknown { interface, function }),
            }
        }
    };
}

functions! {
    "run/inputs" => run::inputs {
        "text" => text(name),
        "integer" => integer(name),
        "boolean" => boolean(name),
    }
    "run/outputs" => run::outputs {
        "set" => set(name, value),
    }
    "run/steps" => run::steps {
        "begin" => begin(title).await,
        "verified" => verified(what).await,
    }
    "run/log" => run::log {
        "write" => write(level, message),
    }
    "run/clock" => run::clock {
        "now" => now(),
        "sleep" => sleep(seconds).await,
    }
    "run/random" => run::random {
        "bytes" => bytes(count),
    }
    "run/recovery" => run::recovery {
        "last-call" => last_call(),
        "keep" => keep(call).await,
        "undo-with" => undo_with(call, calls).await,
        "pivot" => pivot().await,
    }
    "hetzner/locations" => hetzner::locations {
        "get" => get(name).await,
        "list" => list().await,
    }
    "hetzner/server-types" => hetzner::server_types {
        "candidates" => candidates(role, location).await,
        "get" => get(server_type, location).await,
    }
    "hetzner/images" => hetzner::images {
        "get" => get(name, architecture).await,
    }
    "hetzner/pricing" => hetzner::pricing {
        "scope" => scope().await,
    }
    "hetzner/ssh-keys" => hetzner::ssh_keys {
        "get" => get(name).await,
        "list" => list().await,
        "create" => create(name, public_key, labels).await,
        "delete" => delete(id).await,
    }
    "hetzner/networks" => hetzner::networks {
        "get" => get(id).await,
        "list" => list().await,
        "create" => create(spec).await,
        "delete" => delete(id).await,
    }
    "hetzner/firewalls" => hetzner::firewalls {
        "get" => get(id).await,
        "list" => list().await,
        "create" => create(spec).await,
        "set-rules" => set_rules(id, rules).await,
        "apply" => apply(id, server).await,
        "remove" => remove(id, server).await,
        "delete" => delete(id).await,
    }
    "hetzner/servers" => hetzner::servers {
        "check" => check(specs).await,
        "get" => get(id).await,
        "list" => list().await,
        "create" => create(spec).await,
        "create-many" => create_many(specs).await,
        "power-on" => power_on(id).await,
        "power-off" => power_off(id).await,
        "delete" => delete(id).await,
    }
    "hetzner/volumes" => hetzner::volumes {
        "get" => get(id).await,
        "list" => list().await,
        "create" => create(spec).await,
        "attach" => attach(id, server).await,
        "detach" => detach(id).await,
        "declare-data" => declare_data(id, what).await,
        "delete" => delete(id).await,
    }
    "hetzner/primary-ips" => hetzner::primary_ips {
        "get" => get(id).await,
        "list" => list().await,
        "create" => create(name, family, location, labels).await,
        "delete" => delete(id).await,
    }
    "dns/records" => dns::records {
        "zones" => zones().await,
        "get" => get(zone, name, kind).await,
        "list" => list(zone).await,
        "check" => check(zone, name, kind).await,
        "set" => set(set).await,
        "delete" => delete(zone, name, kind).await,
        "verify" => verify(set).await,
    }
    "registry/tenants" => registry::tenants {
        "get" => get(id).await,
        "list" => list().await,
        "reserve" => reserve(id, octet).await,
        "activate" => activate(id, endpoints).await,
        "retire" => retire(id).await,
    }
    "http/requests" => http::requests {
        "read" => read(request).await,
        "send" => send(request).await,
    }
    "audit/events" => audit::events {
        "append" => append(kind, subject, details).await,
    }
}

/// Answers a call to one of the interfaces `open`, as [`crate::linker::open`] names them.
pub async fn dispatch<G: Gate>(
    host: &mut Capabilities<G>,
    open: &BTreeSet<String>,
    asked: Asked,
) -> Result<Value, DispatchError> {
    if !open.contains(&asked.interface) {
        return Err(DispatchError::NotGranted(asked.interface));
    }
    answer(host, asked).await
}

fn all<const N: usize>(place: &str, given: Vec<Value>) -> Result<[Value; N], DispatchError> {
    let shape = |given: Vec<Value>| {
        let cause = format!("{} arguments were given, and it takes {N}", given.len());
        DispatchError::Shape { interface: place.to_owned(), cause }
    };
    given.try_into().map_err(shape)
}

fn one<T: DeserializeOwned>(place: &str, given: Value) -> Result<T, DispatchError> {
    let shape = |error: serde_json::Error| DispatchError::Shape {
        interface: place.to_owned(),
        cause: error.to_string(),
    };
    serde_json::from_value(given).map_err(shape)
}

/// What a method of the bindings returns, for the other process.
trait Tell {
    fn tell<G: Gate>(self, host: &mut Capabilities<G>) -> Result<Value, DispatchError>;
}

/// A function whose result can be a failure.
impl<T: Serialize> Tell for Result<T, CallError> {
    fn tell<G: Gate>(self, host: &mut Capabilities<G>) -> Result<Value, DispatchError> {
        match self {
            Ok(value) => Ok(json!({ "Ok": value })),
            Err(CallError::Stopped(stop)) => Err(stop.into()),
            Err(failed) => {
                let failure = host.convert_failure(failed).map_err(DispatchError::Local)?;
                Ok(json!({ "Err": failure }))
            }
        }
    }
}

/// A function that always has a value.
impl<T: Serialize> Tell for wasmtime::Result<T> {
    fn tell<G: Gate>(self, _: &mut Capabilities<G>) -> Result<Value, DispatchError> {
        match self {
            Ok(value) => Ok(json!(value)),
            Err(error) => Err(match error.downcast::<Stop>() {
                Ok(stop) => DispatchError::Stopped(stop),
                Err(error) => DispatchError::Local(error),
            }),
        }
    }
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    use wit_parser::Resolve;

    use super::*;

    /// A function that is linked but not named here would work in one process and fail in two.
    #[test]
    fn every_function_of_the_world_can_be_called_by_name() {
        let mut resolve = Resolve::default();
        resolve.push_dir(Path::new(env!("CARGO_MANIFEST_DIR")).join("../../wit")).unwrap();
        let mut missing = Vec::new();
        for (_, interface) in &resolve.interfaces {
            let package = &resolve.packages[interface.package.unwrap()].name;
            let name = format!("{}/{}", package.name, interface.name.as_ref().unwrap());
            let functions = interface.functions.keys().map(String::as_str);
            missing.extend(
                functions
                    .filter(|function| !FUNCTIONS.contains(&(name.as_str(), *function)))
                    .map(|function| format!("{name}.{function}")),
            );
        }
        assert!(missing.is_empty(), "`functions!` lacks {missing:?}");
    }

    #[test]
    fn arguments_that_do_not_fit_are_refused() {
        let given = vec![json!("a"), json!(1)];
        assert!(all::<1>("run/inputs.text", given.clone()).is_err());
        assert!(all::<2>("run/outputs.set", given).is_ok());
        assert!(one::<u8>("registry/tenants.reserve", json!(256)).is_err());
    }
}
