//! Record sets of the DNS: the exact zone, name and type.

use super::*;
use crate::dns::SetId;
use crate::grant::{Holder, RecordChange};

fn id(zone: &str, name: &str, kind: &str) -> SetId {
    SetId::parse(zone, name, kind).unwrap()
}

pub fn reads() -> Vec<Row> {
    fn read(
        function: &'static str,
        (zone, name, kind): (&'static str, &'static str, &'static str),
    ) -> impl Fn(&Grant) -> Result<Permit, Denial> {
        let id = id(zone, name, kind);
        move |grant| grant.read_record(&format!("dns.records.{function}"), &id, NOW)
    }
    vec![
        row("reads a record", None, read("get", ("example.org", "acme", "A"))),
        row("reads another's record", Rule::Record, read("get", ("example.org", "bolt", "A"))),
        row("reads another type", Rule::RecordType, read("get", ("example.org", "acme", "TXT"))),
        row("reads in another zone", Rule::Record, read("get", ("example.net", "acme", "A"))),
        row("a read not granted", Rule::Operation, read("transfer", ("example.org", "acme", "A"))),
    ]
}

pub fn changes() -> Vec<Row> {
    fn change(
        function: &'static str,
        id: SetId,
        holder: Holder,
        ttl: Option<u32>,
    ) -> impl Fn(&Grant) -> Result<Permit, Denial> {
        move |grant| {
            let operation = format!("dns.records.{function}");
            grant.change_record(&operation, RecordChange { id: &id, holder, ttl }, NOW)
        }
    }
    let set = |zone, name, kind| change("set", id(zone, name, kind), Holder::Nobody, Some(300));
    let own = || id("example.org", "acme", "A");
    let old = || id("example.org", "old", "CNAME");
    vec![
        row("the record", None, set("example.org", "acme", "A")),
        row("its other type", None, set("example.org", "acme", "AAAA")),
        row("in capitals, which are the same name", None, set("EXAMPLE.org", "ACME", "A")),
        row("in full", None, set("example.org.", "acme.example.org.", "A")),
        row("its change", None, change("set", own(), Holder::Ours, Some(60))),
        row("its deletion", None, change("delete", own(), Holder::Ours, None)),
        row("a foreign one to be replaced", None, change("set", old(), Holder::Foreign, Some(60))),
        row("a foreign one", Rule::RecordOwner, change("set", own(), Holder::Foreign, Some(60))),
        row("deletes a foreign one", Rule::RecordOwner, {
            change("delete", own(), Holder::Foreign, None)
        }),
        row("another zone", Rule::Record, set("example.net", "acme", "A")),
        row("a zone that ends alike", Rule::Record, set("badexample.org", "acme", "A")),
        row("a zone below", Rule::Record, set("acme.example.org", "@", "A")),
        row("another name", Rule::Record, set("example.org", "bolt", "A")),
        row("a name below", Rule::Record, set("example.org", "www.acme", "A")),
        row("a name that begins alike", Rule::Record, set("example.org", "acme2", "A")),
        row("the zone itself", Rule::Record, set("example.org", "@", "A")),
        row("what looks alike in punycode", Rule::Record, set("example.org", "xn--cme-7cd", "A")),
        row("another type", Rule::RecordType, set("example.org", "acme", "TXT")),
        row("an alias", Rule::RecordType, set("example.org", "acme", "CNAME")),
        row("the type of another name", Rule::RecordType, set("example.org", "old", "A")),
        row("a second too long", Rule::RecordTtl, {
            change("set", own(), Holder::Nobody, Some(301))
        }),
        row("for ever", Rule::RecordTtl, {
            change("set", own(), Holder::Nobody, Some(2_147_483_647))
        }),
        row("as long as another name", Rule::RecordTtl, {
            change("set", own(), Holder::Ours, Some(3_600))
        }),
    ]
}
