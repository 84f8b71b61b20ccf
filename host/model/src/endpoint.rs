//! The base of an API, and which tokens may be sent to it.

use std::fmt;

use crate::secret::Secret;

/// Where Hetzner Cloud is.
pub const HETZNER: &str = "https://api.hetzner.cloud/v1";
/// With this a made-up token begins; a real one never does.
const SIMULATED_PREFIX: &str = "simulated";
/// Tokens of Hetzner Cloud, and those made up for a simulator, have this many characters.
const TOKEN_CHARS: usize = 64;

/// The base of an API, without a slash at its end.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Endpoint(String);

/// A text that is no endpoint.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error(
    "`{0}` is no endpoint: expected `https://HOST/PATH`, or `http://HOST/PATH` for a simulator"
)]
pub struct EndpointError(String);

impl Endpoint {
    /// Reads an endpoint. A user, a query or a fragment is refused, and so is what is not ASCII.
    pub fn parse(text: &str) -> Result<Self, EndpointError> {
        let wrong = || EndpointError(crate::text::escape(text));
        let rest = text.strip_prefix("https://").or_else(|| text.strip_prefix("http://"));
        let rest = rest.ok_or_else(wrong)?;
        let authority = rest.split('/').next().unwrap_or_default();
        let is_host = |byte: u8| {
            byte.is_ascii_lowercase() || byte.is_ascii_digit() || b".-:[]".contains(&byte)
        };
        let is_plain =
            text.bytes().all(|byte| byte.is_ascii_graphic() && !b"@?#*\\\"<>".contains(&byte));
        match is_plain && !authority.is_empty() && authority.bytes().all(is_host) {
            true => Ok(Self(text.trim_end_matches('/').to_owned())),
            false => Err(wrong()),
        }
    }

    /// Returns the text.
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// Returns whether what is sent there stays on this machine.
    pub fn is_loopback(&self) -> bool {
        is_loopback(&self.0)
    }

    /// Returns whether what is sent there is encrypted.
    pub fn is_encrypted(&self) -> bool {
        self.0.starts_with("https://")
    }
}

impl fmt::Display for Endpoint {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(&self.0)
    }
}

/// Returns whether a URL leads to this machine: to `localhost`, or to a loopback address.
pub fn is_loopback(url: &str) -> bool {
    let rest = url.split_once("://").map_or(url, |(_, rest)| rest);
    let authority = rest.split(['/', '?', '#']).next().unwrap_or_default();
    if authority.contains('@') {
        return false;
    }
    let host = match authority.strip_prefix('[') {
        Some(rest) => rest.split(']').next().unwrap_or_default(),
        None => authority.split(':').next().unwrap_or_default(),
    };
    let address = host.parse::<std::net::IpAddr>();
    host == "localhost" || address.is_ok_and(|address| address.is_loopback())
}

/// Returns whether a text names a host and nothing else: with a dot, with a port, or `localhost`.
pub fn is_host(text: &str) -> bool {
    let (name, port) = match text.split_once(':') {
        Some((name, port)) => (name, Some(port)),
        None => (text, None),
    };
    let is_letter = |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit() || byte == b'-';
    let is_label = |label: &str| {
        let has_edges = !label.starts_with('-') && !label.ends_with('-');
        !label.is_empty() && label.bytes().all(is_letter) && has_edges
    };
    let is_port = |port: &str| port.parse::<u16>().is_ok_and(|number| number.to_string() == port);
    // A bare word is taken for a folder of somebody's hub by other tools, which nobody here means.
    let is_told = name.contains('.') || name == "localhost" || port.is_some();
    is_told && name.split('.').all(is_label) && port.is_none_or(is_port)
}

/// Why a token is not sent. No text of it shows the token.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum TokenError {
    /// Nothing in it.
    #[error("the token of the credential `{0}` is empty: set the variable or file that it names")]
    Empty(String),
    /// Not the form of a token.
    #[error(
        "the token of the credential `{0}` is malformed: expected 64 letters and digits, without \
         spaces, quotes or line feeds"
    )]
    Malformed(String),
    /// A real token and a plain endpoint.
    #[error(
        "the credential `{credential}` holds a real token, which is never sent to `{endpoint}`: \
         use an `https://` endpoint, or a made-up token that begins with `simulated`"
    )]
    RealToPlain {
        /// The credential.
        credential: String,
        /// The endpoint.
        endpoint: String,
    },
    /// A made-up token and a real endpoint.
    #[error(
        "the credential `{credential}` holds a made-up token, which is never sent to `{endpoint}`: \
         use the `http://` endpoint of a simulator, or a real token"
    )]
    SimulatedToReal {
        /// The credential.
        credential: String,
        /// The endpoint.
        endpoint: String,
    },
}

/// Returns whether a token was made up for a simulator.
pub fn is_simulated(token: &Secret) -> bool {
    token.expose().starts_with(SIMULATED_PREFIX)
}

/// Checks that the token of `credential` may be sent to `endpoint`: real ones go to `https://`
/// only, made-up ones to `http://` only, so that no real token ever reaches a simulator.
pub fn check_token(
    credential: &str,
    token: &Secret,
    endpoint: &Endpoint,
) -> Result<(), TokenError> {
    let name = credential.to_owned();
    if token.is_empty() {
        return Err(TokenError::Empty(name));
    }
    let text = token.expose();
    let is_plain = text.bytes().all(|byte| byte.is_ascii_alphanumeric());
    if text.len() != TOKEN_CHARS || !is_plain {
        return Err(TokenError::Malformed(name));
    }
    let to = endpoint.to_string();
    match (is_simulated(token), endpoint.is_encrypted()) {
        (false, true) | (true, false) => Ok(()),
        _ if crate::breakable::is_broken("token-endpoint") => Ok(()),
        (false, false) => Err(TokenError::RealToPlain { credential: name, endpoint: to }),
        (true, true) => Err(TokenError::SimulatedToReal { credential: name, endpoint: to }),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_this_machine_is_loopback() {
        let rows = [
            ("http://127.0.0.1:8080/v1", true),
            ("http://127.9.9.9", true),
            ("http://localhost:1/x", true),
            ("http://[::1]:8080/v1", true),
            ("https://api.hetzner.cloud/v1", false),
            ("http://localhost.example.org", false),
            ("http://127.0.0.1.example.org/", false),
            ("http://127.0.0.1@example.org/", false),
            ("http://example.org?127.0.0.1", false),
            ("http://10.0.0.1", false),
            ("http://0.0.0.0", false),
            ("http://[::]", false),
            ("http://2130706433", false),
        ];
        for (url, expected) in rows {
            assert_eq!(is_loopback(url), expected, "{url}");
        }
    }

    #[test]
    fn tokens_go_only_where_they_belong() {
        let real = "a".repeat(64);
        let simulated = format!("simulated{}", "a".repeat(55));
        let short = "a".repeat(63);
        let spaced = format!("{} ", "a".repeat(63));
        let (https, http) = ("https://api.hetzner.cloud/v1", "http://127.0.0.1:8080/v1");
        let rows: [(&str, &str, &str); 9] = [
            (&real, https, ""),
            (&simulated, http, ""),
            (&real, http, "real token"),
            (&simulated, https, "made-up token"),
            ("", https, "empty"),
            ("", http, "empty"),
            (&short, https, "malformed"),
            (&spaced, https, "malformed"),
            ("simulated", http, "malformed"),
        ];
        for (token, endpoint, part) in rows {
            let endpoint = Endpoint::parse(endpoint).unwrap();
            let shown = check_token("prod", &Secret::new(token), &endpoint)
                .map_or_else(|error| error.to_string(), |()| String::new());
            assert!(shown.contains(part) && shown.is_empty() == part.is_empty(), "{part}: {shown}");
            assert!(token.is_empty() || token == "simulated" || !shown.contains(token));
        }
    }

    #[test]
    fn nothing_but_the_rule_keeps_a_token_from_where_it_does_not_belong() {
        let rows = [
            ("a".repeat(64), "http://127.0.0.1:8080/v1"),
            (format!("simulated{}", "a".repeat(55)), "https://api.hetzner.cloud/v1"),
        ];
        for (token, endpoint) in rows {
            let (token, endpoint) = (Secret::new(token), Endpoint::parse(endpoint).unwrap());
            let check = || check_token("prod", &token, &endpoint);
            check().expect_err("it belongs elsewhere");
            crate::breakable::with_broken("token-endpoint", check).expect("no check is left");
        }
    }

    #[test]
    fn an_endpoint_has_one_spelling() {
        let endpoint = Endpoint::parse("https://api.hetzner.cloud/v1/").unwrap();
        assert_eq!(endpoint.as_str(), HETZNER);
        for text in ["HTTPS://api.hetzner.cloud", "https://API.hetzner.cloud", "https:///v1"] {
            assert!(Endpoint::parse(text).is_err(), "{text}");
        }
    }
}
