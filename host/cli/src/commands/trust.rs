//! `runwrit trust`: says whom this host trusts.

mod roots;

use std::path::{Path, PathBuf};

use clap::{Args, Subcommand, ValueEnum};
use jiff::Timestamp;
use runwrit_model::exit::Exit;
use runwrit_model::id::Digest;
use runwrit_model::limits;
use runwrit_trust::keyring::{Keyring, Role};
use runwrit_trust::roots::{Chain, file_name};
use serde_json::json;

use super::approve;
use crate::ambient::{self, trusted};
use crate::error::Error;
use crate::keyring::{self, Trust};
use crate::output::Style;
use crate::private_key;
use crate::session::Session;
use crate::trust_check;

/// What a new keyring says.
const NEW: &str = "\
# Who may say what runs on this host. Whoever can write this file decides that.
version = 1

[policy]
# `flag` lets packages without any signature through for who types `--allow-unsigned`.
unsigned = \"deny\"

[threshold]
# How many different keys it takes for a runbook; with 2, no single person can bring code here.
runbook = 1
";

/// What stands above `[root]`.
const ROOTED: &str = "\
# Who may sign what is said by a chain of roots that begins here. This file can take away
# (`[[revoked]]`, `[[floor]]`, a higher `[threshold]`), and it can add nobody.";

/// What to do.
#[derive(Debug, Args)]
pub struct Arguments {
    #[command(subcommand)]
    task: Task,
}

#[derive(Debug, Subcommand)]
enum Task {
    /// Make a keyring that trusts nobody yet, or those of whom a root says so
    Init(Init),
    /// Trust a key
    AddKey(AddKey),
    /// Make the next root: who may sign, and who may say so after that
    Rotate(Box<roots::Rotate>),
    /// Sign a root, one person after the other
    SignRoot(roots::SignRoot),
    /// Follow newer roots
    Advance(roots::Advance),
    /// Show whom this host trusts and what it remembers
    Show,
    /// Look whether keyring and memory are in order; exit code 4 where they are not
    Check,
    /// Let a package want what it wants, where the keyring asks for a word about more
    Approve(approve::Arguments),
    /// Forget the latest time that was seen, after a clock that had jumped ahead
    ResetClock,
}

#[derive(Debug, Args)]
struct Init {
    /// Follow the chain that begins with this root
    #[arg(long, value_name = "FILE")]
    root: Option<PathBuf>,
    /// What its digest must be, as it was told by another way
    #[arg(long, value_name = "sha256:…", requires = "root")]
    digest: Option<Digest>,
}

#[derive(Debug, Args)]
struct AddKey {
    /// The public key, compared with its owner by another way
    file: PathBuf,
    /// What to call it
    #[arg(long, value_name = "NAME")]
    id: String,
    /// What it may sign; repeat for more
    #[arg(long = "role", value_enum, required = true)]
    roles: Vec<RoleName>,
    /// What it may speak for: `namespace:name`, or `namespace:*`; repeat for more
    #[arg(long = "name", value_name = "PACKAGE")]
    names: Vec<String>,
    /// From when it counts
    #[arg(long, value_name = "TIME")]
    not_before: Option<Timestamp>,
    /// Until when it counts
    #[arg(long, value_name = "TIME")]
    not_after: Option<Timestamp>,
    /// Let runs that rest on it act on this machine alone
    #[arg(long)]
    loopback_only: bool,
}

#[derive(Debug, Clone, Copy, ValueEnum)]
enum RoleName {
    /// Runbooks
    Runbook,
    /// Bundles
    Bundle,
    /// Grants for runs that nobody watches
    Grant,
    /// What a host says of itself
    Host,
}

impl RoleName {
    fn role(self) -> Role {
        match self {
            Self::Runbook => Role::Runbook,
            Self::Bundle => Role::Bundle,
            Self::Grant => Role::Grant,
            Self::Host => Role::Host,
        }
    }
}

/// Does it.
pub fn execute(arguments: Arguments, session: &Session) -> Result<Exit, Error> {
    match arguments.task {
        Task::Init(arguments) => init(&arguments, session),
        Task::AddKey(arguments) => add_key(&arguments, session),
        Task::Rotate(arguments) => roots::rotate(&arguments, session),
        Task::SignRoot(arguments) => roots::sign(&arguments, session),
        Task::Advance(arguments) => roots::advance(&arguments, session),
        Task::Show => show(session),
        Task::Check => Ok(trust_check::check(session)),
        Task::Approve(arguments) => approve::execute(&arguments, session),
        Task::ResetClock => reset_clock(session),
    }
}

fn init(arguments: &Init, session: &Session) -> Result<Exit, Error> {
    let file = keyring::place(session)?;
    if ambient::exists(&file) {
        // Its pinned root lies beside it, and would be replaced before the keyring is not.
        let message = format!("the keyring `{}` stands there already", file.display());
        return Err(Error::usage(message).hint("it is not replaced: move it away first"));
    }
    let folder = file.parent().unwrap_or(Path::new("/"));
    let root = arguments.root.as_deref().map(|path| first_root(path, arguments.digest.as_ref()));
    let root = root.transpose()?;
    trusted::make_directory("directory of the keyring", folder)?;
    let mut text = NEW.to_owned();
    if let Some((name, bytes)) = &root {
        let digest = Digest::of(bytes);
        trusted::replace("root", &folder.join(name), bytes, 0o644)?;
        text.push_str(&format!("\n{ROOTED}\n[root]\npath = \"{name}\"\ndigest = \"{digest}\"\n"));
        session.note(Style::Plain, &format!("compare its digest by another way: {digest}"));
    }
    trusted::write_new("keyring", &file, text.as_bytes(), 0o644)?;
    let shown = file.display().to_string();
    match session.output.is_json {
        true => session.output.object(&json!({"event": "keyring", "file": shown})),
        false => session.output.data(&shown),
    }
    let next =
        "next: `runwrit trust add-key FILE.pub --id NAME --role runbook --name 'NAMESPACE:*'`";
    session.note(Style::Plain, if root.is_some() { "next: `runwrit trust check`" } else { next });
    Ok(Exit::Done)
}

/// Reads the root with which the chain of this host begins, and returns it with its name.
fn first_root(path: &Path, expected: Option<&Digest>) -> Result<(String, Vec<u8>), Error> {
    let bytes = crate::roots::read(path)?;
    let refused = |error| crate::roots::refused(path, &error);
    let chain = Chain::pinned(&bytes, &Digest::of(&bytes)).map_err(refused)?;
    if let Some(expected) = expected {
        Chain::pinned(&bytes, expected).map_err(refused)?;
    }
    Ok((file_name(chain.newest().version), bytes))
}

/// Appends to the text, so that what people wrote into the file stays as it is.
fn add_key(arguments: &AddKey, session: &Session) -> Result<Exit, Error> {
    let public = private_key::public(&arguments.file)?;
    let trust = Trust::open(session)?;
    let bytes_max = limits::DOCUMENT_BYTES_MAX;
    let before = ambient::read_text("keyring", &trust.file, bytes_max)?;
    let line_end = if before.ends_with('\n') { "" } else { "\n" };
    let text = format!("{before}{line_end}\n{}", arguments.entry(&public.to_string()));
    let file = trust.file.display().to_string();
    Keyring::parse(&file, &text)?;
    trusted::replace("keyring", &trust.file, text.as_bytes(), 0o644)?;
    let (id, hint) = (&arguments.id, public.hint());
    match session.output.is_json {
        true => session.output.object(&json!({"event": "key-added", "id": id, "hint": hint})),
        false => session.output.data(&format!("`{file}` trusts `{id}` ({hint})")),
    }
    Ok(Exit::Done)
}

impl AddKey {
    fn entry(&self, public: &str) -> String {
        let list = |items: Vec<&str>| {
            let quoted: Vec<_> = items.iter().map(|item| quoted(item)).collect();
            format!("[{}]", quoted.join(", "))
        };
        let roles = list(self.roles.iter().map(|role| role.role().as_str()).collect());
        let names = list(self.names.iter().map(String::as_str).collect());
        let id = quoted(&self.id);
        let mut text = format!("[[key]]\nid = {id}\npublic = \"{public}\"\nroles = {roles}\n");
        if !self.names.is_empty() {
            text.push_str(&format!("names = {names}\n"));
        }
        for (field, time) in [("not-before", &self.not_before), ("not-after", &self.not_after)] {
            if let Some(time) = time {
                text.push_str(&format!("{field} = {time}\n"));
            }
        }
        if self.loopback_only {
            text.push_str("endpoints = \"loopback\"\n");
        }
        text
    }
}

/// The schema of the keyring refuses what does not belong into such a text.
fn quoted(text: &str) -> String {
    toml::Value::String(text.to_owned()).to_string()
}

fn show(session: &Session) -> Result<Exit, Error> {
    let trust = Trust::open(session)?;
    if session.output.is_json {
        session.output.object(&json!({
            "event": "trust", "file": trust.file.display().to_string(),
            "digest": trust.digest.to_string(), "keyring": trust.keyring,
            "state": trust.state.display().to_string(), "memory": trust.floors,
            "root": trust.chain.as_ref().map(|chain| chain.newest().version),
        }));
        return Ok(Exit::Done);
    }
    print(&trust, session);
    Ok(Exit::Done)
}

fn print(trust: &Trust, session: &Session) {
    let (keyring, output) = (&trust.keyring, &session.output);
    output.styled_data(Style::Strong, &format!("keyring {}", trust.file.display()));
    output.data(&format!("digest     {}", trust.digest));
    if let Some(chain) = &trust.chain {
        let newest = chain.newest();
        output.data(&format!("chain      {}", roots::line(newest)));
        for line in newest.explain().iter().filter(|line| line.starts_with("root ")) {
            output.data(line);
        }
    }
    let (runbook, grant) = (keyring.threshold.runbook, keyring.threshold.grant);
    output.data(&format!("needed     {runbook} for a runbook, {grant} for a grant"));
    for key in &keyring.keys {
        let roles: Vec<_> = key.roles.iter().map(|role| role.as_str()).collect();
        let from = key.not_before().map_or(String::new(), |time| format!(", from {time}"));
        let until = key.not_after().map_or(String::new(), |time| format!(", until {time}"));
        let reach = if key.endpoints.is_some() { ", loopback only" } else { "" };
        let revoked = keyring.revoked_key(&key.public.hint());
        let revoked = revoked.map_or(String::new(), |reason| format!(", REVOKED: {reason}"));
        let (id, roles, names) = (&key.id, roles.join(" "), key.names.join(" "));
        let line = format!("key        {id}: {roles} for {names}{from}{until}{reach}{revoked}");
        output.data(&line);
        output.styled_data(Style::Faint, &format!("           {}", key.public.hint()));
    }
    for floor in &keyring.floors {
        let (package, channel, sequence) = (&floor.package, &floor.channel, floor.sequence);
        output.data(&format!("floor      {package} {channel} {sequence}, by the keyring"));
    }
    for seen in trust.floors.all() {
        let (package, channel, sequence) = (&seen.package, &seen.channel, seen.sequence);
        output.data(&format!("floor      {package} {channel} {sequence}, ran here"));
    }
    if let Some(time) = trust.floors.max_time_seen() {
        output.data(&format!("time seen  {time}"));
    }
    output.styled_data(Style::Faint, &format!("memory     {}", shown(&trust.state)));
}

fn shown(path: &Path) -> String {
    path.display().to_string()
}

fn reset_clock(session: &Session) -> Result<Exit, Error> {
    let trust = Trust::open(session)?;
    trust.change(|floors| {
        floors.forget_time();
        Ok(true)
    })?;
    session.note(Style::Plain, "the next run begins to remember the time anew");
    Ok(Exit::Done)
}
