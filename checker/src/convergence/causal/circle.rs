//! Circles of session order, writes-into and version order.
//!
//! Version order is kept as few steps as give it all: of versions in a line, from each to the next; of clocks,
//! from each write of an actor to its next, and from the greatest known write of each actor that a write's clock
//! covers. What has nothing before it cannot be on a circle, nor can what has nothing after it: both are peeled
//! off until nothing more is; in a history without circles that is all, in O(n).
//! What is left is taken apart into strongly connected components, and for each the shortest circle is sought
//! through a limited number of its steps of version order.

use petgraph::algo::kosaraju_scc;
use petgraph::graph::DiGraph;

use super::NONE;
use super::path::{Hop, Pasts};
use crate::convergence::counted::upto;
use crate::convergence::groups::Groups;
use crate::convergence::order::{Act, Book, Entry, Order, Place};
use crate::convergence::shown::Shown;

/// Of each component, the circle is sought through so many of its steps of version order, the earliest.
const TRIES: usize = 32;

/// Of each write, those that it comes after by a step of version order.
type Superseded = Groups<Place>;

/// The shortest circles that were found, one for each component: each hop from the one before it, the first
/// from the last by a step of version order.
pub(super) fn find(book: &Book<'_>, shown: &Shown<'_>, pasts: &Pasts<'_, '_>) -> Vec<Vec<Hop>> {
    let superseded = version_order(book, shown);
    if superseded.is_empty() {
        return Vec::new();
    }
    let left = peel(pasts, &superseded);
    let mut circles: Vec<Vec<Hop>> = components(pasts, &superseded, &left)
        .into_iter()
        .filter_map(|component| shortest(pasts, &superseded, &component))
        .collect();
    circles.sort_by_key(|circle| circle.iter().map(|&(_, place)| place).min());
    circles
}

/// The steps of version order.
fn version_order(book: &Book<'_>, shown: &Shown<'_>) -> Superseded {
    let mut steps = Vec::new();
    let mut lines: Vec<(u32, u64, Place)> = Vec::new();
    for (place, entry) in book.entries.iter().enumerate() {
        let place = place as Place;
        if !entry.is_ok() || !entry.act.writes() {
            continue;
        }
        match book.order(place) {
            Order::Clock => covered(book, shown, place, &mut steps),
            Order::Timestamp | Order::Integer if book.needs(place) > 0 && !book.is_deleted(entry.key) => {
                lines.push((entry.key, book.needs(place), place));
            }
            Order::Timestamp | Order::Integer | Order::RealTime | Order::Nothing => {}
        }
    }
    for actor in 0..book.actors() as u32 {
        let minted = shown.of_actor(actor);
        if minted.first().is_some_and(|write| book.order(write.place) == Order::Clock) {
            steps.extend(minted.windows(2).map(|pair| (pair[1].place, pair[0].place)));
        }
    }
    lines.sort_unstable();
    // Versions that claim one place in the line are not ordered, neither among themselves nor with others.
    let alone =
        lines.chunk_by(|one, next| (one.0, one.1) == (next.0, next.1)).filter(|group| group.len() == 1);
    let alone: Vec<_> = alone.map(|group| group[0]).collect();
    let neighbours = alone.windows(2).filter(|pair| pair[0].0 == pair[1].0);
    steps.extend(neighbours.map(|pair| (pair[1].2, pair[0].2)));
    Superseded::new(book.entries.len(), &steps)
}

/// The greatest known write of each actor that a write's clock covers.
fn covered(book: &Book<'_>, shown: &Shown<'_>, write: Place, steps: &mut Vec<(Place, Place)>) {
    for &dot in book.clock(write).unwrap_or_default() {
        let minted = shown.of_actor(dot.actor);
        let covered = upto(minted, dot.counter, |earlier| earlier.stand);
        let earlier = minted[..covered].iter().rev().map(|earlier| earlier.place);
        steps.extend(earlier.filter(|&earlier| earlier != write).take(1).map(|earlier| (write, earlier)));
    }
}

/// The operations that may be on a circle: not those before which there is nothing, nor those after which there is
/// nothing, again and again.
fn peel(pasts: &Pasts<'_, '_>, superseded: &Superseded) -> Vec<Place> {
    let operations = pasts.book.entries.len();
    let mut steps: Vec<(Place, Place)> = Vec::with_capacity(2 * operations);
    for place in nodes(pasts) {
        steps.extend(direct(pasts, superseded, place).map(|earlier| (earlier, place)));
    }
    let mut before = vec![0_u32; operations];
    for &(_, place) in &steps {
        before[place as usize] += 1;
    }
    let later = Superseded::new(operations, &steps);
    drop(steps);
    strip(nodes(pasts), &mut before, |place| later.of(place).iter().copied());
    let left: Vec<Place> = nodes(pasts).filter(|&place| before[place as usize] > 0).collect();
    let mut after = vec![0_u32; operations];
    for &place in &left {
        let count = later.of(place).iter().filter(|&&next| before[next as usize] > 0).count();
        after[place as usize] = count as u32;
    }
    strip(left.iter().copied(), &mut after, |place| {
        let before = &before;
        direct(pasts, superseded, place).filter(move |&earlier| before[earlier as usize] > 0)
    });
    left.into_iter().filter(|&place| after[place as usize] > 0).collect()
}

/// Takes away the operations that nothing holds, and then those that only they held. `holders` counts of each what
/// holds it, `held` gives what one holds.
fn strip<I: IntoIterator<Item = Place>>(
    among: impl Iterator<Item = Place>,
    holders: &mut [u32],
    held: impl Fn(Place) -> I,
) {
    let mut free: Vec<Place> = among.filter(|&place| holders[place as usize] == 0).collect();
    while let Some(place) = free.pop() {
        for other in held(place) {
            holders[other as usize] -= 1;
            if holders[other as usize] == 0 {
                free.push(other);
            }
        }
    }
}

/// All operations that took effect, or may have.
fn nodes<'p>(pasts: &'p Pasts<'_, '_>) -> impl Iterator<Item = Place> + use<'p> {
    (0..pasts.book.entries.len() as Place).filter(|&place| pasts.book.entry_at(place).act != Act::Other)
}

/// What is directly before an operation.
fn direct<'p>(
    pasts: &'p Pasts<'_, '_>,
    superseded: &'p Superseded,
    place: Place,
) -> impl Iterator<Item = Place> + use<'p> {
    let &Entry { session, before, .. } = pasts.book.entry_at(place);
    let last = (before as usize).checked_sub(1).map(|at| pasts.lines[session as usize][at]);
    last.into_iter().chain(pasts.cause(place)).chain(superseded.of(place).iter().copied())
}

/// The strongly connected components of more than one operation.
fn components(pasts: &Pasts<'_, '_>, superseded: &Superseded, left: &[Place]) -> Vec<Vec<Place>> {
    let mut graph = DiGraph::<Place, (), u32>::new();
    let mut nodes = vec![NONE; pasts.book.entries.len()];
    for &place in left {
        nodes[place as usize] = graph.add_node(place).index() as u32;
    }
    for &place in left {
        for earlier in direct(pasts, superseded, place).filter(|&earlier| nodes[earlier as usize] != NONE) {
            graph.add_edge(nodes[earlier as usize].into(), nodes[place as usize].into(), ());
        }
    }
    let components = kosaraju_scc(&graph).into_iter().filter(|component| component.len() > 1);
    components.map(|component| component.into_iter().map(|node| graph[node]).collect()).collect()
}

fn shortest(pasts: &Pasts<'_, '_>, superseded: &Superseded, component: &[Place]) -> Option<Vec<Hop>> {
    let mut component = component.to_vec();
    component.sort_unstable();
    let within = |place: &Place| component.binary_search(place).is_ok();
    let steps =
        component.iter().flat_map(|&later| superseded.of(later).iter().map(move |&earlier| (earlier, later)));
    let ways = steps.filter(|(earlier, _)| within(earlier)).take(TRIES).filter_map(|(earlier, later)| {
        pasts.way(earlier, |place| superseded.of(place).iter().copied(), |place| place == later)
    });
    ways.min_by_key(Vec::len)
}
