//! Finds the capability that reverts a call.

use crate::gate::{Undo, UndoError, UndoRequest, Undone};
use crate::{audit, dns, hetzner, registry};

/// The undo of every capability, without a guest: what a rollback needs of the outside.
#[derive(Clone, Default)]
pub struct Undoers {
    /// The registry of tenants.
    pub registry: Option<registry::Undoer>,
    /// Hetzner Cloud.
    pub hetzner: Option<hetzner::Project>,
    /// Records of the DNS.
    pub dns: Option<dns::Zones>,
    /// The audit log.
    pub audit: Option<audit::Undoer>,
}

impl Undo for Undoers {
    async fn undo(&self, request: &UndoRequest) -> Result<Undone, UndoError> {
        let operation = request.plan.operation.as_str();
        let capability = operation.split('.').next().unwrap_or_default();
        let missing = || {
            UndoError::Never(format!(
                "`{operation}` cannot be called: this host holds no `{capability}` for this run"
            ))
        };
        match capability {
            "registry" => self.registry.as_ref().ok_or_else(missing)?.undo(request).await,
            "hetzner" => self.hetzner.as_ref().ok_or_else(missing)?.undo(request).await,
            "dns" => self.dns.as_ref().ok_or_else(missing)?.undo(request).await,
            "audit" => self.audit.as_ref().ok_or_else(missing)?.undo(request).await,
            _ => Err(missing()),
        }
    }
}
