//! Whether a run that stands here may go on: who vouched for it when it began is judged again, and
//! one that came from elsewhere is admitted like a new one.

use std::path::Path;

use runwrit_engine::admission::Package;
use runwrit_model::admission::{admit, ask_within_grant};
use runwrit_model::grant::Grant;
use runwrit_model::inputs;
use runwrit_model::journal::Created;
use runwrit_model::manifest::Manifest;
use runwrit_model::provenance::{Endorsement, Proof, Provenance};
use runwrit_trust::endorsement::{Endorsed, PastGrant, recheck_grant};
use runwrit_trust::keyring::Unsigned;
use runwrit_trust::parcel::{Hashed, Parcel};
use runwrit_trust::verdict::{Past, recheck};

use crate::ambient;
use crate::confirm;
use crate::credentials::Wallet;
use crate::endorsement::{self, is_attended};
use crate::error::Error;
use crate::keyring::{Trust, Vouching, untrusted};
use crate::output::Style;
use crate::packages::unusable;
use crate::session::Session;
use crate::surroundings::stays_here;
use crate::widening;

/// What the texts of a record are called in errors.
const MANIFEST: &str = "the journaled runbook.toml";
const GRANT: &str = "the journaled grant";
/// What those texts are called that were signed.
const SIGNED_GRANT: &str = "signed grant.toml";

/// What a person says about a run that came from elsewhere.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Word {
    /// That it goes on.
    Yes,
    /// Whatever they answer when they are asked.
    Ask,
    /// Nothing: nobody is asked.
    Nothing,
}

/// A run that came from elsewhere. Whoever knows a public key of age can have written its file, so
/// nothing is believed that its journal says of signers.
pub struct Newcomer<'a> {
    /// How it began.
    pub created: &'a Created,
    /// Its component; nothing where the host itself is its runbook.
    pub component: Option<&'a [u8]>,
    /// What opens the worlds of its grant.
    pub wallet: &'a Wallet,
    /// What the person at the terminal says.
    pub word: Word,
}

impl Trust {
    /// Judges again who vouched for a run of this state directory, and for its grant.
    pub fn readmit(&self, created: &Created, session: &Session) -> Result<(), Error> {
        self.note_time();
        self.readmit_package(created)?;
        self.readmit_grant(created, session)
    }

    fn readmit_package(&self, created: &Created) -> Result<(), Error> {
        let undo = undo(created);
        let Some(Provenance::Signed(signed)) = &created.provenance else {
            return match self.keyring.policy.unsigned {
                Unsigned::Flag => Ok(()),
                Unsigned::Deny => {
                    let file = self.file.display();
                    let why =
                        format!("nobody vouched for its runbook, and `{file}` allows no such");
                    Err(stopped(created, &why).hint(undo))
                }
            };
        };
        let past = Past {
            package: &signed.package,
            version: &signed.version,
            channel: &signed.channel,
            sequence: signed.sequence,
            component: &created.component,
            statement: &signed.statement,
            signers: &signed.signers,
            proof: signed.proof.as_ref(),
        };
        recheck(&past, &self.keyring).map_err(|refusal| {
            let error = stopped(created, &refusal.to_string()).hint(undo.clone());
            refusal.details().into_iter().fold(error, Error::detail)
        })?;
        match &signed.proof {
            Some(proof) if !is_same_manifest(proof, created)? => {
                Err(stopped(created, OTHER_MANIFEST).hint(undo))
            }
            _ => Ok(()),
        }
    }

    fn readmit_grant(&self, created: &Created, session: &Session) -> Result<(), Error> {
        match &created.endorsement {
            Some(Endorsement::Signed(signed)) => {
                let past = PastGrant {
                    grant: &signed.grant,
                    statement: &signed.statement,
                    signers: &signed.signers,
                    proof: signed.proof.as_ref(),
                };
                recheck_grant(&past, &self.keyring).map_err(|refusal| {
                    let error = stopped(created, &refusal.to_string()).hint(refusal.hint());
                    refusal.details().into_iter().fold(error, Error::detail)
                })?;
                match &signed.proof {
                    Some(proof) if !is_same_grant(proof, created)? => {
                        Err(stopped(created, OTHER_GRANT).hint(undo(created)))
                    }
                    _ => Ok(()),
                }
            }
            // Whoever typed `yes` meant the whole run, also what of it waits for time.
            Some(Endorsement::Person(_)) => Ok(()),
            Some(Endorsement::Nobody(_)) | None => {
                let is_allowed = self.keyring.policy.allow_unsigned_grants;
                match is_allowed || is_attended(session) {
                    true => Ok(()),
                    false => Err(self.unattended(created)),
                }
            }
        }
    }

    fn unattended(&self, created: &Created) -> Error {
        let run = &created.run;
        stopped(created, "nobody signed its grant, and nobody watches").hint(format!(
            "`runwrit resume {run}` at a terminal, or `runwrit rollback {run}` undoes it; \
             `allow-unsigned-grants = true` under `[policy]` in `{}` lets it go on",
            self.file.display()
        ))
    }
}

impl Newcomer<'_> {
    /// Judges it by what counts here and now, as if it were to begin; remembers what runs.
    pub fn admit(&self, trust: &Trust, session: &Session) -> Result<(), Error> {
        trust.note_time();
        self.judge(trust, session).map_err(|error| {
            let why = format!("it came from elsewhere, and {}", error.message);
            let Error { exit, details, hints, .. } = error;
            let told = Error { exit, details, hints, ..stopped(self.created, &why) };
            told.hint(undo(self.created))
        })
    }

    fn judge(&self, trust: &Trust, session: &Session) -> Result<(), Error> {
        let created = self.created;
        let grant = Grant::parse(GRANT, &created.grant)?;
        let person = self.person(&grant, session)?;
        let endorsed = self.endorsed(trust, person.is_some())?;
        let Some(component) = self.component else { return Ok(()) };
        let (package, vouching) = self.package(component, trust, person.is_some())?;
        let manifest = &package.manifest;
        let (origin, now) = (trust.origin(&vouching), ambient::now_unix_ms());
        let gaps = ask_within_grant((manifest, &origin), &grant, &created.scope, now);
        admit(package.gaps(), gaps).map_err(|gaps| {
            let message = "its runbook does not stay within its grant".to_owned();
            Error { message, ..gaps.into() }
        })?;
        let is_as_granted = created.deadline == grant.deadline(created.run.unix_ms());
        let scope = inputs::scope(manifest, &created.inputs, &created.run);
        if scope != created.scope || !is_as_granted {
            return Err(untrusted("its record says another scope or deadline than it has"));
        }
        if vouching.is_loopback_only() || endorsed.is_some_and(|it| it.is_loopback_only) {
            stays_here(&grant, self.wallet)?;
        }
        widening::admit(trust, &vouching, &package, session)?;
        vouching.tell(manifest, &package.digest, session);
        trust.remember(&vouching, &package.folder)?;
        widening::remember(trust, &vouching, &package)
    }

    /// Returns who answers for what nobody signed; nobody where all of it is signed.
    fn person(&self, grant: &Grant, session: &Session) -> Result<Option<String>, Error> {
        let Created { endorsement, provenance, .. } = self.created;
        let is_signed = matches!(endorsement, Some(Endorsement::Signed(_)))
            && matches!(provenance, Some(Provenance::Signed(_)));
        if is_signed || !is_attended(session) {
            return Ok(None);
        }
        let is_yes = match self.word {
            Word::Yes => true,
            Word::Nothing => return Ok(None),
            Word::Ask => {
                let what =
                    "this run came from elsewhere, and nobody here signed all of it; it may:";
                session.note(Style::Strong, what);
                confirm::explain(grant, session);
                match confirm::ask("let it go on? Type `yes` (`--yes` does not ask):", session)? {
                    Some(is_yes) => is_yes,
                    None => return Ok(None),
                }
            }
        };
        match is_yes {
            true => Ok(Some(session.ambient.operator())),
            false => Err(Error::usage("the answer was not `yes`")),
        }
    }

    /// Judges the grant as it was signed; nothing where nobody did, and that is put up with.
    fn endorsed(&self, trust: &Trust, has_person: bool) -> Result<Option<Endorsed>, Error> {
        let Some(Endorsement::Signed(signed)) = &self.created.endorsement else {
            let is_allowed = has_person || trust.keyring.policy.allow_unsigned_grants;
            return if is_allowed { Ok(None) } else { Err(self.unwatched()) };
        };
        let proof = signed.proof.as_ref().ok_or_else(|| unproven("grant"))?;
        let path = Path::new(SIGNED_GRANT);
        let endorsed = trust
            .endorsed(&proof.text, &proof.files())
            .map_err(|refusal| endorsement::refused(path, &refusal))?;
        endorsement::agree(&endorsed, path, &Grant::parse(SIGNED_GRANT, &proof.text)?)?;
        match is_same_grant(proof, self.created)? {
            true => Ok(Some(endorsed)),
            false => Err(untrusted(OTHER_GRANT)),
        }
    }

    fn unwatched(&self) -> Error {
        let run = &self.created.run;
        untrusted("nobody signed its grant, and nobody answers for it here").hint(format!(
            "`runwrit resume {run}` at a terminal asks you, and with `--yes` takes your word"
        ))
    }

    /// Judges the package as it was signed, and reads it.
    fn package(
        &self,
        component: &[u8],
        trust: &Trust,
        has_person: bool,
    ) -> Result<(Package, Vouching), Error> {
        let created = self.created;
        let (manifest, signatures) = match &created.provenance {
            Some(Provenance::Signed(signed)) => {
                let proof = signed.proof.as_ref().ok_or_else(|| unproven("runbook"))?;
                (proof.text.clone(), proof.files())
            }
            Some(Provenance::Unsigned(_)) | None => (created.manifest.clone(), Vec::new()),
        };
        let (manifest, component) = (manifest.into_bytes(), component.to_vec());
        let parcel = Parcel { manifest, component, signatures };
        let folder = Path::new(&created.runbook);
        let hashed = Hashed::of(&parcel);
        let vouching = trust.admit(folder, &hashed, has_person)?;
        let digest = hashed.component();
        let package = Package::of_hashed(folder, parcel, digest).map_err(unusable)?;
        vouching.agrees(folder, &package.manifest)?;
        if Manifest::parse(MANIFEST, &created.manifest)?.canonical() != package.manifest.canonical()
        {
            return Err(untrusted(OTHER_MANIFEST));
        }
        match (&created.provenance, vouching.provenance()) {
            (Some(Provenance::Signed(told)), Provenance::Signed(found))
                if (told.statement, &told.package, &told.channel, told.sequence)
                    != (found.statement, &found.package, &found.channel, found.sequence) =>
            {
                Err(untrusted("its record says another release than was signed"))
            }
            _ => Ok((package, vouching)),
        }
    }
}

const OTHER_MANIFEST: &str = "its record says another `runbook.toml` than was signed";
const OTHER_GRANT: &str = "its record says another grant than was signed";

fn is_same_manifest(proof: &Proof, created: &Created) -> Result<bool, Error> {
    // Both are read by this version: an earlier one may have written the canonical text otherwise.
    let signed = Manifest::parse("signed runbook.toml", &proof.text)?;
    Ok(signed.canonical() == Manifest::parse(MANIFEST, &created.manifest)?.canonical())
}

fn is_same_grant(proof: &Proof, created: &Created) -> Result<bool, Error> {
    let signed = Grant::parse(SIGNED_GRANT, &proof.text)?;
    Ok(signed.canonical() == Grant::parse(GRANT, &created.grant)?.canonical())
}

/// A journal of an earlier version tells who signed, and does not hold what they signed.
fn unproven(what: &str) -> Error {
    untrusted(format!("its record does not hold the {what} with its signatures"))
}

fn stopped(created: &Created, why: &str) -> Error {
    untrusted(format!("run {} does not go on: {why}", created.run))
}

fn undo(created: &Created) -> String {
    let run = &created.run;
    format!("`runwrit rollback {run}` undoes it; it asks nobody who vouched for it")
}
