//! Evidence, judged by itself: does an order explain a history, does a certificate prove a violation?
//!
//! Every answer of a linearizability check comes with something that can be held against the history. A
//! *valid* one has an order of the operations ([`order`]), an *invalid* one a [`certificate`]. What is in this
//! folder judges both straight from the contract (section 4 says what an answer means, section 5 what a
//! certificate is), and shares no code with the engines that find them: it has its own reading of the
//! contract's table, and knows of the engines' types only the list of jobs that an order names. A mistake
//! would have to be made twice, in two different ways, to go unnoticed.
//!
//! Nothing here may search for what an engine searches for, or trust anything that an engine says.

pub mod certificate;
pub mod order;
pub mod provenance;
mod table;
