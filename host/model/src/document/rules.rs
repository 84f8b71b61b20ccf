//! What texts in documents may be.

use super::TextRule;

/// Letters that no eye confuses: names compare by bytes, so nothing else may look like them.
pub const NAME: TextRule = TextRule {
    expects: "1 to 63 of `A-Za-z0-9._-` between letters or digits",
    good: "acme-db",
    bad: &["", "-acme", "acme-", "acme db", "аcme", "acme/db", "*", "acme\u{200b}"],
    holds: is_name,
};

/// What tells roles, steps and inputs apart.
pub const WORD: TextRule = TextRule {
    expects: "lowercase letters, digits and single hyphens, starting with a letter, at most 63",
    good: "gateway",
    bad: &["", "Gateway", "1st", "a_b", "a--b", "a-", "é"],
    holds: is_word,
};

/// A tenant as the registry keeps it.
pub const TENANT: TextRule = TextRule {
    expects: "2 to 20 lowercase letters and digits, starting with a letter",
    good: "acme",
    bad: &["", "a", "Acme", "acme-1", "1acme", "acme acme", "аcme", "abcdefghijklmnopqrstu"],
    holds: is_tenant,
};

/// A version with its three numbers.
pub const SEMVER: TextRule = TextRule {
    expects: "a version such as `0.1.0`",
    good: "0.1.0",
    bad: &["", "1", "1.0", "01.0.0", "v1.0.0", "1.0.0-", "^1.0.0", "1.0.x"],
    holds: is_semver,
};

/// One line for people.
pub const SENTENCE: TextRule = TextRule {
    expects: "one line of 1 to 300 printable characters",
    good: "Creates what a tenant needs",
    bad: &["", "two\nlines", "\u{1b}[31m", "\u{202e}abc"],
    holds: is_sentence,
};

/// A digest.
pub const DIGEST: TextRule = TextRule {
    expects: "`sha256:` and 64 hexadecimal digits",
    good: "sha256:e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855",
    bad: &["", "sha256:", "e3b0c442", "sha512:00"],
    holds: |text| text.parse::<crate::id::Digest>().is_ok(),
};

/// An amount of money, as a text because TOML numbers with a point are floats.
pub const EUR: TextRule = TextRule {
    expects: "a decimal number in quotes, not negative",
    good: "25.00",
    bad: &["", "-1", "1,50", "1e3", "ten"],
    holds: |text| text.parse::<crate::money::Eur>().is_ok(),
};

/// A path.
pub const PATH: TextRule = TextRule {
    expects: "a path",
    good: "/var/lib/runwrit",
    bad: &["", "a\u{0}b"],
    holds: |text| !text.is_empty() && !text.contains('\0'),
};

/// The name of an environment variable.
pub const VARIABLE: TextRule = TextRule {
    expects: "the name of an environment variable: `A-Z`, `0-9` and `_`, not starting with a digit",
    good: "HCLOUD_TOKEN",
    bad: &["", "1X", "A-B", "A=B", "é"],
    holds: is_variable,
};

fn is_name(text: &str) -> bool {
    let bytes = text.as_bytes();
    let is_inner = |byte: &u8| byte.is_ascii_alphanumeric() || b"._-".contains(byte);
    (1..=63).contains(&bytes.len())
        && bytes.iter().all(is_inner)
        && bytes[0].is_ascii_alphanumeric()
        && bytes[bytes.len() - 1].is_ascii_alphanumeric()
}

fn is_word(text: &str) -> bool {
    let is_part = |part: &str| {
        let mut bytes = part.bytes();
        !part.is_empty() && bytes.all(|byte| byte.is_ascii_lowercase() || byte.is_ascii_digit())
    };
    text.len() <= 63
        && text.split('-').all(is_part)
        && text.starts_with(|letter: char| letter.is_ascii_lowercase())
}

fn is_tenant(text: &str) -> bool {
    (2..=20).contains(&text.len()) && is_word(text) && !text.contains('-')
}

fn is_semver(text: &str) -> bool {
    let is_number = |part: &str| {
        let is_digits = !part.is_empty() && part.bytes().all(|byte| byte.is_ascii_digit());
        is_digits && part.len() <= 9 && (part == "0" || !part.starts_with('0'))
    };
    text.split('.').count() == 3 && text.split('.').all(is_number)
}

fn is_sentence(text: &str) -> bool {
    (1..=300).contains(&text.chars().count()) && crate::text::escape(text) == text
}

fn is_variable(text: &str) -> bool {
    let is_letter = |byte: u8| byte.is_ascii_uppercase() || byte.is_ascii_digit() || byte == b'_';
    (1..=100).contains(&text.len())
        && text.bytes().all(is_letter)
        && !text.starts_with(|letter: char| letter.is_ascii_digit())
}
