//! Which operation comes next at the bank: half transfers, a quarter totals of either kind.

use growler_checker::history::Event;
use rand::{RngExt, SeedableRng};
use rand_chacha::ChaCha8Rng;
use serde_json::{Value, json};

use super::{BY_QUERY, BY_TRANSACTION};
use crate::generator::{FinalReads, invocation};
use crate::workload::{Context, Generator, Invocation, Next};

/// The largest amount of one transfer.
const MOST: i64 = 5;

/// The bank's generator.
pub(super) struct BankGenerator {
    rng: ChaCha8Rng,
    accounts: Vec<String>,
    final_reads: Option<FinalReads>,
}

impl BankGenerator {
    /// For at least two accounts.
    pub(super) fn new(accounts: Vec<String>, seed: u64) -> Self {
        Self { rng: ChaCha8Rng::seed_from_u64(seed), accounts, final_reads: None }
    }

    fn transfer(&mut self) -> Invocation {
        let from = self.rng.random_range(0..self.accounts.len());
        let others = self.rng.random_range(1..self.accounts.len());
        let to = (from + others) % self.accounts.len();
        let amount = self.rng.random_range(1..=MOST);
        invocation(
            "transfer",
            json!({"from": self.accounts[from], "to": self.accounts[to], "amount": amount}),
        )
    }
}

fn total(via: &'static str) -> Invocation {
    Invocation { via: Some(via), ..invocation("read", Value::Null) }
}

impl Generator for BankGenerator {
    fn next(&mut self, context: &Context) -> Next {
        if let Some(reads) = &mut self.final_reads {
            return reads.next(context);
        }
        Next::Op(match self.rng.random_range(0..4) {
            0 | 1 => self.transfer(),
            2 => total(BY_TRANSACTION),
            _ => total(BY_QUERY),
        })
    }

    fn update(&mut self, event: &Event) {
        if let Some(reads) = &mut self.final_reads {
            reads.update(event);
        }
    }

    fn finish(&mut self) {
        if self.final_reads.is_none() {
            self.final_reads = Some(FinalReads::new(vec![total(BY_TRANSACTION), total(BY_QUERY)]));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::time::Duration;

    fn operations(seed: u64) -> Vec<Invocation> {
        let accounts = (0..3).map(|n| format!("a{n}")).collect();
        let mut generator = BankGenerator::new(accounts, seed);
        let context = Context { time: Duration::ZERO, client: 0, nodes: 2 };
        let mut next = || match generator.next(&context) {
            Next::Op(op) => op,
            other => panic!("{other:?}"),
        };
        (0..400).map(|_| next()).collect()
    }

    #[test]
    fn the_same_seed_gives_the_same_operations() {
        assert_eq!(operations(1), operations(1));
        assert_ne!(operations(1), operations(2));
    }

    #[test]
    fn money_never_moves_to_where_it_came_from() {
        let operations = operations(3);
        let transfers: Vec<_> = operations.iter().filter(|op| op.f == "transfer").collect();
        assert!(transfers.len() > 150);
        assert!(transfers.iter().all(|op| op.value["from"] != op.value["to"]));
        for via in [BY_TRANSACTION, BY_QUERY] {
            assert!(operations.iter().filter(|op| op.via == Some(via)).count() > 50);
        }
    }
}
