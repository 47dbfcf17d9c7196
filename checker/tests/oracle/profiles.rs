//! What random histories are like: sorts of them, each meant to trouble another part of the checker.
//!
//! The first sort draws everything anew for each history, and so covers what nobody thought of. The others
//! insist: on absence, which is written many times and tells nothing of who wrote it; on operations that may
//! or may not have happened; on chains of conditional writes; on refusals that say no more than "not this
//! value"; on crowds, where nothing is ordered by real time; on honest runs with a single lie.

use rand::{Rng, RngExt};

/// How answers differ from what happened.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) enum Lies {
    None,
    /// One answer, somewhere.
    One,
    /// This share of them.
    Share(f64),
    /// This share of the refusals: they say that the condition held.
    Refusals(f64),
}

/// A sort of history.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Profile {
    pub(crate) name: &'static str,
    /// Weights: reads, writes, deletes, conditional writes, writes if absent, conditional deletes.
    pub(crate) kinds: [u32; 6],
    /// How many values there are; every write has its own if this is 0.
    pub(crate) values: u8,
    /// The share of answers that say what was in force.
    pub(crate) images: f64,
    /// The share of refusals that do not.
    pub(crate) opaque: f64,
    /// The share of operations whose answer is lost.
    pub(crate) lost: f64,
    /// The share of those that take effect; half of these do it late.
    pub(crate) effective: f64,
    pub(crate) lies: Lies,
    /// How many operations are open at once, at most.
    pub(crate) open: usize,
    /// How often a call comes before anything else happens.
    pub(crate) haste: f64,
    /// The share of conditions that are on what is in force when they are sent.
    pub(crate) aimed: f64,
}

const PLAIN: Profile = Profile {
    name: "plain",
    kinds: [4, 2, 1, 2, 1, 1],
    values: 0,
    images: 0.5,
    opaque: 0.2,
    lost: 0.15,
    effective: 0.5,
    lies: Lies::Share(0.3),
    open: 4,
    haste: 0.5,
    aimed: 0.6,
};

const PROFILES: &[Profile] = &[
    PLAIN,
    Profile { name: "absent", kinds: [4, 2, 3, 0, 3, 3], images: 0.2, opaque: 0.0, ..PLAIN },
    Profile {
        name: "absent, lost",
        kinds: [4, 2, 3, 0, 3, 3],
        images: 0.2,
        opaque: 0.0,
        lost: 0.45,
        ..PLAIN
    },
    Profile {
        name: "absent, lost, crowded",
        kinds: [3, 2, 2, 0, 2, 3],
        images: 0.1,
        opaque: 0.0,
        lost: 0.4,
        open: 9,
        haste: 0.8,
        ..PLAIN
    },
    Profile {
        name: "absent only",
        kinds: [5, 0, 1, 0, 4, 4],
        images: 0.1,
        opaque: 0.0,
        lost: 0.35,
        aimed: 0.8,
        ..PLAIN
    },
    Profile {
        name: "blind deletes",
        kinds: [4, 4, 4, 0, 1, 0],
        images: 0.1,
        opaque: 0.0,
        lost: 0.2,
        open: 6,
        haste: 0.7,
        ..PLAIN
    },
    Profile {
        name: "unread deletes",
        kinds: [3, 3, 0, 1, 2, 5],
        images: 0.0,
        opaque: 0.0,
        lost: 0.6,
        effective: 0.7,
        aimed: 0.4,
        ..PLAIN
    },
    // Unanswered conditional writes on one value, and reads of what both wrote.
    Profile {
        name: "forks",
        kinds: [6, 1, 0, 7, 0, 0],
        images: 0.0,
        opaque: 0.0,
        lost: 0.5,
        effective: 0.3,
        lies: Lies::Share(0.5),
        aimed: 0.9,
        ..PLAIN
    },
    // Two conditions that held on one value: weakened, either may have been the one.
    Profile {
        name: "deletes of one value",
        kinds: [4, 2, 0, 0, 1, 6],
        images: 0.0,
        opaque: 0.0,
        lost: 0.1,
        lies: Lies::Refusals(0.5),
        open: 8,
        haste: 0.6,
        ..PLAIN
    },
    Profile { name: "chains", kinds: [2, 1, 0, 7, 1, 1], opaque: 0.0, aimed: 0.9, open: 3, ..PLAIN },
    Profile { name: "chains, lost", kinds: [2, 1, 1, 7, 1, 2], opaque: 0.0, aimed: 0.8, lost: 0.4, ..PLAIN },
    Profile {
        name: "zones",
        kinds: [6, 4, 0, 1, 0, 0],
        opaque: 0.0,
        images: 0.1,
        open: 6,
        haste: 0.6,
        ..PLAIN
    },
    Profile { name: "crowd", open: 12, haste: 0.9, opaque: 0.0, ..PLAIN },
    Profile { name: "opaque", kinds: [3, 3, 1, 4, 1, 1], images: 0.2, opaque: 1.0, aimed: 0.3, ..PLAIN },
    Profile {
        name: "opaque, lost",
        kinds: [2, 3, 1, 4, 1, 1],
        images: 0.0,
        opaque: 1.0,
        aimed: 0.3,
        lost: 0.4,
        ..PLAIN
    },
    Profile { name: "one lie", lies: Lies::One, lost: 0.2, ..PLAIN },
    Profile {
        name: "one lie, absent",
        kinds: [4, 2, 3, 1, 3, 3],
        lies: Lies::One,
        images: 0.2,
        opaque: 0.0,
        lost: 0.3,
        ..PLAIN
    },
    Profile { name: "one lie, crowd", lies: Lies::One, open: 8, haste: 0.8, ..PLAIN },
    Profile { name: "honest", lies: Lies::None, lost: 0.3, open: 6, ..PLAIN },
    Profile { name: "repeated", values: 2, ..PLAIN },
    Profile { name: "repeated, lost", values: 3, lost: 0.4, lies: Lies::One, ..PLAIN },
    // Equal writes that were never answered, several of each.
    Profile {
        name: "repeated, mostly lost",
        kinds: [5, 8, 2, 0, 0, 0],
        values: 2,
        images: 0.0,
        lost: 0.6,
        lies: Lies::Share(0.3),
        open: 3,
        ..PLAIN
    },
    Profile { name: "anything", lies: Lies::Share(1.0), ..PLAIN },
];

/// The sorts with this in their name; all of them, and those of no sort, if it is empty.
#[derive(Debug)]
pub(crate) struct Sorts {
    among: Vec<Profile>,
    /// The share of no sort.
    mixed: f64,
}

impl Sorts {
    /// None if there is no such sort.
    pub(crate) fn named(name: &str) -> Option<Self> {
        let among: Vec<Profile> =
            PROFILES.iter().filter(|profile| profile.name.contains(name)).copied().collect();
        (!among.is_empty()).then_some(Self { among, mixed: if name.is_empty() { 0.3 } else { 0.0 } })
    }

    /// One of them, at random.
    pub(crate) fn draw(&self, rng: &mut impl Rng) -> Profile {
        if rng.random_bool(self.mixed) {
            return mixed(rng);
        }
        self.among[rng.random_range(0..self.among.len())]
    }
}

/// A sort of history, at random.
pub(crate) fn draw(rng: &mut impl Rng) -> Profile {
    Sorts { among: PROFILES.to_vec(), mixed: 0.3 }.draw(rng)
}

/// Everything at random, extremes among it.
fn mixed(rng: &mut impl Rng) -> Profile {
    let share = |rng: &mut dyn FnMut(usize) -> usize| [0.0, 0.1, 0.3, 0.6, 1.0][rng(5)];
    let mut below = |n: usize| rng.random_range(0..n);
    let mut kinds = [0; 6];
    while kinds.iter().sum::<u32>() == 0 {
        kinds = std::array::from_fn(|_| [0, 1, 3, 6][below(4)]);
    }
    Profile {
        name: "mixed",
        kinds,
        values: [0, 0, 0, 1, 2, 3][below(6)],
        images: share(&mut below),
        opaque: [0.0, 0.0, 0.3, 1.0][below(4)],
        lost: [0.0, 0.1, 0.3, 0.6][below(4)],
        effective: share(&mut below),
        lies: [Lies::One, Lies::Share(0.15), Lies::Share(0.3), Lies::Share(0.6)][below(4)],
        open: 1 + below(9),
        haste: [0.2, 0.5, 0.8, 0.95][below(4)],
        aimed: share(&mut below),
    }
}
