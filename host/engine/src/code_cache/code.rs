//! Compiled code as an open file, and how it becomes a component.

use std::fs::File;
use std::os::fd::{AsRawFd, OwnedFd};

use wasmtime::Engine;
use wasmtime::component::Component;

/// Code that was made by this installation: its MAC was checked when it was opened.
#[derive(Debug)]
pub struct Code(OwnedFd);

impl Code {
    /// Takes a file whose MAC was checked.
    pub(super) fn checked(file: File) -> Self {
        Self(file.into())
    }

    /// Takes the code that the host has handed to this process, which is its cell.
    pub(crate) fn handed(code: OwnedFd) -> Self {
        Self(code)
    }

    /// Returns the open file, to be handed to a cell.
    pub fn into_file(self) -> OwnedFd {
        self.0
    }

    /// Maps it. Nothing is returned for code of another version of the engine.
    ///
    /// The path goes through the open file, so that what is mapped is what was checked even when
    /// another process renames a new file over it.
    #[expect(unsafe_code, reason = "wasmtime can only trust the caller on what a code file holds")]
    pub fn map(&self, engine: &Engine) -> Option<Component> {
        let path = format!("/proc/self/fd/{}", self.0.as_raw_fd());
        // SAFETY: the file holds bytes that `Engine::precompile_component` of this installation
        // returned: their MAC under the host key was verified when it was opened, by this process
        // or by the host of this cell, and the folder is only writable for this user.
        unsafe { Component::deserialize_file(engine, path) }.ok()
    }
}
