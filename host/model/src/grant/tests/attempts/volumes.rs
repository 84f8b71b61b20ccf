//! Volumes, public addresses and SSH keys.

use super::*;

fn volume() -> VolumeSpec {
    VolumeSpec {
        name: "acme-data".into(),
        size_gb: 20,
        location: "nbg1".into(),
        format: "ext4".into(),
        labels: BTreeMap::new(),
    }
}

pub fn volumes() -> Vec<Row> {
    fn create(
        change: fn(&mut VolumeSpec),
        alive: fn() -> Vec<Holding>,
    ) -> impl Fn(&Grant) -> Result<Permit, Denial> {
        move |grant| {
            let mut spec = volume();
            change(&mut spec);
            grant.create_volume(&spec, eur("1.144"), &at(&alive()))
        }
    }
    vec![
        row("the volume", None, create(|_| {}, Vec::new)),
        row("a smaller one", None, create(|it| it.size_gb = 10, Vec::new)),
        row("a larger one", Rule::VolumeSize, create(|it| it.size_gb = 21, Vec::new)),
        row("the largest one", Rule::VolumeSize, create(|it| it.size_gb = u32::MAX, Vec::new)),
        row("another name", Rule::Name, create(|it| it.name = "acme_data".into(), Vec::new)),
        row("elsewhere", Rule::Location, create(|it| it.location = "hel1".into(), Vec::new)),
        row("a second one", Rule::Count, create(|_| {}, || vec![holding(Kind::Volume, "0")])),
        row("above the cap", Rule::Cost, create(|_| {}, || vec![holding(Kind::Server, "24")])),
        row("attaches its own", None, |grant| {
            let pair = (&made(Kind::Volume), &made(Kind::Server));
            grant.join("hetzner.volumes.attach", pair, NOW)
        }),
        row("attaches a foreign one", Rule::InScope, |grant| {
            let volume = of_tenant("bolt", Kind::Volume, "acme-data");
            grant.join("hetzner.volumes.attach", (&volume, &made(Kind::Server)), NOW)
        }),
        row("attaches to a foreign server", Rule::InScope, |grant| {
            let server = unlabelled(Kind::Server, "acme-db");
            grant.join("hetzner.volumes.attach", (&made(Kind::Volume), &server), NOW)
        }),
        row("detaches a foreign one", Rule::InScope, |grant| {
            let volume = relabelled(Kind::Volume, "acme-data");
            grant.change("hetzner.volumes.detach", &volume, NOW)
        }),
        row("deletes a foreign one", Rule::InScope, |grant| {
            grant.delete(Kind::Volume, &of_tenant("bolt", Kind::Volume, "acme-data"), NOW)
        }),
    ]
}

pub fn addresses_and_keys() -> Vec<Row> {
    fn address(
        name: &'static str,
        location: &'static str,
        alive: fn() -> Vec<Holding>,
    ) -> impl Fn(&Grant) -> Result<Permit, Denial> {
        move |grant| {
            let spec = PrimaryIpSpec {
                name: name.into(),
                family: Family::Ipv4,
                location: location.into(),
                labels: BTreeMap::new(),
            };
            grant.create_primary_ip(&spec, eur("0.50"), &at(&alive()))
        }
    }
    fn key(
        name: &'static str,
        public_key: &'static str,
    ) -> impl Fn(&Grant) -> Result<Permit, Denial> {
        move |grant| {
            let spec = SshKeySpec {
                name: name.into(),
                public_key: public_key.into(),
                labels: BTreeMap::new(),
            };
            grant.create_ssh_key(&spec, &at(&[]))
        }
    }
    vec![
        row("the address", None, address("acme-ip", "nbg1", Vec::new)),
        row("another name", Rule::Name, address("acme-ip2", "nbg1", Vec::new)),
        row("elsewhere", Rule::Location, address("acme-ip", "hel1", Vec::new)),
        row(
            "a second one",
            Rule::Count,
            address("acme-ip", "nbg1", || vec![holding(Kind::PrimaryIp, "0")]),
        ),
        row(
            "above the cap",
            Rule::Cost,
            address("acme-ip", "nbg1", || vec![holding(Kind::Server, "24.6")]),
        ),
        row("the key", None, key("acme-key", "ssh-ed25519 AAAAC3Nz acme")),
        row("another public key", Rule::PublicKey, key("acme-key", "ssh-ed25519 EVIL acme")),
        row("another comment", Rule::PublicKey, key("acme-key", "ssh-ed25519 AAAAC3Nz other")),
        row(
            "under the name of an existing key",
            Rule::Name,
            key("ops", "ssh-ed25519 AAAAC3Nz acme"),
        ),
        row("deletes the key of the operators", Rule::InScope, |grant| {
            grant.delete(Kind::SshKey, &unlabelled(Kind::SshKey, "ops"), NOW)
        }),
    ]
}
