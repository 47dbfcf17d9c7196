//! What a suite's file means, and what is refused with which words.

use growler_results::verdict::Verdict;
use serde_json::json;

use super::file::{File, Seeds};
use super::matrix::{self, PlannedRow};
use super::{Ready, arguments};

/// Reads a file of this text, called `s.toml`, with all its rows checked.
fn read(text: &str) -> Result<Ready, String> {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("s.toml");
    std::fs::write(&path, text).unwrap();
    let read = super::read(&path, None, None);
    read.map_err(|e| format!("{e:#}").replace(&path.display().to_string(), "s.toml"))
}

fn refused(text: &str, fragments: &[&str]) {
    let Err(told) = read(text) else { panic!("this was taken: {text}") };
    for fragment in fragments {
        assert!(told.contains(fragment), "`{fragment}` should be in: {told}");
    }
    assert!(!told.contains('\n'), "on one line: {told}");
}

fn planned(text: &str) -> Vec<PlannedRow> {
    matrix::rows(&File::parse("s.toml", text).unwrap(), "s.toml", text, 1).unwrap()
}

const HEAD: &str = "name = \"s\"\n[[test]]\nname = \"a\"\n";

#[test]
fn a_suite_is_read_with_defaults_options_and_matrix() {
    let ready = read(
        r#"
        name = "demo"
        parallel = 2
        seeds = [7, 3]
        [defaults]
        time = "11s"
        set = { partitions = 2, election-timeout-ms = 400 }
        [[test]]
        name = "plain"
        expect-verdict = "vacuous"
        [[test]]
        name = "many"
        judge = false
        measure = ["linearizable"]
        [test.options]
        faults = ["kill", "pause"]
        set.partitions = 3
        fail-fast = true
        [test.matrix]
        workload = ["register", "cas-register"]
        "set.reads" = ["index", "lease"]
        "#,
    )
    .unwrap();
    let suite = &ready.suite;
    assert_eq!((suite.name.as_str(), suite.parallel, suite.seeds.as_slice()), ("demo", 2, &[7, 3][..]));
    let names: Vec<_> = suite.rows.iter().map(|row| row.name.as_str()).collect();
    let many = |rest: &str| format!("many workload={rest}");
    assert_eq!(
        names,
        [
            "plain",
            &many("register reads=index"),
            &many("register reads=lease"),
            &many("cas-register reads=index"),
            &many("cas-register reads=lease"),
        ]
    );
    let plain = &suite.rows[0];
    assert_eq!((plain.judge, plain.expect_verdict, plain.verdict), (true, Some(Verdict::Vacuous), None));
    assert_eq!(plain.runs.iter().map(|run| run.seed).collect::<Vec<_>>(), [7, 3]);
    assert_eq!(ready.arguments[0], ["--set=election-timeout-ms=400", "--set=partitions=2", "--time=11s"]);
    let last = &suite.rows[4];
    assert_eq!((last.judge, last.measure.as_slice()), (false, &["linearizable".to_owned()][..]));
    let options = json!({
        "fail-fast": true, "faults": ["kill", "pause"], "time": "11s", "workload": "cas-register",
        "set": {"partitions": 3, "election-timeout-ms": 400, "reads": "lease"},
    });
    assert_eq!(json!(last.options), options);
    assert_eq!(
        ready.arguments[4],
        [
            "--fail-fast",
            "--faults=kill",
            "--faults=pause",
            "--set=election-timeout-ms=400",
            "--set=partitions=3",
            "--set=reads=lease",
            "--time=11s",
            "--workload=cas-register"
        ]
    );
}

#[test]
fn a_matrix_of_plain_keys_is_one_of_settings_too() {
    let rows = planned(&format!(
        "{HEAD}[test.matrix]\nset.r = [1, 2]\nset.w = [3]\nfaults = [\"kill\", [\"kill\", \"pause\"]]"
    ));
    let names: Vec<_> = rows.iter().map(|row| row.name.as_str()).collect();
    assert_eq!(
        names,
        [
            "a r=1 w=3 faults=kill",
            "a r=1 w=3 faults=kill+pause",
            "a r=2 w=3 faults=kill",
            "a r=2 w=3 faults=kill+pause"
        ]
    );
    assert_eq!(rows[3].options["set.r"], json!(2));
}

#[test]
fn what_means_nothing_is_refused_with_its_line() {
    let cases: &[(&str, &[&str])] = &[
        ("name = ", &["s.toml:1:"]),
        ("nam = \"s\"", &["s.toml:1:", "unknown field `nam`", "name"]),
        ("[[test]]\nname = \"a\"", &["missing field `name`"]),
        ("name = \"s\"", &["s.toml", "no [[test]]"]),
        ("name = \"s\"\nparallel = 0\n[[test]]\nname = \"a\"", &["parallel = 0"]),
        ("name = \"s\"\nseeds = []\n[[test]]\nname = \"a\"", &["s.toml:2:", "no seeds"]),
        (
            "name = \"s\"\nseeds = [1, 2, 1]\n[[test]]\nname = \"a\"",
            &["s.toml:2:", "seed 1 stands there twice"],
        ),
        ("name = \"s\"\nseeds = \"many\"\n[[test]]\nname = \"a\"", &["s.toml:2:", "a number of seeds"]),
        ("name = \"s\"\nseeds = 0\n[[test]]\nname = \"a\"", &["s.toml:2:", "0 seeds"]),
        (
            "name = \"s\"\n\n[[test]]\nname = \"a\"\njugde = false",
            &["s.toml:5:", "unknown field `jugde`", "judge"],
        ),
        (
            "name = \"s\"\n[[test]]\nname = \"a\"\nexpect-verdict = \"red\"",
            &["s.toml:4:", "red", "violation"],
        ),
        (
            "name = \"s\"\n[[test]]\nname = \"a\"\nexpect-verdict = \"internal\"",
            &["s.toml:3:", "expect-verdict can be"],
        ),
        (
            "name = \"s\"\n[[test]]\nname = \"a\"\njudge = false\nexpect-verdict = \"pass\"",
            &["s.toml:3:", "judge = false"],
        ),
        ("name = \"s\"\n[[test]]\nname = \"a\"\n[[test]]\nname = \"a\"", &["s.toml:5:", "second row", "`a`"]),
    ];
    for (text, fragments) in cases {
        refused(text, fragments);
    }
    let rest: &[(&str, &[&str])] = &[
        ("options.tiem = \"5s\"", &["s.toml:3: row `a`", "no option `tiem`", "time", "workload"]),
        ("options.time = \"soon\"", &["s.toml:3: row `a`", "--time", "30s"]),
        ("options.time = [\"5s\"]", &["row `a`", "time takes one value"]),
        ("options.time = true", &["time needs a value"]),
        ("options.fail-fast = 1", &["fail-fast is either true or false"]),
        ("options.faults = []", &["faults = \"none\""]),
        ("options.faults = [\"gremlins\"]", &["row `a`", "no fault `gremlins`", "partition"]),
        ("options.workload = \"nonsense\"", &["row `a`", "no workload `nonsense`"]),
        ("options.set = \"n=3\"", &["s.toml:4:", "set is a table"]),
        ("options.set.nonsense = 3", &["row `a`", "nonsense"]),
        ("options.set.reads = [\"index\"]", &["setting reads needs one value"]),
        ("options.seed = 3", &["seed is no option of a row", "at its top"]),
        ("options.out = \"elsewhere\"", &["out is no option of a row"]),
        ("options.json = true", &["json is no option of a row"]),
        ("options.time = \"3s\"", &["row `a`", "--time"]),
        ("measure = [\"nonsense\"]", &["row `a`", "measure = [\"nonsense\"]", "no promise"]),
        ("measure = [\"conservation\"]", &["row `a`", "register", "conservation"]),
        ("options = { set.reads = \"index\", \"set.reads\" = \"lease\" }", &["set.reads stands there twice"]),
        ("[test.matrix]\ntime = \"5s\"", &["s.toml:5:", "time needs a list of values"]),
        ("[test.matrix]\ntime = []", &["s.toml:5:", "time has no value"]),
        (
            "options.time = \"9s\"\n[test.matrix]\ntime = [\"5s\"]",
            &["s.toml:6:", "also stands in the test's options"],
        ),
        (
            "[test.matrix]\nkeys = [1, 2]\nworkload = [\"register\", \"nonsense\"]",
            &["s.toml:3: row `a keys=1 workload=nonsense`"],
        ),
        ("[test.matrix]\nkeys = [1, 1]", &["second row", "`a keys=1`"]),
        ("[map]\nx = \"keys\"\ny = \"time\"\nfigures = []", &["no figures"]),
        ("[map]\nx = \"keys\"\ny = \"time\"", &["s.toml:4:", "figures"]),
        (
            "[map]\nx = \"keys\"\ny = \"time\"\nfigures = [{ path = \"a\", unit = \"furlong\" }]",
            &["s.toml:7:", "furlong", "share"],
        ),
        ("[map]\nx = \"keys\"\ny = \"time\"\nfigures = [\"a\", \"a\"]", &["two figures called `a`"]),
    ];
    for (text, fragments) in rest {
        refused(&format!("{HEAD}{text}"), fragments);
    }
}

#[test]
fn a_matrix_that_would_take_days_is_a_slip_of_the_pen() {
    let tens = "[0, 1, 2, 3, 4, 5, 6, 7, 8, 9]";
    let matrix: Vec<_> = ["a", "b", "c", "d", "e"].map(|s| format!("set.{s} = {tens}")).into();
    refused(&format!("{HEAD}[test.matrix]\n{}", matrix.join("\n")), &["s.toml:3:", "too many combinations"]);
    let twice = "name = \"s\"\nseeds = 6000\n[[test]]\nname = \"a\"\n[[test]]\nname = \"b\"";
    refused(twice, &["2 rows × 6000 seeds"]);
}

#[test]
fn seeds_are_given_in_three_ways() {
    let list = |text: &str| text.parse::<Seeds>().map(|seeds| seeds.list());
    assert_eq!(list("3"), Ok(vec![1, 2, 3]));
    assert_eq!(list("9,4"), Ok(vec![9, 4]));
    assert_eq!(list("9,"), Ok(vec![9]));
    assert_eq!(list("21-23"), Ok(vec![21, 22, 23]));
    for wrong in ["", "0", "x", "3-1", "1,1", "1-99999", "-1"] {
        assert!(list(wrong).is_err(), "{wrong}");
    }
}

#[test]
fn the_suite_in_the_readme_is_one() {
    let readme = include_str!("../../../README.md");
    let (_, block) = readme.split_once("```toml\n").unwrap();
    let ready = read(block.split_once("```").unwrap().0).unwrap();
    assert_eq!((ready.suite.rows.len(), ready.suite.seeds.len()), (4 + 1 + 4, 5));
}

#[test]
fn the_examples_are_suites() {
    let main = read(include_str!("../../../examples/suites/main.toml")).unwrap();
    assert_eq!((main.suite.rows.len(), main.suite.seeds.len()), (14, 3));
    let text = include_str!("../../../examples/quorum-map.toml");
    let map = File::parse("quorum-map.toml", text).unwrap();
    let rows = matrix::rows(&map, "quorum-map.toml", text, 1).unwrap();
    assert_eq!(rows.len(), (1 + 4 + 9) * 2 * 2);
    let setting = |row: &PlannedRow, name: &str| row.options.get(name).and_then(serde_json::Value::as_u64);
    for row in &rows {
        let [n, r, w] = ["set.n", "set.r", "set.w"].map(|name| setting(row, name).unwrap());
        assert!(r <= n && w <= n && r > 0 && w > 0, "{}", row.name);
        assert!(arguments::written(&row.options).is_ok(), "{}", row.name);
    }
    assert!(map.map.is_some_and(|map| map.panels.len() == 3));
}
