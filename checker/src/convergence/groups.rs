//! Many short lists in two long ones.
//!
//! A history of many keys has a hundred thousand actors, each with a handful of writes. As vectors in a vector
//! they would be scattered over the memory, each grown several times; here they lie one after the other.

/// Of each of so many things, a list of items.
#[derive(Debug, Clone)]
pub(super) struct Groups<T> {
    /// Where the list of each thing begins, and where the last one ends.
    starts: Vec<u32>,
    items: Vec<T>,
}

impl<T> Default for Groups<T> {
    /// Of nothing.
    fn default() -> Self {
        Self { starts: Vec::new(), items: Vec::new() }
    }
}

impl<T: Copy> Groups<T> {
    /// From pairs of a thing below `things` and its item, each list in the order of the pairs. Linear.
    pub(super) fn new(things: usize, pairs: &[(u32, T)]) -> Self {
        let mut starts = vec![0; things + 1];
        for &(thing, _) in pairs {
            starts[thing as usize + 1] += 1;
        }
        for at in 0..things {
            starts[at + 1] += starts[at];
        }
        let mut next = starts.clone();
        let mut items: Vec<T> = pairs.iter().map(|&(_, item)| item).collect();
        for &(thing, item) in pairs {
            let at = &mut next[thing as usize];
            items[*at as usize] = item;
            *at += 1;
        }
        Self { starts, items }
    }

    /// The same with each list in ascending order.
    pub(super) fn sorted(mut self) -> Self
    where
        T: Ord,
    {
        for bounds in self.starts.windows(2) {
            self.items[bounds[0] as usize..bounds[1] as usize].sort_unstable();
        }
        self
    }

    /// The list of a thing.
    pub(super) fn of(&self, thing: u32) -> &[T] {
        &self.items[self.starts[thing as usize] as usize..self.starts[thing as usize + 1] as usize]
    }

    /// All lists, in the order of their things.
    pub(super) fn iter(&self) -> impl Iterator<Item = &[T]> {
        self.starts.windows(2).map(|bounds| &self.items[bounds[0] as usize..bounds[1] as usize])
    }

    /// Whether all lists are empty.
    pub(super) fn is_empty(&self) -> bool {
        self.items.is_empty()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_thing_has_its_items_in_their_order() {
        let pairs = [(2, 'c'), (0, 'b'), (2, 'a'), (0, 'd')];
        let groups = Groups::new(4, &pairs);
        let lists = |groups: &Groups<char>| groups.iter().map(<[char]>::to_vec).collect::<Vec<_>>();
        assert_eq!((0..4).map(|thing| groups.of(thing).to_vec()).collect::<Vec<_>>(), lists(&groups));
        assert_eq!(lists(&groups), [vec!['b', 'd'], vec![], vec!['c', 'a'], vec![]]);
        assert_eq!(lists(&groups.sorted()), [vec!['b', 'd'], vec![], vec!['a', 'c'], vec![]]);
        assert!(Groups::<char>::new(3, &[]).is_empty());
    }
}
