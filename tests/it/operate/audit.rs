//! What auditors read of a tenant that failed.

use runwrit_tests::hook::Hook;

use super::resolve::webhook;
use super::{only_run, run_breakable};
use crate::cli::shell::Shell;

/// Returns kind and subject of every event of the audit log, oldest first.
pub fn events(shell: &Shell) -> Vec<String> {
    let database = rusqlite::Connection::open(shell.path("state/store.sqlite")).expect("a store");
    let mut query = database.prepare("SELECT * FROM audit ORDER BY rowid").expect("a table");
    let names: Vec<String> = query.column_names().map(str::to_owned).collect();
    let place = |name: &str| names.iter().position(|it| it == name).expect("a column");
    let (kind, subject) = (place("kind"), place("subject"));
    let told = query.query_map([], |row| {
        Ok(format!("{} {}", row.get::<_, String>(kind)?, row.get::<_, String>(subject)?))
    });
    told.expect("readable").map(|row| row.expect("texts")).collect()
}

#[test]
fn a_tenant_that_failed_is_told_once_however_often_its_rollback_was_killed() {
    for point in ["never", "before-undo-intent:1", "undone:1", "undo-result-committed:1"] {
        let hook = Hook::start(0);
        let shell = Shell::new();
        let arguments = webhook(&shell, &hook, 0, "badly");
        let arguments: Vec<&str> = arguments.iter().map(String::as_str).collect();
        let crash: &[_] = if point == "never" { &[] } else { &[("RUNWRIT_CRASH_AT", point)] };
        let ended = run_breakable(&shell, &arguments, crash);
        if point != "never" {
            assert_eq!(ended.code, None, "{point}: {}", ended.stderr);
            let resumed = shell.run(&["resume", &only_run(&shell)]);
            assert_eq!(resumed.code, Some(1), "{point}: {}", resumed.stderr);
        }
        assert_eq!(events(&shell), ["TENANT_FAILED acme"], "{point}");
    }
}
