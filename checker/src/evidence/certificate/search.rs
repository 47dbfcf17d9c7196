//! Can the members be ordered, with everything else weakened? Every order is tried, as plainly as possible.
//!
//! Members are placed one after another. Before a member is placed, weak writes may bring into force what it
//! needs. Only short ways matter:
//!
//! *Lemma.* Take an order with as few weak writes as possible. Each weak write is followed at once by one
//! that needs its value, or by a member that needs some other value *not* to be in force. Otherwise it could
//! be left out: what follows needs nothing of it. So the weak writes between two members are a way from what
//! was in force to what the next member needs, in which each write needs what the one before it wrote (so
//! only the first can be blind), and no value comes twice, since what is between could be left out.
//!
//! So ways are built backwards from what is needed: who can bring it, what does that need, until that is in
//! force, or nothing is needed. Before a member that minds only one value, any place may be brought in.
//!
//! What happens when: the moment of an order so far is the latest call in it, and everything that comes next
//! must not have ended before. Only members and weak deletes have moments.
//!
//! Three things keep this small, and none of them loses an order:
//!
//! - A step that can be taken as often as there are members need not be counted, since a way takes it once at
//!   most, and there are no more ways than members. If such steps alone make a way, no other is better.
//! - Of two deletes of a [`Family`] that end in this order, the second is not tried if the first can be taken
//!   no later. If the first is not used later, it could be taken instead; if it is, the two can be swapped,
//!   for the second lasts at least as long.
//! - What was tried is remembered: the members placed, what is in force, the moment, and what was used up.

use std::collections::HashSet;

use super::outline::{ABSENT, END, Family, Member, Need, Outline, Place, Step, Symbol};

/// The steps came to an end.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Exhausted;

/// Ways with more places than this are not followed.
const LONGEST_WAY: usize = 400;

/// Whether there is an order of the members in `strong` (a bit each) and the weak form of everything else.
/// Counts its steps down.
pub(super) fn linearizable(outline: &Outline, strong: u128, steps: &mut u64) -> Result<bool, Exhausted> {
    let mut search = Search { outline, strong, steps, tried: HashSet::new() };
    search.complete(State { placed: 0, place: Place::Value(ABSENT), now: 0, used: Vec::new() })
}

/// An order so far, as far as it matters to the rest.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
struct State {
    /// The members in it.
    placed: u128,
    /// What is in force.
    place: Place,
    /// The latest call in it.
    now: usize,
    /// What was used up, sorted, as often as it was.
    used: Vec<u32>,
}

impl State {
    /// The same with something used up.
    fn using(mut self, id: u32) -> Self {
        let at = self.used.partition_point(|&used| used <= id);
        self.used.insert(at, id);
        self
    }

    /// How often something was used up.
    fn uses(&self, id: u32) -> usize {
        self.used.iter().filter(|&&used| used == id).count()
    }
}

struct Search<'a> {
    outline: &'a Outline,
    strong: u128,
    steps: &'a mut u64,
    tried: HashSet<State>,
}

impl Search<'_> {
    /// Whether this order can be completed.
    fn complete(&mut self, state: State) -> Result<bool, Exhausted> {
        let open: Vec<(u128, Member)> = self.members(self.strong & !state.placed).collect();
        let musts = open.iter().filter(|(_, member)| member.must);
        let Some(deadline) = musts.map(|(_, member)| member.ret).min() else { return Ok(true) };
        if state.now > deadline || self.tried.contains(&state) {
            return Ok(false);
        }
        for (bit, member) in open {
            // Whoever comes next, no member that is still to come may have ended before.
            if member.call > deadline {
                continue;
            }
            for way in self.ways_to_meet(member.need, &state, deadline)? {
                let now = way.now.max(member.call);
                let place = member.set.map_or(way.place, Place::Value);
                let next = State { placed: way.placed | bit, place, now, used: way.used };
                if self.complete(next)? {
                    return Ok(true);
                }
            }
        }
        self.tried.insert(state);
        Ok(false)
    }

    /// The members of a set that say something.
    fn members(&self, set: u128) -> impl Iterator<Item = (u128, Member)> + use<'_> {
        let all = self.outline.members.iter().enumerate();
        all.filter_map(move |(at, member)| member.map(|member| (1 << at, member)))
            .filter(move |(bit, _)| set & bit != 0)
    }

    /// The ways to what a member needs.
    fn ways_to_meet(&mut self, need: Need, here: &State, deadline: usize) -> Result<Vec<State>, Exhausted> {
        let mut journey = Journey { here, deadline, through: Vec::new() };
        match need {
            Need::Any => Ok(vec![here.clone()]),
            Need::Is(value) => self.ways(Place::Value(value), &mut journey),
            Need::Not(value) => self.ways_away(value, &mut journey),
            Need::Never => Ok(Vec::new()),
        }
    }

    /// The ways to any place but this value.
    fn ways_away(&mut self, value: Symbol, journey: &mut Journey<'_>) -> Result<Vec<State>, Exhausted> {
        let mut ways = Vec::new();
        if journey.here.place != Place::Value(value) {
            ways.push(journey.here.clone());
        }
        let outline = self.outline;
        for &place in &outline.places {
            if place != Place::Value(value) && place != journey.here.place {
                ways.extend(self.ways(place, journey)?);
            }
        }
        Ok(ways)
    }

    /// The ways to a place.
    fn ways(&mut self, goal: Place, journey: &mut Journey<'_>) -> Result<Vec<State>, Exhausted> {
        if goal == journey.here.place || self.is_free(goal, journey.here.place)? {
            return Ok(vec![State { place: goal, ..journey.here.clone() }]);
        }
        if journey.through.contains(&goal) {
            return Ok(Vec::new());
        }
        if journey.through.len() == LONGEST_WAY {
            return Err(Exhausted);
        }
        journey.through.push(goal);
        let outline = self.outline;
        let mut ways = Vec::new();
        for step in outline.steps.get(&goal).into_iter().flatten() {
            self.count()?;
            if !self.is_weak(step.member) {
                continue;
            }
            for before in self.ways_from(step.from, journey)? {
                if self.is_plentiful(step) {
                    ways.push(State { place: goal, ..before });
                } else if before.uses(step.id) < step.count as usize {
                    ways.push(State { place: goal, ..before.using(step.id) });
                }
            }
        }
        if goal == Place::Value(ABSENT) {
            for family in &outline.families {
                for before in self.ways_from(family.from, journey)? {
                    self.deletes(family, &before, journey.deadline, &mut ways)?;
                }
            }
        }
        journey.through.pop();
        Ok(ways)
    }

    fn ways_from(&mut self, from: Option<Place>, journey: &mut Journey<'_>) -> Result<Vec<State>, Exhausted> {
        match from {
            None => Ok(vec![journey.here.clone()]),
            Some(place) => self.ways(place, journey),
        }
    }

    /// The deletes of a family that are worth a try.
    fn deletes(
        &mut self,
        family: &Family,
        before: &State,
        deadline: usize,
        ways: &mut Vec<State>,
    ) -> Result<(), Exhausted> {
        let from = family.deletes.partition_point(|delete| delete.ret < before.now);
        let mut soonest = END;
        for (delete, &first_call) in family.deletes[from..].iter().zip(&family.first_call[from..]) {
            // None of those that are left can be taken before the best one so far, and they end later.
            let earliest = first_call.max(before.now);
            if earliest >= soonest || earliest > deadline {
                break;
            }
            self.count()?;
            let now = delete.call.max(before.now);
            let is_left = self.is_weak(delete.member) && before.uses(delete.unit) == 0;
            if !is_left || now >= soonest || now > deadline {
                continue;
            }
            if delete.is_alone {
                soonest = now;
            }
            ways.push(State { now, place: Place::Value(ABSENT), ..before.clone().using(delete.unit) });
        }
        Ok(())
    }

    /// Whether steps that need not be counted lead to a place.
    fn is_free(&mut self, goal: Place, here: Place) -> Result<bool, Exhausted> {
        let mut seen = HashSet::from([goal]);
        let mut open = vec![goal];
        while let Some(place) = open.pop() {
            if place == here {
                return Ok(true);
            }
            for step in self.outline.steps.get(&place).into_iter().flatten() {
                self.count()?;
                match step.from {
                    _ if !self.is_plentiful(step) || step.member.is_some() => {}
                    None => return Ok(true),
                    Some(from) if seen.insert(from) => open.push(from),
                    Some(_) => {}
                }
            }
        }
        Ok(false)
    }

    /// Whether a step can be taken as often as anybody could want to.
    fn is_plentiful(&self, step: &Step) -> bool {
        step.count as usize >= self.outline.members.len()
    }

    /// Whether what this is the weak form of is weak; what is no member always is.
    fn is_weak(&self, member: Option<usize>) -> bool {
        member.is_none_or(|member| self.strong >> member & 1 == 0)
    }

    fn count(&mut self) -> Result<(), Exhausted> {
        *self.steps = self.steps.checked_sub(1).ok_or(Exhausted)?;
        Ok(())
    }
}

/// A way in the making, backwards from what is needed.
struct Journey<'a> {
    /// Where it begins.
    here: &'a State,
    /// It must be over by this moment.
    deadline: usize,
    /// The places that it is going to come through.
    through: Vec<Place>,
}
