//! What was recorded, as the checkers see it: events in real-time order, and operations paired from them.

mod event;

pub use event::{Consistency, Event, EventType, Key, Process};
