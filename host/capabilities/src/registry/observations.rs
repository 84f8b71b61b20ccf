//! What reads the registry.

use std::sync::Arc;

use runwrit_model::call::{Call, CallClass};
use serde_json::{Value, json};

use super::{Tenant, Tenants, read_error};
use crate::authority::Authority;
use crate::gate::{CallError, Observation, Permit, Provenance};

/// Reads one tenant.
pub(super) struct Get {
    pub(super) tenants: Arc<Tenants>,
    pub(super) id: String,
}

impl Observation for Get {
    type Output = Option<Tenant>;

    fn call(&self) -> Call {
        read("registry.tenants.get", json!({ "id": self.id }), format!("tenant {}", self.id))
    }

    async fn permit(&self, _: &dyn Provenance) -> Result<Permit, CallError> {
        self.tenants.permit("registry.tenants.get", &self.id, None)
    }

    async fn read(&self, _: &dyn Provenance) -> Result<Self::Output, CallError> {
        let stored = self.tenants.book.tenant(&self.id).await.map_err(read_error)?;
        Ok(stored.map(Tenant::from))
    }
}

/// Reads all tenants that the grant covers.
pub(super) struct List {
    pub(super) tenants: Arc<Tenants>,
}

impl Observation for List {
    type Output = Vec<Tenant>;

    fn call(&self) -> Call {
        read("registry.tenants.list", json!({}), "tenants".to_owned())
    }

    async fn permit(&self, _: &dyn Provenance) -> Result<Permit, CallError> {
        let Authority { grant, now, .. } = &self.tenants.authority;
        Ok(grant.read("registry.tenants.list", "tenants", now())?)
    }

    async fn read(&self, _: &dyn Provenance) -> Result<Self::Output, CallError> {
        let stored = self.tenants.book.tenants().await.map_err(read_error)?;
        let covered = stored
            .into_iter()
            .filter(|row| self.tenants.permit("registry.tenants.list", &row.id, None).is_ok());
        Ok(covered.map(Tenant::from).collect())
    }
}

fn read(operation: &str, request: Value, subject: String) -> Call {
    Call {
        operation: operation.to_owned(),
        class: CallClass::Read,
        request,
        kind: None,
        key: None,
        references: Vec::new(),
        subject,
    }
}
