//! Links between nodes: what a call says of a peer that is away, cut off, slow or a stranger.

#![allow(clippy::unwrap_used, reason = "a test that cannot go on fails")]

mod leader_support;

use std::sync::Arc;
use std::time::{Duration, Instant};

use async_trait::async_trait;
use bytes::Bytes;
use futures_util::future::join_all;
use growler_store::peer::{CallError, Hello, Lane, Link, Service, serve};
use growler_store::world::{HostClock, Rng, SimDisk, TokioSpawn, World};
use leader_support::net::Hub;
use leader_support::{LONG, eventually};
use tokio_util::sync::CancellationToken;

/// Answers with the request, after as many milliseconds as its first byte says.
struct Echo;

#[async_trait]
impl Service for Echo {
    async fn answer(&self, from: &str, request: Bytes) -> Option<Bytes> {
        assert_eq!(from, "a");
        tokio::time::sleep(Duration::from_millis(u64::from(request[0]) * 10)).await;
        Some(request)
    }
}

fn world(hub: &Arc<Hub>, name: &str) -> World {
    World {
        clock: Arc::new(HostClock::new()),
        disk: Arc::new(SimDisk::new()),
        net: hub.net(name),
        rng: Rng::new(1, name),
        spawn: Arc::new(TokioSpawn::new(tokio::runtime::Handle::current())),
    }
}

async fn listen(hub: &Arc<Hub>, cluster: &str, stop: &CancellationToken) {
    let world = world(hub, "b");
    let listener = world.net.listen("any").await.unwrap();
    let hello = Hello::new(cluster, "b", Lane::Main);
    tokio::spawn(serve(world, listener, hello, Arc::new(Echo), stop.clone()));
}

fn link(hub: &Arc<Hub>, stop: &CancellationToken) -> Link {
    Link::new(world(hub, "a"), Hello::new("c", "a", Lane::Main), "b", stop.clone())
}

#[tokio::test(flavor = "multi_thread")]
async fn answers_find_their_callers_in_any_order() {
    let (hub, stop) = (Arc::default(), CancellationToken::new());
    listen(&hub, "c", &stop).await;
    let link = link(&hub, &stop);
    let calls = (0..50_u8).map(|n| {
        let request = Bytes::from(vec![50 - n, n]);
        let link = &link;
        async move { (request.clone(), link.call(request, LONG).await) }
    });
    for (request, answer) in join_all(calls).await {
        assert_eq!(answer, Ok(request));
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_call_to_a_node_that_is_away_was_certainly_not_sent() {
    let (hub, stop) = (Arc::default(), CancellationToken::new());
    let link = link(&hub, &stop);
    let error = link.call(Bytes::from_static(b"\0"), LONG).await.unwrap_err();
    assert!(matches!(error, CallError::NotSent { .. }), "{error}");
    listen(&hub, "c", &stop).await;
    let call = async || link.call(Bytes::from_static(b"\0"), LONG).await.ok();
    eventually("an answer after the node came", call).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_stranger_is_refused_by_name() {
    let (hub, stop) = (Arc::default(), CancellationToken::new());
    listen(&hub, "another", &stop).await;
    let error = link(&hub, &stop).call(Bytes::from_static(b"\0"), LONG).await.unwrap_err();
    assert!(matches!(&error, CallError::NotSent { peer, .. } if peer == "b"), "{error}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_cut_link_gives_up_what_it_sent_and_works_again_soon_after_the_heal() {
    let (hub, stop): (Arc<Hub>, _) = (Arc::default(), CancellationToken::new());
    listen(&hub, "c", &stop).await;
    let link = link(&hub, &stop);
    link.call(Bytes::from_static(b"\0"), LONG).await.unwrap();

    // Only the way back is cut: the request arrives, and nobody can know.
    hub.cut("b", "a");
    let began = Instant::now();
    let error = link.call(Bytes::from_static(b"\0"), LONG).await.unwrap_err();
    assert!(matches!(error, CallError::Lost { .. }), "{error}");
    assert!(began.elapsed() < LONG / 2, "silence ends the wait, not the deadline");
    let error = link.call(Bytes::from_static(b"\0"), LONG).await.unwrap_err();
    assert!(matches!(error, CallError::NotSent { .. }), "a new connection cannot be made: {error}");

    hub.heal();
    eventually("an answer after the heal", async || link.call(Bytes::from_static(b"\0"), LONG).await.ok())
        .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_slow_answer_is_no_silence() {
    let (hub, stop) = (Arc::default(), CancellationToken::new());
    listen(&hub, "c", &stop).await;
    let link = link(&hub, &stop);
    let slow = Bytes::from_static(&[150]);
    assert_eq!(link.call(slow.clone(), LONG).await, Ok(slow), "1.5 s, three times the silence");
}
