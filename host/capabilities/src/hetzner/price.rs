//! What things cost, by the API's own price list and in decimal arithmetic.

use std::collections::BTreeMap;

use runwrit_model::failure::{Failure, Problem};
use runwrit_model::grant::Holding;
use runwrit_model::hetzner::{Family, Kind};
use runwrit_model::money::{Eur, Percent};

use super::wire::{LocalPrice, Pricing, PrimaryIp, Server, Volume};

/// The size of the smallest volume that the API sells.
pub const VOLUME_GB_MIN: u32 = 10;

/// Net prices per month.
#[derive(Debug, Clone)]
pub struct Prices {
    servers: BTreeMap<(String, String), Eur>,
    addresses: BTreeMap<(String, String), Eur>,
    volume_gb: Eur,
    backup_percent: Percent,
}

/// What is alive in a scope, as one look saw it.
#[derive(Debug, Clone)]
pub struct Alive {
    /// The servers.
    pub servers: Vec<Server>,
    /// The volumes.
    pub volumes: Vec<Volume>,
    /// The addresses that were made by themselves.
    pub primary_ips: Vec<PrimaryIp>,
}

impl Prices {
    /// Reads a price list. A currency other than the one that grants speak of is refused.
    pub fn read(pricing: &Pricing) -> Result<Self, Failure> {
        if pricing.currency != "EUR" {
            let text = format!("prices are in `{}`; caps of grants are in EUR", pricing.currency);
            return Err(Failure::Failed(Problem::new("currency", text)));
        }
        let servers = pricing.server_types.iter().map(|it| (it.name.as_str(), &it.prices));
        let addresses = pricing.primary_ips.iter().map(|it| (it.family.as_str(), &it.prices));
        let percent = pricing.server_backup.percentage.as_str();
        Ok(Self {
            servers: by_location(servers)?,
            addresses: by_location(addresses)?,
            volume_gb: amount(&pricing.volume.price_per_gb_month.net)?,
            backup_percent: percent.parse().map_err(|_| unreadable("server_backup", percent))?,
        })
    }

    /// Returns the price of a kind of server, without its addresses.
    pub fn server(&self, server_type: &str, location: &str) -> Result<Eur, Failure> {
        look_up(&self.servers, server_type, location)
    }

    /// Returns the price of an address.
    pub fn address(&self, family: Family, location: &str) -> Result<Eur, Failure> {
        match family {
            Family::Ipv4 => look_up(&self.addresses, "ipv4", location),
            Family::Ipv6 => Ok(Eur::ZERO),
        }
    }

    /// Returns the price of a volume.
    pub fn volume(&self, size_gb: u32) -> Eur {
        self.volume_gb * size_gb
    }

    /// Prices everything that is alive. An address that is assigned to a server which is alive too
    /// is counted once, as an address.
    pub fn holdings(&self, alive: &Alive) -> Result<Vec<Holding>, Failure> {
        let counted: Vec<u64> = alive.primary_ips.iter().map(|address| address.id).collect();
        let mut holdings = Vec::new();
        for server in &alive.servers {
            let price = self.running(server, &counted)?;
            holdings.push(holding(Kind::Server, &server.name, price));
        }
        for volume in &alive.volumes {
            let price = self.volume(gigabytes(volume.size));
            holdings.push(holding(Kind::Volume, &volume.name, price));
        }
        for address in &alive.primary_ips {
            let price = match address.family.as_str() {
                "ipv4" => self.address(Family::Ipv4, &address.location.name)?,
                _ => Eur::ZERO,
            };
            holdings.push(holding(Kind::PrimaryIp, &address.name, price));
        }
        Ok(holdings)
    }

    /// Prices a server with its backups and the address that came with it.
    fn running(&self, server: &Server, counted: &[u64]) -> Result<Eur, Failure> {
        let location = &server.location.name;
        let mut price = self.server(&server.server_type.name, location)?;
        if server.backup_window.is_some() {
            price = price + price.percent(self.backup_percent);
        }
        let own = server.public_net.ipv4.as_ref();
        let is_counted = |id: Option<u64>| id.is_some_and(|id| counted.contains(&id));
        match own.is_some_and(|address| !is_counted(address.id)) {
            true => Ok(price + self.address(Family::Ipv4, location)?),
            false => Ok(price),
        }
    }
}

/// Describes something alive.
pub fn holding(kind: Kind, name: &str, eur_per_month: Eur) -> Holding {
    Holding { kind, name: name.to_owned(), eur_per_month }
}

/// Returns a size as the whole number that it is, rounded up.
pub fn gigabytes(size: f64) -> u32 {
    // Sizes are 10 to 10,240; casting saturates, so a mad answer cannot wrap around.
    size.ceil() as u32
}

fn by_location<'a>(
    kinds: impl Iterator<Item = (&'a str, &'a Vec<LocalPrice>)>,
) -> Result<BTreeMap<(String, String), Eur>, Failure> {
    let rows = kinds.flat_map(|(name, prices)| prices.iter().map(move |price| (name, price)));
    rows.map(|(name, price)| {
        let key = (name.to_owned(), price.location.clone());
        Ok((key, amount(&price.price_monthly.net)?))
    })
    .collect()
}

fn look_up(
    prices: &BTreeMap<(String, String), Eur>,
    kind: &str,
    location: &str,
) -> Result<Eur, Failure> {
    let key = (kind.to_owned(), location.to_owned());
    prices.get(&key).copied().ok_or_else(|| {
        let text = format!("the price list has no price for `{kind}` in `{location}`");
        Failure::Failed(Problem::new("no-price", text))
    })
}

fn amount(text: &str) -> Result<Eur, Failure> {
    text.parse().map_err(|_| unreadable("price", text))
}

fn unreadable(what: &str, text: &str) -> Failure {
    let text = format!("the price list holds the unreadable {what} `{text}`");
    Failure::Failed(Problem::new("unreadable-price", text))
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn prices() -> Prices {
        prices_with("20.0000000000")
    }

    fn prices_with(backup_percent: &str) -> Prices {
        let price = |net: &str| json!({"net": net, "gross": net});
        let local = |net: &str| json!([{"location": "nbg1", "price_monthly": price(net)}]);
        let pricing = json!({
            "currency": "EUR",
            "server_types": [
                {"name": "cx23", "prices": local("5.4900000000")},
                {"name": "cx33", "prices": local("8.4900000000")},
            ],
            "primary_ips": [{"type": "ipv4", "prices": local("0.5000000000")}],
            "volume": {"price_per_gb_month": price("0.0572000000")},
            "server_backup": {"percentage": backup_percent},
        });
        Prices::read(&serde_json::from_value(pricing).unwrap()).unwrap()
    }

    fn server(name: &str, kind: &str, backup: Option<&str>) -> Server {
        serde_json::from_value(json!({
            "id": 1, "name": name, "labels": {}, "status": "off", "backup_window": backup,
            "server_type": {"name": kind}, "location": {"name": "nbg1"},
            "public_net": {"ipv4": {"id": 9, "ip": "192.0.2.1"}, "ipv6": null},
        }))
        .unwrap()
    }

    fn volume(size: f64) -> Volume {
        serde_json::from_value(json!({
            "id": 1, "name": "data", "labels": {}, "size": size, "location": {"name": "nbg1"},
        }))
        .unwrap()
    }

    fn sum(alive: &Alive) -> String {
        let holdings = prices().holdings(alive).unwrap();
        holdings.into_iter().map(|holding| holding.eur_per_month).sum::<Eur>().plain()
    }

    #[test]
    fn sums_match_the_bill() {
        let three = |last| vec![server("a", "cx23", None), server("b", "cx23", None), last];
        let alive = |servers| Alive { servers, volumes: vec![volume(20.0)], primary_ips: vec![] };
        assert_eq!(sum(&alive(three(server("c", "cx23", None)))), "19.114");
        assert_eq!(sum(&alive(three(server("c", "cx33", None)))), "22.114");
        assert_eq!(sum(&alive(three(server("c", "cx23", Some("22-02"))))), "20.212");
    }

    #[test]
    fn backups_cost_a_fraction_of_a_percent_too() {
        let alive = Alive {
            servers: vec![server("a", "cx23", Some("22-02"))],
            volumes: vec![],
            primary_ips: vec![],
        };
        let holdings = prices_with("20.5").holdings(&alive).unwrap();
        assert_eq!(holdings[0].eur_per_month.plain(), "7.11545");
    }

    #[test]
    fn an_address_is_never_counted_twice() {
        let address = json!({
            "id": 9, "name": "ip", "labels": {}, "ip": "192.0.2.1", "type": "ipv4",
            "location": {"name": "nbg1"}, "assignee_id": 1,
        });
        let alive = Alive {
            servers: vec![server("a", "cx23", None)],
            volumes: vec![],
            primary_ips: vec![serde_json::from_value(address).unwrap()],
        };
        assert_eq!(sum(&alive), "5.99");
    }

    #[test]
    fn what_has_no_price_is_an_error_and_not_free() {
        assert!(prices().server("cx23", "hel1").is_err());
        assert!(prices().server("cpx22", "nbg1").is_err());
    }
}
