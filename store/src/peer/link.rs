//! The calling side of a link: one task that owns the connection to one peer.

use std::collections::BTreeMap;
use std::io;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use bytes::{Bytes, BytesMut};
use parking_lot::Mutex;
use tokio::io::{AsyncWriteExt, BufReader, ReadHalf, WriteHalf};
use tokio::sync::{mpsc, oneshot};
use tokio_util::sync::CancellationToken;

use super::frame::{Frame, Kind};
use super::{CallError, DIAL, Hello, RETRY, SILENCE};
use crate::world::{BoxStream, Mono, World};

/// How many calls may wait for the connection; more fail at once.
const QUEUE: usize = 4096;
/// How many calls one write takes at most.
const BATCH: usize = 256;

/// The way to one peer. Clones share it.
#[derive(Clone, Debug)]
pub struct Link {
    peer: Arc<str>,
    heard: Arc<Mutex<Mono>>,
    /// Whether the last dialling ended with a connection.
    reached: Arc<AtomicBool>,
    calls: mpsc::Sender<Call>,
    world: World,
}

#[derive(Debug)]
struct Call {
    request: Bytes,
    answer: oneshot::Sender<Result<Bytes, CallError>>,
}

impl Link {
    /// A link to `peer`, which is dialled when the first call needs it. It ends with `shutdown`.
    pub fn new(world: World, hello: Hello, peer: &str, shutdown: CancellationToken) -> Self {
        let (calls, queue) = mpsc::channel(QUEUE);
        let peer: Arc<str> = peer.into();
        let heard = Arc::new(Mutex::new(world.clock.now()));
        let reached = Arc::new(AtomicBool::new(false));
        let dialler = Dialler {
            world: world.clone(),
            hello,
            peer: peer.clone(),
            heard: heard.clone(),
            reached: reached.clone(),
            queue,
        };
        world.spawn.task(Box::pin(async move {
            shutdown.run_until_cancelled(dialler.run()).await;
        }));
        Self { peer, heard, reached, calls, world }
    }

    /// The peer's name.
    #[must_use]
    pub fn peer(&self) -> &str {
        &self.peer
    }

    /// Whether the peer was there when it was dialled last. While it was not, calls fail at once.
    #[must_use]
    pub fn is_reached(&self) -> bool {
        self.reached.load(Ordering::Acquire)
    }

    /// How long ago the peer was heard last on this link; only a link with open calls listens.
    #[must_use]
    pub fn silence(&self) -> Duration {
        self.world.clock.now() - *self.heard.lock()
    }

    /// Sends a request and waits for its answer, at most for `deadline` of the node's clock.
    ///
    /// # Errors
    /// [`CallError::NotSent`] when the peer certainly did not get it, [`CallError::Lost`] otherwise.
    pub async fn call(&self, request: Bytes, deadline: Duration) -> Result<Bytes, CallError> {
        let (answer, answered) = oneshot::channel();
        if self.calls.try_send(Call { request, answer }).is_err() {
            return Err(self.not_sent("too many calls wait for the connection"));
        }
        tokio::select! {
            biased;
            answer = answered => answer.unwrap_or_else(|_| Err(self.lost("the node is shutting down"))),
            () = self.world.clock.sleep(deadline) => Err(self.lost("the deadline passed")),
        }
    }

    fn not_sent(&self, reason: &str) -> CallError {
        CallError::NotSent { peer: self.peer.to_string(), reason: reason.to_owned() }
    }

    fn lost(&self, reason: &str) -> CallError {
        CallError::Lost { peer: self.peer.to_string(), reason: reason.to_owned() }
    }
}

/// Keeps one connection up while there are calls to make.
struct Dialler {
    world: World,
    hello: Hello,
    peer: Arc<str>,
    heard: Arc<Mutex<Mono>>,
    reached: Arc<AtomicBool>,
    queue: mpsc::Receiver<Call>,
}

impl Dialler {
    async fn run(mut self) {
        let mut down_until = self.world.clock.now();
        let mut why = String::from("it was not dialled yet");
        while let Some(first) = self.queue.recv().await {
            if self.world.clock.now() < down_until {
                self.refuse(first, &why);
                continue;
            }
            let dialled = self.dial().await;
            self.reached.store(dialled.is_ok(), Ordering::Release);
            match dialled {
                Ok(stream) => {
                    let connection = Connection::new(&self.world, stream, self.heard.clone());
                    let error = connection.run(first, &mut self.queue, &self.peer).await;
                    tracing::debug!(peer = %self.peer, %error, "connection lost");
                }
                Err(error) => {
                    why = error.to_string();
                    self.refuse(first, &why);
                    while let Ok(call) = self.queue.try_recv() {
                        self.refuse(call, &why);
                    }
                    down_until = self.world.clock.now() + RETRY;
                }
            }
        }
    }

    fn refuse(&self, call: Call, reason: &str) {
        // Who no longer waits has given up already.
        let _ = call
            .answer
            .send(Err(CallError::NotSent { peer: self.peer.to_string(), reason: reason.to_owned() }));
    }

    /// Connects and exchanges greetings.
    async fn dial(&self) -> io::Result<BoxStream> {
        let greet = async {
            let mut stream = self.world.net.connect(&self.peer).await?;
            greet(&mut stream, &self.hello).await?;
            let theirs = hear(&mut stream).await?;
            if let Some(reason) = self.hello.refuses(&theirs) {
                return Err(io::Error::new(io::ErrorKind::InvalidData, reason));
            }
            if theirs.node != *self.peer {
                let reason = format!("the address of {} leads to {}", self.peer, theirs.node);
                return Err(io::Error::new(io::ErrorKind::InvalidData, reason));
            }
            Ok(stream)
        };
        tokio::select! {
            biased;
            stream = greet => stream,
            () = self.world.clock.sleep(DIAL) => Err(io::Error::new(io::ErrorKind::TimedOut, "dialling took too long")),
        }
    }
}

/// Sends a greeting.
pub(super) async fn greet(stream: &mut BoxStream, hello: &Hello) -> io::Result<()> {
    let body = postcard::to_stdvec(hello).map_err(io::Error::other)?;
    let mut out = BytesMut::new();
    Frame::new(Kind::Hello, 0, body.into()).encode(&mut out);
    stream.write_all(&out).await
}

/// Receives a greeting.
pub(super) async fn hear(stream: &mut BoxStream) -> io::Result<Hello> {
    let frame = Frame::read(stream).await?;
    if frame.kind != Kind::Hello {
        return Err(io::Error::new(
            io::ErrorKind::InvalidData,
            "a connection that does not begin with a greeting",
        ));
    }
    postcard::from_bytes(&frame.body).map_err(|error| io::Error::new(io::ErrorKind::InvalidData, error))
}

type Waiting = BTreeMap<u64, (Mono, oneshot::Sender<Result<Bytes, CallError>>)>;

/// What the reading and the writing half of a connection share.
struct Shared {
    waiting: Mutex<Waiting>,
    heard: Arc<Mutex<Mono>>,
}

/// One live connection.
struct Connection<'a> {
    world: &'a World,
    read: BufReader<ReadHalf<BoxStream>>,
    write: WriteHalf<BoxStream>,
    shared: Arc<Shared>,
}

impl<'a> Connection<'a> {
    fn new(world: &'a World, stream: BoxStream, heard: Arc<Mutex<Mono>>) -> Self {
        let (read, write) = tokio::io::split(stream);
        // The peer's greeting was heard.
        *heard.lock() = world.clock.now();
        let shared = Shared { waiting: Mutex::default(), heard };
        Self { world, read: BufReader::new(read), write, shared: Arc::new(shared) }
    }

    /// Serves calls until the connection fails; every call that has no answer then is lost.
    async fn run(self, first: Call, queue: &mut mpsc::Receiver<Call>, peer: &str) -> io::Error {
        let Self { world, mut read, mut write, shared } = self;
        let error = tokio::select! {
            biased;
            error = receive(world, &mut read, &shared) => error,
            error = send(world, &mut write, first, queue, &shared) => error,
            error = watch(world, &shared) => error,
        };
        for (_, (_, answer)) in std::mem::take(&mut *shared.waiting.lock()) {
            let _ = answer.send(Err(CallError::Lost { peer: peer.to_owned(), reason: error.to_string() }));
        }
        error
    }
}

/// Hands answers to their callers.
async fn receive(world: &World, read: &mut BufReader<ReadHalf<BoxStream>>, shared: &Shared) -> io::Error {
    loop {
        let frame = match Frame::read(read).await {
            Ok(frame) => frame,
            Err(error) => return error,
        };
        *shared.heard.lock() = world.clock.now();
        if frame.kind == Kind::Answer
            && let Some((_, answer)) = shared.waiting.lock().remove(&frame.call)
        {
            let _ = answer.send(Ok(frame.body));
        }
    }
}

/// Writes calls, many at a time, and a ping when nothing was heard for a while.
async fn send(
    world: &World,
    write: &mut WriteHalf<BoxStream>,
    first: Call,
    queue: &mut mpsc::Receiver<Call>,
    shared: &Shared,
) -> io::Error {
    let mut calls = vec![first];
    let mut next_call = 1;
    let mut out = BytesMut::new();
    loop {
        let now = world.clock.now();
        for Call { request, answer } in calls.drain(..) {
            if answer.is_closed() {
                continue;
            }
            let frame = Frame::new(Kind::Request, next_call, request);
            if !frame.fits() {
                tracing::error!(bytes = frame.body.len(), "a request that is too long to be sent");
                continue;
            }
            frame.encode(&mut out);
            shared.waiting.lock().insert(next_call, (now, answer));
            next_call += 1;
        }
        if now - *shared.heard.lock() > SILENCE / 3 && !shared.waiting.lock().is_empty() {
            Frame::new(Kind::Ping, 0, Bytes::new()).encode(&mut out);
        }
        if let Err(error) = write.write_all(&out).await {
            return error;
        }
        out.clear();
        tokio::select! {
            biased;
            received = queue.recv_many(&mut calls, BATCH) => if received == 0 {
                return io::Error::other("the node is shutting down");
            },
            () = world.clock.sleep(SILENCE / 3) => {}
        }
    }
}

/// Ends when calls are open and nothing was heard for too long.
async fn watch(world: &World, shared: &Shared) -> io::Error {
    loop {
        world.clock.sleep(SILENCE / 5).await;
        let oldest = {
            let mut waiting = shared.waiting.lock();
            waiting.retain(|_, (_, answer)| !answer.is_closed());
            waiting.first_key_value().map(|(_, (sent, _))| *sent)
        };
        let since = oldest.map(|sent| sent.max(*shared.heard.lock()));
        if since.is_some_and(|since| world.clock.now() - since > SILENCE) {
            return io::Error::new(io::ErrorKind::TimedOut, "nothing was heard for too long");
        }
    }
}
