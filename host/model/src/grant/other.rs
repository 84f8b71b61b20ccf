//! Permits for the registry, the audit log, requests, and refinements of undo.

use super::asked::{Asked, Refusal, quote};
use super::{Addressed, Grant, Permit, Rule};
use crate::failure::Denial;
use crate::journal::UnixMs;

/// One call of an undo that a runbook writes itself.
#[derive(Debug, Clone, Copy)]
pub struct UndoCall<'a> {
    /// For example `hetzner.volumes.delete`.
    pub operation: &'a str,
    /// The things that its arguments name by id.
    pub things: &'a [Addressed],
}

impl Grant {
    /// Permits an operation on a tenant, for example `registry.tenants.reserve` with its octet. For
    /// `registry.tenants.list` ask [`Grant::read`], and this for each tenant listed.
    pub fn tenant_call(
        &self,
        operation: &str,
        id: &str,
        octet: Option<u8>,
        now: UnixMs,
    ) -> Result<Permit, Denial> {
        let asked = self.ask(operation, id, now)?;
        let registry = self.document().registry.as_ref();
        let tenant = registry.and_then(|it| it.tenants.iter().find(|it| it.id == id));
        asked.require(Rule::Tenant, tenant.is_some(), || Refusal {
            reason: format!("the tenant {} is not granted", quote(id)),
            section: "[[registry.tenants]]",
            line: format!("id = {}", quote(id)),
        })?;
        if operation != "registry.tenants.get" && operation != "registry.tenants.list" {
            self.tenant_scope(&asked, id)?;
        }
        let granted = tenant.map(|it| it.octet);
        let holds = octet.is_none() || octet == granted;
        asked.require(Rule::Octet, holds, || Refusal {
            reason: format!("the octet {} is not granted", octet.unwrap_or_default()),
            section: "[[registry.tenants]]",
            line: format!("octet = {}", octet.unwrap_or_default()),
        })?;
        Ok(Permit::mint("registry.tenants"))
    }

    /// The lock of a run is on its scope, so it changes no other tenant.
    fn tenant_scope(&self, asked: &Asked<'_>, id: &str) -> Result<(), Denial> {
        asked.require(Rule::TenantScope, self.tenant() == Some(id), || Refusal {
            reason: "the run does not hold the scope of this tenant".into(),
            section: "[scope]",
            line: format!("tenant = {}", quote(id)),
        })
    }

    /// Permits appending an event to the audit log.
    pub fn append_event(&self, kind: &str, subject: &str, now: UnixMs) -> Result<Permit, Denial> {
        let asked = self.ask("audit.events.append", subject, now)?;
        let audit = self.document().audit.as_ref();
        let holds = audit.is_some_and(|it| it.kinds.iter().any(|name| name == kind));
        asked.require(Rule::AuditKind, holds, || Refusal {
            reason: format!("events of the kind {} are not granted", quote(kind)),
            section: "[audit]",
            line: format!("kinds = [{}]", quote(kind)),
        })?;
        let holds = audit.is_some_and(|it| it.subjects.iter().any(|name| name == subject));
        asked.require(Rule::AuditSubject, holds, || Refusal {
            reason: format!("events about {} are not granted", quote(subject)),
            section: "[audit]",
            line: format!("subjects = [{}]", quote(subject)),
        })?;
        Ok(Permit::mint("audit.events"))
    }

    /// Permits a request, `operation` being `http.requests.read` or `http.requests.send`. Method
    /// and URL are compared byte for byte, so no other spelling of a URL passes.
    pub fn request(
        &self,
        operation: &str,
        (method, url): (&str, &str),
        now: UnixMs,
    ) -> Result<Permit, Denial> {
        let asked = self.ask_unlisted(operation, url, now)?;
        let mut requests = self.document().http.iter().flat_map(|it| &it.requests);
        let holds = requests.any(|it| it.method == method && it.url == url);
        asked.require(Rule::Request, holds, || Refusal {
            reason: format!("{} of this URL is not granted", quote(method)),
            section: "[http]",
            line: format!("requests = [{{ method = {}, url = {} }}]", quote(method), quote(url)),
        })?;
        Ok(Permit::mint("http.requests"))
    }

    /// Permits keeping the effect of an earlier call of `operation`.
    pub fn keep(&self, operation: &str, now: UnixMs) -> Result<Permit, Denial> {
        let asked = self.ask_unlisted("run.recovery.keep", operation, now)?;
        let recovery = self.document().recovery.as_ref();
        let holds = recovery.is_some_and(|it| it.keep.iter().any(|name| name == operation));
        asked.require(Rule::Keep, holds, || Refusal {
            reason: "its effect may not be kept".into(),
            section: "[recovery]",
            line: format!("keep = [{}]", quote(operation)),
        })?;
        Ok(Permit::mint("recovery.keep"))
    }

    /// Permits replacing an undo. Each call of it must be granted twice: as part of an undo, and as
    /// a call on the things that it names.
    pub fn undo_with(&self, calls: &[UndoCall<'_>], now: UnixMs) -> Result<Permit, Denial> {
        for call in calls {
            let asked = self.ask_unlisted("run.recovery.undo-with", call.operation, now)?;
            let recovery = self.document().recovery.as_ref();
            let listed = recovery.map_or(&[][..], |it| &it.undo_with);
            let holds = listed.iter().any(|name| name == call.operation);
            asked.require(Rule::UndoWith, holds, || Refusal {
                reason: "it may not be part of an undo".into(),
                section: "[recovery]",
                line: format!("undo-with = [{}]", quote(call.operation)),
            })?;
            let asked = self.ask(call.operation, call.operation, now)?;
            call.things.iter().try_for_each(|thing| asked.in_scope(thing))?;
        }
        Ok(Permit::mint("recovery.undo-with"))
    }

    /// Permits a point of no return.
    pub fn pivot(&self, now: UnixMs) -> Result<Permit, Denial> {
        let asked = self.ask_unlisted("run.recovery.pivot", "run", now)?;
        let holds = self.document().recovery.as_ref().is_some_and(|it| it.pivot);
        asked.require(Rule::Pivot, holds, || Refusal {
            reason: "there may be no point of no return".into(),
            section: "[recovery]",
            line: "pivot = true".into(),
        })?;
        Ok(Permit::mint("recovery.pivot"))
    }
}
