//! What a suite leaves behind: many runs, judged as one.
//!
//! A suite is a table. Its rows are tests, its columns seeds, and each cell is a run of `growler test` with a
//! folder of its own. `suite.json` ([`SuiteFile`]) holds all of it: what was to be run, how each run ended and
//! where it lies, and the figures that were asked for. It is written again after every run, so that a suite
//! which was cut short tells how far it came. From it, and from nothing else, come the page ([`page`]), JUnit
//! ([`junit`]), the summary in Markdown ([`summary`]) and the table on standard output ([`table`]); where the
//! suite draws a map, [`Figure`] says what of it and [`map`] where each number goes.
//!
//! How a run counts is decided in one place, [`fn@count`], and the one verdict of the suite is the gravest that
//! counts, in the order of [`Verdict::combine`](crate::Verdict::combine). Nothing here starts a run, and nothing
//! makes a red one green.

mod count;
mod figure;
mod file;
mod folder;
pub mod junit;
pub mod map;
pub mod page;
pub mod summary;
pub mod table;

pub use count::{Ending, count};
pub use figure::{Better, Figure, Over, Unit};
pub use file::{Map, Measured, Row, Run, SuiteFile};
pub use folder::SuiteFolder;
