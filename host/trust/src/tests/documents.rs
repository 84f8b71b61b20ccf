//! A keyring that cannot mean what it says is refused, with field and fix.

use super::*;

#[test]
fn a_keyring_is_read_strictly() {
    let one = person("ops-1");
    let two = person("ops-2");
    let same = Person {
        id: "ops-1b",
        key: PrivateKey::from_pem(one.key.to_bare_pem().unwrap().expose(), None).unwrap(),
    };
    let both = "roles = [\"runbook\", \"grant\"]";
    let dates = "not-before = 2027-01-01T00:00:00Z\nnot-after = 2026-01-01T00:00:00Z";
    let rows = [
        (one.entry(both), "key[0].roles"),
        (one.entry("roles = []"), "key[0].roles"),
        (one.entry("names = []"), "key[0].names"),
        (one.entry("names = [\"*\"]"), "key[0].names[0]"),
        (one.entry(dates), "key[0].not-after"),
        (one.entry("") + &same.entry(""), "key[1].public"),
        (one.entry("") + &one.entry(""), "key[1].id"),
        (one.entry("colour = \"red\""), "key[0].colour"),
        ("[threshold]\nrunbook = 0".to_owned(), "threshold.runbook"),
        ("[policy]\nunsigned = \"allow\"".to_owned(), "policy.unsigned"),
        ("[policy]\nmax-age-days = 0".to_owned(), "policy.max-age-days"),
        ("[policy]\nmax-age-days = -1".to_owned(), "policy.max-age-days"),
        ("[policy]\nmax-age-days = \"120\"".to_owned(), "policy.max-age-days"),
        ("[policy]\nmax-age-days = 36501".to_owned(), "policy.max-age-days"),
        ("[policy]\nmax-age-days = 9223372036854775807".to_owned(), "policy.max-age-days"),
        ("[[revoked]]\nreason = \"x\"".to_owned(), "revoked[0]"),
        ("[[revoked]]\ndigest = \"sha256:00\"\nreason = \"x\"".to_owned(), "revoked[0].digest"),
        (
            format!(
                "[[revoked]]\nkey = \"{}\"\nversions = [\"0.1.0\"]\nreason = \"x\"",
                two.key.public().hint()
            ),
            "revoked[0].versions",
        ),
    ];
    for (text, field) in rows {
        let faults = Keyring::parse("trust.toml", &format!("version = 1\n{text}\n"));
        let faults = faults.expect_err(&text).faults;
        assert!(faults.iter().any(|it| it.field.starts_with(field)), "{field}: {faults:?}");
    }
    assert!(Keyring::parse("trust.toml", "version = 2\n").is_err());
    assert!(Keyring::parse("trust.toml", "version = 1\n").unwrap().keys.is_empty());
}
