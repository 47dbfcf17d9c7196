//! Lists that grow one item at a time, though how long they will be is known: side by side in one long list.
//!
//! A sweep over a million operations puts each into the list of its session and key, in the order of time. Were these
//! vectors, they would be grown several times and lie scattered over the memory.

/// Many lists.
#[derive(Debug)]
pub(super) struct Rows<T> {
    /// Where each list begins, and where it ends so far.
    bounds: Vec<(u32, u32)>,
    items: Vec<T>,
}

impl<T: Copy + Default> Rows<T> {
    /// So many empty lists, and of each item that will be pushed, in any order, onto which it will be.
    pub(super) fn new(lists: usize, pushes: impl Iterator<Item = u32>) -> Self {
        let mut bounds = vec![(0, 0); lists];
        pushes.for_each(|list| bounds[list as usize].1 += 1);
        let mut length = 0;
        for (start, end) in &mut bounds {
            (*start, length) = (length, length + *end);
            *end = *start;
        }
        Self { bounds, items: vec![T::default(); length as usize] }
    }

    /// Adds an item to a list. It must have been announced.
    pub(super) fn push(&mut self, list: u32, item: T) {
        let (_, end) = self.bounds[list as usize];
        assert!(self.bounds.get(list as usize + 1).is_none_or(|next| end < next.0), "unannounced");
        self.items[end as usize] = item;
        self.bounds[list as usize].1 += 1;
    }

    /// A list so far.
    pub(super) fn of(&self, list: u32) -> &[T] {
        let (start, end) = self.bounds[list as usize];
        &self.items[start as usize..end as usize]
    }

    /// Whether a list is empty so far.
    pub(super) fn is_empty(&self, list: u32) -> bool {
        let (start, end) = self.bounds[list as usize];
        start == end
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_list_has_what_was_pushed_onto_it_so_far() {
        let pushes = [(2, 'c'), (0, 'b'), (2, 'a'), (0, 'd'), (2, 'e')];
        let mut rows = Rows::new(4, pushes.iter().map(|&(list, _)| list));
        let mut lists = vec![String::new(); 4];
        for (list, item) in pushes {
            rows.push(list, item);
            lists[list as usize].push(item);
            for list in 0..4 {
                let expected = &lists[list as usize];
                assert_eq!(rows.of(list).iter().collect::<String>(), *expected);
                assert_eq!(rows.is_empty(list), expected.is_empty());
            }
        }
    }
}
