//! Files that only the holder of a key can read: the format of `age`, so that its own programs open
//! them as well.

use std::io::{BufReader, Read, Write};
use std::path::Path;
use std::str::FromStr as _;

use age::stream::{StreamReader, StreamWriter};
use age::{DecryptError, Decryptor, Encryptor, Identity, IdentityFile, x25519};
use runwrit_model::limits;

use crate::ambient;
use crate::error::Error;

/// Begins a private key; what does is never repeated in a message.
const PRIVATE_KEY: &str = "AGE-SECRET-KEY-";

/// Who can read a file.
pub struct Recipients(Vec<x25519::Recipient>);

impl Recipients {
    /// Reads public keys; one that is none is refused, and so is none at all.
    pub fn parse(texts: &[String]) -> Result<Self, Error> {
        if texts.is_empty() {
            return Err(Error::usage("`--recipient` is missing")
                .hint("`age-keygen -o key.txt` makes a key and prints its recipient"));
        }
        texts.iter().map(|text| recipient(text)).collect::<Result<_, _>>().map(Self)
    }

    /// Encrypts what is written to `output`. Without `finish` the file cannot be read.
    pub fn seal<W: Write>(&self, output: W) -> std::io::Result<StreamWriter<W>> {
        let recipients = self.0.iter().map(|recipient| recipient as &dyn age::Recipient);
        let encryptor = Encryptor::with_recipients(recipients).map_err(std::io::Error::other)?;
        encryptor.wrap_output(output)
    }
}

fn recipient(text: &str) -> Result<x25519::Recipient, Error> {
    if text.to_ascii_uppercase().starts_with(PRIVATE_KEY) {
        return Err(Error::usage("`--recipient` was given a private key, which is secret")
            .hint("`age-keygen -y KEY-FILE` prints its recipient, which begins with `age1`")
            .hint("other users of this machine may have seen the arguments: make a new key"));
    }
    x25519::Recipient::from_str(text).map_err(|reason| {
        Error::usage(format!("`--recipient {text}` is no recipient of age: {reason}"))
            .hint("it begins with `age1`; `age-keygen -y KEY-FILE` prints it")
    })
}

/// The keys that may open a file.
pub struct Identities(Vec<Box<dyn Identity>>);

impl Identities {
    /// Reads a file as `age-keygen` writes it, which nobody else may read.
    pub fn read(path: &Path) -> Result<Self, Error> {
        let shown = path.display();
        let bytes = ambient::read_private("identity file", path, limits::DOCUMENT_BYTES_MAX)?;
        let unfit = |reason: String| {
            Error::usage(format!("the identity file `{shown}` cannot be used: {reason}"))
                .hint("it is a file as `age-keygen -o FILE` writes it, without a passphrase")
        };
        // The reason of the reader could repeat a line of the file.
        let parsed = IdentityFile::from_buffer(bytes.as_slice());
        let parsed = parsed.map_err(|_| unfit("it holds something else than keys".to_owned()))?;
        let keys = parsed.into_identities().map_err(|_| unfit("it needs a plugin".to_owned()))?;
        match keys.is_empty() {
            true => Err(unfit("it holds no key".to_owned())),
            false => Ok(Self(keys)),
        }
    }

    /// Decrypts what is read from `input`; `what` names it in errors.
    pub fn open<R: Read>(&self, input: R, what: &str) -> Result<StreamReader<BufReader<R>>, Error> {
        let keys = self.0.iter().map(|key| key.as_ref() as &dyn Identity);
        let opened = Decryptor::new_buffered(BufReader::new(input))
            .and_then(|decryptor| decryptor.decrypt(keys));
        opened.map_err(|reason| match reason {
            DecryptError::NoMatchingKeys => {
                Error::usage(format!("no key of the identity file opens {what}"))
                    .hint("use the key of one of the recipients that it was made for")
            }
            reason => Error::usage(format!("{what} cannot be opened: {reason}"))
                .hint("it is not encrypted with age, was damaged, or is not whole"),
        })
    }
}

#[cfg(test)]
mod tests {
    use age::secrecy::ExposeSecret as _;

    use super::*;

    #[test]
    fn a_recipient_is_a_public_key_and_a_private_one_is_never_repeated() {
        let key = x25519::Identity::generate();
        let secret = key.to_string().expose_secret().to_owned();
        let public = key.to_public().to_string();
        assert!(Recipients::parse(std::slice::from_ref(&public)).is_ok());
        let rows = [String::new(), "age1x".to_owned(), secret.clone(), secret.to_lowercase()];
        for text in rows {
            let error = Recipients::parse(&[public.clone(), text.clone()]).err().expect("refused");
            let told = format!("{error:?}").to_uppercase();
            assert!(!told.contains(&secret), "a private key was told");
            assert!(!error.hints.is_empty(), "`{text}`");
        }
        assert!(Recipients::parse(&[]).is_err());
    }
}
