//! Tables of the settings.
