//! An oracle for small histories of a register, and everything that is compared with it.
//!
//! [`orders`] is the oracle: it says by brute force, straight from the contract's text, whether a history is
//! linearizable and whether a certificate is one. It shares no code with the checker. [`history`] holds the
//! histories that it judges, as small numbers, and turns them into events and back. They come from
//! [`every`], which numbers all histories of so many operations, and from [`random`], which makes them after
//! the [`profiles`]. [`compare`] puts checker and oracle side by side and counts; [`weakened`] asks the
//! engines by themselves. [`larger`] histories, from a [`simulation`], are beyond the oracle: there the
//! engines are compared with each other. [`work`] deals all of it out to threads, so that their number changes
//! nothing.
#![allow(dead_code, reason = "each test and each command uses a part of it")]

pub(crate) mod compare;
pub(crate) mod every;
pub(crate) mod history;
pub(crate) mod larger;
pub(crate) mod orders;
pub(crate) mod profiles;
pub(crate) mod random;
pub(crate) mod simulation;
pub(crate) mod weakened;
pub(crate) mod work;
