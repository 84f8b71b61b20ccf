//! Every operation that a grant can name, by interface: the mirror of the folder `wit`.

/// One interface of a capability and its operations.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Interface {
    /// For example `hetzner`.
    pub capability: &'static str,
    /// For example `servers`.
    pub name: &'static str,
    /// For example `create`; a batch counts as its single operation.
    pub functions: &'static [&'static str],
    /// Whether a run may use it without ask and grant, because it reaches nothing outside the run.
    pub is_free: bool,
}

/// The version of every package that this host offers.
pub const OFFERED: &str = "0.1.0";

/// All interfaces, by package.
pub const INTERFACES: &[Interface] = &[
    free("run", "inputs", &["text", "integer", "boolean"]),
    free("run", "outputs", &["set"]),
    free("run", "steps", &["begin", "verified"]),
    free("run", "log", &["write"]),
    free("run", "clock", &["now", "sleep"]),
    free("run", "random", &["bytes"]),
    granted("run", "recovery", &["last-call", "keep", "undo-with", "pivot"]),
    granted("hetzner", "locations", &["get", "list"]),
    granted("hetzner", "server-types", &["candidates", "get"]),
    granted("hetzner", "images", &["get"]),
    granted("hetzner", "pricing", &["scope"]),
    granted("hetzner", "ssh-keys", &["get", "list", "create", "delete"]),
    granted("hetzner", "networks", &["get", "list", "create", "delete"]),
    granted(
        "hetzner",
        "firewalls",
        &["get", "list", "create", "set-rules", "apply", "remove", "delete"],
    ),
    granted(
        "hetzner",
        "servers",
        &["check", "get", "list", "create", "power-on", "power-off", "delete"],
    ),
    granted(
        "hetzner",
        "volumes",
        &["get", "list", "create", "attach", "detach", "declare-data", "delete"],
    ),
    granted("hetzner", "primary-ips", &["get", "list", "create", "delete"]),
    granted("dns", "records", &["zones", "get", "list", "check", "set", "delete", "verify"]),
    granted("registry", "tenants", &["get", "list", "reserve", "activate", "retire"]),
    granted("http", "requests", &["read", "send"]),
    granted("audit", "events", &["append"]),
];

/// What the host does by itself when a person asks for it, and no interface offers to a runbook:
/// `runwrit adopt`.
const OWN: [&str; 3] = ["networks.adopt", "servers.adopt", "volumes.adopt"];

const fn free(
    capability: &'static str,
    name: &'static str,
    functions: &'static [&'static str],
) -> Interface {
    Interface { capability, name, functions, is_free: true }
}

const fn granted(
    capability: &'static str,
    name: &'static str,
    functions: &'static [&'static str],
) -> Interface {
    Interface { capability, name, functions, is_free: false }
}

impl Interface {
    /// Returns the name as an ask writes it, for example `hetzner/servers`.
    pub fn path(&self) -> String {
        format!("{}/{}", self.capability, self.name)
    }
}

/// Returns the interface of this path, for example `hetzner/servers`.
pub fn interface(path: &str) -> Option<&'static Interface> {
    let (capability, name) = path.split_once('/')?;
    INTERFACES.iter().find(|it| it.capability == capability && it.name == name)
}

/// Returns whether `operation`, for example `servers.create`, belongs to `capability`.
pub fn is_operation(capability: &str, operation: &str) -> bool {
    let Some((name, function)) = operation.split_once('.') else { return false };
    let is_offered = INTERFACES.iter().any(|it| {
        it.capability == capability && it.name == name && it.functions.contains(&function)
    });
    is_offered || (capability == "hetzner" && OWN.contains(&operation))
}

/// What only looks.
const READS: [&str; 7] = ["get", "list", "check", "candidates", "scope", "zones", "verify"];

/// Returns whether `operation`, for example `servers.create`, changes something outside.
pub fn is_change(operation: &str) -> bool {
    let function = operation.split_once('.').map_or(operation, |(_, function)| function);
    !READS.contains(&function)
}

/// Returns whether `operation`, for example `hetzner.servers.create`, exists.
pub fn is_full_operation(operation: &str) -> bool {
    operation.split_once('.').is_some_and(|(capability, rest)| is_operation(capability, rest))
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;

    const WIT: [&str; 7] = [
        include_str!("../../../wit/deps/types@0.1.0/types.wit"),
        include_str!("../../../wit/deps/run@0.1.0/run.wit"),
        include_str!("../../../wit/deps/hetzner@0.1.0/hetzner.wit"),
        include_str!("../../../wit/deps/dns@0.1.0/dns.wit"),
        include_str!("../../../wit/deps/registry@0.1.0/registry.wit"),
        include_str!("../../../wit/deps/http@0.1.0/http.wit"),
        include_str!("../../../wit/deps/audit@0.1.0/audit.wit"),
    ];

    /// Reads `package`, `interface` and `name: func` out of a WIT file.
    fn operations_of(text: &str) -> Vec<String> {
        let (mut package, mut interface, mut found) = ("", "", Vec::new());
        for line in text.lines().map(str::trim) {
            if let Some(rest) = line.strip_prefix("package runwrit:") {
                package = rest.split('@').next().unwrap();
            } else if let Some(rest) = line.strip_prefix("interface ") {
                interface = rest.split(' ').next().unwrap();
            } else if let Some((name, _)) = line.split_once(": func(") {
                let name = name.trim_start_matches('%');
                found.push(format!("{package}.{interface}.{name}"));
            }
        }
        found
    }

    #[test]
    fn what_only_looks_is_told_from_what_changes() {
        let changes = |capability: &str| -> Vec<String> {
            let interfaces = INTERFACES.iter().filter(|it| it.capability == capability);
            let all = interfaces
                .flat_map(|it| it.functions.iter().map(move |f| format!("{}.{f}", it.name)));
            all.filter(|operation| is_change(operation)).collect()
        };
        assert_eq!(changes("dns"), ["records.set", "records.delete"]);
        let hetzner = changes("hetzner");
        assert!(hetzner.contains(&"servers.power-off".to_owned()), "{hetzner:?}");
        assert!(hetzner.contains(&"volumes.declare-data".to_owned()), "{hetzner:?}");
        assert!(hetzner.iter().all(|it| !it.starts_with("pricing")), "{hetzner:?}");
        for own in OWN {
            assert!(is_change(own) && is_operation("hetzner", own), "{own}");
            assert!(!hetzner.contains(&own.to_owned()), "{own} is offered to runbooks");
        }
    }

    #[test]
    fn the_catalogue_is_what_the_wit_folder_offers() {
        let known: BTreeSet<String> = INTERFACES
            .iter()
            .flat_map(|it| {
                it.functions.iter().map(|f| format!("{}.{}.{f}", it.capability, it.name))
            })
            .collect();
        let mut offered: BTreeSet<String> = WIT.into_iter().flat_map(operations_of).collect();
        assert!(offered.remove("hetzner.servers.create-many"), "a batch has its own function");
        assert_eq!(known, offered);
    }
}
