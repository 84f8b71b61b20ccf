//! `runwrit simulate hetzner`: serves a stand-in until it is interrupted.

use std::net::SocketAddr;

use clap::{Args, Subcommand, value_parser};
use runwrit_model::exit::Exit;
use runwrit_simulator::hetzner::{Handle, Options, Simulator};
use serde::Serialize;
use tokio::signal::unix::{SignalKind, signal};

use crate::error::{Error, chain};
use crate::output::Style;
use crate::session::Session;
use crate::simulation::{options, simulated_token};

/// What to stand in for.
#[derive(Debug, Args)]
pub struct Arguments {
    #[command(subcommand)]
    system: System,
}

#[derive(Debug, Subcommand)]
enum System {
    /// Serve the Hetzner Cloud API, with its state, its delays and its faults
    Hetzner(Hetzner),
}

#[derive(Debug, Args)]
struct Hetzner {
    /// Serve the API here; port 0 takes a free one
    #[arg(long, value_name = "ADDR", default_value = "127.0.0.1:0")]
    listen: SocketAddr,
    /// Serve faults, clock, ledger and leak report here
    #[arg(long, value_name = "ADDR")]
    control: Option<SocketAddr>,
    /// Let a simulated second last this many real ones
    #[arg(long, value_name = "X", default_value_t = 1.0, value_parser = time_factor)]
    time_factor: f64,
    /// Let all chance depend on this number
    #[arg(long, value_name = "N", default_value_t = 0)]
    seed: u64,
    /// Let every action take exactly this many simulated milliseconds
    #[arg(long, value_name = "N")]
    action_ms: Option<u64>,
    /// Allow this many requests an hour
    #[arg(long, value_name = "N", default_value_t = 3600)]
    #[arg(value_parser = value_parser!(u32).range(1..))]
    rate_limit: u32,
    /// Allow two networks of one name in a project
    #[arg(long)]
    shared_network_names: bool,
}

/// Says where the simulator serves; with `--json` the first line on standard output.
#[derive(Serialize)]
struct Serving {
    event: &'static str,
    endpoint: String,
    control: Option<String>,
    token: String,
    time_factor: f64,
}

/// Serves until Ctrl-C.
pub fn execute(arguments: Arguments, session: &Session) -> Result<Exit, Error> {
    let System::Hetzner(hetzner) = arguments.system;
    let time_factor = hetzner.time_factor;
    session.block_on(async {
        let started = Simulator::start(hetzner.options()).await;
        let handle = started.map_err(|error| Error::usage(chain(&error)))?;
        announce(&handle, time_factor, session);
        until_stopped().await?;
        handle.stop().await;
        Ok(Exit::Done)
    })
}

impl Hetzner {
    fn options(self) -> Options {
        let mut options = Options {
            listen: self.listen,
            control: self.control,
            time_factor: self.time_factor,
            seed: self.seed,
            ..options()
        };
        options.settings.action_ms = self.action_ms;
        options.settings.rate_limit = self.rate_limit;
        options.settings.network_names_unique = !self.shared_network_names;
        options
    }
}

fn announce(handle: &Handle, time_factor: f64, session: &Session) {
    let serving = Serving {
        event: "serving",
        endpoint: handle.endpoint(),
        control: handle.control.map(|address| format!("http://{address}/_sim")),
        token: simulated_token("cli"),
        time_factor,
    };
    let output = &session.output;
    if output.is_json {
        return output.object(&serving);
    }
    output.data(&format!("export HCLOUD_ENDPOINT={}", serving.endpoint));
    output.data(&format!("export HCLOUD_TOKEN={}", serving.token));
    if let Some(control) = &serving.control {
        output.note(Style::Plain, &format!("control port: {control}"));
    }
    let clock = format!("a simulated second lasts {time_factor} real ones");
    output.note(Style::Plain, &format!("serving Hetzner Cloud; {clock}; Ctrl-C ends it"));
}

async fn until_stopped() -> Result<(), Error> {
    let wrong = |source| Error::new(Exit::Bug, format!("signals cannot be watched: {source}"));
    let mut terminations = signal(SignalKind::terminate()).map_err(wrong)?;
    let mut interrupts = signal(SignalKind::interrupt()).map_err(wrong)?;
    tokio::select! {
        _ = terminations.recv() => {}
        _ = interrupts.recv() => {}
    }
    Ok(())
}

fn time_factor(text: &str) -> Result<f64, String> {
    match text.parse::<f64>() {
        Ok(factor) if factor.is_finite() && factor > 0.0 => Ok(factor),
        _ => Err("expected a number above zero, such as `0.01`".to_owned()),
    }
}
