//! Every history of so many operations on one register, numbered.
//!
//! Up to renaming: operations are told apart by the order of their calls alone, written values are called
//! 1, 2, 3 in the order in which they are first written (equal ones may be written again and again), and of
//! the values that nobody writes there is one. So each history has exactly one number, and the number gives
//! the history without a walk through those before it: a part of them can be checked, by stride or by share,
//! and another day the rest.
//!
//! A *frame* is what does not vary: the order of the events, which operations are completed, their
//! functions, and what they write. The rest is a product: what each operation expects, and what it is
//! answered, with the values absent, each written one, and one never written:
//!
//! | function | completed | never completed |
//! |---|---|---|
//! | read | ok with each value; fail; info | once |
//! | write, delete | ok with each image or none; fail; info | once |
//! | cas, on each value | ok with each image or none; refused with each image or none; fail; info | once |
//!
//! Of four operations there are too many of these. *Telling* histories are those of them that are left when,
//! of several that mean the same by the contract's table, one is kept: no `info` (never completed), no
//! refusal with an image (a read of it), no conditional write with the image that it expected (the same
//! without). And they have no operation that says nothing (failed writes, reads without an answer), which
//! would be a history of fewer operations; none that contradicts itself or saw a value that nobody wrote,
//! which is refuted alone, whatever the others are. What was left out is in the histories of up to three.

use super::history::{ABSENT, Answer, Call, NEVER, Op, Value};

/// Which histories.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Which {
    All,
    Telling,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Function {
    Read,
    Write,
    Cas,
}

/// An operation as its frame has it.
#[derive(Debug, Clone, Copy)]
struct Slot {
    called: usize,
    ended: Option<usize>,
    function: Function,
    /// What it writes, if it writes.
    new: Value,
}

#[derive(Debug)]
struct Frame {
    slots: Vec<Slot>,
    /// How many different values are written.
    written: Value,
    /// The number of the first history after those of this frame.
    end: u64,
}

/// All histories of so many operations.
#[derive(Debug)]
pub(crate) struct Every {
    ways: Ways,
    frames: Vec<Frame>,
}

impl Every {
    pub(crate) fn new(operations: usize, which: Which) -> Self {
        let mut every = Self { ways: Ways::new(operations, which), frames: Vec::new() };
        let mut orders = Vec::new();
        all_orders(operations, &mut Vec::new(), 0, &mut orders);
        for order in &orders {
            every.fill(order, &mut Vec::new(), 0);
        }
        every
    }

    /// How many there are.
    pub(crate) fn count(&self) -> u64 {
        self.frames.last().map_or(0, |frame| frame.end)
    }

    /// Adds the frames of this order of events that begin with these slots.
    fn fill(&mut self, order: &[(usize, Option<usize>)], slots: &mut Vec<Slot>, written: Value) {
        let Some(&(called, ended)) = order.get(slots.len()) else {
            let ways: u64 = slots.iter().map(|slot| self.ways(slot, written)).product();
            if ways > 0 {
                let end = self.count() + ways;
                self.frames.push(Frame { slots: slots.clone(), written, end });
            }
            return;
        };
        let mut with = |function, new: Value| {
            slots.push(Slot { called, ended, function, new });
            self.fill(order, slots, written.max(new));
            slots.pop();
        };
        with(Function::Read, ABSENT);
        for new in ABSENT..=written + 1 {
            with(Function::Write, new);
            with(Function::Cas, new);
        }
    }

    /// In how many ways an operation can be asked and answered when so many values are written.
    fn ways(&self, slot: &Slot, written: Value) -> u64 {
        self.ways.get(slot, written).len() as u64
    }

    /// The number that comes at this place of an order in which any run of numbers spreads evenly over all.
    pub(crate) fn spread(&self, at: u64) -> u64 {
        let count = u128::from(self.count());
        // Some three fifths of them, without a divisor in common with their count: every number comes once.
        let stride = (count * 618_034 / 1_000_000..).find(|&stride| divisor(stride, count) == 1).unwrap_or(1);
        u64::try_from(u128::from(at) * stride % count).unwrap_or(0)
    }

    /// The history of this number, which is below [`Every::count`].
    pub(crate) fn history(&self, number: u64) -> Vec<Op> {
        let at = self.frames.partition_point(|frame| frame.end <= number);
        let frame = &self.frames[at];
        let mut rest = frame.end - 1 - number;
        let mut op = |slot: &Slot| {
            let ways = self.ways.get(slot, frame.written);
            let (call, answer) = ways[usize::try_from(rest % ways.len() as u64).unwrap_or(0)];
            rest /= ways.len() as u64;
            Op::new(slot.called, call, slot.ended.map(|place| (place, answer)))
        };
        frame.slots.iter().map(&mut op).collect()
    }
}

/// The greatest divisor in common.
fn divisor(a: u128, b: u128) -> u128 {
    if b == 0 { a } else { divisor(b, a % b) }
}

/// Every order of the calls and the completions: for each operation where it is called, and where it ends if
/// it does. `open` operations, by number, can end.
fn all_orders(
    operations: usize,
    order: &mut Vec<(usize, Option<usize>)>,
    place: usize,
    found: &mut Vec<Vec<(usize, Option<usize>)>>,
) {
    if order.len() == operations {
        found.push(order.clone());
    } else {
        order.push((place, None));
        all_orders(operations, order, place + 1, found);
        order.pop();
    }
    for at in 0..order.len() {
        if order[at].1.is_none() {
            order[at].1 = Some(place);
            all_orders(operations, order, place + 1, found);
            order[at].1 = None;
        }
    }
}

/// For each kind of slot, all that can be asked and answered.
#[derive(Debug)]
struct Ways {
    operations: usize,
    ways: Vec<Vec<(Call, Answer)>>,
}

impl Ways {
    fn new(operations: usize, which: Which) -> Self {
        let mut ways = Vec::new();
        let most = Value::try_from(operations).unwrap_or(NEVER);
        for function in [Function::Read, Function::Write, Function::Cas] {
            for completed in [false, true] {
                for new in 0..=most {
                    ways.extend((0..=most).map(|written| match which {
                        Which::All => all_ways(function, completed, new, written),
                        Which::Telling => telling_ways(function, completed, new, written),
                    }));
                }
            }
        }
        Self { operations, ways }
    }

    fn get(&self, slot: &Slot, written: Value) -> &[(Call, Answer)] {
        let values = self.operations + 1;
        let kind = slot.function as usize * 2 + usize::from(slot.ended.is_some());
        &self.ways[(kind * values + usize::from(slot.new)) * values + usize::from(written)]
    }
}

fn all_ways(function: Function, completed: bool, new: Value, written: Value) -> Vec<(Call, Answer)> {
    let values = || (ABSENT..=written).chain([NEVER]);
    let images = || [None].into_iter().chain(values().map(Some));
    let idle = [Answer::Failed, Answer::Info];
    let (calls, answers): (Vec<Call>, Vec<Answer>) = match function {
        Function::Read => {
            let seen = values().map(|value| Answer::Ok(Some(value)));
            (vec![Call::Read], seen.chain(idle).collect())
        }
        Function::Write => (vec![Call::Write(new)], images().map(Answer::Ok).chain(idle).collect()),
        Function::Cas => {
            let answers = images().map(Answer::Ok).chain(images().map(Answer::Refused)).chain(idle);
            (values().map(|old| Call::Cas(old, new)).collect(), answers.collect())
        }
    };
    let answers = if completed { answers } else { vec![Answer::Info] };
    calls.iter().flat_map(|&call| answers.iter().map(move |&answer| (call, answer))).collect()
}

fn telling_ways(function: Function, completed: bool, new: Value, written: Value) -> Vec<(Call, Answer)> {
    let values = ABSENT..=written;
    let images = [None].into_iter().chain(values.clone().map(Some));
    match (function, completed) {
        (Function::Read, false) => Vec::new(),
        (Function::Read, true) => values.map(|value| (Call::Read, Answer::Ok(Some(value)))).collect(),
        (Function::Write, false) => vec![(Call::Write(new), Answer::Info)],
        (Function::Write, true) => images.map(|image| (Call::Write(new), Answer::Ok(image))).collect(),
        (Function::Cas, false) => values.map(|old| (Call::Cas(old, new), Answer::Info)).collect(),
        (Function::Cas, true) => {
            let answers = [Answer::Ok(None), Answer::Refused(None)];
            values.flat_map(|old| answers.map(|answer| (Call::Cas(old, new), answer))).collect()
        }
    }
}
