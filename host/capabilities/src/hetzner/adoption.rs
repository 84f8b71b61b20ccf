//! What stands in a project and could be taken into a scope: found by its name, and free only when
//! no labels of any installation say whose it is.

use std::collections::BTreeMap;

use runwrit_model::failure::{Failure, Problem};
use runwrit_model::grant::Holding;
use runwrit_model::hetzner::{Kind, Subnet};
use runwrit_model::labels::{Foreign, scope_value};
use runwrit_model::money::Eur;
use serde_json::json;

use super::Project;
use super::client::{ApiError, Request};
use super::price::{Alive, gigabytes};
use super::scope::not_found;
use super::sightings::price;
use super::wire::{self, Network, Resource, Server, Volume};

/// Something that can be adopted.
#[derive(Debug, Clone, PartialEq)]
pub struct Adoptable {
    /// What it is.
    pub kind: Kind,
    /// Its id.
    pub id: u64,
    /// Its name.
    pub name: String,
    /// Its labels, which stay.
    pub labels: BTreeMap<String, String>,
    /// What it costs already, net.
    pub eur_per_month: Eur,
    /// How large it is, as a grant says it.
    pub extent: Extent,
}

/// How large something is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Extent {
    /// A server says nothing more.
    Server,
    /// The ranges of a network.
    Network {
        /// The whole range.
        ip_range: String,
        /// Its parts, with their zones.
        subnets: Vec<Subnet>,
    },
    /// The size of a volume in GB.
    Volume(u64),
}

impl Adoptable {
    /// Describes it to a grant.
    pub fn holding(&self) -> Holding {
        let Self { kind, name, eur_per_month, .. } = self.clone();
        Holding { kind, name, eur_per_month }
    }
}

impl Project {
    /// Finds what stands under a name. Fails where there is nothing, or more than one, or where it
    /// belongs to somebody by its labels.
    pub async fn adoptable(&self, kind: Kind, name: &str) -> Result<Adoptable, Failure> {
        let (found, alive) = match kind {
            Kind::Server => self.alone::<Server>(name).await.map(from_server)?,
            Kind::Volume => self.alone::<Volume>(name).await.map(from_volume)?,
            Kind::Network => self.alone::<Network>(name).await.map(from_network)?,
            Kind::Firewall | Kind::SshKey | Kind::PrimaryIp => {
                let text = format!("{} are not adopted", kind.plural());
                return Err(Failure::Invalid(Problem::new("kind", text).with_field("kind")));
            }
        };
        self.is_free(kind, name, &found.labels)?;
        match kind {
            Kind::Network => Ok(found),
            _ => {
                let eur_per_month = self.priced(&alive, &subject(kind, name)).await?;
                Ok(Adoptable { eur_per_month, ..found })
            }
        }
    }

    async fn alone<R: Resource>(&self, name: &str) -> Result<R, Failure> {
        let subject = format!("{} {name}", R::MEMBER);
        let found = self.client.find_all::<R>(name).await;
        let mut found = found.map_err(|error| error.failure(&subject))?;
        match (found.pop(), found.len()) {
            (None, _) => Err(not_found(&subject, "nothing in the project has that name")),
            (Some(one), 0) => Ok(one),
            (Some(_), others) => {
                let text = format!("{} in the project have the name `{name}`", others + 1);
                Err(Failure::Conflict(Problem::new("several-of-a-name", text)))
            }
        }
    }

    fn is_free(
        &self,
        kind: Kind,
        name: &str,
        labels: &BTreeMap<String, String>,
    ) -> Result<(), Failure> {
        let subject = subject(kind, name);
        let taken = match self.key.verify(labels, kind.as_str(), name) {
            Err(Foreign::Unlabelled) => return Ok(()),
            Err(foreign) => format!("{subject}: {foreign}; remove its `runwrit/` labels first"),
            Ok(owner) if owner.tenant == scope_value(&self.scope) => {
                format!("{subject} belongs to it already")
            }
            Ok(owner) => format!("{subject} belongs to `{}`", owner.tenant),
        };
        Err(Failure::Conflict(Problem::new("owned", taken)))
    }

    async fn priced(&self, alive: &Alive, subject: &str) -> Result<Eur, Failure> {
        let prices = self.client.prices().await.map_err(|error| error.failure("pricing"))?;
        price(prices.as_ref(), alive).ok_or_else(|| {
            let text = format!("{subject} has no known price");
            Failure::Failed(Problem::new("no-price", text))
        })
    }

    /// Reads the labels of a thing; nothing where it is gone.
    pub(super) async fn labels_of(
        &self,
        kind: Kind,
        id: u64,
    ) -> Result<Option<BTreeMap<String, String>>, ApiError> {
        Ok(match kind {
            Kind::Server => self.client.get::<Server>(id).await?.map(|it| it.labels),
            Kind::Volume => self.client.get::<Volume>(id).await?.map(|it| it.labels),
            _ => self.client.get::<Network>(id).await?.map(|it| it.labels),
        })
    }

    /// Writes all labels of a thing.
    pub(super) async fn put_labels(
        &self,
        kind: Kind,
        id: u64,
        labels: &BTreeMap<String, String>,
    ) -> Result<(), ApiError> {
        let request = Request::put(format!("{}/{id}", kind.plural()), json!({"labels": labels}));
        self.client.ask(&request).await.map(drop)
    }
}

fn from_server(server: Server) -> (Adoptable, Alive) {
    let Server { id, name, labels, .. } = server.clone();
    let extent = Extent::Server;
    let found =
        Adoptable { kind: Kind::Server, id, name, labels, eur_per_month: Eur::ZERO, extent };
    (found, Alive { servers: vec![server], volumes: Vec::new(), primary_ips: Vec::new() })
}

fn from_volume(volume: Volume) -> (Adoptable, Alive) {
    let Volume { id, name, labels, size, .. } = volume.clone();
    let extent = Extent::Volume(gigabytes(size).into());
    let found =
        Adoptable { kind: Kind::Volume, id, name, labels, eur_per_month: Eur::ZERO, extent };
    (found, Alive { servers: Vec::new(), volumes: vec![volume], primary_ips: Vec::new() })
}

fn from_network(network: Network) -> (Adoptable, Alive) {
    let Network { id, name, labels, ip_range, subnets, .. } = network;
    let subnet = |it: wire::Subnet| Subnet { ip_range: it.ip_range, network_zone: it.network_zone };
    let extent = Extent::Network { ip_range, subnets: subnets.into_iter().map(subnet).collect() };
    let kind = Kind::Network;
    let found = Adoptable { kind, id, name, labels, eur_per_month: Eur::ZERO, extent };
    (found, Alive { servers: Vec::new(), volumes: Vec::new(), primary_ips: Vec::new() })
}

fn subject(kind: Kind, name: &str) -> String {
    format!("{} {name}", kind.as_str().trim_start_matches("hetzner."))
}
