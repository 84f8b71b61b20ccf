//! `runwrit key`: makes and shows keys.

use std::path::{Path, PathBuf};

use clap::{Args, Subcommand, ValueEnum};
use runwrit_model::exit::Exit;
use runwrit_model::limits;
use runwrit_trust::private_key::{PrivateKey, Salt};
use runwrit_trust::public_key::{Algorithm, PublicKey};
use serde_json::json;

use crate::ambient::{self, trusted};
use crate::error::Error;
use crate::output::Style;
use crate::private_key::{self, Passphrase};
use crate::session::Session;

/// What to do.
#[derive(Debug, Args)]
pub struct Arguments {
    #[command(subcommand)]
    task: Task,
}

#[derive(Debug, Subcommand)]
enum Task {
    /// Make a key: FILE for whoever signs, and FILE.pub for everybody else
    Generate(Generate),
    /// Show the public half and the hint by which signatures name it
    Show(Show),
}

#[derive(Debug, Args)]
struct Generate {
    /// Where the private half goes; the public one goes beside it, as FILE.pub
    #[arg(long, value_name = "FILE")]
    out: PathBuf,
    /// What it signs with
    #[arg(long, value_enum, default_value_t = Kind::P256)]
    algorithm: Kind,
    #[command(flatten)]
    passphrase: Passphrase,
    /// Keep it without a passphrase: whoever reads the file can sign
    #[arg(long, conflicts_with_all = ["passphrase_file", "passphrase_fd"])]
    no_passphrase: bool,
}

#[derive(Debug, Clone, Copy, ValueEnum)]
enum Kind {
    /// ECDSA P-256: what hardware tokens and other signers know best
    P256,
    /// Ed25519
    Ed25519,
}

#[derive(Debug, Args)]
struct Show {
    /// A public key, or a private one
    file: PathBuf,
    #[command(flatten)]
    passphrase: Passphrase,
}

/// Does it.
pub fn execute(arguments: Arguments, session: &Session) -> Result<Exit, Error> {
    match arguments.task {
        Task::Generate(arguments) => generate(&arguments, session),
        Task::Show(arguments) => show(&arguments, session),
    }
}

fn generate(arguments: &Generate, session: &Session) -> Result<Exit, Error> {
    let algorithm = match arguments.algorithm {
        Kind::P256 => Algorithm::P256,
        Kind::Ed25519 => Algorithm::Ed25519,
    };
    let path = &arguments.out;
    let public = public_path(path);
    for path in [path, &public] {
        if ambient::exists(path) {
            let message = format!("`{}` stands there already", path.display());
            return Err(Error::usage(message).hint("a key is never replaced: name another file"));
        }
    }
    let wrong = |error| private_key::unusable(path, &error);
    let key = PrivateKey::generate(algorithm).map_err(wrong)?;
    let text = match arguments.no_passphrase {
        true => key.to_bare_pem().map_err(wrong)?,
        false => {
            let salt = Salt { salt: ambient::random(), iv: ambient::random() };
            let passphrase = arguments.passphrase.choose(path)?;
            key.to_locked_pem(&passphrase, &salt).map_err(wrong)?
        }
    };
    trusted::write_new("key", path, text.expose().as_bytes(), 0o600)?;
    trusted::write_new("public key", &public, key.public().to_pem().as_bytes(), 0o644)?;
    if arguments.no_passphrase {
        let line = "warning: no passphrase keeps this key: whoever reads the file can sign";
        session.note(Style::Warning, line);
    }
    tell(&key.public(), Some(&public), session);
    Ok(Exit::Done)
}

/// The public half stands beside the private one, under its whole name.
fn public_path(path: &Path) -> PathBuf {
    let mut name = path.as_os_str().to_owned();
    name.push(".pub");
    PathBuf::from(name)
}

fn show(arguments: &Show, session: &Session) -> Result<Exit, Error> {
    let path = &arguments.file;
    let text = ambient::read_text("key", path, limits::KEY_BYTES_MAX)?;
    let public = match PublicKey::from_pem(&text) {
        Ok(public) => public,
        Err(_) => private_key::open(path, &arguments.passphrase)?.public(),
    };
    tell(&public, None, session);
    Ok(Exit::Done)
}

fn tell(public: &PublicKey, file: Option<&Path>, session: &Session) {
    let (algorithm, hint) = (public.algorithm().to_string(), public.hint());
    let file = file.map(|path| path.display().to_string());
    if session.output.is_json {
        let pem = public.to_pem();
        let object = json!({
            "event": "key", "algorithm": algorithm, "hint": hint, "pem": pem, "file": file,
        });
        return session.output.object(&object);
    }
    session.output.data(&format!("algorithm  {algorithm}"));
    session.output.data(&format!("hint       {hint}"));
    if let Some(file) = file {
        session.output.data(&format!("public     {file}"));
    }
    public.to_pem().lines().for_each(|line| session.output.data(line));
}
