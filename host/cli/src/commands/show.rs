//! `runwrit show`: one run, step by step.

use clap::Args;
use runwrit_engine::view::{self, CallState, CallView, Doubt, RunView, StepView};
use runwrit_model::exit::Exit;
use runwrit_model::id::RunId;
use runwrit_model::journal::{Resolved, UndoOutcome, Verdict};
use runwrit_model::provenance::{Endorsement, Provenance, Signed};

use super::runs;
use crate::arrival;
use crate::configuration::Configuration;
use crate::error::Error;
use crate::installation::Installation;
use crate::output::{Output, Style};
use crate::progress::narrate::describe;
use crate::session::Session;
use crate::summary;

/// Which run.
#[derive(Debug, Args)]
pub struct Arguments {
    /// The run
    run: RunId,
}

/// Shows.
pub fn execute(arguments: Arguments, session: &Session) -> Result<Exit, Error> {
    let configuration = Configuration::read(session)?;
    session.block_on(async {
        let installation = Installation::open(session, &configuration)?;
        let view = installation.engine.show(&arguments.run).await?;
        match session.output.is_json {
            true => session.output.object(&view),
            false => print(&view, arrival::is_noted(installation.state(), &view.run), session),
        }
        Ok(Exit::Done)
    })
}

fn print(view: &RunView, has_arrived: bool, session: &Session) {
    let output = &session.output;
    let created = &view.created;
    let state = runs::state(&view.state, view.is_alive);
    output.styled_data(Style::Strong, &format!("run {}: {state}", view.run));
    output.data(&format!("runbook   {} ({})", created.runbook, created.component));
    print_provenance(created.provenance.as_ref(), output);
    print_endorsement(created.endorsement.as_ref(), output);
    if has_arrived {
        let text =
            "arrived   it came from elsewhere: signers are what its file says, until it goes on";
        output.styled_data(Style::Warning, text);
    }
    output.data(&format!("scope     {}", created.scope));
    output.data(&format!("started   {} by {}", view::time(view.created_at), created.starter));
    output.data(&format!("heard of  {}", view::time(view.last_at)));
    for (name, value) in &created.inputs {
        output.data(&format!("input     {name} = {value}"));
    }
    for (capability, world) in &created.worlds {
        let (credential, endpoint) = (&world.credential, &world.endpoint);
        output.data(&format!("world     {capability}: `{credential}` at {endpoint}"));
    }
    view.steps.iter().for_each(|step| print_step(step, output));
    for (name, value) in &view.outputs {
        output.data(&format!("output    {name} = {value}"));
    }
    if summary::standing(view).next().is_some() {
        output.styled_data(Style::Strong, &format!("what it made: {}", summary::price(view)));
    }
    for orphan in &view.left {
        output.styled_data(Style::Bad, &format!("left      {}", describe(orphan)));
    }
    if !view.message.is_empty() {
        output.data(&format!("because   {}", view.message));
    }
    for command in &view.next_commands {
        output.data(&format!("next      {command}"));
    }
}

/// Tells who vouched for the runbook when the run began.
fn print_provenance(provenance: Option<&Provenance>, output: &Output) {
    match provenance {
        Some(Provenance::Signed(signed)) => {
            let Signed { package, version, channel, sequence, signers, keyring, .. } =
                signed.as_ref();
            let ids: Vec<_> = signers.keys().map(|id| format!("`{id}`")).collect();
            let ids = ids.join(", ");
            output.data(&format!("signed    {package}@{version}, {channel} {sequence}, by {ids}"));
            output.data(&format!("keyring   {keyring}"));
        }
        Some(Provenance::Unsigned(unsigned)) => {
            output.styled_data(Style::Warning, "signed    UNSIGNED: nobody vouched for it");
            output.data(&format!("keyring   {}", unsigned.keyring));
        }
        None => {}
    }
}

/// Tells who answered for the grant when the run began.
fn print_endorsement(endorsement: Option<&Endorsement>, output: &Output) {
    match endorsement {
        Some(Endorsement::Signed(signed)) => {
            let ids: Vec<_> = signed.signers.keys().map(|id| format!("`{id}`")).collect();
            output.data(&format!("granted   by {} ({})", ids.join(", "), signed.grant));
        }
        Some(Endorsement::Person(person)) => {
            output.data(&format!("granted   by {}, at a terminal", person.name));
        }
        Some(Endorsement::Nobody(_)) => {
            output.data("granted   by a file that nobody signed, as the keyring allows");
        }
        None => {}
    }
}

fn print_step(step: &StepView, output: &Output) {
    if !step.title.is_empty() {
        output.styled_data(Style::Strong, &format!("{}  {}", view::time(step.at), step.title));
    }
    for call in &step.calls {
        output.data(&format!("  {:>5}  {}", call.call.to_string(), describe_call(call)));
        if let Some(doubt) = &call.doubt {
            print_doubt(doubt, output);
        }
    }
    for note in &step.notes {
        output.styled_data(Style::Faint, &format!("         verified: {note}"));
    }
}

/// Tells all that a person can go by to answer for a call.
fn print_doubt(doubt: &Doubt, output: &Output) {
    let line = |name: &str, text: &str| output.data(&format!("         {name:<9}{text}"));
    line("sent", &format!("{} or later", view::time(doubt.sent_at)));
    line("request", &doubt.request.to_string());
    doubt.seen.iter().for_each(|seen| line("seen", seen));
    for Resolved { verdict, by, reason, .. } in &doubt.words {
        line("answered", &format!("{} by {by}: {reason}", word(*verdict)));
    }
}

fn word(verdict: Verdict) -> &'static str {
    match verdict {
        Verdict::Done => "done",
        Verdict::NotDone => "not-done",
        Verdict::Deleted => "deleted",
        Verdict::Kept => "kept",
    }
}

fn describe_call(call: &CallView) -> String {
    let CallView { operation, subject, .. } = call;
    let id = call.remote_id.as_ref().map_or(String::new(), |id| format!(" (id {id})"));
    // A read has no subject: its answer tells what it found.
    let subject = if subject.is_empty() { String::new() } else { format!(" {subject}") };
    let error = call.error.as_ref().map_or(String::new(), |error| format!(": {}", cause(error)));
    format!("{operation}{subject}{id}, {}{error}", state(&call.state))
}

/// Returns an error without the word that the state of its call tells already.
fn cause(error: &str) -> &str {
    error.strip_prefix("failed: ").unwrap_or(error)
}

fn state(state: &CallState) -> String {
    match state {
        CallState::Read => "read".to_owned(),
        CallState::Refused => "refused".to_owned(),
        CallState::Open => "outcome not on record".to_owned(),
        CallState::Accepted => "accepted".to_owned(),
        CallState::Done => "done".to_owned(),
        CallState::Adopted => "adopted".to_owned(),
        CallState::Failed => "failed".to_owned(),
        CallState::Resolved(verdict) => format!("resolved as {}", word(*verdict)),
        CallState::Undo(outcome) => undo(outcome),
        CallState::Undoing => "being undone".to_owned(),
        CallState::Left => "left for a person".to_owned(),
    }
}

fn undo(outcome: &UndoOutcome) -> String {
    match outcome {
        UndoOutcome::Done => "undone".to_owned(),
        UndoOutcome::NothingThere => "undone: nothing was there".to_owned(),
        UndoOutcome::NotOurs => "left alone: it is not ours".to_owned(),
        UndoOutcome::Kept => "kept, as the runbook said".to_owned(),
        UndoOutcome::Held(why) => format!("held for a person: {why}"),
        UndoOutcome::Settling(until) => format!("looked for until {}", view::time(*until)),
        UndoOutcome::Retry(at, _) => format!("to be undone again at {}", view::time(*at)),
    }
}
