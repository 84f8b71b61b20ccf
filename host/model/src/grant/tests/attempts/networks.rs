//! Networks: the exact range and subnets.

use super::*;

fn network(range: &str, subnet: &str) -> NetworkSpec {
    let subnet = Subnet { ip_range: subnet.into(), network_zone: "eu-central".into() };
    NetworkSpec {
        name: "acme".into(),
        ip_range: range.into(),
        subnets: vec![subnet],
        labels: BTreeMap::new(),
    }
}

pub fn networks() -> Vec<Row> {
    fn create(
        change: fn(&mut NetworkSpec),
        alive: Vec<Holding>,
    ) -> impl Fn(&Grant) -> Result<Permit, Denial> {
        move |grant| {
            let mut spec = network("10.7.0.0/16", "10.7.1.0/24");
            change(&mut spec);
            grant.create_network(&spec, &at(&alive))
        }
    }
    let free = Vec::new;
    vec![
        row("the network", None, create(|_| {}, free())),
        row("without subnets", None, create(|it| it.subnets.clear(), free())),
        row("another name", Rule::Name, create(|it| it.name = "acme2".into(), free())),
        row("capitals", Rule::Name, create(|it| it.name = "Acme".into(), free())),
        row("a name that goes on", Rule::Name, create(|it| it.name = "acme ".into(), free())),
        row("Cyrillic", Rule::Name, create(|it| it.name = "аcme".into(), free())),
        row("fullwidth", Rule::Name, create(|it| it.name = "ａcme".into(), free())),
        row("zero width", Rule::Name, create(|it| it.name = "ac\u{200b}me".into(), free())),
        row("no name", Rule::Name, create(|it| it.name = String::new(), free())),
        row(
            "a wider range",
            Rule::NetworkRange,
            create(|it| it.ip_range = "10.0.0.0/8".into(), free()),
        ),
        row(
            "another range",
            Rule::NetworkRange,
            create(|it| it.ip_range = "10.8.0.0/16".into(), free()),
        ),
        row(
            "a narrower range",
            Rule::NetworkRange,
            create(|it| it.ip_range = "10.7.0.0/24".into(), free()),
        ),
        row(
            "another spelling",
            Rule::NetworkRange,
            create(|it| it.ip_range = "10.7.0.1/16".into(), free()),
        ),
        row(
            "another subnet",
            Rule::NetworkSubnet,
            create(|it| it.subnets[0].ip_range = "10.7.2.0/24".into(), free()),
        ),
        row(
            "a wider subnet",
            Rule::NetworkSubnet,
            create(|it| it.subnets[0].ip_range = "10.7.0.0/16".into(), free()),
        ),
        row(
            "another zone",
            Rule::NetworkZone,
            create(|it| it.subnets[0].network_zone = "us-east".into(), free()),
        ),
        row("a second one", Rule::Count, create(|_| {}, vec![holding(Kind::Network, "0")])),
    ]
}
