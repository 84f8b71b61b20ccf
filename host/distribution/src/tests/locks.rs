//! What a lock pins, and what it has against something else.

use super::*;
use crate::lock::{Lock, LockError, Pinned};

fn pinned(name: &str, version: &str) -> Pinned {
    let mut pinned = Pinned::of(name, version, &parcel(0));
    pinned.source = Some("registry.example.org/acme/hello:0.1.0".to_owned());
    pinned.digest = Some(packed(&parcel(0)).digest());
    pinned
}

#[test]
fn a_lock_is_read_as_it_is_written() {
    let mut lock = Lock::default();
    for (name, version) in [("acme:b", "0.2.0"), ("acme:b", "0.1.0"), ("acme:a", "1.0.0")] {
        lock.pin(pinned(name, version));
    }
    lock.pin(Pinned { source: None, digest: None, ..pinned("plain", "0.1.0") });
    let text = lock.text();
    assert_eq!(Lock::parse("runwrit.lock", &text).unwrap(), lock);
    let names: Vec<_> = lock.packages.iter().map(Pinned::id).collect();
    assert_eq!(names, ["acme:a@1.0.0", "acme:b@0.1.0", "acme:b@0.2.0", "plain@0.1.0"]);
    lock.pin(pinned("acme:a", "1.0.0"));
    assert_eq!(lock.text(), text, "the same again changes nothing");
    assert!(text.starts_with("# Which packages are meant."), "{text}");
    assert_eq!(lock.version_of("a"), Some("1.0.0"));
    assert_eq!(lock.version_of("b"), None, "two versions are no choice");
    assert_eq!(lock.version_of("c"), None);
}

#[test]
fn a_lock_that_says_something_else_is_refused() {
    let mut lock = Lock::default();
    lock.pin(pinned("acme:hello", "0.1.0"));
    let text = lock.text();
    let rows = [
        ("version", text.replacen("version = 1", "version = 2", 1)),
        ("package[0].name", text.replace("acme:hello\"", "../hello\"")),
        ("package[0].version", text.replace("0.1.0\"\nsource", "latest\"\nsource")),
        ("package[0].component", text.replace("component = ", "#")),
        ("package[0].extra", format!("{text}extra = 1\n")),
        ("package[1].version", format!("{text}{}", &text[text.find("[[").unwrap()..])),
    ];
    for (field, text) in rows {
        let faults = Lock::parse("runwrit.lock", &text).expect_err(field);
        assert!(faults.faults.iter().any(|fault| fault.field == field), "{field}: {faults}");
    }
}

#[test]
fn another_package_under_the_same_name_and_version_is_found() {
    let mut lock = Lock::default();
    lock.pin(pinned("acme:hello", "0.1.0"));
    let right = pinned("acme:hello", "0.1.0");
    lock.check(&right).unwrap();
    lock.check(&Pinned { digest: None, source: None, ..right.clone() }).unwrap();
    let other =
        Some(packed(&parcel(0)).digest()).map(|it| runwrit_model::id::Digest::of(it.as_bytes()));
    let rows = [
        ("runbook.toml", Pinned { runbook: other.unwrap(), ..right.clone() }),
        ("component.wasm", Pinned { component: other.unwrap(), ..right.clone() }),
        ("manifest", Pinned { digest: other, ..right.clone() }),
    ];
    for (what, found) in rows {
        let error = lock.check(&found).expect_err(what);
        assert!(matches!(&error, LockError::Other { what: it, .. } if *it == what), "{error}");
    }
    let unlisted = lock.check(&pinned("acme:hello", "0.2.0")).unwrap_err();
    let expected = vec!["0.1.0".to_owned()];
    assert!(matches!(&unlisted, LockError::Unlisted { versions, .. } if *versions == expected));
    let of = |name: &str, version: &str| match lock.check(&pinned(name, version)).unwrap_err() {
        LockError::Unlisted { others, .. } => others,
        error => panic!("{name}: {error}"),
    };
    let acme = vec!["acme:hello@0.1.0".to_owned()];
    assert_eq!(of("evil:hello", "0.1.0"), acme, "another publisher");
    assert_eq!(of("hello", "0.1.0"), acme, "nobody");
    assert!(of("acme:hello", "0.2.0").is_empty() && of("evil:other", "0.1.0").is_empty());
}
