//! openraft's runtime: tokio's tasks and channels, with the node's own clock and randomness.
//!
//! openraft asks for the time through `Instant::now()`, which has no `self`; so that several nodes
//! can live in one process, each with its own drift, the node's clock and generator travel in a
//! task-local that every spawned task inherits. Time is the node's monotonic clock, scaled by its
//! drift; the wall clock is never looked at.
//!
//! Code outside [`NodeContext::scope`] must not call into openraft.

use std::convert::Infallible;
use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::Duration;

use futures_util::future::BoxFuture;
use openraft::AsyncRuntime;
use openraft_rt_tokio::{TokioMpsc, TokioMutex, TokioOneshot, TokioRuntime, TokioWatch};
use parking_lot::Mutex;
use rand::{Rng, TryRng};
use rand_chacha::ChaCha8Rng;

use crate::world::{Clock, Mono};

tokio::task_local! {
    static CONTEXT: Arc<NodeContext>;
}

/// What every task of a node's consensus carries: the node's clock and its generator.
pub struct NodeContext {
    clock: Arc<dyn Clock>,
    rng: Mutex<ChaCha8Rng>,
}

impl NodeContext {
    /// A context for the tasks of one node.
    #[must_use]
    pub fn new(clock: Arc<dyn Clock>, rng: ChaCha8Rng) -> Arc<Self> {
        Arc::new(Self { clock, rng: Mutex::new(rng) })
    }

    /// The node's clock.
    #[must_use]
    pub fn clock(&self) -> Arc<dyn Clock> {
        self.clock.clone()
    }

    /// Runs a future, and all that openraft spawns from it, with this node's clock and generator.
    pub fn scope<F: Future>(self: Arc<Self>, future: F) -> impl Future<Output = F::Output> {
        CONTEXT.scope(self, future)
    }

    /// Runs a function with this node's clock and generator.
    pub fn enter<R>(self: Arc<Self>, f: impl FnOnce() -> R) -> R {
        CONTEXT.sync_scope(self, f)
    }

    fn current() -> Arc<Self> {
        CONTEXT.with(Arc::clone)
    }
}

impl openraft::Instant for Mono {
    fn now() -> Self {
        CONTEXT.with(|context| context.clock.now())
    }
}

/// The node's generator, as openraft wants it.
#[derive(Debug)]
pub struct NodeRng;

impl TryRng for NodeRng {
    type Error = Infallible;

    fn try_next_u32(&mut self) -> Result<u32, Infallible> {
        Ok(NodeContext::current().rng.lock().next_u32())
    }

    fn try_next_u64(&mut self) -> Result<u64, Infallible> {
        Ok(NodeContext::current().rng.lock().next_u64())
    }

    fn try_fill_bytes(&mut self, bytes: &mut [u8]) -> Result<(), Infallible> {
        NodeContext::current().rng.lock().fill_bytes(bytes);
        Ok(())
    }
}

/// A deadline passed before the future was ready.
#[derive(Debug, thiserror::Error)]
#[error("deadline has passed")]
pub struct Elapsed;

/// A future with a deadline by the node's clock.
pub struct NodeTimeout<F> {
    future: Pin<Box<F>>,
    sleep: BoxFuture<'static, ()>,
}

impl<F: Future> Future for NodeTimeout<F> {
    type Output = Result<F::Output, Elapsed>;

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        if let Poll::Ready(value) = self.future.as_mut().poll(cx) {
            return Poll::Ready(Ok(value));
        }
        self.sleep.as_mut().poll(cx).map(|()| Err(Elapsed))
    }
}

/// tokio with a node's clock. See the module's text.
#[derive(Debug)]
pub struct NodeRuntime(TokioRuntime);

impl AsyncRuntime for NodeRuntime {
    type JoinError = tokio::task::JoinError;
    type JoinHandle<T: Send + 'static> = tokio::task::JoinHandle<T>;
    type Sleep = BoxFuture<'static, ()>;
    type Instant = Mono;
    type TimeoutError = Elapsed;
    type Timeout<R, T: Future<Output = R> + Send> = NodeTimeout<T>;
    type ThreadLocalRng = NodeRng;
    type Mpsc = TokioMpsc;
    type Watch = TokioWatch;
    type Oneshot = TokioOneshot;
    type Mutex<T: Send + 'static> = TokioMutex<T>;

    fn spawn<T>(future: T) -> Self::JoinHandle<T::Output>
    where
        T: Future + Send + 'static,
        T::Output: Send + 'static,
    {
        tokio::spawn(NodeContext::current().scope(future))
    }

    fn sleep(duration: Duration) -> Self::Sleep {
        CONTEXT.with(|context| context.clock.sleep(duration))
    }

    fn sleep_until(deadline: Mono) -> Self::Sleep {
        CONTEXT.with(|context| context.clock.sleep_until(deadline))
    }

    fn timeout<R, F: Future<Output = R> + Send>(duration: Duration, future: F) -> Self::Timeout<R, F> {
        NodeTimeout { future: Box::pin(future), sleep: Self::sleep(duration) }
    }

    fn timeout_at<R, F: Future<Output = R> + Send>(deadline: Mono, future: F) -> Self::Timeout<R, F> {
        NodeTimeout { future: Box::pin(future), sleep: Self::sleep_until(deadline) }
    }

    fn is_panic(join_error: &Self::JoinError) -> bool {
        join_error.is_panic()
    }

    fn thread_rng() -> NodeRng {
        NodeRng
    }

    fn new(threads: usize) -> Self {
        Self(TokioRuntime::new(threads))
    }

    fn block_on<F: Future<Output = T>, T>(&mut self, future: F) -> T {
        self.0.block_on(future)
    }
}
