//! What was recorded, as the checkers see it: events in real-time order, and operations paired from them.
//!
//! A recorder writes [`Event`]s; a checker wants [`Operation`]s, each an invocation with its completion.
//! [`pair`] turns one into the other and refuses, with a [`PairError`] that names the line, what is no
//! history. [`by_key`] splits operations into the objects that they concern. [`HistoryBuilder`] writes small
//! histories by hand, for tests and examples.

mod builder;
mod context;
mod event;
pub(crate) mod hash;
mod key;
mod line;
pub(crate) mod name;
mod operation;
mod overlaps;
mod pairing;
mod said;
mod timestamp;

pub use builder::HistoryBuilder;
pub use context::CausalContext;
pub use event::{Consistency, Event, EventType, Extra, Process};
pub use key::Key;
pub use name::{Name, Names, Reason};
pub(crate) use operation::Objects;
pub use operation::{Operation, Outcome, by_key};
pub use overlaps::Overlaps;
pub use pairing::{PairError, pair};
pub use said::contradicts;
pub use timestamp::Timestamp;
