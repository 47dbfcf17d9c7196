//! What was measured of a run's sensitivity, and whether it is enough.
//!
//! Each check that passed measures for itself ([`growler_checker::sensitivity`]). A kind of fault that several
//! of them look for counts with the best of them, which is less than they find together. A run is held to its
//! floor (`--min-sensitivity`) by every kind that it had at least [`PLACES_MIN`] places for: a share of fewer
//! says nothing, and a kind for which there is no place at all is no matter of this workload. Faults amid writes are
//! kinds of their own, which are told and not judged. What is held
//! against the floor is the share that was measured, which is as often too high as too low; the interval in
//! which the share of all places lies is told beside it.

use std::collections::BTreeMap;

use growler_checker::sensitivity::{LEAST, Sensitivity, Tally, is_judged};

/// Fewer places than this, and a kind does not decide. So many are tried in any case.
pub const PLACES_MIN: u64 = LEAST;

/// The tally of each kind, from the check that refuted the greatest share.
#[must_use]
pub fn by_kind(measured: &BTreeMap<String, Sensitivity>) -> BTreeMap<&str, &Tally> {
    let mut kinds: BTreeMap<&str, &Tally> = BTreeMap::new();
    for (kind, tally) in measured.values().flat_map(|sensitivity| &sensitivity.kinds) {
        let best = kinds.entry(kind).or_insert(tally);
        if tally.share() > best.share() {
            *best = tally;
        }
    }
    kinds
}

/// A sentence for each kind whose share is below the floor.
pub(super) fn shortfalls(measured: &BTreeMap<String, Sensitivity>, floor: f64) -> Vec<String> {
    let decides = |tally: &Tally| tally.places >= PLACES_MIN && tally.injected > 0;
    let kinds = by_kind(measured).into_iter().filter(|(kind, _)| is_judged(kind));
    let short = kinds.filter(|(_, tally)| decides(tally) && tally.share() < floor);
    short
        .map(|(kind, tally)| {
            let why = tally.main_reason().map(|reason| {
                let count = tally.rest.get(reason.name).copied().unwrap_or_default();
                format!("; {count} of the rest because {} ({})", reason.about, reason.advice)
            });
            format!(
                "only {} of {} {kind} faults would have shown in this run, a sensitivity of {:.2}{}, below \
                 --min-sensitivity {floor:.2}{}",
                tally.refuted,
                tally.injected,
                rounded_down(tally.share()),
                within(tally.interval()),
                why.unwrap_or_default()
            )
        })
        .collect()
}

/// The interval behind a share, where it is one: ` (0.43 to 0.56)`.
#[must_use]
pub fn within([low, high]: [f64; 2]) -> String {
    if low < high { format!(" ({low:.2} to {high:.2})") } else { String::new() }
}

/// To two digits, and never up to a floor that was not reached.
fn rounded_down(share: f64) -> f64 {
    (share * 100.0).floor() / 100.0
}

#[cfg(test)]
mod tests {
    use super::*;

    fn tally(places: u64, refuted: u64, rest: &[(&str, u64)]) -> Tally {
        let injected = refuted + rest.iter().map(|(_, count)| count).sum::<u64>();
        let rest = rest.iter().map(|&(name, count)| (name.to_owned(), count)).collect();
        Tally { places, injected, refuted, rest }
    }

    fn measured(of: &[(&str, &[(&str, Tally)])]) -> BTreeMap<String, Sensitivity> {
        let kinds = |kinds: &[(&str, Tally)]| Sensitivity {
            kinds: kinds.iter().map(|(kind, tally)| ((*kind).to_owned(), tally.clone())).collect(),
        };
        of.iter().map(|(check, tallies)| ((*check).to_owned(), kinds(tallies))).collect()
    }

    #[test]
    fn a_kind_below_the_floor_is_named_with_its_main_reason_and_what_to_change() {
        let stale = tally(300, 99, &[("concurrent", 40), ("no-later-read", 61)]);
        let lost = tally(300, 200, &[]);
        let measured = measured(&[("linearizable", &[("stale-read", stale), ("lost-write", lost)])]);
        let sentences = shortfalls(&measured, 0.5);
        assert_eq!(
            sentences,
            [
                "only 99 of 200 stale-read faults would have shown in this run, a sensitivity of 0.49 (0.43 to 0.56), below \
              --min-sensitivity 0.50; 61 of the rest because nobody looked at the item again (read more, or use fewer keys, \
              so that items are looked at again)"
            ]
        );
        assert!(shortfalls(&measured, 0.49).is_empty());
        assert!(shortfalls(&measured, 0.0).is_empty());
    }

    #[test]
    fn a_kind_with_few_places_does_not_decide() {
        let few = |places| {
            measured(&[("linearizable", &[("delete-undone", tally(places, 0, &[("concurrent", 19)]))])])
        };
        assert!(shortfalls(&few(PLACES_MIN - 1), 0.5).is_empty());
        assert_eq!(shortfalls(&few(PLACES_MIN), 0.5).len(), 1);
    }

    #[test]
    fn the_best_of_several_checks_counts() {
        let (blind, sharp) = (tally(50, 0, &[("concurrent", 50)]), tally(50, 50, &[]));
        let both =
            measured(&[("linearizable", &[("stale-read", sharp)]), ("sessions", &[("stale-read", blind)])]);
        assert!(by_kind(&both)["stale-read"].share() > 0.99);
        assert!(shortfalls(&both, 0.5).is_empty());
    }
}
