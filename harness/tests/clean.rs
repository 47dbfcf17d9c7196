//! Tables that runs leave behind, and `growler clean`, which removes them.
#![allow(clippy::unwrap_used, reason = "a test may panic")]

mod support;

use std::io::{BufRead, BufReader, Write};
use std::net::{TcpListener, TcpStream};

use support::store::Store;
use support::{Running, code, eventually, json, latest, run, stderr, stdout};

/// Passes requests on to `target`, but denies `DeleteTable`.
fn denying(target: &str) -> String {
    let body = r#"{"__type":"com.amazon.coral.service#AccessDeniedException","message":"not you"}"#;
    answering(target, "DeleteTable", "400 Bad Request", body)
}

/// Passes requests on to `target`, but answers those of one operation itself.
fn answering(target: &str, operation: &'static str, status: &str, body: &str) -> String {
    let target = target.trim_start_matches("http://").to_owned();
    let answer = format!("HTTP/1.1 {status}\r\nContent-Length: {}\r\n\r\n{body}", body.len());
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let url = format!("http://{}", listener.local_addr().unwrap());
    std::thread::spawn(move || {
        for client in listener.incoming().map_while(Result::ok) {
            let (target, answer) = (target.clone(), answer.clone());
            std::thread::spawn(move || pass_on(client, &target, operation, &answer));
        }
    });
    url
}

/// Everything that one connection asks, until either side closes it.
fn pass_on(client: TcpStream, target: &str, operation: &str, answer: &str) -> Option<()> {
    let (mut answers, mut requests) = (client.try_clone().ok()?, BufReader::new(client));
    let mut server = TcpStream::connect(target).ok()?;
    let mut served = BufReader::new(server.try_clone().ok()?);
    loop {
        let request = message(&mut requests)?;
        if request.windows(operation.len()).any(|part| part == operation.as_bytes()) {
            answers.write_all(answer.as_bytes()).ok()?;
        } else {
            server.write_all(&request).ok()?;
            answers.write_all(&message(&mut served)?).ok()?;
        }
    }
}

/// The store as one that does not say when a table was made: all tables of a test are of this very moment.
fn silent_of_age(store: &Store) -> String {
    answering(store.url(), "DescribeTable", "200 OK", r#"{"Table":{"TableStatus":"ACTIVE"}}"#)
}

/// Makes a table with a key of strings.
fn make(store: &Store, table: &str) {
    let request = format!(
        r#"{{"TableName":"{table}","KeySchema":[{{"AttributeName":"pk","KeyType":"HASH"}}],
        "AttributeDefinitions":[{{"AttributeName":"pk","AttributeType":"S"}}],"BillingMode":"PAY_PER_REQUEST"}}"#
    );
    assert_eq!(store.ask(0, "CreateTable", &request, &[]).status, 200);
}

/// Writes what stands in a mark: `{"N":"7"}`.
fn mark(store: &Store, table: &str, alive: &str) {
    let item = format!(r#"{{"TableName":"{table}","Item":{{"pk":{{"S":"alive"}},"alive":{alive}}}}}"#);
    eventually("the mark is written", || store.ask(0, "PutItem", &item, &[]).status == 200);
}

/// A number as a mark has it.
fn at(moment: i64) -> String {
    format!(r#"{{"N":"{moment}"}}"#)
}

/// Seconds since 1970.
fn now() -> i64 {
    i64::try_from(std::time::SystemTime::UNIX_EPOCH.elapsed().unwrap().as_secs()).unwrap()
}

/// `growler clean --yes`, which watches marks as long as it is told: what it said, with exit code 0.
fn cleaned(url: &str, watch: &str) -> String {
    let finished = run(&["clean", "--endpoint", url, "--yes", "--watch", watch]);
    assert_eq!(code(finished.status), 0, "{}{}", stdout(&finished), stderr(&finished));
    stdout(&finished)
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
    let said = cleaned(store.url(), "1h");
    assert!(said.contains("nothing to delete, 2 kept"), "{said}");
    assert_eq!(store.tables(), left);
}

#[test]
fn only_what_runs_left_that_are_over_is_deleted_and_only_when_that_is_wanted() {
    let store = Store::start(&["--nodes", "1"]);
    let make = |table: &str, moment: Option<i64>| {
        make(&store, table);
        if let Some(moment) = moment {
            mark(&store, table, &at(moment));
        }
    };
    make("growler-20200101T000000000Z-register", None);
    make("growler-20200101T000000000Z-canary", Some(now() - 3600));
    make("growler-20200102T000000000Z-set", None);
    make("growler-20200103T000000000Z-register", None);
    make("growler-20200103T000000000Z-canary", Some(now()));
    make("growler-register", None);
    make("users-20200101T000000000Z-register", None);
    let (all, url) = (store.tables(), silent_of_age(&store));

    let listed = run(&["clean", "--endpoint", &url]);
    let said = stdout(&listed);
    assert_eq!(code(listed.status), 0, "{said}{}", stderr(&listed));
    assert!(said.contains("3 tables to delete, 3 kept; nothing was deleted: add --yes"), "{said}");
    assert!(said.contains("its run is alive") && !said.contains("users-"), "{said}");
    assert_eq!(store.tables(), all, "a look changes nothing");

    let said = cleaned(&url, "10ms");
    assert!(said.contains("3 tables deleted, 3 kept"), "{said}");
    let over = |table: &String| {
        table.contains("20200101") && !table.starts_with("users") || table.contains("20200102")
    };
    let kept: Vec<_> = all.into_iter().filter(|table| !over(table)).collect();
    assert_eq!(store.tables(), kept);

    let denied = denying(&url);
    make("growler-20200104T000000000Z-register", None);
    let refused = run(&["clean", "--endpoint", &denied, "--yes", "--watch", "10ms"]);
    assert_eq!(code(refused.status), 4, "{}", stdout(&refused));
    assert!(
        stdout(&refused).contains("NOT deleted") && stdout(&refused).contains("1 could not be"),
        "{refused:?}"
    );
}

#[test]
fn a_run_whose_clock_is_wrong_is_alive_if_its_mark_changes() {
    let store = Store::start(&["--nodes", "1"]);
    let (alive, over) = ("growler-20200101T000000000Z-canary", "growler-20200102T000000000Z-canary");
    make(&store, alive);
    make(&store, "growler-20200101T000000000Z-register");
    make(&store, over);
    // By its own clock it is a day ago.
    let before = now() - 86_400;
    mark(&store, alive, &at(before));
    mark(&store, over, &at(before));
    let ended = std::sync::atomic::AtomicBool::new(false);
    let said = std::thread::scope(|scope| {
        let renewing = scope.spawn(|| {
            for moment in before + 1.. {
                if ended.load(std::sync::atomic::Ordering::Relaxed) {
                    return;
                }
                mark(&store, alive, &at(moment));
                std::thread::sleep(std::time::Duration::from_millis(20));
            }
        });
        let said = cleaned(&silent_of_age(&store), "1s");
        ended.store(true, std::sync::atomic::Ordering::Relaxed);
        renewing.join().unwrap();
        said
    });
    assert!(said.contains("1 table deleted, 2 kept") && said.contains("said so just now"), "{said}");
    assert!(!store.tables().contains(&over.to_owned()));
    assert_eq!(store.tables().len(), 2);
}

#[test]
fn what_the_server_says_to_be_young_is_kept_whatever_its_name_says() {
    let store = Store::start(&["--nodes", "1"]);
    make(&store, "growler-20200101T000000000Z-register");
    let made = |at: &str| {
        let body = format!(r#"{{"Table":{{"TableStatus":"ACTIVE","CreationDateTime":{at}}}}}"#);
        answering(store.url(), "DescribeTable", "200 OK", &body)
    };
    let said = cleaned(&made(&format!("{}.25", now() - 120)), "1h");
    assert!(said.contains("kept: it is 2 min old"), "{said}");
    let said = cleaned(&made(r#""yesterday""#), "1h");
    assert!(said.contains("kept") && said.contains("its age is no time: \"yesterday\""), "{said}");
    assert_eq!(store.tables().len(), 1);
    let said = cleaned(&made(&(now() - 7200).to_string()), "10ms");
    assert!(said.contains("1 table deleted"), "{said}");
}

#[test]
fn a_mark_that_is_no_number_tells_nothing_so_the_tables_are_kept() {
    let store = Store::start(&["--nodes", "1"]);
    let canary = "growler-20200101T000000000Z-canary";
    make(&store, canary);
    mark(&store, canary, r#"{"S":"yes"}"#);
    let said = cleaned(store.url(), "1h");
    assert!(said.contains("cannot be found out: its mark is no moment: \"yes\""), "{said}");
    assert_eq!(store.tables(), [canary]);
}

#[test]
fn without_an_endpoint_it_says_one_line_for_each_thing() {
    let said = stdout(&run(&["clean"]));
    assert!(said.contains("of killed runs removed") && said.lines().all(|line| !line.is_empty()), "{said:?}");
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
