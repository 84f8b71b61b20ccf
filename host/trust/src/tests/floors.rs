//! Floors never sink, and a clock that is turned back revives nothing.

use runwrit_model::id::Digest;

use super::roots::{House, RUNBOOK, enter, house, sign};
use super::*;
use crate::floors::FloorsError;
use crate::keyring::Floor;
use crate::public_key::Hint;
use crate::roots::{Chain, Draft, Root};

fn accept(parcel: &Parcel, keyring: &Keyring, floors: &mut Floors, clock: u64) -> Option<String> {
    match judge(&Hashed::of(parcel), Bench { keyring, floors, clock }) {
        Ok(vouched) => {
            floors.raise(vouched.seen(), keyring, clock);
            None
        }
        Err(refusal) => Some(refusal.to_string()),
    }
}

#[test]
fn what_ran_once_bounds_what_runs_later() {
    let one = person("ops-1");
    let keyring = keyring(&[one.entry("")]);
    let mut floors = Floors::default();
    let parcel = |release: &Release| signed(&[&one], release);
    let other = Release { created_at: "2026-11-20T00:00:01Z".parse().unwrap(), ..release(7) };
    let beta = Release { channel: "beta".to_owned(), ..release(1) };
    let rows = [
        ("first", release(7), None),
        ("again", release(7), None),
        ("older", release(6), Some("does not go back")),
        ("equivocation", other, Some("two things under one number")),
        ("another channel", beta, None),
        ("newer", release(9), None),
        ("the one before", release(7), Some("does not go back")),
    ];
    for (name, release, expected) in rows {
        let found = accept(&parcel(&release), &keyring, &mut floors, NOW);
        let fits = match (&found, expected) {
            (Some(text), Some(fragment)) => text.contains(fragment),
            (None, None) => true,
            _ => false,
        };
        assert!(fits, "{name}: {found:?}");
    }
    let read = Floors::decode(&floors.encode()).unwrap();
    assert_eq!(read, floors);
}

/// A small generator, so that a failing sequence can be repeated by its seed.
fn next(state: &mut u64) -> u64 {
    *state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
    *state >> 33
}

#[test]
fn no_sequence_of_packages_lowers_a_floor() {
    let people = ["ops-1", "ops-2", "mallory"].map(person);
    let keyring = keyring(&[people[0].entry(""), people[1].entry("")]);
    let parcels: Vec<_> = (0..24_u64)
        .map(|number| {
            let mut release = release(number / 4 + 1);
            release.channel = ["stable", "beta"][(number % 2) as usize].to_owned();
            let mut parcel = signed(&[&people[(number % 3) as usize]], &release);
            if number % 7 == 6 {
                parcel.component.push(0);
            }
            parcel
        })
        .collect();
    for seed in 0..40 {
        let (mut state, mut floors) = (seed, Floors::default());
        for step in 0..40 {
            let before = floors.clone();
            let parcel = &parcels[(next(&mut state) % 24) as usize];
            let clock = NOW - 1_000_000 + next(&mut state) % 2_000_000;
            accept(parcel, &keyring, &mut floors, clock);
            for seen in before.all() {
                let now = floors.seen(&seen.package, &seen.channel, &keyring).unwrap();
                assert!(now.sequence >= seen.sequence, "seed {seed}, step {step}");
            }
            assert!(floors.max_time_seen() >= before.max_time_seen(), "seed {seed}");
        }
        assert!(!floors.all().is_empty(), "seed {seed} accepted nothing");
    }
}

#[test]
fn a_late_writer_does_not_lower_what_another_raised() {
    let one = person("ops-1");
    let keyring = keyring(&[one.entry("")]);
    let mut floors = Floors::default();
    let [old, new] = [6, 7].map(|it| verdict(&signed(&[&one], &release(it)), &keyring).unwrap());
    assert!(floors.raise(new.seen(), &keyring, NOW));
    assert!(!floors.raise(old.seen(), &keyring, NOW));
    assert_eq!(floors.all()[0].sequence, 7);
}

#[test]
fn a_revoked_key_does_not_lock_out_what_comes_after_it() {
    let [thief, good] = ["thief", "good"].map(person);
    let before = keyring(&[thief.entry(""), good.entry("")]);
    let mut floors = Floors::default();
    let high = NOW / 1_000;
    assert_eq!(accept(&signed(&[&thief], &release(high)), &before, &mut floors, NOW), None);
    let locked = accept(&signed(&[&good], &release(8)), &before, &mut floors, NOW);
    assert!(locked.is_some_and(|text| text.contains("does not go back")));
    let hint = thief.key.public().hint();
    let revoked = format!("[[revoked]]\nkey = \"{hint}\"\nreason = \"stolen\"\n");
    let after = keyring(&[thief.entry(""), good.entry(""), revoked]);
    assert_eq!(accept(&signed(&[&good], &release(8)), &after, &mut floors, NOW), None);
    assert_eq!(floors.all()[0].sequence, 8);
}

#[test]
fn a_raised_threshold_keeps_the_floors() {
    let [one, two] = ["ops-1", "ops-2"].map(person);
    let mut entries = vec![String::new(), one.entry(""), two.entry("")];
    let mut floors = Floors::default();
    assert_eq!(accept(&signed(&[&one], &release(9)), &keyring(&entries), &mut floors, NOW), None);
    entries[0] = "[threshold]\nrunbook = 2".to_owned();
    let old = signed(&[&one, &two], &release(8));
    let found = accept(&old, &keyring(&entries), &mut floors, NOW);
    assert!(found.is_some_and(|text| text.contains("does not go back")));
}

#[test]
fn a_clock_that_is_turned_back_revives_nothing() {
    let one = person("ops-1");
    let keyring = keyring(&[one.entry("not-after = 2026-11-22T00:00:00Z")]);
    let mut floors = Floors::default();
    let day = 24 * 3_600_000;
    assert_eq!(accept(&signed(&[&one], &release(7)), &keyring, &mut floors, NOW), None);
    let other = super::keyring(&[one.entry("")]);
    assert_eq!(accept(&signed(&[&one], &release(8)), &other, &mut floors, NOW + day), None);
    let found = accept(&signed(&[&one], &release(9)), &keyring, &mut floors, NOW);
    assert!(found.is_some_and(|text| text.contains("has expired")));
    floors.forget_time();
    assert_eq!(accept(&signed(&[&one], &release(9)), &keyring, &mut floors, NOW), None);
}

#[test]
fn a_damaged_or_newer_file_is_refused() {
    let malformed = |bytes: &[u8]| matches!(Floors::decode(bytes), Err(FloorsError::Malformed(_)));
    assert!(malformed(b""));
    assert!(malformed(b"{\"version\":1}"));
    assert!(malformed(b"{\"version\":1,\"max-time-seen\":null,\"floors\":[],\"x\":1}"));
    let newer = b"{\"version\":2,\"max-time-seen\":null,\"floors\":[]}";
    assert_eq!(Floors::decode(newer), Err(FloorsError::Version(2)));
}

/// Roots that bring keys in, take them out and set floors; each signed by those who may.
fn roots(house: &House) -> Vec<Vec<u8>> {
    let mut roots = vec![house.first()];
    type Change<'a> = Box<dyn FnOnce(&mut Draft) + 'a>;
    let floor = Floor { package: "acme:provision".into(), channel: "stable".into(), sequence: 4 };
    let changes: [Change<'_>; 5] = [
        Box::new(|draft| enter(draft, &house.next, RUNBOOK)),
        Box::new(|draft| draft.remove("ops-1").unwrap()),
        Box::new(|draft| draft.floor(floor)),
        Box::new(|draft| enter(draft, &house.ops, RUNBOOK)),
        Box::new(|draft| draft.remove("ops-2").unwrap()),
    ];
    for change in changes {
        let next = house.after(&roots[roots.len() - 1], change);
        roots.push(sign(next, &[&house.alice, &house.bob]));
    }
    roots.iter().map(Root::encode).collect()
}

/// A host, and what may reach it: good and bad packages, roots in any order, any clock.
#[test]
fn no_sequence_of_inputs_lowers_a_floor_but_a_root_that_takes_its_keys_out() {
    let house = house();
    let roots = roots(&house);
    let mallory = person("mallory");
    let people = [&house.ops, &house.next, &mallory];
    let parcels: Vec<_> = (0..36_u64)
        .map(|number| {
            let mut parcel = signed(&[people[(number % 3) as usize]], &release(number / 4 + 1));
            if number % 11 == 10 {
                parcel.component.push(0);
            }
            parcel
        })
        .collect();
    let own = Keyring::empty();
    let place = ("acme:provision", "stable");
    let (mut lowered, mut accepted) = (0, 0);
    for seed in 0..40 {
        let mut state = seed;
        let mut chain = Chain::pinned(&roots[0], &Digest::of(&roots[0])).unwrap();
        let mut floors = Floors::default();
        floors.follow(&chain, &own).unwrap();
        for step in 0..60 {
            let at = format!("seed {seed}, step {step}");
            let keyring = chain.keyring(&own);
            let seen = floors.seen(place.0, place.1, &keyring).cloned();
            let before =
                seen.as_ref().map_or(0, |it| it.sequence).max(keyring.floor(place.0, place.1));
            let version = chain.newest().version;
            if next(&mut state).is_multiple_of(8) {
                let mut bytes = roots[(next(&mut state) % 6) as usize].clone();
                if next(&mut state).is_multiple_of(4) {
                    let place = (next(&mut state) as usize) % bytes.len();
                    bytes[place] ^= 1;
                }
                let _ = chain.meet(&bytes, &|_| false);
                floors.follow(&chain, &own).unwrap();
            } else {
                let parcel = &parcels[(next(&mut state) % 36) as usize];
                let clock = NOW - 1_000_000 + next(&mut state) % 2_000_000;
                if accept(parcel, &keyring, &mut floors, clock).is_none() {
                    let now = floors.seen(place.0, place.1, &keyring).unwrap().sequence;
                    assert!(now >= before, "{at}: {now} ran after {before}");
                    accepted += 1;
                }
            }
            floors = Floors::decode(&floors.encode()).unwrap();
            let keyring = chain.keyring(&own);
            let after = floors.seen(place.0, place.1, &keyring).map_or(0, |it| it.sequence);
            let after = after.max(keyring.floor(place.0, place.1));
            let is_rotation = chain.newest().version == version + 1;
            assert!(chain.newest().version == version || is_rotation, "{at}: it skipped a root");
            if after < before {
                let counts = |hint: &Hint| keyring.key(hint).is_some();
                let signers = seen.map(|it| it.signers).unwrap_or_default();
                assert!(is_rotation && !signers.iter().any(counts), "{at}: {before} to {after}");
                lowered += 1;
            }
        }
    }
    assert!(lowered > 5 && accepted > 100, "the test meets what it is about: {lowered} {accepted}");
}
