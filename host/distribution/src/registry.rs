//! A repository of a registry, over its HTTP API.
//!
//! Source: the OCI distribution specification, 1.1. Registries without its list of referrers keep
//! that list under a tag instead, which whoever adds to it writes.

mod exchange;

use reqwest::{Method, Url};
use runwrit_model::id::Digest;
use runwrit_model::limits;
use runwrit_model::secret::Secret;

use self::exchange::{Answer, Exchange};
use crate::error::TransferError;
use crate::layout::checked;
use crate::manifest::{Descriptor, INDEX_TYPE, Index, MANIFEST_TYPE};
use crate::reference::Reference;

/// The header by which a registry says that it lists what is about a manifest.
const SUBJECT: &str = "oci-subject";
/// The header by which a registry says which bytes it means to give.
const DIGEST: &str = "docker-content-digest";
/// Times that a list is written which somebody else writes as well.
const LIST_WRITES_MAX: usize = 3;

/// Who one is to a registry.
#[derive(Debug, Clone)]
pub struct Credential {
    /// The user; without one the secret is a token that the registry takes as it is.
    pub user: Option<String>,
    /// Password or token.
    pub secret: Secret,
    /// Who else may be told user and password, for a token in return.
    pub token_service: Option<String>,
}

/// A repository.
#[derive(Debug)]
pub struct Registry {
    exchange: Exchange,
    base: Url,
    shown: String,
}

impl Registry {
    /// Names a repository, to read or to write as well. Nothing is sent yet.
    pub fn new(
        host: &str,
        repository: &str,
        credential: Option<Credential>,
        is_written: bool,
    ) -> Result<Self, TransferError> {
        let shown = format!("{host}/{repository}");
        let base = format!("{}/v2/{repository}/", crate::reference::base(host));
        let base = Url::parse(&base).map_err(|error| TransferError::Unreachable {
            what: shown.clone(),
            why: error.to_string(),
        })?;
        let actions = if is_written { "pull,push" } else { "pull" };
        let scope = format!("repository:{repository}:{actions}");
        let exchange = Exchange::new(host, scope, credential)?;
        Ok(Self { exchange, base, shown })
    }

    /// Returns the bytes of the manifest that a reference means.
    pub async fn manifest(&self, reference: &Reference) -> Result<Vec<u8>, TransferError> {
        let name = match (&reference.digest, &reference.tag) {
            (Some(digest), _) => digest.to_string(),
            (None, Some(tag)) => tag.clone(),
            (None, None) => return Err(TransferError::NoTag(reference.to_string())),
        };
        let what = self.named(&name);
        let (max, accepted) = (limits::OCI_MANIFEST_BYTES_MAX, MANIFEST_TYPE);
        let answer = self.read(&format!("manifests/{name}"), accepted, max).await?;
        let (bytes, told) = answer.ok_or_else(|| TransferError::NotFound(what.clone()))?;
        // A tag may mean anything, but what the registry says and what it sends must be the same.
        let told = told.and_then(|told| told.parse::<Digest>().ok());
        let found = Digest::of(&bytes);
        for expected in [reference.digest, told].into_iter().flatten() {
            if found != expected {
                return Err(TransferError::OtherDigest { what, expected, found });
            }
        }
        Ok(bytes)
    }

    /// Returns the bytes of a manifest that a list describes.
    pub async fn listed_manifest(&self, listed: &Descriptor) -> Result<Vec<u8>, TransferError> {
        let what = self.named(&listed.digest.to_string());
        let max = limits::OCI_MANIFEST_BYTES_MAX;
        if listed.size > max {
            return Err(TransferError::TooLarge { what, bytes_max: max });
        }
        let path = format!("manifests/{}", listed.digest);
        let answer = self.read(&path, MANIFEST_TYPE, listed.size).await?;
        let (bytes, _) = answer.ok_or_else(|| TransferError::NotFound(what.clone()))?;
        checked(&what, bytes, listed)
    }

    /// Returns the descriptors of what of one type is about a manifest; a registry may list others.
    pub async fn referrers(
        &self,
        subject: &Digest,
        kind: &str,
    ) -> Result<Vec<Descriptor>, TransferError> {
        // A bare `+` is a space in a query.
        let kind = kind.replace('+', "%2B");
        let first = format!("referrers/{subject}?artifactType={kind}");
        let mut next = Some(self.url(&first)?);
        let mut found = Vec::new();
        for page in 0..limits::OCI_PAGES_MAX {
            let Some(url) = next.take() else { return Ok(found) };
            let answer = self.exchange.get(&self.named("referrers"), url, INDEX_TYPE).await?;
            if answer.status() == 404 && page == 0 {
                return Ok(self.listed(subject).await?.descriptors().collect());
            }
            next = answer.next_page(&self.base);
            let bytes = answer.success(&[200]).await?.body(limits::OCI_INDEX_BYTES_MAX).await?;
            let index = Index::decode(&bytes).map_err(|why| self.refused("referrers", why))?;
            found.extend(index.descriptors());
        }
        let (what, max) = (self.named("referrers"), limits::OCI_PAGES_MAX);
        Err(TransferError::TooMany { what, of: "pages", max })
    }

    /// Returns bytes that are those of the descriptor.
    pub async fn blob(&self, descriptor: &Descriptor, max: u64) -> Result<Vec<u8>, TransferError> {
        let what = self.named(&descriptor.digest.to_string());
        if descriptor.size > max {
            return Err(TransferError::TooLarge { what, bytes_max: max });
        }
        let path = format!("blobs/{}", descriptor.digest);
        let answer = self.read(&path, "*/*", descriptor.size).await?;
        let (bytes, _) = answer.ok_or_else(|| TransferError::NotFound(what.clone()))?;
        checked(&what, bytes, descriptor)
    }

    /// Keeps bytes, unless they are there.
    pub async fn put_blob(&self, bytes: &[u8]) -> Result<(), TransferError> {
        let digest = Digest::of(bytes);
        let what = self.named(&digest.to_string());
        let there = self.url(&format!("blobs/{digest}"))?;
        let answer = self.exchange.send(&what, Method::HEAD, there, None).await?;
        if answer.status() == 200 {
            return Ok(());
        }
        let begin = self.url("blobs/uploads/")?;
        let body = Some(("application/octet-stream", bytes::Bytes::new()));
        let answer = self.exchange.send(&what, Method::POST, begin, body).await?;
        let answer = answer.success(&[202]).await?;
        let mut place = answer.location()?;
        place.query_pairs_mut().append_pair("digest", &digest.to_string());
        let body = Some(("application/octet-stream", bytes::Bytes::copy_from_slice(bytes)));
        self.exchange.send(&what, Method::PUT, place, body).await?.success(&[201]).await?;
        Ok(())
    }

    /// Keeps a manifest under a tag, or under its digest alone. What is about another manifest gets
    /// into the list of that one.
    pub async fn put_manifest(
        &self,
        bytes: &[u8],
        tag: Option<&str>,
        subject: Option<(&Digest, &Descriptor)>,
    ) -> Result<(), TransferError> {
        let name = tag.map_or_else(|| Digest::of(bytes).to_string(), str::to_owned);
        let answer = self.put(&name, MANIFEST_TYPE, bytes).await?;
        match subject {
            Some((subject, descriptor)) if answer.header(SUBJECT).is_none() => {
                self.list(subject, descriptor).await
            }
            _ => Ok(()),
        }
    }

    async fn put(&self, name: &str, kind: &str, bytes: &[u8]) -> Result<Answer, TransferError> {
        let url = self.url(&format!("manifests/{name}"))?;
        let body = Some((kind, bytes::Bytes::copy_from_slice(bytes)));
        let answer = self.exchange.send(&self.named(name), Method::PUT, url, body).await?;
        answer.success(&[200, 201, 202]).await
    }

    /// Adds to the list of a registry that keeps none by itself.
    async fn list(&self, subject: &Digest, new: &Descriptor) -> Result<(), TransferError> {
        let tag = fallback(subject);
        for _ in 0..LIST_WRITES_MAX {
            // Another one may write the list at the same time, so it is read again.
            let mut index = self.listed(subject).await?;
            if !index.add(new) {
                return Ok(());
            }
            self.put(&tag, INDEX_TYPE, &index.encode()).await?;
        }
        let is_there = self.listed(subject).await?.descriptors().any(|it| it.digest == new.digest);
        match is_there {
            true => Ok(()),
            false => Err(self.refused(&tag, "others change it all the time; try again".into())),
        }
    }

    async fn listed(&self, subject: &Digest) -> Result<Index, TransferError> {
        let tag = fallback(subject);
        let max = limits::OCI_INDEX_BYTES_MAX;
        match self.read(&format!("manifests/{tag}"), INDEX_TYPE, max).await? {
            Some((bytes, _)) => Index::decode(&bytes).map_err(|why| self.refused(&tag, why)),
            None => Ok(Index::default()),
        }
    }

    /// Reads something; nothing where it is not there. Comes with the digest that was told.
    async fn read(
        &self,
        path: &str,
        accepted: &str,
        max: u64,
    ) -> Result<Option<(Vec<u8>, Option<String>)>, TransferError> {
        let what = self.named(path.rsplit('/').next().unwrap_or(path));
        let answer = self.exchange.get(&what, self.url(path)?, accepted).await?;
        if answer.status() == 404 {
            return Ok(None);
        }
        let answer = answer.success(&[200]).await?;
        let told = answer.header(DIGEST).map(str::to_owned);
        Ok(Some((answer.body(max).await?, told)))
    }

    fn url(&self, path: &str) -> Result<Url, TransferError> {
        self.base.join(path).map_err(|error| TransferError::Unreachable {
            what: self.named(path),
            why: error.to_string(),
        })
    }

    /// Returns how a part of the repository is written.
    fn named(&self, name: &str) -> String {
        let sign = if name.starts_with("sha256:") { '@' } else { ':' };
        format!("{}{sign}{name}", self.shown)
    }

    fn refused(&self, name: &str, why: String) -> TransferError {
        TransferError::NotAPackage { what: self.named(name), why }
    }
}

/// Returns the tag under which a registry without lists of its own keeps one.
fn fallback(subject: &Digest) -> String {
    format!("sha256-{}", subject.hex())
}
