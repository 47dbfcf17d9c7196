//! The linearizability checker agrees with the brute-force oracle, verdicts and certificates.

#[path = "oracle/compare.rs"]
mod compare;
mod oracle;
#[path = "oracle/random.rs"]
mod random;

use compare::Tally;

#[test]
fn agrees_with_the_oracle_on_a_slice_of_random_histories() {
    let mut tally = Tally::default();
    tally.run(20_000, 3, 9);
    assert!(tally.mismatches.is_empty(), "{tally}\n{}", tally.mismatches[0]);
    assert!(tally.invalid > 5_000 && tally.invalid < 15_000, "the slice shows both answers: {tally}");
    assert!(tally.sizes.keys().all(|&size| size <= 12), "{tally}");
}
