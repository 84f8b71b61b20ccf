//! `hello` as a whole process, beside an empty playbook and beside an empty program.

use std::path::{Path, PathBuf};
use std::process::Command;

use crate::place::{Place, ansible, beside, product, root, run};
use crate::row::Row;
use crate::stopwatch::{median, ms, time};

/// Rounds in which all rivals run once.
const ROUNDS: usize = 41;

/// Measures whole processes.
pub fn measure() -> Result<Vec<Row>, String> {
    let place = Place::on_disk()?;
    let hello = Hello::new(&place, &product()?)?;
    // The first run compiles the component, the second one is warm.
    run(&mut hello.command(&place))?;
    let waits = flushes(&place, &mut hello.command(&place))?;
    let (mut ours, mut playbook, mut program) = (Vec::new(), Vec::new(), Vec::new());
    let (ansible, rival) = (ansible()?, Rival::as_often(waits, &place)?);
    for _ in 0..ROUNDS {
        ours.push(timed(&mut hello.command(&place))?);
        playbook.push(timed(&mut empty_playbook(&place, &ansible))?);
        program.push(timed(&mut rival.command(&place))?);
    }
    let (ours, playbook, program) = (median(ours), median(playbook), median(program));
    let parts =
        |other: &str, time| format!("`hello` {:.0} ms, {other} {:.0} ms", ms(ours), ms(time));
    let what = "`hello`, warm, faster than an empty `ansible-playbook`";
    let beside_ansible = Row::at_least(what, ms(playbook) / ms(ours), " ×", 10.0);
    let what = "`hello`, warm, beside an empty program that commits as often";
    let beside_program = Row::at_most(what, ms(ours) / ms(program), " ×", 3.0);
    let Rival { commits, .. } = rival;
    let program_is = format!("a program of {commits} commits, {waits} waits for the disk each:");
    Ok(vec![
        beside_ansible.of(&parts("the playbook", playbook)),
        beside_program.of(&parts(&program_is, program)),
    ])
}

/// The runbook `hello`, run by a product that is installed in a place.
pub struct Hello {
    product: PathBuf,
}

impl Hello {
    /// Installs the product, and writes what a run needs.
    pub fn new(place: &Place, product: &Path) -> Result<Self, String> {
        let packages = root().join("target/packages");
        place.write(
            "runwrit.toml",
            &format!("version = 1\nstate = \"state\"\npackages = [\"{}\"]\n", packages.display()),
        )?;
        place.write(
            "hello.toml",
            "version = 1\nexpires = 2099-12-31T00:00:00Z\n\n\
             [runbook]\nname = \"hello\"\nversion = \"0.1.0\"\n",
        )?;
        Ok(Self { product: place.install(product)? })
    }

    /// Returns the command that runs it once.
    pub fn command(&self, place: &Place) -> Command {
        let mut command = place.command(&self.product);
        command.args(["run", "hello", "--grant", "hello.toml", "--input", "name=bench", "--yes"]);
        command
    }
}

/// An empty program that commits to SQLite.
struct Rival {
    program: PathBuf,
    commits: u32,
}

impl Rival {
    /// Returns one with as many commits as it takes to wait for the disk as often.
    fn as_often(waits: u64, place: &Place) -> Result<Self, String> {
        let mut rival = Self { program: place.install(&beside("commits")?)?, commits: 1 };
        // The first one makes the database, as the first run did.
        run(&mut rival.command(place))?;
        while flushes(place, &mut rival.command(place))? < waits {
            rival.commits += 1;
        }
        Ok(rival)
    }

    fn command(&self, place: &Place) -> Command {
        let mut command = place.command(&self.program);
        command.args(["rival.db", &self.commits.to_string()]);
        command
    }
}

fn empty_playbook(place: &Place, ansible: &std::path::Path) -> Command {
    let mut command = place.command(ansible.join("ansible-playbook"));
    command.arg(root().join("tests/bench/ansible/empty.yml"));
    command.args(["--inventory", "localhost,", "--connection", "local"]);
    command
}

fn timed(command: &mut Command) -> Result<std::time::Duration, String> {
    let (time, done) = time(|| run(command));
    done.map(|_| time)
}

/// Counts how often a command waits for the disk.
pub fn flushes(place: &Place, command: &mut Command) -> Result<u64, String> {
    let mut traced = place.command("strace");
    let list = place.path().join("flushes");
    traced.args(["--follow-forks", "--trace=fsync,fdatasync", "--output"]).arg(&list);
    traced.arg(command.get_program()).args(command.get_args());
    for (name, value) in command.get_envs() {
        if let Some(value) = value {
            traced.env(name, value);
        }
    }
    run(&mut traced)?;
    let text = std::fs::read_to_string(&list).map_err(crate::place::told("the trace"))?;
    let is_flush = |line: &&str| line.contains("sync(") && !line.contains("resumed");
    Ok(text.lines().filter(is_flush).count() as u64)
}
