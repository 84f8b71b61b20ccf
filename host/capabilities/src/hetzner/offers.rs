//! Which kinds of servers a role may become, and where: a pure choice.

use runwrit_model::failure::{Failure, Problem};
use runwrit_model::hetzner::{Candidate, Family, ServerSpec};
use runwrit_model::money::Eur;
use runwrit_model::settings;

use super::client::ApiError;
use super::price::Prices;
use super::wire::ServerType;

/// One kind of server in one location.
#[derive(Debug, Clone)]
pub struct Offer {
    /// For example `nbg1`.
    pub location: String,
    /// What it is.
    pub kind: ServerType,
    /// Whether it can be ordered now.
    pub is_available: bool,
    /// Net EUR per month without addresses.
    pub price: Eur,
}

/// What is offered, by name and place.
pub struct Market<'a> {
    /// All kinds of servers.
    pub types: &'a [ServerType],
    /// What they cost.
    pub prices: &'a Prices,
}

/// Returns the kinds that the configuration lists for a role, best first.
pub fn kinds_of<'a>(settings: &'a settings::Hetzner, role: &str) -> Result<&'a [String], Failure> {
    settings.roles.get(role).map(Vec::as_slice).ok_or_else(|| {
        let text = format!("`[hetzner.roles]` of `runwrit.toml` lists no role `{role}`");
        Failure::Invalid(Problem::new("unknown-role", text).with_field("role"))
    })
}

/// Returns a location and those to fall back to, each once.
fn locations(settings: &settings::Hetzner, first: &str) -> Vec<String> {
    let others = settings.fallback_locations.get(first).into_iter().flatten();
    let others = others.filter(|other| *other != first);
    std::iter::once(first.to_owned()).chain(others.cloned()).collect()
}

impl Market<'_> {
    /// Returns the offer of one kind in one location; nothing where it is not offered there.
    pub fn offer(&self, server_type: &str, location: &str) -> Result<Option<Offer>, Failure> {
        let Some(kind) = self.types.iter().find(|it| it.name == server_type) else {
            return Ok(None);
        };
        let Some(place) = kind.locations.iter().find(|it| it.name == location) else {
            return Ok(None);
        };
        let is_available = place.available;
        // What is going away and out of stock does not come back.
        if !is_available && place.deprecation.is_some() {
            return Ok(None);
        }
        let price = self.prices.server(server_type, location)?;
        Ok(Some(Offer { location: location.to_owned(), kind: kind.clone(), is_available, price }))
    }

    /// Returns what a role may become: every kind in the first location, then in the next ones.
    pub fn offers(&self, kinds: &[String], locations: &[String]) -> Result<Vec<Offer>, Failure> {
        let pairs = locations.iter().flat_map(|place| kinds.iter().map(move |it| (it, place)));
        pairs.filter_map(|(it, place)| self.offer(it, place).transpose()).collect()
    }

    /// Returns what could be ordered for a server, best first, with the price of its address, and
    /// whether each can be had now.
    pub fn candidates(
        &self,
        settings: &settings::Hetzner,
        spec: &ServerSpec,
    ) -> Result<Vec<(Candidate, bool)>, Failure> {
        let offers =
            self.offers(kinds_of(settings, &spec.role)?, &locations(settings, &spec.location))?;
        let priced = offers.into_iter().map(|offer| {
            let address = match spec.has_public_ipv4 {
                true => self.prices.address(Family::Ipv4, &offer.location)?,
                false => Eur::ZERO,
            };
            let candidate = Candidate {
                server_type: offer.kind.name,
                location: offer.location,
                eur_per_month: offer.price + address,
            };
            Ok((candidate, offer.is_available))
        });
        priced.collect()
    }
}

/// Returns whether the API says that this kind cannot be had there, while another may be.
pub fn is_out_of_stock(error: &ApiError) -> bool {
    let Some(refusal) = error.refusal() else { return false };
    let is_unsupported =
        refusal.code == "invalid_input" && refusal.message.contains("unsupported location");
    is_unsupported
        || refusal.is_one_of(&["resource_unavailable", "placement_error", "unsupported_error"])
}

/// Says that nothing of what was looked for can be ordered.
pub fn none_available(name: &str, tried: &[Candidate]) -> Failure {
    let tried: Vec<_> =
        tried.iter().map(|it| format!("`{}` in `{}`", it.server_type, it.location)).collect();
    let tried = match tried.is_empty() {
        true => "its role lists nothing that is offered there".to_owned(),
        false => format!("none can be ordered of {}", tried.join(", ")),
    };
    Failure::Unavailable(Problem::new("resource_unavailable", format!("server `{name}`: {tried}")))
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn what_is_going_away_and_out_of_stock_is_no_candidate() {
        let price = json!([{"location": "nbg1", "price_monthly": {"net": "5", "gross": "5"}}]);
        let pricing = json!({
            "currency": "EUR",
            "server_types": [{"name": "cx22", "prices": price}],
            "primary_ips": [],
            "volume": {"price_per_gb_month": {"net": "1", "gross": "1"}},
            "server_backup": {"percentage": "20"},
        });
        let prices = Prices::read(&serde_json::from_value(pricing).unwrap()).unwrap();
        let going = json!({"unavailable_after": "2026-01-01T00:00:00Z"});
        let rows = [
            (true, json!(null), Some(true)),
            (false, json!(null), Some(false)),
            (true, going.clone(), Some(true)),
            (false, going, None),
        ];
        for (available, deprecation, expected) in rows {
            let place = json!({"name": "nbg1", "available": available, "deprecation": deprecation});
            let kind = json!({"name": "cx22", "cores": 2, "memory": 4, "disk": 40,
                "architecture": "x86", "locations": [place]});
            let types = [serde_json::from_value(kind).unwrap()];
            let market = Market { types: &types, prices: &prices };
            let offer = market.offer("cx22", "nbg1").unwrap();
            let offered = offer.map(|offer| offer.is_available);
            assert_eq!(offered, expected, "available {available}, {deprecation}");
        }
    }
}
