//! `runwrit inspect`: what a package is and wants, without running anything of it.

use clap::Args;
use runwrit_engine::admission::Inspection;
use runwrit_model::exit::Exit;
use runwrit_trust::verdict::Vouched;
use serde_json::json;

use super::verify;
use crate::configuration::Configuration;
use crate::error::Error;
use crate::keyring::{self, Trust};
use crate::output::{Output, Style};
use crate::packages;
use crate::session::Session;

/// Which package.
#[derive(Debug, Args)]
pub struct Arguments {
    /// A package: its path, or its name with an optional @version
    runbook: String,
}

/// Inspects.
pub fn execute(arguments: Arguments, session: &Session) -> Result<Exit, Error> {
    let configuration = Configuration::read(session)?;
    // A package can be looked at that nobody vouches for; then every line says so.
    let trust = Trust::open(session);
    let judge = |folder: &std::path::Path, parcel: &runwrit_trust::parcel::Parcel| {
        let trust = trust.as_ref().map_err(|error| error.message.clone());
        Ok(trust.and_then(|trust| {
            trust.judge(parcel).map_err(|refusal| keyring::refused(folder, &refusal).message)
        }))
    };
    let (package, verdict) = packages::find(&arguments.runbook, &configuration, judge)?;
    let verdict = verdict.and_then(|vouched| match keyring::agree(&vouched, &package.manifest) {
        Ok(()) => Ok(vouched),
        Err(refusal) => Err(refusal.to_string()),
    });
    let inspection = Inspection::of(&package);
    match session.output.is_json {
        true => session.output.object(&object(&inspection, &verdict)),
        false => print(&inspection, &verdict, &session.output),
    }
    Ok(if inspection.gaps.is_empty() { Exit::Done } else { Exit::Untrusted })
}

fn object(inspection: &Inspection, verdict: &Result<Vouched, String>) -> serde_json::Value {
    let mut object = serde_json::to_value(inspection).unwrap_or_default();
    object["is-verified"] = verdict.is_ok().into();
    object["signature"] = match verdict {
        Ok(vouched) => verify::object(vouched),
        Err(why) => json!({"event": "unverified", "why": why}),
    };
    object
}

fn print(inspection: &Inspection, verdict: &Result<Vouched, String>, output: &Output) {
    // Whoever reads one line of many must see that nobody vouches for it.
    let mark = if verdict.is_ok() { "" } else { "UNVERIFIED " };
    let style = if verdict.is_ok() { Style::Plain } else { Style::Warning };
    let data = |line: String| output.styled_data(style, &format!("{mark}{line}"));
    let Inspection { runbook, description, digest, bytes, .. } = inspection;
    output.styled_data(Style::Strong, &format!("{mark}{runbook}: {description}"));
    match verdict {
        Ok(vouched) => data(format!("signature  {}", keyring::vouched_line(vouched))),
        Err(why) => data(format!("signature  {why}")),
    }
    data(format!("component  {digest}, {bytes} bytes"));
    let tier = serde_json::to_string(&inspection.tier).unwrap_or_default();
    data(format!("built for  {}, tier {}", inspection.world, tier.trim_matches('"')));
    data(format!("scope      {}", inspection.scope.as_deref().unwrap_or("the run alone")));
    for producer in &inspection.producers {
        let line = serde_json::to_string(producer).unwrap_or_default();
        data(format!("made by    {line}"));
    }
    for (name, kind, about) in &inspection.inputs {
        data(format!("input      {name} ({kind}): {about}"));
    }
    for (name, about) in &inspection.outputs {
        data(format!("output     {name}: {about}"));
    }
    for ask in &inspection.asks {
        let unused = if ask.is_imported { "" } else { " (not imported)" };
        data(format!("asks for   {}{unused}: {}", ask.interface, ask.why));
    }
    for import in &inspection.imports {
        let reach = serde_json::to_string(&import.reach).unwrap_or_default();
        data(format!("imports    {} ({})", import.name, reach.trim_matches('"')));
    }
    for gap in &inspection.gaps {
        output.styled_data(Style::Bad, &format!("refused    {gap}"));
    }
}
