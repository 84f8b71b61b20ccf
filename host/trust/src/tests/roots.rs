//! A chain of roots is followed link by link, or not at all.

use jiff::Timestamp;
use serde_json::Value;

use super::*;
use crate::keyring::{Floor, Role};
use crate::public_key::PublicKey;
use crate::roots::canonical::Json;
use crate::roots::{Chain, Draft, Office, Root, RootError, file_name, version_of};
use runwrit_model::id::Digest;

pub const RUNBOOK: Office = Office::Signing(Role::Runbook);
const GRANT: Office = Office::Signing(Role::Grant);

/// Three who hold the root, two of whom it takes, and those who publish.
pub struct House {
    pub alice: Person,
    pub bob: Person,
    pub carol: Person,
    pub ops: Person,
    pub next: Person,
}

pub fn later() -> Timestamp {
    "2027-11-21T00:00:00Z".parse().unwrap()
}

pub fn house() -> House {
    let [alice, bob, carol, ops, next] = ["alice", "bob", "carol", "ops-1", "ops-2"].map(person);
    House { alice, bob, carol, ops, next }
}

pub fn sign(root: Root, people: &[&Person]) -> Root {
    people.iter().fold(root, |root, person| {
        let signature = person.key.sign(&root.to_be_signed()).unwrap();
        root.signed_by(&person.key.public(), &signature)
    })
}

pub fn enter(draft: &mut Draft, person: &Person, office: Office) {
    draft.key(person.id, &person.key.public()).unwrap();
    draft.appoint(office, person.id).unwrap();
    if office == RUNBOOK {
        draft.speaks_for(person.id, "acme:*").unwrap();
    }
}

impl House {
    pub fn first_draft(&self) -> Draft {
        let mut draft = Draft::first(later());
        for holder in [&self.alice, &self.bob, &self.carol] {
            enter(&mut draft, holder, Office::Root);
        }
        draft.threshold(Office::Root, 2);
        enter(&mut draft, &self.ops, RUNBOOK);
        draft
    }

    pub fn first(&self) -> Root {
        sign(self.first_draft().finish().unwrap(), &[&self.alice, &self.bob])
    }

    pub fn chain(&self) -> Chain {
        let bytes = self.first().encode();
        Chain::pinned(&bytes, &Digest::of(&bytes)).unwrap()
    }

    /// The root after `root`, with `change` in it, not signed yet.
    pub fn after(&self, root: &Root, change: impl FnOnce(&mut Draft)) -> Root {
        let mut draft = Draft::after(root, later());
        change(&mut draft);
        draft.finish().unwrap()
    }
}

#[track_caller]
pub fn refused<T: std::fmt::Debug>(row: &str, found: Result<T, RootError>, fragment: &str) {
    let error = found.expect_err(row);
    assert!(error.to_string().contains(fragment), "{row}: `{error}` lacks `{fragment}`");
    assert!(!error.hint().is_empty(), "{row}");
}

#[test]
fn a_chain_is_followed_through_a_change_of_keys() {
    let house = house();
    let mut chain = house.chain();
    let dave = person("dave");
    let second = house.after(chain.newest(), |draft| {
        draft.remove("carol").unwrap();
        enter(draft, &dave, Office::Root);
        draft.remove("ops-1").unwrap();
        enter(draft, &house.next, RUNBOOK);
        draft.not_after("ops-2", later()).unwrap();
    });
    // One who goes and one who comes count for the root before and for the new one alone.
    let second = sign(second, &[&house.alice, &house.bob]);
    chain.advance(&second.encode()).unwrap();
    let third = house.after(chain.newest(), |draft| {
        draft.floor(Floor {
            package: "acme:provision".into(),
            channel: "stable".into(),
            sequence: 9,
        });
    });
    chain.advance(&sign(third, &[&dave, &house.bob]).encode()).unwrap();
    assert_eq!(chain.newest().version, 3);
    let own = Keyring::parse("trust.toml", "version = 1\n[threshold]\nrunbook = 1\n").unwrap();
    let keyring = chain.keyring(&own);
    assert_eq!(keyring.keys.iter().map(|key| key.id.as_str()).collect::<Vec<_>>(), ["ops-2"]);
    let old = verdict(&signed(&[&house.ops], &release(9)), &keyring);
    assert!(old.is_err_and(|it| it.to_string().contains("not in the keyring")));
    assert!(verdict(&signed(&[&house.next], &release(9)), &keyring).is_ok());
    let low = verdict(&signed(&[&house.next], &release(8)), &keyring);
    assert!(low.is_err_and(|it| it.to_string().contains("this host has come to 9")));
}

#[test]
fn a_root_that_is_not_the_next_one_of_those_who_may_is_refused() {
    let house = house();
    let House { alice, bob, carol, .. } = &house;
    let first = house.first();
    let dave = person("dave");
    let plain = || house.after(&first, |_| {});
    let handed_over = |people: &[&Person]| {
        let root = house.after(&first, |draft| {
            draft.remove("alice").unwrap();
            enter(draft, &dave, Office::Root);
            draft.threshold(Office::Root, 3);
        });
        sign(root, people)
    };
    let far = house.after(&plain(), |_| {});
    let mut other = house.first_draft();
    other.key("eve", &person("eve").key.public()).unwrap();
    let other = sign(other.finish().unwrap(), &[alice, bob]);
    let rows = [
        (
            "nobody signed",
            plain(),
            "root 2 needs 2 signatures by the keys of root 1, and 0 count: nobody; missing: \
             `alice`, `bob`, `carol`",
        ),
        (
            "one of two",
            sign(plain(), &[bob]),
            "needs 2 signatures by the keys of root 1, and 1 counts: `bob`; missing: `alice`, \
             `carol`",
        ),
        ("strangers", sign(plain(), &[&dave, &house.ops]), "and 0 count: nobody"),
        (
            "those who come, without those who go",
            handed_over(&[bob, &dave]),
            "by the keys of root 1, and 1 counts: `bob`",
        ),
        (
            "those who go, without those who come",
            handed_over(&[alice, bob, carol]),
            "3 signatures by the keys of root 2, and 2 count: `bob`, `carol`; missing: `dave`",
        ),
        ("skipped", sign(far, &[alice, bob]), "it is root 3, and after root 1 comes root 2"),
        ("repeated", house.first(), "it is root 1, and this host has come to root 1"),
        ("another first one", other, "it is another root 1 than the one"),
    ];
    for (row, root, fragment) in rows {
        let mut chain = house.chain();
        // The house signs anew each time, and signatures differ; the pinned one is that of the row.
        if row == "repeated" {
            let bytes = root.encode();
            chain = Chain::pinned(&bytes, &Digest::of(&bytes)).unwrap();
        }
        refused(row, chain.advance(&root.encode()), fragment);
        assert_eq!(chain.newest().version, 1, "{row}");
    }
    assert!(house.chain().advance(&handed_over(&[alice, bob, carol, &dave]).encode()).is_ok());
}

/// Every handing over from some to others, signed by every choice of all of them: a root is
/// followed exactly where enough of those before and enough of those after have signed it.
#[test]
fn a_root_is_followed_exactly_where_enough_on_both_sides_signed_it() {
    let people: Vec<Person> = ["a", "b", "c", "d", "e"].map(person).into();
    // How many hold the root and how many it takes, before and after; those after come last.
    let rows =
        [((1, 1), (1, 1)), ((1, 1), (3, 2)), ((3, 2), (3, 2)), ((3, 3), (5, 3)), ((5, 3), (2, 2))];
    let mut followed = 0;
    for (before, after) in rows {
        let old = &people[..before.0];
        let new = &people[5 - after.0..];
        let mut draft = Draft::first(later());
        old.iter().for_each(|person| enter(&mut draft, person, Office::Root));
        draft.threshold(Office::Root, before.1);
        let old_people: Vec<&Person> = old.iter().collect();
        let first = sign(draft.finish().unwrap(), &old_people).encode();
        let chain = Chain::pinned(&first, &Digest::of(&first)).unwrap();
        let mut draft = Draft::after(chain.newest(), later());
        let stays = |person: &Person| new.iter().any(|it| it.id == person.id);
        let goes: Vec<&Person> = old.iter().filter(|it| !stays(it)).collect();
        goes.iter().for_each(|person| draft.remove(person.id).unwrap());
        let is_new = |person: &&Person| !old.iter().any(|it| it.id == person.id);
        new.iter().filter(is_new).for_each(|person| enter(&mut draft, person, Office::Root));
        draft.threshold(Office::Root, after.1);
        let next = draft.finish().unwrap();
        for choice in 0..1_usize << people.len() {
            let chosen = |place: &usize| choice >> place & 1 == 1;
            let signers: Vec<&Person> = (0..5).filter(chosen).map(|it| &people[it]).collect();
            let count = |side: &[Person]| {
                signers.iter().filter(|it| side.iter().any(|holder| holder.id == it.id)).count()
            };
            let expected = count(old) >= before.1 && count(new) >= after.1;
            let found = chain.clone().advance(&sign(next.clone(), &signers).encode());
            assert_eq!(found.is_ok(), expected, "{before:?} to {after:?}, {choice:05b}: {found:?}");
            followed += usize::from(expected);
        }
    }
    assert!(followed > 20, "{followed}");
}

#[test]
fn a_first_root_counts_only_as_it_was_pinned_and_with_its_own_signatures() {
    let house = house();
    let bytes = house.first().encode();
    refused("another", Chain::pinned(&bytes, &Digest::of(b"")), "and the keyring pins sha256:e3b0");
    let bare = house.first_draft().finish().unwrap();
    let bytes = sign(bare, &[&house.alice]).encode();
    let pinned = Chain::pinned(&bytes, &Digest::of(&bytes));
    refused("one of two", pinned, "root 1 needs 2 signatures by the keys of root 1");
}

#[test]
fn a_signature_counts_once_whatever_it_is_called() {
    let house = house();
    let root = sign(house.after(&house.first(), |_| {}), &[&house.alice]);
    let mut file: Value = serde_json::from_slice(&root.encode()).unwrap();
    let one = file["signatures"][0].clone();
    file["signatures"].as_array_mut().unwrap().push(one);
    let twice = house.chain().advance(file.to_string().as_bytes());
    refused("twice", twice, "a key signs it twice");
    // The same signature under the id of somebody else.
    let bob = house.first().written_id(&house.bob.key.public());
    file["signatures"][1]["keyid"] = bob.into();
    refused(
        "borrowed",
        house.chain().advance(file.to_string().as_bytes()),
        "and 1 counts: `alice`",
    );
    // The same key under two ids.
    let mut file: Value = serde_json::from_slice(&house.first().encode()).unwrap();
    let keys = file["signed"]["keys"].as_object_mut().unwrap();
    let key = keys.values().next().unwrap().clone();
    keys.insert("other".to_owned(), key);
    let found = Root::decode(file.to_string().as_bytes());
    refused("two ids", found, "expected each key once, under one id");
}

#[test]
fn a_root_that_cannot_mean_what_it_says_is_refused_with_its_field() {
    let house = house();
    let file: Value = serde_json::from_slice(&house.first().encode()).unwrap();
    let id = house.first().written_id(&house.ops.key.public());
    let policy = "/signed/x-runwrit-policy";
    let with = |path: &str, value: Value| {
        let mut file = file.clone();
        let (parent, name) = path.rsplit_once('/').unwrap();
        file.pointer_mut(parent).unwrap()[name] = value;
        Root::decode(file.to_string().as_bytes())
    };
    let holders = |threshold: u64| serde_json::json!({"keyids": [id], "threshold": threshold});
    let about = |field: &str, value: Value| {
        let mut about = serde_json::json!({"id": "ops-1", "names": ["acme:*"]});
        about[field] = value;
        with(&format!("{policy}/keys/{id}"), about)
    };
    let rows = [
        ("type", with("/signed/_type", "targets".into()), "its `_type` is `targets`"),
        ("version", with("/signed/version", 0.into()), "its `version` is `0`"),
        ("fraction", with("/signed/version", 1.5.into()), "no root metadata"),
        ("spec", with("/signed/spec_version", "2.0".into()), "its `spec_version` is `2.0`"),
        ("expiry", with("/signed/expires", "soon".into()), "no root metadata"),
        ("unknown", with("/signed/colour", "red".into()), "unknown field `colour`"),
        ("outside", with("/colour", "red".into()), "`colour` does not belong there"),
        ("no roles", with("/signed/roles", serde_json::json!({})), "`roles.root` is `missing`"),
        (
            "threshold",
            with(&format!("{policy}/roles/runbook"), holders(0)),
            "its `x-runwrit-policy.roles.runbook.threshold` is `0`",
        ),
        ("both", with(&format!("{policy}/roles/grant"), holders(1)), "has both `runbook` and"),
        ("name", about("names", serde_json::json!(["*"])), "what it says of keys cannot be"),
        ("no name", about("names", serde_json::json!([])), "names no package"),
        ("unknown about", about("colour", "red".into()), "unknown field `colour`"),
        ("algorithm", with(&format!("/signed/keys/{id}/scheme"), "rsa".into()), "as PEM, or an"),
        (
            "key",
            with(&format!("{policy}/keys/other"), serde_json::json!({"id": "x"})),
            "expected keys that stand under `keys`",
        ),
    ];
    for (row, found, fragment) in rows {
        refused(row, found, fragment);
    }
    // Extensions of others say nothing here, and are signed like the rest.
    assert!(with("/signed/x-others", "kept".into()).is_ok());
    let large = vec![b' '; 300 << 10];
    refused("large", Root::decode(&large), "307200 bytes, and at most 262144");
    let text = file.to_string().replacen("\"version\":", "\"version\":7,\"version\":", 1);
    refused("repeated field", Root::decode(text.as_bytes()), "duplicate field `version`");
    let mut both = house.first_draft();
    both.appoint(GRANT, "ops-1").unwrap();
    refused("a draft with both", both.finish(), "has both `runbook` and `grant`");
    let mut short = house.first_draft();
    short.threshold(RUNBOOK, 2);
    refused("a draft that nobody can fulfil", short.finish(), "expected at least as many keys");
}

#[test]
fn every_flipped_bit_and_every_changed_field_of_a_root_is_refused() {
    let house = house();
    let chain = house.chain();
    let good = sign(house.after(chain.newest(), |_| {}), &[&house.alice, &house.bob]).encode();
    assert!(chain.clone().advance(&good).is_ok());
    for place in 0..good.len() {
        for bit in [0, 5] {
            let mut bytes = good.clone();
            bytes[place] ^= 1 << bit;
            let found = chain.clone().advance(&bytes);
            assert!(found.is_err(), "byte {place}, bit {bit} went unseen");
        }
    }
    for length in 0..good.len() - 2 {
        assert!(chain.clone().advance(&good[..length]).is_err(), "cut after {length} bytes");
    }
    let value: Value = serde_json::from_slice(&good).unwrap();
    let mut count = 0;
    mutations::each_change(&value, &mutations::changes, &mut |changed| {
        count += 1;
        let found = chain.clone().advance(changed.to_string().as_bytes());
        assert!(found.is_err(), "went unseen: {changed}");
    });
    assert!(count > 200, "{count}");
    let mut repeated = 0;
    mutations::each_repetition(&value.to_string(), &mut |name, changed| {
        repeated += 1;
        assert!(chain.clone().advance(changed.as_bytes()).is_err(), "`{name}` twice went unseen");
    });
    assert!(repeated > 50, "{repeated}");
}

#[test]
fn what_is_signed_is_the_canonical_form() {
    let rows = [
        ("{\"b\": 1, \"a\": [true, null, -2]}", "{\"a\":[true,null,-2],\"b\":1}"),
        ("{\"\\u00e9\": \"\\n\\\"\\\\\", \"z\": {}}", "{\"z\":{},\"\u{e9}\":\"\n\\\"\\\\\"}"),
        ("18446744073709551615", "18446744073709551615"),
    ];
    for (text, expected) in rows {
        let found = Json::parse(text.as_bytes()).unwrap().canonical();
        assert_eq!(String::from_utf8(found).unwrap(), expected);
    }
    for text in ["1.0", "1e3", "{\"a\":1,\"a\":1}", "[{\"a\":{\"b\":1,\"b\":2}}]", "", "{", "nul"] {
        assert!(Json::parse(text.as_bytes()).is_err(), "{text}");
    }
    let deep = "[".repeat(100_000);
    assert!(Json::parse(deep.as_bytes()).is_err());
}

#[test]
fn both_kinds_of_keys_hold_a_root_and_files_are_called_after_numbers() {
    let alice = Person { id: "alice", key: PrivateKey::generate(Algorithm::Ed25519).unwrap() };
    let mut draft = Draft::first(later());
    enter(&mut draft, &alice, Office::Root);
    let root = sign(draft.finish().unwrap(), &[&alice]);
    let bytes = root.encode();
    let chain = Chain::pinned(&bytes, &Digest::of(&bytes)).unwrap();
    assert!(chain.newest().is_held_by(&alice.key.public()));
    assert_eq!(version_of(&file_name(17)), Some(17));
    for name in
        ["0.root.json", "01.root.json", "+1.root.json", "root.json", "x.root.json", "1.json"]
    {
        assert_eq!(version_of(name), None, "{name}");
    }
}

#[test]
fn who_signs_a_root_reads_what_it_says() {
    let house = house();
    let first = house.first();
    let second = house.after(&first, |draft| {
        draft.remove("carol").unwrap();
        enter(draft, &house.next, GRANT);
    });
    let (before, after) = (first.explain(), second.explain());
    let gone: Vec<_> = before.iter().filter(|line| !after.contains(line)).collect();
    let come: Vec<_> = after.iter().filter(|line| !before.contains(line)).collect();
    assert!(
        gone.iter().any(|line| line.as_str() == "root       2 of alice, bob, carol"),
        "{gone:?}"
    );
    assert!(come.iter().any(|line| line.as_str() == "grant      1 of ops-2"), "{come:?}");
}

impl House {
    /// The first links of a chain.
    pub fn chain_of(&self, chain: &Chain, count: usize) -> Chain {
        let first = chain.roots()[0].encode();
        let mut cut = Chain::pinned(&first, &chain.pin).unwrap();
        for root in &chain.roots()[1..count] {
            cut.advance(&root.encode()).unwrap();
        }
        cut
    }
}

trait Written {
    fn written_id(&self, key: &PublicKey) -> String;
}

impl Written for Root {
    fn written_id(&self, key: &PublicKey) -> String {
        let file: Value = serde_json::from_slice(&self.encode()).unwrap();
        let keys = file["signed"]["keys"].as_object().unwrap();
        let pem = key.to_pem();
        let mut found = keys.iter().filter(|(_, it)| it["keyval"]["public"] == pem.as_str());
        found.next().unwrap().0.clone()
    }
}
