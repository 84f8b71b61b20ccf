//! The cell: a process of its own for every guest, with no credential, no file and no way out but
//! one stream to the host.
//!
//! The sandbox keeps a guest from the memory of its process. The cell is the second wall: were the
//! first to break, what stands behind it holds no token, and the kernel refuses it every call but
//! those that compute. The host answers over the stream, and believes nothing that comes from it
//! once it has handed code over.

mod value;
mod wire;
mod desk;
mod confine;
mod inmate;
mod warden;

pub use confine::{ConfineError, confine};
pub use inmate::{CELL_WORD, CellError, let_go, run_as_cell};
pub use warden::{CellGuest, NoCell, StartingCell, VacantCell};
