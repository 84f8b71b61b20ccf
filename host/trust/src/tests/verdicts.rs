//! One table for the whole verdict: each way to be refused, with its words.

use std::collections::BTreeMap;

use runwrit_model::id::Digest;
use runwrit_model::provenance::Proof;

use super::*;
use crate::verdict::{Past, recheck};

/// Refused for exactly this reason.
#[track_caller]
fn refused(name: &str, found: Result<Vouched, Refusal>, fragment: &str) {
    match found {
        Ok(vouched) => panic!("{name}: was accepted: {vouched:?}"),
        Err(refusal) => {
            let text = refusal.to_string();
            assert!(text.contains(fragment), "{name}: `{text}` lacks `{fragment}`");
            assert!(!refusal.hint().is_empty(), "{name}");
        }
    }
}

#[test]
fn a_package_signed_by_whoever_may_is_vouched_for() {
    let one = person("ops-1");
    let parcel = signed(&[&one], &release(7));
    let vouched = verdict(&parcel, &keyring(&[one.entry("")])).unwrap();
    assert_eq!(vouched.release, release(7));
    assert_eq!(vouched.signers[0].id, "ops-1");
    assert!(!vouched.is_loopback_only && vouched.warnings.is_empty());
    let asks = vec!["hetzner/servers".to_owned()];
    let world = "acme:provision/runbook@0.1.0";
    assert_eq!(vouched.agrees("provision", "0.1.0", world, &asks), Ok(()));
    refused_agreement(&vouched, ("deprovision", "0.1.0", world), &asks, "the name");
    refused_agreement(&vouched, ("provision", "0.2.0", world), &asks, "the version");
    refused_agreement(&vouched, ("provision", "0.1.0", "a:b@0.1.0"), &asks, "the world");
    refused_agreement(&vouched, ("provision", "0.1.0", world), &[], "the ask");
}

fn refused_agreement(
    vouched: &Vouched,
    (name, version, world): (&str, &str, &str),
    asks: &[String],
    field: &str,
) {
    let refusal = vouched.agrees(name, version, world, asks).unwrap_err();
    assert!(refusal.to_string().contains(field), "{refusal}");
}

#[test]
fn what_one_key_may_not_do_is_refused_with_its_own_words() {
    let one = person("ops-1");
    let parcel = signed(&[&one], &release(7));
    let hint = one.key.public().hint();
    let revoked = |what: &str| format!("[[revoked]]\n{what}\nreason = \"laptop lost\"\n");
    let digest = runwrit_model::id::Digest::of(&parcel.component);
    let rows = [
        ("unknown", vec![person("other").entry("")], "which is not in the keyring"),
        ("role", vec![one.entry("roles = [\"bundle\"]")], "may not sign runbooks"),
        ("namespace", vec![one.entry("names = [\"other:*\"]")], "may not speak for `acme:prov"),
        ("prefix", vec![one.entry("names = [\"acme:prov\"]")], "may not speak for"),
        ("expired", vec![one.entry("not-after = 2026-11-21T12:00:00Z")], "has expired on 2026-11"),
        ("early", vec![one.entry("not-before = 2026-11-21T12:00:01Z")], "counts only from 2026"),
        (
            "revoked key",
            vec![one.entry(""), revoked(&format!("key = \"{hint}\""))],
            "was revoked: laptop lost",
        ),
        ("revoked and gone", vec![revoked(&format!("key = \"{hint}\""))], "was revoked: laptop"),
        (
            "revoked component",
            vec![one.entry(""), revoked(&format!("digest = \"{digest}\""))],
            "the component sha256:",
        ),
        (
            "revoked package",
            vec![one.entry(""), revoked("package = \"acme:provision\"")],
            "acme:provision@0.1.0 was revoked",
        ),
        (
            "revoked version",
            vec![one.entry(""), revoked("package = \"acme:provision\"\nversions = [\"0.1.0\"]")],
            "acme:provision@0.1.0 was revoked",
        ),
        (
            "floor",
            vec![
                one.entry(""),
                "[[floor]]\npackage = \"acme:provision\"\nchannel = \"stable\"\nsequence = 8"
                    .to_owned(),
            ],
            "has sequence 7 in `stable`, and this host has come to 8",
        ),
        (
            "threshold",
            vec!["[threshold]\nrunbook = 2".to_owned(), one.entry("")],
            "2 signatures needed and 1 key may sign, 1 valid: `ops-1` of 2026-11-20; the keyring \
             holds no other",
        ),
    ];
    for (name, entries, fragment) in rows {
        refused(name, verdict(&parcel, &keyring(&entries)), fragment);
    }
    let fine = revoked("package = \"acme:provision\"\nversions = [\"0.2.0\"]");
    assert!(verdict(&parcel, &keyring(&[one.entry(""), fine])).is_ok());
}

#[test]
fn what_is_not_what_was_signed_is_refused() {
    let one = person("ops-1");
    let keyring = keyring(&[one.entry("")]);
    let good = signed(&[&one], &release(7));
    let other = person("mallory");
    let with = |change: &dyn Fn(&mut Parcel)| {
        let mut parcel = good.clone();
        change(&mut parcel);
        parcel
    };
    let forged = || {
        let mut envelope = bundle::decode(&other.sign(&good, &release(7)).1).unwrap();
        envelope.hint = one.key.public().hint();
        (bundle::file_name(&envelope.hint), bundle::encode(&envelope))
    };
    let foreign =
        br#"{"_type":"https://in-toto.io/Statement/v1","subject":[],"predicateType":"x"}"#;
    let expired = Release { expires_at: "2026-11-21T00:00:00Z".parse().ok(), ..release(7) };
    let critical = Release { critical: vec!["sandbox-2".to_owned()], ..release(7) };
    let rows: [(&str, Parcel, &str); 9] = [
        ("stripped", with(&|it| it.signatures.clear()), "is not signed"),
        ("component", with(&|it| it.component[0] ^= 1), "`component.wasm` is not the one that"),
        ("manifest", with(&|it| it.manifest.push(b' ')), "`runbook.toml` is not the one that"),
        ("forged", with(&|it| it.signatures = vec![forged()]), "not by the key `ops-1`"),
        (
            "another statement",
            with(&|it| it.signatures = vec![one.sign_bytes(foreign.to_vec())]),
            "what `ops-1` signed is not usable",
        ),
        (
            "too many files",
            with(&|it| it.signatures = vec![good.signatures[0].clone(); 65]),
            "holds 65 files",
        ),
        ("expired release", signed(&[&one], &expired), "0.1.0 has expired on 2026-11-21"),
        ("critical", signed(&[&one], &critical), "knows `sandbox-2`"),
        ("leap", signed(&[&one], &release(u64::MAX)), "the largest that may follow now"),
    ];
    for (name, parcel, fragment) in rows {
        refused(name, verdict(&parcel, &keyring), fragment);
    }
    let day = 24 * 3_600_000;
    let early = Bench { keyring: &keyring, floors: &Floors::default(), clock: 365 * day };
    refused("no battery", judge(&Hashed::of(&good), early), "before this program was made");
}

#[test]
fn keys_are_counted_and_not_signatures() {
    let [one, two, three] = ["ops-1", "ops-2", "ops-3"].map(person);
    let threshold = "[threshold]\nrunbook = 2".to_owned();
    let all = [threshold, one.entry(""), two.entry(""), three.entry("")];
    let keyring = keyring(&all);
    assert!(verdict(&signed(&[&one, &three], &release(7)), &keyring).is_ok());
    let alone = signed(&[&one], &release(7));
    let words = "2 of 3 signatures needed, 1 valid: `ops-1` of 2026-11-20; missing one of \
                 `ops-2`, `ops-3`";
    refused("alone", verdict(&alone, &keyring), words);
    let mut twice = alone.clone();
    twice.signatures.push(("again.sigstore.json".to_owned(), one.sign(&twice, &release(7)).1));
    refused("twice", verdict(&twice, &keyring), words);
    let mut apart = alone;
    apart.signatures.push(two.sign(&apart, &release(8)));
    refused("two releases", verdict(&apart, &keyring), "missing one of");
    let mut noisy = signed(&[&one, &two], &release(7));
    noisy.signatures.push(("junk.sigstore.json".to_owned(), b"{}".to_vec()));
    let vouched = verdict(&noisy, &keyring).unwrap();
    assert_eq!(vouched.warnings.len(), 1, "{:?}", vouched.warnings);
}

#[test]
fn a_key_for_loopback_taints_what_rests_on_it() {
    let [near, far] = ["development", "ops-1"].map(person);
    let entries = [near.entry("endpoints = \"loopback\""), far.entry("")];
    let keyring = keyring(&entries);
    let is_near = |people: &[&Person]| {
        verdict(&signed(people, &release(7)), &keyring).unwrap().is_loopback_only
    };
    assert!(is_near(&[&near]));
    assert!(!is_near(&[&far]));
    assert!(!is_near(&[&near, &far]));
}

#[test]
fn an_expired_release_runs_where_the_keyring_only_warns() {
    let one = person("ops-1");
    let policy = "[policy]\nexpired-release = \"warn\"".to_owned();
    let keyring = keyring(&[policy, one.entry("")]);
    let expired = Release { expires_at: "2026-11-21T00:00:00Z".parse().ok(), ..release(7) };
    let vouched = verdict(&signed(&[&one], &expired), &keyring).unwrap();
    assert!(vouched.warnings[0].contains("has expired"), "{:?}", vouched.warnings);
}

#[test]
fn a_record_of_a_release_counts_only_with_the_signatures_that_it_tells_of() {
    let (one, other) = (person("ops-1"), person("ops-2"));
    let keyring = keyring(&[one.entry(""), other.entry("")]);
    let vouched = |by: &Person| verdict(&signed(&[by], &release(7)), &keyring).unwrap();
    let (good, by_another) = (vouched(&one), vouched(&other));
    let component = Digest::of(&parcel().component);
    let signers =
        |by: &Person| BTreeMap::from([(by.id.into(), by.key.public().hint().to_string())]);
    let (ones, others) = (signers(&one), signers(&other));
    let past = Past {
        package: "acme:provision",
        version: "0.1.0",
        channel: "stable",
        sequence: 7,
        component: &component,
        statement: &good.statement,
        signers: &ones,
        proof: Some(&good.proof),
    };
    assert_eq!(recheck(&past, &keyring), Ok(()));
    assert_eq!(recheck(&Past { proof: None, ..past }, &keyring), Ok(()), "an earlier version");
    let otherwise = Proof { text: "name = \"x\"".to_owned(), ..good.proof.clone() };
    let bare = Proof { signatures: BTreeMap::new(), ..good.proof.clone() };
    let another = Digest::of(b"another");
    let rows = [
        ("other signers", "ops-2", Past { signers: &others, ..past }),
        ("other signatures", "ops-1", Past { proof: Some(&by_another.proof), ..past }),
        ("no signature", "ops-1", Past { proof: Some(&bare), ..past }),
        ("another text", "ops-1", Past { proof: Some(&otherwise), ..past }),
        ("another component", "ops-1", Past { component: &another, ..past }),
        ("another statement", "ops-1", Past { statement: &another, ..past }),
        ("another package", "ops-1", Past { package: "acme:other", ..past }),
        ("another version", "ops-1", Past { version: "0.2.0", ..past }),
        ("another channel", "ops-1", Past { channel: "edge", ..past }),
        ("another sequence", "ops-1", Past { sequence: 8, ..past }),
    ];
    for (row, id, past) in rows {
        let refusal = recheck(&past, &keyring).expect_err(row);
        let Refusal::Unproven { by, .. } = &refusal else { panic!("{row}: {refusal}") };
        assert_eq!(by.iter().map(|key| key.id.as_str()).collect::<Vec<_>>(), [id], "{row}");
        assert!(refusal.details()[0].starts_with(&format!("the key `{id}` is ")), "{row}");
    }
}

#[test]
fn a_release_that_has_been_the_newest_for_long_is_told_and_runs() {
    let one = person("ops-1");
    let parcel = signed(&[&one], &release(7));
    let day = 24 * 3_600_000;
    let told = |days: u32, clock| {
        let keyring = keyring(&[format!("[policy]\nmax-age-days = {days}"), one.entry("")]);
        let bench = Bench { keyring: &keyring, floors: &Floors::default(), clock };
        judge(&Hashed::of(&parcel), bench).unwrap().warnings
    };
    // It was signed on the day before, at midnight.
    assert_eq!(told(1, NOW), Vec::<String>::new());
    assert_eq!(told(1, NOW + day / 2 - 1), Vec::<String>::new(), "less than two days");
    let late = told(120, NOW + 120 * day);
    assert_eq!(
        late,
        ["the release acme:provision@0.1.0 is of 2026-11-20T00:00:00Z, 121 days old, and \
          `max-age-days` is 120: look whether somebody holds newer ones back"]
    );
    // A clock that was turned back makes nothing young.
    let mut floors = Floors::default();
    floors.note_time(NOW + 120 * day);
    let keyring = keyring(&["[policy]\nmax-age-days = 120".to_owned(), one.entry("")]);
    let bench = Bench { keyring: &keyring, floors: &floors, clock: NOW };
    assert_eq!(judge(&Hashed::of(&parcel), bench).unwrap().warnings, late);
    // One that is of tomorrow by a clock that is behind is not old.
    assert_eq!(told(1, NOW - 3 * day), Vec::<String>::new());
    assert_eq!(told(36_500, NOW + 10_000 * day), Vec::<String>::new());
}

#[test]
fn a_refusal_tells_the_hints_of_the_keys_that_it_is_about() {
    let [one, two, three] = ["ops-1", "ops-2", "ops-3"].map(person);
    let all = || vec![one.entry(""), two.entry(""), three.entry("")];
    let with = |rest: &str, by: &[&Person]| {
        let others = by.iter().map(|it| it.entry(rest));
        keyring(&others.collect::<Vec<_>>())
    };
    let good = signed(&[&one], &release(7));
    let two_of_three = keyring(&[vec!["[threshold]\nrunbook = 2".to_owned()], all()].concat());
    let revoked = format!("[[revoked]]\nkey = \"{}\"\nreason = \"lost\"", one.key.public().hint());
    let mut seen = Floors::default();
    let any = keyring(&all());
    let vouched = verdict(&signed(&[&one, &two], &release(7)), &any).unwrap();
    let other = crate::floors::Seen { statement: Digest::of(b"another"), ..vouched.seen() };
    seen.raise(other, &any, NOW);
    let floors = Floors::default();
    let both = signed(&[&one, &two], &release(7));
    let leap = signed(&[&one], &release(u64::MAX));
    let early = with("not-before = 2027-01-01T00:00:00Z", &[&one]);
    let rows: [(&str, &Parcel, &Keyring, &Floors, &[&Person]); 8] = [
        ("one short", &good, &two_of_three, &floors, &[&one, &two, &three]),
        ("role", &good, &with("roles = [\"bundle\"]", &[&one]), &floors, &[&one]),
        ("namespace", &good, &with("names = [\"other:*\"]", &[&one]), &floors, &[&one]),
        ("early", &good, &early, &floors, &[&one]),
        ("revoked", &good, &keyring(&[one.entry(""), revoked]), &floors, &[&one]),
        ("tampered", &Parcel { component: vec![0], ..both.clone() }, &any, &floors, &[&one, &two]),
        ("equivocating", &both, &any, &seen, &[&one, &two]),
        ("leaping", &leap, &any, &floors, &[&one]),
    ];
    for (row, parcel, keyring, floors, keys) in rows {
        let found = judge(&Hashed::of(parcel), Bench { keyring, floors, clock: NOW });
        let told = found.expect_err(row).details();
        for key in keys {
            let line = format!("the key `{}` is {}", key.id, key.key.public().hint());
            let count = told.iter().filter(|it| **it == line).count();
            assert_eq!(count, 1, "{row}: `{line}` in {told:?}");
        }
    }
    let hint = one.key.public().hint();
    let past = Past {
        package: "acme:provision",
        version: "0.1.0",
        channel: "stable",
        sequence: 7,
        component: &Digest::of(b""),
        statement: &Digest::of(b""),
        signers: &BTreeMap::from([("ops-1".to_owned(), hint.to_string())]),
        proof: None,
    };
    let withdrawn = recheck(&past, &keyring(&[two.entry("")])).unwrap_err();
    assert_eq!(withdrawn.details(), [format!("the key `ops-1` is {hint}")]);
    // A key that nobody here knows has no name: its hint is all there is.
    let unknown = verdict(&good, &keyring(&[two.entry("")])).unwrap_err().to_string();
    assert!(unknown.contains(one.key.public().hint().as_str()), "{unknown}");
}
