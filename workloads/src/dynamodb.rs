//! Skeleton.

/// Skeleton.
#[derive(Debug)]
pub struct Client;
