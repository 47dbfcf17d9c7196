//! Which actors are of one life of their key: those that ever met in one answer.
//!
//! Disjoint sets, with the shortening of paths as they are walked (Tarjan & van Leeuwen 1984).

use super::{Book, NO_LIFE, Order};

/// Finds the life of each actor, and each life's last write. Behind those of the actors comes one for each key,
/// for versions that stand in a line.
pub(super) fn tell_apart(book: &mut Book<'_>) {
    let mut leaders: Vec<u32> = (0..book.actors() as u32).collect();
    for place in 0..book.entries.len() as u32 {
        let dots = [book.clock(place), book.dots(place)].into_iter().flatten().flatten();
        let mut actors = dots.map(|dot| dot.actor);
        let Some(first) = actors.next() else { continue };
        for actor in actors {
            let (one, two) = (leader(&mut leaders, first), leader(&mut leaders, actor));
            leaders[one.max(two) as usize] = one.min(two);
        }
    }
    let mut lives = 0;
    for actor in 0..leaders.len() {
        let leader = leader(&mut leaders, actor as u32) as usize;
        // A leader is the first of its set, so its life has a number already.
        let life = if leader == actor { lives } else { book.lives[leader] };
        lives += u32::from(leader == actor);
        book.lives.push(life);
    }
    book.last_writes = vec![0; lives as usize + book.keys.len()];
    for place in 0..book.entries.len() as u32 {
        if let Some(dot) = book.own_dot(place) {
            let call = book.entry_at(place).call;
            let last = &mut book.last_writes[book.lives[dot.actor as usize] as usize];
            *last = call.max(*last);
        }
        book.entries[place as usize].life = if book.order(place) == Order::Clock {
            let known = [book.clock(place), book.dots(place)].into_iter().flatten().flatten().next();
            known.map_or(NO_LIFE, |&dot| book.life_of(dot))
        } else {
            lives + book.entry_at(place).key
        };
    }
}

fn leader(leaders: &mut [u32], actor: u32) -> u32 {
    let mut at = actor as usize;
    while leaders[at] as usize != at {
        leaders[at] = leaders[leaders[at] as usize];
        at = leaders[at] as usize;
    }
    at as u32
}
