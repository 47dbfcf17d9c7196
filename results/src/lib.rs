//! What growler keeps of a run and what it shows of it.
//!
//! A run leaves a folder behind ([`run`]). Into it go the history, appended while the test runs
//! ([`history`]), the description of the test ([`test_file`]), the faults ([`plan`]) and, at the end, the
//! verdict ([`verdict`]). From these four files, and from nothing else, come the figures ([`series`],
//! [`availability`]) and everything that is made for people and for CI: the HTML page ([`report`]), JUnit
//! ([`junit`]) and the summary in Markdown ([`summary`]). Histories come from other tools too, and go to them
//! ([`formats`]). Many runs that are judged as one have a folder of their own ([`suite`]).
//!
//! Two rules hold throughout. What was recorded is never lost: files are appended to or replaced whole,
//! never rewritten in place. And what is derived is a pure function of the files: the same run gives the
//! same bytes.

pub mod availability;
mod contents;
pub mod formats;
pub mod history;
pub mod junit;
pub mod operations;
pub mod plan;
mod recorded;
pub mod report;
pub mod run;
pub mod series;
mod story;
pub mod suite;
pub mod summary;
pub mod test_file;
pub mod verdict;
mod words;

pub use contents::ReportError;
pub use history::{Recorder, read_history};
pub use recorded::RecordedRun;
pub use run::RunFolder;
pub use test_file::TestFile;
pub use verdict::{Judgement, Results, Verdict, judge};
