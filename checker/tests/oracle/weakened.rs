//! The engines by themselves, on problems of which only some operations count in full.
//!
//! Certificates are found by asking about weakened histories, of which [`super::compare`] sees only what
//! comes out in the end. Here each such problem goes straight to the item algorithm, and to the general
//! engine without a guide: their answers must be the oracle's, the orders that they give must replay, and
//! the item algorithm may doubt only what it says it cannot decide. And the verifier of certificates is asked
//! about every such set of operations, proof or not, and the monitor must not cry wolf.

use growler_checker::anomaly;
use growler_checker::evidence::certificate::{self, CertificateFault};
use growler_checker::evidence::order::replay;
use growler_checker::history::Event;
use growler_checker::linearizability::general;
use growler_checker::linearizability::item::{self, Answer, Doubt};
use growler_checker::linearizability::online::Monitor;
use growler_checker::linearizability::{END, Job, Limits};
use growler_checker::model::register::{Need, Register, RegisterOp};
use growler_checker::verdict::Anomaly;

use super::history::{ABSENT, NEVER, Op};
use super::orders::{LATER, Meaning, Needs, fault_of_certificate, linearizable, meanings, orderable};

const LIMITS: Limits = Limits { steps: 1_000_000, bytes: 1 << 24 };

/// What is wrong with an engine's answer about a history in which the operations that are not `strong`
/// (a bit each) are weakened.
pub(crate) fn fault(ops: &[Op], strong: u32) -> Option<String> {
    let mut meanings = meanings(ops, strong);
    meanings.sort_by_key(|meaning| meaning.start);
    let jobs: Vec<Job<RegisterOp>> = meanings.iter().map(job).collect();
    let expected = orderable(&meanings);
    let item = match item::linearize(&jobs, usize::from(NEVER) + 1, LIMITS) {
        Answer::Linearizable { order } => order_fault(&jobs, &order, expected),
        Answer::Not(_) => expected.then(|| "it finds no order, and the oracle does".to_owned()),
        Answer::Unknown(Doubt::RepeatedValues) if is_repeated(&meanings) => None,
        Answer::Unknown(Doubt::Opaque) if jobs.iter().any(|job| matches!(job.op.need, Need::Not(_))) => None,
        Answer::Unknown(doubt) => Some(format!("it doubts without a reason: {doubt:?}")),
    };
    let found = general::search(&Register, &general::Unguided, &jobs, LIMITS);
    let general = match (found.answer, found.order) {
        (general::Answer::Linearizable, Some(order)) => order_fault(&jobs, &order, expected),
        (general::Answer::Not { .. }, None) => {
            expected.then(|| "it finds no order, and the oracle does".to_owned())
        }
        other => Some(format!("it answers {other:?}")),
    };
    let named = |engine: &str, fault: Option<String>| {
        fault.map(|fault| format!("{engine}, alone, strong {strong:b}: {fault}"))
    };
    named("item algorithm", item).or(named("general engine without a guide", general))
}

/// What is wrong with the verifier's opinion of these operations (a bit each) as a certificate.
pub(crate) fn fault_of_verifier(ops: &[Op], events: &[Event], strong: u32) -> Option<String> {
    let members = (0..ops.len()).filter(|at| strong >> at & 1 == 1);
    let members: Vec<u64> = members.map(|at| ops[at].index).collect();
    let expected = fault_of_certificate(ops, &members);
    let claim = Anomaly::claim(anomaly::NONLINEARIZABLE, &members);
    match (certificate::verify(events, "cas-register", &claim), &expected) {
        (Ok(()), None) => None,
        (Err(CertificateFault::Empty), _) if claim.ops.is_empty() => None,
        (Err(CertificateFault::ProvesNothing), Some(_)) if linearizable(ops, strong) => None,
        (Err(CertificateFault::NotNeeded { .. }), Some(_)) if !linearizable(ops, strong) => None,
        (answer, _) => {
            Some(format!("the verifier says of {:?} {answer:?}, the oracle {expected:?}", claim.ops))
        }
    }
}

/// What is wrong with the alarm that the monitor raises about a history, and whether it raises one. It may be
/// silent; but what it calls certain must be, at that completion.
pub(crate) fn fault_of_alarm(ops: &[Op], events: &[Event]) -> (bool, Option<String>) {
    let mut monitor = Monitor::new();
    let Some(alarm) = events.iter().find_map(|event| monitor.observe(event)) else { return (false, None) };
    let so_far = |place: usize| place as u64 <= alarm.position;
    let known = ops.iter().filter(|op| so_far(op.called));
    let known: Vec<Op> =
        known.map(|op| Op { ended: op.ended.filter(|&(place, _)| so_far(place)), ..*op }).collect();
    let is_false = linearizable(&known, u32::MAX);
    (true, is_false.then(|| format!("a false alarm at event {}", alarm.position)))
}

fn order_fault(jobs: &[Job<RegisterOp>], order: &[u32], expected: bool) -> Option<String> {
    match replay(jobs, order) {
        Ok(()) if expected => None,
        Ok(()) => Some("its order replays, and the oracle finds none".to_owned()),
        Err(fault) => Some(format!("{order:?}: {fault}")),
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
