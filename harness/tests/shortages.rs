//! What growler does where the machine has no more to give, or nobody listens: it says so, or goes on, and blames
//! the store for nothing.
#![allow(clippy::unwrap_used, reason = "a test may panic")]

mod support;

use std::collections::BTreeSet;
use std::io::Write;
use std::path::Path;
use std::process::{Command, Output, Stdio};

use nix::unistd::Pid;
use support::{Running, children_of, code, growler, json, latest, run, stderr, stdout};

/// The binary with these arguments, after a line of shell.
fn after(line: &str, arguments: &[&str]) -> Output {
    let mut command = Command::new("sh");
    command
        .args(["-c", &format!("{line}; exec \"$@\""), "sh", env!("CARGO_BIN_EXE_growler")])
        .args(arguments);
    command.env_remove("RUST_LOG").stdin(Stdio::null()).output().unwrap()
}

#[test]
fn a_run_that_may_need_more_descriptors_than_there_are_is_refused_with_the_numbers() {
    let out = tempfile::tempdir().unwrap();
    let folder = out.path().join("runs");
    let folder = folder.to_str().unwrap();
    for (limit, clients) in [("64", "10"), ("128", "100"), ("1024", "500")] {
        let limited =
            after(&format!("ulimit -n {limit}"), &["test", "--concurrency", clients, "--out", folder]);
        let said = stderr(&limited);
        assert_eq!(code(limited.status), 4, "{said}");
        assert!(said.contains(&format!("a process may open {limit} files here")), "{said}");
        assert!(said.contains(&format!("for {clients} clients of 3 nodes")), "{said}");
        assert!(said.contains("ulimit -n "), "{said}");
        assert!(!Path::new(folder).exists(), "a run that did not happen leaves nothing behind");
    }
}

#[test]
fn a_soft_limit_is_raised_to_the_hard_one() {
    let out = tempfile::tempdir().unwrap();
    let folder = out.path().to_str().unwrap();
    let fixed = ["test", "--time", "2s", "--faults", "none", "--min-ok", "1", "--min-sensitivity", "0"];
    let raised = after("ulimit -S -n 64", &[&fixed[..], &["--concurrency", "10", "--out", folder]].concat());
    assert_eq!(code(raised.status), 0, "{}{}", stdout(&raised), stderr(&raised));
}

/// How many files a process has open.
fn open_files(pid: Pid) -> u64 {
    std::fs::read_dir(format!("/proc/{pid}/fd")).map_or(0, |entries| entries.count() as u64)
}

#[test]
fn what_is_counted_before_covers_what_is_open_at_the_peak() {
    let out = tempfile::tempdir().unwrap();
    let folder = out.path().to_str().unwrap();
    for (options, clients) in [
        (&["--time", "8s", "--seed", "3"][..], "40"),
        (&["--time", "8s", "--seed", "5", "--timeout", "500ms", "--faults", "partition"], "20"),
    ] {
        let fixed = ["test", "--concurrency", clients, "--out", folder];
        let arguments = [&fixed[..], options].concat();
        let refused = stderr(&after("ulimit -n 30", &arguments));
        let number = |before: &str| -> u64 {
            let rest = refused.split_once(before).unwrap_or_else(|| panic!("{refused}")).1;
            rest.chars().take_while(char::is_ascii_digit).collect::<String>().parse().unwrap()
        };
        let (counted, of_a_node) = (number("growler itself up to "), number("a node of the store up to "));

        let mut running = growler(&arguments).stdout(Stdio::null()).stderr(Stdio::null()).spawn().unwrap();
        let pid = Pid::from_raw(i32::try_from(running.id()).unwrap());
        let (mut peak, mut peak_of_nodes, mut nodes) = (0, 0, BTreeSet::new());
        let status = loop {
            if let Some(status) = running.try_wait().unwrap() {
                break status;
            }
            peak = peak.max(open_files(pid));
            for node in children_of(pid) {
                peak_of_nodes = peak_of_nodes.max(open_files(node));
                nodes.insert(node);
            }
            std::thread::sleep(std::time::Duration::from_millis(20));
        };
        assert!(matches!(code(status), 0 | 3), "{status}");
        assert!(nodes.len() >= 3, "{nodes:?}");
        assert!(peak > 3 * clients.parse::<u64>().unwrap(), "only {peak} were seen open");
        assert!((peak..=6 * peak).contains(&counted), "counted {counted}, open {peak}");
        assert!(
            (peak_of_nodes..=10 * peak_of_nodes).contains(&of_a_node),
            "counted {of_a_node}, open {peak_of_nodes}"
        );
    }
}

/// A small disk of its own, as long as this lives; none where this user may not mount one.
struct Disk(tempfile::TempDir);

impl Disk {
    fn new(size: &str) -> Option<Self> {
        let folder = tempfile::tempdir().unwrap();
        let mut mount = Command::new("mount");
        mount.args(["-t", "tmpfs", "-o", &format!("size={size}"), "tmpfs"]).arg(folder.path());
        let mounted = mount.stderr(Stdio::null()).status().is_ok_and(|status| status.success());
        mounted.then_some(Self(folder))
    }
}

impl Drop for Disk {
    fn drop(&mut self) {
        let _ = Command::new("umount").arg("-l").arg(self.0.path()).status();
    }
}

#[test]
fn a_disk_that_is_full_before_the_nodes_start_is_no_fault_of_the_store() {
    let Some(disk) = Disk::new("1m") else { return };
    let out = tempfile::tempdir().unwrap();
    let finished = growler(&["test", "--time", "8s", "--out", out.path().to_str().unwrap()])
        .env("TMPDIR", disk.0.path())
        .output()
        .unwrap();
    let said = stdout(&finished);
    assert_eq!(code(finished.status), 4, "{said}{}", stderr(&finished));
    assert!(said.contains("disk") && said.contains("TMPDIR"), "{said}");
}

#[test]
fn a_disk_that_becomes_full_under_the_nodes_is_no_fault_of_the_store() {
    let Some(disk) = Disk::new("64m") else { return };
    let out = tempfile::tempdir().unwrap();
    let mut command = growler(&["test", "--time", "20s", "--out", out.path().to_str().unwrap()]);
    command.env("TMPDIR", disk.0.path());
    let mut running = Running::of(command);
    running.wait_for_line("main");
    let mut filler = std::fs::File::create(disk.0.path().join("filler")).unwrap();
    while filler.write_all(&[1; 4096]).is_ok() {}
    let (status, said) = running.wait();
    assert_eq!(code(status), 4, "{said:#?}");
    let results = json(&latest(out.path()).join("results.json"));
    assert!(results["reasons"].to_string().contains("the disk of the nodes' data"), "{results}");
    assert_eq!(results["valid"], true, "{results}");
}

#[test]
fn a_run_to_which_nobody_listens_goes_on_to_its_end() {
    for verbose in ["", "-v"] {
        let out = tempfile::tempdir().unwrap();
        let folder = out.path().to_str().unwrap();
        let mut arguments =
            vec!["test", "--time", "3s", "--faults", "none", "--min-ok", "1", "--out", folder];
        arguments.extend(["--min-sensitivity", "0"]);
        arguments.extend(Some(verbose).filter(|v| !v.is_empty()));
        let (heard, said) = std::io::pipe().unwrap();
        drop(heard);
        let mut running = growler(&arguments).stdout(said.try_clone().unwrap()).stderr(said).spawn().unwrap();
        assert_eq!(code(running.wait().unwrap()), 0, "{verbose}");
        let run = latest(out.path());
        assert_eq!(json(&run.join("results.json"))["verdict"], "pass");
        assert!(run.join("index.html").exists() && run.join("summary.md").exists());
    }
}

#[test]
fn other_commands_bear_it_too_when_nobody_listens() {
    for arguments in [&["list", "bugs"][..], &["check", "/nowhere"], &["--help"], &["test", "--keys", "0"]] {
        let expected = code(run(arguments).status);
        let (heard, said) = std::io::pipe().unwrap();
        drop(heard);
        let mut deaf = growler(arguments).stdout(said.try_clone().unwrap()).stderr(said).spawn().unwrap();
        assert_eq!(code(deaf.wait().unwrap()), expected, "{arguments:?}");
    }
}
