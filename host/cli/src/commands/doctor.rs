//! `runwrit doctor`: whether this host is fit for runs, one line each, with a fix for each finding.

use clap::Args;
use runwrit_model::exit::Exit;
use runwrit_model::health::{Finding, Level, exit};

use crate::checkup;
use crate::configuration::Configuration;
use crate::error::Error;
use crate::output::Style;
use crate::session::Session;

/// Nothing beside the shared options.
#[derive(Debug, Args)]
pub struct Arguments {}

/// Looks at everything, whatever is found first.
pub fn execute(_arguments: Arguments, session: &Session) -> Result<Exit, Error> {
    let configuration = Configuration::read(session)?;
    session.block_on(async {
        let findings = checkup::look(session, &configuration).await;
        for finding in &findings {
            match session.output.is_json {
                true => session.output.object(finding),
                false => print(finding, session),
            }
        }
        Ok(exit(&findings))
    })
}

fn print(finding: &Finding, session: &Session) {
    let Finding { check, level, text, fix } = finding;
    let (style, word) = match level {
        Level::Good => (Style::Good, "good"),
        Level::Note => (Style::Warning, "note"),
        Level::Wrong => (Style::Bad, "wrong"),
        Level::Broken => (Style::Bad, "broken"),
    };
    let fix = fix.as_ref().map_or(String::new(), |fix| format!("; fix: {fix}"));
    session.output.styled_data(style, &format!("{word:<6} {check:<11} {text}{fix}"));
}
