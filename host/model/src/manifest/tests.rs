//! Tables of the manifest.
