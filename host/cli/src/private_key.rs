//! Private keys in files, and the passphrases that open them: from a terminal, a file or a
//! descriptor, and never from an argument, where every process of the machine could read it.

use std::path::{Path, PathBuf};

use clap::Args;
use runwrit_model::limits;
use runwrit_model::secret::Secret;
use runwrit_trust::envelope::{Envelope, to_be_signed};
use runwrit_trust::private_key::{PrivateKey, PrivateKeyError};
use runwrit_trust::public_key::PublicKey;

use crate::ambient::{self, trusted};
use crate::error::{Error, chain};

/// Who signs: a key in a file, or a program that holds one.
#[derive(Debug, Clone, Args)]
pub struct Signer {
    /// The private key
    #[arg(long, value_name = "FILE", required_unless_present = "signer_cmd")]
    key: Option<PathBuf>,
    #[command(flatten)]
    passphrase: Passphrase,
    /// A command that holds the key: bytes to sign on its standard input, signature on its output
    #[arg(long, value_name = "COMMAND", conflicts_with = "key", requires = "public")]
    signer_cmd: Option<String>,
    /// The public half of the key that `--signer-cmd` holds
    #[arg(long, value_name = "FILE")]
    public: Option<PathBuf>,
}

impl Signer {
    /// Signs an in-toto statement.
    pub fn envelope(&self, payload: Vec<u8>) -> Result<Envelope, Error> {
        let (public, signature) = self.sign(&to_be_signed(&payload))?;
        Ok(Envelope { payload, hint: public.hint(), signature })
    }

    /// Signs bytes, and returns by which key with the signature.
    pub fn sign(&self, message: &[u8]) -> Result<(PublicKey, Vec<u8>), Error> {
        if let (Some(line), Some(file)) = (&self.signer_cmd, &self.public) {
            let public = public(file)?;
            let signature = trusted::sign_by_program(line, message)?;
            let why = format!("the signer `{line}` signed with another key than `--public` names");
            return match public.verifies(message, &signature) {
                true => Ok((public, signature)),
                false => Err(Error::usage(why).hint(
                    "it prints the bare signature: DER for ECDSA P-256, 64 bytes for Ed25519",
                )),
            };
        }
        let path = self.key.as_deref().unwrap_or(Path::new(""));
        let key = open(path, &self.passphrase)?;
        let signature = key.sign(message).map_err(|error| unusable(path, &error))?;
        Ok((key.public(), signature))
    }
}

/// Where a passphrase comes from; the terminal where nothing is named.
#[derive(Debug, Clone, Args)]
pub struct Passphrase {
    /// Read the passphrase from the first line of this file, mode 0600
    #[arg(long, value_name = "FILE", conflicts_with = "passphrase_fd")]
    passphrase_file: Option<PathBuf>,
    /// Read the passphrase from this file descriptor
    #[arg(long, value_name = "NUMBER")]
    passphrase_fd: Option<u32>,
}

impl Passphrase {
    /// Returns the passphrase for `path`.
    pub fn read(&self, path: &Path) -> Result<Secret, Error> {
        if let Some(file) = &self.passphrase_file {
            return trusted::read_line("passphrase file", file);
        }
        if let Some(number) = self.passphrase_fd {
            return trusted::read_descriptor("passphrase", number);
        }
        let question = format!("passphrase of {}", path.display());
        trusted::ask_secret(&question).unwrap_or_else(|| Err(no_terminal(path)))
    }

    /// Returns a new passphrase for `path`; a person types it twice.
    pub fn choose(&self, path: &Path) -> Result<Secret, Error> {
        let one = self.read(path)?;
        if self.passphrase_file.is_some() || self.passphrase_fd.is_some() {
            return Ok(one);
        }
        let again = trusted::ask_secret("the same again").unwrap_or_else(|| Err(no_terminal(path)));
        match again? == one {
            true => Ok(one),
            false => Err(Error::usage("the two passphrases differ: nothing was written")),
        }
    }
}

fn no_terminal(path: &Path) -> Error {
    let message =
        format!("the key `{}` needs a passphrase, and there is no terminal", path.display());
    Error::usage(message).hint("name its file with `--passphrase-file FILE`")
}

/// Opens a private key.
pub fn open(path: &Path, passphrase: &Passphrase) -> Result<PrivateKey, Error> {
    let bytes = ambient::read_private("key", path, limits::KEY_BYTES_MAX)?;
    let text = String::from_utf8_lossy(&bytes);
    let secret = match PrivateKey::is_locked(&text) {
        true => Some(passphrase.read(path)?),
        false => None,
    };
    PrivateKey::from_pem(&text, secret.as_ref()).map_err(|error| unusable(path, &error))
}

/// Reads a public key.
pub fn public(path: &Path) -> Result<PublicKey, Error> {
    let text = ambient::read_text("public key", path, limits::KEY_BYTES_MAX)?;
    PublicKey::from_pem(&text).map_err(|error| {
        let error = Error::usage(format!("`{}` is no public key: {error}", path.display()));
        error.hint("`runwrit key generate` writes it beside the key, with `.pub` at its end")
    })
}

/// Says why a key is of no use.
pub fn unusable(path: &Path, error: &PrivateKeyError) -> Error {
    let error_shown = chain(error);
    Error::usage(format!("the key `{}` is not usable: {error_shown}", path.display()))
}
