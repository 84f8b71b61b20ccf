//! Why a root is not followed, in words: the rule, the keys, and the way out.

use runwrit_model::document::Faults;
use runwrit_model::limits::{ROOT_BYTES_MAX, ROOTS_MAX};

use crate::public_key::{Signer, named};

/// Why a `root.json` is not followed.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum RootError {
    /// Larger than any honest one.
    #[error("it has {0} bytes, and at most {ROOT_BYTES_MAX} are read")]
    TooLarge(usize),
    /// Not the format.
    #[error("it is no root metadata of TUF 1.0: {0}")]
    Malformed(String),
    /// A field that cannot be.
    #[error("its `{field}` is `{value}`: expected {expected}")]
    Field {
        /// The field.
        field: String,
        /// What it says.
        value: String,
        /// What it may be.
        expected: &'static str,
    },
    /// Roles, names or dates that no keyring could have.
    #[error("what it says of keys cannot be: {}", .0.faults.first().map_or("nothing".into(), ToString::to_string))]
    Policy(Faults),
    /// Not the file that the keyring pins.
    #[error("it has the digest {found}, and the keyring pins {pinned}")]
    Pin {
        /// What the keyring says.
        pinned: String,
        /// What the file has.
        found: String,
    },
    /// A link of the chain is missing.
    #[error("it is root {found}, and after root {newest} comes root {}", newest + 1)]
    Skipped {
        /// What it is.
        found: u64,
        /// What this host has come to.
        newest: u64,
    },
    /// Older than what this host follows.
    #[error("it is root {found}, and this host has come to root {newest}: it does not go back")]
    Repeated {
        /// What it is.
        found: u64,
        /// What this host has come to.
        newest: u64,
    },
    /// One number, two roots.
    #[error("it is another root {0} than the one that this host follows")]
    Another(u64),
    /// Too few of those who must sign it did.
    #[error(
        "root {version} needs {needed} signatures by the keys of root {of}, and {} count{}: \
         {}; missing: {}",
        valid.len(), if valid.len() == 1 { "s" } else { "" }, listed(valid), listed(missing)
    )]
    TooFew {
        /// What it is.
        version: u64,
        /// Whose keys have to sign: those of the root before, or its own.
        of: u64,
        /// How many it takes.
        needed: usize,
        /// Whose signatures count.
        valid: Vec<String>,
        /// Whose would count.
        missing: Vec<String>,
        /// All of those keys.
        keys: Vec<Signer>,
    },
    /// Too many links.
    #[error("it is the {count}th root after the pinned one, and at most {ROOTS_MAX} are followed")]
    TooLong {
        /// Which one it is.
        count: u64,
    },
    /// Links that this host had followed are gone.
    #[error(
        "the chain ends with root {newest}, and this host had come to root {seen}: somebody \
         removed what lies between"
    )]
    Cut {
        /// What is there.
        newest: u64,
        /// What was there.
        seen: u64,
    },
}

impl RootError {
    /// Returns what to do next.
    pub fn hint(&self) -> &'static str {
        match self {
            Self::TooLarge(_) | Self::Malformed(_) | Self::Field { .. } => {
                "get the file again from those who hold the root keys; `runwrit trust rotate` \
                 writes such files"
            }
            Self::Policy(_) => {
                "have the holders of the root keys make it again, with `runwrit trust rotate`"
            }
            Self::Pin { .. } => {
                "put the file there that was pinned; if another root was meant, compare its digest \
                 by another way and change `[root]` in the keyring"
            }
            Self::Skipped { .. } => {
                "bring the roots in between as well: `runwrit trust advance FILE…` takes several"
            }
            Self::Repeated { .. } => "bring a newer one; going back is not possible",
            Self::Another(_) => {
                "ask the holders of the root keys which of the two they meant, and have the next \
                 root made after that one"
            }
            Self::TooFew { .. } => "have one of the missing sign it: `runwrit trust sign-root`",
            Self::TooLong { .. } => {
                "pin a newer root: put its file and digest under `[root]` in the keyring"
            }
            Self::Cut { .. } => {
                "bring them back with `runwrit trust advance FILE…`; they are public, and every \
                 package that carries `trust/` has them"
            }
        }
    }
}

impl RootError {
    /// Returns what else is wrong and which keys it is about, a line each.
    pub fn details(&self) -> Vec<String> {
        match self {
            Self::Policy(faults) => faults.faults.iter().skip(1).map(ToString::to_string).collect(),
            Self::TooFew { keys, .. } => named(keys.iter()),
            _ => Vec::new(),
        }
    }
}

fn listed(ids: &[String]) -> String {
    match ids {
        [] => "nobody".to_owned(),
        ids => format!("`{}`", ids.join("`, `")),
    }
}
