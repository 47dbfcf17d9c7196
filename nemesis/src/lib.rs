//! What growler breaks, when, and the proof that it was broken.

pub mod cluster;
