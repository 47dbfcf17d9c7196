//! Starting work beside the caller.
//!
//! [`Spawn::task`] starts a future, [`Spawn::blocking`] a job that may block on the disk and must
//! therefore never run on an async thread of a real process. In a simulation, and in unit tests, both
//! can run wherever the implementation likes, also before the call returns ([`InlineSpawn`]).

use std::fmt::Debug;

use futures_util::FutureExt;
use futures_util::future::BoxFuture;

/// A future to run beside the caller.
pub type Task = BoxFuture<'static, ()>;

/// A job that may block.
pub type Job = Box<dyn FnOnce() + Send + 'static>;

/// Starts tasks and blocking jobs.
pub trait Spawn: Debug + Send + Sync + 'static {
    /// Runs `task` to its end, beside the caller.
    fn task(&self, task: Task);

    /// Runs `job`, which may block, off the async threads. It may run before this returns.
    fn blocking(&self, job: Job);
}

/// Tasks and jobs on a tokio runtime.
#[derive(Clone, Debug)]
pub struct TokioSpawn {
    runtime: tokio::runtime::Handle,
}

impl TokioSpawn {
    /// Spawns on `runtime`.
    pub fn new(runtime: tokio::runtime::Handle) -> Self {
        TokioSpawn { runtime }
    }
}

impl Spawn for TokioSpawn {
    fn task(&self, task: Task) {
        self.runtime.spawn(task);
    }

    fn blocking(&self, job: Job) {
        self.runtime.spawn_blocking(job);
    }
}

/// For unit tests: runs a job, and a task as far as it gets at once, before returning.
///
/// A task that would have to wait is a mistake of the test and panics.
#[derive(Clone, Copy, Debug, Default)]
pub struct InlineSpawn;

impl Spawn for InlineSpawn {
    fn task(&self, task: Task) {
        assert!(task.now_or_never().is_some(), "an inline task had to wait");
    }

    fn blocking(&self, job: Job) {
        job();
    }
}
