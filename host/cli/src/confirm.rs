//! Asks a person before a run starts; scripts are not asked, since the grant is their answer.

use std::io::{self, BufRead};

use runwrit_model::grant::Grant;

use crate::endorsement::is_attended;
use crate::error::Error;
use crate::launch::Admitted;
use crate::output::Style;
use crate::session::Session;

/// Shows what is granted and returns whether the person wants it. Without a person it is `true`.
pub fn start(admitted: &Admitted, session: &Session) -> Result<bool, Error> {
    if !has_person(session) {
        return Ok(true);
    }
    session.note(Style::Strong, "this run may:");
    explain(admitted.grant(), session);
    let answer = ask("start it? Type `yes` (`--yes` does not ask):", session)?;
    Ok(answer.unwrap_or(true))
}

/// Shows what a grant gives, a line each.
pub fn explain(grant: &Grant, session: &Session) {
    for line in grant.explain() {
        session.note(Style::Plain, &format!("  {:<10} {}", line.section, line.text));
    }
}

/// Asks a person; nothing where there is none.
pub fn ask(question: &str, session: &Session) -> Result<Option<bool>, Error> {
    if !has_person(session) {
        return Ok(None);
    }
    session.note(Style::Strong, question);
    let mut answer = String::new();
    let read = io::stdin().lock().read_line(&mut answer);
    read.map_err(|source| Error::usage(format!("the answer cannot be read: {source}")))?;
    Ok(Some(matches!(answer.trim(), "yes" | "y")))
}

fn has_person(session: &Session) -> bool {
    is_attended(session) && !session.output.is_json
}
