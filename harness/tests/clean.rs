//! Tables that runs leave behind, and `growler clean`, which removes them.
#![allow(clippy::unwrap_used, reason = "a test may panic")]

mod support;

use std::io::{BufRead, BufReader, Write};
use std::net::{TcpListener, TcpStream};

use support::store::Store;
use support::{Running, code, eventually, json, latest, run, stderr, stdout};

/// Passes requests on to `target`, but denies `DeleteTable`.
fn denying(target: &str) -> String {
    let target = target.trim_start_matches("http://").to_owned();
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let url = format!("http://{}", listener.local_addr().unwrap());
    std::thread::spawn(move || {
        for client in listener.incoming().map_while(Result::ok) {
            let target = target.clone();
            std::thread::spawn(move || pass_on(client, &target));
        }
    });
    url
}

/// Everything that one connection asks, until either side closes it.
fn pass_on(client: TcpStream, target: &str) -> Option<()> {
    let (mut answers, mut requests) = (client.try_clone().ok()?, BufReader::new(client));
    let mut server = TcpStream::connect(target).ok()?;
    let mut served = BufReader::new(server.try_clone().ok()?);
    loop {
        let request = message(&mut requests)?;
        if request.windows(11).any(|part| part == b"DeleteTable") {
            let body = r#"{"__type":"com.amazon.coral.service#AccessDeniedException","message":"not you"}"#;
            let head = format!("HTTP/1.1 400 Bad Request\r\nContent-Length: {}\r\n\r\n", body.len());
            answers.write_all(format!("{head}{body}").as_bytes()).ok()?;
        } else {
            server.write_all(&request).ok()?;
            answers.write_all(&message(&mut served)?).ok()?;
        }
    }
}

/// One HTTP message with its body, as it came.
fn message(from: &mut impl BufRead) -> Option<Vec<u8>> {
    let (mut message, mut length) = (Vec::new(), 0);
    loop {
        let mut line = String::new();
        if from.read_line(&mut line).ok()? == 0 {
            return None;
        }
        message.extend(line.as_bytes());
        match line.trim().split_once(':') {
            Some((name, value)) if name.eq_ignore_ascii_case("content-length") => {
                length = value.trim().parse().ok()?;
            }
            None if line.trim().is_empty() => break,
            _ => (),
        }
    }
    let mut body = vec![0; length];
    from.read_exact(&mut body).ok()?;
    message.extend(body);
    Some(message)
}

#[test]
fn a_run_that_may_not_delete_its_tables_passes_and_says_what_it_left() {
    let store = Store::start(&["--nodes", "1"]);
    let url = denying(store.url());
    let out = tempfile::tempdir().unwrap();
    let finished = run(&[
        "test",
        "--endpoint",
        &url,
        "--time",
        "2s",
        "--min-ok",
        "50",
        "--min-sensitivity",
        "0",
        "--out",
        out.path().to_str().unwrap(),
    ]);
    let said = stdout(&finished);
    assert_eq!(code(finished.status), 0, "{said}{}", stderr(&finished));
    let left = store.tables();
    assert_eq!(left.len(), 2, "{left:?}");
    for table in &left {
        assert!(said.contains(&format!("(table {table})")), "{said}");
    }
    assert!(said.contains("AccessDeniedException") && said.contains("growler clean --endpoint"), "{said}");

    // It is too young to go, whoever asks.
    let cleaned = run(&["clean", "--endpoint", store.url(), "--yes"]);
    assert_eq!(code(cleaned.status), 0, "{}", stderr(&cleaned));
    assert!(stdout(&cleaned).contains("nothing to delete, 2 kept"), "{}", stdout(&cleaned));
    assert_eq!(store.tables(), left);
}

#[test]
fn only_what_runs_left_that_are_over_is_deleted_and_only_when_that_is_wanted() {
    let store = Store::start(&["--nodes", "1"]);
    let now = i64::try_from(std::time::SystemTime::UNIX_EPOCH.elapsed().unwrap().as_secs()).unwrap();
    let make = |table: &str, mark: Option<i64>| {
        let request = format!(
            r#"{{"TableName":"{table}","KeySchema":[{{"AttributeName":"pk","KeyType":"HASH"}}],
            "AttributeDefinitions":[{{"AttributeName":"pk","AttributeType":"S"}}],"BillingMode":"PAY_PER_REQUEST"}}"#
        );
        assert_eq!(store.ask(0, "CreateTable", &request, &[]).status, 200);
        if let Some(at) = mark {
            let item = format!(
                r#"{{"TableName":"{table}","Item":{{"pk":{{"S":"alive"}},"alive":{{"N":"{at}"}}}}}}"#
            );
            eventually("the mark is written", || store.ask(0, "PutItem", &item, &[]).status == 200);
        }
    };
    make("growler-20200101T000000000Z-register", None);
    make("growler-20200101T000000000Z-canary", Some(now - 3600));
    make("growler-20200102T000000000Z-set", None);
    make("growler-20200103T000000000Z-register", None);
    make("growler-20200103T000000000Z-canary", Some(now));
    make("growler-register", None);
    make("users-20200101T000000000Z-register", None);
    let all = store.tables();

    let listed = run(&["clean", "--endpoint", store.url()]);
    let said = stdout(&listed);
    assert_eq!(code(listed.status), 0, "{said}{}", stderr(&listed));
    assert!(said.contains("3 tables to delete, 3 kept; nothing was deleted: add --yes"), "{said}");
    assert!(said.contains("its run is alive") && !said.contains("users-"), "{said}");
    assert_eq!(store.tables(), all, "a look changes nothing");

    let cleaned = run(&["clean", "--endpoint", store.url(), "--yes"]);
    assert_eq!(code(cleaned.status), 0, "{}{}", stdout(&cleaned), stderr(&cleaned));
    assert!(stdout(&cleaned).contains("3 tables deleted, 3 kept"), "{}", stdout(&cleaned));
    let over = |table: &String| {
        table.contains("20200101") && !table.starts_with("users") || table.contains("20200102")
    };
    let kept: Vec<_> = all.into_iter().filter(|table| !over(table)).collect();
    assert_eq!(store.tables(), kept);

    let denied = denying(store.url());
    make("growler-20200104T000000000Z-register", None);
    let refused = run(&["clean", "--endpoint", &denied, "--yes"]);
    assert_eq!(code(refused.status), 4, "{}", stdout(&refused));
    assert!(
        stdout(&refused).contains("NOT deleted") && stdout(&refused).contains("1 could not be"),
        "{refused:?}"
    );
}

#[test]
fn a_run_marks_itself_as_alive() {
    let store = Store::start(&["--nodes", "1"]);
    let out = tempfile::tempdir().unwrap();
    let mut running = Running::start(&[
        "test",
        "--endpoint",
        store.url(),
        "--time",
        "20s",
        "--out",
        out.path().to_str().unwrap(),
    ]);
    running.wait_for_line("main");
    let canary = store.tables().into_iter().find(|table| table.ends_with("-canary")).unwrap();
    let key = format!(r#"{{"TableName":"{canary}","Key":{{"pk":{{"S":"alive"}}}},"ConsistentRead":true}}"#);
    eventually("a mark", || store.ask(0, "GetItem", &key, &[]).body["Item"]["alive"]["N"].is_string());
    running.signal(nix::sys::signal::Signal::SIGINT);
    assert_eq!(code(running.wait().0), 130);
    assert_eq!(json(&latest(out.path()).join("results.json"))["verdict"], "interrupted");
}
