//! The verifier of certificates agrees with the brute-force oracle, on right certificates and on wrong ones.
//!
//! `CERTIFICATES_TIMES=100 cargo test --release -p growler-checker --test certificates` is the long run.

mod oracle;

use growler_checker::evidence::certificate::{CertificateFault, Strength, verify, verify_with};
use growler_checker::linearizability::{END, Job};
use growler_checker::model::register::{Need, Register, RegisterOp};
use growler_checker::verdict::Anomaly;
use oracle::history::{Answer, Call, Op, Value, events};
use oracle::orders::{LATER, Meaning, Needs, as_recorded, fault_of_certificate, linearizable, weakened};
use oracle::{profiles, random};
use rand::{Rng, RngExt, SeedableRng};
use rand_chacha::ChaCha8Rng;

fn anomaly(ops: &[u64]) -> Anomaly {
    Anomaly::claim("nonlinearizable", ops)
}

/// How many certificates of each sort were compared.
#[derive(Default)]
struct Compared {
    right: u32,
    proves_nothing: u32,
    not_needed: u32,
}

impl Compared {
    /// Compares the answers on one certificate.
    fn compare(&mut self, ops: &[Op], members: &[u64]) {
        let expected = fault_of_certificate(ops, members);
        let events = events(ops);
        let found = verify(&events, "cas-register", &anomaly(members));
        if ops.len() <= 7 {
            assert_eq!(found, by_the_model(ops, members), "{members:?} {ops:?}");
        }
        let agrees = match (expected.as_deref(), &found) {
            (None, Ok(())) => {
                self.right += 1;
                true
            }
            (Some(fault), Err(CertificateFault::ProvesNothing)) => {
                self.proves_nothing += 1;
                fault.contains("proves nothing")
            }
            (Some(fault), Err(CertificateFault::NotNeeded { index })) => {
                self.not_needed += 1;
                fault.contains(&format!("operation {index} is not needed"))
            }
            _ => false,
        };
        let lines: Vec<String> =
            events.iter().filter_map(|event| serde_json::to_string(event).ok()).collect();
        assert!(agrees, "{members:?}: oracle {expected:?}, verifier {found:?}\n{}", lines.join("\n"));
    }

    /// Compares the answers on some random sets of operations, and on those around a right one.
    fn compare_some(&mut self, rng: &mut impl Rng, ops: &[Op]) {
        if linearizable(ops, u32::MAX) {
            return;
        }
        let all: Vec<u64> = ops.iter().map(|op| op.index).collect();
        for _ in 0..4 {
            let share = rng.random_range(0.2..1.0);
            let mut members = all.clone();
            members.retain(|_| rng.random_bool(share));
            if !members.is_empty() {
                self.compare(ops, &members);
            }
        }
        let mut members = right_one(ops, &all);
        self.compare(ops, &members);
        let one_more = all[rng.random_range(0..all.len())];
        if !members.contains(&one_more) {
            let mut members = members.clone();
            members.push(one_more);
            members.sort_unstable();
            self.compare(ops, &members);
        }
        members.remove(rng.random_range(0..members.len()));
        if !members.is_empty() {
            self.compare(ops, &members);
        }
    }

    fn assert_many_of_each(&self) {
        let Self { right, proves_nothing, not_needed } = self;
        let least = right.min(proves_nothing).min(not_needed);
        assert!(*least > 600, "right {right}, prove nothing {proves_nothing}, too large {not_needed}");
    }
}

/// The same, by the verifier for any model.
fn by_the_model(ops: &[Op], members: &[u64]) -> Result<(), CertificateFault> {
    let nothing = Job { op: RegisterOp { need: Need::Any, set: None }, call: 0, ret: END, must: false };
    let strength = |op: &Op| Strength {
        full: as_recorded(op).map_or(nothing.clone(), job),
        weak: weakened(op).map(job),
    };
    let operations: Vec<Strength<RegisterOp>> = ops.iter().map(strength).collect();
    let place = |index: &u64| ops.iter().position(|op| op.index == *index);
    let members: Vec<usize> = members.iter().filter_map(place).collect();
    let name = |place: u64| ops[usize::try_from(place).expect("a place")].index;
    verify_with(&Register, &operations, &members, 1_000_000).map_err(|fault| match fault {
        CertificateFault::NotNeeded { index } => CertificateFault::NotNeeded { index: name(index) },
        other => other,
    })
}

fn job(meaning: Meaning) -> Job<RegisterOp> {
    let moment = |at: usize| if at == LATER { END } else { u32::try_from(at).expect("a short history") };
    let need = match meaning.needs {
        Needs::Anything => Need::Any,
        Needs::This(value) => Need::Is(value.into()),
        Needs::AnyBut(value) => Need::Not(value.into()),
        Needs::TheImpossible => Need::Never,
    };
    let op = RegisterOp { need, set: meaning.leaves.map(Into::into) };
    Job { op, call: moment(meaning.start), ret: moment(meaning.end), must: meaning.must }
}

/// A right certificate, by the oracle.
fn right_one(ops: &[Op], all: &[u64]) -> Vec<u64> {
    let proves = |members: &[u64]| {
        let fault = fault_of_certificate(ops, members);
        fault.is_none_or(|fault| !fault.contains("proves nothing"))
    };
    let mut members = all.to_vec();
    for &index in all {
        let rest: Vec<u64> = members.iter().copied().filter(|&member| member != index).collect();
        if proves(&rest) {
            members = rest;
        }
    }
    members
}

/// A history in which anything may have been answered, with many deletes and conditions: most of it is only
/// good to be weakened.
fn wild(rng: &mut impl Rng, count: usize) -> Vec<Op> {
    let unique = rng.random_bool(0.6);
    let deletes = rng.random_range(0.0..0.6);
    let conditions = rng.random_range(0.0..1.0);
    let width = rng.random_range(1..=4);
    let (mut ops, mut open): (Vec<Op>, Vec<usize>) = (Vec::new(), Vec::new());
    let (mut places, mut fresh): (usize, Value) = (0, 0);
    while ops.len() < count || !open.is_empty() {
        let any = rng.random_range(0..=if unique { fresh } else { 3 });
        if ops.len() < count && open.len() < width && (open.is_empty() || rng.random_bool(0.5)) {
            let new = if rng.random_bool(deletes) {
                0
            } else {
                fresh += 1;
                if unique { fresh } else { rng.random_range(1..=3) }
            };
            let call = match rng.random_range(0..4) {
                0 => Call::Read,
                _ if rng.random_bool(conditions) => Call::Cas(any, new),
                _ => Call::Write(new),
            };
            open.push(ops.len());
            ops.push(Op::new(places, call, None));
        } else {
            let op = &mut ops[open.swap_remove(rng.random_range(0..open.len()))];
            let image = rng.random_bool(0.2).then_some(any);
            let answer = match (rng.random_range(0..10), op.call) {
                (0, _) => Answer::Info,
                (1, _) => Answer::Failed,
                (2 | 3, Call::Cas(..)) => Answer::Refused(image),
                (_, Call::Read) => Answer::Ok(Some(any)),
                _ => Answer::Ok(image),
            };
            op.ended = Some((places, answer));
        }
        places += 1;
    }
    ops
}

/// How many times as many histories as usual.
fn times() -> u32 {
    std::env::var("CERTIFICATES_TIMES").ok().and_then(|times| times.parse().ok()).unwrap_or(1)
}

#[test]
fn agrees_with_the_oracle_on_histories_of_every_sort() {
    let mut rng = ChaCha8Rng::seed_from_u64(5);
    let mut compared = Compared::default();
    for _ in 0..2_500 * times() {
        let profile = profiles::draw(&mut rng);
        let count = rng.random_range(2..=10);
        let ops = random::history(&mut rng, profile, count);
        compared.compare_some(&mut rng, &ops);
    }
    compared.assert_many_of_each();
}

#[test]
fn agrees_with_the_oracle_on_histories_full_of_deletes_and_conditions() {
    let mut rng = ChaCha8Rng::seed_from_u64(6);
    let mut compared = Compared::default();
    for _ in 0..1_500 * times() {
        let count = rng.random_range(4..=10);
        let ops = wild(&mut rng, count);
        compared.compare_some(&mut rng, &ops);
    }
    compared.assert_many_of_each();
}
