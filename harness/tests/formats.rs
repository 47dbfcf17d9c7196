//! Other tools' histories through the real binary: their verdicts, their mistakes, and the way back.
#![allow(clippy::unwrap_used, reason = "a test may panic")]

mod support;

use std::fs::{self, File};
use std::path::{Path, PathBuf};
use std::process::Stdio;

use serde_json::Value;
use support::{code, growler, run, stderr, stdout};

/// The folder of other tools' histories, where this machine has one.
fn corpora() -> Option<PathBuf> {
    let folder = std::env::var_os("GROWLER_CORPORA").map(PathBuf::from);
    if folder.is_none() {
        eprintln!("skipped: GROWLER_CORPORA names no folder of other tools' histories");
    }
    folder
}

fn check(history: &Path, options: &[&str]) -> i32 {
    let output = run(&[&["check", history.to_str().unwrap()], options].concat());
    let code = code(output.status);
    assert!(
        [0, 1, 3].contains(&code),
        "{}: exit code {code}: {}{}",
        history.display(),
        stdout(&output),
        stderr(&output)
    );
    code
}

fn files(folder: &Path) -> Vec<PathBuf> {
    let mut files: Vec<_> = fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path()).collect();
    files.sort();
    files
}

/// The files whose exit code is not the expected one. Two at a time: the binary under test is not optimised.
fn wrong(cases: &[(PathBuf, i32)], options: &[&str]) -> Vec<String> {
    let half = cases.split_at(cases.len() / 2);
    let of = |cases: &[(PathBuf, i32)]| -> Vec<String> {
        let wrong = cases.iter().filter(|(file, expected)| check(file, options) != *expected);
        wrong.map(|(file, _)| file.display().to_string()).collect()
    };
    std::thread::scope(|scope| {
        let first = scope.spawn(|| of(half.0));
        let second = of(half.1);
        [first.join().unwrap(), second].concat()
    })
}

#[test]
fn porcupines_etcd_logs_get_their_verdicts() {
    let Some(corpora) = corpora() else { return };
    let folder = corpora.join("porcupine-etcd");
    let verdicts = fs::read_to_string(folder.join("verdicts.jsonl")).unwrap();
    let cases: Vec<_> = verdicts
        .lines()
        .map(|line| {
            let verdict: Value = serde_json::from_str(line).unwrap();
            let valid = verdict["valid"].as_bool().unwrap();
            (folder.join(verdict["file"].as_str().unwrap()), i32::from(!valid))
        })
        .collect();
    assert!(cases.len() > 50);
    assert_eq!(wrong(&cases, &[]), [""; 0]);
    let told = ["--format", "porcupine-etcd", "--model", "cas-register"];
    assert_eq!(check(&folder.join("etcd_000.log"), &told), 1);
}

#[test]
fn knossos_histories_get_the_verdicts_of_their_folders() {
    let Some(corpora) = corpora() else { return };
    // Two of the good ones hold nothing but what the nemesis did.
    let is_empty = |file: &Path| !fs::read_to_string(file).unwrap().contains(":type :ok");
    let of = |folder: &str, expected: i32| {
        let files = files(&corpora.join("knossos").join(folder)).into_iter();
        files.map(move |file| if is_empty(&file) { (file, 3) } else { (file, expected) })
    };
    let cases: Vec<_> = of("good", 0).chain(of("bad", 1)).collect();
    assert!(cases.len() >= 60);
    assert_eq!(cases.iter().filter(|(_, expected)| *expected == 3).count(), 2);
    assert_eq!(wrong(&cases, &[]), [""; 0]);
    assert_eq!(wrong(&cases, &["--model", "cas-register"]), [""; 0]);
}

#[test]
fn porcupines_key_value_histories_and_a_lock_get_their_verdicts() {
    let Some(corpora) = corpora() else { return };
    let named = files(&corpora.join("porcupine-kv")).into_iter();
    let mut cases: Vec<_> =
        named.map(|file| (file.clone(), i32::from(file.to_string_lossy().ends_with("-bad.txt")))).collect();
    assert!(cases.len() >= 4);
    cases.push((corpora.join("elle/mutex-etcd.edn"), 1));
    assert_eq!(wrong(&cases, &[]), [""; 0]);
}

/// Client 1 reads what client 0 has overwritten.
const STALE: &str = "\
{:process 0, :type :invoke, :f :write, :value [:a 1]}
{:process 0, :type :ok, :f :write, :value [:a 1]}
{:process 0, :type :invoke, :f :write, :value [:a 2]}
{:process 0, :type :ok, :f :write, :value [:a 2]}
{:process 1, :type :invoke, :f :read, :value [:a nil]}
{:process 1, :type :ok, :f :read, :value [:a 1]}
{:process 1, :type :invoke, :f :read, :value [:a nil]}
{:process 1, :type :ok, :f :read, :value [:a 2]}
";

fn file(folder: &tempfile::TempDir, name: &str, text: &str) -> PathBuf {
    let path = folder.path().join(name);
    fs::write(&path, text).unwrap();
    path
}

fn verdict(history: &Path) -> Value {
    let output = run(&["check", history.to_str().unwrap(), "--json"]);
    serde_json::from_str(&stdout(&output)).unwrap_or_else(|e| panic!("{e}: {}", stderr(&output)))
}

#[test]
fn a_stale_read_in_jepsens_format_is_found_with_its_key() {
    let folder = tempfile::tempdir().unwrap();
    let verdict = verdict(&file(&folder, "h.edn", STALE));
    let anomaly = &verdict["checks"]["linearizable"]["anomalies"][0];
    assert_eq!((&anomaly["type"], &anomaly["key"]), (&"stale-read".into(), &"a".into()), "{verdict}");
}

#[test]
fn a_failed_compare_and_set_of_another_tool_says_nothing() {
    let folder = tempfile::tempdir().unwrap();
    // The condition held, and yet it failed: of ours this would be a violation.
    let text = "{:process 0 :type :invoke :f :write :value 1}\n{:process 0 :type :ok :f :write :value 1}\n\
        {:process 0 :type :invoke :f :cas :value [1 2]}\n\
        {:process 0 :type :fail :f :cas :value [1 2] :error \"condition-failed\" :observed 1}\n";
    assert_eq!(check(&file(&folder, "h.edn", text), &[]), 0);
}

#[test]
fn a_malformed_history_is_refused_with_file_line_and_reason() {
    let folder = tempfile::tempdir().unwrap();
    let broken = file(&folder, "h.edn", &STALE.replace(":f :write, :value [:a 2]}", ":f write :value [:a }"));
    let output = run(&["check", broken.to_str().unwrap()]);
    assert_eq!(code(output.status), 254);
    let expected = format!("{}:3: `}}` closes nothing that is open here (column 49)", broken.display());
    assert!(stderr(&output).contains(&expected), "{}", stderr(&output));
    let told = run(&["check", broken.to_str().unwrap(), "--format", "porcupine-etcd"]);
    assert_eq!(code(told.status), 254);
    assert!(stderr(&told).contains(":1: this is no line of a log"), "{}", stderr(&told));
    let unknown = run(&["check", broken.to_str().unwrap(), "--format", "nonsense"]);
    assert_eq!(code(unknown.status), 254);
    assert!(stderr(&unknown).contains("jepsen-edn"), "{}", stderr(&unknown));
}

#[test]
fn an_exported_history_gets_the_same_verdict() {
    let folder = tempfile::tempdir().unwrap();
    let source = file(&folder, "h.edn", STALE);
    let (from, expected) = (source.to_str().unwrap(), verdict(&source));
    for (name, options) in [
        ("a.jsonl", &["--format", "jsonl"][..]),
        ("b", &["--format", "jsonl.zst"]),
        ("c.edn", &["--format", "jepsen-edn"]),
        ("d.edn", &["--format", "jepsen-edn", "--key", "a"]),
        // Onto itself: the file is replaced when the new one is whole.
        ("a.jsonl", &["--format", "jepsen-edn"]),
    ] {
        let to = folder.path().join(name);
        let output = run(&[&["export", from, "--out", to.to_str().unwrap()], options].concat());
        assert_eq!(code(output.status), 0, "{}", stderr(&output));
        assert_eq!(stdout(&output), "");
        assert_eq!(verdict(&to), expected, "{name}");
        let printed = run(&[&["export", from], options].concat());
        assert_eq!(printed.stdout, fs::read(&to).unwrap());
    }
    assert_eq!(files(folder.path()).len(), 5, "nothing else is left behind");
}

/// Two puts replaced the same item: visible in what they observed, and in nothing else.
const LOST: &str = r#"{"process":0,"type":"invoke","f":"write","key":"a","value":1}
{"process":0,"type":"ok","f":"write","key":"a","value":1,"observed":null}
{"process":0,"type":"invoke","f":"write","key":"a","value":2}
{"process":0,"type":"ok","f":"write","key":"a","value":2,"observed":1}
{"process":0,"type":"invoke","f":"write","key":"a","value":3}
{"process":0,"type":"ok","f":"write","key":"a","value":3,"observed":1}
"#;

#[test]
fn what_operations_observed_survives_the_way_to_knossos() {
    let folder = tempfile::tempdir().unwrap();
    let source = file(&folder, "h.jsonl", LOST);
    let to = folder.path().join("h.edn");
    let export =
        ["export", source.to_str().unwrap(), "--format", "jepsen-edn", "--out", to.to_str().unwrap()];
    assert_eq!(check(&source, &[]), 1);
    assert_eq!(code(run(&export).status), 0);
    assert_eq!(check(&to, &[]), 0, "plain operations do not show it");
    assert_eq!(code(run(&[&export[..], &["--for", "knossos", "--key", "a"]].concat()).status), 0);
    assert_eq!(check(&to, &[]), 1, "{}", fs::read_to_string(&to).unwrap());
}

#[test]
fn a_full_disk_is_an_environment_error_and_a_wrong_path_a_usage_error() {
    let folder = tempfile::tempdir().unwrap();
    let source = file(&folder, "h.edn", STALE);
    let export = ["export", source.to_str().unwrap(), "--format", "jepsen-edn"];
    let to_device = run(&[&export[..], &["--out", "/dev/full"]].concat());
    assert_eq!(code(to_device.status), 4, "{}", stderr(&to_device));
    assert!(stderr(&to_device).contains("/dev/full"), "{}", stderr(&to_device));
    let full = File::options().write(true).open("/dev/full").unwrap();
    let to_full = growler(&export).stdout(full).stderr(Stdio::null()).status().unwrap();
    assert_eq!(code(to_full), 4);
    let nowhere = run(&[&export[..], &["--out", "/no/such/folder/h.edn"]].concat());
    assert_eq!(code(nowhere.status), 254, "{}", stderr(&nowhere));
    let key = run(&[&export[..], &["--key", "z"]].concat());
    assert_eq!(code(key.status), 254);
    assert!(stderr(&key).contains("no operation has the key `z`; there are: a"), "{}", stderr(&key));
    let only_read = run(&["export", source.to_str().unwrap(), "--format", "porcupine-kv"]);
    assert_eq!(code(only_read.status), 254);
}
