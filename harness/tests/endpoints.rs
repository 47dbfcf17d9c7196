//! `growler test --endpoint`, end to end: against the bundled store served by itself, and against a server
//! that is slow on purpose. No other software is needed; `examples/endpoints` tests servers of others.
#![allow(clippy::unwrap_used, reason = "a test may panic")]

mod support;

use std::collections::BTreeSet;
use std::io::{BufRead, BufReader, Read, Write};
use std::net::{TcpListener, TcpStream};
use std::path::Path;
use std::process::Output;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use nix::sys::signal::Signal;
use support::store::Store;
use support::{Running, code, eventually, growler, json, latest, run, stderr, stdout};

/// A test of this endpoint with these further arguments, run to its end.
fn test(url: &str, out: &Path, more: &[&str]) -> Output {
    let fixed = ["test", "--endpoint", url, "--seed", "1", "--out", out.to_str().unwrap()];
    run(&[&fixed[..], more].concat())
}

#[test]
fn tables_carry_the_runs_id_and_are_removed_also_after_ctrl_c_in_each_phase() {
    let store = Store::start(&["--nodes", "1"]);
    for (phase, faults) in [
        ("set-up", "none"),
        ("warm-up", "none"),
        ("main", "none"),
        ("recovery", "delay"),
        ("final reads", "none"),
        ("tear-down", "none"),
    ] {
        let out = tempfile::tempdir().unwrap();
        let folder = out.path().to_str().unwrap();
        let arguments =
            ["test", "--endpoint", store.url(), "--time", "4s", "--faults", faults, "--out", folder];
        let mut running = Running::start(&arguments);
        running.wait_for_line(phase);
        if phase == "main" {
            let run = latest(out.path());
            let id: String = run.file_name().unwrap().to_string_lossy().replace('.', "");
            let prefix = format!("growler-{id}-");
            let tables = store.tables();
            assert!(!tables.is_empty() && tables.iter().all(|t| t.starts_with(&prefix)), "{tables:?}");
        }
        running.signal(Signal::SIGINT);
        let (status, said) = running.wait();
        assert_eq!(code(status), 130, "interrupted in {phase}: {said:#?}");
        assert_eq!(store.tables(), Vec::<String>::new(), "interrupted in {phase}");
    }
}

#[test]
fn a_run_that_is_not_interrupted_removes_its_tables_too_and_keeps_no_secret() {
    let store = Store::start(&["--nodes", "1"]);
    let out = tempfile::tempdir().unwrap();
    let folder = out.path().to_str().unwrap();
    let finished =
        growler(&["test", "--endpoint", store.url(), "--time", "2s", "--min-ok", "50", "--out", folder])
            .env("AWS_ACCESS_KEY_ID", "AKIDTEST")
            .env("AWS_SECRET_ACCESS_KEY", "verysecret")
            .env("AWS_SESSION_TOKEN", "alsosecret")
            .env("RUST_LOG", "trace")
            .output()
            .unwrap();
    assert_eq!(code(finished.status), 0, "{}", stderr(&finished));
    assert_eq!(store.tables(), Vec::<String>::new());
    let mut texts = vec![stdout(&finished), stderr(&finished)];
    for entry in std::fs::read_dir(latest(out.path())).unwrap().flatten() {
        if entry.file_type().unwrap().is_file() {
            texts.push(String::from_utf8_lossy(&std::fs::read(entry.path()).unwrap()).into_owned());
        }
    }
    assert!(texts.len() > 5);
    assert!(!texts.iter().any(|text| text.contains("verysecret") || text.contains("alsosecret")));
}

#[test]
fn the_bank_is_refused_by_name_where_there_are_no_transactions() {
    let store = Store::start(&["--nodes", "1"]);
    let out = tempfile::tempdir().unwrap();
    let refused = test(store.url(), out.path(), &["--workload", "bank", "--time", "2s"]);
    assert_eq!(code(refused.status), 254, "{}", stdout(&refused));
    let said = stdout(&refused);
    assert!(said.contains("cannot run the bank workload: it does not offer Transact"), "{said}");
    assert!(!said.contains("bank: ") && !said.contains("operations were ok"), "nothing was judged: {said}");
    assert_eq!(store.tables(), Vec::<String>::new());
}

#[test]
fn carts_are_refused_by_name_where_no_versions_are_kept() {
    let store = Store::start(&["--nodes", "1"]);
    let out = tempfile::tempdir().unwrap();
    let refused =
        test(store.url(), out.path(), &["--workload", "cart", "--promise", "eventual", "--time", "2s"]);
    assert_eq!(code(refused.status), 254, "{}", stdout(&refused));
    assert!(stdout(&refused).contains("keeps no versions"), "{}", stdout(&refused));
    let results = json(&latest(out.path()).join("results.json"));
    assert_eq!(results["verdict"], "usage", "{results}");
    assert_eq!(code(run(&["check", latest(out.path()).to_str().unwrap()]).status), 254, "checked again");
}

#[test]
fn faults_that_the_target_cannot_take_are_skipped_and_told_where_that_is_asked_for() {
    let store = Store::start(&["--nodes", "1"]);
    let out = tempfile::tempdir().unwrap();
    let more = ["--time", "2s", "--min-ok", "50", "--min-sensitivity", "0"];
    let finished =
        test(store.url(), out.path(), &[&more[..], &["--faults", "kill", "--skip-impossible"]].concat());
    let said = stdout(&finished);
    assert_eq!(code(finished.status), 0, "{said}");
    assert!(said.contains("note: the fault kill needs") && said.contains("skipped"), "{said}");
}

#[test]
fn an_endpoint_that_goes_away_is_no_violation_whether_or_not_faults_were_in_force() {
    for faults in ["none", "partition"] {
        let store = Store::start(&["--nodes", "1"]);
        let out = tempfile::tempdir().unwrap();
        let folder = out.path().to_str().unwrap();
        let arguments =
            ["test", "--endpoint", store.url(), "--time", "4s", "--recovery", "2s", "--min-ok", "1"];
        let mut running =
            Running::start(&[arguments.as_slice(), &["--faults", faults, "--out", folder]].concat());
        running.wait_for_line("main");
        drop(store);
        let (status, said) = running.wait();
        assert_eq!(code(status), 4, "faults {faults}: {said:#?}");
        let results = json(&latest(out.path()).join("results.json"));
        assert!(results["reasons"].to_string().contains("went away"), "faults {faults}: {results}");
        assert_eq!(results["valid"], true, "faults {faults}: {results}");
    }
}

#[test]
fn a_spent_cap_ends_the_load_and_says_nothing_against_the_endpoint() {
    let store = Store::start(&["--nodes", "1"]);
    for (cap, min_ok, faults, expected) in
        [("30", "500", "none", 3), ("400", "300", "none", 0), ("400", "300", "delay", 0)]
    {
        let out = tempfile::tempdir().unwrap();
        let more = ["--time", "20s", "--max-requests", cap, "--min-ok", min_ok, "--faults", faults];
        let began = Instant::now();
        let finished = test(store.url(), out.path(), &more);
        let results = json(&latest(out.path()).join("results.json"));
        let allowed = if faults == "none" { expected..=expected } else { expected..=3 };
        assert!(allowed.contains(&code(finished.status)), "{cap} {faults}: {results}");
        assert_eq!(results["valid"], true, "{cap}: {results}");
        let ok = results["stats"]["ok"].as_u64().unwrap();
        assert!(ok <= cap.parse().unwrap() && began.elapsed() < Duration::from_secs(19), "{results}");
        assert_eq!(store.tables(), Vec::<String>::new(), "{cap}");
        let cost = format!("the cap of {cap} requests ended the load after ");
        let page = |name| std::fs::read_to_string(latest(out.path()).join(name)).unwrap();
        let told = [stdout(&finished), page("results.json"), page("summary.md"), page("index.html")];
        assert!(told.iter().all(|text| text.contains(&cost)), "{told:?}");
        let unreached = "planned faults that were not reached: ";
        assert!(faults == "none" || results["notes"].to_string().contains(unreached), "{results}");
    }
}

/// A server that makes a table some time after it was asked to, whether or not anybody waits for the answer.
struct Slow {
    address: String,
    tables: Arc<Mutex<BTreeSet<String>>>,
    asked: Arc<AtomicBool>,
}

impl Slow {
    fn start(makes_after: Duration) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let address = listener.local_addr().unwrap().to_string();
        let slow = Self { address, tables: Arc::default(), asked: Arc::default() };
        let (tables, asked) = (Arc::clone(&slow.tables), Arc::clone(&slow.asked));
        std::thread::spawn(move || {
            for stream in listener.incoming().map_while(Result::ok) {
                let (tables, asked) = (Arc::clone(&tables), Arc::clone(&asked));
                std::thread::spawn(move || answer(stream, makes_after, &tables, &asked));
            }
        });
        slow
    }
}

/// Answers one request, and closes the connection.
fn answer(stream: TcpStream, makes_after: Duration, tables: &Mutex<BTreeSet<String>>, asked: &AtomicBool) {
    let mut reader = BufReader::new(stream.try_clone().unwrap());
    let (mut operation, mut length) = (String::new(), 0);
    loop {
        let mut line = String::new();
        if reader.read_line(&mut line).unwrap_or(0) <= 2 {
            break;
        }
        let (name, value) = line.trim().split_once(':').unwrap_or_default();
        match name.to_ascii_lowercase().as_str() {
            "x-amz-target" => value.rsplit('.').next().unwrap_or_default().clone_into(&mut operation),
            "content-length" => length = value.trim().parse().unwrap(),
            _ => {}
        }
    }
    let mut body = vec![0; length];
    if reader.read_exact(&mut body).is_err() {
        return;
    }
    let body: serde_json::Value = serde_json::from_slice(&body).unwrap_or_default();
    let table = body["TableName"].as_str().unwrap_or_default().to_owned();
    let (status, text) = match operation.as_str() {
        "CreateTable" => {
            asked.store(true, Ordering::SeqCst);
            std::thread::sleep(makes_after);
            tables.lock().unwrap().insert(table);
            ("200 OK", "{}")
        }
        "DeleteTable" if tables.lock().unwrap().remove(&table) => ("200 OK", "{}"),
        _ => {
            ("400 Bad Request", r#"{"__type":"com.amazonaws.dynamodb.v20120810#ResourceNotFoundException"}"#)
        }
    };
    let mut stream = stream;
    let head = format!("HTTP/1.1 {status}\r\nConnection: close\r\nContent-Length: {}\r\n\r\n", text.len());
    let _ = stream.write_all(format!("{head}{text}").as_bytes());
}

#[test]
fn a_table_that_is_made_after_the_user_interrupted_is_removed_too() {
    let slow = Slow::start(Duration::from_millis(500));
    let out = tempfile::tempdir().unwrap();
    let url = format!("http://{}", slow.address);
    let running = Running::start(&["test", "--endpoint", &url, "--out", out.path().to_str().unwrap()]);
    eventually("a table is asked for", || slow.asked.load(Ordering::SeqCst));
    running.signal(Signal::SIGINT);
    let (status, said) = running.wait();
    assert_eq!(code(status), 130, "{said:#?}");
    assert_eq!(*slow.tables.lock().unwrap(), BTreeSet::new());
}

#[test]
fn nobody_at_an_endpoint_is_told_at_once_with_and_without_a_proxy_between() {
    let free = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
    for faults in ["none", "partition"] {
        let out = tempfile::tempdir().unwrap();
        let url = format!("http://{free}");
        let finished = test(&url, out.path(), &["--time", "10s", "--faults", faults]);
        assert_eq!(code(finished.status), 4, "{}", stdout(&finished));
        let said = stdout(&finished);
        assert!(said.contains(&format!("cannot reach {url}")) && !said.contains("left behind"), "{said}");
    }
}
