//! Promises: what a system is held to, and which checks that means for a model.
//!
//! A model says what an object does when operations come one at a time; a promise says how much of that
//! illusion survives concurrency and faults. [`checks_for`] turns the pair into checks. A pair without a
//! check is an error that says what can be checked: a promise is never passed over in silence.

use std::time::Duration;

use serde::Serialize;

use crate::convergence::availability::{Availability, Floor};
use crate::convergence::causal::Causal;
use crate::convergence::lww::Lww;
use crate::convergence::order::Rules;
use crate::convergence::replicas::Convergence;
use crate::convergence::resurrection::Resurrection;
use crate::convergence::sessions::SessionGuarantees;
use crate::convergence::set_full::SetFull;
use crate::convergence::siblings::Siblings;
use crate::convergence::staleness::Staleness;
use crate::history::{Event, pair};
use crate::invariants::bank::Bank;
use crate::linearizability::modelled::Modelled;
use crate::linearizability::{HistoryError, Linearizable};
use crate::model as models;
use crate::model::counter::Counter;
use crate::model::kv::Kv;
use crate::model::multi_register::MultiRegister;
use crate::model::mutex::Mutex;
use crate::model::queue::Queue;
use crate::model::set::Set;
use crate::provenance::Provenance;
use crate::verdict::Check;

/// One promise, as `growler list promises` shows it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
pub struct Info {
    /// Its name after `--promise`.
    pub name: &'static str,
    /// What it promises, in one sentence.
    pub about: &'static str,
    /// Whether this version can check it, for at least one model.
    pub checked: bool,
}

const fn promise(name: &'static str, checked: bool, about: &'static str) -> Info {
    Info { name, about, checked }
}

/// Every promise that can be named.
#[must_use]
pub fn catalogue() -> &'static [Info] {
    CATALOGUE
}

const CATALOGUE: &[Info] = &[
    promise(
        "linearizable",
        true,
        "each operation takes effect at one moment between its call and its return",
    ),
    promise(
        "dynamodb-region",
        true,
        "what DynamoDB promises in one region: each item is linearizable to strong reads and writes, \
         transactions are serializable, eventual reads return what was once written",
    ),
    promise("conservation", true, "transfers neither make nor lose money, in every transactional read"),
    promise(
        "eventual",
        true,
        "once the faults are healed and the writes have stopped, all replicas come to hold the same, and nothing \
         that was acknowledged is missing unless something replaced it",
    ),
    promise("sessions", true, "eventual, and each client reads its own writes and never goes back in time"),
    promise("causal", true, "sessions, and who sees an effect sees its causes"),
];

/// The catalogue's entry of this name.
#[must_use]
pub fn find(name: &str) -> Option<&'static Info> {
    CATALOGUE.iter().find(|promise| promise.name == name)
}

/// What each pair of model and promise is checked by.
const PAIRS: &[(&str, &str)] = &[
    ("register", "linearizable"),
    ("register", "dynamodb-region"),
    ("cas-register", "linearizable"),
    ("cas-register", "dynamodb-region"),
    ("multi-register", "linearizable"),
    ("counter", "linearizable"),
    ("set", "linearizable"),
    ("queue", "linearizable"),
    ("kv", "linearizable"),
    ("mutex", "linearizable"),
    ("register", "eventual"),
    ("register", "sessions"),
    ("register", "causal"),
    ("cas-register", "eventual"),
    ("cas-register", "sessions"),
    ("cas-register", "causal"),
    ("set", "eventual"),
    ("set", "sessions"),
    ("set", "causal"),
    ("cart", "eventual"),
    ("cart", "sessions"),
    ("cart", "causal"),
    ("bank", "conservation"),
    ("bank", "dynamodb-region"),
];

/// Why there are no checks for a model and a promise.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum PromiseError {
    /// No such model.
    #[error("there is no model `{model}`; `growler list models` names them")]
    UnknownModel {
        /// What was asked for.
        model: String,
    },
    /// No such promise.
    #[error("there is no promise `{promise}`; `growler list promises` names them")]
    UnknownPromise {
        /// What was asked for.
        promise: String,
    },
    /// Both exist, but this version has no check for the two.
    #[error("there is no check yet that holds `{model}` to `{promise}`; what can be checked: {checkable}")]
    NotChecked {
        /// The model.
        model: String,
        /// The promise.
        promise: String,
        /// The pairs that can be.
        checkable: String,
    },
}

/// The checks that hold a model to a promise. A bank's accounts and money are taken from the history (see
/// [`Bank::from_history`]); who knows them uses [`Bank::new`]. Of the store nothing is known but what
/// [`Rules::default`] says; who knows more, above all that the greatest timestamp wins, uses
/// [`checks_on_terms`], since a check that is not told so takes such a store's losses for violations.
///
/// # Errors
///
/// A [`PromiseError`] that names what can be checked.
pub fn checks_for(model: &str, promise: &str) -> Result<Vec<Box<dyn Check>>, PromiseError> {
    checks_on_terms(model, promise, &Terms::default())
}

/// Whether it can be said of a read of this model how far it is behind. Of a set it cannot: each element is an
/// item of its own, and `set-full` says how long each was missed.
#[must_use]
pub fn can_be_stale(model: &str) -> bool {
    model != "set"
}

/// What is known of a store, and what it is held to beyond its promise.
#[derive(Debug, Clone, Copy, Default, PartialEq)]
pub struct Terms {
    /// What is known of its versions.
    pub rules: Rules,
    /// How far behind a read may be (`--max-staleness`). None: that is measured and not judged.
    pub max_staleness: Option<Duration>,
    /// How much each side of a partition must serve (`--min-availability`). A floor of 0 measures only.
    pub floor: Option<Floor>,
}

/// The promises under which reads may be stale, so that their staleness is measured.
pub const EVENTUAL: &[&str] = &["eventual", "sessions", "causal"];

/// The checks that hold a model to a promise, for a store of which this is known and asked.
///
/// # Errors
///
/// A [`PromiseError`] that names what can be checked.
pub fn checks_on_terms(
    model: &str,
    promise: &str,
    terms: &Terms,
) -> Result<Vec<Box<dyn Check>>, PromiseError> {
    if models::find(model).is_none() {
        return Err(PromiseError::UnknownModel { model: model.to_owned() });
    }
    if find(promise).is_none() {
        return Err(PromiseError::UnknownPromise { promise: promise.to_owned() });
    }
    let check: Box<dyn Check> = match model {
        _ if PAIRS.contains(&(model, promise)) && EVENTUAL.contains(&promise) => {
            return Ok(weak_checks(model, promise, terms));
        }
        _ if !PAIRS.contains(&(model, promise)) => {
            let pairs = PAIRS.iter().map(|(model, promise)| format!("{model} as {promise}"));
            return Err(PromiseError::NotChecked {
                model: model.to_owned(),
                promise: promise.to_owned(),
                checkable: pairs.collect::<Vec<_>>().join(", "),
            });
        }
        "bank" => Box::new(Bank::from_history()),
        "cas-register" => Box::new(Linearizable::cas_register()),
        "multi-register" => Box::new(Modelled::new(MultiRegister)),
        "counter" => Box::new(Modelled::new(Counter)),
        "set" => Box::new(Modelled::new(Set)),
        "queue" => Box::new(Modelled::new(Queue)),
        "kv" => Box::new(Modelled::new(Kv)),
        "mutex" => Box::new(Modelled::new(Mutex)),
        _ => Box::new(Linearizable::register()),
    };
    let mut checks = vec![check];
    checks.extend(provenance(model));
    if terms.floor.is_some_and(|floor| floor.share > 0.0) {
        checks.push(Box::new(Availability { floor: terms.floor }));
    }
    Ok(checks)
}

/// The check that is part of every promise.
fn provenance(model: &str) -> Option<Box<dyn Check>> {
    Provenance::of(model).map(|check| Box::new(check) as Box<dyn Check>)
}

/// The checks of a promise that is weaker than one order of everything. Each promise includes the one before it.
/// How stale reads were, and who was served, is measured in any case.
fn weak_checks(model: &str, promise: &str, terms: &Terms) -> Vec<Box<dyn Check>> {
    let rules = terms.rules;
    let mut checks: Vec<Box<dyn Check>> =
        vec![Box::new(Convergence::new(rules)), Box::new(Resurrection::new(rules))];
    checks.extend(provenance(model));
    if model == "set" {
        checks.push(Box::new(SetFull::eventual()));
    }
    if rules.lww {
        checks.push(Box::new(Lww::default()));
    } else {
        checks.push(Box::new(Siblings::default()));
    }
    if promise != "eventual" {
        checks.push(Box::new(SessionGuarantees::new(rules)));
    }
    if promise == "causal" {
        checks.push(Box::new(Causal::new(rules)));
    }
    if can_be_stale(model) {
        checks.push(Box::new(Staleness::new(rules, terms.max_staleness)));
    }
    checks.push(Box::new(Availability { floor: terms.floor }));
    checks
}

/// What a recorded history of this model is held to when nobody says: the strongest promise that a
/// DynamoDB-like store makes about it.
#[must_use]
pub fn default_promise(model: &str) -> &'static str {
    match model {
        "register" | "cas-register" | "multi-register" | "counter" | "set" | "queue" | "kv" | "mutex" => {
            "linearizable"
        }
        "cart" => "eventual",
        _ => "dynamodb-region",
    }
}

/// Whether the events are a history, and one of this model. A check answers *unknown* for others; who reads
/// a file and gets that answer asks here, because there it is a mistake in the file. Who gets another answer
/// need not ask.
///
/// # Errors
///
/// What is wrong, and at which event.
pub fn validate(model: &str, events: &[Event]) -> Result<(), HistoryError> {
    match model {
        "register" => Linearizable::register().validate(events),
        "cas-register" => Linearizable::cas_register().validate(events),
        "multi-register" => Modelled::new(MultiRegister).validate(events),
        "counter" => Modelled::new(Counter).validate(events),
        "set" => Modelled::new(Set).validate(events),
        "queue" => Modelled::new(Queue).validate(events),
        "kv" => Modelled::new(Kv).validate(events),
        "mutex" => Modelled::new(Mutex).validate(events),
        _ => Ok(pair(events).map(|_| ())?),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_pair_has_a_check_and_is_marked_as_checked() {
        for (model, promise) in PAIRS {
            assert!(
                checks_for(model, promise).is_ok_and(|checks| !checks.is_empty()),
                "{model} as {promise}"
            );
            let checks = checks_for(model, promise).unwrap();
            assert!(checks.iter().any(|check| check.name() == "provenance"), "{model} as {promise}");
            assert!(models::find(model).is_some_and(|model| model.checked));
            assert!(find(promise).is_some_and(|promise| promise.checked));
        }
        for model in models::catalogue().iter().filter(|model| model.checked) {
            let promise = default_promise(model.name);
            assert!(PAIRS.contains(&(model.name, promise)), "{} as {promise}", model.name);
        }
        for model in models::catalogue().iter().filter(|model| model.checked) {
            assert!(PAIRS.iter().any(|(name, _)| *name == model.name), "{}", model.name);
        }
        for promise in CATALOGUE.iter().filter(|promise| promise.checked) {
            assert!(PAIRS.iter().any(|(_, name)| *name == promise.name), "{}", promise.name);
        }
    }

    #[test]
    fn weaker_promises_are_part_of_the_stronger_ones() {
        let names = |model, promise, lww| {
            let terms = Terms { rules: Rules { lww, ..Rules::default() }, ..Terms::default() };
            let checks = checks_on_terms(model, promise, &terms).unwrap();
            checks.iter().map(|check| check.name()).collect::<Vec<_>>()
        };
        let with = |judged: &[&'static str]| [judged, &["staleness", "availability"]].concat();
        assert_eq!(
            names("register", "eventual", false),
            with(&["convergence", "resurrection", "provenance", "siblings"])
        );
        assert_eq!(
            names("set", "eventual", false),
            ["convergence", "resurrection", "provenance", "set-full", "siblings", "availability"]
        );
        assert_eq!(
            names("cart", "sessions", true),
            with(&["convergence", "resurrection", "provenance", "lww", "sessions"])
        );
        for model in ["register", "cas-register", "set", "cart"] {
            for lww in [false, true] {
                let of = |promise| names(model, promise, lww);
                let measured = |name: &&str| ["staleness", "availability"].contains(name);
                let judged =
                    |promise| -> Vec<_> { of(promise).into_iter().filter(|name| !measured(name)).collect() };
                assert_eq!([judged("eventual"), vec!["sessions"]].concat(), judged("sessions"));
                assert_eq!([judged("sessions"), vec!["causal"]].concat(), judged("causal"));
                assert_eq!(of("causal").contains(&"staleness"), can_be_stale(model));
            }
        }
    }

    #[test]
    fn who_asks_for_availability_gets_it_judged_under_every_promise() {
        let floor = Floor { share: 0.9, after: Duration::ZERO, nodes: 1, writes_only: true };
        let names = |share| {
            let terms = Terms { floor: Some(Floor { share, ..floor }), ..Terms::default() };
            let checks = checks_on_terms("register", "linearizable", &terms).unwrap();
            checks.iter().map(|check| check.name()).collect::<Vec<_>>()
        };
        assert_eq!(names(0.9), ["linearizable", "provenance", "availability"]);
        assert_eq!(names(0.0), ["linearizable", "provenance"]);
    }

    #[test]
    fn what_cannot_be_checked_is_an_error_that_helps() {
        let error = |model, promise| checks_for(model, promise).err().map(|error| error.to_string());
        let message = error("bank", "causal").unwrap();
        assert!(message.contains("register as linearizable") && message.contains("bank"), "{message}");
        assert!(error("nothing", "linearizable").unwrap().contains("list models"));
        assert!(error("register", "nothing").unwrap().contains("list promises"));
    }
}
