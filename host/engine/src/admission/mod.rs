//! Admission: what a package is and what its component wants, known before anything of it runs.

mod inspection;
mod package;
mod surface;

pub use self::inspection::{AskLine, ImportLine, Inspection, Reach};
pub use self::package::{Package, PackageError, collect, linked};
pub use self::surface::{Producer, Surface, SurfaceError};
