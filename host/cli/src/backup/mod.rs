//! The whole state directory in one encrypted file: a tar archive that `age -d` opens as well.
//!
//! It holds `runwrit.json`, which says what it is, then `host.key`, `store.sqlite`, and each
//! component. Compiled code and lock files are left out: they are made again.

mod write;
mod restore;

pub use restore::{Restored, restore};
pub use write::{Written, write};

use serde::{Deserialize, Serialize};

use crate::lent;

/// The first file of the archive.
const COVER: &str = "runwrit.json";
/// The key that proves what the installation made.
const KEY: &str = "host.key";
/// The store.
const STORE: &str = "store.sqlite";
/// The folder of components, each named after its digest.
const COMPONENTS: &str = "components";
/// The ending of a component.
const COMPONENT: &str = ".wasm";
/// What the archive is.
const FORMAT: &str = "runwrit-state";
/// How it is laid out.
const VERSION: u32 = 1;

/// What an archive says about itself.
#[derive(Debug, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
struct Cover {
    format: String,
    version: u32,
    /// The version of the host that wrote it.
    host: String,
    /// When, in milliseconds since 1970 UTC.
    made_at: u64,
    /// That of the state directory; a restored one begins a later epoch.
    epoch: u64,
    /// How many files follow.
    files: u64,
}

/// Returns whether a path in the archive names what another installation lent.
fn is_lent(path: &str) -> bool {
    let name = path.strip_prefix(lent::FOLDER).and_then(|path| path.strip_prefix('/'));
    let name = name.and_then(|name| name.strip_suffix(lent::ENDING)).unwrap_or_default();
    let is_fit = |byte: u8| byte.is_ascii_alphanumeric() || b".-_".contains(&byte);
    !name.is_empty() && name.len() <= 63 && name.bytes().all(is_fit) && !name.starts_with('.')
}

/// Returns the digest that a path in the archive names, when it names a component.
fn component(path: &str) -> Option<&str> {
    let digest = path.strip_prefix(COMPONENTS)?.strip_prefix('/')?.strip_suffix(COMPONENT)?;
    let is_hex = |byte: u8| byte.is_ascii_digit() || (b'a'..=b'f').contains(&byte);
    (digest.len() == 64 && digest.bytes().all(is_hex)).then_some(digest)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_a_component_is_a_component() {
        let digest = "0123456789abcdef".repeat(4);
        assert_eq!(component(&format!("components/{digest}.wasm")), Some(digest.as_str()));
        let rows = [
            format!("components/{digest}"),
            format!("components//{digest}.wasm"),
            format!("./components/{digest}.wasm"),
            format!("components/{}.wasm", digest.to_uppercase()),
            format!("components/../{digest}.wasm"),
            "components/../../../etc/cron.d/x.wasm".to_owned(),
            format!("components/{digest}0.wasm"),
        ];
        for path in rows {
            assert_eq!(component(&path), None, "{path}");
        }
    }

    #[test]
    fn only_a_lent_key_is_a_lent_key() {
        assert!(is_lent("lent/acme.json") && is_lent("lent/run.01M7YQ.json"));
        for path in ["lent/.json", "lent/../x.json", "lent/a/b.json", "lent//a.json", "lent/a"] {
            assert!(!is_lent(path), "{path}");
        }
        assert!(!is_lent("./lent/a.json") && !is_lent("lent/..json") && !is_lent("a.json"));
    }
}
