//! What it takes to know that a package may run.

use std::fs;
use std::path::Path;
use std::process::Command;
use std::time::Duration;

use runwrit_engine::admission::{Package, collect};
use runwrit_keyring as keyring;
use runwrit_model::admission::{Origin, admit, ask_within_grant};
use runwrit_model::grant::Grant;
use runwrit_model::id::Scope;
use runwrit_trust::floors::Floors;
use runwrit_trust::keyring::Keyring;
use runwrit_trust::parcel::Hashed;
use runwrit_trust::verdict::{Bench, judge};

use crate::place::{Place, product, root, run, told};
use crate::row::Row;
use crate::stopwatch::{median, ms, time};

/// Rounds in which both rivals run once.
const ROUNDS: usize = 21;
/// The size of a large package: a runbook in Python has some 18 MiB.
const LARGE_BYTES: usize = 20_000_000;
/// Times that a small package is admitted.
const ADMISSIONS: usize = 201;
/// A time at which the keys and grants of this measurement count.
const NOW_MS: u64 = 4_000_000_000_000;

/// Measures verification and admission.
pub fn measure() -> Result<Vec<Row>, String> {
    Ok(vec![large()?, small()?])
}

/// Verifies a large package, beside a program that only reads and hashes it.
fn large() -> Result<Row, String> {
    let place = Place::in_memory()?;
    let package = place.path().join("large");
    copy(&package)?;
    let component = package.join("component.wasm");
    let mut bytes = fs::read(&component).map_err(told("the component"))?;
    pad(&mut bytes);
    fs::write(&component, bytes).map_err(told("the component"))?;
    keyring::sign(&package);
    let trust = keyring::install(place.path());
    place.write("runwrit.toml", "version = 1\nstate = \"state\"\n")?;
    let (product, mut ours, mut theirs) = (product()?, Vec::new(), Vec::new());
    for _ in 0..ROUNDS {
        let mut verify = place.command(&product);
        verify.args(["verify", "./large"]).env("RUNWRIT_TRUST", &trust);
        ours.push(timed(&mut verify)?);
        let mut sum = place.command("sha256sum");
        theirs.push(timed(sum.args(["large/runbook.toml", "large/component.wasm"]))?);
    }
    let (ours, theirs) = (ms(median(ours)), ms(median(theirs)));
    let what = "verifying a package of 20 MB, beside `sha256sum` on it";
    let parts = format!("`verify` {ours:.0} ms, `sha256sum` {theirs:.0} ms");
    Ok(Row::at_most(what, ours / theirs, " ×", 1.5).of(&parts))
}

/// Admits a small package in this process, from its files on.
fn small() -> Result<Row, String> {
    let place = Place::in_memory()?;
    let package = place.path().join("small");
    copy(&package)?;
    keyring::sign(&package);
    let text = fs::read_to_string(keyring::install(place.path())).map_err(told("the keyring"))?;
    let keyring = Keyring::parse("trust.toml", &text).map_err(told("the keyring"))?;
    let grant = "version = 1\nexpires = 2099-12-31T00:00:00Z\n[runbook]\nname = \"hello\"\n";
    let mut times = Vec::new();
    for _ in 0..ADMISSIONS {
        let (time, admitted) = time(|| admitted(&package, &keyring, grant));
        admitted?;
        times.push(time);
    }
    let what = "admission of a small package, warm: signature, imports, grant";
    Ok(Row::at_most(what, ms(median(times)), " ms", 5.0))
}

fn admitted(folder: &Path, keyring: &Keyring, grant: &str) -> Result<(), String> {
    let parcel = collect(folder).map_err(told("the package"))?;
    let (hashed, floors) = (Hashed::of(&parcel), Floors::default());
    let bench = Bench { keyring, floors: &floors, clock: NOW_MS };
    let vouched = judge(&hashed, bench).map_err(told("the verdict"))?;
    let digest = hashed.component();
    let package = Package::of_hashed(folder, parcel, digest).map_err(told("the package"))?;
    let manifest = &package.manifest;
    let asks: Vec<String> = manifest.ask.iter().map(|ask| ask.interface.clone()).collect();
    let agreed = vouched.agrees(&manifest.name, &manifest.runbook_version, &manifest.world, &asks);
    agreed.map_err(told("the statement"))?;
    let grant = Grant::parse("grant.toml", grant).map_err(told("the grant"))?;
    let scope = Scope::from("run:bench".to_owned());
    let origin = Origin {
        package: Some(vouched.release.package.clone()),
        namespaces: keyring.namespaces_of(&manifest.name),
    };
    admit(package.gaps(), ask_within_grant((manifest, &origin), &grant, &scope, NOW_MS))
        .map_err(told("the gaps"))
}

fn copy(to: &Path) -> Result<(), String> {
    fs::create_dir_all(to).map_err(told("a folder"))?;
    for file in ["runbook.toml", "component.wasm"] {
        let from = root().join("target/packages/hello").join(file);
        fs::copy(from, to.join(file)).map_err(told(file))?;
    }
    Ok(())
}

/// Appends a custom section, as the data of an interpreter is.
fn pad(component: &mut Vec<u8>) {
    let name = b"padding";
    let size = LARGE_BYTES.saturating_sub(component.len());
    let payload = 1 + name.len() + size;
    component.push(0);
    // LEB128: seven bits a byte, the low ones first.
    let mut rest = payload;
    while rest > 0x7f {
        component.push((rest & 0x7f) as u8 | 0x80);
        rest >>= 7;
    }
    component.push(rest as u8);
    component.push(name.len() as u8);
    component.extend_from_slice(name);
    component.extend((0..size).map(|place| ((place * 31) >> 3) as u8));
}

fn timed(command: &mut Command) -> Result<Duration, String> {
    let (time, done) = time(|| run(command));
    done.map(|_| time)
}
