//! One table for the whole verdict: each way to be refused, with its words.

use super::*;

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
