//! The answering side of links: accepts connections and hands requests to the service.

use std::io;
use std::sync::Arc;

use bytes::{Bytes, BytesMut};
use tokio::io::{AsyncWriteExt, BufReader, WriteHalf};
use tokio::sync::mpsc;
use tokio_util::sync::CancellationToken;

use super::frame::{Frame, Kind};
use super::link::{greet, hear};
use super::{DIAL, Hello, Service};
use crate::world::{BoxStream, Listener, World};

/// How many answers may wait to be written before requests are read no further.
const QUEUE: usize = 4096;

/// Answers peers until `shutdown`.
///
/// Requests of one connection are answered side by side and in any order.
pub async fn serve(
    world: World,
    mut listener: Box<dyn Listener>,
    me: Hello,
    service: Arc<dyn Service>,
    shutdown: CancellationToken,
) {
    loop {
        let stream = tokio::select! {
            biased;
            () = shutdown.cancelled() => return,
            stream = listener.accept() => stream,
        };
        match stream {
            Ok(stream) => {
                let (peer, me, service) = (world.clone(), me.clone(), service.clone());
                let shutdown = shutdown.clone();
                world.spawn.task(Box::pin(async move {
                    let answered = shutdown.run_until_cancelled(answer_peer(&peer, stream, &me, &service));
                    if let Some(Err(error)) = answered.await {
                        tracing::debug!(%error, "a peer's connection ended");
                    }
                }));
            }
            Err(error) => {
                tracing::warn!(%error, "a peer could not be accepted");
                world.clock.sleep(DIAL / 10).await;
            }
        }
    }
}

/// Serves one connection until it fails or the peer leaves.
async fn answer_peer(
    world: &World,
    mut stream: BoxStream,
    me: &Hello,
    service: &Arc<dyn Service>,
) -> io::Result<()> {
    let greeting = async {
        let theirs = hear(&mut stream).await?;
        greet(&mut stream, &Hello { lane: theirs.lane, ..me.clone() }).await?;
        io::Result::Ok(theirs)
    };
    let theirs = tokio::select! {
        biased;
        greeted = greeting => greeted?,
        () = world.clock.sleep(DIAL) => return Err(io::Error::new(io::ErrorKind::TimedOut, "no greeting came")),
    };
    if let Some(reason) = me.refuses(&theirs) {
        tracing::error!(%reason, "refused a peer");
        return Err(io::Error::new(io::ErrorKind::InvalidData, reason));
    }
    let (read, write) = tokio::io::split(stream);
    let (answers, queue) = mpsc::channel(QUEUE);
    tokio::select! {
        biased;
        error = write_answers(write, queue) => error,
        error = read_requests(world, BufReader::new(read), theirs.node.into(), service, answers) => error,
    }
}

async fn read_requests(
    world: &World,
    mut read: impl tokio::io::AsyncRead + Unpin,
    from: Arc<str>,
    service: &Arc<dyn Service>,
    answers: mpsc::Sender<Frame>,
) -> io::Result<()> {
    loop {
        let frame = Frame::read(&mut read).await?;
        let gone = || io::Error::other("the connection is closing");
        match frame.kind {
            Kind::Ping => {
                let pong = Frame::new(Kind::Pong, 0, Bytes::new());
                answers.send(pong).await.map_err(|_| gone())?;
            }
            Kind::Request => {
                let room = answers.clone().reserve_owned().await.map_err(|_| gone())?;
                let (service, from) = (service.clone(), from.clone());
                world.spawn.task(Box::pin(async move {
                    if let Some(body) = service.answer(&from, frame.body).await {
                        room.send(Frame::new(Kind::Answer, frame.call, body));
                    }
                }));
            }
            Kind::Hello | Kind::Answer | Kind::Pong => {
                return Err(io::Error::new(
                    io::ErrorKind::InvalidData,
                    "a frame that only answers may carry",
                ));
            }
        }
    }
}

async fn write_answers(mut write: WriteHalf<BoxStream>, mut queue: mpsc::Receiver<Frame>) -> io::Result<()> {
    let mut frames = Vec::new();
    let mut out = BytesMut::new();
    while queue.recv_many(&mut frames, 256).await > 0 {
        for frame in frames.drain(..) {
            frame.encode(&mut out);
        }
        write.write_all(&out).await?;
        out.clear();
    }
    Ok(())
}
