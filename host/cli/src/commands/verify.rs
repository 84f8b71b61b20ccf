//! `runwrit verify`: who vouches for a package or a grant, and whether that is enough here.

use std::path::{Path, PathBuf};

use clap::Args;
use runwrit_model::exit::Exit;
use runwrit_trust::endorsement::Terms;
use runwrit_trust::parcel::Hashed;
use runwrit_trust::verdict::Vouched;
use serde_json::json;

use crate::configuration::Configuration;
use crate::documents;
use crate::endorsement;
use crate::error::Error;
use crate::keyring::{self, Trust};
use crate::output::Style;
use crate::packages;
use crate::session::Session;
use crate::widening;

/// Which package.
#[derive(Debug, Args)]
pub struct Arguments {
    /// A package: its path, or its name with an optional @version
    #[arg(required_unless_present = "grant")]
    runbook: Option<String>,
    /// A grant instead
    #[arg(long, value_name = "FILE", conflicts_with = "runbook")]
    grant: Option<PathBuf>,
}

/// Verifies.
pub fn execute(arguments: Arguments, session: &Session) -> Result<Exit, Error> {
    let configuration = Configuration::read(session)?;
    let trust = Trust::open(session)?;
    if let Some(grant) = &arguments.grant {
        return verify_grant(grant, &trust, session);
    }
    let judge = |folder: &Path, hashed: &Hashed<'_>| {
        let trust = trust.clone().carried(folder)?;
        let vouched = trust.judge(hashed);
        let vouched = vouched.map_err(|refusal| keyring::refused(folder, &refusal))?;
        Ok((vouched, trust))
    };
    let runbook = arguments.runbook.unwrap_or_default();
    let (package, (vouched, trust)) = packages::find(&runbook, &configuration, judge)?;
    keyring::agree(&vouched, &package.manifest)
        .map_err(|refusal| keyring::refused(&package.folder, &refusal))?;
    // Beside what ran here under this name, or was approved.
    let changes = widening::newly(&trust, &vouched.release.package, &package);
    match session.output.is_json {
        true => {
            let newly: Vec<String> = changes.iter().map(ToString::to_string).collect();
            let mut object = object(&vouched);
            object["newly"] = newly.into();
            session.output.object(&object);
        }
        false => {
            print(&vouched, &trust, session);
            for change in changes {
                session.output.styled_data(Style::Warning, &format!("newly      {change}"));
            }
        }
    }
    Ok(Exit::Done)
}

fn verify_grant(path: &Path, trust: &Trust, session: &Session) -> Result<Exit, Error> {
    let text = documents::grant_text(path)?;
    let endorsed = trust.judge_grant(path, &text)?;
    endorsement::agree(&endorsed, path, &documents::parse_grant(path, &text)?)?;
    let Terms { runbook, created_at, expires_at, .. } = &endorsed.terms;
    if session.output.is_json {
        let signers = endorsed.signers.iter();
        let signers: Vec<_> =
            signers.map(|signer| json!({"id": signer.id, "hint": signer.hint})).collect();
        session.output.object(&json!({
            "event": "grant-verified", "runbook": runbook, "grant": endorsed.grant,
            "created-at": created_at.to_string(), "expires-at": expires_at.to_string(),
            "statement": endorsed.statement, "signers": signers,
            "is-loopback-only": endorsed.is_loopback_only, "warnings": endorsed.warnings,
        }));
        return Ok(Exit::Done);
    }
    let output = &session.output;
    output.styled_data(Style::Good, &format!("verified   a grant for `{runbook}`"));
    output.data(&format!("expires    {expires_at}"));
    for signer in &endorsed.signers {
        output.data(&format!("signed by  `{}` ({})", signer.id, signer.hint));
    }
    let needed = trust.keyring.threshold.grant;
    output.data(&format!("needed     {needed} of the keys in {}", trust.file.display()));
    if endorsed.is_loopback_only {
        output.styled_data(Style::Warning, "reach      loopback endpoints only");
    }
    for warning in &endorsed.warnings {
        output.styled_data(Style::Warning, &format!("warning    {warning}"));
    }
    Ok(Exit::Done)
}

/// Returns what was found, for a program.
pub fn object(vouched: &Vouched) -> serde_json::Value {
    let release = &vouched.release;
    let signers: Vec<_> = vouched
        .signers
        .iter()
        .map(|signer| json!({"id": signer.id, "hint": signer.hint}))
        .collect();
    json!({
        "event": "verified", "package": release.package, "version": release.version,
        "channel": release.channel, "sequence": release.sequence,
        "created-at": release.created_at.to_string(),
        "expires-at": release.expires_at.map(|until| until.to_string()),
        "statement": vouched.statement.to_string(), "signers": signers,
        "is-loopback-only": vouched.is_loopback_only, "warnings": vouched.warnings,
    })
}

fn print(vouched: &Vouched, trust: &Trust, session: &Session) {
    let (release, output) = (&vouched.release, &session.output);
    let (channel, sequence) = (&release.channel, release.sequence);
    output.styled_data(Style::Good, &format!("verified   {}", release.id()));
    output.data(&format!("release    {channel} {sequence}, made at {}", release.created_at));
    if let Some(until) = release.expires_at {
        output.data(&format!("expires    {until}"));
    }
    let needed = trust.keyring.threshold.runbook;
    for signer in &vouched.signers {
        output.data(&format!("signed by  `{}` ({})", signer.id, signer.hint));
    }
    output.data(&format!("needed     {needed} of the keys in {}", trust.file.display()));
    if vouched.is_loopback_only {
        output.styled_data(Style::Warning, "reach      loopback endpoints only");
    }
    for warning in &vouched.warnings {
        output.styled_data(Style::Warning, &format!("warning    {warning}"));
    }
}
