//! `cargo xtask fuzz`: fuzzers that look longer than the tests can.

use std::fs;
use std::process::Command;

use crate::command;
use crate::failure::Failure;
use crate::place::Place;
use crate::test;

/// What the compiler adds so that libFuzzer sees which way an input took.
const INSTRUMENTS: &str = "--cfg fuzzing -Cpasses=sancov-module -Cdebug-assertions \
    -Cllvm-args=-sanitizer-coverage-level=4 -Cllvm-args=-sanitizer-coverage-inline-8bit-counters \
    -Cllvm-args=-sanitizer-coverage-pc-table -Cllvm-args=-sanitizer-coverage-trace-compares \
    -Ccodegen-units=1";
/// The readers of signed things, by the folders of their corpus.
const READERS: [&str; 7] =
    ["bundle", "statement", "grant", "root", "keyring", "memory", "manifest"];
/// No signed thing is larger.
const INPUT_BYTES_MAX: usize = 16 << 10;

/// How long to look.
#[derive(Debug, clap::Args)]
pub struct Settings {
    /// Requests of each operation of the simulator.
    #[arg(long, default_value_t = 200)]
    examples: u32,
    /// Seconds for each reader of signed things.
    #[arg(long, default_value_t = 60)]
    seconds: u32,
}

/// Runs libFuzzer on the readers of signed things, then schemathesis on the simulator.
pub fn run(place: &Place, settings: &Settings) -> Result<(), Failure> {
    readers(place, settings.seconds)?;
    test::schemathesis(place, settings.examples)
}

fn readers(place: &Place, seconds: u32) -> Result<(), Failure> {
    let host = command::read(Command::new("rustc").args(["--print", "host-tuple"]))?;
    let host = host.trim();
    // Another target folder, and `--target`: build scripts want no instruments. Seven programs that
    // share their libraries are linked faster without looking over all of them seven times.
    let folder = place.root().join("target/fuzz");
    let mut build = command::cargo();
    build.args(["build", "--release", "--package", "runwrit-fuzz", "--features", "libfuzzer"]);
    build.args(["--config", "profile.release.lto=false"]);
    build.args(["--target", host, "--target-dir"]).arg(&folder).current_dir(place.root());
    command::run(build.env("RUSTFLAGS", INSTRUMENTS))?;
    for reader in READERS {
        let found = folder.join("corpus").join(reader);
        fs::create_dir_all(&found).map_err(Failure::file(&found, "made"))?;
        let program = folder.join(host).join("release").join(format!("fuzz-{reader}"));
        let mut fuzzer = Command::new(program);
        fuzzer.arg(format!("-max_total_time={seconds}"));
        fuzzer.arg(format!("-max_len={INPUT_BYTES_MAX}")).arg("-print_final_stats=1");
        fuzzer.arg(format!("-artifact_prefix={}/crash-{reader}-", folder.display()));
        // What is new goes into the first folder; the second one is only read.
        fuzzer.arg(&found).arg(place.root().join("host/trust/corpus").join(reader));
        eprintln!("\n== {reader}, {seconds} s");
        command::run(&mut fuzzer)?;
    }
    Ok(())
}
