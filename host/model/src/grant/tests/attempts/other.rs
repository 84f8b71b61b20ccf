//! The registry, the audit log, requests, and refinements of undo.

use super::*;

pub fn registry_and_audit() -> Vec<Row> {
    fn tenant(
        function: &'static str,
        id: &'static str,
        octet: Option<u8>,
    ) -> impl Fn(&Grant) -> Result<Permit, Denial> {
        move |grant| grant.tenant_call(&format!("registry.tenants.{function}"), id, octet, NOW)
    }
    fn event(
        kind: &'static str,
        subject: &'static str,
    ) -> impl Fn(&Grant) -> Result<Permit, Denial> {
        move |grant| grant.append_event(kind, subject, NOW)
    }
    vec![
        row("reserves", None, tenant("reserve", "acme", Some(7))),
        row("activates", None, tenant("activate", "acme", None)),
        row("reads another one granted", None, tenant("get", "bolt", None)),
        row("reserves another octet", Rule::Octet, tenant("reserve", "acme", Some(8))),
        row("reserves another tenant", Rule::TenantScope, tenant("reserve", "bolt", Some(8))),
        row("retires another tenant", Rule::TenantScope, tenant("retire", "bolt", None)),
        row("reserves one not granted", Rule::Tenant, tenant("reserve", "crab", Some(9))),
        row("reads one not granted", Rule::Tenant, tenant("get", "crab", None)),
        row("reads in capitals", Rule::Tenant, tenant("get", "ACME", None)),
        row("reads with Cyrillic", Rule::Tenant, tenant("get", "аcme", None)),
        row("drops", Rule::Operation, tenant("drop", "acme", None)),
        row("an event", None, event("TENANT_PROVISIONED", "acme")),
        row("another kind", Rule::AuditKind, event("TENANT_DELETED", "acme")),
        row("a kind that begins alike", Rule::AuditKind, event("TENANT_PROVISIONED_X", "acme")),
        row("about another", Rule::AuditSubject, event("TENANT_PROVISIONED", "bolt")),
        row("about it in capitals", Rule::AuditSubject, event("TENANT_PROVISIONED", "Acme")),
    ]
}

pub fn requests() -> Vec<Row> {
    fn send(method: &'static str, url: &'static str) -> impl Fn(&Grant) -> Result<Permit, Denial> {
        move |grant| grant.request("http.requests.send", (method, url), NOW)
    }
    vec![
        row("the request", None, send("GET", "https://acme.example.org/health")),
        row("another method", Rule::Request, send("POST", "https://acme.example.org/health")),
        row(
            "the method of another URL",
            Rule::Request,
            send("GET", "https://acme.example.org/hook"),
        ),
        row(
            "a method in small letters",
            Rule::Request,
            send("get", "https://acme.example.org/health"),
        ),
        row("another scheme", Rule::Request, send("GET", "http://acme.example.org/health")),
        row("another host", Rule::Request, send("GET", "https://bolt.example.org/health")),
        row("a host in capitals", Rule::Request, send("GET", "https://ACME.example.org/health")),
        row("a user", Rule::Request, send("GET", "https://acme.example.org@evil.example/health")),
        row("a port", Rule::Request, send("GET", "https://acme.example.org:443/health")),
        row("a query", Rule::Request, send("GET", "https://acme.example.org/health?x=1")),
        row(
            "a longer path",
            Rule::Request,
            send("GET", "https://acme.example.org/health/../admin"),
        ),
        row("a shorter path", Rule::Request, send("GET", "https://acme.example.org/")),
        row("a fragment", Rule::Request, send("GET", "https://acme.example.org/health#x")),
        row("escapes", Rule::Request, send("GET", "https://acme.example.org/%68ealth")),
        row("too late", Rule::Unexpired, |grant| {
            grant.request("http.requests.read", ("GET", "https://acme.example.org/health"), LATER)
        }),
    ]
}

pub fn recovery() -> Vec<Row> {
    fn undo(
        operation: &'static str,
        thing: fn() -> Addressed,
    ) -> impl Fn(&Grant) -> Result<Permit, Denial> {
        move |grant| grant.undo_with(&[UndoCall { operation, things: &[thing()] }], NOW)
    }
    let own = || made(Kind::Volume);
    vec![
        row("keeps a volume", None, |grant| grant.keep("hetzner.volumes.create", NOW)),
        row("keeps a server", Rule::Keep, |grant| grant.keep("hetzner.servers.create", NOW)),
        row("keeps too late", Rule::Unexpired, |grant| grant.keep("hetzner.volumes.create", LATER)),
        row("undoes by detaching", None, undo("hetzner.volumes.detach", own)),
        row("undoes by deleting", Rule::UndoWith, undo("hetzner.volumes.delete", own)),
        row(
            "undoes on a foreign one",
            Rule::InScope,
            undo("hetzner.volumes.detach", || of_tenant("bolt", Kind::Volume, "acme-data")),
        ),
        row(
            "undoes on another volume of the scope",
            None,
            undo("hetzner.volumes.detach", || of_tenant("acme", Kind::Volume, "acme-old")),
        ),
        row("passes the point of no return", None, |grant| grant.pivot(NOW)),
        row("passes it too late", Rule::Unexpired, |grant| grant.pivot(LATER)),
        row("passes it where there is none", Rule::Pivot, |_| {
            Grant::parse("grants/acme.toml", ACME).unwrap().pivot(NOW)
        }),
    ]
}
