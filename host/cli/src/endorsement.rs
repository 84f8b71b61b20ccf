//! Who answers for the grant of a run: those who signed it, a person at the terminal, or nobody.

use std::path::{Path, PathBuf};

use jiff::Timestamp;
use runwrit_model::exit::Exit;
use runwrit_model::grant::Grant;
use runwrit_model::id::Digest;
use runwrit_model::limits;
use runwrit_model::provenance::{self, Endorsement};
use runwrit_trust::endorsement::{Endorsed, GrantRefusal, judge_grant};
use runwrit_trust::floors::timestamp;
use runwrit_trust::parcel::SIGNATURE_EXTENSION;

use crate::ambient;
use crate::error::Error;
use crate::keyring::{Trust, untrusted};
use crate::output::Style;
use crate::session::Session;

/// Who answers for a grant.
#[derive(Debug, Clone)]
pub enum Answer {
    /// Enough of those who may.
    Signed(Box<Endorsed>),
    /// Nobody signed it: a person at the terminal answers for it.
    Person(String),
    /// Nobody, and the keyring puts up with that.
    Nobody,
}

/// Returns whether somebody watches what this process does.
pub fn is_attended(session: &Session) -> bool {
    let ambient = &session.ambient;
    ambient.is_stdin_terminal && ambient.is_stderr_terminal
}

/// Reads the files of those who signed a grant: they lie beside it, under its name.
pub fn signatures(grant: &Path) -> Result<Vec<(String, Vec<u8>)>, Error> {
    let paths = files(grant).into_iter().take(limits::SIGNATURES_MAX + 1);
    paths
        .map(|(name, path)| {
            let bytes_max = limits::SIGNATURE_BYTES_MAX as u64;
            let bytes = ambient::read("signature", &path, bytes_max)
                .map_err(|error| Error { exit: Exit::Untrusted, ..error })?;
            Ok((name, bytes))
        })
        .collect()
}

/// Returns where the files of the signers of a grant are.
pub fn files(grant: &Path) -> Vec<(String, PathBuf)> {
    let folder = match grant.parent() {
        Some(folder) if !folder.as_os_str().is_empty() => folder,
        _ => Path::new("."),
    };
    let name = grant.file_name().unwrap_or_default().to_string_lossy().into_owned();
    let is_signature = |found: &String| {
        let rest = found.strip_prefix(&name).and_then(|rest| rest.strip_prefix('.'));
        rest.is_some_and(|rest| rest.ends_with(SIGNATURE_EXTENSION))
    };
    let names = ambient::names_in(folder).into_iter().filter(is_signature);
    names.map(|name| (name.clone(), folder.join(name))).collect()
}

/// Returns when a grant expires, as a statement writes it.
pub fn expiry(grant: &Grant) -> Timestamp {
    timestamp(grant.expires())
}

impl Trust {
    /// Judges a grant by the files of its signers, before anything of it is parsed.
    pub fn judge_grant(&self, path: &Path, text: &str) -> Result<Endorsed, Error> {
        self.endorsed(text, &signatures(path)?).map_err(|refusal| refused(path, &refusal))
    }

    /// Judges the text of a grant by the files of its signers.
    pub fn endorsed(
        &self,
        text: &str,
        signatures: &[(String, Vec<u8>)],
    ) -> Result<Endorsed, GrantRefusal> {
        judge_grant(text.as_bytes(), signatures, self.bench())
    }

    /// Decides who answers for the grant of a run; `person` is whoever will, where nobody signed
    /// it. A signature that does not count is never taken for none.
    pub fn answer(&self, path: &Path, text: &str, person: Option<String>) -> Result<Answer, Error> {
        match (self.endorsed(text, &signatures(path)?), person) {
            (Ok(endorsed), _) => Ok(Answer::Signed(Box::new(endorsed))),
            (Err(GrantRefusal::Unsigned), Some(person)) => Ok(Answer::Person(person)),
            (Err(GrantRefusal::Unsigned), None) => {
                match self.keyring.policy.allow_unsigned_grants {
                    true => Ok(Answer::Nobody),
                    false => Err(self.unwatched(path)),
                }
            }
            (Err(refusal), _) => Err(refused(path, &refusal)),
        }
    }

    fn unwatched(&self, path: &Path) -> Error {
        let shown = path.display();
        let message = format!(
            "the grant `{shown}` is refused: it is not signed, and nobody watches this run"
        );
        untrusted(message).hint(format!(
            "have it signed by a key with the role `grant`: `runwrit sign --grant {shown} --key \
             FILE`; or start the run at a terminal; `allow-unsigned-grants = true` under \
             `[policy]` in `{}` lets all such runs start",
            self.file.display()
        ))
    }
}

impl Answer {
    /// Compares what was signed with what the grant says, now that it is parsed.
    pub fn agrees(&self, path: &Path, grant: &Grant) -> Result<(), Error> {
        let Self::Signed(endorsed) = self else { return Ok(()) };
        agree(endorsed, path, grant)
    }

    /// Returns whether the run may act on this machine alone.
    pub fn is_loopback_only(&self) -> bool {
        matches!(self, Self::Signed(endorsed) if endorsed.is_loopback_only)
    }

    /// Returns what the journal of a run keeps; `keyring` is the digest of that of the host.
    pub fn record(&self, keyring: Digest) -> Endorsement {
        match self {
            Self::Person(name) => {
                Endorsement::Person(provenance::Person { name: name.clone(), keyring })
            }
            Self::Nobody => Endorsement::Nobody(provenance::Unsigned { keyring }),
            Self::Signed(endorsed) => {
                let signers = endorsed.signers.iter();
                Endorsement::Signed(Box::new(provenance::SignedGrant {
                    grant: endorsed.grant,
                    statement: endorsed.statement,
                    signers: signers
                        .map(|it| (it.id.clone(), it.hint.as_str().to_owned()))
                        .collect(),
                    keyring,
                    proof: Some(endorsed.proof.clone()),
                }))
            }
        }
    }

    /// Tells a person who answers for the grant; nothing where they do so themselves.
    pub fn tell(&self, session: &Session) {
        let Self::Signed(endorsed) = self else { return };
        session.note(Style::Plain, &format!("granted: by {}", names(endorsed)));
        for warning in &endorsed.warnings {
            session.note(Style::Warning, &format!("warning: {warning}"));
        }
    }
}

/// Compares a statement with the grant that it is about.
pub fn agree(endorsed: &Endorsed, path: &Path, grant: &Grant) -> Result<(), Error> {
    let runbook = &grant.document().runbook.name;
    endorsed.agrees(runbook, expiry(grant)).map_err(|refusal| refused(path, &refusal))
}

/// Returns who signed a grant.
pub fn names(endorsed: &Endorsed) -> String {
    let ids: Vec<_> = endorsed.signers.iter().map(|signer| format!("`{}`", signer.id)).collect();
    ids.join(", ")
}

/// Says why a grant does not count.
pub fn refused(path: &Path, refusal: &GrantRefusal) -> Error {
    let error = untrusted(format!("the grant `{}` is refused: {refusal}", path.display()));
    refusal.details().into_iter().fold(error, Error::detail).hint(refusal.hint())
}
