//! Whether a component may start at all: its imports within the ask, the ask within the grant.
//! All gaps are found at once, each with the line that closes it.

use std::fmt;

use crate::exit::Exit;
use crate::grant::Grant;
use crate::id::Scope;
use crate::journal::UnixMs;
use crate::manifest::{Manifest, Tier};
use crate::operations::{INTERFACES, Interface, OFFERED, interface};

/// One import of a component.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Import {
    /// For example `runwrit:hetzner/servers@0.1.0`.
    pub name: String,
    /// Whether it brings types only, and so no way to do anything.
    pub is_type_only: bool,
}

/// Where a package comes from, as far as the keyring of the host tells.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Origin {
    /// `namespace:name`, by those who signed it; nothing where nobody did.
    pub package: Option<String>,
    /// The namespaces in which some key of this host may sign a package of that name.
    pub namespaces: Vec<String>,
}

/// What is missing.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum GapKind {
    /// The host has no such interface, or not in this version.
    NotOffered,
    /// Network access and HTTP of WASI are never linked.
    NeverLinked,
    /// WASI in the tier `pure`.
    TierTooLow,
    /// The ask does not name the interface.
    OutsideAsk,
    /// The grant is for another runbook or version.
    OtherRunbook,
    /// The grant is for another scope.
    OtherScope,
    /// The grant has expired.
    Expired,
    /// The grant names no operation of the interface.
    NotGranted,
}

/// One reason against the start.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Gap {
    /// What is missing.
    pub kind: GapKind,
    /// What it is about, for example `hetzner/servers`.
    pub subject: String,
    /// Why, in one sentence.
    pub reason: String,
    /// What to do: the file and the lines to add.
    pub fix: String,
}

impl fmt::Display for Gap {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "`{}` {}: {}", self.subject, self.reason, self.fix)
    }
}

/// All reasons against the start.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub struct Gaps(pub Vec<Gap>);

impl fmt::Display for Gaps {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "the run was not started")?;
        self.0.iter().try_for_each(|gap| write!(formatter, "\n  {gap}"))
    }
}

impl Gaps {
    /// Returns the exit code: what the component is comes before what the grant lacks.
    pub fn exit(&self) -> Exit {
        let is_of_component = |gap: &Gap| {
            use GapKind::{NeverLinked, NotOffered, OutsideAsk, TierTooLow};
            matches!(gap.kind, NotOffered | NeverLinked | TierTooLow | OutsideAsk)
        };
        if self.0.iter().any(is_of_component) { Exit::Untrusted } else { Exit::NotGranted }
    }
}

/// Compares the imports of a component with its ask.
pub fn imports_within_ask(imports: &[Import], manifest: &Manifest) -> Vec<Gap> {
    let gaps = imports.iter().filter_map(|import| import_gap(import, manifest));
    world_gap(manifest).into_iter().chain(gaps).collect()
}

/// A component of another world may mean other things by the same names.
fn world_gap(manifest: &Manifest) -> Option<Gap> {
    let version = manifest.world.rsplit_once('@').map_or("", |(_, version)| version);
    (!is_offered(version)).then(|| Gap {
        kind: GapKind::NotOffered,
        subject: manifest.world.clone(),
        reason: "is the `world` of `runbook.toml`, and this host does not offer it".into(),
        fix: format!(
            "this host offers version {OFFERED}: build the runbook for it, or use a host \
             of that version"
        ),
    })
}

/// Compares the ask, the scope of the run and the time with the grant.
pub fn ask_within_grant(
    (manifest, origin): (&Manifest, &Origin),
    grant: &Grant,
    scope: &Scope,
    now: UnixMs,
) -> Vec<Gap> {
    let mut gaps = Vec::new();
    gaps.extend(runbook_gap(manifest, origin, grant));
    gaps.extend(scope_gap(grant, scope));
    gaps.extend(expiry_gap(grant, now));
    let asked = manifest.ask.iter().filter_map(|ask| interface(&ask.interface));
    gaps.extend(asked.filter_map(|interface| interface_gap(interface, grant)));
    gaps
}

/// Admits a run, or tells every gap at once.
pub fn admit(imports: Vec<Gap>, grant: Vec<Gap>) -> Result<(), Gaps> {
    let gaps: Vec<Gap> = imports.into_iter().chain(grant).collect();
    if gaps.is_empty() { Ok(()) } else { Err(Gaps(gaps)) }
}

fn import_gap(import: &Import, manifest: &Manifest) -> Option<Gap> {
    let (path, version) = import.name.split_once('@').unwrap_or((&import.name, ""));
    match path.split_once(':') {
        // A world that uses a shared type imports that type alone, under its own plain name.
        None if import.is_type_only => None,
        Some(("runwrit", path)) => own_gap(import, path, version, manifest),
        Some(("wasi", path)) => wasi_gap(import, path, version, manifest.tier),
        _ => Some(not_offered(import, "the host offers `runwrit:` packages only")),
    }
}

fn own_gap(import: &Import, path: &str, version: &str, manifest: &Manifest) -> Option<Gap> {
    if !is_offered(version) {
        return Some(not_offered(import, &format!("this host offers version {OFFERED}")));
    }
    // Types alone do nothing, and some languages import them without being told to.
    if import.is_type_only || path.starts_with("types/") {
        return None;
    }
    let Some(interface) = interface(path) else {
        return Some(not_offered(import, &format!("known are {}", paths())));
    };
    let is_asked = interface.is_free || manifest.asks_for(path);
    if is_asked || crate::breakable::is_broken("import-outside-ask") {
        return None;
    }
    Some(Gap {
        kind: GapKind::OutsideAsk,
        subject: path.to_owned(),
        reason: "is imported, but `runbook.toml` does not ask for it".into(),
        fix: format!(
            "add to runbook.toml and sign again: [[ask]] interface = \"{path}\", why = \"...\""
        ),
    })
}

fn wasi_gap(import: &Import, path: &str, version: &str, tier: Tier) -> Option<Gap> {
    let is_known = INERT.contains(&path) || SOCKETS.contains(&path);
    let is_inert = is_known && version.starts_with("0.2.");
    let gap = |kind, reason: &str, fix: &str| {
        let (subject, reason, fix) = (import.name.clone(), reason.into(), fix.into());
        Some(Gap { kind, subject, reason, fix })
    };
    match (is_inert, tier) {
        (true, Tier::InertWasi) => None,
        (true, Tier::Pure) => gap(
            GapKind::TierTooLow,
            "is imported, but the tier is `pure`",
            "build without WASI, or write `tier = \"inert-wasi\"` in runbook.toml and sign again",
        ),
        (false, _) => gap(
            GapKind::NeverLinked,
            "is imported, but never linked",
            "reach the outside through a `runwrit:` interface instead",
        ),
    }
}

/// What some languages import and never need: nothing stands behind it, and each call of it traps.
pub const SOCKETS: &[&str] = &[
    "sockets/instance-network",
    "sockets/ip-name-lookup",
    "sockets/network",
    "sockets/tcp",
    "sockets/tcp-create-socket",
    "sockets/udp",
    "sockets/udp-create-socket",
];

/// What an empty WASI context can serve: no HTTP.
const INERT: &[&str] = &[
    "cli/environment",
    "cli/exit",
    "cli/stdin",
    "cli/stdout",
    "cli/stderr",
    "cli/terminal-input",
    "cli/terminal-output",
    "cli/terminal-stdin",
    "cli/terminal-stdout",
    "cli/terminal-stderr",
    "clocks/monotonic-clock",
    "clocks/wall-clock",
    "filesystem/preopens",
    "filesystem/types",
    "io/error",
    "io/poll",
    "io/streams",
    "random/insecure",
    "random/insecure-seed",
    "random/random",
];

fn not_offered(import: &Import, fix: &str) -> Gap {
    Gap {
        kind: GapKind::NotOffered,
        subject: import.name.clone(),
        reason: "is imported, but this host does not offer it".into(),
        fix: fix.to_owned(),
    }
}

/// Below 1.0 a minor version is another interface; a patch only adds.
fn is_offered(version: &str) -> bool {
    let numbers = |text: &str| -> Option<Vec<u32>> {
        text.split('.').map(|part| part.parse().ok()).collect()
    };
    match (numbers(version).as_deref(), numbers(OFFERED).as_deref()) {
        (Some([major, minor, patch]), Some([ours, second, third])) => {
            major == ours && minor == second && patch <= third
        }
        _ => false,
    }
}

fn paths() -> String {
    INTERFACES.iter().map(|it| format!("`{}`", it.path())).collect::<Vec<_>>().join(", ")
}

fn runbook_gap(manifest: &Manifest, origin: &Origin, grant: &Grant) -> Option<Gap> {
    let granted = &grant.document().runbook;
    let is_same_version =
        granted.version.as_ref().is_none_or(|version| *version == manifest.runbook_version);
    let is_bare = !granted.name.contains(':');
    let is_same_name = match is_bare {
        true => granted.name == manifest.name,
        false => origin.package.as_ref() == Some(&granted.name),
    };
    let version = &manifest.runbook_version;
    // Where only one publisher can be meant, people say the bare name.
    let is_qualified = !is_bare || origin.namespaces.len() > 1;
    let own = origin.package.as_ref().filter(|_| is_qualified).unwrap_or(&manifest.name);
    let gap = |reason: String, fix: String| {
        let (kind, subject) = (GapKind::OtherRunbook, format!("{own}@{version}"));
        Some(Gap { kind, subject, reason, fix })
    };
    if !(is_same_name && is_same_version) {
        let version_of = granted.version.as_ref().map(|it| format!("@{it}")).unwrap_or_default();
        return gap(
            format!("is not what the grant is for, `{}{version_of}`", granted.name),
            format!(
                "write in {}: [runbook] name = \"{own}\", version = \"{version}\"",
                grant.file()
            ),
        );
    }
    // A bare name would hand what was granted to one publisher to each of the others.
    if is_bare && origin.package.is_some() && origin.namespaces.len() > 1 {
        let named = |space: &String| format!("name = \"{space}:{}\"", manifest.name);
        let lines: Vec<String> = origin.namespaces.iter().map(named).collect();
        return gap(
            format!(
                "is one of several that may be called `{}` here (`{}`), and the grant does not \
                 say whose it is for",
                manifest.name,
                origin.namespaces.join("`, `")
            ),
            format!("write in {}: [runbook] {}", grant.file(), lines.join(", or ")),
        );
    }
    None
}

fn scope_gap(grant: &Grant, scope: &Scope) -> Option<Gap> {
    if grant.tenant() == scope.tenant_id() {
        return None;
    }
    let (reason, fix) = match (grant.tenant(), scope.tenant_id()) {
        (_, Some(tenant)) => (
            "is not the scope of the grant".to_owned(),
            format!("write in {}: [scope] tenant = \"{tenant}\"", grant.file()),
        ),
        (granted, None) => (
            format!("is a run without a tenant, the grant is for `{}`", granted.unwrap_or("-")),
            format!("remove `[scope]` from {}", grant.file()),
        ),
    };
    Some(Gap { kind: GapKind::OtherScope, subject: scope.to_string(), reason, fix })
}

fn expiry_gap(grant: &Grant, now: UnixMs) -> Option<Gap> {
    (now >= grant.expires() && !crate::breakable::is_broken("grant-expired")).then(|| Gap {
        kind: GapKind::Expired,
        subject: grant.file().to_owned(),
        reason: format!("expired at {}", grant.document().expires),
        fix: "set a later `expires`".into(),
    })
}

fn interface_gap(interface: &Interface, grant: &Grant) -> Option<Gap> {
    if interface.is_free || is_granted(interface, grant) {
        return None;
    }
    let names = interface.functions.iter().map(|it| format!("\"{}.{it}\"", interface.name));
    let line = match interface.capability {
        "http" => "requests = [{ method = \"GET\", url = \"https://...\" }]".to_owned(),
        "run" => "keep = [], undo-with = [], pivot = true, as far as needed".to_owned(),
        _ => format!("operations = [{}]", names.collect::<Vec<_>>().join(", ")),
    };
    let section = if interface.capability == "run" { "recovery" } else { interface.capability };
    Some(Gap {
        kind: GapKind::NotGranted,
        subject: interface.path(),
        reason: "is asked for, but nothing of it is granted".into(),
        fix: format!("add to `[{section}]` in {} what is needed of: {line}", grant.file()),
    })
}

fn is_granted(interface: &Interface, grant: &Grant) -> bool {
    let document = grant.document();
    match interface.capability {
        "http" => document.http.as_ref().is_some_and(|it| !it.requests.is_empty()),
        "run" => document
            .recovery
            .as_ref()
            .is_some_and(|it| it.pivot || !it.keep.is_empty() || !it.undo_with.is_empty()),
        capability => interface.functions.iter().any(|function| {
            grant.names_operation(&format!("{capability}.{}.{function}", interface.name))
        }),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const MANIFEST: &str = r#"
        version = 1
        name = "provision-tenant"
        runbook-version = "0.1.0"
        description = "Creates what a tenant needs"
        world = "runwrit:provision-tenant@0.1.0"
        tier = "pure"
        ask = [
            { interface = "hetzner/servers", why = "servers" },
            { interface = "audit/events", why = "audit" },
            { interface = "http/requests", why = "health" },
            { interface = "run/recovery", why = "data" },
        ]
    "#;
    const GRANT: &str = r#"
        version = 1
        expires = 2027-01-01T00:00:00Z
        runbook = { name = "provision-tenant", version = "0.1.0" }
        scope = { tenant = "acme" }
        hetzner = { operations = ["servers.get"] }
        audit = { operations = ["events.append"] }
        http = { requests = [{ method = "GET", url = "https://a.example/" }] }
        recovery = { pivot = true }
    "#;

    fn manifest(change: (&str, &str)) -> Manifest {
        Manifest::parse("runbook.toml", &changed(MANIFEST, change)).unwrap()
    }

    fn changed(text: &str, (from, to): (&str, &str)) -> String {
        if from.is_empty() { text.to_owned() } else { text.replace(from, to) }
    }

    fn gaps_of(name: &str, tier: &str, is_type_only: bool) -> Vec<Gap> {
        let manifest = manifest(("\"pure\"", &format!("\"{tier}\"")));
        imports_within_ask(&[Import { name: name.into(), is_type_only }], &manifest)
    }

    #[test]
    fn imports_are_within_the_ask_and_the_tier() {
        use GapKind::{NeverLinked, NotOffered, OutsideAsk, TierTooLow};
        let rows = [
            ("runwrit:hetzner/servers@0.1.0", "pure", None),
            ("runwrit:run/steps@0.1.0", "pure", None),
            ("runwrit:types/failures@0.1.0", "pure", None),
            ("wasi:cli/stdout@0.2.9", "inert-wasi", None),
            ("wasi:cli/stdout@0.2.9", "pure", Some(TierTooLow)),
            ("wasi:cli/stdout@0.3.0", "inert-wasi", Some(NeverLinked)),
            ("wasi:cli/run@0.2.9", "inert-wasi", Some(NeverLinked)),
            ("wasi:http/outgoing-handler@0.2.9", "inert-wasi", Some(NeverLinked)),
            ("wasi:http/types@0.2.9", "pure", Some(NeverLinked)),
            ("wasi:sockets/tcp@0.2.9", "inert-wasi", None),
            ("wasi:sockets/tcp@0.3.0", "inert-wasi", Some(NeverLinked)),
            ("wasi:sockets/raw@0.2.9", "inert-wasi", Some(NeverLinked)),
            ("wasi:sockets/network@0.2.9", "pure", Some(TierTooLow)),
            ("wasi:cli/stdout", "inert-wasi", Some(NeverLinked)),
            ("runwrit:hetzner/volumes@0.1.0", "pure", Some(OutsideAsk)),
            ("runwrit:registry/tenants@0.1.0", "inert-wasi", Some(OutsideAsk)),
            ("runwrit:hetzner/servers@0.2.0", "pure", Some(NotOffered)),
            ("runwrit:hetzner/servers@0.1.1", "pure", Some(NotOffered)),
            ("runwrit:hetzner/servers@1.1.0", "pure", Some(NotOffered)),
            ("runwrit:hetzner/servers", "pure", Some(NotOffered)),
            ("runwrit:hetzner/Servers@0.1.0", "pure", Some(NotOffered)),
            ("runwrit:ssh/hosts@0.1.0", "pure", Some(NotOffered)),
            ("acme:evil/x@0.1.0", "pure", Some(NotOffered)),
            ("run", "pure", Some(NotOffered)),
            ("", "pure", Some(NotOffered)),
        ];
        for (name, tier, expected) in rows {
            let gaps = gaps_of(name, tier, false);
            assert_eq!(gaps.first().map(|gap| gap.kind), expected, "{name} in {tier}");
            if expected.is_some() {
                assert_eq!(Gaps(gaps).exit(), Exit::Untrusted, "{name}");
            }
        }
        assert!(gaps_of("runwrit:hetzner/volumes@0.1.0", "pure", true).is_empty());
        assert!(gaps_of("failure", "pure", true).is_empty());
        let unasked = || gaps_of("runwrit:hetzner/volumes@0.1.0", "pure", false);
        let unchecked = crate::breakable::with_broken("import-outside-ask", unasked);
        assert!(unchecked.is_empty(), "nothing else compares imports with the ask: {unchecked:?}");
    }

    #[test]
    fn a_component_of_another_world_is_refused() {
        let rows = [("@0.1.0", true), ("@0.9.0", false), ("@7.0.0", false)];
        for (version, is_offered) in rows {
            let world = format!("provision-tenant{version}\"\n        tier");
            let manifest = manifest(("provision-tenant@0.1.0\"\n        tier", &world));
            let gaps = imports_within_ask(&[], &manifest);
            assert_eq!(gaps.is_empty(), is_offered, "{version}: {gaps:?}");
        }
    }

    #[test]
    fn the_ask_the_scope_and_the_time_are_within_the_grant() {
        use GapKind::{Expired, NotGranted, OtherRunbook, OtherScope};
        let before = 1_700_000_000_000;
        let after = 1_900_000_000_000;
        let rows = [
            (("", ""), "tenant:acme", before, None),
            (("\"servers.get\"", "\"volumes.get\""), "tenant:acme", before, Some(NotGranted)),
            (("[\"servers.get\"]", "[]"), "tenant:acme", before, Some(NotGranted)),
            (("[\"events.append\"]", "[]"), "tenant:acme", before, Some(NotGranted)),
            (("pivot = true", "pivot = false"), "tenant:acme", before, Some(NotGranted)),
            (
                ("{ method = \"GET\", url = \"https://a.example/\" }", ""),
                "tenant:acme",
                before,
                Some(NotGranted),
            ),
            (("\"provision-tenant\"", "\"other\""), "tenant:acme", before, Some(OtherRunbook)),
            (("\"0.1.0\"", "\"0.1.1\""), "tenant:acme", before, Some(OtherRunbook)),
            (("", ""), "tenant:bolt", before, Some(OtherScope)),
            (("", ""), "tenant:Acme", before, Some(OtherScope)),
            (("", ""), "run:X", before, Some(OtherScope)),
            (("scope = { tenant = \"acme\" }", ""), "tenant:acme", before, Some(OtherScope)),
            (("", ""), "tenant:acme", after, Some(Expired)),
        ];
        for (change, scope, now, expected) in rows {
            let grant = Grant::parse("g.toml", &changed(GRANT, change)).unwrap();
            let scope = Scope::from(scope.to_owned());
            let gaps =
                ask_within_grant((&manifest(("", "")), &Origin::default()), &grant, &scope, now);
            let kinds: Vec<GapKind> = gaps.iter().map(|gap| gap.kind).collect();
            assert_eq!(kinds, expected.into_iter().collect::<Vec<_>>(), "{change:?} {scope}");
            if expected.is_some() {
                assert_eq!(Gaps(gaps).exit(), Exit::NotGranted, "{change:?}");
            }
        }
    }

    #[test]
    fn a_grant_is_for_the_package_of_one_namespace() {
        let of = |package: &str, namespaces: &[&str]| Origin {
            package: (!package.is_empty()).then(|| package.to_owned()),
            namespaces: namespaces.iter().map(|it| (*it).to_owned()).collect(),
        };
        let (acme, guest) = ("acme:provision-tenant", "guest:provision-tenant");
        let both = ["acme", "guest"];
        let rows = [
            ("provision-tenant", of(acme, &["acme"]), true),
            ("provision-tenant", of("", &[]), true),
            ("provision-tenant", of("", &both), true),
            (acme, of(acme, &["acme"]), true),
            (acme, of(acme, &both), true),
            ("provision-tenant", of(acme, &both), false),
            ("provision-tenant", of(guest, &both), false),
            (acme, of(guest, &both), false),
            (acme, of(guest, &["guest"]), false),
            (acme, of("", &[]), false),
            ("acme:other", of(acme, &both), false),
        ];
        for (name, origin, is_admitted) in rows {
            let text = changed(GRANT, ("\"provision-tenant\"", &format!("\"{name}\"")));
            let grant = Grant::parse("g.toml", &text).unwrap();
            let scope = Scope::tenant("acme");
            let gaps = ask_within_grant((&manifest(("", "")), &origin), &grant, &scope, 0);
            assert_eq!(gaps.is_empty(), is_admitted, "{name} for {origin:?}: {gaps:?}");
            for gap in &gaps {
                assert_eq!(gap.kind, GapKind::OtherRunbook, "{name} for {origin:?}");
                assert!(gap.fix.starts_with("write in g.toml: [runbook] name = "), "{gap}");
            }
        }
        for bad in ["", "acme:", ":x", "acme:a:b", "acme:*", "Acme:x"] {
            let text = changed(GRANT, ("\"provision-tenant\"", &format!("\"{bad}\"")));
            assert!(Grant::parse("g.toml", &text).is_err(), "`{bad}` names a runbook");
        }
    }

    #[test]
    fn all_gaps_stand_in_one_report_and_those_of_the_component_decide_the_code() {
        let imports = imports_within_ask(
            &[Import { name: "wasi:http/types@0.2.9".into(), is_type_only: false }],
            &manifest(("", "")),
        );
        let grant = Grant::parse("g.toml", &GRANT.replace("servers.get", "volumes.get")).unwrap();
        let missing = ask_within_grant(
            (&manifest(("", "")), &Origin::default()),
            &grant,
            &Scope::tenant("bolt"),
            u64::MAX,
        );
        let gaps = admit(imports, missing).unwrap_err();
        assert_eq!(gaps.0.len(), 4);
        assert_eq!(gaps.exit(), Exit::Untrusted);
        let shown = gaps.to_string();
        for part in ["wasi:http", "[scope] tenant = \"bolt\"", "expired", "\"servers.create\""] {
            assert!(shown.contains(part), "{part} is not told in {shown}");
        }
        admit(Vec::new(), Vec::new()).unwrap();
    }
}
