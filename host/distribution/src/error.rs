//! Why a package could not travel.

use std::io;
use std::path::PathBuf;

use runwrit_model::exit::Exit;
use runwrit_model::id::Digest;

/// Why a package could not travel; `what` is a reference, or a part of one.
#[derive(Debug, thiserror::Error)]
pub enum TransferError {
    /// Nothing stands there.
    #[error("`{0}` is not there")]
    NotFound(String),
    /// Bytes that are not those of their digest.
    #[error("`{what}` is refused: its bytes are {found}, and {expected} was asked for")]
    OtherDigest {
        /// What was read.
        what: String,
        /// What it should be.
        expected: Digest,
        /// What it is.
        found: Digest,
    },
    /// Bytes that are not as many as was said.
    #[error("`{what}` is refused: it has {found} bytes, and its manifest says {expected}")]
    OtherSize {
        /// What was read.
        what: String,
        /// What it should be.
        expected: u64,
        /// What it is.
        found: u64,
    },
    /// More than is read.
    #[error("`{what}` is refused: it has more than {bytes_max} bytes")]
    TooLarge {
        /// What was read.
        what: String,
        /// The limit.
        bytes_max: u64,
    },
    /// More of them than is read.
    #[error("`{what}` is refused: it has more than {max} {of}")]
    TooMany {
        /// What was read.
        what: String,
        /// Of what.
        of: &'static str,
        /// The limit.
        max: usize,
    },
    /// Something else than a package.
    #[error("`{what}` is refused as a package: {why}")]
    NotAPackage {
        /// What was read.
        what: String,
        /// What is wrong.
        why: String,
    },
    /// A tag where none may be left out.
    #[error("`{0}` names neither tag nor digest")]
    NoTag(String),
    /// More than one package.
    #[error("`{what}` holds {count} packages, so it takes a tag or digest")]
    Ambiguous {
        /// The layout.
        what: String,
        /// How many.
        count: usize,
    },
    /// The registry wants to know who asks, or does not let them.
    #[error("`{what}` was refused by the registry with status {status}{said}")]
    Denied {
        /// What was asked for.
        what: String,
        /// The status of HTTP.
        status: u16,
        /// What it said, from a colon on.
        said: String,
        /// The registry.
        host: String,
    },
    /// An answer that is none of those which are expected.
    #[error("`{what}`: the registry answered with status {status}{said}")]
    Unexpected {
        /// What was asked for.
        what: String,
        /// The status of HTTP.
        status: u16,
        /// What it said, from a colon on.
        said: String,
    },
    /// No answer.
    #[error("`{what}` cannot be reached: {why}")]
    Unreachable {
        /// What was asked for.
        what: String,
        /// Why.
        why: String,
    },
    /// An answer that leads where nothing may be sent.
    #[error("`{what}` is refused: the registry leads to `{to}`, {why}")]
    LedAway {
        /// What was asked for.
        what: String,
        /// Where it leads.
        to: String,
        /// Why nothing is sent there.
        why: &'static str,
    },
    /// A password for one host is asked for by another one.
    #[error("the credential of `{host}` is not sent to `{realm}`, where the registry asks for it")]
    OtherRealm {
        /// The registry.
        host: String,
        /// Who would give the token.
        realm: String,
    },
    /// A file that cannot be read or written.
    #[error("`{}` cannot be {done}", path.display())]
    File {
        /// The path.
        path: PathBuf,
        /// What was tried, for example `read`.
        done: &'static str,
        /// Why.
        source: io::Error,
    },
    /// Something stands where a new file was to be.
    #[error("`{}` stands there already and is not replaced", .0.display())]
    Exists(PathBuf),
    /// An archive that is none, or holds what it must not.
    #[error("`{}` is refused as an archive: {why}", path.display())]
    Archive {
        /// The path.
        path: PathBuf,
        /// What is wrong.
        why: String,
    },
}

impl TransferError {
    /// Returns the exit code: what came is not what was asked for, or it did not come at all.
    pub fn exit(&self) -> Exit {
        match self {
            Self::OtherDigest { .. }
            | Self::OtherSize { .. }
            | Self::TooLarge { .. }
            | Self::TooMany { .. }
            | Self::NotAPackage { .. }
            | Self::LedAway { .. }
            | Self::OtherRealm { .. }
            | Self::Archive { .. } => Exit::Untrusted,
            _ => Exit::Usage,
        }
    }

    /// Returns what to do next.
    pub fn hint(&self) -> String {
        match self {
            Self::NotFound(_) => {
                "compare the reference, letter by letter; `skopeo list-tags` shows \
                                  the tags of a registry"
                    .into()
            }
            Self::OtherDigest { .. } | Self::OtherSize { .. } => {
                "somebody changed it, or it was damaged on its way: fetch it again, or from where \
                 its publisher keeps it"
                    .into()
            }
            Self::TooLarge { .. } | Self::TooMany { .. } => {
                "no honest package is that large; ask its publisher".into()
            }
            Self::NotAPackage { .. } => {
                "only what `runwrit push` made can be pulled; `skopeo inspect --raw` shows what \
                 stands there"
                    .into()
            }
            Self::NoTag(_) => "add `:TAG` or `@sha256:…`; no tag is ever assumed".into(),
            Self::Ambiguous { .. } => "add `:TAG` or `@sha256:…`; `index.json` lists both".into(),
            Self::Denied { host, .. } => format!(
                "say who you are under `[registries.\"{host}\"]` in runwrit.toml: `user` and `env` \
                 or `file` for the secret"
            ),
            Self::Unexpected { .. } => "try again later, or ask who runs the registry".into(),
            Self::Unreachable { .. } => {
                "plain `http` is spoken on loopback alone; a copy travels without a network by \
                 `runwrit copy REFERENCE oci-archive:FILE:TAG`"
                    .into()
            }
            Self::LedAway { .. } => "ask who runs the registry; nothing was sent there".into(),
            Self::OtherRealm { host, realm } => format!(
                "if that is who gives its tokens, write `token-service = \"{realm}\"` under \
                 `[registries.\"{host}\"]` in runwrit.toml"
            ),
            Self::File { .. } => "look at its owner, its mode and the free space".into(),
            Self::Exists(_) => "name another file, or move it away".into(),
            Self::Archive { .. } => {
                "it takes an uncompressed tar archive of an OCI layout, as `runwrit copy` and \
                 `skopeo copy` make it"
                    .into()
            }
        }
    }
}
