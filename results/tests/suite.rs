//! What is made of a suite for people and for CI: complete, escaped, linked, and the same bytes every time.
#![allow(clippy::unwrap_used)]

use std::collections::BTreeMap;

use growler_checker::verdict::Validity;
use growler_results::Verdict;
use growler_results::suite::{
    Better, Figure, Map, Measured, Over, Row, Run, SuiteFile, SuiteFolder, Unit, junit, page, summary, table,
};
use growler_results::verdict::OpCounts;
use serde_json::{Value, json};

/// What stands in for words from elsewhere.
const HOSTILE: &str = "<script>alert(1)</script> | `x` & \"y\"";

fn figure(path: &str, label: &str, unit: Unit, better: Better, over: Over) -> Figure {
    Figure { path: path.to_owned(), label: label.to_owned(), unit, better, over, ..Figure::default() }
}

fn figures() -> Vec<Figure> {
    vec![
        figure("measured.linearizable.valid", "linearizable?", Unit::Number, Better::Low, Over::Mean),
        figure("checks.staleness.stats.stale_share", "stale reads", Unit::Share, Better::Low, Over::Mean),
        figure("checks.staleness.stats.delta_ms.p99", "Δ p99", Unit::Ms, Better::Low, Over::Max),
        figure("served", "served", Unit::Share, Better::High, Over::Min),
    ]
}

fn measured(valid: bool, file: &str) -> Measured {
    let why = format!("stale-read: client 3 read 9 and 14 had been written, {HOSTILE}");
    Measured {
        valid: if valid { Validity::Valid } else { Validity::Invalid },
        anomalies: if valid { BTreeMap::new() } else { [("stale-read".to_owned(), 2)].into() },
        reasons: if valid { Vec::new() } else { vec![why] },
        file: file.to_owned(),
    }
}

/// A map's row: the more replicas are asked, the fewer reads are stale.
fn measured_row(n: u64, quorum: &str, r: u64, w: u64) -> Row {
    let overlap = r + w > n;
    let run = |seed: u64| {
        let stale = if overlap { 0.0 } else { 0.021 * (2 * n - r - w) as f64 + 0.004 * seed as f64 };
        let held = overlap && (quorum == "sloppy" || r + w > n + 1 || seed == 1);
        let number = |value: f64| Value::from(value);
        Run {
            seed,
            verdict: Some(if held { Verdict::Pass } else { Verdict::Violation }),
            counts_as: Some(Verdict::Pass),
            run: Some(format!("runs/quorum-register/20261121T0304{r}{w}.00{seed}Z")),
            log: Some(format!("logs/{n}{r}{w}-{seed}.log")),
            took_ms: Some(12_345),
            stats: Some(OpCounts { ops: 40_000, ok: 39_000, fail: 10, info: 990 }),
            measured: [(
                "linearizable".to_owned(),
                measured(held, &format!("measured/{n}{r}{w}-{seed}.json")),
            )]
            .into(),
            figures: [
                ("linearizable?".to_owned(), Value::Bool(held)),
                ("stale reads".to_owned(), number(stale)),
                ("Δ p99".to_owned(), number(3.0 + stale * stale * 40_000.0)),
                ("served".to_owned(), number(1.0 - 0.08 * (r.max(w) as f64 - 1.0))),
            ]
            .into(),
            ..Run::default()
        }
    };
    let options = json!({"store": "quorum", "set": {"n": n, "r": r, "w": w, "quorum": quorum}});
    Row {
        name: format!("n={n} quorum={quorum} r={r} w={w}"),
        test: format!("n={n}"),
        options: serde_json::from_value(options).unwrap(),
        judge: false,
        expect_verdict: None,
        measure: vec!["linearizable".to_owned()],
        all_reads: true,
        verdict: Some(Verdict::Pass),
        runs: [1, 2].map(run).to_vec(),
    }
}

fn judged_row(name: &str, verdicts: [Option<Verdict>; 2], expect: Option<Verdict>) -> Row {
    let run = |(seed, verdict): (u64, Option<Verdict>)| Run {
        seed,
        verdict,
        reasons: match verdict {
            None | Some(Verdict::Pass) => Vec::new(),
            Some(_) => vec![format!("it went wrong: {HOSTILE}"), "and again".to_owned()],
        },
        run: (verdict == Some(Verdict::Violation)).then(|| format!("runs/a/{seed}")),
        log: verdict.map(|_| format!("logs/a-{seed}.log")),
        ..Run::default()
    };
    Row {
        name: name.to_owned(),
        test: name.to_owned(),
        options: serde_json::Map::new(),
        judge: true,
        expect_verdict: expect,
        measure: Vec::new(),
        all_reads: false,
        verdict: None,
        runs: [1, 2].into_iter().zip(verdicts).map(run).collect(),
    }
}

fn suite(rows: Vec<Row>) -> SuiteFile {
    let mut suite = SuiteFile {
        name: "quorum map".to_owned(),
        started: "2026-11-21T03:04:05Z".to_owned(),
        took_ms: Some(754_321),
        command: ["suite", "examples/quorum-map.toml", "--seeds", "2"].map(str::to_owned).to_vec(),
        versions: [("growler".to_owned(), "0.1.0".to_owned())].into(),
        parallel: 2,
        seeds: vec![1, 2],
        map: Some(Map {
            x: "set.r".to_owned(),
            y: "set.w".to_owned(),
            panels: vec!["set.n".to_owned(), "set.quorum".to_owned()],
            figures: figures(),
        }),
        rows,
        ..SuiteFile::default()
    };
    for row in 0..suite.rows.len() {
        (0..2).for_each(|run| suite.note_end(row, run));
    }
    suite.conclude();
    suite
}

fn whole_map() -> Vec<Row> {
    let mut rows = Vec::new();
    for n in 1..=3 {
        for quorum in ["strict", "sloppy"] {
            for r in 1..=n {
                rows.extend((1..=n).map(|w| measured_row(n, quorum, r, w)));
            }
        }
    }
    rows
}

fn mixed() -> SuiteFile {
    let mut rows = whole_map();
    rows.push(judged_row(HOSTILE, [Some(Verdict::Violation), Some(Verdict::Pass)], None));
    rows.push(judged_row(
        "found",
        [Some(Verdict::Violation), Some(Verdict::Violation)],
        Some(Verdict::Violation),
    ));
    rows.push(judged_row(
        "clean after all",
        [Some(Verdict::Pass), Some(Verdict::Violation)],
        Some(Verdict::Violation),
    ));
    rows.push(judged_row("trouble", [Some(Verdict::Environment), None], None));
    suite(rows)
}

#[test]
fn the_page_shows_map_rows_and_findings_and_is_escaped() {
    let suite = mixed();
    let page = page::render(&suite).unwrap();
    assert_eq!(page, page::render(&suite).unwrap(), "the same suite, the same bytes");
    assert!(!page.contains("<script"), "no script at all, and none from elsewhere");
    let order = ["id=\"verdict\"", "id=\"map\"", "id=\"rows\"", "id=\"findings\"", "id=\"again\""];
    assert!(order.map(|id| page.find(id).unwrap()).is_sorted());
    let shown = page.replace("&#x2f;", "/");
    for words in [
        "63 of 64 runs have ended",
        "n = 3 · quorum = strict",
        "<td class=\"cell broken\"><a href=\"#row-",
        "✕ no (1 of 2)",
        "<td class=\"cell shade-5\">",
        "href=\"runs/quorum-register/20261121T030411.001Z/index.html\"",
        "<a class=\"badge violation aside\" href=\"runs/a/1/index.html\">",
        "<span aria-hidden=\"true\">✕</span> pass, counts as violation",
        "<a class=\"badge environment\" href=\"logs/a-1.log\">",
        "<span class=\"badge waiting\">",
        "broken (1 of 2)",
        "growler suite examples/quorum-map.toml --seeds 2",
    ] {
        assert!(shown.contains(words), "{words}");
    }
    let panels = page.matches("<table class=\"panel\">").count();
    assert_eq!(panels, 4 * 3 * 2, "a grid for each figure, N and kind of quorum");
}

#[test]
fn a_ci_sees_every_run_and_is_never_greener_than_the_verdict() {
    let suite = mixed();
    assert_eq!(suite.verdict, Some(Verdict::Violation));
    let xml = junit::render(&suite).unwrap();
    let runs = suite.rows.len() * 2;
    assert!(xml.contains(&format!("tests=\"{}\"", runs + 1)), "the suite has a case too: {xml}");
    assert!(
        xml.contains("failures=\"2\"") && xml.contains("errors=\"2\"") && xml.contains("skipped=\"1\""),
        "two violations; trouble, and the suite, of which one run was not started"
    );
    assert!(xml.contains("expected: violation") && xml.contains("measured, not judged: violation"));
    assert!(!xml.contains("<script"));

    let markdown = summary::render(&suite);
    assert!(markdown.starts_with("## ❌ violation — quorum map\n"), "{markdown}");
    assert!(!markdown.contains("<script"), "{markdown}");
    let table: Vec<_> = markdown.lines().filter(|line| line.starts_with('|')).collect();
    assert_eq!(table.len(), 2 + suite.rows.len());
    assert!(table[2].contains("script") && table[4].contains("trouble"), "the red rows first: {markdown}");
    let columns = table[0].matches('|').count();
    assert!(table.iter().all(|line| line.matches('|').count() == columns), "{markdown}");
}

#[test]
fn a_pass_is_one_word_and_a_table() {
    let suite = suite(vec![measured_row(3, "strict", 2, 2), measured_row(3, "strict", 3, 3)]);
    let text = table::text(&suite);
    let lines: Vec<_> = text.lines().collect();
    assert_eq!(lines[0], "verdict: pass");
    assert!(lines[2].starts_with("row ") && lines[2].contains("Δ p99"), "{text}");
    assert!(lines[3].contains("measured") && lines[3].contains("broken (1 of 2)"), "{text}");
    assert!(lines[4].contains("pass × 2") && lines[4].contains("yes"), "{text}");
    assert!(page::render(&suite).unwrap().contains("4 runs were measured; none of them is judged."));
    let xml = junit::render(&suite).unwrap();
    assert!(xml.contains("failures=\"0\"") && xml.contains("errors=\"0\""));
}

#[test]
fn the_record_is_kept_whole_and_read_back() {
    let out = tempfile::tempdir().unwrap();
    let started = "2026-11-21T03:04:05Z".parse().unwrap();
    let folder = SuiteFolder::create(out.path(), "quorum map", started).unwrap();
    assert!(folder.path().ends_with("quorum-map/20261121T030405.000Z"), "{}", folder.path().display());
    assert!([folder.runs(), folder.logs(), folder.measured()].iter().all(|inner| inner.is_dir()));
    assert_eq!(folder.relative(&folder.runs().join("a")), "runs/a");
    assert_eq!(folder.relative(std::path::Path::new("/elsewhere")), "/elsewhere");
    let red = judged_row("trouble", [Some(Verdict::Environment), None], None);
    let suite = suite(vec![measured_row(3, "strict", 2, 2), red]);
    folder.write_suite(&suite).unwrap();
    let read: SuiteFile = serde_json::from_slice(&std::fs::read(folder.suite_json()).unwrap()).unwrap();
    assert_eq!(read, suite);
    let again = SuiteFolder::create(out.path(), "quorum map", started).unwrap();
    assert_ne!(again.path(), folder.path());
}
