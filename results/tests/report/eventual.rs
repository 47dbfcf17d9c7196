//! The report of an eventually consistent store: a key whose replicas differ, one that came back, a set that
//! lost an element, and what all the checks counted. The checks themselves judge the histories, so that what is
//! shown is what they really say.

use std::path::Path;
use std::time::Duration;

use growler_checker::convergence::availability::Availability;
use growler_checker::convergence::lww::Lww;
use growler_checker::convergence::order::Rules;
use growler_checker::convergence::set_full::SetFull;
use growler_checker::convergence::staleness::Staleness;
use growler_checker::history::{Event, EventType, HistoryBuilder, Process};
use growler_checker::promise::checks_for;
use growler_checker::verdict::{Budget, Check};
use growler_results::plan::PlanFile;
use growler_results::verdict::{Judgement, OpCounts};
use growler_results::{Results, RunFolder};
use serde_json::{Value, json};

use super::{built, section, support};

const EVIL: &str = "</script><script>alert(1)</script><img src=x onerror=alert(2)>'\"&amp;";

/// Names as they are, or each an attack.
#[derive(Clone, Copy)]
struct Names {
    evil: bool,
}

impl Names {
    fn of(self, name: &str) -> String {
        if self.evil { format!("{name}{EVIL}") } else { name.to_owned() }
    }

    /// The last event, through a node, with what the store says of its versions.
    fn says(
        self,
        history: HistoryBuilder,
        node: &str,
        version: &str,
        clock: &[(&str, u64)],
    ) -> HistoryBuilder {
        let (node, version) = (self.of(node), version.replace("n", &self.of("n")));
        let clock: Value =
            clock.iter().map(|(actor, n)| (actor.replace("n", &self.of("n")), json!(n))).collect();
        history.edit(move |event| {
            event.node = Some(node.as_str().into());
            event.extra_mut().timestamp = Some(json!([1_000 + event.index, node]).into());
            event.extra_mut().version = Some(version.into());
            event.extra_mut().context = Some(clock.into());
        })
    }

    fn replica(self, history: HistoryBuilder, node: &str, value: Value) -> HistoryBuilder {
        let name = self.of(node);
        history
            .invoke(9, "replica-read", ())
            .edit(|event| event.node = Some(name.as_str().into()))
            .ok(9, value)
    }

    /// A replica misses a write, another key comes back, and a client does not see its own write.
    fn registers(self) -> HistoryBuilder {
        let value = |n: u64| json!(self.of(&format!("v{n}")));
        let mut history = HistoryBuilder::new().on(self.of("k1").as_str());
        history = self.says(history.write(0, value(1)), "n1", "n1/1:1", &[("n1/1", 1)]);
        history = self.says(history.write(0, value(2)), "n1", "n1/1:2", &[("n1/1", 2)]);
        history = self.says(history.read(0, value(1)), "n3", "n1/1:1", &[("n1/1", 1)]);
        history = history.on(self.of("k2").as_str());
        history = self.says(history.write(1, value(3)), "n2", "n2/1:1", &[("n2/1", 1)]);
        history = self.says(history.write(1, ()), "n2", "n2/1:2", &[("n2/1", 2)]);
        history = history.on(self.of("k1").as_str());
        for node in ["n1", "n2"] {
            history = self.replica(history, node, value(2));
            history = self.says(history, node, "n1/1:2", &[("n1/1", 2)]);
        }
        history = self.says(self.replica(history, "n3", value(1)), "n3", "n1/1:1", &[("n1/1", 1)]);
        let (n4, why) = (self.of("n4"), "not-a-replica");
        history =
            history.invoke(9, "replica-read", ()).edit(|event| event.node = Some(n4.as_str().into())).fail(9);
        history = history.edit(|event| event.error = Some(why.into()));
        history = history.on(self.of("k2").as_str());
        for node in ["n1", "n2"] {
            history = self.replica(history, node, value(3));
            history = self.says(history, node, "n2/1:1", &[("n2/1", 1)]);
        }
        history
    }

    /// An element of a set that only one replica has, and one that was lost.
    fn sets(self) -> HistoryBuilder {
        let mut history = HistoryBuilder::new().on(self.of("s").as_str());
        for element in [1, 2, 3] {
            history = history.invoke(0, "add", json!(self.of(&element.to_string()))).ok(0, ());
        }
        let list = |elements: &[u64]| -> Value {
            elements.iter().map(|element| json!(self.of(&element.to_string()))).collect()
        };
        history = history.read(0, list(&[1, 3]));
        history = history.read(0, list(&[1]));
        history = self.replica(history, "n1", list(&[1, 2]));
        self.replica(history, "n2", list(&[1]))
    }
}

/// The later history after the earlier, as one.
fn joined(histories: [HistoryBuilder; 2]) -> Vec<Event> {
    let mut events: Vec<Event> = Vec::new();
    for history in histories {
        let before = events.len() as u64;
        events.extend(history.events().into_iter().map(|event| Event {
            index: event.index + before,
            time: event.time + before * 1_000_000,
            ..event
        }));
    }
    events
}

/// A run with these histories, judged by every check of eventual consistency.
pub(super) fn run(out: &Path, evil: bool) -> RunFolder {
    let names = Names { evil };
    let run = support::run(out, 200, false);
    let registers = joined([names.registers(), HistoryBuilder::new()]);
    let events = joined([names.registers(), names.sets()]);
    let others = ["n1", "n2", "n4"].map(|node| names.of(node));
    let partition = json!({"grudge": {names.of("n3"): others}});
    let began = Event { time: 1, ..Event::new(Process::Nemesis, EventType::Info, "partition", partition) };
    let of_registers: Vec<Box<dyn Check>> = checks_for("register", "causal").unwrap();
    let judge = |check: &dyn Check, events: &[Event]| {
        let result = check.check(events, &Budget::default());
        (check.name().to_owned(), result)
    };
    let mut checks: Vec<_> = of_registers.iter().map(|check| judge(check.as_ref(), &events)).collect();
    checks.push(judge(&SetFull::eventual(), &events));
    checks.push(judge(&Lww::default(), &registers));
    checks.push(judge(&Staleness::new(Rules::default(), Some(Duration::from_secs(1))), &registers));
    let partitioned = [&registers[..4], &[began], &registers[4..]].concat();
    checks.push(judge(&Availability::default(), &partitioned));
    support::write_history(&run, &events);
    let stats = OpCounts::of(&events);
    let judgement = Judgement { checks: checks.into_iter().collect(), stats, ..Judgement::default() };
    let results = Results::new(&judgement, &|_, _| false).of_run("runs/eventual", 1);
    run.write_json(&run.results_json(), &results).unwrap();
    let plan = json!({"seed": 1, "faults": [{
        "fault": names.of("partition"), "targets": [names.of("n3")], "outcome": "installed",
        "planned": [1_500_000, 3_500_000], "actual": [1_500_000, 3_500_000],
    }]});
    let plan: PlanFile = serde_json::from_value(plan).unwrap();
    run.write_json(&run.plan_json(), &plan).unwrap();
    run
}

/// The counterexample with these words in its heading.
fn counterexample<'a>(page: &'a str, heading: &str) -> &'a str {
    let from = page.find(heading).unwrap_or_else(|| panic!("no {heading}"));
    let rest = &page[from..];
    &rest[..rest.find("</details>").or_else(|| rest.find("</article>")).unwrap()]
}

#[test]
fn a_diverged_key_is_shown_replica_by_replica() {
    let out = tempfile::tempdir().unwrap();
    // Slashes are escaped too, and versions have some.
    let page = built(&run(out.path(), false)).replace("&#x2f;", "/");
    let told = counterexample(&page, "<b>diverged</b> on k1");
    for words in [
        // The replicas, and how they differ.
        "<th scope=\"row\">n3 <small>proof</small></th><td class=\" differs\"><span class=\"line\">≠ &quot;v1&quot;",
        "<span class=\"line behind\">n1/1: 1 of 2</span>",
        "<td class=\"code differs\"><span class=\"line\">≠ n1/1:1</span>",
        "n4 said to have no part in this key.",
        // The write that is missing, who wrote it, when, and in which fault.
        "client 0 wrote &quot;v2&quot; to k1 through n1: ok after 1.00 ms",
        "<td class=\"code\">n1/1:2</td><td class=\"lacks\">n3</td><td>n1 and n2</td><td>partition of n3</td>",
        // The picture.
        "<g class=\"mark ok missing\"><title>0.002 s: write &quot;v2&quot;: ok (index 2)</title>",
        "<text class=\"held differs\"",
        "partition of n3, from 0.002 s to 0.004 s",
    ] {
        assert!(told.contains(words), "{words}\n{told}");
    }
    assert_eq!(told.matches("<circle class=\"replica-read\"").count(), 3);
    assert_eq!(told.matches("<td class=\"lacks\">").count(), 1, "the first write reached all of them");
    assert!(!told.contains("class=\"steps\""), "its operations are in the table of replicas");
}

#[test]
fn lists_show_what_each_lacks_and_what_came_back_keeps_its_story() {
    let out = tempfile::tempdir().unwrap();
    let page = built(&run(out.path(), false));
    let set = counterexample(&page, "<b>diverged</b> on s");
    assert!(set.contains("lacks &quot;2&quot;</span>"), "{set}");
    assert!(
        set.contains("client 0 added &quot;2&quot; to s") && set.contains("<td class=\"lacks\">n2</td>"),
        "{set}"
    );
    assert!(!set.contains(">version</th>") && !set.contains(">clock</th>"), "no column that nobody fills");
    let back = counterexample(&page, "<b>resurrected</b> on k2");
    assert!(back.contains("class=\"replicas\"") && back.contains("class=\"steps\""), "{back}");
    assert!(back.contains("client 1 deleted k2 through n2"));
}

#[test]
fn what_the_checks_counted_is_told_in_its_section() {
    let out = tempfile::tempdir().unwrap();
    let page = built(&run(out.path(), false));
    let convergence = section(&page, "convergence");
    for words in [
        "Convergence</h2>",
        "<b>1 of 3</b> <span>keys agreed</span> <small>2 diverged</small>",
        "<span>to converge, at most</span>",
        "<b>all read</b>",
        "<li class=\"bad\"><b>1</b> <span>lost</span>",
        "items that came back although the delete had replaced them",
        "<th scope=\"row\">read your writes</th>",
        "of those by the rule, by wrong clocks",
        "Probability that a read lacks the newest write",
        "Allowed is a Δ of 1.00 s; 0 reads were further behind.",
        "<th scope=\"row\">no partition</th><td class=\"number\">2</td>",
        "<th scope=\"row\">n3</th><td class=\"number\">1</td>",
    ] {
        assert!(convergence.contains(words), "{words}\n{convergence}");
    }
    let checks = section(&page, "checks");
    assert!(
        checks.contains("keys_judged 3") && !checks.contains("{&quot;"),
        "nested numbers are told above: {checks}"
    );
    for outside in ["http://", "https://", "src=", "@import", "url("] {
        assert!(!page.replace("http://127.0.0.1", "").contains(outside), "{outside}");
    }
    let again = built(&run(out.path().join("again").as_path(), false));
    assert_eq!(section(&page, "convergence"), section(&again, "convergence"), "the same run, the same bytes");
}

#[test]
fn only_what_was_counted_is_shown() {
    let out = tempfile::tempdir().unwrap();
    let run = run(out.path(), false);
    let mut results: Results = run.read_json(&run.results_json()).unwrap().unwrap();
    results.checks.retain(|name, _| ["convergence", "sessions", "availability"].contains(&name.as_str()));
    for (name, check) in &mut results.checks {
        // Of another version, or broken: numbers that are missing, and texts where numbers should be.
        check.stats.retain(|stat, _| name == "convergence" && stat == "keys_judged");
        check.stats.insert("read-your-writes".to_owned(), json!({"judged": "many", "by": 3}));
        check.stats.insert("sides".to_owned(), json!({"side": []}));
        check.anomalies.clear();
    }
    run.write_json(&run.results_json(), &results).unwrap();
    let page = built(&run);
    let convergence = section(&page, "convergence");
    assert_eq!(convergence.matches("class=\"block\"").count(), 1);
    assert!(convergence.contains("3 of 3") && !convergence.contains("to converge"), "{convergence}");
    results.checks.remove("convergence");
    run.write_json(&run.results_json(), &results).unwrap();
    assert!(!built(&run).contains("id=\"convergence\""), "no numbers, no section");
}

#[test]
fn a_report_without_these_checks_has_nothing_of_it() {
    let out = tempfile::tempdir().unwrap();
    for violation in [false, true] {
        let page = built(&support::run(&out.path().join(violation.to_string()), 200, violation));
        for word in ["id=\"convergence\"", "key-life", "class=\"replicas\"", ".pbs", "missing-writes"] {
            assert!(!page.contains(word), "{word}");
        }
    }
}

#[test]
fn hostile_keys_values_nodes_and_versions_stay_text() {
    let out = tempfile::tempdir().unwrap();
    let run = run(out.path(), true);
    let mut results: Results = run.read_json(&run.results_json()).unwrap().unwrap();
    for check in results.checks.values_mut() {
        check.unknown.push(EVIL.to_owned());
        check.stats.insert("replica_coverage".to_owned(), json!(EVIL));
        let rate = json!({"judged": 1, "violated": 1, "by": {EVIL: {"judged": 1, "violated": 1}}});
        check.stats.insert("monotonic-reads".to_owned(), rate);
        check.stats.insert("sides".to_owned(), json!([{"side": EVIL, "operations": 1, "served": 0}]));
        let ages = json!({"below_us": [1, 2], "reads": [1, 1], "stale": [0, 1]});
        check.stats.insert(
            "by".to_owned(),
            json!({EVIL: {"reads": 2, "stale": 1, "judged": 1, "violated": 0, "by_age": ages}}),
        );
    }
    run.write_json(&run.results_json(), &results).unwrap();
    let page = built(&run);
    for shown in [
        "class=\"replicas\"",
        "class=\"missing-writes\"",
        "class=\"mark ok missing\"",
        "class=\"pbs\"",
        "1 of 2",
    ] {
        assert!(page.contains(shown), "{shown}");
    }
    assert_eq!(page.matches("<script").count(), 2, "the page's own two");
    assert_eq!(page.matches("</script").count(), 2);
    assert!(!page.contains("<img") && page.contains("&lt;img"));
    // What lies in an attribute cannot end it.
    assert!(!page.contains("onerror=alert(2)>'\""), "quotes are escaped");
}
