//! Bad input gets a clear message and the right exit code, through the real binary.
#![allow(clippy::unwrap_used, reason = "a test may panic")]

mod support;

use std::io::Write;
use std::net::TcpListener;

use support::{code, growler, run, stderr, stdout};

fn refused(arguments: &[&str], expected: i32, fragments: &[&str]) {
    let output = run(arguments);
    let message = stderr(&output);
    assert_eq!(code(output.status), expected, "growler {arguments:?} said: {message}");
    for fragment in fragments {
        assert!(message.contains(fragment), "growler {arguments:?} should mention `{fragment}`: {message}");
    }
}

#[test]
fn mistakes_on_the_command_line_are_usage_errors_that_name_what_there_is() {
    let out = tempfile::tempdir().unwrap();
    let dir = out.path().to_str().unwrap();
    let cases: &[(&[&str], &[&str])] = &[
        (
            &["test", "--workload", "nonsense"],
            &["no workload `nonsense`", "register", "cas-register", "bank"],
        ),
        (&["test", "--faults", "gremlins"], &["no fault `gremlins`", "partition", "kill"]),
        (&["test", "--faults", "none,kill"], &["none"]),
        (&["test", "--store", "nonsense"], &["nonsense", "leader", "quorum"]),
        (&["test", "--store", "quorum", "--set", "reads=lease"], &["reads", "--store leader"]),
        (&["test", "--store", "quorum", "--nodes", "2"], &["n=3", "there are 2", "--nodes 3"]),
        (&["test", "--store", "quorum", "--set", "r=4"], &["r=4", "n=3"]),
        (&["test", "--store", "quorum", "--bug", "split-brain"], &["split-brain", "leader"]),
        (&["test", "--set", "resolve=lww"], &["resolve", "--store quorum"]),
        (&["store", "--store", "quorum", "--set", "n=6"], &["n=6", "there are 5", "--nodes 6"]),
        (&["store", "--store", "quorum", "--set", "w=0"], &["w=0", "1 to n"]),
        (&["store", "--set", "hints=off"], &["hints", "--store quorum"]),
        (&["test", "--set", "nonsense=1"], &["nonsense"]),
        (&["test", "--set", "reads=never"], &["reads", "index", "lease"]),
        (&["test", "--bug", "nonsense"], &["no bug `nonsense`", "split-brain"]),
        (&["test", "--promise", "nonsense"], &["nonsense", "linearizable"]),
        (&["test", "--allow", "nonsense"], &["nonsense", "list anomalies"]),
        (&["test", "--time", "3s"], &["--time"]),
        (&["test", "--time", "20s", "--set", "election-timeout-ms=5000"], &["--time"]),
        (&["test", "--time", "soon"], &["30s"]),
        (&["test", "--concurrency", "0"], &["--concurrency 0"]),
        (&["test", "--workload", "bank"], &["bank", "TransactWriteItems", "--endpoint"]),
        (&["test", "--endpoint", "https://dynamodb.eu-west-1.amazonaws.com"], &["--allow-remote"]),
        (&["test", "--endpoint", "127.0.0.1:8000"], &["http://"]),
        (&["test", "--endpoint", "http://me:pass@127.0.0.1:8000"], &["credentials do not belong"]),
        (&["test", "--endpoint", "http://127.0.0.1:8000?a=b"], &["query"]),
        (&["test", "--endpoint", "http://127.0.0.1:8000#a"], &["fragment"]),
        (
            &["test", "--endpoint", "http://127.0.0.1:1", "--cacert", "/no/such.pem"],
            &["--cacert /no/such.pem"],
        ),
        (
            &["test", "--endpoint", "http://127.0.0.1:1", "--cacert", "/dev/null"],
            &["--cacert /dev/null", "PEM"],
        ),
        (&["test", "--endpoint", "http://127.0.0.1:1", "--cacert", "Cargo.toml"], &["no certificate"]),
        (
            &["test", "--endpoint", "http://127.0.0.1:1", "--faults", "delay,kill"],
            &["the fault kill", "--skip-impossible"],
        ),
        (&["test", "--endpoint", "http://127.0.0.1:1", "--faults", "clock"], &["the fault clock"]),
        (&["clean", "--endpoint", "http://10.0.0.1:8000"], &["--allow-remote"]),
        (&["clean", "--yes"], &["--endpoint"]),
        (&["test", "--nonsense"], &["--nonsense"]),
        (&["check", "/no/such/history"], &["/no/such/history"]),
        (&["check", "/no/such/history", "--allow", "nonsense"], &["nonsense", "list anomalies"]),
        (&["export", "/no/such/run", "--format", "jsonl"], &["/no/such/run"]),
        (&["report", "/no/such/run"], &["/no/such/run"]),
        (&["list", "nonsense"], &["workloads"]),
    ];
    for (arguments, fragments) in cases {
        let mut arguments = arguments.to_vec();
        if arguments[0] == "test" {
            arguments.extend(["--out", dir]);
        }
        refused(&arguments, 254, fragments);
    }
    assert_eq!(std::fs::read_dir(out.path()).unwrap().count(), 0, "a usage error leaves no run behind");
}

#[test]
fn a_suite_whose_name_makes_no_folder_is_a_usage_error_with_its_line() {
    for name in ["..", "", "/", "latest", "."] {
        let mut file = tempfile::NamedTempFile::new().unwrap();
        writeln!(file, "# a suite\nname = {name:?}\n[[test]]\nname = \"a\"").unwrap();
        let path = file.path().to_str().unwrap();
        refused(&["suite", path], 254, &[&format!("{path}:2"), "name"]);
    }
}

#[test]
fn half_a_pair_of_credentials_is_a_usage_error() {
    let output = growler(&["test", "--endpoint", "http://127.0.0.1:1"])
        .env_remove("AWS_SECRET_ACCESS_KEY")
        .env("AWS_ACCESS_KEY_ID", "AKIDTEST")
        .output()
        .unwrap();
    assert_eq!(code(output.status), 254, "{}", stderr(&output));
    assert!(stderr(&output).contains("AWS_SECRET_ACCESS_KEY"), "{}", stderr(&output));
}

#[test]
fn an_unreachable_endpoint_is_an_environment_error_that_names_it() {
    let out = tempfile::tempdir().unwrap();
    // A port that was free a moment ago, and below those that the kernel hands out.
    let port = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
    let url = format!("http://127.0.0.1:{port}");
    refused(&["test", "--endpoint", &url, "--time", "2s", "--out", out.path().to_str().unwrap()], 4, &[]);
    let results = support::json(&support::latest(out.path()).join("results.json"));
    assert_eq!(results["verdict"], "environment");
    assert!(results["reasons"].to_string().contains(&url), "{results}");
}

#[test]
fn a_port_in_use_is_an_environment_error() {
    let taken = (20_000..32_000).find_map(|p| TcpListener::bind(("127.0.0.1", p)).ok()).unwrap();
    let port = taken.local_addr().unwrap().port().to_string();
    refused(&["store", "--nodes", "1", "--port", &port], 4, &[&port, "--port"]);
}

#[test]
fn a_malformed_history_is_refused_with_file_and_line() {
    let mut file = tempfile::NamedTempFile::new().unwrap();
    writeln!(file, r#"{{"process":0,"type":"invoke","f":"read","key":"a","value":null}}"#).unwrap();
    writeln!(file, r#"{{"process":0,"type":"perhaps","f":"read","key":"a","value":null}}"#).unwrap();
    writeln!(file, r#"{{"process":0,"type":"ok","f":"read","key":"a","value":null}}"#).unwrap();
    let path = file.path().to_str().unwrap();
    refused(&["check", path], 254, &[path, "2", "perhaps"]);
}

#[test]
fn a_history_that_no_process_can_have_made_is_refused() {
    let mut file = tempfile::NamedTempFile::new().unwrap();
    writeln!(file, r#"{{"process":0,"type":"invoke","f":"read","key":"a","value":null}}"#).unwrap();
    writeln!(file, r#"{{"process":0,"type":"invoke","f":"read","key":"a","value":null}}"#).unwrap();
    let path = file.path().to_str().unwrap();
    refused(&["check", path], 254, &[path, "process 0"]);
}

#[test]
fn a_history_whose_last_line_was_cut_off_is_checked_with_a_warning() {
    let mut file = tempfile::NamedTempFile::new().unwrap();
    writeln!(file, r#"{{"process":0,"type":"invoke","f":"write","key":"a","value":1}}"#).unwrap();
    writeln!(file, r#"{{"process":0,"type":"ok","f":"write","key":"a","value":1}}"#).unwrap();
    write!(file, r#"{{"process":0,"type":"inv"#).unwrap();
    let output = run(&["check", file.path().to_str().unwrap()]);
    assert_eq!(code(output.status), 0, "{}", stderr(&output));
    assert!(stderr(&output).contains("warning"), "{}", stderr(&output));
}

#[test]
fn a_stale_read_is_a_violation_and_json_is_all_there_is_on_standard_output() {
    let mut file = tempfile::NamedTempFile::new().unwrap();
    for line in [
        r#"{"process":0,"type":"invoke","f":"write","key":"a","value":1}"#,
        r#"{"process":0,"type":"ok","f":"write","key":"a","value":1}"#,
        r#"{"process":0,"type":"invoke","f":"write","key":"a","value":2}"#,
        r#"{"process":0,"type":"ok","f":"write","key":"a","value":2}"#,
        r#"{"process":1,"type":"invoke","f":"read","key":"a","value":null}"#,
        r#"{"process":1,"type":"ok","f":"read","key":"a","value":1}"#,
        r#"{"process":1,"type":"invoke","f":"read","key":"a","value":null}"#,
        r#"{"process":1,"type":"ok","f":"read","key":"a","value":2}"#,
    ] {
        writeln!(file, "{line}").unwrap();
    }
    let path = file.path().to_str().unwrap();
    let output = run(&["check", path, "--json"]);
    assert_eq!(code(output.status), 1);
    let verdict: serde_json::Value = serde_json::from_str(&stdout(&output)).unwrap();
    assert_eq!(verdict["verdict"], "violation");
    assert_eq!(verdict["valid"], false);
    assert_eq!(verdict["checks"]["linearizable"]["anomalies"][0]["type"], "stale-read");
    assert_eq!(code(run(&["check", path, "--allow", "stale-read"]).status), 0, "allowed by its name");
    assert_eq!(
        code(run(&["check", path, "--expect", "nonlinearizable"]).status),
        0,
        "expected by its parent"
    );
    assert_eq!(code(run(&["check", path, "--allow", "lost-update"]).status), 1, "another one is allowed");
}

#[test]
fn a_full_disk_under_the_run_folder_is_an_environment_error_and_keeps_what_was_recorded() {
    let probe = std::process::Command::new("unshare").args(["-rm", "true"]).status();
    if !probe.is_ok_and(|s| s.success()) {
        eprintln!("skipped: this machine refuses user namespaces, so there is no small disk to fill");
        return;
    }
    let out = tempfile::tempdir().unwrap();
    let keep = tempfile::tempdir().unwrap();
    let script = r#"mount -t tmpfs -o size=160k tmpfs "$1" && { "$2" test --faults none --time 8s --out "$1"
        code=$?; cp -r "$1/." "$3"; exit $code; }"#;
    let binary = growler(&[]).get_program().to_owned();
    let output = std::process::Command::new("unshare")
        .args(["-rm", "sh", "-c", script, "sh"])
        .args([out.path().as_os_str(), &binary, keep.path().as_os_str()])
        .output()
        .unwrap();
    assert_eq!(code(output.status), 4, "{}", stderr(&output));
    assert!(stdout(&output).contains("No space left"), "{}{}", stdout(&output), stderr(&output));
    let history = walk(keep.path()).into_iter().find(|p| p.ends_with("history.jsonl")).expect("a history");
    let text = std::fs::read_to_string(&history).unwrap();
    assert!(text.lines().count() > 100, "only {} lines were kept", text.lines().count());
    let checked = run(&["check", history.to_str().unwrap()]);
    assert_eq!(code(checked.status), 130, "no room was left to record how it ended: {}", stderr(&checked));
}

fn walk(folder: &std::path::Path) -> Vec<std::path::PathBuf> {
    let mut found = Vec::new();
    for entry in std::fs::read_dir(folder).unwrap().flatten() {
        match entry.file_type().unwrap().is_dir() {
            true => found.extend(walk(&entry.path())),
            false => found.push(entry.path()),
        }
    }
    found
}
