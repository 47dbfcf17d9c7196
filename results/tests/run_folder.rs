//! The folder of a run: made for one run only, found again, its files replaced whole.
#![allow(clippy::unwrap_used)]

use std::fs;
use std::path::Path;

use growler_results::run::{RunError, RunFolder};
use growler_results::verdict::Verdict;
use jiff::Timestamp;

fn moment(text: &str) -> Timestamp {
    text.parse().unwrap()
}

#[test]
fn a_run_gets_a_folder_and_latest_names_it() {
    let out = tempfile::tempdir().unwrap();
    let run = RunFolder::create(out.path(), "register", moment("2026-11-21T03:04:05.678Z")).unwrap();
    assert_eq!(run.path(), out.path().join("register/20261121T030405.678Z"));
    fs::write(run.test_json(), "{}").unwrap();

    let latest = RunFolder::open(&out.path().join("latest")).unwrap();
    assert_eq!(latest.path().canonicalize().unwrap(), run.path().canonicalize().unwrap());
    assert_eq!(RunFolder::open(&run.test_json()).unwrap(), run, "a file of the run names it as well");
}

#[test]
fn starts_in_the_same_moment_get_folders_that_sort_in_order() {
    let out = tempfile::tempdir().unwrap();
    let start = moment("2026-11-21T03:04:05Z");
    let create = || RunFolder::create(out.path(), "a/b", start).unwrap();
    let runs: Vec<_> = std::thread::scope(|scope| {
        let threads: Vec<_> = (0..4).map(|_| scope.spawn(create)).collect();
        threads.into_iter().map(|t| t.join().unwrap()).collect()
    });
    let mut names: Vec<_> = runs.iter().map(|r| r.path().file_name().unwrap().to_owned()).collect();
    names.sort();
    names.dedup();
    assert_eq!(names.len(), 4);
    assert_eq!(names[1], "20261121T030405.000Z-02");
    assert!(runs[0].path().starts_with(out.path().join("a-b")), "a slash makes no further folder");
}

#[test]
fn a_latest_that_is_a_plain_file_is_followed() {
    let out = tempfile::tempdir().unwrap();
    let run = RunFolder::create(out.path(), "t", moment("2026-11-21T03:04:05Z")).unwrap();
    fs::write(run.history(), "").unwrap();
    fs::remove_file(out.path().join("latest")).unwrap();
    fs::write(out.path().join("latest"), "t/20261121T030405.000Z\n").unwrap();
    assert_eq!(RunFolder::open(&out.path().join("latest")).unwrap(), run);
}

#[test]
fn what_is_no_run_is_refused_with_advice() {
    let out = tempfile::tempdir().unwrap();
    let empty = RunFolder::open(out.path()).unwrap_err();
    assert!(matches!(empty, RunError::NotARun { .. }) && empty.verdict() == Verdict::Usage);
    let absent = RunFolder::open(&out.path().join("no")).unwrap_err();
    assert!(absent.to_string().ends_with("check the path") && absent.verdict() == Verdict::Usage, "{absent}");
    for name in ["", "latest", "..", "///"] {
        let refused = RunFolder::create(out.path(), name, moment("2026-11-21T03:04:05Z"));
        assert!(matches!(refused, Err(RunError::TestName { .. })), "{name:?}");
    }
    fs::write(out.path().join("file"), "").unwrap();
    let blocked =
        RunFolder::create(&out.path().join("file"), "t", moment("2026-11-21T03:04:05Z")).unwrap_err();
    assert_eq!(blocked.verdict(), Verdict::Environment);
    assert!(blocked.to_string().contains("file/t"), "{blocked}");
}

#[test]
fn json_files_are_replaced_whole_and_read_back() {
    let out = tempfile::tempdir().unwrap();
    let run = RunFolder::create(out.path(), "t", moment("2026-11-21T03:04:05Z")).unwrap();
    let path = run.plan_json();
    assert_eq!(run.read_json::<Vec<u64>>(&path).unwrap(), None);
    run.write_json(&path, &[1, 2]).unwrap();
    run.write_json(&path, &[3]).unwrap();
    assert_eq!(run.read_json::<Vec<u64>>(&path).unwrap(), Some(vec![3]));
    let names: Vec<_> = fs::read_dir(run.path()).unwrap().map(|e| e.unwrap().file_name()).collect();
    assert_eq!(names, ["plan.json"], "nothing temporary stays");

    let wrong = run.read_json::<bool>(&path).unwrap_err();
    assert!(wrong.to_string().contains("plan.json is malformed"), "{wrong}");
    let nowhere = run.write_json(Path::new("/nowhere/at/all.json"), &1).unwrap_err();
    assert!(nowhere.to_string().contains("/nowhere/at/all.json"), "{nowhere}");
    assert!(run.node("n1").unwrap().ends_with("nodes/n1"));
}
