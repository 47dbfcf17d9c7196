//! What a planned fault does: whom it meets, and how hard.
//!
//! The variants of each kind are dealt from a shuffled deck, so that a plan with a few faults of a kind shows
//! different ones before it repeats any.

use std::collections::BTreeMap;

use rand::RngExt;
use rand::seq::{IndexedRandom, SliceRandom};
use rand_chacha::ChaCha8Rng;
use serde_json::{Value, json};

use super::{PlanRequest, PlannedFault};
use crate::clock::MAX_DRIFT_PPM;
use crate::cluster::{CLIENTS, ClockSetting, Grudge, NodeName};
use crate::fault::names;
use crate::network::grudge;

/// A jump of a clock is between these many milliseconds, evenly on a logarithmic scale.
const JUMP_MS: [f64; 2] = [100.0, 60_000.0];
/// A jump that meets a cut-off leader is longer than any lease.
const LONG_JUMP_MS: [f64; 2] = [5_000.0, 60_000.0];
/// The weakest drift, in parts per million: one that can still be seen within the shortest window.
const MIN_DRIFT_PPM: i64 = 20_000;
/// How late a delayed byte is, in milliseconds.
const DELAY_MS: std::ops::RangeInclusive<u64> = 20..=300;
/// How often a partition cuts off the clients too.
const CUT_CLIENTS: f64 = 0.2;

/// The faults of the same episode that were drawn before this one, if they are a pair that goes together on
/// purpose; see [`super::schedule`].
type Pair<'a> = Option<&'a [PlannedFault]>;

/// The variants of all kinds.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Variant {
    Leader,
    One,
    Minority,
    All,
    Halves,
    Ring,
    Bridge,
    OneWay,
    Jump,
    Drift,
    JumpAndDrift,
    JumpAll,
    DriftAll,
}

/// Draws faults.
pub(super) struct Draw<'a> {
    request: &'a PlanRequest,
    decks: BTreeMap<&'static str, Vec<Variant>>,
}

impl<'a> Draw<'a> {
    pub(super) fn new(request: &'a PlanRequest) -> Self {
        Self { request, decks: BTreeMap::new() }
    }

    /// One fault of this kind, without its times.
    pub(super) fn fault(&mut self, kind: &'static str, pair: Pair<'_>, rng: &mut ChaCha8Rng) -> PlannedFault {
        let (targets, detail) = match kind {
            names::PARTITION => self.partition(pair, rng),
            names::CLOCK => self.clock(pair, rng),
            names::DELAY => self.delay(rng),
            _ => self.processes(kind, pair, rng),
        };
        PlannedFault {
            fault: kind.to_owned(),
            targets,
            detail,
            planned: [0, 0],
            actual: None,
            outcome: None,
            reason: None,
            evidence: Value::Null,
        }
    }

    /// The next variant from the kind's deck.
    fn variant(&mut self, kind: &'static str, rng: &mut ChaCha8Rng) -> Variant {
        let fresh = self.deck(kind);
        let deck = self.decks.entry(kind).or_default();
        if deck.is_empty() {
            *deck = fresh;
            deck.shuffle(rng);
            // Losing all nodes at once shows most: it is among the first two.
            if let Some(all) = deck.iter().position(|v| *v == Variant::All) {
                let early = deck.len() - 1 - rng.random_range(0..2.min(deck.len()));
                deck.swap(all, early);
            }
        }
        deck.pop().unwrap_or(Variant::One)
    }

    fn deck(&self, kind: &str) -> Vec<Variant> {
        let nodes = self.request.nodes.len();
        let mut deck = match kind {
            names::CLOCK => {
                return vec![
                    Variant::Jump,
                    Variant::Drift,
                    Variant::JumpAndDrift,
                    Variant::JumpAll,
                    Variant::DriftAll,
                ];
            }
            names::PARTITION => vec![Variant::One, Variant::OneWay],
            _ => vec![Variant::One],
        };
        if self.request.can.roles && nodes > 1 {
            deck.push(Variant::Leader);
        }
        if kind == names::PARTITION {
            deck.extend((nodes >= 3).then_some([Variant::Halves, Variant::Bridge]).into_iter().flatten());
            deck.extend((nodes >= 4).then_some(Variant::Ring));
        } else {
            deck.extend((nodes >= 2).then_some(Variant::All));
            deck.extend((nodes >= 5).then_some(Variant::Minority));
        }
        deck
    }

    fn partition(&mut self, pair: Pair<'_>, rng: &mut ChaCha8Rng) -> (Vec<NodeName>, Value) {
        if self.request.nodes.len() < 2 || !self.request.can.peer_links {
            return self.clients(rng);
        }
        let variant = match pair {
            Some(_) if self.request.can.roles => Variant::Leader,
            Some(_) => Variant::One,
            None => self.variant(names::PARTITION, rng),
        };
        // The cut-off side is to be caught lying, so its clients stay, mostly.
        let clients = pair.is_none() && rng.random_bool(CUT_CLIENTS);
        if variant == Variant::Leader {
            return (Vec::new(), self.leader(json!({ "shape": "isolate", "clients": clients }), rng));
        }
        let (shape, targets, mut cut) = self.shape(variant, rng);
        if clients && matches!(variant, Variant::One | Variant::Halves) {
            cut = grudge::merge([&cut, &grudge::complete(&[&targets, &[CLIENTS.to_owned()]])]);
        }
        (targets, json!({ "shape": shape, "grudge": cut }))
    }

    /// A partition between nodes: its shape, the side that is cut off, and what is cut.
    fn shape(&self, variant: Variant, rng: &mut ChaCha8Rng) -> (&'static str, Vec<NodeName>, Grudge) {
        let nodes = self.shuffled(rng);
        let one = || nodes[..1].to_vec();
        match variant {
            Variant::Halves => ("halves", nodes[..nodes.len() / 2].to_vec(), grudge::halves(&nodes)),
            Variant::Bridge => ("bridge", nodes[..nodes.len() / 2].to_vec(), grudge::bridge(&nodes)),
            Variant::Ring => ("majorities-ring", nodes.clone(), grudge::majorities_ring(&nodes)),
            Variant::OneWay if rng.random_bool(0.5) => {
                ("one-way-out", one(), grudge::one_way(&nodes[..1], &nodes[1..]))
            }
            Variant::OneWay => ("one-way-in", one(), grudge::one_way(&nodes[1..], &nodes[..1])),
            _ => ("isolate", one(), grudge::isolate(&nodes[0], &nodes)),
        }
    }

    /// A partition between the clients and one node or all.
    fn clients(&self, rng: &mut ChaCha8Rng) -> (Vec<NodeName>, Value) {
        let mut targets = self.shuffled(rng);
        if rng.random_bool(0.5) {
            targets.truncate(1);
        }
        let clients = [CLIENTS.to_owned()];
        let (shape, cut) = match rng.random_range(0..3) {
            0 => ("clients-one-way-in", grudge::one_way(&clients, &targets)),
            1 => ("clients-one-way-out", grudge::one_way(&targets, &clients)),
            _ => ("clients", grudge::complete(&[&targets, &clients])),
        };
        (targets, json!({ "shape": shape, "grudge": cut }))
    }

    fn processes(
        &mut self,
        kind: &'static str,
        pair: Pair<'_>,
        rng: &mut ChaCha8Rng,
    ) -> (Vec<NodeName>, Value) {
        let nodes = self.shuffled(rng);
        let one = |node: &NodeName| (vec![node.clone()], json!({ "shape": "one" }));
        if let Some(before) = pair {
            // A kill during a pause meets another node, if there is one.
            let met = |node: &&NodeName| before.iter().any(|fault| fault.targets.contains(node));
            return one(nodes.iter().find(|node| !met(node)).unwrap_or(&nodes[0]));
        }
        match self.variant(kind, rng) {
            Variant::Leader => (Vec::new(), self.leader(json!({ "shape": "one" }), rng)),
            Variant::All => (self.request.nodes.clone(), json!({ "shape": "all" })),
            Variant::Minority => (nodes[..(nodes.len() - 1) / 2].to_vec(), json!({ "shape": "minority" })),
            _ => one(&nodes[0]),
        }
    }

    fn clock(&mut self, pair: Pair<'_>, rng: &mut ChaCha8Rng) -> (Vec<NodeName>, Value) {
        let nodes = self.shuffled(rng);
        let few = nodes.len().div_ceil(2);
        let some = &nodes[..rng.random_range(1..=few)];
        if pair.is_some() {
            let clocks = settings(&nodes, || -jump(LONG_JUMP_MS, rng), || 0);
            return (self.request.nodes.clone(), json!({ "shape": "jump-back-all", "clocks": clocks }));
        }
        let (shape, clocks) = match self.variant(names::CLOCK, rng) {
            Variant::JumpAll => ("jump-all", jumps(&nodes, rng)),
            Variant::DriftAll => ("drift-all", drifts(&nodes, rng)),
            Variant::Drift => ("drift", drifts(some, rng)),
            Variant::JumpAndDrift => {
                let (mut clocks, drifts) = (jumps(some, rng), drifts(some, rng));
                for (node, setting) in &mut clocks {
                    setting.drift_ppm = drifts[node].drift_ppm;
                }
                ("jump-and-drift", clocks)
            }
            _ => ("jump", jumps(some, rng)),
        };
        (clocks.keys().cloned().collect(), json!({ "shape": shape, "clocks": clocks }))
    }

    fn delay(&self, rng: &mut ChaCha8Rng) -> (Vec<NodeName>, Value) {
        let mut targets = self.shuffled(rng);
        targets.truncate(rng.random_range(1..=self.request.nodes.len().div_ceil(2)));
        let mut links = grudge::complete(&[&targets, &[CLIENTS.to_owned()]]);
        if self.request.can.peer_links {
            for target in &targets {
                links = grudge::merge([&links, &grudge::isolate(target, &self.request.nodes)]);
            }
        }
        (targets, json!({ "links": links, "delay_ms": rng.random_range(DELAY_MS) }))
    }

    fn leader(&self, mut detail: Value, rng: &mut ChaCha8Rng) -> Value {
        detail["role"] = json!("leader");
        detail["pick"] = json!(rng.random_range(0..1000));
        detail
    }

    fn shuffled(&self, rng: &mut ChaCha8Rng) -> Vec<NodeName> {
        let mut nodes = self.request.nodes.clone();
        nodes.shuffle(rng);
        nodes
    }
}

type Settings = BTreeMap<NodeName, ClockSetting>;

fn settings(
    nodes: &[NodeName],
    mut offset_ns: impl FnMut() -> i64,
    mut drift_ppm: impl FnMut() -> i64,
) -> Settings {
    let setting =
        |node: &NodeName| (node.clone(), ClockSetting { offset_ns: offset_ns(), drift_ppm: drift_ppm() });
    nodes.iter().map(setting).collect()
}

fn jumps(nodes: &[NodeName], rng: &mut ChaCha8Rng) -> Settings {
    settings(nodes, || sign(rng) * jump(JUMP_MS, rng), || 0)
}

fn drifts(nodes: &[NodeName], rng: &mut ChaCha8Rng) -> Settings {
    settings(nodes, || 0, || sign(rng) * rng.random_range(MIN_DRIFT_PPM..=MAX_DRIFT_PPM))
}

/// A distance in nanoseconds between these milliseconds, in whole milliseconds.
fn jump([least, most]: [f64; 2], rng: &mut ChaCha8Rng) -> i64 {
    let ms = (rng.random_range(least.ln()..most.ln())).exp().round();
    ms as i64 * 1_000_000
}

fn sign(rng: &mut ChaCha8Rng) -> i64 {
    *[-1, 1].choose(rng).unwrap_or(&1)
}
