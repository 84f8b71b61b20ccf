//! What may become of a tenant: pure decisions over rows.

use std::collections::BTreeMap;

use runwrit_model::failure::{Failure, Problem};

use crate::books::{TenantRow, TenantState, Writer};

/// What a change of the registry comes to.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Change {
    /// Write this row.
    Write(TenantRow),
    /// The row is as it should be.
    Nothing(TenantRow),
}

/// Tells whether a text can be a tenant id: lowercase alphanumeric, 2 to 20 characters, starting
/// with a letter.
pub fn is_valid_id(id: &str) -> bool {
    (2..=20).contains(&id.len())
        && id.starts_with(|letter: char| letter.is_ascii_lowercase())
        && id.bytes().all(|byte| byte.is_ascii_lowercase() || byte.is_ascii_digit())
}

/// Reserves an id. A failed or deleted tenant may be reserved again; a living one is a conflict,
/// unless this very call reserved it.
pub(super) fn reserve(
    stored: Option<&TenantRow>,
    id: &str,
    octet: u8,
    writer: &Writer,
) -> Result<Change, Failure> {
    let revision = match stored {
        Some(row) if row.reserved_by == *writer && row.octet == octet => {
            return Ok(Change::Nothing(row.clone()));
        }
        Some(row) if matches!(row.state, TenantState::Pending | TenantState::Active) => {
            let (state, octet) = (row.state.as_str(), row.octet);
            let message = format!("tenant `{id}` exists already: {state}, with octet {octet}");
            return Err(Failure::Conflict(Problem::new("tenant-exists", message).with_field("id")));
        }
        Some(row) => row.revision + 1,
        None => 1,
    };
    Ok(Change::Write(TenantRow {
        id: id.to_owned(),
        octet,
        state: TenantState::Pending,
        endpoints: BTreeMap::new(),
        reserved_by: writer.clone(),
        revision,
    }))
}

/// Makes a pending tenant active. One that is active with the same endpoints stays as it is.
pub(super) fn activate(
    stored: Option<&TenantRow>,
    id: &str,
    endpoints: &BTreeMap<String, String>,
) -> Result<Change, Failure> {
    let row = stored.ok_or_else(|| missing(id))?;
    match row.state {
        TenantState::Active if row.endpoints == *endpoints => Ok(Change::Nothing(row.clone())),
        TenantState::Pending => Ok(next(row, TenantState::Active, endpoints.clone())),
        state => {
            let state = state.as_str();
            let message = format!("tenant `{id}` is {state}; only a pending one can be activated");
            Err(Failure::Conflict(Problem::new("wrong-state", message).with_field("id")))
        }
    }
}

/// Makes a tenant deleted.
pub(super) fn retire(stored: Option<&TenantRow>, id: &str) -> Result<Change, Failure> {
    let row = stored.ok_or_else(|| missing(id))?;
    match row.state {
        TenantState::Deleted => Ok(Change::Nothing(row.clone())),
        _ => Ok(next(row, TenantState::Deleted, BTreeMap::new())),
    }
}

/// Reverts a reservation: the tenant becomes failed. Nothing when `writer` did not reserve it.
pub(super) fn fail(row: &TenantRow, writer: &Writer) -> Option<Change> {
    if row.reserved_by != *writer {
        return None;
    }
    Some(match row.state {
        TenantState::Failed | TenantState::Deleted => Change::Nothing(row.clone()),
        _ => next(row, TenantState::Failed, BTreeMap::new()),
    })
}

/// Brings back an earlier state and its endpoints.
pub(super) fn restore(
    row: &TenantRow,
    state: TenantState,
    endpoints: BTreeMap<String, String>,
) -> Change {
    if row.state == state && row.endpoints == endpoints {
        return Change::Nothing(row.clone());
    }
    next(row, state, endpoints)
}

fn next(row: &TenantRow, state: TenantState, endpoints: BTreeMap<String, String>) -> Change {
    Change::Write(TenantRow { state, endpoints, revision: row.revision + 1, ..row.clone() })
}

fn missing(id: &str) -> Failure {
    let message = format!("the registry has no tenant `{id}`");
    Failure::NotFound(Problem::new("no-such-tenant", message).with_field("id"))
}

#[cfg(test)]
mod tests {
    use runwrit_model::call::CallId;
    use runwrit_model::id::RunId;

    use super::*;

    fn writer(index: u32) -> Writer {
        Writer { run: RunId::new(1, [1; 10]), call: CallId::single(index) }
    }

    fn row(state: TenantState) -> TenantRow {
        TenantRow {
            id: "acme".to_owned(),
            octet: 7,
            state,
            endpoints: BTreeMap::new(),
            reserved_by: writer(0),
            revision: 4,
        }
    }

    const ALL: [TenantState; 4] =
        [TenantState::Pending, TenantState::Active, TenantState::Failed, TenantState::Deleted];

    #[test]
    fn ids_that_could_be_mistaken_for_others_are_refused() {
        for id in ["ac", "acme", "a1234567890123456789"] {
            assert!(is_valid_id(id), "`{id}`");
        }
        let wrong = ["", "a", "1a", "Acme", "ac-me", "ac_me", "acmé", "аcme", "ac me", "acme\n"];
        for id in wrong.into_iter().chain(["a12345678901234567890"]) {
            assert!(!is_valid_id(id), "`{id}`");
        }
    }

    #[test]
    fn only_the_dead_are_reserved_again() {
        for state in ALL {
            let free = matches!(state, TenantState::Failed | TenantState::Deleted);
            let change = reserve(Some(&row(state)), "acme", 9, &writer(5));
            assert_eq!(change.is_ok(), free, "reserving over {state:?}");
        }
        let Ok(Change::Write(new)) = reserve(None, "acme", 9, &writer(5)) else { panic!("free") };
        assert_eq!((new.revision, new.octet, new.state), (1, 9, TenantState::Pending));
    }

    #[test]
    fn a_reservation_sent_twice_is_one() {
        let stored = row(TenantState::Pending);
        let again = reserve(Some(&stored), "acme", 7, &writer(0));
        assert_eq!(again, Ok(Change::Nothing(stored)));
    }

    #[test]
    fn only_the_pending_are_activated() {
        for state in ALL {
            let endpoints = BTreeMap::from([("gateway".to_owned(), "10.7.1.1".to_owned())]);
            let change = activate(Some(&row(state)), "acme", &endpoints);
            assert_eq!(change.is_ok(), state == TenantState::Pending, "activating {state:?}");
        }
        assert!(activate(None, "acme", &BTreeMap::new()).is_err(), "activating nobody");
    }

    #[test]
    fn a_rollback_fails_its_own_reservation_only() {
        assert_eq!(fail(&row(TenantState::Active), &writer(1)), None, "foreign");
        for state in [TenantState::Pending, TenantState::Active] {
            let Some(Change::Write(new)) = fail(&row(state), &writer(0)) else { panic!("own") };
            assert_eq!((new.state, new.revision), (TenantState::Failed, 5), "from {state:?}");
        }
        let failed = row(TenantState::Failed);
        assert_eq!(fail(&failed, &writer(0)), Some(Change::Nothing(failed)), "twice");
    }
}
