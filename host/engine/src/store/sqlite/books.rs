//! The registry of tenants and the audit log: rows, written atomically and fenced.

use std::collections::BTreeMap;

use runwrit_capabilities::books::{AuditEvent, BookError, TenantRow, TenantState, Writer};
use runwrit_model::journal::UnixMs;
use rusqlite::{Row, params};

use super::database::{Database, json, parsed};
use super::journal;
use crate::store::{Fence, StoreError, StoredAudit};

/// Returns a tenant.
pub(super) fn tenant(database: &Database<'_>, id: &str) -> Result<Option<TenantRow>, StoreError> {
    database.one("read a tenant", "SELECT * FROM tenant WHERE id = ?", [id], tenant_row)
}

/// Returns all tenants.
pub(super) fn tenants(database: &Database<'_>) -> Result<Vec<TenantRow>, StoreError> {
    database.all("list the tenants", "SELECT * FROM tenant ORDER BY id", [], tenant_row)
}

/// Writes the next revision of a tenant.
pub(super) fn write_tenant(
    database: &Database<'_>,
    fence: &Fence,
    row: &TenantRow,
) -> Result<(), StoreError> {
    journal::fenced_tail(database, fence)?;
    let stored = tenant(database, &row.id)?.map_or(0, |stored| stored.revision);
    if row.revision != stored + 1 {
        return Err(BookError::Moved.into());
    }
    if row.state != TenantState::Deleted
        && let Some(holder) = octet_holder(database, row)?
    {
        return Err(BookError::OctetInUse { octet: row.octet, holder }.into());
    }
    put_tenant(database, row)
}

fn put_tenant(database: &Database<'_>, row: &TenantRow) -> Result<(), StoreError> {
    let endpoints = serde_json::to_string(&row.endpoints).expect("endpoints are strings");
    let sql = "INSERT INTO tenant
        (id, octet, state, endpoints, reserved_run, reserved_call, revision)
        VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7)
        ON CONFLICT (id) DO UPDATE SET octet = ?2, state = ?3, endpoints = ?4,
        reserved_run = ?5, reserved_call = ?6, revision = ?7";
    let values = params![
        row.id,
        row.octet,
        row.state.as_str(),
        endpoints,
        row.reserved_by.run.as_str(),
        row.reserved_by.call.to_string(),
        row.revision
    ];
    database.execute("write a tenant", sql, values).map(drop)
}

/// Takes in the row of a tenant whose run moved here. One that lives here already is not replaced.
pub(super) fn adopt(database: &Database<'_>, row: &TenantRow) -> Result<(), StoreError> {
    let present = tenant(database, &row.id)?.filter(|it| it.state != TenantState::Deleted);
    if present.is_some_and(|present| present != *row) {
        return Err(BookError::Moved.into());
    }
    if row.state != TenantState::Deleted
        && let Some(holder) = octet_holder(database, row)?
    {
        return Err(BookError::OctetInUse { octet: row.octet, holder }.into());
    }
    put_tenant(database, row)
}

/// Takes in an event of a run that moved here; one that is there stays.
pub(super) fn adopt_audit(database: &Database<'_>, stored: &StoredAudit) -> Result<(), StoreError> {
    let StoredAudit { event, starter, at } = stored;
    let details = serde_json::to_string(&event.details).expect("details are strings");
    let sql = "INSERT INTO audit (run, call, kind, subject, details, starter, at)
        VALUES (?, ?, ?, ?, ?, ?, ?) ON CONFLICT (run, call, kind) DO NOTHING";
    let (run, call) = (event.writer.run.as_str(), event.writer.call.to_string());
    let values = params![run, call, event.kind, event.subject, details, starter, at];
    database.execute("append an audit event", sql, values).map(drop)
}

fn octet_holder(database: &Database<'_>, row: &TenantRow) -> Result<Option<String>, StoreError> {
    let sql = "SELECT id FROM tenant WHERE octet = ? AND id <> ? AND state <> 'deleted'";
    database.one("read the octets", sql, params![row.octet, row.id], |row| row.get(0))
}

/// Appends an event, once for its writer and kind.
pub(super) fn append_audit(
    database: &Database<'_>,
    fence: &Fence,
    event: &AuditEvent,
    at: UnixMs,
) -> Result<bool, StoreError> {
    journal::fenced_tail(database, fence)?;
    let details = serde_json::to_string(&event.details).expect("details are strings");
    let sql = "INSERT INTO audit (run, call, kind, subject, details, starter, at)
        SELECT ?1, ?2, ?3, ?4, ?5, starter, ?6 FROM run WHERE run = ?7
        ON CONFLICT (run, call, kind) DO NOTHING";
    let writer = &event.writer;
    let values = params![
        writer.run.as_str(),
        writer.call.to_string(),
        event.kind,
        event.subject,
        details,
        at,
        fence.run.as_str()
    ];
    database.execute("append an audit event", sql, values).map(|count| count == 1)
}

/// Returns the events of one call.
pub(super) fn audit_by(
    database: &Database<'_>,
    writer: &Writer,
) -> Result<Vec<AuditEvent>, StoreError> {
    let sql = "SELECT * FROM audit WHERE run = ? AND call = ? ORDER BY seq";
    let values = params![writer.run.as_str(), writer.call.to_string()];
    database.all("read the audit log", sql, values, event)
}

/// Returns all events.
pub(super) fn audit_events(database: &Database<'_>) -> Result<Vec<StoredAudit>, StoreError> {
    let sql = "SELECT * FROM audit ORDER BY seq";
    database.all("read the audit log", sql, [], |row| {
        let (starter, at) = (row.get("starter")?, row.get("at")?);
        Ok(StoredAudit { event: event(row)?, starter, at })
    })
}

fn event(row: &Row<'_>) -> rusqlite::Result<AuditEvent> {
    Ok(AuditEvent {
        writer: Writer { run: parsed(row, "run")?, call: parsed(row, "call")? },
        kind: row.get("kind")?,
        subject: row.get("subject")?,
        details: json(row, "details")?,
    })
}

fn tenant_row(row: &Row<'_>) -> rusqlite::Result<TenantRow> {
    let state: String = row.get("state")?;
    let states =
        [TenantState::Pending, TenantState::Active, TenantState::Failed, TenantState::Deleted];
    let state = states.into_iter().find(|known| known.as_str() == state);
    let endpoints: BTreeMap<String, String> = json(row, "endpoints")?;
    Ok(TenantRow {
        id: row.get("id")?,
        octet: row.get("octet")?,
        state: state.expect("the table allows no other state"),
        endpoints,
        reserved_by: Writer {
            run: parsed(row, "reserved_run")?,
            call: parsed(row, "reserved_call")?,
        },
        revision: row.get("revision")?,
    })
}
