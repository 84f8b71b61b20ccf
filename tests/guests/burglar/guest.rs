//! Tries many ways out of its grant, and tells how each was refused. It wants to be caught at all
//! of them, so nothing that is refused ends it.

use misbehaving_guests::bindings::runwrit::audit::events;
use misbehaving_guests::bindings::runwrit::http::requests::{self, Header, Request};
use misbehaving_guests::bindings::runwrit::registry::tenants;
use misbehaving_guests::{Ending, inputs, note, steps, tell, text};

/// Names that look like `acme` and are not: capitals, a Cyrillic letter, a space, a hidden one.
const TRICKS: [&str; 5] = ["bolt", "ACME", "\u{430}cme", "acme ", "ac\u{200b}me"];

fn run() -> Ending {
    steps::begin("registry")?;
    for id in TRICKS {
        tell("reserve", id, tenants::reserve(id, 7));
        tell("activate", id, tenants::activate(id, &[]));
        tell("retire", id, tenants::retire(id));
    }
    tell("reserve", "another octet", tenants::reserve("acme", 8));
    steps::begin("audit")?;
    for subject in TRICKS {
        tell("append", subject, events::append("TENANT_PROVISIONED", subject, &[]));
    }
    for kind in ["TENANT_DELETED", "tenant_provisioned", "TENANT_PROVISIONED_ROLLED_BACK", ""] {
        tell("append", kind, events::append(kind, "acme", &[]));
    }
    steps::begin("http")?;
    web(&inputs::text("url")?);
    Ok(())
}

fn web(url: &str) {
    let (host, _) = url.trim_start_matches("http://").split_once('/').unwrap_or((url, ""));
    let port = host.rsplit(':').next().unwrap_or_default();
    let urls = [
        ("another path", format!("http://{host}/other")),
        ("a query", format!("{url}?x=1")),
        ("a fragment", format!("{url}#x")),
        ("dots in the path", format!("http://{host}/x/../hook")),
        ("a user", format!("http://acme@{host}/hook")),
        ("a name for the address", format!("http://localhost:{port}/hook")),
        ("another spelling of the address", format!("http://0x7f.1:{port}/hook")),
        ("the metadata of a cloud", "http://169.254.169.254/hetzner/v1/metadata".to_owned()),
        ("a file", "file:///etc/passwd".to_owned()),
    ];
    for (name, url) in urls {
        tell("send", name, requests::send(&request("POST", &url, None)));
    }
    tell("send", "another method", requests::send(&request("DELETE", url, None)));
    tell("send", "a read", requests::send(&request("GET", url, None)));
    tell("read", "a change", requests::read(&request("POST", url, None)));
    let headers = [
        ("host", "other"),
        ("authorization", "Bearer x"),
        ("x-a", "1\r\nhost: other"),
        ("X-A", "1"),
    ];
    for (name, value) in headers {
        tell("send", name, requests::send(&request("POST", url, Some((name, value)))));
    }
    // The one that is granted leads on to another place, where nobody goes.
    match requests::send(&request("POST", url, None)) {
        Ok(response) => note("send", "what is granted", &format!("answered {}", response.status)),
        Err(failure) => note("send", "what is granted", &text(failure)),
    }
}

fn request(method: &str, url: &str, header: Option<(&str, &str)>) -> Request {
    let header = header.map(|(name, value)| Header { name: name.into(), value: value.into() });
    Request {
        method: method.to_owned(),
        url: url.to_owned(),
        headers: header.into_iter().collect(),
        body: Vec::new(),
        timeout_seconds: 5,
    }
}

misbehaving_guests::main!(run);
