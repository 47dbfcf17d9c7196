//! Elements that nobody can tell apart, counted.
//!
//! Take elements that are added once each, never removed, and shown by the same reads. In a run, let two of
//! them change places: no read lies between that shows the one and not the other, so it is still a run. So
//! of a group only the number matters that is in, and a read needs all of it, or nothing.
//!
//! Nothing is taken out of a group. So where a read shows all of one group and nothing of another, the first
//! must be in completely before the second begins: a set in which it is otherwise leads nowhere.

use std::collections::HashMap;

use super::super::super::general::Job;
use crate::model::Model;
use crate::model::register::Symbol;
use crate::model::set::{Elements, Set, SetOp};

/// Names each add of an element that is added `once` after the first element of its group.
pub(super) fn form(jobs: &mut [Job<SetOp>], once: impl Fn(Symbol) -> bool) {
    // Elements are in one group as long as no read has told them apart.
    let mut group_of: HashMap<Symbol, usize> = HashMap::new();
    for job in jobs.iter() {
        if let SetOp::Add(element) = job.op
            && once(element)
        {
            group_of.insert(element, 0);
        }
    }
    let mut groups = 1;
    for job in jobs.iter().filter(|job| job.must) {
        let SetOp::Read(shown) = &job.op else { continue };
        let mut split: HashMap<usize, usize> = HashMap::new();
        for element in shown.iter() {
            let Some(group) = group_of.get_mut(&element) else { continue };
            *group = *split.entry(*group).or_insert_with(|| {
                groups += 1;
                groups - 1
            });
        }
    }
    let mut firsts: HashMap<usize, Symbol> = HashMap::new();
    for job in jobs {
        if let SetOp::Add(element) = job.op
            && let Some(&group) = group_of.get(&element)
        {
            job.op = SetOp::AddLike(*firsts.entry(group).or_insert(element));
        }
    }
}

/// A set that counts the elements of each group.
pub(super) struct Grouped {
    /// The place of each group, by its first element.
    places: HashMap<Symbol, usize>,
    /// The first element of each group, and how many there are.
    groups: Vec<(Symbol, u32)>,
    /// The groups that must be in completely before each.
    before: Vec<Vec<usize>>,
    /// The elements that reads show and no operation puts in or takes out by itself.
    grouped: Elements,
}

impl Grouped {
    pub(super) fn new(jobs: &[Job<SetOp>]) -> Self {
        let (mut places, mut groups) = (HashMap::new(), Vec::<(Symbol, u32)>::new());
        let mut singles = Elements::default();
        for job in jobs.iter().filter(|job| job.must || job.call <= job.ret) {
            match job.op {
                SetOp::AddLike(first) => {
                    let place = *places.entry(first).or_insert(groups.len());
                    if place == groups.len() {
                        groups.push((first, 0));
                    }
                    groups[place].1 += 1;
                }
                SetOp::Add(element) | SetOp::Remove(element) => {
                    singles.insert(element);
                }
                SetOp::Read(_) | SetOp::Never => {}
            }
        }
        let reads: Vec<&Elements> = jobs
            .iter()
            .filter_map(|job| match &job.op {
                SetOp::Read(shown) if job.must => Some(shown),
                _ => None,
            })
            .collect();
        let mut grouped = Elements::default();
        for element in reads.iter().flat_map(|shown| shown.iter()) {
            if !singles.has(element) {
                grouped.insert(element);
            }
        }
        let mut before = vec![vec![false; groups.len()]; groups.len()];
        for shown in &reads {
            let (inside, outside): (Vec<usize>, Vec<usize>) =
                (0..groups.len()).partition(|&place| shown.has(groups[place].0));
            for &later in &outside {
                inside.iter().for_each(|&earlier| before[later][earlier] = true);
            }
        }
        let listed = |flags: Vec<bool>| (0..flags.len()).filter(|&place| flags[place]).collect();
        let before = before.into_iter().map(listed).collect();
        Self { places, groups, before, grouped }
    }
}

impl Model for Grouped {
    /// The elements that are told apart, and how many of each group.
    type State = (Elements, Vec<u32>);
    type Op = SetOp;

    fn initial(&self) -> (Elements, Vec<u32>) {
        (Elements::default(), vec![0; self.groups.len()])
    }

    fn step(&self, state: &Self::State, op: &SetOp) -> impl Iterator<Item = Self::State> {
        let (singles, counts) = state;
        let next = match op {
            SetOp::AddLike(first) => self.places.get(first).and_then(|&place| {
                let complete = |&earlier: &usize| counts[earlier] == self.groups[earlier].1;
                self.before[place].iter().all(complete).then(|| {
                    let mut counts = counts.clone();
                    counts[place] += 1;
                    (singles.clone(), counts)
                })
            }),
            SetOp::Read(shown) => {
                let fits = |(&(first, all), &count): (&(Symbol, u32), &u32)| {
                    count == if shown.has(first) { all } else { 0 }
                };
                let same =
                    shown.is_without(&self.grouped, singles) && self.groups.iter().zip(counts).all(fits);
                same.then(|| state.clone())
            }
            op => Set.step(singles, op).next().map(|next| (next, counts.clone())),
        };
        next.into_iter()
    }

    fn is_read(&self, op: &SetOp) -> bool {
        Set.is_read(op)
    }

    fn bytes(&self, (singles, counts): &Self::State) -> usize {
        size_of::<Self::State>() + singles.bytes_owned() + counts.capacity() * size_of::<u32>()
    }
}
