//! Real processes. The nodes, and a harness that is killed, are this very test binary again: the ignored
//! tests at the end.

#![allow(clippy::unwrap_used, clippy::print_stdout, reason = "tests, and helpers of tests")]

use std::ffi::OsString;
use std::net::{Ipv4Addr, SocketAddr, TcpListener};
use std::path::Path;
use std::process::{Command, Stdio};
use std::sync::Arc;
use std::time::{Duration, Instant};

use growler_nemesis::cluster::{CLIENTS, ProcessState, Processes};
use growler_nemesis::network::{Link, ProxyNetwork};
use growler_nemesis::process::{LocalProcesses, NodeCommand};
use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;
use parking_lot::Mutex;

const SOON: Duration = Duration::from_secs(20);

/// What the callbacks saw: `+n1` is up, `-n1` is down.
type Seen = Arc<Mutex<Vec<String>>>;

fn free_address() -> SocketAddr {
    TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).unwrap().local_addr().unwrap()
}

/// A node that listens.
fn node(name: &str, folder: &Path) -> NodeCommand {
    let ready = free_address();
    NodeCommand {
        node: name.to_owned(),
        program: std::env::current_exe().unwrap(),
        args: ["--exact", "helper_node_that_listens", "--ignored", "--nocapture"].map(OsString::from).into(),
        env: vec![("HELPER_ADDRESS".into(), ready.to_string().into())],
        log: folder.join(format!("{name}.log")),
        ready,
        start_timeout: SOON,
    }
}

/// A node that is a line of shell and never listens.
fn shell(name: &str, folder: &Path, line: &str) -> NodeCommand {
    NodeCommand {
        program: "/bin/sh".into(),
        args: vec!["-c".into(), line.into()],
        env: Vec::new(),
        ..node(name, folder)
    }
}

fn processes(commands: Vec<NodeCommand>) -> (LocalProcesses, Seen) {
    let seen = Seen::default();
    let note = |sign: char| {
        let seen = Arc::clone(&seen);
        Arc::new(move |node: &str| seen.lock().push(format!("{sign}{node}")))
    };
    (LocalProcesses::new(commands, note('+'), note('-')).unwrap(), seen)
}

async fn until(what: &str, condition: impl Fn() -> bool) {
    let deadline = Instant::now() + SOON;
    while !condition() {
        assert!(Instant::now() < deadline, "{what}: not within {SOON:?}");
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
}

fn exists(pid: u32) -> bool {
    kill(Pid::from_raw(pid.cast_signed()), None).is_ok()
}

#[tokio::test]
async fn a_node_is_started_killed_and_started_again() {
    let folder = tempfile::tempdir().unwrap();
    let (nodes, seen) = processes(vec![node("n1", folder.path())]);
    assert_eq!(nodes.state("n1"), ProcessState::Dead);
    nodes.start("n1").await.unwrap();
    nodes.start("n1").await.unwrap();
    assert_eq!(nodes.state("n1"), ProcessState::Running);
    let first = nodes.pid("n1").unwrap();
    nodes.kill("n1").await.unwrap();
    assert_eq!((nodes.state("n1"), nodes.pid("n1")), (ProcessState::Dead, None));
    assert!(!exists(first), "not reaped");
    nodes.kill("n1").await.unwrap();
    nodes.start("n1").await.unwrap();
    assert_ne!(nodes.pid("n1"), Some(first));
    nodes.shutdown().await.unwrap();
    assert_eq!(*seen.lock(), ["+n1", "-n1", "+n1", "-n1"]);
    assert!(nodes.unexpected_exits().is_empty());
    assert!(nodes.start("n1").await.is_err(), "started after the shutdown");
    let log = std::fs::read_to_string(folder.path().join("n1.log")).unwrap();
    assert_eq!(log.matches("listening").count(), 2, "the log is appended to: {log}");
}

#[tokio::test]
async fn a_paused_node_is_stopped_and_goes_on_when_resumed() {
    let folder = tempfile::tempdir().unwrap();
    let (nodes, seen) = processes(vec![node("n1", folder.path())]);
    nodes.start("n1").await.unwrap();
    nodes.resume("n1").await.unwrap();
    nodes.pause("n1").await.unwrap();
    assert_eq!(nodes.state("n1"), ProcessState::Stopped);
    nodes.pause("n1").await.unwrap();
    nodes.resume("n1").await.unwrap();
    assert_eq!(nodes.state("n1"), ProcessState::Running);
    nodes.pause("n1").await.unwrap();
    nodes.kill("n1").await.unwrap();
    assert_eq!(nodes.state("n1"), ProcessState::Dead);
    assert_eq!(*seen.lock(), ["+n1", "-n1"]);
    let error = nodes.pause("n1").await.unwrap_err();
    assert_eq!(error.to_string(), "pause n1: its process is dead");
}

#[tokio::test]
async fn a_death_that_nobody_asked_for_is_remembered_with_its_cause() {
    let folder = tempfile::tempdir().unwrap();
    let (nodes, seen) = processes(vec![node("n1", folder.path()), node("n2", folder.path())]);
    nodes.start("n1").await.unwrap();
    nodes.start("n2").await.unwrap();
    kill(Pid::from_raw(nodes.pid("n1").unwrap().cast_signed()), Signal::SIGABRT).unwrap();
    until("the death is noticed", || nodes.state("n1") == ProcessState::Dead && seen.lock().len() == 3).await;
    let exits = nodes.unexpected_exits();
    assert_eq!((exits.len(), exits[0].node.as_str()), (1, "n1"));
    assert!(exits[0].status.to_string().contains("SIGABRT"), "{}", exits[0].status);
    assert_eq!(*seen.lock(), ["+n1", "+n2", "-n1"]);
    assert_eq!(nodes.state("n2"), ProcessState::Running);
}

#[tokio::test]
async fn a_start_that_fails_says_why_and_leaves_nothing() {
    let folder = tempfile::tempdir().unwrap();
    let mut silent = shell("silent", folder.path(), "exec sleep 1000");
    silent.start_timeout = Duration::from_millis(100);
    let mut missing = node("missing", folder.path());
    missing.program = "/no/such/program".into();
    let quits = shell("quits", folder.path(), "echo corrupt log; exit 3");
    let (nodes, _) = processes(vec![silent, missing, quits]);
    let why = |node: &'static str| {
        let nodes = &nodes;
        async move { nodes.start(node).await.unwrap_err().to_string() }
    };
    let said = why("silent").await;
    assert!(said.contains("nothing listens on 127.0.0.1:"), "{said}");
    let said = why("missing").await;
    assert!(said.contains("cannot run /no/such/program: No such file"), "{said}");
    let said = why("quits").await;
    assert!(said.contains("ended before it listened (exit status: 3); see ") && said.contains("quits.log"));
    assert_eq!(std::fs::read_to_string(folder.path().join("quits.log")).unwrap(), "corrupt log\n");
    assert!(why("unknown").await.contains("no such node"));
    assert_eq!(nodes.state("silent"), ProcessState::Dead);
    assert!(nodes.unexpected_exits().is_empty());
}

#[tokio::test]
async fn what_a_node_started_itself_dies_with_it() {
    let folder = tempfile::tempdir().unwrap();
    let pid_file = folder.path().join("grandchild");
    let line = format!("sleep 1000 & echo $! > {}; wait", pid_file.display());
    let (nodes, _) = processes(vec![shell("n1", folder.path(), &line)]);
    let nodes = Arc::new(nodes);
    let starting = tokio::spawn({
        let nodes = Arc::clone(&nodes);
        async move { nodes.start("n1").await }
    });
    let grandchild = || std::fs::read_to_string(&pid_file).ok()?.trim().parse::<u32>().ok();
    until("the node runs", || grandchild().is_some()).await;
    nodes.shutdown().await.unwrap();
    assert!(starting.await.unwrap().is_err());
    let pid = grandchild().unwrap();
    until("the grandchild is gone", || !exists(pid) || is_zombie(pid)).await;
}

#[tokio::test]
async fn a_start_that_was_given_up_is_taken_up_by_the_next() {
    let folder = tempfile::tempdir().unwrap();
    let (nodes, seen) = processes(vec![node("n1", folder.path())]);
    assert!(tokio::time::timeout(Duration::from_millis(1), nodes.start("n1")).await.is_err());
    nodes.start("n1").await.unwrap();
    std::net::TcpStream::connect(nodes_address(&folder, "n1")).unwrap();
    assert_eq!(*seen.lock(), ["+n1"]);
}

/// Where a helper node says that it listens.
fn nodes_address(folder: &tempfile::TempDir, node: &str) -> String {
    let log = std::fs::read_to_string(folder.path().join(format!("{node}.log"))).unwrap();
    log.split("listening on ").nth(1).and_then(|rest| rest.split_whitespace().next()).unwrap().to_owned()
}

#[tokio::test]
async fn dropping_kills_and_reaps_also_what_is_stopped() {
    let folder = tempfile::tempdir().unwrap();
    let (nodes, _) = processes(vec![node("n1", folder.path()), node("n2", folder.path())]);
    nodes.start("n1").await.unwrap();
    nodes.start("n2").await.unwrap();
    nodes.pause("n2").await.unwrap();
    let pids = ["n1", "n2"].map(|node| nodes.pid(node).unwrap());
    drop(nodes);
    assert!(pids.into_iter().all(|pid| !exists(pid)));
}

#[tokio::test]
async fn proxies_follow_their_nodes_through_death_and_pause() {
    let folder = tempfile::tempdir().unwrap();
    let n1 = node("n1", folder.path());
    let link = Link { from: CLIENTS.to_owned(), to: "n1".to_owned(), target: n1.ready };
    let network = Arc::new(ProxyNetwork::bind(vec![link]).await.unwrap());
    let address = network.address(CLIENTS, "n1").unwrap();
    let (up, down) = (Arc::clone(&network), Arc::clone(&network));
    let nodes = LocalProcesses::new(
        vec![n1],
        Arc::new(move |node| up.node_up(node).unwrap()),
        Arc::new(move |node| down.node_down(node)),
    )
    .unwrap();
    let answers =
        || async { tokio::net::TcpStream::connect(address).await.map_err(|e| e.kind()).map(|_| ()) };
    let refused = Err(std::io::ErrorKind::ConnectionRefused);
    assert_eq!(answers().await, refused);
    for _ in 0..5 {
        nodes.start("n1").await.unwrap();
        assert_eq!(answers().await, Ok(()));
        nodes.pause("n1").await.unwrap();
        assert_eq!(answers().await, Ok(()));
        nodes.kill("n1").await.unwrap();
        assert_eq!(answers().await, refused);
    }
}

#[cfg(target_os = "linux")]
#[tokio::test]
async fn nodes_die_with_a_harness_that_was_killed_even_if_stopped() {
    let folder = tempfile::tempdir().unwrap();
    let mut harness = Command::new(std::env::current_exe().unwrap())
        .args(["--exact", "helper_harness_that_is_killed", "--ignored", "--nocapture"])
        .env("HELPER_FOLDER", folder.path())
        .stdout(Stdio::null())
        .spawn()
        .unwrap();
    let pids = || {
        let text = std::fs::read_to_string(folder.path().join("pids")).ok()?;
        let pids: Vec<u32> = text.lines().filter_map(|line| line.parse().ok()).collect();
        (pids.len() == 2).then_some(pids)
    };
    until("the harness has nodes", || pids().is_some()).await;
    let pids = pids().unwrap();
    assert!(pids.iter().all(|pid| exists(*pid)));
    harness.kill().unwrap();
    harness.wait().unwrap();
    until("the nodes are gone", || pids.iter().all(|pid| !exists(*pid) || is_zombie(*pid))).await;
}

/// Where `/proc` is read to learn it, a lack of descriptors looks like a death.
#[cfg(target_os = "linux")]
#[test]
fn nobody_is_taken_for_dead_because_no_file_can_be_opened() {
    let folder = tempfile::tempdir().unwrap();
    let harness = Command::new(std::env::current_exe().unwrap())
        .args(["--exact", "helper_harness_without_descriptors", "--ignored", "--nocapture"])
        .env("HELPER_FOLDER", folder.path())
        .output()
        .unwrap();
    assert!(harness.status.success(), "{}", String::from_utf8_lossy(&harness.stdout));
    assert_eq!(
        std::fs::read_to_string(folder.path().join("seen")).unwrap(),
        "Running, Stopped, Running, Running; Dead, Running"
    );
}

#[cfg(target_os = "linux")]
#[tokio::test]
#[ignore = "not a test: a harness, run by the others"]
async fn helper_harness_without_descriptors() {
    use nix::sys::resource::{Resource, setrlimit};
    let Ok(folder) = std::env::var("HELPER_FOLDER") else { return };
    let folder = Path::new(&folder);
    let (nodes, _) = processes(vec![node("n1", folder), node("n2", folder)]);
    nodes.start("n1").await.unwrap();
    nodes.start("n2").await.unwrap();
    setrlimit(Resource::RLIMIT_NOFILE, 64, 64).unwrap();
    let mut taken = Vec::new();
    while let Ok(file) = std::fs::File::open("/dev/null") {
        taken.push(file);
    }
    let mut seen = vec![nodes.state("n1")];
    nodes.pause("n1").await.unwrap();
    seen.push(nodes.state("n1"));
    nodes.resume("n1").await.unwrap();
    seen.extend([nodes.state("n1"), nodes.state("n2")]);
    nodes.kill("n1").await.unwrap();
    let after = [nodes.state("n1"), nodes.state("n2")];
    drop(taken);
    let words = |states: &[ProcessState]| {
        states.iter().map(|state| format!("{state:?}")).collect::<Vec<_>>().join(", ")
    };
    std::fs::write(folder.join("seen"), format!("{}; {}", words(&seen), words(&after))).unwrap();
}

/// Dead, but not yet reaped by whoever inherited it.
fn is_zombie(pid: u32) -> bool {
    std::fs::read_to_string(format!("/proc/{pid}/stat")).is_ok_and(|stat| stat.contains(") Z "))
}

#[test]
#[ignore = "not a test: a node, run by the others"]
fn helper_node_that_listens() {
    let Ok(address) = std::env::var("HELPER_ADDRESS") else { return };
    let listener = TcpListener::bind(&address).unwrap();
    println!("listening on {address}");
    for stream in listener.incoming() {
        drop(stream);
    }
}

#[tokio::test]
#[ignore = "not a test: a harness, run and killed by the others"]
async fn helper_harness_that_is_killed() {
    let Ok(folder) = std::env::var("HELPER_FOLDER") else { return };
    let folder = Path::new(&folder);
    let (nodes, _) = processes(vec![node("n1", folder), node("n2", folder)]);
    nodes.start("n1").await.unwrap();
    nodes.start("n2").await.unwrap();
    nodes.pause("n2").await.unwrap();
    let pids = ["n1", "n2"].map(|node| nodes.pid(node).unwrap().to_string());
    std::fs::write(folder.join("pids"), pids.join("\n")).unwrap();
    std::future::pending::<()>().await;
}
