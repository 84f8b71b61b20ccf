//! `runwrit run`: admission, then the run, live.

use std::path::PathBuf;

use clap::Args;
use runwrit_engine::cell::StartingCell;
use runwrit_model::exit::Exit;

use crate::ambient::{self, ThrowAway};
use crate::configuration::Configuration;
use crate::confirm;
use crate::credentials::Wallet;
use crate::documents;
use crate::endorsement::{Answer, is_attended};
use crate::error::Error;
use crate::installation::Installation;
use crate::keyring::Trust;
use crate::launch::{Admitted, Order};
use crate::output::Style;
use crate::pins::{self, Pinning};
use crate::rehearsal::Outlook;
use crate::session::Session;
use crate::simulation::Stage;
use crate::surroundings::Surroundings;
use crate::widening;

/// What to run, and with what.
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
    /// Follow a plan, and stop before anything else would happen
    #[arg(long, value_name = "FILE", conflicts_with = "simulate")]
    plan: Option<PathBuf>,
    /// Run against a simulator in this process, with a made-up token and a throw-away store
    #[arg(long)]
    simulate: bool,
    /// Start without asking
    #[arg(long)]
    yes: bool,
    /// Run a package that nobody signed, where the keyring lets this flag through
    #[arg(long)]
    allow_unsigned: bool,
    #[command(flatten)]
    pinning: Pinning,
}

/// Runs.
pub fn execute(arguments: Arguments, session: &Session) -> Result<Exit, Error> {
    session.block_on(run(arguments, session))
}

async fn run(arguments: Arguments, session: &Session) -> Result<Exit, Error> {
    let cell = StartingCell::start(ambient::program());
    let configuration = Configuration::read(session)?;
    let (is_simulated, is_unsigned_allowed) = (arguments.simulate, arguments.allow_unsigned);
    let is_asked = !arguments.yes && !is_simulated;
    let plan = arguments.plan.as_ref().map(|path| documents::plan(path)).transpose()?;
    let trust = Trust::open(session)?;
    let by = (&trust, is_unsigned_allowed);
    let (package, (vouching, trust)) =
        pins::find(&arguments.runbook, &arguments.pinning, by, &configuration, session)?;
    if !is_simulated {
        widening::admit(&trust, &vouching, &package, session)?;
    }
    let text = documents::grant_text(&arguments.grant)?;
    let answer = match is_simulated {
        true => Answer::Nobody,
        false => trust.answer(&arguments.grant, &text, person(arguments.yes, session))?,
    };
    let grant = documents::parse_grant(&arguments.grant, &text)?;
    answer.agrees(&arguments.grant, &grant)?;
    let order = Order {
        origin: trust.origin(&vouching),
        package,
        vouching,
        grant,
        answer,
        arguments: arguments.inputs,
        file: arguments.file,
    };
    if is_simulated {
        return simulate(order, cell, &configuration, session).await;
    }
    let installation = Installation::open(session, &configuration)?;
    let admitted = order.admit(installation.engine.new_run_id())?;
    let wallet = Wallet::real(&session.ambient, &configuration);
    let admitted = match plan {
        Some(plan) => {
            let grant = admitted.grant();
            let outlook = Outlook::new(grant, &wallet, &installation, &configuration)?;
            let worlds = outlook.worlds().await?;
            let landmarks = outlook.landmarks(&worlds).await?;
            admitted.follow(plan, (&worlds, &landmarks))?
        }
        None => admitted,
    };
    let place = (&installation, &wallet, &configuration);
    start((admitted, cell), place, Some(&trust), is_asked, session).await
}

/// Returns who is at the terminal and says yes, by `--yes` or when asked.
fn person(is_yes: bool, session: &Session) -> Option<String> {
    let is_asked = !session.output.is_json;
    let answers = is_attended(session) && (is_yes || is_asked);
    answers.then(|| session.ambient.operator())
}

/// Runs in a world of its own that vanishes afterwards. Real credentials are not even read.
async fn simulate(
    order: Order,
    cell: StartingCell,
    configuration: &Configuration,
    session: &Session,
) -> Result<Exit, Error> {
    let folder = ThrowAway::new()?;
    let installation = Installation::open_thrown_away(&folder, session, configuration)?;
    let admitted = order.admit(installation.engine.new_run_id())?;
    let stage = Stage::start(admitted.grant()).await?;
    let wallet = Wallet::Simulated(stage.endpoint()?);
    let told = "simulated: nothing real is touched, and nothing of this is kept";
    session.note(Style::Warning, told);
    let place = (&installation, &wallet, configuration);
    let ended = start((admitted, cell), place, None, false, session).await;
    stage.stop().await;
    ended
}

/// Starts an admitted run. Only one that is no simulation is remembered by the keyring.
async fn start(
    (admitted, cell): (Admitted, StartingCell),
    (installation, wallet, configuration): (&Installation, &Wallet, &Configuration),
    trust: Option<&Trust>,
    is_asked: bool,
    session: &Session,
) -> Result<Exit, Error> {
    let package = admitted.package();
    admitted.vouching().tell(&package.manifest, &package.digest, session);
    admitted.answer().tell(session);
    if is_asked && !confirm::start(&admitted, session)? {
        return Err(Error::usage("not started: the answer was not `yes`"));
    }
    let subject = admitted.subject(configuration);
    let surroundings = Surroundings::new(subject, wallet, installation, configuration)?;
    if let Some(trust) = trust {
        trust.remember(admitted.vouching(), &package.folder)?;
        widening::remember(trust, admitted.vouching(), package)?;
    }
    session.signals.watch(&installation.progress);
    admitted.start(installation, (surroundings, cell), session).await
}
