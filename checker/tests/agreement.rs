//! The linearizability checker agrees with the brute-force oracle, verdicts and certificates.
//!
//! These are slices. The whole is `examples/exhaustive.rs` and `examples/fuzz.rs`.

mod oracle;

use growler_checker::verdict::Budget;
use oracle::compare::{Tally, Thoroughness};
use oracle::every::{Every, Which};
use oracle::history::{ABSENT, Answer, Call, Op, Value, events, operations};
use oracle::larger;
use oracle::profiles::Sorts;
use oracle::random::{self, Series};
use rand::SeedableRng;
use rand_chacha::ChaCha8Rng;

/// All that is compared, but the engines by themselves are asked about one way of weakening a history only.
const QUICK: Thoroughness = Thoroughness { every_weakening: false, ..Thoroughness::FULL };

fn agree(tally: &Tally) {
    assert_eq!(tally.disagreements, 0, "{tally}");
}

#[test]
fn agrees_with_the_oracle_on_a_slice_of_random_histories() {
    let mut tally = Tally::default();
    let how = Thoroughness { certificates: 1, smallest: 0, every_weakening: false };
    let sorts = Sorts::named("").expect("all sorts");
    let series = Series { seed: 3, histories: 6 * random::BLOCK, largest: 10, sorts };
    for block in 0..6 {
        series.block(block, how, &mut tally);
    }
    agree(&tally);
    assert!(tally.invalid > 1_000 && tally.invalid < 5_000, "the slice shows both answers: {tally}");
    assert!(tally.by_size().keys().all(|&size| size <= 12), "{tally}");
}

#[test]
fn agrees_with_the_oracle_on_every_history_of_two_operations() {
    let mut tally = Tally::default();
    for operations in 1..=2 {
        let every = Every::new(operations, Which::All);
        for number in 0..every.count() {
            tally.compare("every", number, &every.history(number), QUICK);
        }
    }
    agree(&tally);
    assert!(tally.sizes.keys().all(|&(ours, least)| Some(ours) == least), "as small as can be: {tally}");
}

#[test]
fn agrees_with_the_oracle_on_a_slice_of_the_histories_of_three_operations() {
    let every = Every::new(3, Which::All);
    let mut tally = Tally::default();
    for at in 0..6_000 {
        let number = every.spread(at);
        tally.compare("every", number, &every.history(number), Thoroughness::FULL);
    }
    agree(&tally);
}

#[test]
fn the_engines_agree_on_larger_histories() {
    let mut tally = Tally::default();
    for number in 0..40 {
        let mut rng = ChaCha8Rng::seed_from_u64(5);
        rng.set_stream(number);
        let (events, changed) = larger::history(&mut rng);
        larger::compare(number, &events, changed, Budget { steps: 20_000, bytes: 1 << 24 }, &mut tally);
    }
    agree(&tally);
    assert!(tally.invalid > 8 && tally.invalid < 32, "both answers: {tally}");
}

/// The oracle's reader and its writer are each other's inverse: what is judged is what the checker reads.
#[test]
fn the_oracle_judges_the_history_that_the_checker_reads() {
    let every = Every::new(2, Which::All);
    for number in 0..every.count() {
        let ops = every.history(number);
        assert_eq!(operations(&events(&ops)), renamed(&ops));
    }
}

/// The same operations, with values numbered in the order in which they turn up.
fn renamed(ops: &[Op]) -> Vec<Op> {
    let mut names = vec![ABSENT];
    let mut rename = |value: Value| {
        let known = names.iter().position(|&name| name == value).unwrap_or(names.len());
        if known == names.len() {
            names.push(value);
        }
        Value::try_from(known).expect("a small history has few values")
    };
    let mut renamed = |op: &Op| {
        let call = match op.call {
            Call::Read => Call::Read,
            Call::Write(new) => Call::Write(rename(new)),
            Call::Cas(old, new) => Call::Cas(rename(old), rename(new)),
        };
        let mut answer = |answer| match answer {
            Answer::Ok(seen) => Answer::Ok(seen.map(&mut rename)),
            Answer::Refused(met) => Answer::Refused(met.map(&mut rename)),
            Answer::Failed | Answer::Info => answer,
        };
        Op { call, ended: op.ended.map(|(place, said)| (place, answer(said))), ..*op }
    };
    ops.iter().map(&mut renamed).collect()
}
