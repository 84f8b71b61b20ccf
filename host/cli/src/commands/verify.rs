//! `runwrit verify`: who vouches for a package, and whether that is enough here.

use clap::Args;
use runwrit_model::exit::Exit;
use runwrit_trust::verdict::Vouched;
use serde_json::json;

use crate::configuration::Configuration;
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
    runbook: String,
}

/// Verifies.
pub fn execute(arguments: Arguments, session: &Session) -> Result<Exit, Error> {
    let configuration = Configuration::read(session)?;
    let trust = Trust::open(session)?;
    let judge = |folder: &std::path::Path, hashed: &runwrit_trust::parcel::Hashed<'_>| {
        trust.judge(hashed).map_err(|refusal| keyring::refused(folder, &refusal))
    };
    let (package, vouched) = packages::find(&arguments.runbook, &configuration, judge)?;
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
