//! Where a package is kept, as people write it.

use std::fmt;
use std::path::PathBuf;
use std::str::FromStr;

use runwrit_model::endpoint::{is_host, is_loopback};
use runwrit_model::id::Digest;

/// Begins the reference of a layout in a folder.
const LAYOUT: &str = "oci:";
/// Begins the reference of a layout in a tar archive.
const ARCHIVE: &str = "oci-archive:";
/// Longest name of a repository; common registries refuse more.
const REPOSITORY_BYTES_MAX: usize = 255;
/// Longest tag, by the specification.
const TAG_BYTES_MAX: usize = 128;

/// A package somewhere: `registry.example.org/acme/hello:0.1.0`, `oci:folder:0.1.0` or
/// `oci-archive:file.tar:0.1.0`, each with `@sha256:…` instead of the tag or after it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Reference {
    /// Where.
    pub place: Place,
    /// The tag.
    pub tag: Option<String>,
    /// The digest of its manifest; where it is named, the tag decides nothing.
    pub digest: Option<Digest>,
}

/// Where packages are kept.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Place {
    /// In a repository of a registry.
    Registry {
        /// Its name, with a port where it has one.
        host: String,
        /// The repository.
        repository: String,
    },
    /// In a folder.
    Layout(PathBuf),
    /// In a tar archive.
    Archive(PathBuf),
}

/// A text that is no reference.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error(
    "`{text}` is no reference, because of {why}: expected `HOST/REPOSITORY:TAG`, `oci:FOLDER:TAG` \
     or `oci-archive:FILE:TAG`, or `@sha256:…` for the tag"
)]
pub struct ReferenceError {
    text: String,
    why: &'static str,
}

impl Reference {
    /// Returns the same place with a digest alone.
    pub fn at(&self, digest: Digest) -> Self {
        Self { place: self.place.clone(), tag: None, digest: Some(digest) }
    }
}

impl FromStr for Reference {
    type Err = ReferenceError;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let wrong = |why| ReferenceError { text: runwrit_model::text::escape(text), why };
        let (rest, digest) = match text.split_once('@') {
            Some((rest, digest)) => (rest, Some(digest.parse().map_err(|_| wrong("its digest"))?)),
            None => (text, None),
        };
        let (base, tag) = match rest.rsplit_once(':') {
            // A colon before a slash belongs to a port, and the one of `oci:` to no tag.
            Some((base, tag)) if !tag.contains('/') && !["oci", "oci-archive"].contains(&base) => {
                (base, Some(tag))
            }
            _ => (rest, None),
        };
        if tag.is_some_and(|tag| !is_tag(tag)) {
            return Err(wrong("its tag"));
        }
        let place = place(base).map_err(wrong)?;
        Ok(Self { place, tag: tag.map(str::to_owned), digest })
    }
}

fn place(base: &str) -> Result<Place, &'static str> {
    let path = |path: &str| match path.is_empty() {
        true => Err("its empty path"),
        false => Ok(PathBuf::from(path)),
    };
    if let Some(rest) = base.strip_prefix(ARCHIVE) {
        return path(rest).map(Place::Archive);
    }
    if let Some(rest) = base.strip_prefix(LAYOUT) {
        return path(rest).map(Place::Layout);
    }
    let (host, repository) = base.split_once('/').ok_or("its missing host")?;
    match (is_host(host), is_repository(repository)) {
        (false, _) => Err("its host"),
        (_, false) => Err("its repository"),
        _ => Ok(Place::Registry { host: host.to_owned(), repository: repository.to_owned() }),
    }
}

fn is_repository(text: &str) -> bool {
    let is_inner =
        |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit() || b"._-".contains(&byte);
    let is_part = |part: &str| {
        let is_edge = |byte: Option<&u8>| byte.is_some_and(u8::is_ascii_alphanumeric);
        let bytes = part.as_bytes();
        bytes.iter().all(|byte| is_inner(*byte))
            && is_edge(bytes.first())
            && is_edge(bytes.last())
            && !part.contains("..")
    };
    text.len() <= REPOSITORY_BYTES_MAX && text.split('/').all(is_part)
}

fn is_tag(text: &str) -> bool {
    let is_letter = |byte: u8| byte.is_ascii_alphanumeric() || b"._-".contains(&byte);
    (1..=TAG_BYTES_MAX).contains(&text.len())
        && text.bytes().all(is_letter)
        && !text.starts_with(['.', '-'])
}

/// Returns the base of the API of a registry. Plain HTTP stays on this machine.
pub fn base(host: &str) -> String {
    let plain = format!("http://{host}");
    if is_loopback(&plain) { plain } else { format!("https://{host}") }
}

impl fmt::Display for Reference {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "{}", self.place)?;
        if let Some(tag) = &self.tag {
            write!(formatter, ":{tag}")?;
        }
        self.digest.map_or(Ok(()), |digest| write!(formatter, "@{digest}"))
    }
}

impl fmt::Display for Place {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Registry { host, repository } => write!(formatter, "{host}/{repository}"),
            Self::Layout(path) => write!(formatter, "{LAYOUT}{}", path.display()),
            Self::Archive(path) => write!(formatter, "{ARCHIVE}{}", path.display()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const DIGEST: &str = "sha256:e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855";

    #[test]
    fn a_reference_is_written_as_it_is_read() {
        let registry = "registry.example.org/acme/hello";
        let rows = [
            (format!("{registry}:0.1.0"), Some("0.1.0"), false),
            (format!("{registry}@{DIGEST}"), None, true),
            (format!("{registry}:0.1.0@{DIGEST}"), Some("0.1.0"), true),
            (registry.to_owned(), None, false),
            ("127.0.0.1:5000/hello:a_B-1.x".to_owned(), Some("a_B-1.x"), false),
            ("localhost:5000/hello".to_owned(), None, false),
            ("localhost/a/b__c/d-e".to_owned(), None, false),
            ("oci:folder".to_owned(), None, false),
            ("oci:folder:0.1.0".to_owned(), Some("0.1.0"), false),
            ("oci:/media/stick/layout:x".to_owned(), Some("x"), false),
            (format!("oci:../folder@{DIGEST}"), None, true),
            ("oci-archive:file.tar".to_owned(), None, false),
            ("oci-archive:/a/file.tar:stable".to_owned(), Some("stable"), false),
        ];
        for (text, tag, has_digest) in rows {
            let reference: Reference = text.parse().unwrap_or_else(|error| panic!("{error}"));
            assert_eq!(reference.to_string(), text);
            assert_eq!(reference.tag.as_deref(), tag, "{text}");
            assert_eq!(reference.digest.is_some(), has_digest, "{text}");
        }
    }

    #[test]
    fn texts_that_are_no_references_are_refused() {
        let long = format!("a.example/x:{}", "t".repeat(129));
        let rows = [
            "",
            "hello",
            "hello:0.1.0",
            "acme/hello:0.1.0",
            "https://a.example/hello:1",
            "a.example/hello:",
            "a.example/:1",
            "a.example//x:1",
            "a.example/../x:1",
            "a.example/Hello:1",
            "a.example/x:.1",
            "a.example/x:-1",
            "A.example/x:1",
            "user@a.example/x:1",
            "a.example/x:1@sha256:00",
            "a.example/x@sha512:00",
            "oci:",
            "oci-archive:",
            "a.example:70000/x:1",
            "a.example:05/x:1",
            "a..example/x:1",
            "-a.example/x:1",
            "a.example/x y:1",
            "a.example/x?y:1",
            "a.example/x:1#2",
            "аpi.example/x:1",
            "a.example/x/.:1",
            "a.example/x/:1",
            &long,
        ];
        for text in rows {
            assert!(text.parse::<Reference>().is_err(), "`{text}` was taken for a reference");
        }
    }

    #[test]
    fn plain_http_stays_on_this_machine() {
        let rows = [
            ("127.0.0.1:5000", "http://127.0.0.1:5000"),
            ("localhost", "http://localhost"),
            ("registry.example.org", "https://registry.example.org"),
            ("localhost.example.org", "https://localhost.example.org"),
            ("10.0.0.1:5000", "https://10.0.0.1:5000"),
        ];
        for (host, expected) in rows {
            assert_eq!(base(host), expected);
        }
    }
}
