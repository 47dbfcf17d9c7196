//! Does a certificate prove what it claims? Decided from the contract's definition, and from nothing else.
//!
//! Section 5 of the contract: the history (of that key) stays non-linearizable when every operation outside
//! the certificate is weakened, and becomes linearizable when any member is weakened too. So for a
//! certificate of k members, [`verify`] decides k + 1 times whether a weakened history is linearizable.
//!
//! That is easy, although the history may have millions of operations, because weak operations are so weak.
//! Whoever is no member only has a write left, mostly without a moment and never with a duty. `outline` turns
//! all of them into a few places and ways between them, once; `search` then tries every order of the members,
//! with ways between them, k + 1 times. Both are exact, and say why in their first lines. Where values repeat
//! a search may be long, for then the question is hard: the answer is [`CertificateFault::Undecided`] when
//! its steps are spent. With unique values that does not happen to certificates that a person would read.

mod modelled;
mod outline;
mod search;

use modelled::of_object;
pub use modelled::{Strength, verify_with};
use outline::Outline;
use search::{Exhausted, linearizable};

use super::provenance::nobody_brought;
use crate::history::{Event, Operation, PairError, by_key, pair};
use crate::model::counter::Counter;
use crate::model::kv::Kv;
use crate::model::multi_register::MultiRegister;
use crate::model::mutex::Mutex;
use crate::model::queue::Queue;
use crate::model::set::Set;
use crate::verdict::Anomaly;

/// What one certificate may cost, in steps of the search.
const STEPS: u64 = 5_000_000;

/// The same where everything is tried: each step may keep a state of the model.
const MODELLED_STEPS: u64 = 100_000;

/// The search keeps a bit for each member.
const MOST_MEMBERS: usize = 128;

/// Why a certificate is not confirmed.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum CertificateFault {
    /// The events are no history.
    #[error(transparent)]
    Pair(#[from] PairError),
    /// It names no operation.
    #[error("the certificate names no operation")]
    Empty,
    /// It names what is no invocation.
    #[error("the certificate names event {index}, which is no invocation of a client")]
    Stranger {
        /// The index.
        index: u64,
    },
    /// It names an operation twice.
    #[error("the certificate names operation {index} twice")]
    Twice {
        /// The invocation.
        index: u64,
    },
    /// It names an operation of another key than the anomaly's.
    #[error("the certificate names operation {index}, which concerns another key")]
    OtherKey {
        /// The invocation.
        index: u64,
    },
    /// With every other operation weakened, the members can be ordered.
    #[error(
        "the certificate proves nothing: with every other operation weakened, its operations can be ordered"
    )]
    ProvesNothing,
    /// A member can be weakened, and the rest still cannot be ordered.
    #[error("the certificate is not minimal: operation {index} is not needed for the proof")]
    NotNeeded {
        /// The invocation.
        index: u64,
    },
    /// The verifier could not decide.
    #[error("the certificate could not be verified: {why}")]
    Undecided {
        /// What stood in the way.
        why: &'static str,
    },
}

impl CertificateFault {
    /// Whether the certificate is wrong, and growler with it. Otherwise nobody knows.
    #[must_use]
    pub fn is_defect(&self) -> bool {
        !matches!(self, Self::Undecided { .. })
    }

    /// Whether the violation was proven all the same: a certificate with a member too many proves no less.
    #[must_use]
    pub fn proves_violation(&self) -> bool {
        matches!(self, Self::NotNeeded { .. })
    }
}

/// Verifies the certificate of one anomaly of the `linearizable` check.
///
/// # Errors
///
/// What is wrong with it.
pub fn verify(events: &[Event], model: &str, anomaly: &Anomaly) -> Result<(), CertificateFault> {
    verify_all(events, model, std::slice::from_ref(anomaly)).pop().unwrap_or(Err(CertificateFault::Empty))
}

/// Verifies the certificates of several anomalies of one history. The answers are in the anomalies' order.
#[must_use]
pub fn verify_all(events: &[Event], model: &str, anomalies: &[Anomaly]) -> Vec<Result<(), CertificateFault>> {
    if anomalies.is_empty() {
        return Vec::new();
    }
    let operations = match pair(events) {
        Ok(operations) => operations,
        Err(error) => return anomalies.iter().map(|_| Err(error.clone().into())).collect(),
    };
    let objects = by_key(&operations);
    let verify = |anomaly: &Anomaly| {
        let object = objects.get(&anomaly.key.as_ref()).map_or(&[][..], Vec::as_slice);
        let members = places(&operations, object, &anomaly.ops)?;
        if let &[member] = members.as_slice()
            && nobody_brought(object, model, &object[member])
        {
            return Ok(());
        }
        match model {
            "register" | "cas-register" => of_register(object, &members, STEPS).1,
            "multi-register" => of_object(&MultiRegister, object, &anomaly.ops, MODELLED_STEPS),
            "counter" => of_object(&Counter, object, &anomaly.ops, MODELLED_STEPS),
            "set" => of_object(&Set, object, &anomaly.ops, MODELLED_STEPS),
            "queue" => of_object(&Queue, object, &anomaly.ops, MODELLED_STEPS),
            "kv" => of_object(&Kv, object, &anomaly.ops, MODELLED_STEPS),
            "mutex" => of_object(&Mutex, object, &anomaly.ops, MODELLED_STEPS),
            _ => Err(CertificateFault::Undecided { why: "there is no verifier for this model" }),
        }
    };
    anomalies.iter().map(verify).collect()
}

/// Where the members are among the operations of their key.
fn places(
    all: &[Operation<'_>],
    object: &[Operation<'_>],
    members: &[u64],
) -> Result<Vec<usize>, CertificateFault> {
    // Operations are in order of their invocations, and so are their indexes.
    let find = |operations: &[Operation<'_>], index| operations.binary_search_by_key(&index, |op| op.index);
    let mut places = Vec::with_capacity(members.len());
    for &index in members {
        let Ok(place) = find(object, index) else {
            let is_other = find(all, index).is_ok();
            let (other, stranger) =
                (CertificateFault::OtherKey { index }, CertificateFault::Stranger { index });
            return Err(if is_other { other } else { stranger });
        };
        if places.contains(&place) {
            return Err(CertificateFault::Twice { index });
        }
        places.push(place);
    }
    if places.is_empty() { Err(CertificateFault::Empty) } else { Ok(places) }
}

/// Verifies a certificate of a register. The steps that are left come first.
fn of_register(
    object: &[Operation<'_>],
    members: &[usize],
    mut steps: u64,
) -> (u64, Result<(), CertificateFault>) {
    if members.len() > MOST_MEMBERS {
        return (steps, Err(CertificateFault::Undecided { why: "it has too many members" }));
    }
    let outline = Outline::new(object, members);
    let all = u128::MAX >> (MOST_MEMBERS - members.len());
    let mut undecided = false;
    let mut decide = |strong| match linearizable(&outline, strong, &mut steps) {
        Ok(answer) => Some(answer),
        Err(Exhausted) => {
            undecided = true;
            None
        }
    };
    if decide(all) == Some(true) {
        return (steps, Err(CertificateFault::ProvesNothing));
    }
    for (at, &member) in members.iter().enumerate() {
        if decide(all & !(1 << at)) == Some(false) {
            return (steps, Err(CertificateFault::NotNeeded { index: object[member].index }));
        }
    }
    if undecided {
        return (steps, Err(CertificateFault::Undecided { why: "its steps are spent" }));
    }
    (steps, Ok(()))
}

#[cfg(test)]
mod tests;
