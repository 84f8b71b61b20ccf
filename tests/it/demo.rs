//! The demo does what the README says it does.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use regex::Regex;
use runwrit_openapi::Watch;
use runwrit_tests::openapi::{ANSWERS, show_written};

/// What nobody waits for is not watched.
const DURATION_MAX: Duration = Duration::from_secs(120);
/// All refusals are seen in less than a minute.
const TRUST_DURATION_MAX: Duration = Duration::from_secs(60);
const BEGIN: &str = "<!-- demo: begin -->\n```text\n";
const END: &str = "```\n<!-- demo: end -->";

#[test]
fn the_demo_prints_what_the_readme_shows_and_its_cloud_answers_as_documented() {
    let (folder, watch) = (tempfile::tempdir().expect("a temporary directory"), Watch::new());
    let answers = folder.path().join("answers");
    compare("README.md", &["demo"], DURATION_MAX, Some(&answers));
    if let Some(judge) = watch.judge() {
        show_written(&answers, &judge);
        let judged = judge.verdict().judged;
        assert!(judged > 300, "only {judged} answers were judged");
    }
}

#[test]
fn the_demo_of_trust_prints_what_its_readme_shows() {
    let demo = ["demo", "trust"];
    let printed = compare("examples/hello/README.md", &demo, TRUST_DURATION_MAX, None);
    for (title, says) in REFUSALS {
        let (_, chapter) = printed.split_once(title).unwrap_or_else(|| panic!("no `{title}`"));
        let chapter = chapter.split("\n== ").next().unwrap_or_default();
        assert!(chapter.contains(says), "`{title}` does not say `{says}`: {chapter}");
        assert!(chapter.contains("hint: "), "`{title}` shows no way out: {chapter}");
    }
    let (_, runs) = printed.split_once("== 5. ").expect("a chapter in which it runs");
    assert!(runs.split("\n== ").next().is_some_and(|it| it.contains("succeeded")), "{runs}");
}

/// What nobody gets to run, each with words of its own.
const REFUSALS: [(&str, &str); 8] = [
    (": unsigned", "the package is not signed"),
    (": one signature short", "2 of 2 signatures needed, 1 valid: `ops-1` of "),
    (": tampered", "`component.wasm` is not the one that `ops-1` signed"),
    (": downgraded", "it does not go back"),
    (": equivocating", "two things under one number"),
    (": wrong namespace", "may not speak for `acme:hello`"),
    (": expired", "has expired on "),
    (": revoked", "was revoked: the laptop was lost"),
];

/// Runs a demo, and compares what it prints with what a file shows of it.
fn compare(
    shown_in: &str,
    demo: &[&str],
    duration_max: Duration,
    answers: Option<&Path>,
) -> String {
    let readme = root().join(shown_in);
    let text = fs::read_to_string(&readme).expect("there is such a file");
    let (before, rest) = text.split_once(BEGIN).expect("the file shows the demo");
    let (shown, after) = rest.split_once(END).expect("what it shows ends");
    let printed = printed_by(demo, duration_max, answers);
    if std::env::var_os("RUNWRIT_BLESS").is_some_and(|one| one == "1") {
        fs::write(&readme, format!("{before}{BEGIN}{printed}{END}{after}")).expect("writable");
        return printed;
    }
    let (shown, printed) = (redact(shown), redact(&printed));
    let lines = shown.lines().zip(printed.lines());
    for (place, (shown, printed)) in lines.enumerate() {
        assert_eq!(shown, printed, "line {} of the demo; RUNWRIT_BLESS=1 shows anew", place + 1);
    }
    assert_eq!(shown.lines().count(), printed.lines().count(), "{printed}");
    printed
}

/// Runs the demo with both streams in one file, as a person would see them. Where there is a file
/// for the answers of its cloud, the build with crash points is that cloud, since it writes them.
fn printed_by(demo: &[&str], duration_max: Duration, answers: Option<&Path>) -> String {
    let mut build = Command::new(env!("CARGO"));
    build.args(["build", "--quiet", "--package", "xtask"]).current_dir(root());
    assert!(build.status().expect("cargo runs").success());
    let begun = Instant::now();
    let folder = tempfile::tempdir().expect("a temporary directory");
    let path = folder.path().join("printed");
    let file = fs::File::create(&path).expect("writable");
    let mut command = Command::new(env!("CARGO"));
    command.args(["run", "--quiet", "--package", "xtask", "--"]).args(demo).arg("--runwrit");
    command.arg(super::cli::shell::binary()).current_dir(root());
    if let Some(path) = answers {
        command.args(["--cloud", env!("CARGO_BIN_EXE_runwrit-breakable")]).env(ANSWERS, path);
    }
    command.env("NO_COLOR", "1").stdin(Stdio::null());
    command.stdout(file.try_clone().expect("a second handle")).stderr(file);
    let status = command.status().expect("cargo runs");
    let printed = fs::read_to_string(&path).expect("readable");
    assert!(status.success(), "the demo ended with {status}:\n{printed}");
    let took = begun.elapsed();
    assert!(took < duration_max, "the demo took {took:?}, and {duration_max:?} is the most");
    printed.replace(&root().display().to_string(), ".")
}

fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).parent().expect("the tests stand below the root").into()
}

/// Replaces what differs from run to run: ids, times, ports, addresses, digests, and whether the
/// killed process had been answered. Servers of a batch end in any order, so such lines are sorted.
fn redact(text: &str) -> String {
    let rules = [
        (r"\b[0-9A-HJKMNP-TV-Z]{26}\b", "RUN"),
        (r"\d{4}-\d\d-\d\dT[0-9:.]+Z", "TIME"),
        (r"\(\d+\.\d s\)", "(TIME)"),
        (r"127\.0\.0\.1:\d+", "ADDRESS"),
        (r"sha256:[0-9a-f]{64}", "DIGEST"),
        (r"[A-Za-z0-9+/]{43}=", "HINT"),
        (r"\b[0-9a-f]{8}\.sigstore\.json", "SIGNATURE"),
        (r"\bof \d{4}-\d\d-\d\d\b", "of DAY"),
        (r"\bdevelopment \d{10}\b", "development SEQUENCE"),
        (r"\b10\d{5}\b", "ID"),
        (r"\b198\.18\.\d+\.\d+", "IPV4"),
        (r"\b2001:db8:[0-9a-f:]+", "IPV6"),
        (r"\b10\.(\d)\.1\.\d+\b", "10.$1.1.HOST"),
        (r": was there already", ""),
        (r"  replayed \d+ recorded calls without acting\n", ""),
        (r" \(TIME\)", ""),
    ];
    let mut text = text.to_owned();
    for (pattern, with) in rules {
        text = Regex::new(pattern).expect("a pattern").replace_all(&text, with).into_owned();
    }
    sort_batches(&text)
}

fn sort_batches(text: &str) -> String {
    let mut lines: Vec<&str> = text.lines().collect();
    let is_batch = |line: &str| {
        let starts = ["  hetzner.servers.create ", "  undone: ", "  hetzner.servers.delete "];
        starts.iter().any(|start| line.starts_with(start)) || line.ends_with(" is gone")
    };
    for group in lines.chunk_by_mut(|one, other| is_batch(one) && is_batch(other)) {
        group.sort_unstable();
    }
    lines.join("\n")
}
