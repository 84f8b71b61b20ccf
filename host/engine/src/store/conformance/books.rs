//! Tenants, the audit log and components.

use std::collections::BTreeMap;

use runwrit_capabilities::books::{AuditEvent, BookError, TenantRow, TenantState, Writer};
use runwrit_model::call::CallId;
use runwrit_model::id::Digest;

use super::{Bench, new_run, run_id, wait};
use crate::store::StoreError;

pub(super) fn tenant(id: &str, octet: u8, revision: u64) -> TenantRow {
    TenantRow {
        id: id.to_owned(),
        octet,
        state: TenantState::Pending,
        endpoints: BTreeMap::from([("gateway".to_owned(), "192.0.2.1".to_owned())]),
        reserved_by: Writer { run: run_id(1), call: CallId::single(0) },
        revision,
    }
}

pub(super) fn octet_is_unique(bench: &dyn Bench) {
    let store = bench.open();
    let claim = wait(store.create_run(new_run(1, "acme"))).unwrap();
    let write = |row: TenantRow| wait(store.write_tenant(&claim.fence, row));
    write(tenant("acme", 7, 1)).unwrap();
    match write(tenant("bolt", 7, 1)) {
        Err(StoreError::Book(BookError::OctetInUse { octet: 7, holder })) => {
            assert_eq!(holder, "acme");
        }
        other => panic!("the octet was given twice: {other:?}"),
    }
    let failed = TenantRow { state: TenantState::Failed, ..tenant("acme", 7, 2) };
    write(failed).unwrap();
    write(tenant("bolt", 7, 1)).expect_err("a failed tenant still lives");
    write(TenantRow { state: TenantState::Deleted, ..tenant("acme", 7, 3) }).unwrap();
    write(tenant("bolt", 7, 1)).expect("the octet is free");
    write(tenant("acme", 7, 4)).expect_err("and taken again");
    let states: Vec<_> =
        wait(store.tenants()).unwrap().into_iter().map(|row| (row.id, row.state)).collect();
    let expected = [("acme", TenantState::Deleted), ("bolt", TenantState::Pending)];
    assert_eq!(states, expected.map(|(id, state)| (id.to_owned(), state)));
}

pub(super) fn tenant_revision(bench: &dyn Bench) {
    let store = bench.open();
    let claim = wait(store.create_run(new_run(1, "acme"))).unwrap();
    let write = |revision| wait(store.write_tenant(&claim.fence, tenant("acme", 7, revision)));
    for (revision, is_taken) in [(2, false), (1, true), (1, false), (3, false), (2, true)] {
        assert_eq!(write(revision).is_ok(), is_taken, "revision {revision}");
    }
    assert_eq!(wait(store.tenant("acme")).unwrap(), Some(tenant("acme", 7, 2)));
    assert_eq!(wait(store.tenant("bolt")).unwrap(), None);
}

pub(super) fn event(writer: &Writer) -> AuditEvent {
    AuditEvent {
        writer: writer.clone(),
        kind: "TENANT_PROVISIONED".to_owned(),
        subject: "acme".to_owned(),
        details: BTreeMap::from([("octet".to_owned(), "7".to_owned())]),
    }
}

pub(super) fn audit_is_written_once(bench: &dyn Bench) {
    let store = bench.open();
    let claim = wait(store.create_run(new_run(1, "acme"))).unwrap();
    let writer = Writer { run: run_id(1), call: CallId::single(3) };
    let append = |event, at| wait(store.append_audit(&claim.fence, event, at)).unwrap();
    assert!(append(event(&writer), 5));
    assert!(!append(event(&writer), 6));
    let undone = AuditEvent { kind: "TENANT_PROVISIONED_ROLLED_BACK".to_owned(), ..event(&writer) };
    assert!(append(undone.clone(), 7));
    assert_eq!(wait(store.audit_by(&writer)).unwrap(), [event(&writer), undone]);
    let all = wait(store.audit_events()).unwrap();
    assert_eq!(all.iter().map(|event| event.at).collect::<Vec<_>>(), [5, 7]);
    assert_eq!(all[0].starter, "ada");
}

pub(super) fn component_is_kept(bench: &dyn Bench) {
    let store = bench.open();
    let digest = wait(store.put_component(b"wasm".to_vec())).unwrap();
    assert_eq!(digest, wait(store.put_component(b"wasm".to_vec())).unwrap());
    let kept = wait(bench.open().component(&digest)).unwrap();
    assert_eq!(kept.as_deref(), Some(&b"wasm"[..]));
    assert_eq!(wait(store.component(&Digest::of(b"other"))).unwrap(), None);
}
