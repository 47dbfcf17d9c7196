//! How consistent was a store that promises less than one order of everything?
//!
//! Each room judges one promise of its own, and says how much of the run it holds for:
//!
//! - [`sessions`]: the four session guarantees of each client.
//! - [`causal`]: who sees an effect sees its causes.
//! - [`staleness`]: how many versions, and how long, reads were behind.
//! - [`replicas`]: what the replicas hold in the end, and whether anything acknowledged is missing.
//! - [`resurrection`]: what was deleted stays deleted.
//! - [`siblings`]: concurrent writes are kept until somebody reconciles them; carts.
//! - [`lww`]: what last-writer-wins cost, and whether the store kept to it.
//! - [`set_full`]: Jepsen's judgement of sets.
//! - [`availability`]: who was served, on which side of a partition.
//!
//! They share one thing: [`order`], which reads what a store said of its own versions and tells which answers
//! include which writes. `lives`, `parts`, `trails`, `shown` and `words` are what two or more of them need beside it;
//! `causes` (what a write replaced), `outdone` (which timestamps may be gone), `ending` (which answers are the end of a
//! key), `holding`, `remains`, `faults` and `findings` likewise. `groups` and `rows` keep many lists in one, `counted`
//! finds a counter in one. `sensitivity` measures, for all of them, how much a run would have shown.

pub mod availability;
pub mod causal;
mod causes;
mod counted;
mod ending;
mod faults;
pub(crate) mod findings;
mod groups;
mod holding;
mod lives;
pub mod lww;
pub mod order;
mod outdone;
mod parts;
mod remains;
pub mod replicas;
pub mod resurrection;
mod rows;
mod sensitivity;
pub mod sessions;
pub mod set_full;
mod shown;
pub mod siblings;
pub mod staleness;
mod trails;
mod words;

use std::collections::BTreeMap;

use order::{Book, OPEN, Place};

use crate::history::PairError;
use crate::verdict::{CheckResult, Validity};

/// The answer to events that are no history.
fn no_history(error: &PairError) -> CheckResult {
    CheckResult {
        valid: Validity::Unknown,
        anomalies: Vec::new(),
        unknown: vec![error.to_string()],
        stats: BTreeMap::new(),
    }
}

/// The invocations and completions of a history of so many events in their order: whose, and whether it is the
/// completion. Completions of unknown outcome are left out.
fn moments(book: &Book<'_>, events: usize) -> impl Iterator<Item = (Place, bool)> + use<> {
    const NOBODY: u32 = u32::MAX;
    let mut at = vec![(NOBODY, false); events];
    for (place, entry) in book.entries.iter().enumerate() {
        at[entry.call as usize] = (place as Place, false);
        if entry.end != OPEN {
            at[entry.end as usize] = (place as Place, true);
        }
    }
    at.into_iter().filter(|&(place, _)| place != NOBODY)
}
