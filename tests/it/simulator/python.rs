//! The official Python client plays a whole flow against the simulator, unmodified.

use runwrit_openapi::Judge;
use runwrit_simulator::hetzner::{Options, Simulator};
use runwrit_tests::openapi::witness;

use super::client::TOKEN;
use super::outsiders;

#[tokio::test]
async fn the_official_python_client_plays_its_whole_flow() {
    let judge = runwrit_openapi::load().map(Judge::new);
    let witness = judge.clone().map(witness);
    let options = Options { time_factor: 0.001, witness, ..Options::default() };
    let handle = Simulator::start(options).await.expect("a simulator");
    let output = tokio::process::Command::new(outsiders::program("python"))
        .arg(outsiders::file("whole_flow.py"))
        .arg(handle.endpoint())
        .env("HCLOUD_TOKEN", TOKEN)
        .output()
        .await
        .expect("python runs");
    let told = String::from_utf8_lossy(&output.stdout);
    let problem = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{told}\n{problem}");
    assert!(told.ends_with("whole flow done\n"), "{told}");
    let left = handle.desk().leaks("").expect("a selector");
    assert!(left.alive.is_empty(), "left behind: {:?}", left.alive);
    handle.stop().await;
    if let Some(judge) = judge {
        let verdict = judge.verdict();
        println!("{} answers to the client judged, {told}", verdict.judged);
        assert_eq!(verdict.findings, Vec::<String>::new());
    }
}
