//! The document: strict, versioned, and bound to its digest.

use std::collections::{BTreeMap, BTreeSet};

use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::call::{CallClass, CallId};
use crate::cost::Cost;
use crate::grant::{DnsRecords, Grant};
use crate::id::Digest;
use crate::journal::{OnFailure, World};
use crate::limits;
use crate::money::Eur;

/// The version of the format.
pub const VERSION: u32 = 1;

/// What a run would do.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub struct Plan {
    /// The version of the format.
    pub version: u32,
    /// The runbook's name and version, `provision-tenant@0.1.0`.
    pub runbook: String,
    /// The component's digest.
    pub component: Digest,
    /// The digest of the canonical `runbook.toml`.
    pub manifest: Digest,
    /// The interfaces that the runbook asks for.
    pub asks: Vec<String>,
    /// The inputs, typed.
    pub inputs: BTreeMap<String, Value>,
    /// The digest of the canonical grant.
    pub grant: Digest,
    /// The tenant whose scope the run holds, where there is one.
    pub tenant: Option<String>,
    /// The octets of the tenants that it reads or changes, as the registry holds them.
    pub octets: BTreeMap<String, u64>,
    /// Where it would act; a project that no run marked yet has an empty marker.
    pub worlds: BTreeMap<String, World>,
    /// What stood, by capability, in each project that no run marked yet: collections and ids,
    /// which no other project has.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub landmarks: BTreeMap<String, BTreeSet<String>>,
    /// The choices of the configuration, narrowed to what the rehearsal chose.
    pub settings: Value,
    /// What it read, in order.
    pub reads: Vec<Read>,
    /// What it would change, in order.
    pub effects: Vec<Step>,
    /// What it would say about undo.
    pub recovery: Recovery,
    /// What the grant of the plan gives beyond what the rehearsal used.
    #[serde(default, skip_serializing_if = "Given::is_empty")]
    pub given: Given,
    /// How it would end.
    pub end: End,
    /// Net EUR per month of everything that it would make.
    pub eur_per_month: Eur,
    /// Net EUR per month of everything that it would delete; nothing where that is nothing.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub ended_eur_per_month: Option<Cost>,
    /// What is assumed about the whole rather than known.
    pub assumed: Vec<String>,
    /// The digest of all of the above.
    pub digest: Digest,
}

/// One read.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub struct Read {
    /// The call.
    pub call: CallId,
    /// The operation.
    pub operation: String,
    /// The request, with tokens for what a remote assigns.
    pub request: Value,
}

/// One effect.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub struct Step {
    /// The call.
    pub call: CallId,
    /// The step of the runbook that it belongs to.
    pub step: String,
    /// The operation.
    pub operation: String,
    /// How it may be repeated.
    pub class: CallClass,
    /// The kind of the thing, where the effect makes or changes one.
    pub kind: Option<String>,
    /// The resource, for people.
    pub resource: String,
    /// The request, with a token `{call.item.field}` for each value that a remote assigns.
    pub request: Value,
    /// What the permit found: the choice made, or the name of what is addressed.
    pub found: Option<Value>,
    /// The state before, as an undo would restore it.
    pub before: Option<Value>,
    /// Net EUR per month of what it makes; nothing where that is free.
    pub eur_per_month: Option<Eur>,
    /// Net EUR per month of what it deletes, as the journals tell it; nothing where it is free.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub ended_eur_per_month: Option<Cost>,
    /// Net EUR per month of everything alive in the scope afterwards, where the grant caps it.
    pub scope_eur_per_month: Option<Eur>,
    /// How many of the kind are alive in the scope afterwards, where the grant counts them.
    pub scope_count: Option<u32>,
    /// What is assumed about it rather than known.
    pub assumed: Vec<String>,
}

/// What the runbook would say about undo.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub struct Recovery {
    /// Operations whose effects it keeps.
    pub keep: Vec<String>,
    /// Operations that it would undo with.
    pub undo_with: Vec<String>,
    /// Whether it passes a point of no return.
    pub pivot: bool,
}

/// What a grant gives that a rehearsal need not touch, and a smaller grant has to keep.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case", default)]
pub struct Given {
    /// What a failure leads to, where the grant says so.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub on_failure: Option<OnFailure>,
    /// What the runbook may say about undo.
    pub recovery: Recovery,
    /// Method and URL of the first request.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub request: Option<(String, String)>,
    /// What a look at all names shows.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub records: Vec<DnsRecords>,
}

impl Given {
    /// Reads it from a grant.
    pub fn of(grant: &Grant) -> Self {
        let document = grant.document();
        let recovery = document.recovery.clone().unwrap_or_default();
        let request = document.http.iter().flat_map(|http| &http.requests).next();
        Self {
            on_failure: document.on_failure,
            recovery: Recovery {
                keep: recovery.keep,
                undo_with: recovery.undo_with,
                pivot: recovery.pivot,
            },
            request: request.map(|request| (request.method.clone(), request.url.clone())),
            records: document.dns.as_ref().map(|dns| dns.records.clone()).unwrap_or_default(),
        }
    }

    fn is_empty(&self) -> bool {
        *self == Self::default()
    }
}

/// How the rehearsal ended.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub enum End {
    /// The runbook returned.
    Succeeds,
    /// It failed, for this reason.
    Fails(String),
}

/// Why a text is no plan.
#[derive(Debug, thiserror::Error)]
pub enum PlanError {
    /// Not the format.
    #[error("`{file}` is no plan, or was cut off: {source}")]
    Malformed {
        /// The file.
        file: String,
        /// Why.
        source: serde_json::Error,
    },
    /// Of another version.
    #[error("`{file}` is a plan of version {version}; this host reads version {VERSION}")]
    Version {
        /// The file.
        file: String,
        /// What it says.
        version: u64,
    },
    /// Edited.
    #[error("`{file}` was changed since it was made: its digest is {found}, it says {said}")]
    Edited {
        /// The file.
        file: String,
        /// What it says.
        said: Digest,
        /// What it is.
        found: Digest,
    },
    /// Too large.
    #[error("the plan has {size} bytes; at most {} are kept", limits::PLAN_BYTES_MAX)]
    Size {
        /// Its size.
        size: usize,
    },
}

impl Plan {
    /// Reads a plan; `file` is its name for errors.
    pub fn parse(file: &str, text: &str) -> Result<Self, PlanError> {
        let malformed = |source| PlanError::Malformed { file: file.to_owned(), source };
        let value: Value = serde_json::from_str(text).map_err(malformed)?;
        let version = value.get("version").and_then(Value::as_u64);
        if let Some(version) = version.filter(|version| *version != u64::from(VERSION)) {
            return Err(PlanError::Version { file: file.to_owned(), version });
        }
        let plan: Self = serde_json::from_value(value).map_err(malformed)?;
        let (said, found) = (plan.digest, plan.computed());
        match said == found {
            true => Ok(plan),
            false => Err(PlanError::Edited { file: file.to_owned(), said, found }),
        }
    }

    /// Returns the plan with the digest of what it holds.
    pub fn sealed(self) -> Self {
        let digest = self.computed();
        Self { digest, ..self }
    }

    /// Returns the text for a file, or says that it is too long to be kept in a journal.
    pub fn text(&self) -> Result<String, PlanError> {
        let text = serde_json::to_string_pretty(self)
            .expect("a plan holds only texts, numbers and maps of texts");
        match text.len() <= limits::PLAN_BYTES_MAX {
            true => Ok(text + "\n"),
            false => Err(PlanError::Size { size: text.len() }),
        }
    }

    /// Computes the digest over everything but the digest.
    fn computed(&self) -> Digest {
        let mut value =
            serde_json::to_value(self).expect("a plan holds only texts, numbers and maps of texts");
        if let Some(fields) = value.as_object_mut() {
            fields.remove("digest");
        }
        Digest::of(value.to_string().as_bytes())
    }
}

impl Step {
    /// Describes the effect in one line, for people.
    pub fn describe(&self) -> String {
        let Self { operation, resource, .. } = self;
        let found = self.found.as_ref().map_or(String::new(), |found| format!(" {found}"));
        let price = self.eur_per_month;
        let price = price.map_or(String::new(), |eur| format!(", EUR {} a month", eur.plain()));
        format!("`{operation}` {resource}{found}{price}")
    }
}
