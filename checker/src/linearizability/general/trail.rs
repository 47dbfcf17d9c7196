//! The way to each configuration: who took effect, one link each, in an arena.
//!
//! A configuration holds the number of its last link, and a link that of the one before, so that ways share
//! what they have in common. Ways that died are garbage; when there is as much of it as there can be of
//! anything else, what is still reachable is moved together. After a while all live ways have a common
//! beginning, so what stays is about one link for each operation.

use super::row;

/// The number of a link; [`START`] before the first.
pub(super) type Link = u32;

/// The way on which nothing has happened.
pub(super) const START: Link = u32::MAX;

/// Fewer links than this are not worth a collection.
const FEW: usize = 1 << 16;

/// All ways.
#[derive(Debug, Default)]
pub(super) struct Trail {
    /// The job, and the link before.
    links: Vec<(u32, Link)>,
    /// How many there were after the last collection.
    kept: usize,
}

impl Trail {
    /// The way that goes on with this job.
    pub(super) fn extend(&mut self, way: Link, job: u32) -> Link {
        let link = Link::try_from(self.links.len()).unwrap_or(START);
        self.links.push((job, way));
        link
    }

    /// The jobs of a way, in order.
    pub(super) fn order(&self, mut way: Link) -> Vec<u32> {
        let mut order = Vec::new();
        while let Some(&(job, before)) = self.links.get(way as usize) {
            order.push(job);
            way = before;
        }
        order.reverse();
        order
    }

    /// Forgets all but the ways of these rows, given by their first words, if that is worth the effort, and
    /// renumbers them.
    pub(super) fn collect<'r>(&mut self, heads: impl Iterator<Item = &'r mut u64>) {
        if self.links.len() < FEW.max(2 * self.kept) {
            return;
        }
        let heads: Vec<&mut u64> = heads.collect();
        let mut moved = vec![START; self.links.len()];
        for head in &heads {
            let mut at = row::way(&[**head]);
            while at != START && moved[at as usize] == START {
                // Marked; the number comes below.
                moved[at as usize] = 0;
                at = self.links[at as usize].1;
            }
        }
        // A link is younger than the one before it, so that one has its number already.
        let mut kept = 0;
        for at in 0..self.links.len() {
            if moved[at] == START {
                continue;
            }
            let (job, before) = self.links[at];
            let before = if before == START { START } else { moved[before as usize] };
            self.links[kept] = (job, before);
            moved[at] = Link::try_from(kept).unwrap_or(START);
            kept += 1;
        }
        self.links.truncate(kept);
        self.kept = kept;
        for head in heads {
            let way = row::way(&[*head]);
            if way != START {
                *head = row::head(row::state(&[*head]), moved[way as usize]);
            }
        }
    }

    /// The memory of all links, in bytes.
    pub(super) fn bytes(&self) -> u64 {
        (self.links.len() * size_of::<(u32, Link)>()) as u64
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_collection_keeps_the_live_ways_and_nothing_else() {
        let mut trail = Trail::default();
        let mut common = START;
        for job in 0..10 {
            common = trail.extend(common, job);
        }
        let left = trail.extend(common, 11);
        for dead in 0..131_072 {
            trail.extend(common, dead);
        }
        let mut right = trail.extend(common, 12);
        right = trail.extend(right, 13);
        let mut heads = [row::head(5, left), row::head(6, right), row::head(7, START)];
        trail.collect(heads.iter_mut());
        let with = |rest: &[u32]| (0..10).chain(rest.iter().copied()).collect::<Vec<u32>>();
        assert_eq!(trail.order(row::way(&heads[..1])), with(&[11]));
        assert_eq!(trail.order(row::way(&heads[1..])), with(&[12, 13]));
        assert_eq!(trail.order(row::way(&heads[2..])), [0; 0]);
        assert_eq!(trail.links.len(), 13);
    }
}
