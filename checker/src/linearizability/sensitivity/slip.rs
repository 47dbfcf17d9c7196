//! Single faults of a store that holds registers: where they can be, and what clients are told then.
//!
//! Everything after the slip is answered by an honest store in the state that the slip left behind:
//! conditions are evaluated again, and one that now fails is refused with what it met, if this server says
//! that; one that now holds is applied. It goes on so until the state is again what it was in the recorded
//! run; from there on nothing can differ. Operations that were never answered do what they did, if their
//! condition still holds.

use std::collections::HashSet;

use super::super::object::{Action, Entry, Object};
use super::witness::Witness;
use crate::history::{Operation, Outcome, Overlaps};
use crate::model::register::{ABSENT, Symbol};
use crate::sensitivity::{AMID_WRITES, Dice};

/// What the store gets wrong. The table is in [`super`].
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Fault {
    StaleRead,
    LostWrite,
    LostUpdate,
    DeleteUndone,
}

impl Fault {
    pub(super) const ALL: [Self; 4] =
        [Self::StaleRead, Self::LostWrite, Self::LostUpdate, Self::DeleteUndone];

    fn name(self) -> &'static str {
        match self {
            Self::StaleRead => "stale-read",
            Self::LostWrite => "lost-write",
            Self::LostUpdate => "lost-update",
            Self::DeleteUndone => "delete-undone",
        }
    }
}

/// A kind of fault: what goes wrong, and whether another write of the item was open then.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Kind {
    pub(super) fault: Fault,
    pub(super) amid: bool,
}

impl Kind {
    pub(super) const COUNT: usize = 2 * Fault::ALL.len();

    pub(super) fn all() -> [Self; Self::COUNT] {
        std::array::from_fn(|number| Self { fault: Fault::ALL[number / 2], amid: number % 2 == 1 })
    }

    pub(super) fn number(self) -> usize {
        2 * self.fault as usize + usize::from(self.amid)
    }

    pub(super) fn name(self) -> String {
        format!("{}{}", self.fault.name(), if self.amid { AMID_WRITES } else { "" })
    }
}

/// When the answered writes of a key were open.
pub(super) fn writes(entries: &[Entry]) -> Overlaps {
    let writes = entries.iter().filter(|entry| entry.action.wrote().is_some());
    Overlaps::new(writes.filter_map(|entry| Some((entry.call as usize, entry.ret? as usize))))
}

/// Whether an answered write, other than the entry itself, was open at some moment of the entry.
fn is_amid(writes: &Overlaps, entry: &Entry) -> bool {
    let Some(ret) = entry.ret else { return true };
    let itself = usize::from(entry.action.wrote().is_some());
    writes.meeting(entry.call as usize, ret as usize) > itself
}

/// What a slip did to the run of a key.
#[derive(Debug, Default, PartialEq, Eq)]
pub(super) struct Slip {
    /// Entries that are answered otherwise, and how.
    pub(super) changes: Vec<(u32, Action)>,
    /// Entries that were never answered, had their effect in the recorded run, and do not have it now.
    pub(super) unapplied: Vec<u32>,
    /// The place after which the state is again what it was. None: never again.
    pub(super) until: Option<usize>,
    /// Whether an answer after the slip depends on the state in any way.
    pub(super) looked: bool,
}

/// Which answers carry an old image, by how they were asked for. As in the recorded history: a server that
/// says what a write replaced need not say what a condition met.
#[derive(Debug, Default)]
pub(super) struct Images<'h> {
    on_success: HashSet<Manner<'h>>,
    on_refusal: HashSet<Manner<'h>>,
    refused: HashSet<Manner<'h>>,
}

/// How a write was asked for: `via`, and whether it deletes. Servers differ by these.
type Manner<'h> = (Option<&'h str>, bool);

impl<'h> Images<'h> {
    /// What the server said in this history.
    pub(super) fn of(objects: &[Object<'h>]) -> Self {
        let mut images = Self::default();
        for object in objects {
            for entry in &object.entries {
                let operation = &object.ops[entry.op];
                match entry.action {
                    Action::Write { new, replaced: Some(_) } | Action::Cas { new, replaced: Some(_), .. } => {
                        images.on_success.insert(manner(operation, new));
                    }
                    Action::Refused { new, met, .. } => {
                        images.refused.insert(manner(operation, new));
                        if met.is_some() {
                            images.on_refusal.insert(manner(operation, new));
                        }
                    }
                    _ => {}
                }
            }
        }
        images
    }

    fn success(&self, operation: &Operation<'_>, new: Symbol) -> bool {
        self.on_success.contains(&manner(operation, new))
    }

    /// Where no such write was ever refused, it is taken to answer as those that succeed.
    fn refusal(&self, operation: &Operation<'_>, new: Symbol) -> bool {
        let manner = manner(operation, new);
        if self.refused.contains(&manner) {
            self.on_refusal.contains(&manner)
        } else {
            self.on_success.contains(&manner)
        }
    }
}

fn manner<'h>(operation: &Operation<'h>, new: Symbol) -> Manner<'h> {
    (operation.via(), new == ABSENT)
}

/// The places where a store could have slipped so that it made a difference to its state or to an answer.
pub(super) fn places(entries: &[Entry], writes: &Overlaps, witness: &Witness, kind: Kind) -> Vec<u32> {
    let suits = |&place: &u32| {
        let place = place as usize;
        let entry = &entries[witness.order[place] as usize];
        let changed = witness.changed(place);
        let suits = match (kind.fault, entry.action) {
            _ if entry.ret.is_none() => false,
            (Fault::StaleRead, _) => stale(entry, witness, 1).is_some(),
            (Fault::LostWrite, action) => changed && action.wrote() != Some(ABSENT),
            (Fault::LostUpdate, _) => on_older(entry, witness, place).is_some(),
            (Fault::DeleteUndone, action) => changed && action.wrote() == Some(ABSENT),
        };
        suits && is_amid(writes, entry) == kind.amid
    };
    (0..witness.order.len() as u32).filter(suits).collect()
}

/// Lets the store slip at a place, one of [`places`].
pub(super) fn slip(
    object: &Object<'_>,
    witness: &Witness,
    images: &Images<'_>,
    fault: Fault,
    place: usize,
    dice: &mut Dice,
) -> Slip {
    let at = witness.order[place];
    let entry = &object.entries[at as usize];
    let store = Store { object, witness, images };
    let mut slip = Slip::default();
    match fault {
        Fault::StaleRead => {
            // A replica is mostly one version behind, now and then up to four.
            let behind = if dice.below(4) > 0 { 1 } else { 2 + dice.below(3) as usize };
            let answer = stale(entry, witness, behind).or_else(|| stale(entry, witness, 1));
            slip.changes.extend(answer.map(|answer| (at, answer)));
            slip.until = Some(place);
            slip.looked = true;
        }
        Fault::LostWrite => store.run(place + 1, witness.before[place], &mut slip),
        Fault::LostUpdate => {
            if let Some(older) = on_older(entry, witness, place) {
                let (answer, after) = store.answer(entry, older);
                slip.changes.push((at, answer));
                slip.looked = true;
                store.run(place + 1, after, &mut slip);
            }
        }
        Fault::DeleteUndone => {
            let writes = |&next: &usize| {
                next == witness.order.len()
                    || object.entries[witness.order[next] as usize].action.wrote().is_some()
            };
            let next_write = (place + 1..=witness.order.len()).find(writes).unwrap_or(witness.order.len());
            let back = place + 1 + dice.below((next_write - place) as u64) as usize;
            store.run(back, witness.before[place], &mut slip);
        }
    }
    slip
}

/// The answer of a replica that is so many versions behind. None where it would not differ, where it has no
/// such version, or where the condition would hold there: then it is another fault.
fn stale(entry: &Entry, witness: &Witness, behind: usize) -> Option<Action> {
    let value = witness.behind(entry.call, behind)?;
    match entry.action {
        Action::Read(recorded) => (recorded != value).then_some(Action::Read(value)),
        Action::Refused { old, new, met: Some(met) } => {
            (met != value && old != value).then_some(Action::Refused { old, new, met: Some(value) })
        }
        Action::Refused { met: None, .. } | Action::Write { .. } | Action::Cas { .. } => None,
    }
}

/// The state before the last write, if on top of it the operation would be an update that overwrites that
/// write, and say so.
fn on_older(entry: &Entry, witness: &Witness, place: usize) -> Option<Symbol> {
    let older = witness.before_last_write(place)?;
    match entry.action {
        Action::Write { replaced: Some(replaced), .. } => (replaced != older).then_some(older),
        Action::Refused { old, .. } => (old == older).then_some(older),
        Action::Read(_) | Action::Write { replaced: None, .. } | Action::Cas { .. } => None,
    }
}

/// An honest store that goes on from a state.
struct Store<'s, 'h> {
    object: &'s Object<'h>,
    witness: &'s Witness,
    images: &'s Images<'h>,
}

impl Store<'_, '_> {
    /// Answers everything from a place on, starting in `state`, until the state is what it was.
    fn run(&self, from: usize, mut state: Symbol, slip: &mut Slip) {
        let Witness { order, before, .. } = self.witness;
        for place in from..order.len() {
            if state == before[place] {
                slip.until = Some(place - 1);
                return;
            }
            let at = order[place];
            let entry = &self.object.entries[at as usize];
            let (answer, after) = self.answer(entry, state);
            state = after;
            if entry.ret.is_none() {
                if answer.wrote().is_none() {
                    slip.unapplied.push(at);
                }
                continue;
            }
            slip.looked |= !matches!(entry.action, Action::Write { replaced: None, .. });
            if answer != entry.action {
                slip.changes.push((at, answer));
            }
        }
        slip.until = (state == before[order.len()]).then(|| order.len() - 1);
    }

    /// The answer to an operation in a state, and the state that it leaves.
    fn answer(&self, entry: &Entry, state: Symbol) -> (Action, Symbol) {
        let operation = &self.object.ops[entry.op];
        let is_answered = operation.outcome() != Outcome::Info;
        match entry.action {
            Action::Read(_) => (Action::Read(state), state),
            Action::Write { new, replaced } => {
                (Action::Write { new, replaced: replaced.map(|_| state) }, new)
            }
            Action::Cas { old, new, .. } | Action::Refused { old, new, .. } if old == state => {
                let says = match entry.action {
                    Action::Cas { replaced, .. } => replaced.is_some(),
                    _ => is_answered && self.images.success(operation, new),
                };
                (Action::Cas { old, new, replaced: says.then_some(state) }, new)
            }
            Action::Cas { old, new, .. } => {
                let says = is_answered && self.images.refusal(operation, new);
                (Action::Refused { old, new, met: says.then_some(state) }, state)
            }
            Action::Refused { old, new, met } => {
                (Action::Refused { old, new, met: met.map(|_| state) }, state)
            }
        }
    }
}
