//! A run moves from one state directory to another: behind a tombstone, in one encrypted file.
//!
//! The tombstone comes first. From then on the run lives in no state directory until the file is
//! imported; the file can be written again as often as needed, so a kill loses nothing.

use std::io::{Read as _, Write as _};
use std::path::Path;

use data_encoding::BASE64;
use runwrit_engine::sandbox;
use runwrit_engine::seed;
use runwrit_engine::store::{Parcel, SqliteStore, Store as _, StoreError, TakeBack};
use runwrit_engine::view;
use runwrit_model::breakable::crash_point;
use runwrit_model::grant::Grant;
use runwrit_model::history::History;
use runwrit_model::id::{RunId, Scope};
use runwrit_model::journal::{Attempt, Created, Entry, Record};
use runwrit_model::labels::Lent;
use runwrit_model::{claim, limits};
use serde::{Deserialize, Serialize};

use crate::ambient;
use crate::arrival;
use crate::epoch;
use crate::error::Error;
use crate::host_key;
use crate::lent;
use crate::sealing::{Identities, Recipients};
use crate::succession;

/// What the file is.
const FORMAT: &str = "runwrit-run";
/// How it is laid out. Version 1 told neither the epoch nor the fence; it is still read.
const VERSION: u32 = 2;
/// The oldest layout that is read.
const VERSION_MIN: u32 = 1;

/// What is in the file.
#[derive(Serialize, Deserialize)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
struct Document {
    format: String,
    version: u32,
    /// The version of the host that wrote it.
    host: String,
    /// The installation in whose name the things of the scope were made.
    installation: String,
    /// Its key of that scope, in Base64.
    key: String,
    /// The seed in Base64, while the run is not over.
    seed: Option<String>,
    /// By which epoch the state directory that it left claimed the scope last.
    #[serde(default)]
    epoch: Option<u64>,
    parcel: Parcel,
}

/// What a run left with.
pub struct Exported {
    /// Whether the claim on its scope lets only one state directory go on with it.
    pub is_claimed: bool,
}

/// Takes a run out of the state directory and writes the file; again, where that was done before.
pub async fn export(
    (run, by): (&RunId, &str),
    state: &Path,
    file: &Path,
    recipients: &Recipients,
) -> Result<Exported, Error> {
    let shown = file.display();
    if ambient::exists(file) {
        return Err(Error::usage(format!("`{shown}` exists already"))
            .hint("name a new file; nothing was moved"));
    }
    // Where nothing can be written, nothing is moved either.
    ambient::probe_beside("file", file)?;
    let (store, key) = (SqliteStore::open(state)?, host_key::open(state)?);
    let at = ambient::now_unix_ms();
    let message = format!("to `{shown}` at {} by {by}", view::time(at));
    let host = env!("CARGO_PKG_VERSION").to_owned();
    let attempt = Attempt { fence: 0, host: host.clone(), engine: sandbox::version() };
    let parcel = store.take_out(run, attempt, &message, at).await?;
    crash_point("taken-out", "export");
    let created = created(&parcel)?;
    let scope = &created.scope;
    let lent = key.lend(scope);
    let sealed = parcel.sealed.as_ref().and_then(|text| BASE64.decode(text.as_bytes()).ok());
    let seed = sealed.map(|sealed| BASE64.encode(&seed::open(&key, run, &sealed)));
    let document = Document {
        format: FORMAT.to_owned(),
        version: VERSION,
        host,
        installation: lent.installation,
        key: BASE64.encode(&lent.key),
        seed,
        epoch: Some(epoch::claimant(state)?.on(scope).epoch),
        parcel: Parcel { sealed: None, ..parcel },
    };
    let unwritten = |source: std::io::Error| {
        Error::usage(format!("`{shown}` cannot be written: {source}"))
            .hint(format!("run {run} is moved: `runwrit runs export {run} FILE` writes it again"))
    };
    let mut output = recipients.seal(Vec::new()).map_err(unwritten)?;
    let text = serde_json::to_vec(&document).expect("it holds only strings and numbers");
    output.write_all(&text).map_err(unwritten)?;
    let sealed = output.finish().map_err(unwritten)?;
    ambient::write_private_once("file", file, &sealed)?;
    crash_point("file-written", "export");
    Ok(Exported { is_claimed: is_claimed(&created) })
}

/// Returns whether a run takes a claim on its scope, so that of two imports only one can go on.
fn is_claimed(created: &Created) -> bool {
    let changes = |grant: &Grant| ["hetzner", "dns"].iter().any(|it| grant.may_change(it));
    let grant = Grant::parse("the journaled grant", &created.grant);
    claim::name(&created.scope).is_some() && grant.is_ok_and(|grant| changes(&grant))
}

/// Takes the run of a file into the state directory. What would refuse it is looked at first: a
/// refusal changes nothing.
pub async fn import(
    file: &Path,
    keys: &Identities,
    state: &Path,
    word: TakeBack,
) -> Result<RunId, Error> {
    let what = format!("the file `{}`", file.display());
    let Document { installation, key: scope_key, seed, epoch: left, parcel, .. } =
        read(file, keys, &what)?;
    let wrong = |reason: &str| {
        Error::usage(format!("{what} cannot be imported: {reason}"))
            .hint("nothing was changed; export the run again where it came from")
    };
    let (store, key) = (SqliteStore::open(state)?, host_key::open(state)?);
    let (run, scope) = (parcel.run.clone(), created(&parcel)?.scope);
    let decode = |text: &str| {
        let bytes = BASE64.decode(text.as_bytes()).ok();
        bytes.and_then(|bytes| <[u8; 32]>::try_from(bytes).ok())
    };
    let scope_key = decode(&scope_key).ok_or_else(|| wrong("its key is malformed"))?;
    let seed = match &seed {
        Some(text) => Some(decode(text).ok_or_else(|| wrong("its seed is malformed"))?),
        None => None,
    };
    let is_own = |lent: &Lent| lent.installation == key.installation();
    let lent = Lent { installation, key: scope_key };
    let has_worked = is_own(&lent) || key.lend(&scope) == lent;
    if !has_worked {
        // Whatever stands here under that name would be a stranger's afterwards.
        refuse_native(&store, &scope).await?;
    }
    store.would_take_in(parcel.clone(), word).await.map_err(|error| refused(&run, error))?;
    if !has_worked {
        lent::keep(state, &scope, &lent)?;
        crash_point("key-kept", "import");
    }
    let now = ambient::now_unix_ms();
    let succession = epoch::claimant(state)?.succeed(&scope, left, has_worked, now);
    succession::keep(state, &scope, succession)?;
    let key = host_key::open(state)?;
    let sealed = seed.map(|seed| seed::seal(&key, &run, seed, ambient::random()));
    let sealed = sealed.map(|bytes| BASE64.encode(&bytes));
    crash_point("before-import", "import");
    arrival::note(state, &run)?;
    crash_point("arrival-noted", "import");
    store.take_in(Parcel { sealed, ..parcel }, word).await.map_err(|error| refused(&run, error))?;
    crash_point("imported", "import");
    store.verify_chain(&run).await?;
    Ok(run)
}

fn refused(run: &RunId, error: StoreError) -> Error {
    let hint = match &error {
        StoreError::Outdated { .. } => {
            format!("nothing was changed; `runwrit show {run}` tells where it went")
        }
        StoreError::Untouched { .. } => "nothing was changed; where a person knows that it was \
             imported nowhere else, `--take-back` takes it"
            .to_owned(),
        _ => return error.into(),
    };
    Error::from(error).hint(hint)
}

/// Refuses a scope in which runs of this installation have worked: it has a key of its own.
async fn refuse_native(store: &SqliteStore, scope: &Scope) -> Result<(), Error> {
    let rows = store.runs().await?;
    match rows.iter().find(|row| row.scope == *scope) {
        None => Ok(()),
        Some(row) => Err(Error::usage(format!(
            "`{scope}` is a scope of this state directory too: run {} worked on it",
            row.run
        ))
        .hint("nothing was changed; import into a state directory that never had this tenant")),
    }
}

fn read(file: &Path, keys: &Identities, what: &str) -> Result<Document, Error> {
    let bytes = ambient::read("file", file, limits::PARCEL_BYTES_MAX)?;
    let wrong = |reason: String| {
        Error::usage(format!("{what} cannot be imported: {reason}"))
            .hint("nothing was changed; export the run again where it came from")
    };
    let mut text = Vec::new();
    let opened = keys.open(bytes.as_slice(), what)?;
    let mut opened = opened.take(limits::PARCEL_BYTES_MAX);
    opened.read_to_end(&mut text).map_err(|error| wrong(error.to_string()))?;
    let said: serde_json::Value =
        serde_json::from_slice(&text).map_err(|_| wrong("it holds no run".to_owned()))?;
    if said["format"] != FORMAT {
        return Err(wrong(format!("it is no `{FORMAT}`")));
    }
    let known = u64::from(VERSION_MIN)..=u64::from(VERSION);
    if !said["version"].as_u64().is_some_and(|found| known.contains(&found)) {
        let found = &said["version"];
        return Err(wrong(format!("it has version {found}, this host knows {VERSION}")));
    }
    serde_json::from_value(said).map_err(|error| wrong(error.to_string()))
}

/// Reads the journal of a parcel and returns how its run began.
fn created(parcel: &Parcel) -> Result<Created, Error> {
    let run = &parcel.run;
    let wrong = |reason: String| Error::usage(format!("the journal of run {run}: {reason}"));
    let mut entries = Vec::with_capacity(parcel.entries.len());
    for (seq, text) in (0..).zip(&parcel.entries) {
        let bytes = BASE64.decode(text.as_bytes()).map_err(|_| wrong("is malformed".to_owned()))?;
        entries.push(Entry::decode(seq, &bytes).map_err(|error| wrong(error.to_string()))?);
    }
    let history = History::of(&entries).map_err(|error| wrong(error.to_string()))?;
    match entries.first().map(|entry| &entry.record) {
        Some(Record::Created(created)) if created.run == *run => Ok(history.created),
        _ => Err(wrong("is that of another run".to_owned())),
    }
}
