//! What every backend of [`Network`] must do, in sentences that are tests. A backend brings a [`Rig`] of three
//! nodes `n1`, `n2`, `n3` and the clients, all linked, and calls [`conformance!`].

use std::collections::BTreeMap;
use std::future::Future;
use std::io::ErrorKind;
use std::net::SocketAddr;
use std::time::{Duration, Instant};

use growler_nemesis::cluster::{CLIENTS, Grudge, Network};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio::time::{sleep, timeout};

/// How long something that must happen may take.
pub(crate) const SOON: Duration = Duration::from_secs(20);
/// How long something that must not happen is waited for.
pub(crate) const A_WHILE: Duration = Duration::from_millis(150);

/// Three nodes whose listeners the test holds itself, and a network between them.
pub(crate) trait Rig {
    fn network(&self) -> &dyn Network;
    /// Where `from` reaches `to`.
    fn address(&self, from: &str, to: &str) -> SocketAddr;
    /// The listener of a node.
    fn listener(&self, node: &str) -> &TcpListener;
}

pub(crate) fn grudge(cut: &[(&str, &str)]) -> Grudge {
    let mut grudge = Grudge::new();
    for (from, to) in cut {
        grudge.entry((*to).to_owned()).or_default().insert((*from).to_owned());
    }
    grudge
}

pub(crate) async fn soon<T>(what: &str, future: impl Future<Output = T>) -> T {
    timeout(SOON, future).await.unwrap_or_else(|_| panic!("{what}: nothing happened in {SOON:?}"))
}

pub(crate) async fn cut(rig: &impl Rig, directions: &[(&str, &str)]) {
    rig.network().set_grudge(&grudge(directions)).await.expect("set the grudge");
}

pub(crate) async fn heal(rig: &impl Rig) {
    cut(rig, &[]).await;
}

/// A connection from one party to another, over which a word went each way: its two ends.
pub(crate) async fn connect(rig: &impl Rig, from: &str, to: &str) -> (TcpStream, TcpStream) {
    let mut ours = soon("connect", TcpStream::connect(rig.address(from, to))).await.expect("connect");
    let (mut theirs, _) = soon("accept", rig.listener(to).accept()).await.expect("accept");
    says(&mut ours, "hello").await;
    hears(&mut theirs, "hello").await;
    says(&mut theirs, "welcome").await;
    hears(&mut ours, "welcome").await;
    (ours, theirs)
}

pub(crate) async fn says(end: &mut TcpStream, text: &str) {
    soon("write", end.write_all(text.as_bytes())).await.expect("write");
}

pub(crate) async fn hears(end: &mut TcpStream, text: &str) {
    let mut heard = vec![0; text.len()];
    soon(text, end.read_exact(&mut heard)).await.expect("read");
    assert_eq!(String::from_utf8_lossy(&heard), text);
}

/// No byte, no FIN, no RST.
pub(crate) async fn hears_nothing(end: &mut TcpStream) {
    let mut byte = [0];
    if let Ok(got) = timeout(A_WHILE, end.read(&mut byte)).await {
        panic!("expected silence, but read gave {got:?}");
    }
}

pub(crate) async fn hears_end(end: &mut TcpStream) {
    assert_eq!(soon("the FIN", end.read(&mut [0])).await.expect("a FIN, no RST"), 0);
}

pub(crate) async fn hears_reset(end: &mut TcpStream) {
    let error = soon("the RST", end.read(&mut [0])).await.expect_err("an RST");
    assert_eq!(error.kind(), ErrorKind::ConnectionReset);
}

pub(crate) fn counter(rig: &impl Rig, direction: &str, name: &str) -> u64 {
    rig.network().counters()[direction][name]
}

/// Waits until a counter has risen to this.
pub(crate) async fn counts(rig: &impl Rig, direction: &str, name: &str, at_least: u64) {
    soon(name, async {
        while counter(rig, direction, name) < at_least {
            sleep(Duration::from_millis(2)).await;
        }
    })
    .await;
}

pub(crate) async fn without_faults_every_byte_arrives_both_ways_and_so_does_the_end(rig: &impl Rig) {
    let (mut ours, mut theirs) = connect(rig, "n1", "n2").await;
    let sent: Vec<u8> = (0..3_000_000_u32).map(|i| (i.wrapping_mul(2_654_435_761) >> 24) as u8).collect();
    let back: Vec<u8> = sent.iter().map(|b| b ^ 0x5a).collect();
    let (mut there, mut here) = (Vec::new(), Vec::new());
    let (mut our_read, mut our_write) = ours.split();
    let (mut their_read, mut their_write) = theirs.split();
    let all = async {
        tokio::try_join!(
            async {
                our_write.write_all(&sent).await?;
                our_write.shutdown().await
            },
            async {
                their_write.write_all(&back).await?;
                their_write.shutdown().await
            },
            their_read.read_to_end(&mut there),
            our_read.read_to_end(&mut here),
        )
    };
    soon("three megabytes", all).await.expect("no error");
    assert!(there == sent && here == back, "what arrived is not what was sent");
}

pub(crate) async fn a_cut_swallows_one_direction_silently_whoever_opened_the_connection(rig: &impl Rig) {
    let (mut n1_opened, mut n2_end) = connect(rig, "n1", "n2").await;
    let (mut n2_opened, mut n1_end) = connect(rig, "n2", "n1").await;
    cut(rig, &[("n1", "n2")]).await;
    says(&mut n1_opened, "lost").await;
    says(&mut n1_end, "lost").await;
    hears_nothing(&mut n2_end).await;
    hears_nothing(&mut n2_opened).await;
    says(&mut n2_end, "arrives").await;
    says(&mut n2_opened, "arrives").await;
    hears(&mut n1_opened, "arrives").await;
    hears(&mut n1_end, "arrives").await;
    assert_eq!(counter(rig, "n1->n2", "bytes_dropped"), 8);
    assert_eq!(counter(rig, "n2->n1", "bytes_dropped"), 0);
    heal(rig).await;
}

pub(crate) async fn a_cut_leaves_other_links_alone(rig: &impl Rig) {
    let (mut ours, mut theirs) = connect(rig, "n1", "n3").await;
    let (mut client, mut node) = connect(rig, CLIENTS, "n1").await;
    cut(rig, &[("n1", "n2"), ("n2", "n1")]).await;
    says(&mut ours, "hello").await;
    hears(&mut theirs, "hello").await;
    says(&mut client, "get").await;
    hears(&mut node, "get").await;
    heal(rig).await;
}

pub(crate) async fn what_lost_bytes_is_reset_at_the_heal_and_the_rest_goes_on(rig: &impl Rig) {
    let (mut lossy, mut lossy_end) = connect(rig, "n1", "n2").await;
    let (mut quiet, mut quiet_end) = connect(rig, "n1", "n2").await;
    cut(rig, &[("n1", "n2"), ("n2", "n1")]).await;
    says(&mut lossy, "lost").await;
    counts(rig, "n1->n2", "bytes_dropped", 4).await;
    heal(rig).await;
    hears_reset(&mut lossy).await;
    hears_reset(&mut lossy_end).await;
    says(&mut quiet, "still here").await;
    hears(&mut quiet_end, "still here").await;
    assert_eq!(counter(rig, "n1->n2", "connections_reset"), 1);
}

pub(crate) async fn a_stream_with_a_hole_stays_silent_until_both_directions_pass(rig: &impl Rig) {
    let (mut ours, mut theirs) = connect(rig, "n1", "n2").await;
    cut(rig, &[("n1", "n2")]).await;
    says(&mut ours, "lost").await;
    counts(rig, "n1->n2", "bytes_dropped", 4).await;
    // The direction that lost bytes passes again, the way back does not.
    cut(rig, &[("n2", "n1")]).await;
    says(&mut ours, "after the hole").await;
    hears_nothing(&mut theirs).await;
    hears_nothing(&mut ours).await;
    heal(rig).await;
    hears_reset(&mut ours).await;
    hears_reset(&mut theirs).await;
}

pub(crate) async fn new_connects_hang_while_either_direction_is_cut(rig: &impl Rig) {
    for direction in [("n1", "n2"), ("n2", "n1")] {
        let held = counter(rig, "n1->n2", "connects_held");
        cut(rig, &[direction]).await;
        let address = rig.address("n1", "n2");
        let connecting = tokio::spawn(async move {
            let mut ours = TcpStream::connect(address).await?;
            ours.write_all(b"hello").await?;
            Ok::<_, std::io::Error>(ours)
        });
        assert!(timeout(A_WHILE, rig.listener("n2").accept()).await.is_err(), "the node was contacted");
        assert_eq!(counter(rig, "n1->n2", "connects_held"), held + 1);
        heal(rig).await;
        let (mut theirs, _) = soon("accept", rig.listener("n2").accept()).await.expect("accept");
        hears(&mut theirs, "hello").await;
        let mut ours = soon("connect", connecting).await.expect("no panic").expect("connected");
        says(&mut theirs, "welcome").await;
        hears(&mut ours, "welcome").await;
    }
}

pub(crate) async fn a_client_that_gave_up_while_it_was_held_never_reaches_the_node(rig: &impl Rig) {
    cut(rig, &[(CLIENTS, "n1"), ("n1", CLIENTS)]).await;
    let mut client = soon("connect", TcpStream::connect(rig.address(CLIENTS, "n1"))).await.expect("connect");
    says(&mut client, "delete everything").await;
    counts(rig, "clients->n1", "connects_held", 1).await;
    drop(client);
    sleep(A_WHILE).await;
    heal(rig).await;
    assert!(
        timeout(A_WHILE, rig.listener("n1").accept()).await.is_err(),
        "a request came back from the dead"
    );
}

pub(crate) async fn a_fin_waits_for_the_heal(rig: &impl Rig) {
    let (mut ours, mut theirs) = connect(rig, "n1", "n2").await;
    says(&mut ours, "before").await;
    hears(&mut theirs, "before").await;
    cut(rig, &[("n1", "n2")]).await;
    ours.shutdown().await.expect("shutdown");
    hears_nothing(&mut theirs).await;
    heal(rig).await;
    hears_end(&mut theirs).await;
    says(&mut theirs, "half open").await;
    hears(&mut ours, "half open").await;
}

pub(crate) async fn an_rst_waits_for_the_heal(rig: &impl Rig) {
    let (ours, mut theirs) = connect(rig, "n1", "n2").await;
    cut(rig, &[("n1", "n2")]).await;
    ours.set_zero_linger().expect("linger");
    drop(ours);
    hears_nothing(&mut theirs).await;
    // Answers to a party that is gone do not bring the RST across either.
    says(&mut theirs, "anyone there?").await;
    hears_nothing(&mut theirs).await;
    heal(rig).await;
    hears_reset(&mut theirs).await;
}

pub(crate) async fn a_new_grudge_replaces_the_old_one(rig: &impl Rig) {
    let (mut ours, mut theirs) = connect(rig, "n1", "n2").await;
    let (mut other, mut other_end) = connect(rig, "n1", "n3").await;
    cut(rig, &[("n1", "n2")]).await;
    cut(rig, &[("n1", "n3")]).await;
    says(&mut ours, "passes again").await;
    hears(&mut theirs, "passes again").await;
    says(&mut other, "lost").await;
    hears_nothing(&mut other_end).await;
    heal(rig).await;
    hears_reset(&mut other_end).await;
}

pub(crate) async fn a_receiver_that_does_not_read_hears_nothing_of_what_a_cut_caught(rig: &impl Rig) {
    let (mut ours, mut theirs) = connect(rig, "n1", "n2").await;
    // Fill every buffer on the way until the sender is stuck.
    let chunk = vec![7_u8; 64 * 1024];
    let mut sent = 0;
    while let Ok(written) = timeout(A_WHILE, ours.write(&chunk)).await {
        sent += written.expect("write");
    }
    cut(rig, &[("n1", "n2")]).await;
    counts(rig, "n1->n2", "bytes_dropped", 1).await;
    let mut received = 0;
    let mut buffer = vec![0; 1 << 20];
    while let Ok(read) = timeout(A_WHILE, theirs.read(&mut buffer)).await {
        received += read.expect("silence, no RST");
    }
    assert!(received < sent, "all {sent} bytes came through the cut");
    heal(rig).await;
    hears_reset(&mut theirs).await;
}

pub(crate) async fn a_delay_slows_its_own_direction_and_keeps_the_order(rig: &impl Rig) {
    let delay = Duration::from_millis(120);
    let (mut ours, mut theirs) = connect(rig, "n1", "n2").await;
    rig.network().set_delay(&grudge(&[("n1", "n2")]), 120).await.expect("set the delay");
    let began = Instant::now();
    for word in ["one ", "two ", "three"] {
        says(&mut ours, word).await;
    }
    hears(&mut theirs, "one two three").await;
    assert!(began.elapsed() >= delay, "arrived after {:?}", began.elapsed());
    assert_eq!(counter(rig, "n1->n2", "bytes_delayed"), 13);
    says(&mut theirs, "at once").await;
    hears(&mut ours, "at once").await;
    assert_eq!(counter(rig, "n2->n1", "bytes_delayed"), 0);
    // The end of the delay must not overtake what is under way.
    says(&mut ours, "late ").await;
    counts(rig, "n1->n2", "bytes_delayed", 18).await;
    rig.network().set_delay(&Grudge::new(), 0).await.expect("end the delay");
    says(&mut ours, "early").await;
    ours.shutdown().await.expect("shutdown");
    hears(&mut theirs, "late early").await;
    hears_end(&mut theirs).await;
}

pub(crate) async fn a_grudge_between_strangers_is_refused(rig: &impl Rig) {
    let error = rig.network().set_grudge(&grudge(&[("n1", "n9")])).await.expect_err("no such link");
    assert_eq!((error.action, error.node.as_str()), ("cut", "n9"));
    assert!(rig.network().set_delay(&grudge(&[("n9", "n1")]), 5).await.is_err());
}

/// However cuts come and go, what arrives is a prefix of what was sent: no hole, no byte invented.
pub(crate) async fn flapping_cuts_never_put_a_hole_in_a_stream(rig: &impl Rig) {
    let mut tasks = Vec::new();
    for _ in 0..12 {
        let (mut ours, mut theirs) = connect(rig, "n1", "n2").await;
        tasks.push(tokio::spawn(async move {
            for i in 0_u64.. {
                if ours.write_all(&i.to_le_bytes()).await.is_err() {
                    break;
                }
            }
        }));
        tasks.push(tokio::spawn(async move {
            let mut number = [0; 8];
            let mut expected = 0;
            while theirs.read_exact(&mut number).await.is_ok() {
                assert_eq!(u64::from_le_bytes(number), expected, "a hole in the stream");
                expected += 1;
            }
        }));
    }
    for round in 0.. {
        cut(rig, &[("n1", "n2")]).await;
        if round % 3 == 0 {
            sleep(Duration::from_millis(1)).await;
        }
        heal(rig).await;
        tokio::task::yield_now().await;
        if tasks.iter().all(tokio::task::JoinHandle::is_finished) {
            break;
        }
        assert!(round < 100_000, "some stream was never caught by a cut");
    }
    for task in tasks {
        task.await.expect("no hole");
    }
}

/// What a network is worth in counters: all four of each direction, from the start.
pub(crate) async fn every_direction_has_its_four_counters(rig: &impl Rig) {
    let zero: BTreeMap<String, u64> =
        ["bytes_delayed", "bytes_dropped", "connections_reset", "connects_held"]
            .map(|name| (name.to_owned(), 0))
            .into();
    let counters = rig.network().counters();
    for direction in ["n1->n2", "n3->n1", "clients->n1", "n1->clients"] {
        assert_eq!(counters[direction], zero, "{direction}");
    }
}

/// Runs every sentence as a test of its own, on a rig from this expression.
#[macro_export]
macro_rules! conformance {
    ($rig:expr; $($sentence:ident)*) => { $(
        #[tokio::test(flavor = "multi_thread", worker_threads = 2)]
        async fn $sentence() {
            let rig = $rig.await;
            $crate::conformance::$sentence(&rig).await;
        }
    )* };
    ($rig:expr) => {
        $crate::conformance! { $rig;
            without_faults_every_byte_arrives_both_ways_and_so_does_the_end
            a_cut_swallows_one_direction_silently_whoever_opened_the_connection
            a_cut_leaves_other_links_alone
            what_lost_bytes_is_reset_at_the_heal_and_the_rest_goes_on
            a_stream_with_a_hole_stays_silent_until_both_directions_pass
            new_connects_hang_while_either_direction_is_cut
            a_client_that_gave_up_while_it_was_held_never_reaches_the_node
            a_fin_waits_for_the_heal
            an_rst_waits_for_the_heal
            a_new_grudge_replaces_the_old_one
            a_receiver_that_does_not_read_hears_nothing_of_what_a_cut_caught
            a_delay_slows_its_own_direction_and_keeps_the_order
            a_grudge_between_strangers_is_refused
            flapping_cuts_never_put_a_hole_in_a_stream
            every_direction_has_its_four_counters
        }
    };
}
