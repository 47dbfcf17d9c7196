//! What works on this machine: every means by which faults are made is tried out once, on things of our own.
//!
//! A finding is the result of a trial and never of a guess from the system's name or version. Trials take a
//! fraction of a second and leave nothing behind.

use std::collections::BTreeMap;
use std::io;
use std::sync::Arc;
use std::time::Duration;

use nix::sys::resource::{Resource, getrlimit};
use serde::Serialize;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio::time::{sleep, timeout};

use crate::clock::page;
use crate::cluster::{CLIENTS, Grudge, Network, ProcessState, Processes};
use crate::fault::names;
use crate::network::{Link, ProxyNetwork};
use crate::process::{self, LocalProcesses, NodeCommand};

/// How long a trial may take.
const TRIAL: Duration = Duration::from_secs(10);
/// A proxied connection takes two file handles, and a run has hundreds.
const MIN_FILE_HANDLES: u64 = 1024;
/// The node of a trial.
const NODE: &str = "n1";

/// Whether a kind of fault works here, by which means.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Finding {
    /// The kind of fault; `clean-up` for what makes sure that nothing is left behind.
    pub fault: &'static str,
    /// The means by which it is made.
    pub backend: &'static str,
    /// Whether it works here.
    pub works: bool,
    /// What was tried and seen, or why it does not work.
    pub reason: String,
    /// What to do so that it does.
    pub unlock: Option<String>,
}

/// Tries out what the faults need. Needs a tokio runtime.
pub async fn probe() -> Vec<Finding> {
    let loopback = "let growler listen on 127.0.0.1 (a sandbox or a firewall forbids it)";
    let handles = format!("raise the limit of open files: ulimit -n {}", 4 * MIN_FILE_HANDLES);
    let signals = "let growler start programs and send them signals (a sandbox forbids it)";
    let temporary = "make the folder for temporary files writable, or name another one in TMPDIR";
    vec![
        finding(names::PARTITION, "proxy", trial(cut()).await, loopback),
        finding(names::DELAY, "proxy", trial(slow()).await, loopback),
        finding("connections", "file handles", file_handles(), &handles),
        finding(names::KILL, "signals", trial(kill()).await, signals),
        finding(names::PAUSE, "signals", trial(pause()).await, signals),
        finding(
            "clean-up",
            "parent-death",
            trial(process::nodes_die_with_us()).await.map(|()| "a child died with its parent".to_owned()),
            "use Linux; elsewhere, look for left-over nodes when growler was killed with kill -9",
        ),
        finding(names::CLOCK, "clock page", clock_page(), temporary),
    ]
}

fn finding(
    fault: &'static str,
    backend: &'static str,
    seen: Result<String, String>,
    unlock: &str,
) -> Finding {
    let works = seen.is_ok();
    let unlock = (!works).then(|| unlock.to_owned());
    Finding { fault, backend, works, reason: seen.unwrap_or_else(|reason| reason), unlock }
}

async fn trial<T>(what: impl Future<Output = Result<T, String>>) -> Result<T, String> {
    timeout(TRIAL, what).await.unwrap_or_else(|_| Err(format!("no result within {TRIAL:?}")))
}

/// A node that is a listener of our own, behind a proxy, and a connection to it from a client.
struct Line {
    network: ProxyNetwork,
    client: TcpStream,
    node: TcpStream,
}

impl Line {
    async fn lay() -> Result<Self, String> {
        let words = |e: io::Error| format!("cannot use a loopback port: {e}");
        let listener = TcpListener::bind("127.0.0.1:0").await.map_err(words)?;
        let target = listener.local_addr().map_err(words)?;
        let link = Link { from: CLIENTS.to_owned(), to: NODE.to_owned(), target };
        let network = ProxyNetwork::bind(vec![link]).await.map_err(|e| e.to_string())?;
        network.node_up(NODE).map_err(|e| e.to_string())?;
        let address = network.address(CLIENTS, NODE).ok_or("the proxy has no address")?;
        let client = TcpStream::connect(address).await.map_err(words)?;
        let (node, _) = listener.accept().await.map_err(words)?;
        let mut line = Self { network, client, node };
        line.say().await?;
        line.node.read_exact(&mut [0; 4]).await.map_err(words)?;
        Ok(line)
    }

    async fn say(&mut self) -> Result<(), String> {
        self.client.write_all(b"test").await.map_err(|e| format!("cannot send: {e}"))
    }

    /// Waits until the counter of what the client sends has risen.
    async fn counts(&self, counter: &str) {
        let direction = format!("{CLIENTS}->{NODE}");
        while self.network.counters()[&direction][counter] == 0 {
            sleep(Duration::from_millis(2)).await;
        }
    }
}

fn towards_node() -> Grudge {
    Grudge::from([(NODE.to_owned(), [CLIENTS.to_owned()].into())])
}

async fn cut() -> Result<String, String> {
    let mut line = Line::lay().await?;
    line.network.set_grudge(&towards_node()).await.map_err(|e| e.to_string())?;
    line.say().await?;
    line.counts("bytes_dropped").await;
    Ok("a cut swallowed what was sent through a proxy".to_owned())
}

async fn slow() -> Result<String, String> {
    let mut line = Line::lay().await?;
    line.network.set_delay(&towards_node(), 1).await.map_err(|e| e.to_string())?;
    line.say().await?;
    line.counts("bytes_delayed").await;
    Ok("a proxy delayed what was sent through it".to_owned())
}

fn file_handles() -> Result<String, String> {
    let (soft, _) = getrlimit(Resource::RLIMIT_NOFILE).map_err(|e| e.to_string())?;
    if soft < MIN_FILE_HANDLES {
        return Err(format!(
            "a process may open {soft} files here; a run through proxies needs {MIN_FILE_HANDLES}"
        ));
    }
    Ok(format!("a process may open {soft} files"))
}

/// A process that sleeps. We listen in its place, so that it counts as ready.
async fn sleeper() -> Result<(LocalProcesses, TcpListener), String> {
    let listener = TcpListener::bind("127.0.0.1:0").await.map_err(|e| e.to_string())?;
    let command = NodeCommand {
        node: NODE.to_owned(),
        program: "sleep".into(),
        args: vec!["600".into()],
        env: Vec::new(),
        log: "/dev/null".into(),
        ready: listener.local_addr().map_err(|e| e.to_string())?,
        start_timeout: TRIAL,
    };
    let ignore = || Arc::new(|_: &str| ());
    let processes = LocalProcesses::new(vec![command], ignore(), ignore()).map_err(|e| e.to_string())?;
    processes.start(NODE).await.map_err(|e| e.to_string())?;
    Ok((processes, listener))
}

async fn kill() -> Result<String, String> {
    let (processes, _listener) = sleeper().await?;
    processes.kill(NODE).await.map_err(|e| e.to_string())?;
    expect(&processes, ProcessState::Dead, "a process was killed and reaped")
}

async fn pause() -> Result<String, String> {
    let (processes, _listener) = sleeper().await?;
    processes.pause(NODE).await.map_err(|e| e.to_string())?;
    let seen = expect(&processes, ProcessState::Stopped, "a process was stopped and resumed")?;
    processes.resume(NODE).await.map_err(|e| e.to_string())?;
    Ok(seen)
}

fn expect(processes: &LocalProcesses, state: ProcessState, seen: &str) -> Result<String, String> {
    match processes.state(NODE) {
        is if is == state => Ok(seen.to_owned()),
        is => Err(format!("a process that should be {state:?} is {is:?}")),
    }
}

fn clock_page() -> Result<String, String> {
    let path = std::env::temp_dir().join(format!("growler-doctor-{}.clock", std::process::id()));
    let no_node = Arc::new(|_| Box::pin(async { Err("no node".to_owned()) }) as _);
    let created = page::ClockPages::create(BTreeMap::from([(NODE.to_owned(), path.clone())]), no_node);
    let words = std::fs::read(&path);
    let _ = std::fs::remove_file(&path);
    created.map_err(|e| e.to_string())?;
    match words {
        Ok(bytes) if bytes.starts_with(&page::MAGIC.to_le_bytes()) => Ok(format!(
            "a page was written to {}; the bundled store reads such pages",
            path.parent().unwrap_or(&path).display()
        )),
        Ok(_) => Err(format!("{} does not hold what was written to it", path.display())),
        Err(e) => Err(format!("cannot read {}: {e}", path.display())),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn every_default_fault_has_a_finding_and_works_where_tests_run() {
        let findings = probe().await;
        for fault in crate::DEFAULT_FAULTS {
            assert!(findings.iter().any(|f| f.fault == fault), "{fault}");
        }
        for finding in findings.iter().filter(|f| f.fault != "clean-up" || cfg!(target_os = "linux")) {
            assert!(finding.works && finding.unlock.is_none(), "{finding:?}");
        }
    }

    #[test]
    fn what_fails_is_a_finding_with_its_reason_and_a_way_out() {
        let finding = finding("kill", "signals", Err("operation not permitted".to_owned()), "do this");
        assert!(!finding.works);
        assert_eq!(
            (finding.reason.as_str(), finding.unlock.as_deref()),
            ("operation not permitted", Some("do this"))
        );
    }
}
