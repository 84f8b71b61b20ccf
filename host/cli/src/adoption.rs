//! The run behind `runwrit adopt`: the host itself is its runbook, so there is no component; all
//! else, the journal, resume and rollback, is that of any run.

use std::collections::BTreeMap;
use std::sync::Arc;

use runwrit_capabilities::gate::{CallError, Gate as _};
use runwrit_capabilities::hetzner::{Adopt, Adoptable, Extent, Hetzner};
use runwrit_engine::books::Books;
use runwrit_engine::gate::RunGate;
use runwrit_engine::guest::{Guest, GuestEnd};
use runwrit_engine::view;
use runwrit_model::grant::Grant;
use runwrit_model::hetzner::Kind;
use runwrit_model::id::{Digest, Scope};
use runwrit_model::inputs::Inputs;
use runwrit_model::journal::{Created, OnFailure, UnixMs};
use runwrit_model::money::Eur;
use serde_json::json;
use toml::Value;

use crate::error::Error;

/// What stands for the component in journals; no package can have this digest.
const COMPONENT: &[u8] = b"runwrit adopt";

/// The kinds that are adopted, in the order in which they are.
pub const KINDS: [Kind; 3] = [Kind::Network, Kind::Server, Kind::Volume];

/// Names by their kind.
pub type Names = BTreeMap<Kind, Vec<String>>;

/// Takes one thing after the other.
pub struct Adoption {
    hetzner: Arc<Hetzner>,
    names: Names,
}

impl Adoption {
    /// Prepares the run of `created`; nothing where a component is its runbook.
    pub fn of(created: &Created, hetzner: impl FnOnce() -> Option<Hetzner>) -> Option<Self> {
        if created.component != Digest::of(COMPONENT) {
            return None;
        }
        let names = |kind: Kind| {
            let listed = created.inputs.get(kind.plural()).and_then(|it| it.as_array());
            let texts = listed.into_iter().flatten().filter_map(|it| it.as_str());
            (kind, texts.map(str::to_owned).collect())
        };
        let names = KINDS.map(names).into();
        Some(Self { hetzner: Arc::new(hetzner()?), names })
    }
}

impl Guest for Adoption {
    async fn run(self, gate: RunGate, _: Books) -> GuestEnd {
        let mut gate = gate;
        for (kind, names) in self.names {
            for name in names {
                let effect = Adopt::new(Arc::clone(&self.hetzner), kind, name);
                match gate.pass(effect).await {
                    Ok(()) => {}
                    Err(CallError::Failed(failure)) => return GuestEnd::Failed(failure),
                    Err(CallError::Stopped(stop)) => return GuestEnd::Stopped(stop),
                }
            }
        }
        GuestEnd::Returned
    }
}

/// Returns what the journal says in place of a runbook.
pub fn created(scope: &Scope, names: &Names, blank: Created) -> Created {
    let version = env!("CARGO_PKG_VERSION");
    let mut inputs: Inputs =
        names.iter().map(|(kind, it)| (kind.plural().into(), json!(it))).collect();
    inputs.insert("tenant".to_owned(), json!(scope.tenant_id()));
    Created {
        runbook: format!("adopt@{version}"),
        component: Digest::of(COMPONENT),
        manifest: format!(
            "version = 1\nname = \"adopt\"\nrunbook-version = \"{version}\"\n\
             description = \"Takes what stands already into a tenant\"\n\
             world = \"runwrit:host/everything@0.1.0\"\ntier = \"pure\"\n"
        ),
        inputs,
        scope: scope.clone(),
        on_failure: OnFailure::default(),
        ..blank
    }
}

/// Returns the authority for exactly these adoptions.
pub fn grant(
    (tenant, credential): (&str, &str),
    found: &[Adoptable],
    now: UnixMs,
) -> Result<Grant, Error> {
    let text = |text: &str| Value::String(text.to_owned()).to_string();
    let list = |texts: Vec<String>| {
        let quoted: Vec<String> = texts.iter().map(|it| text(it)).collect();
        quoted.join(", ")
    };
    let of = |kind: Kind| found.iter().filter(move |it| it.kind == kind);
    let operations = KINDS.into_iter().filter(|kind| of(*kind).next().is_some());
    let operations = operations.map(|kind| format!("{}.adopt", kind.plural())).collect();
    let servers = of(Kind::Server).map(|it| it.name.clone()).collect();
    let most = found.iter().map(|it| it.eur_per_month).max().unwrap_or(Eur::ZERO);
    let mut document = format!(
        "version = 1\nexpires = {}\n[runbook]\nname = \"adopt\"\n[scope]\ntenant = {}\n\
         [hetzner]\ncredential = {}\noperations = [{}]\nservers = [{}]\nmax-monthly-eur = {}\n",
        view::time((now + DAY_MS) / 1_000 * 1_000),
        text(tenant),
        text(credential),
        list(operations),
        list(servers),
        text(&most.plain()),
    );
    for Adoptable { name, extent, .. } in found {
        let name = text(name);
        document += &match extent {
            Extent::Server => String::new(),
            Extent::Volume(gigabytes) => {
                format!("[[hetzner.volumes]]\nname = {name}\nmax-gb = {gigabytes}\n")
            }
            Extent::Network { ip_range, subnets } => {
                let zone = subnets.first().map_or("eu-central", |it| it.network_zone.as_str());
                let ranges = list(subnets.iter().map(|it| it.ip_range.clone()).collect());
                let (range, zone) = (text(ip_range), text(zone));
                format!(
                    "[[hetzner.networks]]\nname = {name}\nip-range = {range}\n\
                     subnets = [{ranges}]\nnetwork-zone = {zone}\n"
                )
            }
        };
    }
    Ok(Grant::parse("the grant of the adoption", &document)?)
}

/// An adoption that was begun is ended or given back within a day; giving back needs no grant.
const DAY_MS: u64 = 24 * 60 * 60 * 1_000;
