//! The item algorithm by itself, on problems of which only some operations count in full.
//!
//! Certificates are found by asking about weakened histories, of which [`super::compare`] sees only what
//! comes out in the end. Here each such problem goes straight to the algorithm: its answer must be the
//! oracle's, an order that it gives must replay, and it may doubt only what it says it cannot decide.

use growler_checker::evidence::order::replay;
use growler_checker::linearizability::item::{self, Answer, Doubt};
use growler_checker::linearizability::{END, Job, Limits};
use growler_checker::model::register::{Need, RegisterOp};

use super::history::{ABSENT, NEVER, Op};
use super::orders::{LATER, Meaning, Needs, meanings, orderable};

const LIMITS: Limits = Limits { steps: 1_000_000, bytes: 1 << 24 };

/// What is wrong with the algorithm's answer about a history in which the operations that are not `strong`
/// (a bit each) are weakened.
pub(crate) fn fault(ops: &[Op], strong: u32) -> Option<String> {
    let mut meanings = meanings(ops, strong);
    meanings.sort_by_key(|meaning| meaning.start);
    let jobs: Vec<Job<RegisterOp>> = meanings.iter().map(job).collect();
    let wrong = |what: &str| Some(format!("item algorithm, strong {strong:b}: {what}"));
    match item::linearize(&jobs, usize::from(NEVER) + 1, LIMITS) {
        Answer::Linearizable { order } => match replay(&jobs, &order) {
            Ok(()) if orderable(&meanings) => None,
            Ok(()) => wrong("its order replays, and the oracle finds none"),
            Err(fault) => wrong(&format!("{order:?}: {fault}")),
        },
        Answer::Not(_) if orderable(&meanings) => wrong("it finds no order, and the oracle does"),
        Answer::Not(_) => None,
        Answer::Unknown(Doubt::RepeatedValues) if is_repeated(&meanings) => None,
        Answer::Unknown(Doubt::Opaque) if jobs.iter().any(|job| matches!(job.op.need, Need::Not(_))) => None,
        Answer::Unknown(doubt) => wrong(&format!("it doubts without a reason: {doubt:?}")),
    }
}

fn is_repeated(meanings: &[Meaning]) -> bool {
    let mut written: Vec<_> =
        meanings.iter().filter_map(|op| op.leaves).filter(|&new| new != ABSENT).collect();
    let all = written.len();
    written.sort_unstable();
    written.dedup();
    written.len() < all
}

fn job(meaning: &Meaning) -> Job<RegisterOp> {
    let moment = |at: usize| if at == LATER { END } else { u32::try_from(at).unwrap_or(END) };
    let need = match meaning.needs {
        Needs::Anything => Need::Any,
        Needs::This(value) => Need::Is(value.into()),
        Needs::AnyBut(value) => Need::Not(value.into()),
        Needs::TheImpossible => Need::Never,
    };
    let op = RegisterOp { need, set: meaning.leaves.map(u32::from) };
    Job { op, call: moment(meaning.start), ret: moment(meaning.end), must: meaning.must }
}
