//! Compiled code, kept so that a runbook of any language starts in milliseconds.
//!
//! What is signed is the component. Compiled code is native code without any check of its own, so
//! it is made here, by a child process, and mapped only when its MAC under the host key is right.
#![expect(
    clippy::disallowed_methods,
    reason = "the caller names the folder and the program; this room is all that touches them"
)]

mod compile;
mod code;
mod entry;

use std::fs;
use std::os::unix::fs::{DirBuilderExt, MetadataExt, PermissionsExt};
use std::path::{Path, PathBuf};

use runwrit_model::id::Digest;
use runwrit_model::labels::HostKey;
use runwrit_model::limits;
use wasmtime::Engine;

pub use self::code::Code;
pub use self::compile::{COMPILE_WORD, CompileBounds, CompileError, Compiler, compile_as_child};
use self::entry::Entry;

/// The folder of compiled code of this installation.
pub struct CodeCache {
    folder: PathBuf,
    key: [u8; 32],
    compiler: Compiler,
}

/// Why there is no code for a component.
#[derive(Debug, thiserror::Error)]
pub enum CodeError {
    /// Native code was given where a component belongs.
    #[error(
        "this is compiled code, not a component; compiled code cannot be checked, so give the \
         `.wasm` that it was compiled from"
    )]
    Precompiled,
    /// The compilation failed.
    #[error(transparent)]
    Compile(#[from] CompileError),
    /// Code that was just compiled does not load: a bug.
    #[error("the code of {component} was compiled and does not load: {cause}")]
    Load {
        /// The component.
        component: Digest,
        /// Why.
        cause: String,
    },
    /// The folder cannot be used.
    #[error("`{}` cannot be {verb}; code of runbooks is kept there", path.display())]
    Folder {
        /// The path.
        path: PathBuf,
        /// What was tried.
        verb: &'static str,
        /// Why.
        source: std::io::Error,
    },
    /// Others can write code into the folder.
    #[error(
        "`{}` is open to others (mode {mode:o}), who could place native code there; \
         `chmod 0700` it", path.display()
    )]
    Open {
        /// The path.
        path: PathBuf,
        /// Its permissions.
        mode: u32,
    },
    /// Somebody else can write code into the folder.
    #[error(
        "`{}` belongs to user {owner}, who could place native code there, and this is user {own}; \
         remove it, or name another `--state`", path.display()
    )]
    Foreign {
        /// The path.
        path: PathBuf,
        /// Its owner.
        owner: u32,
        /// Who asks.
        own: u32,
    },
}

impl CodeCache {
    /// Opens the folder, and makes it where it is missing.
    pub fn open(folder: &Path, key: &HostKey, compiler: Compiler) -> Result<Self, CodeError> {
        let failed = |verb, path: &Path| {
            let path = path.to_owned();
            move |source| CodeError::Folder { path, verb, source }
        };
        let made = fs::DirBuilder::new().recursive(true).mode(0o700).create(folder);
        made.map_err(failed("made", folder))?;
        let found = fs::metadata(folder).map_err(failed("read", folder))?;
        let (owner, own) = (found.uid(), rustix::process::geteuid().as_raw());
        if owner != own {
            return Err(CodeError::Foreign { path: folder.to_owned(), owner, own });
        }
        let mode = found.permissions().mode();
        if mode & 0o077 != 0 {
            return Err(CodeError::Open { path: folder.to_owned(), mode: mode & 0o777 });
        }
        Ok(Self { folder: folder.to_owned(), key: key.derive("code-cache"), compiler })
    }

    /// Returns whether code for a component is there, so that loading it takes no time.
    pub fn holds(&self, fingerprint: &Digest, component: &Digest) -> bool {
        self.entry(fingerprint, component).exists()
    }

    /// Returns the code of an admitted component: the kept one when it is undamaged, else it is
    /// compiled first. `fingerprint` is that of the engine that is to run it.
    ///
    /// Never give a component that was not admitted: compiling costs a lot.
    pub async fn load(&self, fingerprint: &Digest, wasm: &[u8]) -> Result<Code, CodeError> {
        if Engine::detect_precompiled(wasm).is_some() {
            return Err(CodeError::Precompiled);
        }
        let component = Digest::of(wasm);
        let entry = self.entry(fingerprint, &component);
        if let Some(code) = entry.load(&self.key) {
            return Ok(code);
        }
        let code = self.compiler.compile(wasm).await?;
        entry.write(&code, &self.key).map_err(|source| CodeError::Folder {
            path: self.folder.clone(),
            verb: "written",
            source,
        })?;
        self.prune(&entry);
        let cause = "its checksum changed meanwhile".to_owned();
        entry.load(&self.key).ok_or(CodeError::Load { component, cause })
    }

    fn entry(&self, fingerprint: &Digest, component: &Digest) -> Entry {
        Entry::new(&self.folder, component, fingerprint)
    }

    /// Removes the oldest entries beyond the limit. What cannot be removed stays until the next
    /// time: a full folder is no reason to stop a run.
    fn prune(&self, newest: &Entry) {
        let Ok(files) = fs::read_dir(&self.folder) else { return };
        let mut entries: Vec<_> = files
            .flatten()
            .filter(|file| Entry::is_code(&file.path()) && file.path() != newest.code())
            .filter_map(|file| Some((file.metadata().ok()?.modified().ok()?, file.path())))
            .collect();
        entries.sort();
        let surplus = (entries.len() + 1).saturating_sub(limits::CODE_CACHE_ENTRIES_MAX);
        for (_, code) in entries.into_iter().take(surplus) {
            Entry::remove(&code);
        }
    }
}
