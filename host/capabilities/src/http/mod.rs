//! Requests to URLs that the grant names one by one.
//!
//! A grant names method and URL, compared byte for byte. A redirect is returned, never followed: it
//! could lead to what was not granted. No proxy of the environment is obeyed. A granted host *name*
//! must lead to public addresses (see `addresses`), or else whoever holds the name could point it
//! at the inside of the operator's network; an address that the operator typed is taken as it is.
//! `send` is opaque: nothing can tell whether a lost request was acted upon, so it is never sent
//! twice and has no undo.

mod addresses;
mod client;
mod effects;
mod host;
mod observations;
mod rules;

use serde::{Deserialize, Serialize};

use crate::authority::Authority;
use crate::gate::{CallError, Permit};

pub use client::{Client, ClientError};

/// Requests, as far as one run may send them.
pub struct Requests {
    client: Client,
    authority: Authority,
}

impl Requests {
    /// Holds the client, for one run under its grant.
    pub fn new(client: Client, authority: Authority) -> Self {
        Self { client, authority }
    }

    fn permit(&self, operation: &str, request: &rules::Request) -> Result<Permit, CallError> {
        let Authority { grant, now, .. } = &self.authority;
        Ok(grant.request(operation, (&request.method, &request.url), now())?)
    }
}

/// What came back, as journals keep it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub struct Response {
    status: u16,
    headers: Vec<(String, String)>,
    #[serde(with = "base64")]
    body: Vec<u8>,
}

impl Response {
    /// What stands for an answer that was lost, when a person says that the request was acted upon:
    /// a bare 200 with a header that tells a runbook so.
    fn told_by_a_person() -> Self {
        let headers = vec![("x-runwrit-resolved".to_owned(), "done".to_owned())];
        Self { status: 200, headers, body: Vec::new() }
    }
}

/// Bytes as text: a list of numbers would be four times as long.
mod base64 {
    use data_encoding::BASE64;
    use serde::de::Error;
    use serde::{Deserialize, Deserializer, Serializer};

    pub(super) fn serialize<S: Serializer>(bytes: &[u8], to: S) -> Result<S::Ok, S::Error> {
        to.serialize_str(&BASE64.encode(bytes))
    }

    pub(super) fn deserialize<'de, D: Deserializer<'de>>(from: D) -> Result<Vec<u8>, D::Error> {
        BASE64.decode(String::deserialize(from)?.as_bytes()).map_err(D::Error::custom)
    }
}
