//! What `runs` says of money: what stands now, whichever run removed what another one made.

use std::fs;

use runwrit_simulator::hetzner::{Fault, Rule};
use serde_json::{Value, json};

use crate::cli::shell::{Cloud, Shell};

/// Returns what every run costs, and its scope, newest first.
fn prices(shell: &Shell) -> Vec<(Value, Value)> {
    let runs = shell.run(&["runs", "--json"]).objects();
    runs.iter()
        .map(|run| (run["eur-per-month"].clone(), run["scope-eur-per-month"].clone()))
        .collect()
}

#[test]
fn a_run_costs_nothing_once_another_one_removed_what_it_made() {
    // All but the volume costs 22.97 a month.
    for (is_held, eur) in [(false, "23.542"), (true, "22.97")] {
        let cloud = Cloud::start();
        let shell = Shell::new().with_cloud(&cloud);
        let provision = shell.provision();
        if is_held {
            let grant = fs::read_to_string(shell.path("acme.toml")).expect("it was written");
            let held = grant.replacen("expires =", "on-failure = \"hold\"\nexpires =", 1);
            shell.write("acme.toml", held);
            let (code, message) = ("invalid_input".to_owned(), String::new());
            let fault = Fault::Refuse { status: 422, code, message };
            cloud.handle.desk().add_fault(Rule::once("POST", "/volumes", fault));
        }
        let made = shell.run(&provision);
        assert_eq!(made.code, Some(if is_held { 3 } else { 0 }), "{}", made.stderr);
        assert_eq!(prices(&shell), [(json!(eur), json!(eur))], "held: {is_held}");
        let told = shell.run(&["runs"]).stdout;
        assert!(told.contains(&format!("EUR {eur} a month")), "{told}");

        let removed = shell.run(&shell.deprovision());
        assert_eq!(removed.code, Some(0), "{}", removed.stderr);
        let nothing = (Value::Null, Value::Null);
        assert_eq!(prices(&shell), [nothing.clone(), nothing], "held: {is_held}");
        let told = shell.run(&["runs"]).stdout;
        assert!(!told.contains("EUR"), "held: {is_held}: {told}");
    }
}
