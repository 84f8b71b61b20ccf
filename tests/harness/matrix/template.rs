//! The state directory that every case starts from: a host key and compiled code, but no runs.

use std::path::Path;
use std::sync::Arc;

use runwrit_engine::store::{SqliteStore, Store};

use super::calls::Calls;
use super::case::{Case, Mood, Scenario};
use super::cloud;
use super::driver;
use super::process::{Installation, Places};
use runwrit_openapi::Watch;

/// Waits of milliseconds, so that settling and backing off do not dominate a case. Where patience
/// runs out, it is that of minutes: a busy machine must not look like a broken cloud.
const CONFIGURATION: &str = r#"version = 1

[hetzner.roles]
gateway = ["cx23", "cpx22"]
worker = ["cx23", "cpx22"]
db = ["cx33", "cpx32"]

[timing]
settle-ms = 300
undo-backoff-ms = 5
undo-budget-ms = 120000
poll-ms = [2, 5]
request-timeout-ms = 60000
"#;

/// Fills `places.template`: compiles the runbooks by running them once, then forgets the runs.
/// Returns what the first one called.
pub async fn prepare(places: &Places) -> Calls {
    std::fs::create_dir_all(&places.template).expect("the scratch folder is writable");
    let configuration = places.template.join("runwrit.toml");
    std::fs::write(configuration, CONFIGURATION).expect("the scratch folder is writable");
    runwrit_keyring::install(&places.template);
    let watch = Watch::new();
    let calm = cloud::start_calm(&watch, Mood::Normal).await;
    let case = Case::new(Scenario::Deprovision, Mood::Normal);
    let installation = Installation::new(places, calm.endpoint(), &case);
    let ended = installation.prepare().await;
    assert_eq!(ended.code, Some(0), "the runbook runs without faults: {}", ended.stderr);
    let calls = calls(&installation.state()).await;
    let ended = installation.run(None).await;
    assert_eq!(ended.code, Some(0), "the runbook runs without faults: {}", ended.stderr);
    let ended = installation.warm_up().await;
    assert_eq!(ended.code, Some(driver::PARKED), "the guest waits: {}", ended.stderr);
    let state = places.template.join("state");
    std::fs::rename(installation.state(), &state).expect("both are in the scratch folder");
    forget_runs(&state);
    calm.stop().await;
    calls
}

/// Reads what the only run of a store called.
async fn calls(state: &Path) -> Calls {
    let store = open(state).await.expect("no process works on the store");
    let runs = store.runs().await.expect("a store that a process left can be read");
    let journal = store.journal(&runs[0].run).await.expect("its journal too");
    Calls::of(&journal)
}

/// Removes the store and the locks of its runs, but not the key and the code beside it.
fn forget_runs(state: &Path) {
    for entry in std::fs::read_dir(state).expect("the state directory is readable") {
        let path = entry.expect("the state directory is readable").path();
        let name = path.file_name().unwrap_or_default().to_string_lossy().into_owned();
        if name.starts_with("store.") {
            std::fs::remove_file(&path).expect("the state directory is writable");
        }
    }
    std::fs::remove_dir_all(state.join("runs")).expect("the state directory is writable");
}

/// Opens the store of a state directory that no process works on.
pub async fn open(state: &Path) -> Result<Arc<dyn Store>, String> {
    let store = SqliteStore::open(state).map_err(|error| error.to_string())?;
    Ok(Arc::new(store))
}
