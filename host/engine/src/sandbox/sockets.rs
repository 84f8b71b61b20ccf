//! The sockets of WASI, with nothing behind them: what Python is compiled to imports all of them,
//! whether a runbook reaches for the network or not.

use runwrit_model::admission::SOCKETS;
use wasmtime::Error;
use wasmtime::component::types::ComponentItem;
use wasmtime::component::{Component, Linker, ResourceType};

/// Lets a component import sockets, and ends its run at the first call of one.
pub fn close<T: 'static>(linker: &mut Linker<T>, component: &Component) -> Result<(), Error> {
    let engine = component.engine();
    let surface = component.component_type();
    for (name, import) in surface.imports(engine) {
        let (true, ComponentItem::ComponentInstance(interface)) = (is_socket(name), import.ty)
        else {
            continue;
        };
        let mut closed = linker.instance(name)?;
        for (item, export) in interface.exports(engine) {
            match export.ty {
                ComponentItem::ComponentFunc(_) => {
                    let function = format!("{name}#{item}");
                    closed.func_new(item, move |_, _, _, _| {
                        Err(Error::msg(format!(
                            "`{function}` was called, and a runbook has no sockets: reach the \
                             outside through a `runwrit:` interface instead"
                        )))
                    })?;
                }
                // What another interface owns is known by now, and keeps its type.
                ComponentItem::Resource(_) if owns(name, item) => {
                    closed.resource(item, ResourceType::host::<()>(), |_, _| Ok(()))?;
                }
                _ => {}
            }
        }
    }
    Ok(())
}

/// Returns whether an interface defines a resource itself, rather than using another's.
fn owns(interface: &str, resource: &str) -> bool {
    let path = interface.split('@').next().unwrap_or_default();
    match path.strip_prefix("wasi:sockets/") {
        Some("network") => resource == "network",
        Some("tcp") => resource == "tcp-socket",
        Some("udp") => resource == "udp-socket" || resource.ends_with("-datagram-stream"),
        Some("ip-name-lookup") => resource == "resolve-address-stream",
        _ => false,
    }
}

/// Takes any patch of the version that admission knows.
fn is_socket(name: &str) -> bool {
    let path = name.strip_prefix("wasi:").and_then(|rest| rest.split_once('@'));
    path.is_some_and(|(path, version)| SOCKETS.contains(&path) && version.starts_with("0.2."))
}
