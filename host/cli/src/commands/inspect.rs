//! `runwrit inspect`: what a package is and wants, without running anything of it.

use clap::Args;
use runwrit_engine::admission::Inspection;
use runwrit_model::exit::Exit;
use runwrit_model::reach::Change;
use runwrit_trust::verdict::Vouched;
use serde_json::json;

use super::verify;
use crate::configuration::Configuration;
use crate::error::Error;
use crate::keyring::{self, Trust};
use crate::output::{Output, Style};
use crate::packages;
use crate::session::Session;
use crate::widening;

/// Which package.
#[derive(Debug, Args)]
pub struct Arguments {
    /// A package: its path, or its name with an optional @version
    runbook: String,
    /// Tell what it wants and another version does not: a package, as above
    #[arg(long, value_name = "RUNBOOK")]
    against: Option<String>,
}

/// What was found.
struct Findings {
    inspection: Inspection,
    verdict: Result<Vouched, String>,
    against: Option<Against>,
}

/// Another version.
struct Against {
    id: String,
    verdict: Result<Vouched, String>,
    /// How the one that is looked at differs from it.
    changes: Vec<Change>,
}

/// Inspects.
pub fn execute(arguments: Arguments, session: &Session) -> Result<Exit, Error> {
    let configuration = Configuration::read(session)?;
    // A package can be looked at that nobody vouches for; then every line says so.
    let trust = Trust::open(session);
    let judge = |folder: &std::path::Path, hashed: &runwrit_trust::parcel::Hashed<'_>| {
        let trust = trust.as_ref().map_err(|error| error.message.clone());
        Ok(trust.and_then(|trust| {
            let trust = trust.clone().carried(folder).map_err(|error| error.message)?;
            trust.judge(hashed).map_err(|refusal| keyring::refused(folder, &refusal).message)
        }))
    };
    let find = |name: &str| {
        let (package, verdict) = packages::find(name, &configuration, judge)?;
        let agrees = |vouched| match keyring::agree(&vouched, &package.manifest) {
            Ok(()) => Ok(vouched),
            Err(refusal) => Err(refusal.to_string()),
        };
        let verdict = verdict.and_then(agrees);
        Ok::<_, Error>((package, verdict))
    };
    let (package, verdict) = find(&arguments.runbook)?;
    let inspection = Inspection::of(&package);
    let other = |name: &String| {
        // Nothing of it runs, but whoever wrote it decides what is new beside it.
        let (other, verdict) = find(name)?;
        let changes = widening::reach(&package).against(&widening::reach(&other));
        Ok::<_, Error>(Against { id: other.manifest.id(), verdict, changes })
    };
    let against = arguments.against.as_ref().map(other).transpose()?;
    let findings = Findings { inspection, verdict, against };
    match session.output.is_json {
        true => session.output.object(&findings.object()),
        false => findings.print(&session.output),
    }
    let inspection = &findings.inspection;
    Ok(if inspection.gaps.is_empty() { Exit::Done } else { Exit::Untrusted })
}

impl Findings {
    fn object(&self) -> serde_json::Value {
        let mut object = serde_json::to_value(&self.inspection).unwrap_or_default();
        object["is-verified"] = self.verdict.is_ok().into();
        object["signature"] = match &self.verdict {
            Ok(vouched) => verify::object(vouched),
            Err(why) => json!({"event": "unverified", "why": why}),
        };
        if let Some(Against { id, verdict, changes }) = &self.against {
            let is_wider = changes.iter().any(Change::is_wider);
            object["against"] = json!({
                "runbook": id, "is-verified": verdict.is_ok(), "is-wider": is_wider,
                "changes": changes,
            });
        }
        object
    }

    fn print(&self, output: &Output) {
        print(&self.inspection, &self.verdict, output);
        let Some(Against { id, verdict, changes }) = &self.against else { return };
        let is_verified = self.verdict.is_ok() && verdict.is_ok();
        let mark = if is_verified { "" } else { "UNVERIFIED " };
        if let Err(why) = verdict {
            output.styled_data(Style::Warning, &format!("{mark}against    {id}: {why}"));
        }
        if changes.is_empty() {
            output.data(&format!("{mark}against    {id}: wants what that wants"));
        }
        for change in changes {
            let style = if change.is_wider() { Style::Warning } else { Style::Plain };
            output.styled_data(style, &format!("{mark}against    {id}: {change}"));
        }
    }
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
        output.styled_data(Style::Bad, &format!("{mark}refused    {gap}"));
    }
}
