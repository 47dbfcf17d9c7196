//! The few operations that prove a violation, whatever the model.
//!
//! The way is that of registers (`super::super::certificate`): operations around the moment where the search
//! got stuck, twice as many each time, until they are enough with everything else weakened; of those, the
//! shortest run that ended first; and of that, whatever can be left out is.

use super::super::general::{Answer, Limits};
use super::super::minimise::Minimiser;

/// The operations that prove a violation.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Certificate {
    /// Places of the entries, in order of invocation.
    pub(super) members: Vec<usize>,
    /// Whether every member was shown to be necessary; not so if the budget ended first.
    pub(super) irreducible: bool,
}

/// Among this many times as many operations as were enough, those that are refuted first are looked for.
const NEIGHBOURHOOD: usize = 4;

/// Finds a certificate among entries with these calls and returns. The engine got stuck `at` this moment; entries that
/// are a proof, if they are known, are `suspects`. `prove` answers for a set of members what is left when everything
/// else is weakened, and its cost in steps.
pub(super) fn find(
    spans: &[(u32, u32)],
    at: u32,
    suspects: &[usize],
    limits: Limits,
    prove: impl FnMut(&[usize], Limits) -> (Answer, u64),
) -> Certificate {
    let mut search = Minimiser::new(limits, prove);
    let mut order = if !suspects.is_empty() && search.proves(suspects) {
        suspects.to_vec()
    } else {
        around(spans, at, &mut search)
    };
    // Those that ended last are what it hangs on: they are the last to be left out.
    order.reverse();
    search.shrink(&mut order);
    order.sort_unstable();
    Certificate { members: order, irreducible: search.decided() }
}

/// Entries near a moment that are a proof, those that ended first.
fn around<P: FnMut(&[usize], Limits) -> (Answer, u64)>(
    spans: &[(u32, u32)],
    at: u32,
    search: &mut Minimiser<P>,
) -> Vec<usize> {
    let mut order: Vec<usize> = (0..spans.len()).collect();
    order.sort_by_key(|&entry| {
        let (call, ret) = spans[entry];
        // What is open at that moment is near, however long it takes.
        if ret < at { at - ret } else { call.saturating_sub(at) }
    });
    let mut count = 1;
    while count < order.len() && !search.proves(&order[..count]) {
        count *= 2;
    }
    order.truncate(count.saturating_mul(NEIGHBOURHOOD));
    order.sort_by_key(|&entry| spans[entry].1);
    search.until_refuted(&mut order);
    order
}
