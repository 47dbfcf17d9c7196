//! The oracle: it tries every order, straight from the contract's text.
//!
//! Section 4's table says what an answer means, section 5 what weakening is; both are written down here a
//! second time, as plainly as possible, and nothing is clever: operations are placed one after another in
//! every order that real time allows, and only pairs of what is placed and what is in force that were tried
//! before are skipped. Sets are bits of a word. Histories have at most 16 operations and 64 values.

use super::history::{ABSENT, Answer, Call, Op, Value};

/// What must be in force when an operation happens.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Needs {
    Anything,
    This(Value),
    AnyBut(Value),
    /// Its answer contradicts itself.
    TheImpossible,
}

/// What an operation still means: when it happens, whether it must, what it needs, and what it leaves.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Meaning {
    /// It happens after this event; from the beginning of the run if this is 0.
    pub(crate) start: usize,
    /// It happens before this event; any time later if this is [`LATER`].
    pub(crate) end: usize,
    pub(crate) must: bool,
    pub(crate) needs: Needs,
    pub(crate) leaves: Option<Value>,
}

/// After the last event.
pub(crate) const LATER: usize = usize::MAX;

/// What an operation means at full strength; nothing if it says nothing.
pub(crate) fn as_recorded(op: &Op) -> Option<Meaning> {
    let (needs, leaves) = match (op.call, op.answer()) {
        (Call::Read, Answer::Ok(seen)) => (Needs::This(seen?), None),
        (Call::Write(new), Answer::Ok(None) | Answer::Info) => (Needs::Anything, Some(new)),
        (Call::Write(new), Answer::Ok(Some(replaced))) => (Needs::This(replaced), Some(new)),
        (Call::Cas(old, new), Answer::Ok(None) | Answer::Info) => (Needs::This(old), Some(new)),
        (Call::Cas(old, new), Answer::Ok(Some(replaced))) => {
            let needs = if replaced == old { Needs::This(old) } else { Needs::TheImpossible };
            (needs, Some(new))
        }
        (Call::Cas(old, _), Answer::Refused(None)) => (Needs::AnyBut(old), None),
        (Call::Cas(old, _), Answer::Refused(Some(met))) => {
            let needs = if met == old { Needs::TheImpossible } else { Needs::This(met) };
            (needs, None)
        }
        _ => return None,
    };
    let must = op.answer() != Answer::Info;
    let end = op.ended.filter(|_| must).map_or(LATER, |(place, _)| place + 1);
    Some(Meaning { start: op.called + 1, end, must, needs, leaves })
}

/// What is left of an operation that was weakened.
pub(crate) fn weakened(op: &Op) -> Option<Meaning> {
    if matches!(op.answer(), Answer::Refused(_) | Answer::Failed) {
        return None;
    }
    let (needs, new) = match op.call {
        Call::Read => return None,
        Call::Write(new) => (Needs::Anything, new),
        Call::Cas(old, new) => (Needs::This(old), new),
    };
    let completed = op.ended.filter(|(_, answer)| *answer != Answer::Info);
    let own_interval = (op.called + 1, completed.map_or(LATER, |(place, _)| place + 1));
    let (start, end) = if new == ABSENT { own_interval } else { (0, LATER) };
    Some(Meaning { start, end, must: false, needs, leaves: Some(new) })
}

/// What the operations mean. Those whose place is not in `strong` (a bit each) are weakened.
pub(crate) fn meanings(ops: &[Op], strong: u32) -> Vec<Meaning> {
    let meaning = |(at, op)| if strong >> at & 1 == 1 { as_recorded(op) } else { weakened(op) };
    ops.iter().enumerate().filter_map(meaning).collect()
}

/// Whether the operations can be ordered. Those whose place is not in `strong` (a bit each) are weakened.
pub(crate) fn linearizable(ops: &[Op], strong: u32) -> bool {
    orderable(&meanings(ops, strong))
}

/// Whether operations that mean this can be ordered.
pub(crate) fn orderable(all: &[Meaning]) -> bool {
    assert!(all.len() <= 16, "the oracle is for small histories");
    let before = |a: &Meaning, b: &Meaning| a.end < b.start;
    let set = |holds: &dyn Fn(&Meaning) -> bool| {
        (0..all.len()).filter(|&at| holds(&all[at])).fold(0_u32, |set, at| set | 1 << at)
    };
    let trial = Trial {
        all,
        must: set(&|op| op.must),
        overtaken: all.iter().map(|next| set(&|op| op.must && before(op, next))).collect(),
        too_late: all.iter().map(|next| set(&|op| before(next, op))).collect(),
        tried: vec![0; 1 << all.len()],
    };
    { trial }.extend(0, ABSENT)
}

struct Trial<'m> {
    all: &'m [Meaning],
    /// Those that must happen.
    must: u32,
    /// For each, those that must have happened before it.
    overtaken: Vec<u32>,
    /// For each, those that cannot have happened before it.
    too_late: Vec<u32>,
    /// For each set of placed operations, the values with which it was tried.
    tried: Vec<u64>,
}

impl Trial<'_> {
    /// Whether the history can be completed after these operations have been placed, in this state.
    fn extend(&mut self, placed: u32, state: Value) -> bool {
        if self.must & !placed == 0 {
            return true;
        }
        let tried = &mut self.tried[placed as usize];
        if *tried >> state & 1 == 1 {
            return false;
        }
        *tried |= 1 << state;
        (0..self.all.len()).any(|next| {
            let Meaning { needs, leaves, .. } = self.all[next];
            let holds = match needs {
                Needs::Anything => true,
                Needs::This(value) => state == value,
                Needs::AnyBut(value) => state != value,
                Needs::TheImpossible => false,
            };
            let is_placed = placed >> next & 1 == 1;
            let in_time = self.overtaken[next] & !placed == 0 && self.too_late[next] & placed == 0;
            holds && !is_placed && in_time && self.extend(placed | 1 << next, leaves.unwrap_or(state))
        })
    }
}

/// What is wrong with a certificate, by the contract's definition; nothing if it is right.
pub(crate) fn fault_of_certificate(ops: &[Op], certificate: &[u64]) -> Option<String> {
    let mut strong = 0_u32;
    for index in certificate {
        let Some(at) = ops.iter().position(|op| op.index == *index) else {
            return Some(format!("{index} is no invocation"));
        };
        strong |= 1 << at;
    }
    if strong.count_ones() as usize != certificate.len() {
        return Some("it names an operation twice".to_owned());
    }
    if linearizable(ops, strong) {
        return Some(
            "it proves nothing: with everything else weakened, the history is linearizable".to_owned(),
        );
    }
    (0..ops.len()).filter(|at| strong >> at & 1 == 1).find_map(|at| {
        let without = linearizable(ops, strong & !(1 << at));
        (!without).then(|| format!("operation {} is not needed", ops[at].index))
    })
}

/// The size of the smallest certificate, if it is smaller than this.
pub(crate) fn smallest_certificate(ops: &[Op], below: usize) -> Option<usize> {
    let telling: u32 = (0..ops.len()).filter(|&at| says_more(&ops[at])).map(|at| 1 << at).sum();
    (1..below).find(|&size| {
        let sets = (0..1_u32 << ops.len()).filter(|set| set.count_ones() as usize == size);
        sets.into_iter().any(|set| set & !telling == 0 && !linearizable(ops, set))
    })
}

/// Whether weakening takes anything away from the operation.
fn says_more(op: &Op) -> bool {
    as_recorded(op) != weakened(op)
}
