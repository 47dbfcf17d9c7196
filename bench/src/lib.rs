//! Benchmarks, and what they need: simulated histories, and a look at the memory. Outside the default members
//! of the workspace, since nobody needs criterion to run or test growler.
//!
//! `benches/worker_loop.rs` and `benches/recorder.rs` measure the harness's own cost,
//! `benches/linearizability.rs` and `benches/convergence*.rs` the checker: their tables are in
//! `checker/BENCHMARKS.md`. The programs `histories` and `linearize` are for comparisons with other checkers
//! (`examples/porcupine`).

/// The one that the program uses.
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

pub mod checks;
pub mod etcd;
pub mod lines;
pub mod memory;
pub mod operations;
pub mod report;
pub mod simulation;
pub mod simulation_replicas;
pub mod subject;
