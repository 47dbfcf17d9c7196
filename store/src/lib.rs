//! Skeleton.

pub mod api;
pub mod bugs;
pub mod expression;
pub mod item;
pub mod leader;
pub mod node;
pub mod peer;

pub mod engine;
pub mod world;
