//! Work dealt out to threads, so that what comes out does not depend on how many there are.

use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::thread;

use super::compare::Tally;

/// Does the blocks `0 .. blocks`, each with a tally of its own, and adds them up. A tally with a mismatch ends
/// the work if `stop` says so.
pub(crate) fn in_blocks(
    blocks: u64,
    threads: u64,
    stop: bool,
    run: impl Fn(u64, &mut Tally) + Sync,
) -> Tally {
    let (next, ended) = (AtomicU64::new(0), AtomicBool::new(false));
    let work = || {
        let mut sum = Tally::default();
        while !ended.load(Ordering::Relaxed) {
            let block = next.fetch_add(1, Ordering::Relaxed);
            if block >= blocks {
                break;
            }
            run(block, &mut sum);
            if stop && !sum.mismatches.is_empty() {
                ended.store(true, Ordering::Relaxed);
            }
        }
        sum
    };
    thread::scope(|scope| {
        let workers: Vec<_> = (0..threads).map(|_| scope.spawn(work)).collect();
        let mut sum = Tally::default();
        for worker in workers {
            match worker.join() {
                Ok(tally) => sum.add(tally),
                Err(panic) => std::panic::resume_unwind(panic),
            }
        }
        sum
    })
}
