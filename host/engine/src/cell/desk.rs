//! The desk of a guest in a cell: every call goes over the stream.

use std::collections::BTreeSet;
use std::os::unix::net::UnixStream;

use serde_json::Value;
use wasmtime::component::types::{ComponentFunc, ComponentItem};
use wasmtime::component::{Component, Linker, Val};
use wasmtime::{Error, StoreContextMut};

use super::value::{decode, encode};
use super::wire::{self, Said};
use crate::sandbox::{Desk, State};

/// How the packages of the host begin.
const OURS: &str = "runwrit:";

/// The stream to the host.
pub struct Remote(pub UnixStream);

impl Remote {
    /// Says something and waits for the answer. Without the host there is nobody to run for.
    fn ask(&mut self, said: &Said) -> Result<Value, Error> {
        wire::send(&mut self.0, said)?;
        Ok(wire::receive(&mut self.0)?)
    }
}

impl Desk for Remote {
    fn link(
        linker: &mut Linker<State<Self>>,
        component: &Component,
        granted: &BTreeSet<String>,
    ) -> Result<(), Error> {
        let engine = linker.engine().clone();
        for (name, import) in component.component_type().imports(&engine) {
            let (Some(path), ComponentItem::ComponentInstance(instance)) = (path(name), import.ty)
            else {
                continue;
            };
            let mut linked = None;
            for (function, export) in instance.exports(&engine) {
                let ComponentItem::ComponentFunc(_) = export.ty else { continue };
                if !granted.contains(path) {
                    continue;
                }
                if linked.is_none() {
                    linked = Some(linker.instance(name)?);
                }
                let Some(offered) = &mut linked else { continue };
                let (path, name) = (path.to_owned(), function.to_owned());
                offered.func_new(function, move |store, ty, given, results| {
                    pass(store, (&path, &name), &ty, given, results)
                })?;
            }
        }
        Ok(())
    }

    fn now_unix_ms(&mut self) -> u64 {
        self.ask(&Said::Now).ok().and_then(|told| told.as_u64()).unwrap_or_default()
    }

    fn random(&mut self, count: u32) -> Vec<u8> {
        let told = self.ask(&Said::Random(count));
        told.ok().and_then(|told| serde_json::from_value(told).ok()).unwrap_or_default()
    }

    fn log(&mut self, line: String) {
        // When the host is gone the next call tells it.
        let _ = wire::send(&mut self.0, &Said::Log(line));
    }
}

/// Returns the interface of an import as asks name it: `runwrit:hetzner/servers@0.1.0` is
/// `hetzner/servers`.
fn path(import: &str) -> Option<&str> {
    import.strip_prefix(OURS)?.split_once('@').map(|(path, _)| path)
}

fn pass(
    mut store: StoreContextMut<'_, State<Remote>>,
    (interface, function): (&str, &str),
    ty: &ComponentFunc,
    given: &[Val],
    results: &mut [Val],
) -> Result<(), Error> {
    let given = given.iter().map(encode).collect::<Result<_, _>>().map_err(Error::new)?;
    let desk = store.data_mut().lend();
    let told = desk.ask(&Said::Call(interface.to_owned(), function.to_owned(), given))?;
    // A function of a component has one result or none.
    if let (Some(result), Some(wanted)) = (results.first_mut(), ty.results().next()) {
        *result = decode(told, &wanted).map_err(Error::new)?;
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn imports_are_named_as_asks_name_them() {
        assert_eq!(path("runwrit:hetzner/servers@0.1.0"), Some("hetzner/servers"));
        assert_eq!(path("wasi:cli/stdout@0.2.0"), None);
        assert_eq!(path("runwrit:hetzner/servers"), None);
    }
}
