//! The capability against the simulator.
