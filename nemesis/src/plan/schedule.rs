//! When faults are in force: a row of episodes with calm in between.
//!
//! How many episodes there are and how long they last follows from the length of the main phase: about half
//! of it, or as much as was asked for, is spent in episodes; between two episodes nothing is in force for at
//! least one least window, as far as the time allows. What happens in each is drawn by [`super::draw`].

use rand::seq::SliceRandom;
use rand::{RngExt, SeedableRng};
use rand_chacha::ChaCha8Rng;

use super::draw::Draw;
use super::{Plan, PlanError, PlanRequest, PlannedFault};
use crate::fault::{faults, known, names};

/// The largest part of the least window that passes before the next fault of an episode joins in: 3/10.
const STAGGER: [u64; 2] = [3, 10];
/// An episode and the calm behind it take this many least windows: 28/10.
const PERIOD: [u64; 2] = [28, 10];
/// The least share of the main phase that is spent in episodes, if no more was asked for.
const BUSY: f64 = 0.5;
/// How much above the least share it may be.
const BUSY_SPREAD: f64 = 0.1;
/// How often an episode beyond those that must be is a leader's partition under jumping clocks.
const LEADER_MEETS_JUMP: f64 = 0.2;

/// What is in force together.
#[derive(Debug, Clone)]
struct Episode {
    /// In the order in which they join.
    kinds: Vec<&'static str>,
    /// They are a pair that goes together on purpose.
    composed: bool,
}

impl Episode {
    fn composed(pair: [&'static str; 2]) -> Self {
        Self { kinds: pair.to_vec(), composed: true }
    }

    fn of(kinds: Vec<&'static str>) -> Self {
        Self { kinds, composed: false }
    }

    /// The least time that it takes.
    fn shortest(&self, window: u64) -> u64 {
        window + (self.kinds.len() as u64 - 1) * stagger(window)
    }
}

/// See [`Plan::random`].
pub(super) fn random(request: &PlanRequest) -> Result<Plan, PlanError> {
    let kinds = kinds(request)?;
    if kinds.is_empty() {
        return Ok(Plan { seed: request.seed, faults: Vec::new() });
    }
    let mut rng = ChaCha8Rng::seed_from_u64(request.seed);
    let schedule = Schedule::make(request, &kinds, &mut rng)?;
    let mut draw = Draw::new(request);
    let mut faults = Vec::new();
    for (episode, begin, end) in schedule.episodes {
        faults.extend(fill(&episode, [begin, end], schedule.window, &mut draw, &mut rng));
    }
    faults.sort_by_key(|fault: &PlannedFault| fault.planned);
    Ok(Plan { seed: request.seed, faults })
}

fn kinds(request: &PlanRequest) -> Result<Vec<&'static str>, PlanError> {
    let mut kinds = Vec::new();
    for name in &request.kinds {
        let kind = faults().iter().find(|fault| fault.name == name);
        let unknown = || PlanError::UnknownFault { name: name.clone(), known: known() };
        let kind = kind.ok_or_else(unknown)?.name;
        if !kinds.contains(&kind) {
            kinds.push(kind);
        }
    }
    if !kinds.is_empty() && request.nodes.is_empty() {
        return Err(PlanError::NoNodes);
    }
    if !(0.0..=0.9).contains(&request.cover) {
        return Err(PlanError::BadCover { cover: request.cover });
    }
    Ok(kinds)
}

/// Episodes, each with its beginning and its end.
struct Schedule {
    window: u64,
    episodes: Vec<(Episode, u64, u64)>,
}

impl Schedule {
    fn make(request: &PlanRequest, kinds: &[&'static str], rng: &mut ChaCha8Rng) -> Result<Self, PlanError> {
        let window = request.min_window_ns.max(1_000_000);
        let [start, end] = request.window;
        let length = end.saturating_sub(start);
        let mut episodes = musts(kinds);
        let needed: u64 = episodes.iter().map(|e| e.shortest(window)).sum();
        if needed > length {
            let seconds = |ns: u64| ns as f64 / 1e9;
            return Err(PlanError::TooShort {
                kinds: kinds.join(", "),
                main_s: seconds(length),
                // A tenth more than is displayed, so that rounding never asks for too little.
                needed_s: (seconds(needed) * 10.0).ceil() / 10.0,
            });
        }
        let busy = request.cover.max(BUSY) + rng.random_range(0.0..BUSY_SPREAD);
        let busy = ((length as f64 * busy).ceil() as u64).clamp(needed, length);
        let count = (length + window) * PERIOD[1] / (window * PERIOD[0]);
        let mut extras = Extras::new(kinds);
        while (episodes.len() as u64) < count {
            let extra = extras.next(rng);
            let all: u64 = episodes.iter().chain([&extra]).map(|e| e.shortest(window)).sum();
            if all > busy || length - busy < episodes.len() as u64 * window {
                break;
            }
            episodes.push(extra);
        }
        episodes.shuffle(rng);
        Ok(Self { window, episodes: place(episodes, request.window, busy, window, rng) })
    }
}

/// The episodes that a plan must have: every kind is in one, and the pairs that go together are together.
fn musts(kinds: &[&'static str]) -> Vec<Episode> {
    let mut left = kinds.to_vec();
    let mut episodes = Vec::new();
    for pair in PAIRS {
        if pair.iter().all(|kind| left.contains(kind)) {
            left.retain(|kind| !pair.contains(kind));
            episodes.push(Episode::composed(pair));
        }
    }
    episodes.extend(left.into_iter().map(|kind| Episode::of(vec![kind])));
    episodes
}

/// Kinds that go together, the one that opens the episode first.
const PAIRS: [[&str; 2]; 2] = [[names::PARTITION, names::CLOCK], [names::PAUSE, names::KILL]];

fn stagger(window: u64) -> u64 {
    window * STAGGER[0] / STAGGER[1]
}

/// Episodes beyond those that must be. The kinds come round evenly.
struct Extras {
    kinds: Vec<&'static str>,
    deck: Vec<&'static str>,
}

impl Extras {
    fn new(kinds: &[&'static str]) -> Self {
        Self { kinds: kinds.to_vec(), deck: Vec::new() }
    }

    fn next(&mut self, rng: &mut ChaCha8Rng) -> Episode {
        if PAIRS[0].iter().all(|kind| self.kinds.contains(kind)) && rng.random_bool(LEADER_MEETS_JUMP) {
            return Episode::composed(PAIRS[0]);
        }
        let size = match rng.random_range(0..100) {
            0..45 => 1,
            45..92 => 2,
            _ => 3,
        };
        let mut kinds = Vec::new();
        while kinds.len() < size.min(self.kinds.len()) {
            if self.deck.is_empty() {
                self.deck.clone_from(&self.kinds);
                self.deck.shuffle(rng);
            }
            match self.deck.iter().rposition(|kind| !kinds.contains(kind)) {
                Some(at) => kinds.push(self.deck.remove(at)),
                None => self.deck.clear(),
            }
        }
        Episode::of(kinds)
    }
}

/// Gives every episode its time: together as long as `busy`, with calm before, between and behind.
fn place(
    episodes: Vec<Episode>,
    main: [u64; 2],
    busy: u64,
    window: u64,
    rng: &mut ChaCha8Rng,
) -> Vec<(Episode, u64, u64)> {
    let count = episodes.len() as u64;
    let least: u64 = episodes.iter().map(|e| e.shortest(window)).sum();
    let slack = share(busy - least, episodes.len(), rng);
    let calm = main[1] - main[0] - busy;
    let between = window.min(calm / (count - 1).max(1));
    let spare = share(calm - between * (count - 1), episodes.len() + 1, rng);
    let mut placed: Vec<(Episode, u64, u64)> = Vec::new();
    for (i, episode) in episodes.into_iter().enumerate() {
        let after = placed.last().map_or(main[0], |(_, _, end)| end + between);
        let begin = after + spare[i];
        let end = begin + episode.shortest(window) + slack[i];
        placed.push((episode, begin, end));
    }
    placed
}

/// Splits an amount into so many random parts, none of which is more than three times another.
fn share(amount: u64, parts: usize, rng: &mut ChaCha8Rng) -> Vec<u64> {
    let weights: Vec<f64> = (0..parts).map(|_| rng.random_range(0.5..1.5)).collect();
    let total: f64 = weights.iter().sum();
    let mut shares: Vec<u64> = weights.iter().map(|w| (amount as f64 * w / total).floor() as u64).collect();
    let given: u64 = shares.iter().sum();
    // Rounding down left a few nanoseconds (or, rounding up in floating point, took a few too many).
    if let Some(last) = shares.last_mut() {
        *last = (*last + amount).saturating_sub(given);
    }
    shares
}

/// The faults of one episode. The first is in force from its beginning, at least one until its end, and each
/// joins while those before it are still in force.
fn fill(
    episode: &Episode,
    [begin, end]: [u64; 2],
    window: u64,
    draw: &mut Draw,
    rng: &mut ChaCha8Rng,
) -> Vec<PlannedFault> {
    let mut faults = Vec::new();
    // What opens a pair lasts as long as the episode: what joins is to meet it in force.
    let lasting = if episode.composed { 0 } else { rng.random_range(0..episode.kinds.len()) };
    let mut joins = begin;
    for (i, kind) in episode.kinds.iter().enumerate() {
        if i > 0 {
            joins += rng.random_range(stagger(window) / 3..=stagger(window));
        }
        let ends = if i == lasting { end } else { rng.random_range(joins + window..=end) };
        let what = draw.fault(kind, episode.composed.then_some(&*faults), rng);
        faults.push(PlannedFault { planned: [joins, ends], ..what });
    }
    faults
}
