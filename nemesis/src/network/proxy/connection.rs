//! One proxied connection: two pumps in one task, and the rules of what a cut does to it.
//!
//! *A cut swallows.* Bytes in a cut direction are read and forgotten, so that the sender notices nothing. A
//! connection that lost bytes in a direction goes on losing them there: a stream with a hole must never be
//! delivered. Once neither of its directions is cut, it is reset.
//!
//! *A cut hides endings.* A FIN or an RST travels in a direction like a byte, and waits while it is cut.
//!
//! *A cut holds connects.* They are accepted, but the node is not contacted before both directions pass; a
//! client that gave up meanwhile is forgotten, since on a real network its first packet would never have
//! arrived.

use std::collections::VecDeque;
use std::future::pending;
use std::io;
use std::net::SocketAddr;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use tokio::io::{AsyncReadExt, AsyncWriteExt, Interest};
use tokio::net::TcpStream;
use tokio::net::tcp::{ReadHalf, WriteHalf};
use tokio::select;
use tokio::sync::Notify;
use tokio::time::Instant;

use super::direction::{Direction, count};

/// What a pump reads at once.
const BUFFER: usize = 16 * 1024;
/// How often a held connect is looked after.
const LOOK_EVERY: Duration = Duration::from_millis(100);
/// How many bytes wait at most in a delayed direction before the sender is held back.
const DELAYED_AT_MOST: usize = 4 * 1024 * 1024;

/// What the outside must know of an open connection.
#[derive(Debug, Default)]
pub(super) struct Connection {
    lost_up: AtomicBool,
    lost_down: AtomicBool,
    reset: Notify,
}

impl Connection {
    /// Resets the connection.
    pub(super) fn reset(&self) {
        self.reset.notify_one();
    }

    /// Notes that the connection cannot go on once its directions pass again.
    pub(super) fn doom(&self) {
        self.lost_up.store(true, Ordering::SeqCst);
        self.lost_down.store(true, Ordering::SeqCst);
    }

    /// Whether it lost bytes, or its node.
    pub(super) fn is_doomed(&self) -> bool {
        self.lost_up.load(Ordering::SeqCst) || self.lost_down.load(Ordering::SeqCst)
    }
}

/// The two directions of a link: `up` from the party that connects to the node that listens, `down` back.
#[derive(Debug, Clone, Copy)]
pub(super) struct Lanes<'a> {
    pub(super) up: &'a Direction,
    pub(super) down: &'a Direction,
}

impl Lanes<'_> {
    /// Whether bytes pass both ways.
    pub(super) fn whole(self) -> bool {
        !self.up.is_cut() && !self.down.is_cut()
    }
}

/// The connection ended with an RST, not with two FINs.
struct Broken;

/// Carries one accepted connection until it ends.
pub(super) async fn serve(mut client: TcpStream, target: SocketAddr, lanes: Lanes<'_>, state: &Connection) {
    let _ = client.set_nodelay(true);
    let node = select! {
        biased;
        () = state.reset.notified() => None,
        connected = connect(&client, target, lanes) => connected,
    };
    let Some(mut node) = node else {
        reset(&[&client], lanes);
        return;
    };
    let broken = {
        let (client_reads, client_writes) = client.split();
        let (node_reads, node_writes) = node.split();
        let up = Pump::new(lanes, lanes.up, lanes.down, &state.lost_up);
        let down = Pump::new(lanes, lanes.down, lanes.up, &state.lost_down);
        select! {
            biased;
            () = state.reset.notified() => true,
            ended = async {
                tokio::try_join!(up.run(client_reads, node_writes), down.run(node_reads, client_writes))
            } => ended.is_err(),
        }
    };
    if broken {
        reset(&[&client, &node], lanes);
    }
}

/// The sockets send an RST when they are dropped.
fn reset(sockets: &[&TcpStream], lanes: Lanes<'_>) {
    for socket in sockets {
        let _ = socket.set_zero_linger();
    }
    count(&lanes.up.connections_reset, 1);
}

/// Connects to the node behind; `None` if the node refuses, or the client gave up while it was held.
async fn connect(client: &TcpStream, target: SocketAddr, lanes: Lanes<'_>) -> Option<TcpStream> {
    hold(client, lanes).await?;
    // A handshake needs one way there and one back.
    tokio::time::sleep(lanes.up.delay() + lanes.down.delay()).await;
    let node = TcpStream::connect(target).await.ok()?;
    let _ = node.set_nodelay(true);
    hold(client, lanes).await?;
    Some(node)
}

/// Waits until both directions pass.
async fn hold(client: &TcpStream, lanes: Lanes<'_>) -> Option<()> {
    if lanes.whole() {
        return Some(());
    }
    count(&lanes.up.connects_held, 1);
    while !lanes.whole() {
        let healed = async {
            lanes.up.until(false).await;
            lanes.down.until(false).await;
        };
        // One that gave up is let go of during the cut: else each attempt would hold a socket until the heal.
        if tokio::time::timeout(LOOK_EVERY, healed).await.is_err() && gave_up(client).await {
            return None;
        }
    }
    // An event that arrived with the heal must be seen: let the reactor run once.
    tokio::task::yield_now().await;
    (!gave_up(client).await).then_some(())
}

/// Whether the client has closed its side by now.
async fn gave_up(client: &TcpStream) -> bool {
    match tokio::time::timeout(Duration::ZERO, client.ready(Interest::READABLE)).await {
        Ok(Ok(ready)) => ready.is_read_closed(),
        Ok(Err(_)) => true,
        Err(_) => false,
    }
}

/// Carries bytes in one direction of one connection.
struct Pump<'a> {
    lanes: Lanes<'a>,
    /// The direction that is pumped.
    here: &'a Direction,
    /// The one in which an RST of the receiver travels.
    back: &'a Direction,
    lost: &'a AtomicBool,
    late: DelayLine,
}

impl<'a> Pump<'a> {
    fn new(lanes: Lanes<'a>, here: &'a Direction, back: &'a Direction, lost: &'a AtomicBool) -> Self {
        Self { lanes, here, back, lost, late: DelayLine::default() }
    }

    async fn run(mut self, mut source: ReadHalf<'_>, mut sink: WriteHalf<'_>) -> Result<(), Broken> {
        let mut buffer = vec![0; BUFFER];
        loop {
            let read = select! {
                biased;
                bytes = self.late.next(), if !self.late.is_empty() => {
                    self.pass(&bytes, &mut sink).await?;
                    continue;
                }
                read = source.read(&mut buffer), if self.late.bytes < DELAYED_AT_MOST => read,
            };
            match read {
                Ok(0) => return self.finish(&mut sink).await,
                Ok(n) => self.accept(&buffer[..n], &mut sink).await?,
                Err(_) => {
                    self.here.until(false).await;
                    return Err(Broken);
                }
            }
        }
    }

    /// Takes what was just read.
    async fn accept(&mut self, bytes: &[u8], sink: &mut WriteHalf<'_>) -> Result<(), Broken> {
        let delay = self.here.delay();
        if delay.is_zero() && self.late.is_empty() {
            return self.pass(bytes, sink).await;
        }
        count(&self.here.bytes_delayed, bytes.len());
        self.late.push(bytes, delay);
        Ok(())
    }

    /// Delivers these bytes, or swallows them.
    async fn pass(&self, bytes: &[u8], sink: &mut WriteHalf<'_>) -> Result<(), Broken> {
        if self.here.is_cut() || self.lost.load(Ordering::SeqCst) {
            return self.lose(bytes.len());
        }
        let written = match sink.try_write(bytes) {
            Ok(n) if n == bytes.len() => return Ok(()),
            Ok(n) => n,
            Err(e) if e.kind() == io::ErrorKind::WouldBlock => 0,
            Err(_) => return self.refused().await,
        };
        // The receiver does not keep up (it may be paused): a cut must not wait for it.
        let rest = &bytes[written..];
        select! {
            biased;
            () = self.here.until(true) => self.lose(rest.len()),
            sent = sink.write_all(rest) => match sent {
                Ok(()) => Ok(()),
                Err(_) => self.refused().await,
            },
        }
    }

    /// Swallows. The heal clears `cut` and then looks for connections that lost bytes; this notes the loss
    /// and then looks at `cut`. In whatever order the two run, one of them sees the other.
    fn lose(&self, bytes: usize) -> Result<(), Broken> {
        count(&self.here.bytes_dropped, bytes);
        self.lost.store(true, Ordering::SeqCst);
        if self.lanes.whole() { Err(Broken) } else { Ok(()) }
    }

    /// The receiver is gone; its RST reaches the sender as soon as the way back passes.
    async fn refused(&self) -> Result<(), Broken> {
        self.back.until(false).await;
        Err(Broken)
    }

    /// The sender closed its side: delivers what is late, and then the FIN.
    async fn finish(mut self, sink: &mut WriteHalf<'_>) -> Result<(), Broken> {
        if !self.here.delay().is_zero() || !self.late.is_empty() {
            self.late.push(&[], self.here.delay());
        }
        while !self.late.is_empty() {
            let bytes = self.late.next().await;
            if !bytes.is_empty() {
                self.pass(&bytes, sink).await?;
            }
        }
        self.here.until(false).await;
        if self.lost.load(Ordering::SeqCst) {
            if self.lanes.whole() {
                return Err(Broken);
            }
            // The heal of the other direction resets the connection.
            return pending().await;
        }
        match sink.shutdown().await {
            Ok(()) => Ok(()),
            Err(_) => self.refused().await,
        }
    }
}

/// Bytes on their way in a slow direction, in order.
#[derive(Debug, Default)]
struct DelayLine {
    queue: VecDeque<(Instant, Vec<u8>)>,
    bytes: usize,
}

impl DelayLine {
    fn is_empty(&self) -> bool {
        self.queue.is_empty()
    }

    /// Adds bytes that are due after this delay, but never before those ahead of them.
    fn push(&mut self, bytes: &[u8], delay: Duration) {
        let due = Instant::now() + delay;
        let due = self.queue.back().map_or(due, |(before, _)| due.max(*before));
        self.bytes += bytes.len();
        self.queue.push_back((due, bytes.to_vec()));
    }

    /// Waits until the first bytes are due, and takes them. Loses nothing when it is dropped while it waits.
    async fn next(&mut self) -> Vec<u8> {
        if let Some((due, _)) = self.queue.front() {
            tokio::time::sleep_until(*due).await;
        }
        let (_, bytes) = self.queue.pop_front().unwrap_or_else(|| (Instant::now(), Vec::new()));
        self.bytes -= bytes.len();
        bytes
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The race that a test over sockets hardly ever meets: the heal comes between a pump's look at `cut`
    /// and its note of the loss, and so finds nothing to reset.
    #[test]
    fn a_loss_that_the_heal_could_not_see_breaks_the_connection_itself() {
        let (up, down, lost) = (Direction::default(), Direction::default(), AtomicBool::new(false));
        let pump = Pump::new(Lanes { up: &up, down: &down }, &up, &down, &lost);
        for direction in [&up, &down] {
            direction.set_cut(true);
            assert!(pump.lose(4).is_ok(), "a heal to come will see it");
            direction.set_cut(false);
            assert!(pump.lose(4).is_err(), "no heal is to come");
        }
        assert!(lost.load(Ordering::SeqCst));
        assert_eq!(up.bytes_dropped.load(Ordering::Relaxed), 16);
    }
}
