//! Simulators: faithful, stateful stand-ins for outside systems, served over their real protocol.

pub mod hetzner;
