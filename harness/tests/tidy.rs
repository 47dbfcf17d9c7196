//! Holds the shape of the house: who may import whom, how long a file may be, that every module says what it
//! is for, and that nothing is called done that is not.
#![allow(clippy::unwrap_used, reason = "a test may panic")]

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};

use cargo_metadata::MetadataCommand;

/// A file that is longer wants to be two rooms.
const LONGEST_FILE: usize = 500;

fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).parent().expect("the workspace is above the crate").to_owned()
}

fn sources() -> Vec<(PathBuf, String)> {
    let mut found = Vec::new();
    for room in ["checker", "workloads", "nemesis", "results", "store", "harness", "bench"] {
        collect(&root().join(room), &mut found);
    }
    assert!(found.len() > 50, "only {} source files found", found.len());
    found
}

fn collect(folder: &Path, found: &mut Vec<(PathBuf, String)>) {
    for entry in std::fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() && !path.ends_with("target") {
            collect(&path, found);
        } else if path.extension().is_some_and(|e| e == "rs") {
            let text = std::fs::read_to_string(&path).unwrap();
            found.push((path.strip_prefix(root()).unwrap().to_owned(), text));
        }
    }
}

#[test]
fn crates_import_only_what_the_house_plan_allows() {
    let allowed: BTreeMap<&str, &[&str]> = BTreeMap::from([
        ("growler-checker", &[][..]),
        ("growler-nemesis", &[]),
        ("growler-store", &[]),
        ("growler-workloads", &["growler-checker"]),
        ("growler-results", &["growler-checker"]),
        (
            "growler",
            &["growler-checker", "growler-workloads", "growler-nemesis", "growler-results", "growler-store"],
        ),
        ("growler-bench", &["growler", "growler-checker", "growler-results", "growler-workloads"]),
    ]);
    let metadata = MetadataCommand::new().manifest_path(root().join("Cargo.toml")).no_deps().exec().unwrap();
    let mut seen = BTreeSet::new();
    for package in &metadata.packages {
        let Some(allowed) = allowed.get(package.name.as_str()) else {
            panic!("the crate {} is not in the house plan: add it here and to ARCHITECTURE.md", package.name)
        };
        seen.insert(package.name.to_string());
        for dependency in package.dependencies.iter().filter(|d| d.name.starts_with("growler")) {
            assert!(
                allowed.contains(&dependency.name.as_str()),
                "{} must not import {}",
                package.name,
                dependency.name
            );
        }
    }
    assert_eq!(seen.len(), allowed.len(), "crates of the house plan are missing: only {seen:?} are there");
}

#[test]
fn the_checker_stays_pure() {
    for (path, text) in sources().iter().filter(|(p, _)| p.starts_with("checker/src")) {
        for forbidden in
            ["std::fs", "std::net", "std::io::", "SystemTime", "Instant::now", "tokio", "async fn"]
        {
            assert!(!text.contains(forbidden), "{} uses {forbidden}: the checker is pure", path.display());
        }
    }
}

#[test]
fn files_are_short_enough_to_be_read() {
    let long: Vec<_> = sources()
        .into_iter()
        .map(|(path, text)| (path, text.lines().count()))
        .filter(|(_, lines)| *lines > LONGEST_FILE)
        .collect();
    assert!(long.is_empty(), "files over {LONGEST_FILE} lines, make two rooms of each: {long:?}");
}

#[test]
fn every_module_says_what_it_is_for() {
    let silent: Vec<_> = sources()
        .into_iter()
        .filter(|(_, text)| !text.trim_start().starts_with("//!"))
        .map(|(path, _)| path)
        .collect();
    assert!(silent.is_empty(), "these files do not open with `//!`: {silent:?}");
}

#[test]
fn what_growler_says_can_be_said_to_nobody() {
    // The print macros panic where the reader went away. `dbg!` is one of them.
    let macros = ["print!(", "println!(", "dbg!("];
    for (path, text) in sources().iter().filter(|(p, _)| p.iter().nth(1).is_some_and(|room| room == "src")) {
        if path.starts_with("bench") {
            continue;
        }
        for (at, line) in text.lines().enumerate().filter(|(_, line)| !line.trim_start().starts_with("//")) {
            let panics = macros.iter().any(|one| line.contains(one));
            assert!(!panics, "{}:{}: say it with harness/src/terminal.rs", path.display(), at + 1);
        }
    }
}

#[test]
fn nothing_is_left_for_later_in_the_code() {
    let marks = ["TO".to_owned() + "DO", "FIX".to_owned() + "ME", "XX".to_owned() + "X"];
    for (path, text) in sources() {
        let name = path.file_stem().unwrap().to_string_lossy().into_owned();
        assert!(
            !["utils", "util", "helpers", "misc", "common"].contains(&name.as_str()),
            "{}",
            path.display()
        );
        for mark in &marks {
            assert!(!text.contains(mark.as_str()), "{} says {mark}", path.display());
        }
    }
}
