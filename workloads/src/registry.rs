//! The workloads that there are, by name.

use crate::bank::{BANK, Bank};
use crate::cart::{CART, Carts};
use crate::register::{CAS_REGISTER, LWW, REGISTER, Registers, SESSION};
use crate::set::{SET, Sets};
use crate::workload::{Description, Shape, Workload};

/// Every workload, in the order in which they are listed.
static WORKLOADS: [&Description; 7] = [&REGISTER, &CAS_REGISTER, &SET, &CART, &SESSION, &LWW, &BANK];

/// No workload has this name.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("no workload is called {name:?}; there are: {}", names().join(", "))]
pub struct UnknownWorkload {
    /// The name that was asked for.
    pub name: String,
}

/// What `growler list workloads` shows.
#[must_use]
pub fn workloads() -> &'static [&'static Description] {
    &WORKLOADS
}

/// The workload of this name.
///
/// # Errors
/// When there is none; the message lists the names.
pub fn create(name: &str, shape: &Shape) -> Result<Box<dyn Workload>, UnknownWorkload> {
    match WORKLOADS.iter().find(|description| description.name == name) {
        Some(description) if description.name == BANK.name => Ok(Box::new(Bank::new(shape))),
        Some(description) if description.name == SET.name => Ok(Box::new(Sets::new(shape))),
        Some(description) if description.name == CART.name => Ok(Box::new(Carts::new(shape))),
        Some(description) => Ok(Box::new(Registers::new(description, shape))),
        None => Err(UnknownWorkload { name: name.to_owned() }),
    }
}

fn names() -> Vec<&'static str> {
    WORKLOADS.iter().map(|description| description.name).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::workload::{Mode, Popularity};
    use growler_checker::promise::Terms;
    use std::time::Duration;

    fn shape() -> Shape {
        Shape {
            keys: 4,
            popularity: Popularity::Uniform,
            ops_per_key: 100,
            concurrency: 4,
            seed: 1,
            table_prefix: "t-".into(),
            mode: Mode::Strong,
            terms: Terms::default(),
            convergence: Duration::from_secs(10),
        }
    }

    #[test]
    fn every_name_in_the_list_makes_the_workload_that_it_describes() {
        for description in workloads() {
            assert_eq!(create(description.name, &shape()).unwrap().description(), *description);
        }
    }

    #[test]
    fn every_listed_promise_is_checked_and_no_other() {
        for description in workloads() {
            let workload = create(description.name, &shape()).unwrap();
            for promise in growler_checker::promise::catalogue() {
                let listed = description.promises.contains(&promise.name);
                assert_eq!(!workload.checks(promise.name).is_empty(), listed, "{}", promise.name);
            }
        }
    }

    #[test]
    fn an_unknown_name_is_answered_with_the_known_ones() {
        let message = create("registers", &shape()).err().unwrap().to_string();
        assert!(
            message.contains("\"registers\"")
                && message.contains("register, cas-register, set, cart, session, lww, bank"),
            "{message}"
        );
    }
}
