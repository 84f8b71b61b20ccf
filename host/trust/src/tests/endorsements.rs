//! A grant counts as signed when enough of those with the role signed these very bytes.

use super::*;
use crate::endorsement::{
    Endorsed, GrantRefusal, GrantStatement, PastGrant, Terms, judge_grant, recheck_grant,
};
use crate::public_key::Signer;
use runwrit_model::id::Digest;
use runwrit_model::provenance::Proof;
use std::collections::BTreeMap;

const TEXT: &[u8] = b"version = 1\nexpires = 2099-01-01T00:00:00Z\nrunbook.name = \"hello\"\n";
const ROLE: &str = "roles = [\"grant\"]\nnames = []";

fn terms() -> Terms {
    Terms {
        runbook: "hello".to_owned(),
        created_at: "2026-11-20T00:00:00Z".parse().unwrap(),
        expires_at: "2099-01-01T00:00:00Z".parse().unwrap(),
        critical: Vec::new(),
    }
}

fn by(people: &[&Person], terms: &Terms) -> Vec<(String, Vec<u8>)> {
    let payload = || GrantStatement::new(TEXT, terms.clone()).encode();
    people.iter().map(|person| person.sign_bytes(payload())).collect()
}

fn judged(
    text: &[u8],
    signatures: &[(String, Vec<u8>)],
    keyring: &Keyring,
) -> Result<Endorsed, GrantRefusal> {
    judge_grant(text, signatures, Bench { keyring, floors: &Floors::default(), clock: NOW })
}

#[test]
fn a_grant_signed_by_whoever_may_counts() {
    let [one, two] = ["desk-1", "desk-2"].map(person);
    let entries = ["[threshold]\ngrant = 2".to_owned(), one.entry(ROLE), two.entry(ROLE)];
    let endorsed = judged(TEXT, &by(&[&one, &two], &terms()), &keyring(&entries)).unwrap();
    assert_eq!(endorsed.terms, terms());
    assert_eq!(
        endorsed.signers.iter().map(|it| it.id.as_str()).collect::<Vec<_>>(),
        ["desk-1", "desk-2"]
    );
    assert_eq!(endorsed.agrees("hello", terms().expires_at), Ok(()));
    let other = endorsed.agrees("good-bye", terms().expires_at).unwrap_err();
    assert!(other.to_string().contains("the statement says the runbook `hello`"), "{other}");
    assert!(endorsed.agrees("hello", terms().created_at).is_err());
}

#[test]
fn a_grant_that_is_not_signed_as_it_should_be_is_refused() {
    let one = person("desk-1");
    let ops = person("ops-1");
    let entries = [one.entry(ROLE), ops.entry("")];
    let entry = |rest: &str| vec![one.entry(&format!("{ROLE}\n{rest}")), ops.entry("")];
    let good = || by(&[&one], &terms());
    let digest = Digest::of(TEXT);
    let hint = one.key.public().hint();
    let revoked = |what: String| {
        let mut entries = entries.to_vec();
        entries.push(format!("[[revoked]]\n{what}\nreason = \"too wide\""));
        entries
    };
    let mut junk = good();
    junk[0].1.push(b'x');
    let critical = Terms { critical: vec!["quota-2".to_owned()], ..terms() };
    let release = ops.sign(&parcel(), &release(7));
    let mine = one.sign(&parcel(), &super::release(7));
    let two = || {
        let mut entries = entries.to_vec();
        entries.insert(0, "[threshold]\ngrant = 2".to_owned());
        entries
    };
    let rows = [
        ("unsigned", TEXT, vec![], entries.to_vec(), "the grant is not signed"),
        ("another text", b"x".as_slice(), good(), entries.to_vec(), "`the grant` is not the one"),
        ("junk", TEXT, junk, entries.to_vec(), "it is no Sigstore bundle"),
        ("role", TEXT, by(&[&ops], &terms()), entries.to_vec(), "may not sign grants"),
        ("unknown", TEXT, by(&[&person("eve")], &terms()), entries.to_vec(), "not in the keyring"),
        ("a package instead", TEXT, vec![mine], entries.to_vec(), "runbook-release:v1`, not a gra"),
        ("of another role", TEXT, vec![release], entries.to_vec(), "not a grant"),
        ("critical", TEXT, by(&[&one], &critical), entries.to_vec(), "knows `quota-2`"),
        ("many", TEXT, vec![good()[0].clone(); 65], entries.to_vec(), "65 files of signers"),
        ("expired", TEXT, good(), entry("not-after = 2026-11-01T00:00:00Z"), "has expired on"),
        ("early", TEXT, good(), entry("not-before = 2027-11-01T00:00:00Z"), "counts only from"),
        (
            "one of two",
            TEXT,
            good(),
            two(),
            "2 signatures needed and 1 key may sign, 1 valid: `desk-1`",
        ),
        ("revoked", TEXT, good(), revoked(format!("digest = \"{digest}\"")), "was revoked: too"),
        (
            "revoked key",
            TEXT,
            good(),
            revoked(format!("key = \"{hint}\"")),
            "was revoked: too wide",
        ),
    ];
    for (row, text, signatures, entries, fragment) in rows {
        let refusal = judged(text, &signatures, &keyring(&entries)).expect_err(row);
        let words = refusal.to_string();
        assert!(words.contains(fragment), "{row}: `{words}` lacks `{fragment}`");
        assert!(!refusal.hint().is_empty(), "{row}");
    }
    // What a grant key has signed is no package, in the other direction.
    let mut parcel = parcel();
    parcel.signatures = by(&[&ops], &terms());
    let found = verdict(&parcel, &keyring(&entries)).unwrap_err();
    assert!(found.to_string().contains("not the release of a runbook"), "{found}");
}

#[test]
fn every_flipped_bit_and_field_of_a_signed_grant_is_refused() {
    let one = person("desk-1");
    let keyring = keyring(&[one.entry(ROLE)]);
    let good = by(&[&one], &terms());
    for place in 0..TEXT.len() {
        let mut text = TEXT.to_vec();
        text[place] ^= 1;
        assert!(judged(&text, &good, &keyring).is_err(), "byte {place} of the grant");
    }
    for place in 0..good[0].1.len() {
        for bit in [0, 3, 5, 7] {
            let mut signatures = good.clone();
            signatures[0].1[place] ^= 1 << bit;
            let found = judged(TEXT, &signatures, &keyring);
            assert!(found.is_err(), "byte {place}, bit {bit} of the signature");
        }
    }
    // Signed anew by the right key, a statement of another shape still says nothing.
    let payload = GrantStatement::new(TEXT, terms()).encode();
    let value: serde_json::Value = serde_json::from_slice(&payload).unwrap();
    let (mut count, mut accepted) = (0, 0);
    mutations::each_change(&value, &mutations::changes, &mut |changed| {
        count += 1;
        let signatures = [one.sign_bytes(changed.to_string().into_bytes())];
        // The name of the runbook is compared with the grant afterwards.
        let is_name = changed["predicate"]["runbook"] == "text";
        let is_accepted = judged(TEXT, &signatures, &keyring).is_ok();
        accepted += usize::from(is_accepted);
        assert_eq!(is_accepted, is_name, "{changed}");
    });
    assert!(count > 60 && accepted == 1, "{count} {accepted}");
    let mut repeated = 0;
    mutations::each_repetition(&String::from_utf8(payload).unwrap(), &mut |name, changed| {
        repeated += 1;
        let signatures = [one.sign_bytes(changed.into_bytes())];
        assert!(judged(TEXT, &signatures, &keyring).is_err(), "`{name}` twice went unseen");
    });
    assert_eq!(repeated, 11, "every field of the statement");
}

#[test]
fn what_was_revoked_since_then_stops_a_run_and_what_expired_does_not() {
    let one = person("desk-1");
    let hint = one.key.public().hint();
    let digest = Digest::of(TEXT);
    let signers = BTreeMap::from([("desk-1".to_owned(), hint.to_string())]);
    let past = PastGrant { grant: &digest, statement: &digest, signers: &signers, proof: None };
    let again = |entries: &[String]| recheck_grant(&past, &keyring(entries));
    assert_eq!(again(&[one.entry(ROLE)]), Ok(()));
    let expired = one.entry(&format!("{ROLE}\nnot-after = 2026-01-01T00:00:00Z"));
    assert_eq!(again(&[expired]), Ok(()));
    let gone = again(&[]).unwrap_err().to_string();
    assert!(
        gone.contains("of the keys that signed its grant, `desk-1` no longer counts"),
        "{gone}"
    );
    let raised = again(&["[threshold]\ngrant = 2".to_owned(), one.entry(ROLE)]);
    let raised = raised.unwrap_err().to_string();
    assert_eq!(raised, "it takes 2 keys by now, and fewer have signed its grant");
    let revoked = format!("[[revoked]]\ndigest = \"{digest}\"\nreason = \"too wide\"");
    assert!(again(&[one.entry(ROLE), revoked]).is_err());
}

#[test]
fn a_record_of_a_grant_counts_only_with_the_signatures_that_it_tells_of() {
    let (one, other) = (person("desk-1"), person("desk-2"));
    let keyring = keyring(&[one.entry(ROLE), other.entry(ROLE)]);
    let good = judged(TEXT, &by(&[&one], &terms()), &keyring).unwrap();
    let signers =
        |by: &Person| BTreeMap::from([(by.id.into(), by.key.public().hint().to_string())]);
    let again = |signers: &BTreeMap<String, String>, (grant, statement), proof: &Proof| {
        let past = PastGrant { grant, statement, signers, proof: Some(proof) };
        recheck_grant(&past, &keyring)
    };
    let written = (&good.grant, &good.statement);
    assert_eq!(again(&signers(&one), written, &good.proof), Ok(()));
    let by_another = judged(TEXT, &by(&[&other], &terms()), &keyring).unwrap().proof;
    let wider = Proof { text: "wider".to_owned(), ..good.proof.clone() };
    let bare = Proof { signatures: BTreeMap::new(), ..good.proof.clone() };
    let unproven = |by: &Person| {
        let (id, hint) = (by.id.to_owned(), by.key.public().hint());
        Err(GrantRefusal::Unproven(vec![Signer { id, hint }]))
    };
    assert_eq!(again(&signers(&other), written, &good.proof), unproven(&other));
    assert_eq!(again(&signers(&one), written, &by_another), unproven(&one));
    assert_eq!(again(&signers(&one), written, &bare), unproven(&one));
    assert_eq!(again(&signers(&one), written, &wider), unproven(&one));
    let widened = Digest::of(b"wider");
    assert_eq!(again(&signers(&one), (&widened, written.1), &wider), unproven(&one));
    assert_eq!(again(&signers(&one), (written.0, &widened), &good.proof), unproven(&one));
}

#[test]
fn a_grant_key_for_loopback_taints_what_rests_on_it() {
    let one = person("desk-1");
    let keyring = keyring(&[one.entry(&format!("{ROLE}\nendpoints = \"loopback\""))]);
    assert!(judged(TEXT, &by(&[&one], &terms()), &keyring).unwrap().is_loopback_only);
}
