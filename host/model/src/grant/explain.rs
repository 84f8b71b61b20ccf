//! A grant in the words of people.

use super::Grant;
use super::document::{Dns, DnsRecords, FirewallRule, Hetzner};
use crate::hetzner::Direction;

/// One line of an explanation.
#[derive(Debug, Clone, PartialEq, Eq, serde::Serialize)]
pub struct Line {
    /// The section of the file, for example `hetzner`.
    pub section: &'static str,
    /// What it allows.
    pub text: String,
}

impl Grant {
    /// Returns what the grant allows, in the order of the file.
    pub fn explain(&self) -> Vec<Line> {
        let mut lines = Lines(Vec::new());
        self.explain_run(&mut lines);
        if let Some(hetzner) = &self.document().hetzner {
            explain_hetzner(hetzner, &mut lines);
        }
        self.explain_rest(&mut lines);
        lines.0
    }

    fn explain_run(&self, lines: &mut Lines) {
        let document = self.document();
        let version = match &document.runbook.version {
            Some(version) => format!("version {version}"),
            None => "any version".into(),
        };
        lines.add("runbook", format!("`{}`, {version}", document.runbook.name));
        lines.add("expires", format!("no new permit after {}", document.expires));
        match self.tenant() {
            Some(tenant) => lines.add("scope", format!("the tenant `{tenant}`, alone")),
            None => lines.add("scope", "no tenant: the run alone".into()),
        }
        if let Some(minutes) = document.max_minutes {
            lines.add("time", format!("{minutes} minutes, then what a failure leads to"));
        }
        if let Some(on_failure) = document.on_failure {
            lines.add("on-failure", format!("{on_failure:?}").to_lowercase());
        }
    }

    fn explain_rest(&self, lines: &mut Lines) {
        let document = self.document();
        if let Some(dns) = &document.dns {
            explain_dns(dns, lines);
        }
        if let Some(registry) = &document.registry {
            lines.list("registry", "may call", &registry.operations);
            for tenant in &registry.tenants {
                lines.add("registry", format!("tenant `{}`, octet {}", tenant.id, tenant.octet));
            }
        }
        if let Some(audit) = &document.audit {
            lines.list("audit", "may call", &audit.operations);
            lines.list("audit", "kinds of events", &audit.kinds);
            lines.list("audit", "subjects", &audit.subjects);
        }
        for request in document.http.iter().flat_map(|http| &http.requests) {
            lines.add("http", format!("{} {}", request.method, request.url));
        }
        if let Some(recovery) = &document.recovery {
            lines.list("recovery", "a rollback may keep what was made by", &recovery.keep);
            lines.list("recovery", "an own undo may consist of", &recovery.undo_with);
            if recovery.pivot {
                lines.add("recovery", "there may be a point of no return".into());
            }
        }
    }
}

fn explain_hetzner(hetzner: &Hetzner, lines: &mut Lines) {
    lines.add("hetzner", format!("with the credential `{}`", hetzner.credential));
    lines.list("hetzner", "may call", &hetzner.operations);
    lines.list("hetzner", "locations", &hetzner.locations);
    lines.list("hetzner", "server types", &hetzner.server_types);
    lines.list("hetzner", "images", &hetzner.images);
    lines.list("hetzner", "existing SSH keys", &hetzner.ssh_keys);
    lines.list("hetzner", "servers", &hetzner.servers);
    lines.list("hetzner", "public addresses", &hetzner.primary_ips);
    for network in &hetzner.networks {
        let subnets = network.subnets.join(", ");
        let text = format!("network `{}`, {} with {subnets}", network.name, network.ip_range);
        lines.add("hetzner", text);
    }
    for firewall in &hetzner.firewalls {
        lines.add("hetzner", format!("firewall `{}`", firewall.name));
        firewall.rules.iter().for_each(|rule| lines.add("hetzner", explain_rule(rule)));
    }
    for volume in &hetzner.volumes {
        lines.add("hetzner", format!("volume `{}`, at most {} GB", volume.name, volume.max_gb));
    }
    for key in &hetzner.new_ssh_keys {
        lines.add("hetzner", format!("new SSH key `{}`", key.name));
    }
    explain_limits(hetzner, lines);
}

fn explain_dns(dns: &Dns, lines: &mut Lines) {
    lines.add("dns", format!("with the credential `{}`", dns.credential));
    lines.list("dns", "may call", &dns.operations);
    for granted in &dns.records {
        let types: Vec<_> = granted.types.iter().map(|kind| kind.as_str()).collect();
        let foreign = match granted.replace_foreign {
            true => ", also what no run of the scope made",
            false => "",
        };
        let DnsRecords { zone, name, max_ttl, .. } = granted;
        let types = types.join(", ");
        let text = format!("`{name}` in `{zone}`: {types}, for at most {max_ttl} s{foreign}");
        lines.add("dns", text);
    }
}

fn explain_limits(hetzner: &Hetzner, lines: &mut Lines) {
    let digests: Vec<String> = hetzner.user_data_sha256.iter().map(ToString::to_string).collect();
    lines.list("hetzner", "user data with the digests", &digests);
    if hetzner.allow_public_without_firewall {
        lines.add("hetzner", "public servers may come without a firewall".into());
    }
    let counts = hetzner.counts;
    let text = format!(
        "at most {} networks, {} firewalls, {} servers, {} volumes, {} SSH keys and {} public \
         addresses alive at once",
        counts.networks,
        counts.firewalls,
        counts.servers,
        counts.volumes,
        counts.ssh_keys,
        counts.primary_ips
    );
    lines.add("hetzner", text);
    match hetzner.max_monthly_eur {
        Some(max) => lines.add("hetzner", format!("at most {max} EUR a month, net")),
        None => lines.add("hetzner", "nothing that costs money".into()),
    }
}

fn explain_rule(rule: &FirewallRule) -> String {
    let protocol = format!("{:?}", rule.protocol).to_lowercase();
    let port = rule.port.as_ref().map(|port| format!(" port {port}")).unwrap_or_default();
    match rule.direction {
        Direction::In => format!("  in from {} by {protocol}{port}", rule.addresses.join(", ")),
        Direction::Out => format!("  out to {} by {protocol}{port}", rule.addresses.join(", ")),
    }
}

struct Lines(Vec<Line>);

impl Lines {
    fn add(&mut self, section: &'static str, text: String) {
        self.0.push(Line { section, text });
    }

    fn list(&mut self, section: &'static str, what: &str, items: &[String]) {
        if !items.is_empty() {
            self.add(section, format!("{what} {}", items.join(", ")));
        }
    }
}
