//! The smallest grant that lets a plan run: each line of it is needed.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write as _;

use serde_json::Value;

use super::document::{Plan, Recovery, Step};
use crate::id::Digest;
use crate::money::Eur;
use crate::operations::interface;

/// Returns the grant as TOML, expiring at `expires` (RFC 3339).
pub fn suggest(plan: &Plan, expires: &str) -> String {
    let (name, version) = plan.runbook.split_once('@').unwrap_or((&plan.runbook, ""));
    let mut text = format!("# The smallest grant for the plan {}.\n", plan.digest);
    let runbook = format!("{{ name = {}, version = {} }}", quote(name), quote(version));
    line(&mut text, "version", "1");
    line(&mut text, "expires", expires);
    line(&mut text, "runbook", &runbook);
    if let Some(tenant) = &plan.tenant {
        line(&mut text, "scope", &format!("{{ tenant = {} }}", quote(tenant)));
    }
    let on_failure = serde_json::to_value(plan.given.on_failure).unwrap_or_default();
    if let Some(word) = on_failure.as_str() {
        line(&mut text, "on-failure", &quote(word));
    }
    text += &recovery(plan);
    text += &hetzner(plan);
    text += &dns(plan);
    text += &registry(plan);
    text += &audit(plan);
    text + &http(plan)
}

fn line(text: &mut String, key: &str, value: &str) {
    // Writing to a text cannot fail.
    let _ = writeln!(text, "{key} = {value}");
}

fn list<S: AsRef<str>>(text: &mut String, key: &str, items: impl IntoIterator<Item = S>) {
    let items: BTreeSet<String> = items.into_iter().map(|item| quote(item.as_ref())).collect();
    if !items.is_empty() {
        let items: String = items.iter().map(|item| format!("    {item},\n")).collect();
        line(text, key, &format!("[\n{items}]"));
    }
}

fn quote(text: &str) -> String {
    toml::Value::String(text.to_owned()).to_string()
}

/// Returns the operations of a capability that the plan calls, without its name; of an interface
/// that is asked for and not called, the first one, since the ask must be granted too.
fn operations(plan: &Plan, capability: &str) -> Vec<String> {
    let called = plan.reads.iter().map(|read| read.operation.as_str());
    let called = called.chain(plan.effects.iter().map(|effect| effect.operation.as_str()));
    let own = called.filter_map(|operation| operation.strip_prefix(capability)?.strip_prefix('.'));
    let mut own: Vec<String> = own.map(str::to_owned).collect();
    for asked in plan.asks.iter().filter_map(|path| interface(path)) {
        let is_called = own.iter().any(|name| name.split('.').next() == Some(asked.name));
        if asked.capability == capability && !is_called {
            own.extend(
                asked.functions.first().map(|function| format!("{}.{function}", asked.name)),
            );
        }
    }
    own
}

/// Returns the effects of one operation.
fn effects<'a>(plan: &'a Plan, operation: &'a str) -> impl Iterator<Item = &'a Step> {
    plan.effects.iter().filter(move |effect| effect.operation == operation)
}

fn text<'a>(value: &'a Value, key: &str) -> Option<&'a str> {
    value.get(key)?.as_str()
}

fn texts<'a>(value: &'a Value, key: &str) -> impl Iterator<Item = &'a str> {
    value.get(key).and_then(Value::as_array).into_iter().flatten().filter_map(Value::as_str)
}

fn recovery(plan: &Plan) -> String {
    let mut own = String::new();
    let recovery = match plan.recovery == Recovery::default() && is_asked(plan, "run/recovery") {
        true => first_of(&plan.given.recovery),
        false => plan.recovery.clone(),
    };
    list(&mut own, "keep", &recovery.keep);
    list(&mut own, "undo-with", &recovery.undo_with);
    if recovery.pivot {
        line(&mut own, "pivot", "true");
    }
    section("[recovery]", own)
}

fn is_asked(plan: &Plan, path: &str) -> bool {
    plan.asks.iter().any(|asked| asked == path)
}

/// Returns the first line of what a grant gives: where nothing was called, the ask must be granted
/// all the same.
fn first_of(given: &Recovery) -> Recovery {
    let first = |list: &[String]| list.iter().take(1).cloned().collect();
    match (given.keep.is_empty(), given.undo_with.is_empty()) {
        (false, _) => Recovery { keep: first(&given.keep), ..Recovery::default() },
        (true, false) => Recovery { undo_with: first(&given.undo_with), ..Recovery::default() },
        (true, true) => given.clone(),
    }
}

fn section(head: &str, body: String) -> String {
    if body.is_empty() { String::new() } else { format!("\n{head}\n{body}") }
}

fn hetzner(plan: &Plan) -> String {
    let mut own = String::new();
    list(&mut own, "operations", operations(plan, "hetzner"));
    if own.is_empty() {
        return own;
    }
    if let Some(world) = plan.worlds.get("hetzner").filter(|it| it.credential != "hetzner") {
        line(&mut own, "credential", &quote(&world.credential));
    }
    own += &servers(plan);
    list(&mut own, "primary-ips", names(plan, "hetzner.primary-ips.create"));
    let caps = plan.effects.iter().filter_map(|effect| effect.scope_eur_per_month);
    if let Some(cap) = caps.max().filter(|cap| *cap > Eur::ZERO) {
        line(&mut own, "max-monthly-eur", &quote(&cap.plain()));
    }
    section("[hetzner]", own) + &counts(plan) + &networks(plan) + &firewalls(plan) + &rest(plan)
}

fn names<'a>(plan: &'a Plan, operation: &'a str) -> impl Iterator<Item = &'a str> {
    effects(plan, operation).filter_map(|effect| text(&effect.request, "name"))
}

/// Everything that a check or an order of servers rests on.
fn servers(plan: &Plan) -> String {
    let created = || effects(plan, "hetzner.servers.create");
    let checks = plan.reads.iter().filter(|read| read.operation == "hetzner.servers.check");
    let checked = checks.flat_map(|read| read.request.get("specs").and_then(Value::as_array));
    let specs: Vec<&Value> =
        created().map(|effect| &effect.request).chain(checked.flatten()).collect();
    let of = |key: &'static str| specs.iter().filter_map(move |spec| text(spec, key));
    let found =
        |key: &'static str| created().filter_map(move |effect| text(effect.found.as_ref()?, key));
    let placed = ["hetzner.volumes.create", "hetzner.primary-ips.create"];
    let placed = placed.into_iter().flat_map(|operation| effects(plan, operation));
    let placed = placed.filter_map(|effect| text(&effect.request, "location"));
    let new: BTreeSet<&str> = names(plan, "hetzner.ssh-keys.create").collect();
    let looked = plan.reads.iter().filter(|read| read.operation == "hetzner.ssh-keys.get");
    let looked = looked.filter_map(|read| text(&read.request, "name"));
    let keys = specs.iter().flat_map(|spec| texts(spec, "ssh-keys")).chain(looked);
    let mut own = String::new();
    list(&mut own, "locations", of("location").chain(found("location")).chain(placed));
    list(&mut own, "server-types", found("server-type"));
    list(&mut own, "images", of("image"));
    list(&mut own, "ssh-keys", keys.filter(|key| !new.contains(key)));
    list(&mut own, "servers", of("name"));
    let data = of("user-data").filter(|data| !data.is_empty());
    list(&mut own, "user-data-sha256", data.map(|data| Digest::of(data.as_bytes()).to_string()));
    let is_open = |spec: &Value| {
        let is = |key: &str| spec.get(key).and_then(Value::as_bool).unwrap_or_default();
        (is("has-public-ipv4") || is("has-public-ipv6")) && texts(spec, "firewalls").count() == 0
    };
    if created().any(|effect| is_open(&effect.request)) {
        line(&mut own, "allow-public-without-firewall", "true");
    }
    own
}

fn counts(plan: &Plan) -> String {
    let mut most: BTreeMap<&str, u32> = BTreeMap::new();
    for effect in &plan.effects {
        let mut words = effect.operation.split('.');
        let (Some("hetzner"), Some(kind)) = (words.next(), words.next()) else { continue };
        if let Some(count) = effect.scope_count {
            let held = most.entry(kind).or_default();
            *held = count.max(*held);
        }
    }
    let mut own = String::new();
    most.iter().for_each(|(kind, count)| line(&mut own, kind, &count.to_string()));
    section("[hetzner.counts]", own)
}

fn networks(plan: &Plan) -> String {
    let network = |effect: &Step| {
        let request = &effect.request;
        let subnets = || request.get("subnets").and_then(Value::as_array).into_iter().flatten();
        let mut own = String::new();
        let of = |key: &str| quote(text(request, key).unwrap_or_default());
        line(&mut own, "name", &of("name"));
        line(&mut own, "ip-range", &of("ip-range"));
        list(&mut own, "subnets", subnets().filter_map(|subnet| text(subnet, "ip-range")));
        let zone = subnets().find_map(|subnet| text(subnet, "network-zone"));
        line(&mut own, "network-zone", &quote(zone.unwrap_or("eu-central")));
        section("[[hetzner.networks]]", own)
    };
    effects(plan, "hetzner.networks.create").map(network).collect()
}

fn firewalls(plan: &Plan) -> String {
    let mut rules: BTreeMap<String, BTreeSet<String>> = BTreeMap::new();
    for effect in &plan.effects {
        let name = match effect.operation.as_str() {
            "hetzner.firewalls.create" => text(&effect.request, "name"),
            "hetzner.firewalls.set-rules" => {
                effect.found.as_ref().and_then(|found| text(found, "name"))
            }
            _ => continue,
        };
        let of = effect.request.get("rules").and_then(Value::as_array).into_iter().flatten();
        let held = rules.entry(name.unwrap_or_default().to_owned()).or_default();
        held.extend(of.map(rule));
    }
    let firewall = |(name, rules): (String, BTreeSet<String>)| {
        let mut own = String::new();
        line(&mut own, "name", &quote(&name));
        let rules: String = rules.into_iter().collect();
        section("[[hetzner.firewalls]]", own) + &rules
    };
    rules.into_iter().map(firewall).collect()
}

fn rule(rule: &Value) -> String {
    let mut own = String::new();
    for key in ["direction", "protocol", "port"] {
        if let Some(value) = text(rule, key) {
            line(&mut own, key, &quote(value));
        }
    }
    list(&mut own, "addresses", texts(rule, "addresses"));
    section("[[hetzner.firewalls.rules]]", own)
}

fn rest(plan: &Plan) -> String {
    let volume = |effect: &Step| {
        let mut own = String::new();
        let size = effect.request.get("size-gb").and_then(Value::as_u64).unwrap_or_default();
        line(&mut own, "name", &quote(text(&effect.request, "name").unwrap_or_default()));
        line(&mut own, "max-gb", &size.to_string());
        section("[[hetzner.volumes]]", own)
    };
    let key = |effect: &Step| {
        let mut own = String::new();
        for field in ["name", "public-key"] {
            line(&mut own, field, &quote(text(&effect.request, field).unwrap_or_default()));
        }
        section("[[hetzner.new-ssh-keys]]", own)
    };
    let volumes = effects(plan, "hetzner.volumes.create").map(volume);
    volumes.chain(effects(plan, "hetzner.ssh-keys.create").map(key)).collect()
}

/// How long resolvers may keep a set that has no time of its own.
const ZONE_TTL: u64 = 86_400;

/// Looks that name no set.
const LOOKS: [&str; 2] = ["records.list", "records.zones"];

fn dns(plan: &Plan) -> String {
    let mut own = String::new();
    list(&mut own, "operations", operations(plan, "dns"));
    if let Some(world) = plan.worlds.get("dns").filter(|it| it.credential != "hetzner") {
        line(&mut own, "credential", &quote(&world.credential));
    }
    let mut sets: BTreeMap<(String, String), (BTreeSet<String>, u64)> = BTreeMap::new();
    for (_, request) in requests(plan, "dns.") {
        let id = request.get("id").unwrap_or(request);
        let (Some(zone), Some(name)) = (text(id, "zone"), text(id, "name")) else { continue };
        let held = sets.entry((zone.to_owned(), name.to_owned())).or_default();
        held.0.extend(text(id, "kind").map(str::to_owned));
        if let Some(ttl) = request.get("ttl") {
            held.1 = held.1.max(ttl.as_u64().unwrap_or(ZONE_TTL));
        }
    }
    // A look at all names shows what the grant names.
    let looks = operations(plan, "dns").iter().any(|it| LOOKS.contains(&it.as_str()));
    for given in plan.given.records.iter().filter(|_| looks) {
        let held = sets.entry((given.zone.clone(), given.name.clone()));
        let kinds = given.types.iter().map(|kind| kind.to_string()).collect();
        held.or_insert((kinds, given.max_ttl.into()));
    }
    let is_foreign = |it: &&Step| it.found.as_ref().and_then(|it| text(it, "holder")).is_some();
    let changed = plan.effects.iter().filter(|it| it.operation.starts_with("dns."));
    let foreign: BTreeSet<(String, String)> = changed
        .filter(is_foreign)
        .filter_map(|it| {
            let id = it.request.get("id")?;
            Some((text(id, "zone")?.to_owned(), text(id, "name")?.to_owned()))
        })
        .collect();
    let set = |((zone, name), (kinds, ttl)): ((String, String), (BTreeSet<String>, u64))| {
        let mut own = String::new();
        line(&mut own, "zone", &quote(&zone));
        line(&mut own, "name", &quote(&name));
        list(&mut own, "types", kinds);
        line(&mut own, "max-ttl", &ttl.max(60).to_string());
        if foreign.contains(&(zone, name)) {
            line(&mut own, "replace-foreign", "true");
        }
        section("[[dns.records]]", own)
    };
    let sets: String = sets.into_iter().map(set).collect();
    section("[dns]", own) + &sets
}

/// Returns the requests of all calls whose operations begin so.
fn requests<'a>(plan: &'a Plan, head: &'a str) -> impl Iterator<Item = (&'a String, &'a Value)> {
    let reads = plan.reads.iter().map(|read| (&read.operation, &read.request));
    let all = reads.chain(plan.effects.iter().map(|it| (&it.operation, &it.request)));
    all.filter(move |(operation, _)| operation.starts_with(head))
}

fn registry(plan: &Plan) -> String {
    let mut own = String::new();
    list(&mut own, "operations", operations(plan, "registry"));
    let mut tenants: BTreeMap<&str, u64> = BTreeMap::new();
    for (_, request) in requests(plan, "registry.") {
        let Some(id) = text(request, "id") else { continue };
        let asked = request.get("octet").and_then(Value::as_u64);
        let octet = asked.or_else(|| plan.octets.get(id).copied());
        let held = tenants.entry(id).or_default();
        *held = octet.unwrap_or(*held);
    }
    let tenant = |(id, octet): (&str, u64)| {
        let mut own = String::new();
        line(&mut own, "id", &quote(id));
        line(&mut own, "octet", &octet.to_string());
        section("[[registry.tenants]]", own)
    };
    let tenants: String = tenants.into_iter().map(tenant).collect();
    section("[registry]", own) + &tenants
}

fn audit(plan: &Plan) -> String {
    let of = |key: &'static str| {
        effects(plan, "audit.events.append").filter_map(move |it| text(&it.request, key))
    };
    let mut own = String::new();
    list(&mut own, "operations", operations(plan, "audit"));
    list(&mut own, "kinds", of("kind"));
    list(&mut own, "subjects", of("subject"));
    section("[audit]", own)
}

fn http(plan: &Plan) -> String {
    let request = |(_, request): (&String, &Value)| {
        let of = |key: &str| quote(text(request, key).unwrap_or_default());
        format!("\n[[http.requests]]\nmethod = {}\nurl = {}\n", of("method"), of("url"))
    };
    let called: BTreeSet<String> = requests(plan, "http.").map(request).collect();
    match &plan.given.request {
        Some((method, url)) if called.is_empty() && is_asked(plan, "http/requests") => {
            let (method, url) = (quote(method), quote(url));
            format!("\n[[http.requests]]\nmethod = {method}\nurl = {url}\n")
        }
        _ => called.into_iter().collect(),
    }
}
