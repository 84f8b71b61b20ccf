//! Tables of the grant.
