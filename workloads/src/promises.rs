//! What a system promises, as data with the reason of each row: from the style of the store, its settings and
//! the faults of the run to the strongest promise of each workload.
//!
//! A promise that a system never made proves nothing when it breaks, so a run is held, when the user names no
//! promise, to what its makers promise. The first row of [`PROMISES`] that applies decides; a row may say that
//! nothing is promised, and then the user has to name what is to be judged. [`guarantees()`] takes a promise of
//! the quorum style apart: which of the four session guarantees hold, and why the others do not.
//!
//! Rows only say what follows from how a store works. What was measured belongs into reports.

mod guarantees;

use std::collections::BTreeMap;

use growler_checker::convergence::order::Rules;
use serde::Serialize;

pub use guarantees::{GUARANTEES, Guarantee, GuaranteeRow, guarantees};

/// What is tested, as far as promises go.
#[derive(Debug, Clone, Copy)]
pub struct System<'a> {
    /// Style of the bundled store. None: endpoints.
    pub store: Option<&'a str>,
    /// Its settings, where they are not the default.
    pub settings: &'a BTreeMap<String, String>,
    /// The kinds of fault of the run.
    pub faults: &'a [String],
}

/// A part of a row's condition.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum When {
    /// A setting has this value.
    Set(&'static str, &'static str),
    /// R + W > N: a read meets the last acknowledged write at some node.
    Overlap,
    /// R + W ≤ N.
    NoOverlap,
    /// R = N: a read asks every owner.
    ReadsAll,
    /// W = N: a write is acknowledged when every owner has it.
    WritesAll,
    /// This fault is injected.
    Fault(&'static str),
    /// It is not.
    No(&'static str),
    /// Some fault is injected.
    Faults,
}

/// What is promised, and why.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Row {
    /// Style of the bundled store. None: endpoints.
    pub store: Option<&'static str>,
    /// The workloads that it is for. Empty: all others.
    pub workloads: &'static [&'static str],
    /// When it applies; all of it must.
    pub when: &'static [When],
    /// The strongest promise. None: nothing is promised.
    pub promise: Option<&'static str>,
    /// Why.
    pub why: &'static str,
}

/// A workload whose history says nothing about a promise.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Meaningless {
    /// The workload.
    pub workload: &'static str,
    /// The promise.
    pub promise: &'static str,
    /// Why.
    pub why: &'static str,
}

/// The settings of the quorum style that promises follow from, and their values when nobody sets them.
const QUORUM_DEFAULTS: &[(&str, &str)] = &[
    ("n", "3"),
    ("r", "1"),
    ("w", "2"),
    ("quorum", "sloppy"),
    ("resolve", "siblings"),
    ("hints", "on"),
    ("read-repair", "on"),
    ("anti-entropy", "on"),
];

const REGISTERS: &[&str] = &["register", "session", "lww"];

/// What is promised. The first row that applies decides.
pub const PROMISES: &[Row] = &[
    Row {
        store: Some("leader"),
        workloads: &["set"],
        when: &[],
        promise: Some("eventual"),
        why: "a Query in several pages shows each item at a moment of its own, so a set is held to no more than \
              that every element comes to stay",
    },
    Row {
        store: Some("leader"),
        workloads: &["session"],
        when: &[],
        promise: Some("eventual"),
        why: "eventual reads are answered by followers, which lag behind: a client that goes to another node may \
              miss its own write",
    },
    Row {
        store: Some("leader"),
        workloads: &[],
        when: &[],
        promise: Some("linearizable"),
        why: "a leader orders every write of its partition, and strong reads go through it",
    },
    Row {
        store: Some("quorum"),
        workloads: &["cart"],
        when: &[When::Set("resolve", "lww")],
        promise: None,
        why: "a cart merges siblings, and there are none where the last writer wins: of two concurrent additions \
              one is lost by the rule",
    },
    Row {
        store: Some("quorum"),
        workloads: &[],
        when: &[When::Set("anti-entropy", "off"), When::Set("hints", "off"), When::Faults],
        promise: None,
        why: "nothing brings a write to an owner that missed it: read repair mends only what is read",
    },
    Row {
        store: Some("quorum"),
        workloads: &[],
        when: &[When::Set("anti-entropy", "off"), When::Fault("kill")],
        promise: None,
        why: "a coordinator that is killed before it has told all owners leaves no hint either, and only \
              anti-entropy finds what they miss",
    },
    Row {
        store: Some("quorum"),
        workloads: REGISTERS,
        when: &[
            When::Set("quorum", "strict"),
            When::ReadsAll,
            When::Set("resolve", "lww"),
            When::No("clock"),
        ],
        promise: Some("causal"),
        why: "every read asks all owners, so that what was acknowledged or shown once is in every later answer, \
              and with clocks that agree timestamps follow the order of events",
    },
    Row {
        store: Some("quorum"),
        workloads: &[],
        when: &[],
        promise: Some("eventual"),
        why: "every owner takes writes, and a read may miss what other owners took: what is promised is that they \
              agree in the end, with every acknowledged write in it or replaced by one that may replace it",
    },
    Row {
        store: None,
        workloads: &["set", "cart", "session", "lww"],
        when: &[],
        promise: Some("eventual"),
        why: "of ConsistentRead=false, and of a Query in pages, DynamoDB promises no more than that it catches up",
    },
    Row {
        store: None,
        workloads: &[],
        when: &[],
        promise: Some("dynamodb-region"),
        why: "in one region DynamoDB promises linearizable single items, serializable transactions, and pages \
              of a Query that are no snapshot",
    },
];

/// What is refused with a reason rather than checked.
pub const MEANINGLESS: &[Meaningless] = &[Meaningless {
    workload: "bank",
    promise: "linearizable",
    why: "a total by Query in several pages is no single moment, and nobody promises that it is",
}];

impl System<'_> {
    /// What a setting of the quorum style is.
    fn setting(&self, name: &str) -> &str {
        let default = || QUORUM_DEFAULTS.iter().find(|(known, _)| *known == name).map(|(_, value)| *value);
        self.settings.get(name).map(String::as_str).or_else(default).unwrap_or_default()
    }

    fn number(&self, name: &str) -> u32 {
        self.setting(name).parse().unwrap_or_default()
    }

    /// Whether a part of a row's condition holds.
    #[must_use]
    pub fn has(&self, when: When) -> bool {
        let (n, r, w) = (self.number("n"), self.number("r"), self.number("w"));
        let injected = |fault: &str| self.faults.iter().any(|kind| kind == fault);
        match when {
            When::Set(name, value) => self.setting(name) == value,
            When::Overlap => r + w > n,
            When::NoOverlap => r + w <= n,
            When::ReadsAll => r >= n,
            When::WritesAll => w >= n,
            When::Fault(fault) => injected(fault),
            When::No(fault) => !injected(fault),
            When::Faults => !self.faults.is_empty(),
        }
    }

    fn all(&self, when: &[When]) -> bool {
        when.iter().all(|when| self.has(*when))
    }

    /// What checks are to be told of this system.
    #[must_use]
    pub fn rules(&self) -> Rules {
        let quorum = self.store == Some("quorum");
        Rules { lww: quorum && self.has(When::Set("resolve", "lww")), ordered_writes: !quorum }
    }

    /// The row that says what this system promises to a workload.
    #[must_use]
    pub fn promise(&self, workload: &str) -> &'static Row {
        const LAST: &Row = &PROMISES[PROMISES.len() - 1];
        let applies = |row: &&Row| row.store == self.store && row.is_for(workload) && self.all(row.when);
        PROMISES.iter().find(applies).unwrap_or(LAST)
    }
}

impl Row {
    fn is_for(&self, workload: &str) -> bool {
        self.workloads.is_empty() || self.workloads.contains(&workload)
    }
}

impl std::fmt::Display for When {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Set(name, value) => write!(f, "{name}={value}"),
            Self::Overlap => f.write_str("r+w>n"),
            Self::NoOverlap => f.write_str("r+w≤n"),
            Self::ReadsAll => f.write_str("r=n"),
            Self::WritesAll => f.write_str("w=n"),
            Self::Fault(fault) => write!(f, "with {fault} faults"),
            Self::No(fault) => write!(f, "without {fault} faults"),
            Self::Faults => f.write_str("with faults"),
        }
    }
}

/// A condition in words; nothing where there is none.
fn words(when: &[When]) -> String {
    when.iter().map(ToString::to_string).collect::<Vec<_>>().join(", ")
}

/// One row of [`PROMISES`] or [`GUARANTEES`], as `growler list workloads` shows it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Listed {
    /// The system: a style, or `endpoint`.
    pub system: &'static str,
    /// When.
    pub when: String,
    /// What is promised; `nothing`.
    pub promise: &'static str,
    /// Why.
    pub why: &'static str,
}

/// What a workload may promise on which system, row by row. The first that applies counts.
#[must_use]
pub fn of_workload(workload: &str, stores: &[&str]) -> Vec<Listed> {
    let runs = |row: &&Row| row.store.is_none_or(|store| stores.contains(&store)) && row.is_for(workload);
    let mut listed: Vec<Listed> = Vec::new();
    for row in PROMISES.iter().filter(runs) {
        let system = row.store.unwrap_or("endpoint");
        // What comes after a row without a condition never counts.
        if !listed.iter().any(|earlier| earlier.system == system && earlier.when.is_empty()) {
            let promise = row.promise.unwrap_or("nothing");
            listed.push(Listed { system, when: words(row.when), promise, why: row.why });
        }
    }
    listed
}

/// Which session guarantees the quorum style gives, row by row. Of each guarantee the first row that applies
/// counts.
#[must_use]
pub fn of_sessions() -> Vec<Listed> {
    let listed = |row: &GuaranteeRow| {
        let promise = if row.holds { row.guarantee.name() } else { row.guarantee.name_of_absence() };
        Listed { system: "quorum", when: words(row.when), promise, why: row.why }
    };
    GUARANTEES.iter().map(listed).collect()
}

/// Why `workload` cannot be held to `promise`, where there is a reason worth telling.
#[must_use]
pub fn why_meaningless(workload: &str, promise: &str) -> Option<&'static str> {
    MEANINGLESS.iter().find(|row| row.workload == workload && row.promise == promise).map(|row| row.why)
}

#[cfg(test)]
mod tests;
