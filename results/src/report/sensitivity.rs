//! How much the run would have shown: a bar for each kind of fault, and what hid the rest.

use growler_checker::sensitivity::{Tally, reason};
use serde::Serialize;

use crate::contents::Contents;
use crate::verdict::{by_kind, within};
use crate::words::{count, share};

/// One kind of fault.
#[derive(Debug, Serialize)]
pub(super) struct Row {
    kind: String,
    share: String,
    /// The bar's length, in percent.
    percent: f64,
    of: String,
    rest: Vec<Hidden>,
}

/// Faults that were not refuted, for one reason.
#[derive(Debug, Serialize)]
struct Hidden {
    count: String,
    name: String,
    about: &'static str,
}

/// The rows; none where nothing was measured.
pub(super) fn rows(contents: &Contents) -> Vec<Row> {
    let Some(results) = &contents.results else { return Vec::new() };
    let row = |(kind, tally): (&str, &Tally)| {
        let mut rest: Vec<_> = tally.rest.iter().collect();
        rest.sort_by_key(|&(name, &count)| (std::cmp::Reverse(count), name));
        let hidden = |(name, &n): (&String, &u64)| Hidden {
            count: count(n),
            name: name.clone(),
            about: reason(name).map_or("", |reason| reason.about),
        };
        Row {
            kind: kind.to_owned(),
            share: share(tally.refuted, tally.injected),
            percent: tally.share() * 100.0,
            of: format!(
                "{} of {} tried, {} possible places{}",
                count(tally.refuted),
                count(tally.injected),
                count(tally.places),
                within(tally.interval())
            ),
            rest: rest.into_iter().map(hidden).collect(),
        }
    };
    by_kind(&results.sensitivity_details).into_iter().map(row).collect()
}
