//! The fields of `trust.toml`.

use runwrit_model::document::Presence::{OneOf, Optional, Required};
use runwrit_model::document::rules::{DIGEST, NAME, PATH, SEMVER, SENTENCE, WORD};
use runwrit_model::document::{Field, Kind, Presence, TextRule};

use crate::public_key::{Hint, PublicKey};
use crate::statement::{PACKAGE_EXPECTS, is_package, is_word};

const fn field(name: &'static str, presence: Presence, kind: Kind, about: &'static str) -> Field {
    Field { name, about, presence, kind }
}

/// The whole file.
pub const SCHEMA: &[Field] = &[
    field("version", Required, Kind::Integer(1, 1), "the version of the format"),
    field("policy", Optional, Kind::Table(POLICY), "what this host puts up with"),
    field("root", Optional, Kind::Table(ROOT), "where the chain of roots begins"),
    field("threshold", Optional, Kind::Table(THRESHOLD), "how many keys a role takes"),
    field("key", Optional, Kind::Tables(KEY), "the keys"),
    field("revoked", Optional, Kind::Tables(REVOKED), "what nobody vouches for any more"),
    field("floor", Optional, Kind::Tables(FLOOR), "sequences below which nothing runs"),
];

const POLICY: &[Field] = &[
    field("unsigned", Optional, Kind::Text(&UNSIGNED), "whether unsigned packages may run"),
    field("expired-release", Optional, Kind::Text(&EXPIRED), "what an expired release leads to"),
    field("expired-root", Optional, Kind::Text(&EXPIRED), "what an expired root leads to"),
    field("allow-unsigned-grants", Optional, Kind::Boolean, "whether grants may be unsigned"),
    field("other-keyrings", Optional, Kind::Text(&OTHER), "whether another may be named"),
    field("reapprove-wider", Optional, Kind::Boolean, "whether a wider ask takes an approval"),
    field("max-sequence-jump", Optional, Kind::Integer(1, i64::MAX), "the largest step forward"),
    field("max-age-days", Optional, Kind::Integer(1, 36_500), "the age that raises an alarm"),
    field("state", Optional, Kind::Text(&PATH), "where floors are remembered"),
];

const ROOT: &[Field] = &[
    field("path", Required, Kind::Text(&PATH), "the file of the first root"),
    field("digest", Required, Kind::Text(&DIGEST), "the digest of that file"),
];

const SIGNERS: Kind = Kind::Integer(1, 64);

const THRESHOLD: &[Field] = &[
    field("runbook", Optional, SIGNERS, "different keys that a runbook takes"),
    field("bundle", Optional, SIGNERS, "different keys that a bundle takes"),
    field("grant", Optional, SIGNERS, "different keys that a grant takes"),
];

const KEY: &[Field] = &[
    field("id", Required, Kind::Text(&NAME), "what people call it"),
    field("public", Required, Kind::Text(&PUBLIC), "the key"),
    field("roles", Required, Kind::Texts(&ROLE), "what it may sign"),
    field("names", Optional, Kind::Texts(&NAMES), "the packages that it may speak for"),
    field("not-before", Optional, Kind::Instant, "from when it counts"),
    field("not-after", Optional, Kind::Instant, "until when it counts"),
    field("endpoints", Optional, Kind::Text(&ENDPOINTS), "where its runs may act"),
];

const REVOKED: &[Field] = &[
    field("key", OneOf("what is revoked"), Kind::Text(&HINT), "a key, by its hint"),
    field("digest", OneOf("what is revoked"), Kind::Text(&DIGEST), "a component"),
    field("package", OneOf("what is revoked"), Kind::Text(&PACKAGE), "a package"),
    field("versions", Optional, Kind::Texts(&SEMVER), "these versions of the package alone"),
    field("reason", Required, Kind::Text(&SENTENCE), "why"),
];

const FLOOR: &[Field] = &[
    field("package", Required, Kind::Text(&PACKAGE), "the package"),
    field("channel", Required, Kind::Text(&WORD), "the channel"),
    field("sequence", Required, Kind::Integer(1, i64::MAX), "the lowest sequence that runs"),
];

const UNSIGNED: TextRule = TextRule {
    expects: "`deny`, or `flag` to let `--allow-unsigned` through",
    good: "deny",
    bad: &["", "allow", "Deny"],
    holds: |text| matches!(text, "deny" | "flag"),
};

const EXPIRED: TextRule = TextRule {
    expects: "`deny` or `warn`",
    good: "deny",
    bad: &["", "allow"],
    holds: |text| matches!(text, "deny" | "warn"),
};

const OTHER: TextRule = TextRule {
    expects: "`deny` or `allow`",
    good: "deny",
    bad: &["", "yes"],
    holds: |text| matches!(text, "deny" | "allow"),
};

const ROLE: TextRule = TextRule {
    expects: "`runbook`, `bundle`, `grant` or `host`",
    good: "runbook",
    bad: &["", "Runbook", "*", "root"],
    holds: |text| matches!(text, "runbook" | "bundle" | "grant" | "host"),
};

const NAMES: TextRule = TextRule {
    expects: "`namespace:name`, or `namespace:*` for all of a namespace",
    good: "acme:*",
    bad: &["", "*", "*:*", "acme", "acme:", "acme:pro*", "Acme:x"],
    holds: |text| is_package(text) || text.strip_suffix(":*").is_some_and(is_word),
};

const ENDPOINTS: TextRule = TextRule {
    expects: "`loopback`",
    good: "loopback",
    bad: &["", "any", "https://example.org"],
    holds: |text| text == "loopback",
};

const PACKAGE: TextRule = TextRule {
    expects: PACKAGE_EXPECTS,
    good: "acme:provision",
    bad: &["", "acme", "acme:*", "acme:a:b"],
    holds: is_package,
};

const PUBLIC: TextRule = TextRule {
    expects: "a public key as one line of Base64; `runwrit trust add-key` writes it",
    good: "MCowBQYDK2VwAyEAGb9ECWmEzf6FQbrBZ9w7lshQhqowtrbLDFw4rXAxZuE=",
    bad: &["", "ssh-ed25519 AAAA", "MCowBQYDK2VwAyEA"],
    holds: |text| text.parse::<PublicKey>().is_ok(),
};

const HINT: TextRule = TextRule {
    expects: "the hint of a key, as `runwrit key show` prints it",
    good: "TLMsSDfG3ajPsWge+z/vX5T/zluXnmvbkTkwLIV68Tk=",
    bad: &["", "ops-1", "TLMsSDfG"],
    holds: |text| text.parse::<Hint>().is_ok(),
};
