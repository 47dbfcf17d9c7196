//! The lives of a key: what it held from one time that it was forgotten to the next.
//!
//! A store that collects tombstones forgets a key, and begins anew with actors that nobody knew before. So the
//! actors of a key fall into lives: those that ever met in one clock are of one life. An answer knows one life
//! (none, if its clock is empty). What it lacks of another is excused for all of that life at once if a delete
//! that may have been what was collected had not ended before the last write of that life began: this is the
//! rule of `order` for each of its dots, since clocks of different lives never meet. Only the lives that are not
//! excused so have to be looked at, one by one: in a store that is right there are none, however often a key
//! was forgotten.
//!
//! Where versions stand in a line, a key has one life.

use super::order::{Book, Order, Place};

/// The lives that have been seen so far, by key.
#[derive(Debug)]
pub(super) struct Lives {
    known: Vec<bool>,
    /// Each life with the call of its last write, in the order of these.
    of_keys: Vec<Vec<(u32, u32)>>,
}

impl Lives {
    /// None seen so far.
    pub(super) fn new(book: &Book<'_>) -> Self {
        Self { known: vec![false; book.lives()], of_keys: vec![Vec::new(); book.keys.len()] }
    }

    /// An answer was given that knows a life.
    pub(super) fn seen(&mut self, book: &Book<'_>, place: Place, life: u32) {
        if !std::mem::replace(&mut self.known[life as usize], true) {
            let of_key = &mut self.of_keys[book.entry_at(place).key as usize];
            let last = (book.last_write(life), life);
            let at = of_key.partition_point(|&other| other < last);
            of_key.insert(at, last);
        }
    }

    /// The lives of which an answer may lack something: its own, and those that cannot be excused as a whole.
    pub(super) fn of<'l>(&'l self, book: &Book<'_>, place: Place) -> impl Iterator<Item = u32> + use<'l> {
        let own = book.life(place).filter(|&life| self.known[life as usize]);
        let mut others = self.of_keys[book.entry_at(place).key as usize].as_slice();
        let comparable = || book.order(place) == Order::Clock && book.clock(place).is_some();
        if own.is_some() && others.len() == 1 || !comparable() {
            others = &[];
        }
        let deleted = if others.is_empty() { 0 } else { book.deleted_until(place) };
        let others = others.iter().rev().take_while(move |&&(last, _)| last >= deleted);
        own.into_iter().chain(others.map(|&(_, life)| life).filter(move |&life| Some(life) != own))
    }
}
