//! `runwrit inspect`: what a package is and wants, without running anything of it.

use clap::Args;
use runwrit_engine::admission::Inspection;
use runwrit_model::exit::Exit;

use crate::configuration::Configuration;
use crate::error::Error;
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
    let package = packages::find(&arguments.runbook, &configuration)?;
    let inspection = Inspection::of(&package);
    match session.output.is_json {
        true => session.output.object(&inspection),
        false => print(&inspection, &session.output),
    }
    Ok(if inspection.gaps.is_empty() { Exit::Done } else { Exit::Untrusted })
}

fn print(inspection: &Inspection, output: &Output) {
    let Inspection { runbook, description, digest, bytes, .. } = inspection;
    output.styled_data(Style::Strong, &format!("{runbook}: {description}"));
    output.styled_data(Style::Warning, "signature  UNSIGNED");
    output.data(&format!("component  {digest}, {bytes} bytes"));
    let tier = serde_json::to_string(&inspection.tier).unwrap_or_default();
    output.data(&format!("built for  {}, tier {}", inspection.world, tier.trim_matches('"')));
    output.data(&format!("scope      {}", inspection.scope.as_deref().unwrap_or("the run alone")));
    for producer in &inspection.producers {
        let line = serde_json::to_string(producer).unwrap_or_default();
        output.data(&format!("made by    {line}"));
    }
    for (name, kind, about) in &inspection.inputs {
        output.data(&format!("input      {name} ({kind}): {about}"));
    }
    for (name, about) in &inspection.outputs {
        output.data(&format!("output     {name}: {about}"));
    }
    for ask in &inspection.asks {
        let unused = if ask.is_imported { "" } else { " (not imported)" };
        output.data(&format!("asks for   {}{unused}: {}", ask.interface, ask.why));
    }
    for import in &inspection.imports {
        let reach = serde_json::to_string(&import.reach).unwrap_or_default();
        output.data(&format!("imports    {} ({})", import.name, reach.trim_matches('"')));
    }
    for gap in &inspection.gaps {
        output.styled_data(Style::Bad, &format!("refused    {gap}"));
    }
}
