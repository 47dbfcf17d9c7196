//! Certificates of any model's objects, by trying everything.
//!
//! What is known of a model is what it does ([`Model::step`]), so there is no way to tell beforehand which
//! weak operations can help. Orders are tried with as few of them as possible first: all that the members can
//! do by themselves, then all that they can do after one weak operation, and so on. What was tried (members
//! placed, weak operations used, the moment, the state) is not tried again, and equal weak operations are not
//! told apart.
//!
//! That is exact, and soon too much: a dozen weak operations with different effects have thousands of states.
//! Where the steps end first, nobody knows, and [`CertificateFault::Undecided`] says so. What a model's
//! operations are, and what weakening leaves of them, is not known here: it is given, job by job, by whoever
//! asks, or by the model's [`Vocabulary`], which says for each model what the contract's table says for
//! registers.

use std::collections::{HashMap, HashSet};

use super::search::Exhausted;
use super::{CertificateFault, MOST_MEMBERS};
use crate::history::{Operation, Outcome};
use crate::linearizability::modelled::{Names, Vocabulary, Weak};
use crate::linearizability::{END, Job};
use crate::model::Model;

/// An operation at full strength, and what weakening leaves of it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Strength<O> {
    /// The operation as it was recorded.
    pub full: Job<O>,
    /// What is left of it, nothing for one that only looked. It is never a must.
    pub weak: Option<Job<O>>,
}

/// Verifies a certificate of an object of any model: `members` are places in `operations`. A fault names
/// operations by their places.
///
/// # Errors
///
/// What is wrong with it.
pub fn verify_with<M: Model>(
    model: &M,
    operations: &[Strength<M::Op>],
    members: &[usize],
    mut steps: u64,
) -> Result<(), CertificateFault> {
    for (at, &member) in members.iter().enumerate() {
        let index = member as u64;
        if member >= operations.len() {
            return Err(CertificateFault::Stranger { index });
        }
        if members[..at].contains(&member) {
            return Err(CertificateFault::Twice { index });
        }
    }
    if members.is_empty() {
        return Err(CertificateFault::Empty);
    }
    if members.len() > MOST_MEMBERS {
        return Err(CertificateFault::Undecided { why: "it has too many members" });
    }
    let mut undecided = false;
    let mut can_be_ordered = |weakened: Option<usize>| {
        let strong: Vec<usize> = members.iter().copied().filter(|&at| Some(at) != weakened).collect();
        let answer = Trial::new(model, operations, &strong).run(&mut steps);
        undecided |= answer.is_err();
        answer.ok()
    };
    if can_be_ordered(None) == Some(true) {
        return Err(CertificateFault::ProvesNothing);
    }
    for &member in members {
        if can_be_ordered(Some(member)) == Some(false) {
            return Err(CertificateFault::NotNeeded { index: member as u64 });
        }
    }
    if undecided { Err(CertificateFault::Undecided { why: "its steps are spent" }) } else { Ok(()) }
}

/// Verifies a certificate of an object that the vocabulary knows, named by indexes, all of one key.
pub(super) fn of_object<V: Vocabulary>(
    vocabulary: &V,
    key: &[Operation<'_>],
    members: &[u64],
    steps: u64,
) -> Result<(), CertificateFault> {
    let is_member = |operation: &&Operation<'_>| members.contains(&operation.index);
    let operations: Vec<Operation<'_>> = key.to_vec();
    let mut objects = vocabulary.split(operations).into_iter();
    let Some(object) = objects.find(|object| object.iter().any(|operation| is_member(&operation))) else {
        return Err(CertificateFault::Empty);
    };
    let mut names = Names::default();
    let (mut operations, mut indexes) = (Vec::new(), Vec::new());
    for operation in object.iter().filter(|operation| operation.f() != "replica-read") {
        let Ok(said) = vocabulary.say(operation, &mut names) else {
            return Err(CertificateFault::Undecided { why: "its key has operations that the model has not" });
        };
        let Some(said) = said else { continue };
        let must = operation.outcome() != Outcome::Info;
        let moment = |position: usize| u32::try_from(position + 1).unwrap_or(END - 1);
        let ret = operation.ret.filter(|_| must).map_or(END, moment);
        let call = moment(operation.call);
        let full = Job { op: said.op, call, ret, must };
        let weak = match said.weak {
            Weak::Nothing => None,
            Weak::Anytime(op) => Some(Job { op, call: 0, ret: END, must: false }),
            Weak::InTime(op) => Some(Job { op, call, ret, must: false }),
        };
        operations.push(Strength { full, weak });
        indexes.push(operation.index);
    }
    let place = |index: &u64| indexes.binary_search(index).ok();
    let places: Vec<usize> = members.iter().filter_map(place).collect();
    verify_with(vocabulary, &operations, &places, steps).map_err(|fault| match fault {
        CertificateFault::NotNeeded { index } => {
            let index = usize::try_from(index).ok().and_then(|place| indexes.get(place)).copied();
            CertificateFault::NotNeeded { index: index.unwrap_or_default() }
        }
        // None of its members says anything about this object.
        CertificateFault::Empty => CertificateFault::ProvesNothing,
        other => other,
    })?;
    // A member that says nothing, or concerns another object, proves nothing with the others.
    let idle = members.iter().find(|index| place(index).is_none());
    idle.map_or(Ok(()), |&index| Err(CertificateFault::NotNeeded { index }))
}

/// An order so far, as far as it matters to the rest.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
struct Tried<S> {
    placed: u128,
    /// The weak operations in it, sorted.
    used: Vec<usize>,
    now: u32,
    state: S,
}

struct Trial<'a, M: Model> {
    model: &'a M,
    strong: Vec<&'a Job<M::Op>>,
    /// The weak operations that differ, and how many of each there are.
    weak: Vec<(&'a Job<M::Op>, usize)>,
}

impl<'a, M: Model> Trial<'a, M> {
    fn new(model: &'a M, operations: &'a [Strength<M::Op>], members: &[usize]) -> Self {
        let mut trial = Self { model, strong: Vec::new(), weak: Vec::new() };
        let mut places = HashMap::new();
        for (at, operation) in operations.iter().enumerate() {
            if members.contains(&at) {
                trial.strong.push(&operation.full);
            } else if let Some(weak) = &operation.weak {
                let place = *places.entry((&weak.op, weak.call, weak.ret)).or_insert(trial.weak.len());
                match trial.weak.get_mut(place) {
                    Some((_, count)) => *count += 1,
                    None => trial.weak.push((weak, 1)),
                }
            }
        }
        trial
    }

    /// Whether the strong operations can be ordered.
    fn run(&self, steps: &mut u64) -> Result<bool, Exhausted> {
        let musts = self.strong.iter().enumerate().filter(|(_, job)| job.must);
        let all = musts.fold(0_u128, |set, (at, _)| set | 1 << at);
        let mut level = vec![Tried { placed: 0, used: Vec::new(), now: 0, state: self.model.initial() }];
        let mut tried: HashSet<Tried<M::State>> = HashSet::new();
        while !level.is_empty() {
            let mut next_level = Vec::new();
            while let Some(here) = level.pop() {
                if all & !here.placed == 0 {
                    return Ok(true);
                }
                if !tried.insert(here.clone()) {
                    continue;
                }
                let deadline = self.deadline(here.placed);
                for (at, job) in self.strong.iter().enumerate() {
                    if here.placed >> at & 1 == 0 {
                        let placed = here.placed | 1 << at;
                        self.extend(job, &here, deadline, steps, |now, state| {
                            level.push(Tried { placed, used: here.used.clone(), now, state });
                        })?;
                    }
                }
                for (at, &(job, count)) in self.weak.iter().enumerate() {
                    if here.used.iter().filter(|&&used| used == at).count() < count {
                        self.extend(job, &here, deadline, steps, |now, state| {
                            let mut used = here.used.clone();
                            used.insert(used.partition_point(|&used| used < at), at);
                            next_level.push(Tried { placed: here.placed, used, now, state });
                        })?;
                    }
                }
            }
            level = next_level;
        }
        Ok(false)
    }

    /// The first moment at which a strong operation that is not placed yet, and must be, has ended.
    fn deadline(&self, placed: u128) -> u32 {
        let open = self.strong.iter().enumerate().filter(|(at, job)| job.must && placed >> at & 1 == 0);
        open.map(|(_, job)| job.ret).min().unwrap_or(u32::MAX)
    }

    /// Takes one more operation into the order, if it fits there.
    fn extend(
        &self,
        job: &Job<M::Op>,
        here: &Tried<M::State>,
        deadline: u32,
        steps: &mut u64,
        mut found: impl FnMut(u32, M::State),
    ) -> Result<(), Exhausted> {
        *steps = steps.checked_sub(1).ok_or(Exhausted)?;
        let now = here.now.max(job.call);
        if now <= job.ret && now <= deadline {
            self.model.step(&here.state, &job.op).for_each(|state| found(now, state));
        }
        Ok(())
    }
}
