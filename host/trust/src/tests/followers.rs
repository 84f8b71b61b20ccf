//! What a host makes of the roots that it follows: whose keys count, and what of its memory stays.

use super::roots::{RUNBOOK, enter, house, later, refused, sign};
use super::*;
use crate::keyring::{ExpiredRoot, Floor};
use crate::roots::Chain;
use runwrit_model::id::Digest;

#[test]
fn a_root_takes_out_what_a_stolen_key_has_raised() {
    let house = house();
    let mut chain = house.chain();
    let own = Keyring::empty();
    let mut floors = Floors::default();
    floors.follow(&chain, &own).unwrap();
    let high = NOW / 1_000;
    let raise = |floors: &mut Floors, chain: &Chain, by: &Person, sequence: u64| {
        let keyring = chain.keyring(&own);
        let parcel = signed(&[by], &release(sequence));
        let vouched = judge(&Hashed::of(&parcel), Bench { keyring: &keyring, floors, clock: NOW });
        vouched.map(|it| floors.raise(it.seen(), &keyring, NOW)).map_err(|it| it.to_string())
    };
    raise(&mut floors, &chain, &house.ops, high).unwrap();
    let second = house.after(chain.newest(), |draft| {
        draft.remove("ops-1").unwrap();
        enter(draft, &house.next, RUNBOOK);
        draft.floor(Floor {
            package: "acme:provision".into(),
            channel: "stable".into(),
            sequence: 5,
        });
    });
    let second = sign(second, &[&house.alice, &house.bob]);
    chain.advance(&second.encode()).unwrap();
    assert!(floors.follow(&chain, &own).unwrap(), "it is remembered");
    assert!(!floors.follow(&chain, &own).unwrap(), "once");
    let low = raise(&mut floors, &chain, &house.next, 4).unwrap_err();
    assert!(low.contains("come to 5"), "the floors of the root count: {low}");
    raise(&mut floors, &chain, &house.next, 7).unwrap();
    // A key that comes back does not bring back what it had raised.
    let third = house.after(chain.newest(), |draft| {
        draft.remove("ops-2").unwrap();
        enter(draft, &house.ops, RUNBOOK);
    });
    chain.advance(&sign(third, &[&house.alice, &house.bob]).encode()).unwrap();
    floors.follow(&chain, &own).unwrap();
    raise(&mut floors, &chain, &house.ops, 6).unwrap();
    let read = Floors::decode(&floors.encode()).unwrap();
    assert_eq!(read.root().map(|root| root.version), Some(3));
    // What was followed once does not vanish.
    let cut = floors.follow(&house.chain_of(&chain, 1), &own);
    refused("cut", cut, "ends with root 1, and this host had come to root 3");
    let other = house.chain();
    assert!(floors.follow(&other, &own).unwrap(), "another pin begins anew");
}

#[test]
fn what_the_file_of_the_keyring_adds_only_takes_away() {
    let house = house();
    let chain = house.chain();
    let parcel = signed(&[&house.ops], &release(7));
    let hint = house.ops.key.public().hint();
    let rows = [
        ("nothing", String::new(), None),
        (
            "threshold",
            "[threshold]\nrunbook = 2".to_owned(),
            Some("2 signatures needed and 1 key may sign"),
        ),
        (
            "revocation",
            format!("[[revoked]]\nkey = \"{hint}\"\nreason = \"lost\""),
            Some("was revoked: lost"),
        ),
        (
            "floor",
            "[[floor]]\npackage = \"acme:provision\"\nchannel = \"stable\"\nsequence = 8"
                .to_owned(),
            Some("this host has come to 8"),
        ),
    ];
    for (row, text, expected) in rows {
        let own = Keyring::parse("trust.toml", &format!("version = 1\n{text}\n")).unwrap();
        let found = verdict(&parcel, &chain.keyring(&own)).map_err(|it| it.to_string());
        match expected {
            None => assert!(found.is_ok(), "{row}: {found:?}"),
            Some(fragment) => assert!(found.unwrap_err().contains(fragment), "{row}"),
        }
    }
    let pin = format!("[root]\npath = \"1.root.json\"\ndigest = \"{}\"\n", Digest::of(b""));
    let both = format!("version = 1\n{pin}{}", house.ops.entry(""));
    let faults = Keyring::parse("trust.toml", &both).unwrap_err();
    assert!(faults.to_string().contains("stands beside `[root]`"), "{faults}");
    assert!(Keyring::parse("trust.toml", &format!("version = 1\n{pin}")).is_ok());
}

#[test]
fn an_expired_root_counts_only_where_the_keyring_warns() {
    let house = house();
    let chain = house.chain();
    let parcel = signed(&[&house.ops], &release(7));
    let after = u64::try_from(later().as_millisecond()).unwrap();
    let at = |keyring: &Keyring| {
        judge(&Hashed::of(&parcel), Bench { keyring, floors: &Floors::default(), clock: after })
    };
    let mut keyring = chain.keyring(&Keyring::empty());
    let words = at(&keyring).unwrap_err().to_string();
    assert_eq!(words, "root 1, which says who may sign, has expired on 2027-11-21T00:00:00Z");
    keyring.policy.expired_root = ExpiredRoot::Warn;
    assert!(at(&keyring).unwrap().warnings[0].contains("has expired"));
}
