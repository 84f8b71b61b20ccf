//! `runwrit sweep`: what runs left behind, found by label and proof, with its price.

use std::collections::{BTreeMap, BTreeSet};

use clap::Args;
use runwrit_engine::sweep::{Fate, Leftover, Place as _, SweepError, Swept};
use runwrit_model::cost::Cost;
use runwrit_model::exit::Exit;
use runwrit_model::journal::World;
use runwrit_model::labels;
use runwrit_model::money::Eur;
use runwrit_model::sweep::Cause;
use serde::Serialize;

use crate::configuration::Configuration;
use crate::error::{Error, chain};
use crate::installation::Installation;
use crate::output::Style;
use crate::session::Session;
use crate::site::{self, Site};

/// What to do with what is found.
#[derive(Debug, Args)]
pub struct Arguments {
    /// Delete what a journal of this store proves undone or abandoned; nothing else ever
    #[arg(long)]
    delete: bool,
}

/// One leftover, for a program.
#[derive(Debug, Serialize)]
#[serde(rename_all = "kebab-case")]
struct Line<'a> {
    event: &'static str,
    credential: &'a str,
    /// What tells it from other projects; nothing where no run has marked it.
    project: Option<&'a str>,
    kind: &'a str,
    id: &'a str,
    name: &'a str,
    labels: &'a BTreeMap<String, String>,
    /// By its labels, true or not.
    scope: Option<&'a str>,
    /// Of this store where it knows it, else the short name in the labels.
    run: Option<String>,
    call: Option<String>,
    since: Option<&'a str>,
    eur_per_month: Cost,
    cause: &'static str,
    why: String,
    fate: &'static str,
    error: Option<&'a str>,
}

/// The end, for a program.
#[derive(Debug, Serialize)]
#[serde(rename_all = "kebab-case")]
struct Sum {
    event: &'static str,
    left: usize,
    deleted: usize,
    in_place: usize,
    /// Of what is left and has a known price; unknown where nothing of it has one.
    eur_per_month: Cost,
    /// How many have no known price.
    unpriced: usize,
    #[serde(skip)]
    known: Eur,
}

impl Sum {
    fn new() -> Self {
        let (eur_per_month, known) = (Cost::Known(Eur::ZERO), Eur::ZERO);
        let (left, deleted, in_place, unpriced) = (0, 0, 0, 0);
        Self { event: "swept", left, deleted, in_place, eur_per_month, unpriced, known }
    }

    /// Adds something that is left, at its price where that is known.
    fn add(&mut self, price: Option<Eur>) {
        self.left += 1;
        match price {
            Some(price) => self.known = self.known + price,
            None => self.unpriced += 1,
        }
        self.eur_per_month = match self.unpriced == self.left {
            true => Cost::Unknown,
            false => Cost::Known(self.known),
        };
    }
}

/// Sweeps.
pub fn execute(arguments: Arguments, session: &Session) -> Result<Exit, Error> {
    let configuration = Configuration::read(session)?;
    let names = site::credentials(session, &configuration)?;
    session.block_on(async {
        let installation = Installation::open(session, &configuration)?;
        let mut sum = Sum::new();
        let (mut exit, mut markers) = (Exit::Done, BTreeSet::new());
        for name in names {
            let looked = async {
                let site = Site::open(&name, session, &installation, &configuration)?;
                let world = site.world().await.map_err(SweepError::from)?;
                // Two credentials may open the same project.
                let marker = world.map(|world| (world.endpoint, world.marker));
                match marker.is_none_or(|marker| markers.insert(marker)) {
                    true => Ok(installation.engine.sweep(&site, arguments.delete).await?),
                    false => Ok::<Swept, Error>(Swept::default()),
                }
            };
            match looked.await {
                Ok(mut swept) => {
                    exit = worse(exit, tell(&name, &swept, &mut sum, session));
                    for error in swept.damaged.drain(..).map(Error::from) {
                        session.tell(&error);
                        exit = worse(error.exit, exit);
                    }
                }
                Err(error) => {
                    tell_error(&name, &error, session);
                    exit = worse(error.exit, exit);
                }
            }
        }
        conclude(&sum, session);
        Ok(exit)
    })
}

/// A project that was not looked at weighs more than a leftover in one that was.
fn worse(one: Exit, other: Exit) -> Exit {
    match (one, other) {
        (Exit::Done, other) => other,
        (one, _) => one,
    }
}

fn tell_error(name: &str, error: &Error, session: &Session) {
    session.tell(error);
    session.note(Style::Bad, &format!("the project of credential `{name}` was not looked at"));
}

fn tell(name: &str, swept: &Swept, sum: &mut Sum, session: &Session) -> Exit {
    let mut exit = Exit::Done;
    sum.in_place += swept.in_place;
    let of = (name, swept.world.as_ref());
    for leftover in &swept.leftovers {
        match session.output.is_json {
            true => session.output.object(&Line::of(of, leftover)),
            false => session.output.data(&text(of, leftover)),
        }
        if leftover.fate == Fate::Deleted {
            sum.deleted += 1;
            continue;
        }
        sum.add(leftover.sighting.eur_per_month);
        if leftover.left.cause.is_ours() {
            exit = Exit::Stuck;
        }
        if let Some(next) = next(leftover) {
            session.note(Style::Plain, &format!("  next: {next}"));
        }
    }
    exit
}

fn conclude(sum: &Sum, session: &Session) {
    if session.output.is_json {
        return session.output.object(sum);
    }
    let Sum { left, deleted, in_place, known: sum, unpriced, .. } = sum;
    let price = match (left, unpriced) {
        (0, _) => String::new(),
        (left, unpriced) if left == unpriced => ", of unknown price".to_owned(),
        (_, 0) => format!(", together EUR {sum} a month, net"),
        _ => format!(", together EUR {sum} a month and {unpriced} without a known price"),
    };
    let style = if *left == 0 { Style::Good } else { Style::Warning };
    let text = format!("{left} left over{price}; {deleted} deleted; {in_place} in place");
    session.note(style, &text);
}

fn text(of: (&str, Option<&World>), leftover: &Leftover) -> String {
    let line = Line::of(of, leftover);
    let kind = line.kind.rsplit('.').next().unwrap_or(line.kind);
    let price = match line.eur_per_month {
        Cost::Known(price) if price == Eur::ZERO => "free".to_owned(),
        Cost::Known(price) => format!("EUR {price} a month"),
        Cost::Unknown => "price unknown".to_owned(),
    };
    let since = line.since.map_or(String::new(), |since| format!(", since {since}"));
    let run = line.run.map_or(String::new(), |run| format!(", run {run}"));
    let call = line.call.map_or(String::new(), |call| format!(" call {call}"));
    let error = line.error.map_or(String::new(), |error| format!(": {error}"));
    let project = line.project.map_or(String::new(), |project| format!(", project {project}"));
    let labels = line.labels.iter().map(|(key, value)| format!("{key}={value}"));
    let labels = labels.collect::<Vec<_>>().join(" ");
    let Line { credential, name, why, fate, .. } = line;
    // A set of records is its name.
    let id = if line.id == name { String::new() } else { format!(" (id {})", line.id) };
    let made = format!("{price}{since}{run}{call}{project}, labelled {labels}");
    format!("{fate}: {kind} {name}{id} of `{credential}`, {made}: {why}{error}")
}

/// Returns the command that helps.
fn next(leftover: &Leftover) -> Option<String> {
    let run = leftover.left.made_by.as_ref().map(|(run, _)| run);
    match leftover.left.cause {
        Cause::Undone | Cause::Abandoned | Cause::Idle => Some("runwrit sweep --delete".to_owned()),
        Cause::Stuck | Cause::Held => Some(format!("runwrit rollback {}", run?)),
        Cause::Unfinished | Cause::Double | Cause::Unpromised | Cause::OtherWorld => {
            Some(format!("runwrit show {}", run?))
        }
        _ => None,
    }
}

impl<'a> Line<'a> {
    fn of((credential, world): (&'a str, Option<&'a World>), leftover: &'a Leftover) -> Self {
        let Leftover { sighting, left, fate } = leftover;
        let label = |key: &str| sighting.labels.get(key).map(String::as_str);
        let made_by = left.made_by.as_ref();
        let run = made_by.map(|(run, _)| run.to_string());
        let call = made_by.map(|(_, call)| call.to_string());
        let (fate, error) = match fate {
            Fate::Reported => ("left", None),
            Fate::Deleted => ("deleted", None),
            Fate::Failed(error) => ("failed", Some(error.as_str())),
        };
        Self {
            event: "leftover",
            credential,
            project: world.map(|world| world.marker.as_str()),
            kind: &sighting.kind,
            id: &sighting.id,
            name: &sighting.name,
            labels: &sighting.labels,
            scope: label(labels::TENANT),
            run: run.or_else(|| label(labels::RUN).map(str::to_owned)),
            call: call.or_else(|| label(labels::CALL).map(str::to_owned)),
            since: sighting.since.as_deref(),
            eur_per_month: sighting.eur_per_month.map_or(Cost::Unknown, Cost::Known),
            cause: left.cause.word(),
            why: left.cause.to_string(),
            fate,
            error,
        }
    }
}

impl From<SweepError> for Error {
    fn from(error: SweepError) -> Self {
        match error {
            SweepError::Engine(error) => error.into(),
            SweepError::NotDeleted { .. } => Self::new(Exit::Stuck, chain(&error))
                .hint("it is tried again; `runwrit sweep` shows it"),
            SweepError::Worlds(_) | SweepError::OtherWorld(_) => Self::usage(chain(&error))
                .hint("nothing was touched; check the token and the endpoint"),
        }
    }
}
