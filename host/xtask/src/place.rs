//! Where things are in this clone.

use std::path::{Path, PathBuf};

use crate::failure::Failure;

/// The clone that the task works on.
pub struct Place {
    root: PathBuf,
}

impl Place {
    /// Finds the clone that this tool was built from.
    pub fn find() -> Result<Self, Failure> {
        let manifest = Path::new(env!("CARGO_MANIFEST_DIR"));
        let root = manifest.ancestors().nth(2).unwrap_or(manifest);
        if !root.join("wit").is_dir() {
            return Err(Failure::Missing(
                format!("`{}` is no clone of Runwrit any more", root.display()),
                "run `cargo xtask` inside of the clone".to_owned(),
            ));
        }
        Ok(Self { root: root.to_owned() })
    }

    /// The clone itself.
    pub fn root(&self) -> &Path {
        &self.root
    }

    /// Where guests are built. It stays inside of the clone, so that tests find the packages
    /// wherever `CARGO_TARGET_DIR` points.
    pub fn guest_target(&self) -> PathBuf {
        self.root.join("target/guests")
    }

    /// Where the components lie, one file a guest.
    pub fn components(&self) -> PathBuf {
        self.root.join("target/guests/components")
    }

    /// Where the public half of the development key lies, and a keyring that trusts it.
    pub fn development(&self) -> PathBuf {
        self.root.join("target/development")
    }

    /// Where the packages lie, one folder a guest.
    pub fn packages(&self) -> PathBuf {
        self.root.join("target/packages")
    }
}
