//! What attackers hand over: a corpus that is replayed, and bytes that were changed at random.
//!
//! The changes follow from a seed, so a failure can be repeated; a crash that `cargo xtask fuzz` or
//! somebody else finds goes into `corpus/` as a file.

#![expect(clippy::disallowed_methods, reason = "the corpus lies in files")]

use std::fs;
use std::path::{Path, PathBuf};

use runwrit_fuzz::READERS;
use runwrit_model::id::Digest;
use runwrit_model::manifest::Manifest;

use super::roots::{house, sign};
use super::*;
use crate::endorsement::{GrantStatement, Terms};
use crate::roots::Root;

/// Changed copies of each seed; each takes some microseconds.
const COPIES: u64 = 250;

fn folder(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("corpus").join(name)
}

/// Returns the files of a folder of the corpus, by their names.
fn files(name: &str) -> Vec<(String, Vec<u8>)> {
    let entries = fs::read_dir(folder(name)).unwrap().flatten();
    let mut found: Vec<_> = entries
        .map(|it| (it.file_name().into_string().unwrap(), fs::read(it.path()).unwrap()))
        .collect();
    found.sort();
    assert!(found.len() > 2, "{name}: {}", found.len());
    found
}

#[test]
fn nothing_of_the_corpus_is_taken_for_something_good() {
    for (name, read) in READERS {
        for (file, bytes) in files(name) {
            read(&bytes);
            let is_good = match name {
                "bundle" => bundle::decode(&bytes).is_ok(),
                "statement" => Statement::decode(&bytes).is_ok(),
                "grant" => GrantStatement::decode(&bytes).is_ok(),
                "root" => Root::decode(&bytes).is_ok(),
                "keyring" => {
                    str::from_utf8(&bytes).is_ok_and(|it| Keyring::parse("trust.toml", it).is_ok())
                }
                "memory" => Floors::decode(&bytes).is_ok(),
                _ => str::from_utf8(&bytes).is_ok_and(|it| Manifest::parse("x", it).is_ok()),
            };
            // These are well formed, and what they say is for a verdict to judge.
            let good = [
                "plain.json",
                "plain.toml",
                "root.toml",
                "bidirectional.json",
                "threshold-beyond.json",
                "no-holders.json",
                "version-huge.json",
                "signature-empty.json",
                "signature-odd.json",
            ];
            assert_eq!(is_good, good.contains(&file.as_str()), "{name}/{file}");
        }
    }
}

/// A small generator, so that a failure can be repeated by its seed.
struct Dice(u64);

impl Dice {
    fn roll(&mut self, sides: usize) -> usize {
        let step = self.0.wrapping_mul(6_364_136_223_846_793_005);
        self.0 = step.wrapping_add(1_442_695_040_888_963_407);
        usize::try_from(self.0 >> 33).unwrap() % sides.max(1)
    }

    /// Changes bytes as they are found in the wild: flipped, cut, doubled, put elsewhere, replaced
    /// by what often breaks readers, or mixed with another file.
    fn change(&mut self, bytes: &[u8], other: &[u8]) -> Vec<u8> {
        const WORDS: [&[u8]; 12] = [
            b"null",
            b"-1",
            b"1e999",
            b"\"\"",
            b"[]",
            b"{}",
            b"18446744073709551616",
            b"\\u0000",
            b"\xff",
            b"\xe2\x80\xae",
            b"[[",
            b"\"sig\":\"\",",
        ];
        let mut changed = bytes.to_vec();
        for _ in 0..=self.roll(3) {
            let from = self.roll(changed.len() + 1);
            let until = (from + self.roll(24)).min(changed.len());
            match self.roll(7) {
                0 if from < changed.len() => changed[from] ^= 1 << self.roll(8),
                1 => drop(changed.drain(from..until)),
                2 => changed.truncate(from),
                3 => {
                    let copy = changed[from..until].to_vec();
                    let place = self.roll(changed.len() + 1);
                    changed.splice(place..place, copy);
                }
                4 => {
                    let word = WORDS[self.roll(WORDS.len())];
                    changed.splice(from..until, word.iter().copied());
                }
                5 => {
                    let start = self.roll(other.len() + 1);
                    let end = (start + self.roll(64)).min(other.len());
                    changed.splice(from..until, other[start..end].iter().copied());
                }
                _ => changed.insert(from, u8::try_from(self.roll(256)).unwrap()),
            }
        }
        changed
    }
}

/// Seeds that are as good as they get, for each reader.
fn good(name: &str) -> Vec<Vec<u8>> {
    let one = person("ops-1");
    let parcel = signed(&[&one], &release(7));
    let terms = Terms {
        runbook: "hello".to_owned(),
        created_at: "2026-11-20T00:00:00Z".parse().unwrap(),
        expires_at: "2099-01-01T00:00:00Z".parse().unwrap(),
        critical: Vec::new(),
    };
    match name {
        "bundle" => vec![parcel.signatures[0].1.clone()],
        "statement" => {
            vec![Statement::new(&parcel.manifest, &parcel.component, release(7)).encode()]
        }
        "grant" => vec![GrantStatement::new(b"", terms).encode()],
        // Signed by nobody: a copy that were followed would have been forged.
        "root" => vec![house().first_draft().finish().unwrap().encode()],
        "keyring" => vec![format!("version = 1\n{}", one.entry("")).into_bytes()],
        "memory" => {
            let mut floors = Floors::default();
            let keyring = keyring(&[one.entry("")]);
            floors.raise(verdict(&parcel, &keyring).unwrap().seen(), &keyring, NOW);
            vec![floors.encode()]
        }
        _ => {
            let runbooks = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../runbooks");
            let folders = fs::read_dir(runbooks).unwrap().flatten();
            folders.filter_map(|it| fs::read(it.path().join("runbook.toml")).ok()).collect()
        }
    }
}

#[test]
fn bytes_that_were_changed_at_random_neither_pass_nor_panic() {
    for (name, read) in READERS {
        let mut seeds = good(name);
        assert!(!seeds.is_empty(), "{name}");
        seeds.extend(files(name).into_iter().map(|(_, bytes)| bytes));
        // Readers of large texts are slow in a debug build, and no seed needs to be large.
        seeds.retain(|seed| seed.len() < 8_192);
        let mut dice = Dice(Digest::of(name.as_bytes()).as_bytes()[0].into());
        for place in 0..seeds.len() {
            for _ in 0..COPIES / (1 + seeds[place].len() as u64 / 1_024) {
                let other = dice.roll(seeds.len());
                let changed = dice.change(&seeds[place], &seeds[other]);
                read(&changed);
            }
        }
    }
}

/// Whatever is done to the files of a signer, only the very statement that was signed counts.
#[test]
fn no_changed_file_of_a_signer_or_root_says_anything_new() {
    let one = person("ops-1");
    let keyring = keyring(&[one.entry("")]);
    let good = signed(&[&one], &release(7));
    let vouched = verdict(&good, &keyring).unwrap();
    let house = house();
    let chain = house.chain();
    let next = house.after(chain.newest(), |_| {});
    let next = sign(next, &[&house.alice, &house.bob]);
    let (root, mut dice) = (next.encode(), Dice(7));
    for _ in 0..3_000 {
        let mut parcel = good.clone();
        parcel.signatures[0].1 = dice.change(&good.signatures[0].1, &root);
        if let Ok(found) = verdict(&parcel, &keyring) {
            assert_eq!(found, vouched, "{:?}", String::from_utf8_lossy(&parcel.signatures[0].1));
        }
        let changed = dice.change(&root, &good.signatures[0].1);
        let mut chain = chain.clone();
        if chain.advance(&changed).is_ok() {
            assert_eq!(
                chain.newest().digest,
                next.digest,
                "{:?}",
                String::from_utf8_lossy(&changed)
            );
        }
    }
}
