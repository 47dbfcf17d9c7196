//! Work on many objects at once: pure functions, on as many threads as there are processors.
//!
//! What comes out is in the order of what went in, however the work was shared, so that an answer never
//! depends on scheduling.

use std::sync::{Mutex, PoisonError};
use std::thread;

/// Applies a pure function to every item, on as many threads as there are processors. The results are in the
/// order of the items, however the work was shared.
pub(crate) fn in_parallel<T, R: Send>(
    items: impl ExactSizeIterator<Item = T> + Send,
    apply: impl Fn(T) -> R + Sync,
) -> Vec<R> {
    if items.len() <= 1 {
        return items.map(apply).collect();
    }
    let threads = thread::available_parallelism().map_or(1, usize::from).min(items.len());
    let items = Mutex::new(items.enumerate());
    let work = || {
        let mut results = Vec::new();
        loop {
            let next = items.lock().unwrap_or_else(PoisonError::into_inner).next();
            let Some((at, item)) = next else { return results };
            results.push((at, apply(item)));
        }
    };
    let mut results: Vec<(usize, R)> = thread::scope(|scope| {
        let workers: Vec<_> = (0..threads).map(|_| scope.spawn(work)).collect();
        let joined = workers.into_iter().map(thread::ScopedJoinHandle::join);
        joined.flat_map(|done| done.unwrap_or_else(|panic| std::panic::resume_unwind(panic))).collect()
    });
    results.sort_by_key(|&(at, _)| at);
    results.into_iter().map(|(_, result)| result).collect()
}
