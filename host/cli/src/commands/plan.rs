//! `runwrit plan`: what a run would do, with its cost, without doing it.

use std::path::PathBuf;

use clap::Args;
use runwrit_model::exit::Exit;
use runwrit_model::plan::{End, Plan, Row, rows, total};
use serde_json::json;

use crate::ambient;
use crate::configuration::Configuration;
use crate::credentials::Wallet;
use crate::documents;
use crate::endorsement::Answer;
use crate::error::{Error, chain};
use crate::installation::Installation;
use crate::keyring::Trust;
use crate::launch::Order;
use crate::output::{Output, Style};
use crate::pins::{self, Pinning};
use crate::rehearsal;
use crate::session::Session;
use crate::widening;

/// What to plan, and with what.
#[derive(Debug, Args)]
pub struct Arguments {
    /// A package: its path, or its name with an optional @version
    runbook: String,
    /// What the run may do: a grant file
    #[arg(long, value_name = "FILE")]
    grant: PathBuf,
    /// An input of the runbook; repeat for more
    #[arg(long = "input", value_name = "NAME=VALUE")]
    inputs: Vec<String>,
    /// Inputs of the runbook as a TOML file
    #[arg(long = "inputs", value_name = "FILE")]
    file: Option<PathBuf>,
    /// Write the plan to this file, for `run --plan` and `grants suggest`
    #[arg(long, value_name = "FILE")]
    out: Option<PathBuf>,
    /// Plan with a package that nobody signed, where the keyring lets this flag through
    #[arg(long)]
    allow_unsigned: bool,
    #[command(flatten)]
    pinning: Pinning,
}

/// Plans.
pub fn execute(arguments: Arguments, session: &Session) -> Result<Exit, Error> {
    let configuration = Configuration::read(session)?;
    let (trust, is_unsigned_allowed) = (Trust::open(session)?, arguments.allow_unsigned);
    let by = (&trust, is_unsigned_allowed);
    let (package, (vouching, trust)) =
        pins::find(&arguments.runbook, &arguments.pinning, by, &configuration, session)?;
    widening::tell(&trust, &vouching, &package, session);
    let order = Order {
        origin: trust.origin(&vouching),
        package,
        vouching,
        grant: documents::grant(&arguments.grant)?,
        // Nothing is started, so nobody has to answer for anything.
        answer: Answer::Nobody,
        arguments: arguments.inputs,
        file: arguments.file,
    };
    let plan = session.block_on(async {
        let installation = Installation::open(session, &configuration)?;
        let admitted = order.admit(installation.engine.new_run_id())?;
        let wallet = Wallet::real(&session.ambient, &configuration);
        session.signals.watch(&installation.progress);
        rehearsal::plan(&admitted, (&installation, &wallet, &configuration), session).await
    })?;
    if let Some(path) = &arguments.out {
        let text = plan.text().map_err(|error| Error::usage(chain(&error)))?;
        ambient::write_whole("plan", path, text.as_bytes())?;
    }
    match session.output.is_json {
        true => session.output.object(&json!({"event": "planned", "plan": plan})),
        false => print(&plan, &session.output),
    }
    let has_out = arguments.out.as_ref().map(|path| path.display().to_string());
    Ok(conclude(&plan, has_out, session))
}

fn conclude(plan: &Plan, out: Option<String>, session: &Session) -> Exit {
    match (&plan.end, out) {
        (End::Fails(cause), _) => {
            session.note(Style::Bad, &format!("the run would fail here: {cause}"));
            return Exit::RolledBack;
        }
        (End::Succeeds, Some(file)) => {
            let next = format!("next: runwrit run … --plan {file}");
            session.note(Style::Plain, &next);
        }
        (End::Succeeds, None) => {}
    }
    Exit::Done
}

fn print(plan: &Plan, output: &Output) {
    let scope = plan.tenant.as_ref().map_or(String::new(), |tenant| format!(" on tenant:{tenant}"));
    output.styled_data(Style::Strong, &format!("plan of {}{scope}", plan.runbook));
    for (capability, world) in &plan.worlds {
        let (credential, endpoint) = (&world.credential, &world.endpoint);
        output.data(&format!("world {capability}: `{credential}` at {endpoint}"));
    }
    let rows = rows(plan);
    let widths = Widths::of(&rows);
    let mut step = None;
    for row in &rows {
        if step != Some(&row.step) {
            output.styled_data(Style::Strong, &format!("▸ {}", row.step));
            step = Some(&row.step);
        }
        output.data(&widths.line(row));
    }
    if rows.is_empty() {
        output.data("nothing would be changed");
    }
    output.styled_data(Style::Strong, &total(plan));
    let each = rows.iter().filter(|row| !row.assumed.is_empty());
    let each = each.map(|row| format!("assumed of {}: {}", row.call, row.assumed));
    let all = plan.assumed.iter().map(|text| format!("assumed: {text}"));
    each.chain(all).for_each(|line| output.styled_data(Style::Faint, &line));
    output.data(&format!("digest {}", plan.digest));
}

/// How wide the columns of a table are.
#[derive(Default)]
struct Widths {
    call: usize,
    operation: usize,
    resource: usize,
}

impl Widths {
    fn of(rows: &[Row]) -> Self {
        let widest = |of: fn(&Row) -> &str| {
            rows.iter().map(|row| of(row).chars().count()).max().unwrap_or_default()
        };
        Self {
            call: widest(|row| &row.call),
            operation: widest(|row| &row.operation),
            resource: widest(|row| &row.resource),
        }
    }

    fn line(&self, row: &Row) -> String {
        let Row { call, operation, resource, price, .. } = row;
        let (one, two, three) = (self.call, self.operation, self.resource);
        format!("  {call:>one$}  {operation:<two$}  {resource:<three$}  {price}")
    }
}
