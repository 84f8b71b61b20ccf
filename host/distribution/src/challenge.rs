//! What a registry answers to somebody whom it does not know: how to say who one is.
//!
//! Source: RFC 9110, section 11, and the token authentication of the distribution project.

use std::collections::BTreeMap;

/// How to say who one is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Challenge {
    /// With user and password.
    Basic,
    /// With a token, which somebody gives.
    Bearer {
        /// Who gives it.
        realm: String,
        /// For whom it is.
        service: Option<String>,
    },
}

impl Challenge {
    /// Reads the value of `WWW-Authenticate`; nothing where it asks for something else.
    pub fn parse(value: &str) -> Option<Self> {
        let (scheme, rest) = value.trim().split_once(' ').unwrap_or((value.trim(), ""));
        match scheme.to_ascii_lowercase().as_str() {
            "basic" => Some(Self::Basic),
            "bearer" => {
                let mut parameters = parameters(rest);
                let realm = parameters.remove("realm").filter(|realm| !realm.is_empty())?;
                Some(Self::Bearer { realm, service: parameters.remove("service") })
            }
            _ => None,
        }
    }
}

/// Reads `name="value"` between commas; what does not look like it ends the list.
fn parameters(text: &str) -> BTreeMap<String, String> {
    let (mut found, mut rest) = (BTreeMap::new(), text.trim_start());
    while let Some((name, after)) = rest.split_once('=') {
        let (value, after) = match after.strip_prefix('"') {
            Some(quoted) => match quoted.split_once('"') {
                Some((value, after)) => (value, after),
                None => break,
            },
            None => after.split_at(after.find(',').unwrap_or(after.len())),
        };
        found.insert(name.trim().to_ascii_lowercase(), value.trim().to_owned());
        rest = after.trim_start_matches([',', ' ']);
    }
    found
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_registry_says_how_to_say_who_one_is() {
        let bearer = |realm: &str, service: Option<&str>| {
            let service = service.map(str::to_owned);
            Some(Challenge::Bearer { realm: realm.to_owned(), service })
        };
        let realm = "https://auth.example.org/token";
        let rows = [
            ("Basic realm=\"x\"", Some(Challenge::Basic)),
            ("basic", Some(Challenge::Basic)),
            (
                "Bearer realm=\"https://auth.example.org/token\",service=\"registry\",scope=\"a:b,c\"",
                bearer(realm, Some("registry")),
            ),
            (
                "bearer service=\"a,b\", realm=\"https://auth.example.org/token\"",
                bearer(realm, Some("a,b")),
            ),
            ("Bearer realm=https://auth.example.org/token", bearer(realm, None)),
            ("Bearer", None),
            ("Bearer realm=\"\"", None),
            ("Bearer realm=\"https://auth.example.org/token", None),
            ("Negotiate", None),
            ("", None),
        ];
        for (value, expected) in rows {
            assert_eq!(Challenge::parse(value), expected, "{value}");
        }
    }
}
