//! Random small histories of a register, honest and not.
//!
//! They come from a real register, whose operations take effect at random moments. Answers are lost, some
//! operations take effect long after theirs was, and some answers are lies: another value was seen, a
//! condition that held did not, a write that happened failed.

use rand::{Rng, RngExt, SeedableRng};
use rand_chacha::ChaCha8Rng;

use super::compare::{Tally, Thoroughness};
use super::history::{ABSENT, Answer, Call, NEVER, Op, Value};
use super::profiles::{Lies, Profile, Sorts};

/// So many histories come from one seed, and are compared by one thread.
pub(crate) const BLOCK: u64 = 1_000;

/// Which histories.
#[derive(Debug)]
pub(crate) struct Series {
    pub(crate) seed: u64,
    /// How many.
    pub(crate) histories: u64,
    /// How many operations the largest has.
    pub(crate) largest: usize,
    pub(crate) sorts: Sorts,
}

impl Series {
    /// Compares the histories of one block.
    pub(crate) fn block(&self, block: u64, how: Thoroughness, tally: &mut Tally) {
        let mut rng = ChaCha8Rng::seed_from_u64(self.seed);
        rng.set_stream(block);
        for number in block * BLOCK..self.histories.min((block + 1) * BLOCK) {
            let profile = self.sorts.draw(&mut rng);
            let ops = rng.random_range(2..=self.largest);
            tally.compare(profile.name, number, &history(&mut rng, profile, ops), how);
        }
    }
}

/// An operation that is open.
struct Open {
    /// Its place in the history.
    op: usize,
    call: Call,
    /// What it met when it took effect, if it has.
    met: Option<Value>,
}

struct Generator<'r, R> {
    rng: &'r mut R,
    profile: Profile,
    state: Value,
    /// What was in force so far, the present last.
    past: Vec<Value>,
    /// The greatest value that was written.
    fresh: Value,
    open: Vec<Open>,
    /// Operations whose answer is lost, and which still take effect.
    late: Vec<Open>,
    ops: Vec<Op>,
    /// How many answers from now the one lie is.
    until_lie: usize,
    places: usize,
}

/// A history of `ops` operations.
pub(crate) fn history(rng: &mut impl Rng, profile: Profile, ops: usize) -> Vec<Op> {
    let until_lie = rng.random_range(ops / 3..ops);
    let mut generator = Generator {
        rng,
        profile,
        state: ABSENT,
        past: vec![ABSENT],
        fresh: 0,
        open: Vec::new(),
        late: Vec::new(),
        ops: Vec::with_capacity(ops),
        until_lie,
        places: 0,
    };
    generator.run(ops);
    generator.ops
}

impl<R: Rng> Generator<'_, R> {
    fn run(&mut self, ops: usize) {
        while self.ops.len() < ops || !self.open.is_empty() {
            let may_call = self.ops.len() < ops && self.open.len() < self.profile.open;
            if may_call && (self.open.is_empty() || self.rng.random_bool(self.profile.haste)) {
                self.call();
            } else if !self.late.is_empty() && self.rng.random_bool(0.2) {
                let at = self.rng.random_range(0..self.late.len());
                let mut late = self.late.swap_remove(at);
                self.take_effect(&mut late);
            } else {
                let at = self.rng.random_range(0..self.open.len());
                if self.rng.random_bool(0.5) {
                    let mut open = self.open.swap_remove(at);
                    self.take_effect(&mut open);
                    self.open.push(open);
                } else {
                    self.complete(at);
                }
            }
        }
    }

    fn take_effect(&mut self, open: &mut Open) {
        if open.met.is_some() {
            return;
        }
        open.met = Some(self.state);
        match open.call {
            Call::Write(new) => self.state = new,
            Call::Cas(old, new) if old == self.state => self.state = new,
            Call::Read | Call::Cas(..) => return,
        }
        self.past.push(self.state);
    }

    fn next_place(&mut self) -> usize {
        self.places += 1;
        self.places - 1
    }

    fn call(&mut self) {
        let mut roll = self.rng.random_range(0..self.profile.kinds.iter().sum());
        let kind = self.profile.kinds.iter().position(|&weight| {
            let chosen = roll < weight;
            roll = roll.saturating_sub(weight);
            chosen
        });
        let call = match kind {
            Some(1) => Call::Write(self.new_value()),
            Some(2) => Call::Write(ABSENT),
            Some(3) => Call::Cas(self.old_value(), self.new_value()),
            Some(4) => Call::Cas(ABSENT, self.new_value()),
            Some(5) => Call::Cas(self.old_value(), ABSENT),
            _ => Call::Read,
        };
        self.open.push(Open { op: self.ops.len(), call, met: None });
        let place = self.next_place();
        self.ops.push(Op::new(place, call, None));
    }

    fn new_value(&mut self) -> Value {
        match self.profile.values {
            0 => self.fresh += 1,
            values => {
                let value = self.rng.random_range(1..=values);
                self.fresh = self.fresh.max(value);
                return value;
            }
        }
        self.fresh
    }

    fn old_value(&mut self) -> Value {
        if self.rng.random_bool(self.profile.aimed) { self.state } else { self.any_value() }
    }

    /// A value of the past, the next one, or one that is never written.
    fn any_value(&mut self) -> Value {
        match self.rng.random_range(0..100) {
            0 => NEVER,
            1..3 => self.fresh + 1,
            3..15 => ABSENT,
            // A value whose write may have failed, or not have happened yet.
            15..30 => self.rng.random_range(0..=self.fresh),
            // What was in force lately is the best lie.
            30..70 => self.past[self.rng.random_range(self.past.len().saturating_sub(3)..self.past.len())],
            _ => self.past[self.rng.random_range(0..self.past.len())],
        }
    }

    fn complete(&mut self, at: usize) {
        let mut open = self.open.swap_remove(at);
        let op = open.op;
        if self.rng.random_bool(self.profile.lost) {
            if self.rng.random_bool(0.5) {
                self.ops[op].ended = Some((self.next_place(), Answer::Info));
            }
            if open.met.is_none() && self.rng.random_bool(self.profile.effective) {
                if self.rng.random_bool(0.5) {
                    self.late.push(open);
                } else {
                    self.take_effect(&mut open);
                }
            }
            return;
        }
        let answer = if open.met.is_none() && self.rng.random_bool(0.05) {
            Answer::Failed
        } else {
            self.take_effect(&mut open);
            self.answer(open.call, open.met.unwrap_or(ABSENT))
        };
        self.ops[op].ended = Some((self.next_place(), answer));
    }

    fn lies(&mut self) -> bool {
        self.until_lie = self.until_lie.wrapping_sub(1);
        match self.profile.lies {
            Lies::None | Lies::Refusals(_) => false,
            Lies::One => self.until_lie == 0,
            Lies::Share(share) => self.rng.random_bool(share),
        }
    }

    fn answer(&mut self, call: Call, met: Value) -> Answer {
        let lies = self.lies();
        let mut seen = met;
        let mut holds = matches!(call, Call::Cas(old, _) if old == met);
        if lies {
            match (call, self.rng.random_range(0..20)) {
                (Call::Cas(..), 0..4) => holds = !holds,
                (Call::Write(_) | Call::Cas(..), 4) => return Answer::Failed,
                _ => {
                    seen = self.any_value();
                    holds = matches!(call, Call::Cas(old, _) if old == seen);
                }
            }
        }
        if let (Call::Cas(old, _), Lies::Refusals(share), false) = (call, self.profile.lies, holds)
            && self.rng.random_bool(share)
        {
            (seen, holds) = (old, true);
        }
        let says = self.rng.random_bool(self.profile.images);
        match call {
            Call::Read => Answer::Ok(Some(seen)),
            Call::Cas(..) if !holds => {
                let says = says || !self.rng.random_bool(self.profile.opaque);
                Answer::Refused(says.then_some(seen))
            }
            Call::Cas(..) | Call::Write(_) => Answer::Ok(says.then_some(seen)),
        }
    }
}
