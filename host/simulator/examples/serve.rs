//! Serves a simulator until interrupted: `serve --listen 127.0.0.1:8080 --control 127.0.0.1:8081`.
//!
//! Prints one line of JSON with the addresses once it is ready.

use std::process::ExitCode;

use runwrit_simulator::hetzner::{Options, Simulator};

const USAGE: &str = "usage: serve [--listen ADDR] [--control ADDR] [--time-factor X] [--seed N] \
    [--action-ms N] [--rate-limit N] [--quota KIND=N]... [--frozen] [--shared-network-names]";

#[tokio::main]
async fn main() -> ExitCode {
    let options = match parse(std::env::args().skip(1)) {
        Ok(options) => options,
        Err(problem) => {
            eprintln!("error: {problem}\n{USAGE}");
            return ExitCode::from(2);
        }
    };
    let handle = match Simulator::start(options).await {
        Ok(handle) => handle,
        Err(error) => {
            eprintln!("error: {error}");
            return ExitCode::FAILURE;
        }
    };
    let control = handle.control.map_or("null".into(), |address| format!("\"{address}\""));
    println!("{{\"endpoint\":\"{}\",\"control\":{control}}}", handle.endpoint());
    if let Err(error) = tokio::signal::ctrl_c().await {
        eprintln!("error: cannot wait for an interrupt: {error}");
    }
    handle.stop().await;
    ExitCode::SUCCESS
}

fn parse(mut words: impl Iterator<Item = String>) -> Result<Options, String> {
    let mut options = Options::default();
    while let Some(flag) = words.next() {
        match flag.as_str() {
            "--frozen" => options.is_clock_frozen = true,
            "--shared-network-names" => options.settings.network_names_unique = false,
            _ => {
                let value = words.next().ok_or_else(|| format!("`{flag}` needs a value"))?;
                set(&mut options, &flag, &value)
                    .ok_or_else(|| format!("`{flag} {value}` is not understood"))?;
            }
        }
    }
    Ok(options)
}

fn set(options: &mut Options, flag: &str, value: &str) -> Option<()> {
    match flag {
        "--listen" => options.listen = value.parse().ok()?,
        "--control" => options.control = Some(value.parse().ok()?),
        "--time-factor" => options.time_factor = value.parse().ok()?,
        "--seed" => options.seed = value.parse().ok()?,
        "--action-ms" => options.settings.action_ms = Some(value.parse().ok()?),
        "--rate-limit" => options.settings.rate_limit = value.parse().ok()?,
        "--quota" => {
            let (kind, most) = value.split_once('=')?;
            options.settings.quotas.insert(kind.to_owned(), most.parse().ok()?);
        }
        _ => return None,
    }
    Some(())
}
