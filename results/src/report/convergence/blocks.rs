//! The numbers of each check, named.

use serde_json::Value;

use super::stats::{Stats, milliseconds};
use super::{Block, Figure, Table, TableRow};
use crate::words::{count, join_and, share};

/// The points of a distribution in whole milliseconds.
const POINTS: [&str; 5] = ["count", "p50", "p95", "p99", "p100"];
const POINT_NAMES: [&str; 5] = ["number", "p50", "p95", "p99", "longest"];

/// The four guarantees as the check names them, and in words.
const GUARANTEES: [(&str, &str); 4] = [
    ("read-your-writes", "read your writes"),
    ("monotonic-reads", "monotonic reads"),
    ("monotonic-writes", "monotonic writes"),
    ("writes-follow-reads", "writes follow reads"),
];

/// Did the replicas come to agree, when, and is everything there?
pub(super) fn convergence(stats: &Stats<'_>) -> Block {
    let (diverged, lost) = (stats.found("diverged"), stats.found("lost-write"));
    let undecided = stats.number("keys_undecided").unwrap_or(0);
    let mut figures = Vec::new();
    if let Some(judged) = stats.number("keys_judged") {
        let agreed = judged.saturating_sub(diverged + undecided);
        let rest = [(diverged, "diverged"), (undecided, "undecided")];
        let unread = stats.number("keys_unread").unwrap_or(0);
        let rest = rest.into_iter().chain([(unread, "not read in the end")]);
        let rest: Vec<String> =
            rest.filter(|(n, _)| *n > 0).map(|(n, what)| format!("{} {what}", count(n))).collect();
        let note = if rest.is_empty() { "on every key that was written".to_owned() } else { rest.join(", ") };
        let value = format!("{} of {}", count(agreed), count(judged));
        figures.push(Figure { name: "keys agreed", value, note, bad: diverged > 0 });
    }
    figures.extend(stats.object("converged_ms").and_then(|times| time_to_converge(&times)));
    figures.extend(stats.get("replica_coverage").and_then(Value::as_str).map(coverage));
    if lost > 0 {
        let note = "acknowledged, gone, and nothing had replaced them".to_owned();
        figures.push(Figure { name: "writes lost", value: count(lost), note, bad: true });
    }
    Block { title: "Replicas", figures, ..Block::default() }
}

fn time_to_converge(times: &Stats<'_>) -> Option<Figure> {
    let longest = times.number("p100")?;
    let half = times.number("p50").map(|ms| format!(", half of them within {}", milliseconds(ms)));
    Some(Figure {
        name: "to converge, at most",
        value: milliseconds(longest),
        note: format!(
            "the keys that agreed{}, since the last write and the last heal",
            half.unwrap_or_default()
        ),
        bad: false,
    })
}

fn coverage(coverage: &str) -> Figure {
    let (value, note) = match coverage {
        "all" => ("all read", "each replica was asked by itself, for every key judged"),
        _ => ("not known", "ordinary reads stood in for replicas: one that none of them reached may differ"),
    };
    Figure { name: "replicas", value: value.to_owned(), note: note.to_owned(), bad: false }
}

/// What became of the elements of sets.
pub(super) fn sets(stats: &Stats<'_>) -> Block {
    let lost = stats.number("lost").unwrap_or(0);
    let figures = [
        stats.figure("stable", "stable", "in every last read"),
        stats
            .figure("lost", "lost", "known, and not in the last reads")
            .map(|f| Figure { bad: lost > 0, ..f }),
        stats.figure("never_read", "never read", "nobody read them, or not late enough to tell"),
        stats.figure("stale", "stale", "stable in the end, but missing from a read after they were known"),
    ];
    let mut notes: Vec<String> = Vec::new();
    if let Some(attempts) = stats.number("attempts") {
        notes.push(format!("{} elements were added.", count(attempts)));
    }
    if let Some(held) = stats.number("held_by_a_replica").filter(|&held| held > 0) {
        notes.push(format!(
            "{} were missing from the last read, but a replica holds them: not lost, and not everywhere either.",
            count(held)
        ));
    }
    if let Some(removed) = stats.number("removed").filter(|&removed| removed > 0) {
        notes.push(format!("{} were removed, and may come and go.", count(removed)));
    }
    let latencies = [("stable_latency_ms", "until stable"), ("lost_latency_ms", "until lost")];
    let rows = latencies.iter().filter_map(|(field, name)| latency(name, &stats.object(field)?));
    let table = Table {
        caption: "From when an element was known until the last read without it (stable), or with it (lost)",
        head: std::iter::once("element").chain(POINT_NAMES).collect(),
        rows: rows.collect(),
        folded: false,
    };
    Block {
        title: "Sets",
        figures: figures.into_iter().flatten().collect(),
        tables: some(table),
        notes,
        ..Block::default()
    }
}

fn latency(name: &str, points: &Stats<'_>) -> Option<TableRow> {
    let mut row = points.row(name, &POINTS, milliseconds)?;
    if let (Some(cell), Some(number)) = (row.cells.first_mut(), points.number("count")) {
        *cell = count(number);
    }
    Some(row)
}

/// The table, where it has rows.
pub(super) fn some(table: Table) -> Vec<Table> {
    if table.rows.is_empty() { Vec::new() } else { vec![table] }
}

/// Each of these numbers as a row: its name in the stats, in words, and whether it speaks against the store.
fn counted(stats: &Stats<'_>, fields: &[(&str, &str, bool)]) -> Vec<Table> {
    let row = |(field, name, bad): &(&str, &str, bool)| {
        let number = stats.number(field)?;
        (!bad || number > 0).then(|| TableRow {
            name: (*name).to_owned(),
            cells: vec![count(number)],
            bad: *bad,
        })
    };
    some(Table { rows: fields.iter().filter_map(row).collect(), ..Table::default() })
}

/// What was deleted, and what became of it. Nothing to tell where nothing was deleted.
pub(super) fn deletes(stats: &Stats<'_>) -> Block {
    if stats.number("deletes").unwrap_or(0) == 0 {
        return Block { title: "Deletes", ..Block::default() };
    }
    let fields = [
        ("deletes", "deletes acknowledged", false),
        ("resurrected", "items that came back although the delete had replaced them", true),
        ("stale_reads", "reads after a delete that did not know of it yet", false),
        ("reinserted", "reads of what had been written again since", false),
        ("concurrent", "reads of a write that was concurrent with the delete", false),
        ("lww_losses", "of these, of a write that won by its timestamp", false),
        ("indeterminate", "reads of a write that was never answered", false),
    ];
    Block { title: "Deletes", tables: counted(stats, &fields), ..Block::default() }
}

/// Versions beside each other.
pub(super) fn siblings(stats: &Stats<'_>) -> Block {
    if stats.number("with_siblings").unwrap_or(0) == 0 && stats.found("sibling-lost") == 0 {
        return Block { title: "Siblings", ..Block::default() };
    }
    let fields = [
        ("answers", "answers that tell their versions", false),
        ("with_siblings", "with several versions beside each other", false),
        ("most_siblings", "the most versions in one answer", false),
        ("ended_with_siblings", "keys that still had several in the end", false),
        ("returned", "removed elements that a sibling brought back", false),
        ("sibling-lost", "versions dropped although nothing had replaced them", true),
        ("false-conflict", "versions shown beside one that had replaced them", true),
        ("unresolved-siblings", "siblings in the end that had been reconciled", true),
    ];
    Block { title: "Siblings", tables: counted(stats, &fields), ..Block::default() }
}

/// What the rule cost, and whether it was kept.
pub(super) fn last_writer_wins(stats: &Stats<'_>) -> Block {
    let against = stats.found("lost-against-lww");
    let part = |of: u64| {
        let writes = stats
            .number("writes")
            .map(|writes| format!("{} of {} acknowledged writes", share(of, writes), count(writes)));
        writes.unwrap_or_default()
    };
    let figures = [
        stats.number("lww_losses").map(|lost| Figure {
            name: "lost by the rule",
            value: count(lost),
            note: format!("{}: a concurrent write had the greater timestamp", part(lost)),
            bad: false,
        }),
        Some(Figure {
            name: "lost against the rule",
            value: count(against),
            note: "a lower timestamp was kept".to_owned(),
            bad: against > 0,
        }),
        stats.figure(
            "lww_losses_by_skew",
            "of those by the rule, by wrong clocks",
            "begun after what they lost to had ended",
        ),
        stats.figure(
            "lww_losses_conditional",
            "of those by the rule, conditional",
            "their condition had held where it was looked at",
        ),
    ];
    Block { title: "Last writer wins", figures: figures.into_iter().flatten().collect(), ..Block::default() }
}

/// The four guarantees.
pub(super) fn sessions(stats: &Stats<'_>) -> Block {
    let rows = GUARANTEES.iter().filter_map(|(field, name)| rate_row(name, &stats.object(field)?));
    let table = Table {
        caption: "Operations that had something of their own session to include, and whether they did",
        head: vec![
            "guarantee",
            "judged",
            "held",
            "violated",
            "share violated",
            "violated, by kind of operation",
        ],
        rows: rows.collect(),
        folded: false,
    };
    Block { title: "Sessions", tables: some(table), ..Block::default() }
}

fn rate_row(name: &str, rate: &Stats<'_>) -> Option<TableRow> {
    let (judged, violated) = (rate.number("judged")?, rate.number("violated")?);
    let kind = |(kind, rate): (&str, Stats<'_>)| {
        Some(format!("{kind} {} of {}", count(rate.number("violated")?), count(rate.number("judged")?)))
    };
    let cells = vec![
        count(judged),
        count(judged.saturating_sub(violated)),
        count(violated),
        share(violated, judged),
        rate.members("by").filter_map(kind).collect::<Vec<_>>().join(", "),
    ];
    Some(TableRow { name: name.to_owned(), cells, bad: violated > 0 })
}

/// Effects and causes.
pub(super) fn causal(stats: &Stats<'_>) -> Block {
    let row = |(kind, rate): (&str, Stats<'_>)| {
        let mut row = rate_row(kind, &rate)?;
        row.cells.truncate(4);
        Some(row)
    };
    let table = Table {
        caption: "Operations that had causes to include, and whether they did",
        head: vec!["operation", "judged", "held", "violated", "share violated"],
        rows: stats.members("by").filter_map(row).collect(),
        folded: false,
    };
    let fields = [
        ("circles", "circles of causes and effects", true),
        ("baseless_reads", "reads of what nobody had written", true),
    ];
    let tables = some(table).into_iter().chain(counted(stats, &fields)).collect();
    Block { title: "Causality", tables, ..Block::default() }
}

/// Who was served on each side of a partition.
pub(super) fn availability(stats: &Stats<'_>) -> Block {
    let sides = stats.get("sides").and_then(Value::as_array).map(Vec::as_slice).unwrap_or_default();
    let row = |side: &Value| {
        let (operations, served) = (side.get("operations")?.as_u64()?, side.get("served")?.as_u64()?);
        let name = match side.get("side").and_then(Value::as_str) {
            Some(nodes) => join_and(&nodes.split('+').collect::<Vec<_>>(), "and"),
            None => "no partition".to_owned(),
        };
        let cells =
            vec![count(operations), count(operations.saturating_sub(served)), share(served, operations)];
        Some(TableRow { name, cells, bad: false })
    };
    let table = Table {
        caption: "Operations by the side of the partition that was asked; a failed condition is served",
        head: vec!["side", "operations", "not served", "served"],
        rows: sides.iter().filter_map(row).collect(),
        folded: false,
    };
    let judged = stats.number("judged_sides").filter(|&judged| judged > 0);
    let note = judged.map(|judged| {
        let below = stats.found("unavailable");
        format!("{} sides were held to a floor; {} stayed below it.", count(judged), count(below))
    });
    Block {
        title: "Availability by side",
        only_measured: judged.is_none(),
        tables: some(table),
        notes: note.into_iter().collect(),
        ..Block::default()
    }
}
