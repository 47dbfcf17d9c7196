//! Step 4: placing the tasks, when absence is made many times and never says by whom.
//!
//! All that is known of the state between tasks is one bit: is there an item? A sweep over the timeline
//! places every task, and keeps what it has not placed: writes, inserts and reads of absence that are open,
//! and deletes that may still be spent.
//!
//! | when | what is done |
//! |---|---|
//! | absent | every open `Absent` takes place |
//! | a value | every open `Write` takes place |
//! | absence ends (a `Write` is due, or a `Zone` that needs nothing begins) | first the open `Insert` that is due first, then every open `Write` |
//! | a `Delete` is due | absence ends, as above, and begins again |
//! | an `Insert` or `Absent` is due, or a `Zone` on absence begins, and there is a value | the open `Delete` that is due first is spent (after every open `Write`); if there is none, this way is dead |
//!
//! **Why this is exact.** (i) Nothing needs a value to be in force, so absence is at least as good as a
//! value: what can be done from a value can be done from absence, by placing an open write first. (ii) A
//! delete that is put off until it is due, or until absence is needed, serves all that it would have served
//! earlier: what was open then is open still, or was due, which is a need. Placing it when it is due, even
//! if it is optional, costs nothing by (i). (iii) Deletes that are open differ only in when they are due, so
//! the one that is due first is spent: exchange it with the one that another order spends there. Inserts
//! likewise. (iv) An insert just before absence ends anyway costs nothing, and neither does a write when
//! there is a value, or just before a delete.
//!
//! **Choices.** A block that may end with one of several optional deletes, or with none, has several tasks,
//! one of which takes place. The sweep follows all of them side by side: each [`Way`] is a state of the sweep
//! together with what was chosen. A way that another is at least as good as is dropped: absence is better
//! than a value, fewer open obligations are better than more, and more deletes in hand are better than fewer,
//! the later they are due the better. In practice there are two or three ways for as long as a choice is
//! open, and one otherwise; their number times the moments is what counts against the limits.
//!
//! A zone that is chosen to be longer than what was cut out of the timeline keeps its way *busy* until its
//! end: what is due meanwhile is done before it begins, and what is called and due inside it kills the way.
//!
//! Cost: O(m log m) for m tasks while there is one way.

use super::NONE;
use super::tasks::{Sort, Task, Tasks};
use super::way::{Way, prune};
use crate::linearizability::general::{END, Exhausted, Limits};

/// How a sweep ended.
#[derive(Debug)]
pub(super) enum Swept {
    /// The tasks in an order in which they can take place.
    Order(Vec<u32>),
    /// The last way died at this moment.
    Dead { at: u32 },
    /// The limits came first.
    Undecided { at: u32, why: Exhausted },
}

/// What happens at a moment, in the order in which it does.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Kind {
    /// A choice has to be made.
    Choose,
    /// A task may take place from here on.
    Open,
    /// It must take place by now.
    Due,
    /// A zone begins.
    Begin,
    /// A choice makes no difference from here on.
    Forget,
}

/// A moment, its kind, and the task or choice, in one number that sorts like the three: there are many.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
struct Moment(u64);

impl Moment {
    const KINDS: [Kind; 5] = [Kind::Choose, Kind::Open, Kind::Due, Kind::Begin, Kind::Forget];
    const WHAT: u64 = (1 << 29) - 1;

    /// `what` is below 2^29: there are no more jobs than events, and those are numbered in 30 bits.
    fn new(time: u32, kind: Kind, what: u32) -> Self {
        Self(u64::from(time) << 32 | (kind as u64) << 29 | u64::from(what))
    }

    fn parts(self) -> (u32, Kind, u32) {
        let kind = Self::KINDS[(self.0 >> 29 & 7) as usize];
        ((self.0 >> 32) as u32, kind, (self.0 & Self::WHAT) as u32)
    }
}

/// A sweep in progress.
struct Sweep<'t> {
    tasks: &'t Tasks,
    moments: Vec<Moment>,
    ways: Vec<Way>,
    /// Deletes that are open and never due.
    lasting: Vec<u32>,
    /// What was placed, each with what was placed before it on the same way.
    log: Vec<(u32, u32)>,
}

/// What a sweep begins with, where it goes on from an earlier one: one way.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Start {
    /// Whether there is no item.
    pub(super) absent: bool,
    /// Tasks that are open.
    pub(super) open: Vec<u32>,
}

impl Start {
    /// The beginning of a history: there is no item, and nothing is open.
    pub(super) const EMPTY: Self = Self { absent: true, open: Vec::new() };
}

/// Places all tasks, from the beginning.
pub(super) fn sweep(tasks: &Tasks, limits: Limits) -> Swept {
    let mut sweep = Sweep::new(tasks, &[Start::EMPTY]);
    match sweep.run(None, limits) {
        Ok(()) => Swept::Order(sweep.placed(sweep.ways[0].last)),
        Err(ended) => ended,
    }
}

/// Whether all tasks can be placed, going on from one of several ways. Tasks that are open in some way do not
/// open again.
pub(super) fn go_on(tasks: &Tasks, from: &[Start], limits: Limits) -> Result<(), Swept> {
    Sweep::new(tasks, from).run(None, limits)
}

/// Places what opens before a moment, and says with what a sweep can go on from there. Nothing may be decided
/// at that moment that was open before: no zone spans it, and no choice.
pub(super) fn until(tasks: &Tasks, from: &[Start], moment: u32, limits: Limits) -> Result<Vec<Start>, Swept> {
    let mut sweep = Sweep::new(tasks, from);
    sweep.run(Some(moment), limits)?;
    let start = |way: &Way| {
        let lasting = sweep.lasting[way.spent as usize..].iter().copied();
        let due_first = way.inserts.iter().chain(&way.deletes).map(|&(_, task)| task);
        let open = way.writes.iter().chain(&way.absents).copied().chain(due_first).chain(lasting).collect();
        Start { absent: way.absent, open }
    };
    Ok(sweep.ways.iter().map(start).collect())
}

/// All moments, in order; of tasks that are open from the start, only when they are due.
fn moments(tasks: &Tasks, from: &[Start]) -> Vec<Moment> {
    let mut moments = Vec::with_capacity(tasks.all.len() * 2);
    let is_open = |at: u32| from.iter().any(|start| start.open.contains(&at));
    for (at, task) in tasks.all.iter().enumerate() {
        let what = at as u32;
        if let Sort::Zone { .. } = task.sort {
            moments.push(Moment::new(task.open, Kind::Begin, what));
            continue;
        }
        if !is_open(what) {
            moments.push(Moment::new(task.open, Kind::Open, what));
        }
        if !is_lasting(task) || is_open(what) {
            moments.push(Moment::new(task.close, Kind::Due, what));
        }
    }
    for (at, choice) in tasks.choices.iter().enumerate() {
        let among = &tasks.all[choice.first as usize..choice.end as usize];
        let from = among.iter().map(|task| task.open).min().unwrap_or(0);
        let to = among.iter().map(|task| task.close.max(task.until)).max().unwrap_or(0);
        moments.push(Moment::new(from, Kind::Choose, at as u32));
        moments.push(Moment::new(to, Kind::Forget, at as u32));
    }
    moments.sort_unstable();
    moments
}

/// Whether a task is a delete that is open for every way alike, and never due.
fn is_lasting(task: &Task) -> bool {
    task.sort == Sort::Delete && task.close == END && task.choice == NONE
}

/// Every way with every task that can be chosen.
fn branches(ways: &[Way], tasks: &Tasks, choice: u32) -> Vec<Way> {
    let among = tasks.choices[choice as usize];
    let choose = |way: &Way, task: u32| {
        let mut way = way.clone();
        way.chosen.push((choice, task));
        way
    };
    ways.iter().flat_map(|way| (among.first..among.end).map(move |task| choose(way, task))).collect()
}

impl<'t> Sweep<'t> {
    fn new(tasks: &'t Tasks, from: &[Start]) -> Self {
        let way = |start: &Start| {
            let of_sort = |sort: Sort| {
                let open = start.open.iter().copied();
                open.filter(move |&task| tasks.all[task as usize].sort == sort)
            };
            let by_due = |sort| of_sort(sort).map(|task| (tasks.all[task as usize].close, task)).collect();
            Way {
                absent: start.absent,
                busy_until: 0,
                writes: of_sort(Sort::Write).collect(),
                absents: of_sort(Sort::Absent).collect(),
                inserts: by_due(Sort::Insert),
                deletes: by_due(Sort::Delete),
                spent: 0,
                chosen: Vec::new(),
                last: NONE,
            }
        };
        Self {
            tasks,
            lasting: Vec::new(),
            moments: moments(tasks, from),
            ways: from.iter().map(way).collect(),
            log: Vec::with_capacity(tasks.all.len()),
        }
    }

    /// Goes through all moments, or those before one.
    fn run(&mut self, until: Option<u32>, limits: Limits) -> Result<(), Swept> {
        let mut steps = 0;
        let mut ways = std::mem::take(&mut self.ways);
        for at in 0..self.moments.len() {
            let (time, kind, what) = self.moments[at].parts();
            if until.is_some_and(|until| until <= time) {
                break;
            }
            steps += ways.len() as u64;
            if steps > limits.steps {
                return Err(Swept::Undecided { at: time, why: Exhausted::Steps });
            }
            for way in &mut ways {
                self.leave_zone(way, time);
            }
            if kind == Kind::Open && is_lasting(&self.tasks.all[what as usize]) {
                self.lasting.push(what);
                continue;
            }
            if kind == Kind::Choose {
                ways = branches(&ways, self.tasks, what);
            } else {
                ways.retain_mut(|way| self.happen(way, at));
            }
            if ways.is_empty() {
                return Err(Swept::Dead { at: time });
            }
            if ways.len() > 1 {
                prune(&mut ways);
            }
        }
        for way in &mut ways {
            self.leave_zone(way, until.unwrap_or(END));
        }
        self.ways = ways;
        Ok(())
    }

    /// Ends the zone that a way is in, if it has ended by this time.
    fn leave_zone(&mut self, way: &mut Way, time: u32) {
        if way.busy_until != 0 && way.busy_until <= time {
            way.busy_until = 0;
            self.begin_absence(way);
        }
    }

    /// What happens to a way at a moment; false if it dies.
    fn happen(&mut self, way: &mut Way, at: usize) -> bool {
        let (_, kind, what) = self.moments[at].parts();
        match kind {
            Kind::Choose => true,
            Kind::Forget => {
                way.chosen.retain(|&(choice, _)| choice != what);
                true
            }
            Kind::Open | Kind::Due | Kind::Begin => {
                let task = self.tasks.all[what as usize];
                if !way.concerns(what, &task) {
                    return true;
                }
                match kind {
                    Kind::Open => self.open(way, what, &task),
                    Kind::Due => return self.due(way, what, &task),
                    _ => return self.begin(way, what, &task, at),
                }
                true
            }
        }
    }

    fn place(&mut self, way: &mut Way, task: u32) {
        self.log.push((task, way.last));
        way.last = (self.log.len() - 1) as u32;
    }

    /// A task may take place from here on.
    fn open(&mut self, way: &mut Way, at: u32, task: &Task) {
        let free = way.busy_until == 0;
        match task.sort {
            Sort::Write if free && !way.absent => self.place(way, at),
            Sort::Absent if free && way.absent => self.place(way, at),
            Sort::Write => way.writes.push(at),
            Sort::Absent => way.absents.push(at),
            Sort::Insert => {
                way.inserts.insert((task.close, at));
            }
            Sort::Delete => {
                way.deletes.insert((task.close, at));
            }
            Sort::Zone { .. } => {}
        }
    }

    /// A task must have taken place by now; false if it cannot.
    fn due(&mut self, way: &mut Way, at: u32, task: &Task) -> bool {
        let entry = (task.close, at);
        let is_open = match task.sort {
            Sort::Write => way.writes.contains(&at),
            Sort::Absent => way.absents.contains(&at),
            Sort::Insert => way.inserts.contains(&entry),
            Sort::Delete => way.deletes.remove(&entry),
            Sort::Zone { .. } => false,
        };
        if !is_open {
            return true;
        }
        if way.busy_until != 0 {
            // It was called inside the zone, and must have happened there.
            return !task.must;
        }
        match task.sort {
            Sort::Write => self.end_absence(way),
            Sort::Absent => return self.need_absence(way),
            Sort::Insert => {
                if !self.need_absence(way) {
                    return false;
                }
                way.inserts.remove(&entry);
                self.place(way, at);
                self.begin_value(way);
            }
            Sort::Delete => {
                self.end_absence(way);
                self.place(way, at);
                self.begin_absence(way);
            }
            Sort::Zone { .. } => {}
        }
        true
    }

    /// A zone begins; false if it cannot.
    fn begin(&mut self, way: &mut Way, at: u32, task: &Task, moment: usize) -> bool {
        let Sort::Zone { on_absence, leaves_absence } = task.sort else { return true };
        if way.busy_until != 0 {
            return false;
        }
        if task.until != 0 && !self.bring_forward(way, moment, task.until) {
            return false;
        }
        if !on_absence {
            self.end_absence(way);
        } else if !self.need_absence(way) {
            return false;
        }
        self.place(way, at);
        if task.until != 0 {
            way.absent = false;
            way.busy_until = task.until;
        } else if leaves_absence {
            self.begin_absence(way);
        } else {
            self.begin_value(way);
        }
        true
    }

    /// Does at once what will be due before this time; false if that is not possible.
    fn bring_forward(&mut self, way: &mut Way, moment: usize, until: u32) -> bool {
        let mut at = moment + 1;
        while let Some((time, kind, what)) = self.moments.get(at).map(|moment| moment.parts())
            && time < until
        {
            let task = self.tasks.all.get(what as usize).copied();
            if let (Kind::Due, Some(task)) = (kind, task)
                && way.concerns(what, &task)
                && !self.due(way, what, &task)
            {
                return false;
            }
            at += 1;
        }
        true
    }

    /// There is no item from here on.
    fn begin_absence(&mut self, way: &mut Way) {
        way.absent = true;
        for task in std::mem::take(&mut way.absents) {
            self.place(way, task);
        }
    }

    /// There is an item from here on.
    fn begin_value(&mut self, way: &mut Way) {
        way.absent = false;
        for task in std::mem::take(&mut way.writes) {
            self.place(way, task);
        }
    }

    /// Uses the last moment before something that does not need absence.
    fn end_absence(&mut self, way: &mut Way) {
        if way.absent
            && let Some((_, insert)) = way.inserts.pop_first()
        {
            self.place(way, insert);
            way.absent = false;
        }
        if !way.writes.is_empty() {
            self.begin_value(way);
        }
    }

    /// Sees to it that there is no item; false if no delete is open.
    fn need_absence(&mut self, way: &mut Way) -> bool {
        if way.absent {
            return true;
        }
        let delete = match way.deletes.pop_first() {
            Some((_, delete)) => delete,
            None => {
                let Some(&delete) = self.lasting.get(way.spent as usize) else { return false };
                way.spent += 1;
                delete
            }
        };
        self.end_absence(way);
        self.place(way, delete);
        self.begin_absence(way);
        true
    }

    /// What was placed on the way that ends here, in order.
    fn placed(&self, mut last: u32) -> Vec<u32> {
        let mut order = Vec::with_capacity(self.log.len());
        while last != NONE {
            let (task, before) = self.log[last as usize];
            order.push(task);
            last = before;
        }
        order.reverse();
        order
    }
}
