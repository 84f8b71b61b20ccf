//! One component's code on disk: the code and, beside it, its MAC.

use std::fs::{self, File, OpenOptions};
use std::io::{self, Read, Write};
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};

use hmac::{Hmac, KeyInit, Mac};
use runwrit_model::id::Digest;
use sha2::Sha256;

use super::code::Code;

/// Read in pieces of this size while the MAC is computed.
const PIECE_BYTES: usize = 32 << 10;
const CODE: &str = "cwasm";
const MAC: &str = "mac";

/// Where one component's code is kept, for one engine.
pub struct Entry {
    folder: PathBuf,
    name: String,
}

impl Entry {
    /// Names the entry of a component for the engine with `fingerprint`.
    pub fn new(folder: &Path, component: &Digest, fingerprint: &Digest) -> Self {
        let name = format!("{}-{}", component.hex(), &fingerprint.hex()[..32]);
        Self { folder: folder.to_owned(), name }
    }

    /// Returns whether a file of the folder is code.
    pub fn is_code(path: &Path) -> bool {
        path.extension().is_some_and(|extension| extension == CODE)
    }

    /// Removes code and its MAC, where they are.
    pub fn remove(code: &Path) {
        // Another process may have removed them already, or may need them again and make them.
        let _ = fs::remove_file(code);
        let _ = fs::remove_file(code.with_extension(MAC));
    }

    /// Returns the path of the code.
    pub fn code(&self) -> PathBuf {
        self.folder.join(&self.name).with_extension(CODE)
    }

    /// Returns whether it is there; it may be damaged.
    pub fn exists(&self) -> bool {
        self.code().is_file() && self.code().with_extension(MAC).is_file()
    }

    /// Opens the code, when its MAC is right. Nothing is returned for code that is missing or
    /// damaged, or was made under another host key or by another version.
    pub fn load(&self, key: &[u8; 32]) -> Option<Code> {
        let expected = fs::read(self.code().with_extension(MAC)).ok()?;
        let mut file = File::open(self.code()).ok()?;
        self.tag_file(&mut file, key).ok()?.verify_slice(&expected).ok()?;
        Some(Code::checked(file))
    }

    /// Writes code and MAC, each whole or not at all. A crash between the two leaves an entry that
    /// does not load and is made again.
    pub fn write(&self, code: &[u8], key: &[u8; 32]) -> io::Result<()> {
        let mut tag = self.tag(key);
        tag.update(code);
        self.write_file(CODE, code)?;
        self.write_file(MAC, &tag.finalize().into_bytes())?;
        File::open(&self.folder)?.sync_all()
    }

    fn write_file(&self, extension: &str, bytes: &[u8]) -> io::Result<()> {
        let path = self.folder.join(&self.name).with_extension(extension);
        // Two processes may write the same entry at once; each has a draft of its own.
        let draft = path.with_extension(format!("{extension}.{}.draft", std::process::id()));
        let mut options = OpenOptions::new();
        let mut file = options.write(true).create(true).truncate(true).mode(0o600).open(&draft)?;
        file.write_all(bytes)?;
        file.sync_all()?;
        fs::rename(&draft, &path)
    }

    /// Starts a MAC that holds for this name only: code of another component is no code of this.
    fn tag(&self, key: &[u8; 32]) -> Hmac<Sha256> {
        let mut tag = Hmac::<Sha256>::new_from_slice(key).expect("HMAC takes keys of any length");
        tag.update(self.name.as_bytes());
        tag.update(b"\0");
        tag
    }

    fn tag_file(&self, file: &mut File, key: &[u8; 32]) -> io::Result<Hmac<Sha256>> {
        let mut tag = self.tag(key);
        let mut piece = vec![0; PIECE_BYTES];
        loop {
            match file.read(&mut piece)? {
                0 => return Ok(tag),
                count => tag.update(&piece[..count]),
            }
        }
    }
}
