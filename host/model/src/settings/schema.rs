//! The fields of `runwrit.toml`.

use crate::document::Presence::{OneOf, Optional, Required};
use crate::document::rules::{NAME, PATH, VARIABLE, WORD};
use crate::document::{Field, Kind, Presence, TextRule};

const fn field(name: &'static str, presence: Presence, kind: Kind, about: &'static str) -> Field {
    Field { name, about, presence, kind }
}

/// The whole file.
pub const SCHEMA: &[Field] = &[
    field("version", Required, Kind::Integer(1, 1), "the version of the format"),
    field("state", Optional, Kind::Text(&PATH), "the state directory"),
    field("packages", Optional, Kind::Texts(&PATH), "where runbooks are looked for by name"),
    field("credentials", Optional, Kind::Named(&WORD, CREDENTIAL), "credentials"),
    field("registries", Optional, Kind::Named(&HOST, REGISTRY), "who one is to registries"),
    field("hetzner", Optional, Kind::Table(HETZNER), "choices for Hetzner Cloud"),
    field("timing", Optional, Kind::Table(TIMING), "waits"),
];

const CREDENTIAL: &[Field] = &[
    field("env", OneOf("a credential"), Kind::Text(&VARIABLE), "the variable that holds it"),
    field("file", OneOf("a credential"), Kind::Text(&PATH), "the file, mode 0600, that holds it"),
    field("endpoint", Optional, Kind::Text(&ENDPOINT), "the one endpoint that it is sent to"),
];

const REGISTRY: &[Field] = &[
    field("user", Optional, Kind::Text(&USER), "the user; without one the secret is a token"),
    field("env", OneOf("a registry"), Kind::Text(&VARIABLE), "the variable that holds the secret"),
    field("file", OneOf("a registry"), Kind::Text(&PATH), "the file, mode 0600, that holds it"),
    field("token-service", Optional, Kind::Text(&ENDPOINT), "who else gives its tokens"),
];

const HETZNER: &[Field] = &[
    field("requests-per-hour", Optional, Kind::Integer(60, 100_000), "the budget of all runs"),
    field("roles", Optional, Kind::NamedTexts(&WORD, &NAME), "server types by role"),
    field(
        "fallback-locations",
        Optional,
        Kind::NamedTexts(&LOCATION, &OTHER_LOCATION),
        "other locations",
    ),
];

const DAY_MS: i64 = 24 * 3_600 * 1_000;

const TIMING: &[Field] = &[
    field("settle-ms", Optional, Kind::Integer(0, DAY_MS), "when a lost creation is settled"),
    field("undo-backoff-ms", Optional, Kind::Integer(1, DAY_MS), "first pause of an undo"),
    field("undo-backoff-max-ms", Optional, Kind::Integer(1, DAY_MS), "longest pause of an undo"),
    field("undo-budget-ms", Optional, Kind::Integer(1, 30 * DAY_MS), "how long an undo is tried"),
    field("sweep-ms", Optional, Kind::Integers(0, 30 * DAY_MS), "late looks after a rollback"),
    field("poll-ms", Optional, Kind::Integers(1, 60_000), "pauses between looks at an action"),
    field("request-timeout-ms", Optional, Kind::Integer(1, 600_000), "one exchange with an API"),
];

const LOCATION: TextRule = TextRule { good: "nbg1", ..NAME };
const OTHER_LOCATION: TextRule = TextRule { good: "fsn1", ..NAME };

/// A registry, as references begin.
const HOST: TextRule = TextRule {
    expects: "a host with a dot or a port, or `localhost`",
    good: "registry.example.org",
    bad: &[
        "",
        "registry",
        "https://registry.example.org",
        "a.example/x",
        "A.example",
        "a.example:",
    ],
    holds: crate::endpoint::is_host,
};

/// A user of a registry.
const USER: TextRule = TextRule {
    expects: "1 to 100 printable characters without a colon",
    good: "robot",
    bad: &["", "a:b", "a\nb", "\u{1b}[31m"],
    holds: |text| {
        let is_plain = crate::text::escape(text) == text && !text.contains(':');
        (1..=100).contains(&text.chars().count()) && is_plain
    },
};

/// The base of an API.
const ENDPOINT: TextRule = TextRule {
    expects: "an `https://` URL without user, query and fragment, or `http://` for a simulator",
    good: "https://api.hetzner.cloud/v1",
    bad: &[
        "",
        "api.hetzner.cloud",
        "ftp://api.hetzner.cloud",
        "https://",
        "https://token@api.hetzner.cloud/v1",
        "https://api.hetzner.cloud/v1?x",
        "https://api.hetzner.cloud/v1#x",
        "https://api.hetzner.cloud/v 1",
        "https://аpi.hetzner.cloud/v1",
    ],
    holds: |text| crate::endpoint::Endpoint::parse(text).is_ok(),
};
