//! Simulators in this process, and the made-up credentials that open simulators and nothing else.

use std::fs::File;
use std::io::Write as _;

use data_encoding::BASE64;
use runwrit_model::breakable;
use runwrit_model::dns::ZoneName;
use runwrit_model::endpoint::Endpoint;
use runwrit_model::grant::Grant;
use runwrit_simulator::hetzner::auth::Presented;
use runwrit_simulator::hetzner::request::Request;
use runwrit_simulator::hetzner::{Handle, Options, Seen, Simulator, Witness};
use sha2::{Digest, Sha256};

use crate::error::{Error, chain};

/// Real seconds that a simulated one lasts: servers start in half a second instead of twenty.
const TIME_FACTOR: f64 = 0.02;

/// How many characters a token of Hetzner has.
const TOKEN_CHARS: usize = 64;

/// Returns a token that any simulator takes and no real endpoint is ever sent. Each name opens a
/// project of its own.
pub fn simulated_token(name: &str) -> String {
    let mut token = format!("simulated{name}");
    token.retain(|letter| letter.is_ascii_alphanumeric());
    token.truncate(TOKEN_CHARS);
    token.extend(std::iter::repeat_n('0', TOKEN_CHARS - token.len()));
    token
}

/// Returns what every simulator of this program starts from.
pub fn options() -> Options {
    let witness = breakable::answers().map(|file| Witness::new(|seen| write(file, seen)));
    Options { witness, ..Options::default() }
}

/// Writes an answer at once, so that those of other processes stand before or behind it.
fn write(mut file: &File, seen: &Seen) {
    let &Seen { method, path, status, body } = seen;
    let line = serde_json::json!({"method": method, "path": path, "status": status, "body": body});
    file.write_all(format!("{line}\n").as_bytes()).expect("the file of the answers is writable");
}

/// The outside of a simulated run.
pub struct Stage {
    handle: Handle,
}

impl Stage {
    /// Starts a simulator on a free loopback port, with what a grant takes for granted: the SSH
    /// keys and the zones that it names.
    pub async fn start(grant: &Grant) -> Result<Self, Error> {
        let options = Options { time_factor: TIME_FACTOR, ..options() };
        let handle = Simulator::start(options).await;
        let stage = Self { handle: handle.map_err(|error| Error::usage(chain(&error)))? };
        let (hetzner, dns) = (grant.document().hetzner.as_ref(), grant.document().dns.as_ref());
        if let Some(hetzner) = hetzner {
            let add = |name: &String| stage.add_ssh_key(&hetzner.credential, name);
            hetzner.ssh_keys.iter().for_each(add);
        }
        if let Some(dns) = dns {
            let add = |zone: ZoneName| stage.add_zone(&dns.credential, &zone);
            grant.zones().into_iter().for_each(add);
        }
        Ok(stage)
    }

    /// Returns where clients find it.
    pub fn endpoint(&self) -> Result<Endpoint, Error> {
        Endpoint::parse(&self.handle.endpoint()).map_err(|error| Error::usage(error.to_string()))
    }

    /// Stops it.
    pub async fn stop(self) {
        self.handle.stop().await;
    }

    fn add_ssh_key(&self, credential: &str, name: &str) {
        let body = serde_json::json!({"name": name, "public_key": public_key(name)});
        self.add(credential, "/ssh_keys", &body);
    }

    fn add_zone(&self, credential: &str, zone: &ZoneName) {
        self.add(credential, "/zones", &serde_json::json!({"name": zone, "mode": "primary"}));
    }

    fn add(&self, credential: &str, path: &str, body: &serde_json::Value) {
        let header = format!("Bearer {}", simulated_token(credential));
        self.handle.desk().receive(Request {
            method: "POST".to_owned(),
            path: path.to_owned(),
            query: Vec::new(),
            origin: self.handle.endpoint(),
            token: Presented::from_header(Some(&header)),
            body: Some(body.to_string().into_bytes()),
        });
    }
}

/// Makes up the public half of a key that nobody has, another one for each name.
fn public_key(name: &str) -> String {
    let parts: [&[u8]; 2] = [b"ssh-ed25519", &Sha256::digest(name.as_bytes())];
    let mut blob = Vec::new();
    for part in parts {
        let length = u32::try_from(part.len()).expect("both parts are shorter than 100 bytes");
        blob.extend(length.to_be_bytes());
        blob.extend(part);
    }
    format!("ssh-ed25519 {} {name}", BASE64.encode(&blob))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_simulated_token_has_the_shape_of_one() {
        for name in ["", "demo", "with-dash", &"x".repeat(80)] {
            let token = simulated_token(name);
            assert_eq!(token.len(), 64, "{name}");
            assert!(token.starts_with("simulated"), "{name}");
            assert!(token.chars().all(|letter| letter.is_ascii_alphanumeric()), "{name}");
        }
    }
}
