//! What a guest calls: the interfaces of `runwrit:hetzner`.

mod catalogue;
mod firewalls;
mod networks;
mod servers;
mod volumes;

use std::marker::PhantomData;
use std::sync::Arc;

use runwrit_model::failure::{Failure, Problem};
use runwrit_model::hetzner::Labels;
use runwrit_model::labels::{LabelError, from_guest};

use super::Hetzner;
use super::effects::{Create, Delete};
use super::observations::{Get, List};
use crate::Capabilities;
use crate::bindings::runwrit::types::labels::Label;
use crate::gate::{CallError, Gate};

impl<G: Gate> Capabilities<G> {
    fn project(&self) -> Result<Arc<Hetzner>, CallError> {
        self.hetzner.clone().ok_or_else(|| crate::failure::not_held("hetzner"))
    }
}

/// Reads one thing.
fn get<R, O>(hetzner: Arc<Hetzner>, id: String) -> Get<R, O> {
    Get { hetzner, id, kinds: PhantomData }
}

/// Reads all things of a kind.
fn list<R, O>(hetzner: Arc<Hetzner>) -> List<R, O> {
    List { hetzner, kinds: PhantomData }
}

/// Creates one thing.
fn create<S, O>(hetzner: Arc<Hetzner>, spec: S) -> Create<S, O> {
    Create { hetzner, spec, output: PhantomData }
}

/// Deletes one thing.
fn delete<R>(hetzner: Arc<Hetzner>, id: String) -> Delete<R> {
    Delete::new(hetzner, id)
}

/// Checks labels before anything else happens: those of the host are never a guest's to set.
fn checked(labels: Vec<Label>) -> Result<Labels, Failure> {
    let pairs = labels.into_iter().map(|Label { key, value }| (key, value));
    from_guest(pairs).map_err(|error| {
        let code = match &error {
            LabelError::Reserved(_) => "label-reserved",
            _ => "label-malformed",
        };
        Failure::Invalid(Problem::new(code, error.to_string()).with_field("labels"))
    })
}
