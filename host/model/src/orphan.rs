//! The orphan report: what is left for a person, with all that helps to find it and to price it.

use std::collections::BTreeMap;

use serde::Serialize;

use crate::call::CallId;
use crate::cost::Cost;
use crate::history::{Effect, History};
use crate::journal::{Orphan, UnixMs, World};
use crate::undo;

/// One thing that is left.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub struct OrphanReport {
    /// The call whose undo needs a person.
    pub call: CallId,
    /// The kind.
    pub kind: String,
    /// The name.
    pub name: String,
    /// The id, where one is known.
    pub remote_id: Option<String>,
    /// Where it stands; nothing for what stands in no project.
    pub project: Option<World>,
    /// The labels by which it is found and that prove whose it is.
    pub labels: BTreeMap<String, String>,
    /// Since when it stands: when it was taken, or first asked for where nobody knows more.
    pub since: UnixMs,
    /// Net EUR per month by the API's own price list: zero where it is free, which is never
    /// assumed of what has no known price.
    pub eur_per_month: Cost,
    /// The last error.
    pub error: String,
}

/// Returns a report of everything that a run leaves for a person.
pub fn reports(history: &History) -> Vec<OrphanReport> {
    let left = undo::left(history).into_iter();
    left.filter_map(|orphan| OrphanReport::of(history, orphan)).collect()
}

impl OrphanReport {
    /// Adds to an orphan what the journal knows of it; nothing where the journal does not know the
    /// call.
    pub fn of(history: &History, orphan: Orphan) -> Option<Self> {
        let effect = history.effects.get(&orphan.call)?;
        // What is left of a change is the thing that was changed.
        let maker = maker(history, &orphan).unwrap_or(effect);
        let capability = effect.intent.operation.split('.').next().unwrap_or_default();
        let is_taken = maker.accepted.is_some();
        let told = [effect, maker].map(|effect| effect.intent.eur_per_month.as_deref());
        Some(Self {
            eur_per_month: Cost::of(&orphan.kind, &told),
            project: history.created.worlds.get(capability).cloned(),
            labels: maker.intent.labels.clone(),
            since: if is_taken { maker.accepted_at } else { maker.intended_at },
            call: orphan.call,
            kind: orphan.kind,
            name: orphan.name,
            remote_id: orphan.remote_id,
            error: orphan.error,
        })
    }
}

/// Returns the creation of what an orphan is left of, where this run made it.
fn maker<'a>(history: &'a History, orphan: &Orphan) -> Option<&'a Effect> {
    let id = orphan.remote_id.as_deref()?;
    let is_it = |effect: &&Effect| {
        effect.is_create()
            && effect.intent.kind.as_deref() == Some(&*orphan.kind)
            && effect.remote_id() == Some(id)
    };
    history.effects.values().find(is_it)
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::call::{CallClass, Rank};
    use crate::journal::{Created, Record};
    use crate::tale::{Tale, call, created, intent};

    fn world() -> World {
        World {
            credential: "prod".to_owned(),
            endpoint: "https://example.org".to_owned(),
            marker: "1:a".to_owned(),
        }
    }

    fn run() -> Created {
        Created { worlds: [("test".to_owned(), world())].into(), ..created() }
    }

    fn orphan(of: &str, kind: &str, remote_id: Option<&str>) -> Orphan {
        Orphan {
            call: call(of),
            kind: kind.to_owned(),
            name: format!("thing-{of}"),
            remote_id: remote_id.map(str::to_owned),
            eur_per_month: None,
            error: "forbidden".to_owned(),
        }
    }

    #[test]
    fn an_orphan_is_told_with_project_labels_age_and_price() {
        let tale = Tale::of(run()).at(7).create("0", Rank::Server, &[]).at(9).accepted("0");
        let left = tale.at(20).rollback().undo_intent("0", 1);
        let left = left.then(Record::UndoQuarantined(orphan("0", "test.thing", Some("id-0"))));
        let told = reports(&left.history());
        let expected = json!([{
            "call": "0",
            "kind": "test.thing",
            "name": "thing-0",
            "remote-id": "id-0",
            "project": {"credential": "prod", "endpoint": "https://example.org", "marker": "1:a"},
            "labels": {"runwrit/call": "0"},
            "since": 9,
            "eur-per-month": "1.5",
            "error": "forbidden",
        }]);
        assert_eq!(json!(told), expected);
    }

    #[test]
    fn what_was_never_answered_is_as_old_as_the_question() {
        let tale = Tale::of(run()).at(7).create("0", Rank::Server, &[]).at(20).rollback();
        let left = tale.then(Record::UndoQuarantined(orphan("0", "test.thing", None)));
        assert_eq!(reports(&left.history())[0].since, 7);
    }

    #[test]
    fn an_unknown_price_is_unknown_and_never_free() {
        let rows = [
            ("hetzner.server", Some("8.49"), "8.49"),
            ("hetzner.primary-ip", Some("0"), "0"),
            ("hetzner.server", None, "unknown"),
            ("hetzner.volume", None, "unknown"),
            ("hetzner.primary-ip", None, "unknown"),
            ("hetzner.server", Some("a lot"), "unknown"),
            ("hetzner.network", None, "0"),
            ("hetzner.firewall", None, "0"),
            ("hetzner.ssh-key", None, "0"),
            ("dns.record-set", None, "0"),
            ("registry.tenant", None, "0"),
            ("http.requests.send", None, "unknown"),
            ("hetzner.load-balancer", None, "unknown"),
        ];
        for (kind, told, expected) in rows {
            let mut promise = intent(call("0"), CallClass::KeyedCreate);
            promise.kind = Some(kind.to_owned());
            promise.eur_per_month = told.map(str::to_owned);
            let left = Tale::of(run()).promise(promise).rollback();
            let left = left.then(Record::UndoQuarantined(orphan("0", kind, None)));
            let price = reports(&left.history())[0].eur_per_month;
            assert_eq!(price.to_string(), expected, "{kind} at {told:?}");
        }
    }

    #[test]
    fn what_is_left_of_a_change_has_the_price_of_what_was_changed() {
        let mut change = intent(call("1"), CallClass::Converge);
        change.operation = "test.things.attach".to_owned();
        (change.eur_per_month, change.labels) = (None, BTreeMap::new());
        let tale = Tale::of(run()).at(3).made("0", Rank::Server, &[]).at(5).promise(change);
        let left = tale.rollback();
        let of = |id: &str| {
            let orphan = orphan("1", "test.thing", Some(id));
            let left = left.clone().then(Record::UndoQuarantined(orphan));
            reports(&left.history()).remove(0)
        };
        let own = of("id-0");
        assert_eq!((own.eur_per_month.to_string().as_str(), own.since), ("1.5", 3));
        assert!(own.labels.contains_key("runwrit/call"), "{own:?}");
        assert_eq!(of("id-9").eur_per_month, Cost::Unknown, "another run made it");
    }
}
