//! The map of a suite: for every figure a row of panels, for every panel a grid of cells, one for each pair of
//! values along the axes.
//!
//! The colour of a cell says how good its number is among all numbers of that figure, so that panels can be
//! compared; the number stands in the cell, so that nobody needs the colour. What several runs share a cell
//! for (seeds, and options that are neither axis nor panel) becomes one number as the figure says.

use std::collections::BTreeSet;

use serde::Serialize;

use super::figure::{Better, Figure, Unit, Whole};
use super::file::{Map, Row, SuiteFile};

/// Shades of a cell, from the best to the worst.
const SHADES: usize = 6;

/// One figure, drawn.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Drawn {
    /// What it is called.
    pub label: String,
    /// Where it stands in a run's results, and what it is divided by.
    pub path: String,
    /// How several runs became one number, and what the shades follow.
    pub about: String,
    /// The best and the worst number, in words; none where the figure has no numbers that differ.
    pub scale: Option<(String, String)>,
    /// Whether cells are answers, and not numbers.
    pub answers: bool,
    /// Whether there are cells without a number.
    pub holes: bool,
    /// The names of the axes.
    pub axes: (String, String),
    /// The panels.
    pub panels: Vec<Panel>,
}

/// One grid.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Panel {
    /// What all its rows have in common, apart from the axes.
    pub title: String,
    /// Where several options tell panels apart and a new value of the first one begins here: that value. A line
    /// of panels begins here, which all have it.
    pub line: Option<String>,
    /// The title without the line's value.
    pub caption: String,
    /// The values along x.
    pub xs: Vec<String>,
    /// The values along y with their cells.
    pub rows: Vec<(String, Vec<Cell>)>,
}

/// One cell.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Cell {
    /// The number, or the answer, in words.
    pub text: String,
    /// Its style: `shade-0` (best) to `shade-5`, `held`, `broken`, `unknown`, `none`.
    pub style: String,
    /// The place of the row behind it, from 1, where it is one row.
    pub row: Option<usize>,
}

/// Draws the map of a suite that has one.
#[must_use]
pub fn draw(suite: &SuiteFile) -> Vec<Drawn> {
    let Some(map) = &suite.map else { return Vec::new() };
    map.figures.iter().map(|figure| drawn(suite, map, figure)).collect()
}

/// A cell before it has a colour.
struct Spot {
    whole: Whole,
    row: Option<usize>,
}

/// A panel before it has colours.
struct Grid {
    panel: Vec<String>,
    xs: Vec<String>,
    rows: Vec<(String, Vec<Spot>)>,
}

fn drawn(suite: &SuiteFile, map: &Map, figure: &Figure) -> Drawn {
    let grids = grids(suite, map, figure);
    let spots = || grids.iter().flat_map(|grid| &grid.rows).flat_map(|(_, spots)| spots);
    let wholes = || spots().map(|spot| &spot.whole);
    let scale = Scale::of(figure, wholes());
    let answers = wholes().any(|whole| matches!(whole, Whole::Answers { .. }));
    let holes = wholes().any(|whole| *whole == Whole::Missing);
    Drawn {
        label: figure.label.clone(),
        path: figure.of.iter().fold(figure.path.clone(), |path, of| format!("{path} / {of}")),
        about: about(figure, answers, suite.seeds.len()),
        scale: scale.words(figure),
        answers,
        holes,
        axes: (short(&map.x).to_owned(), short(&map.y).to_owned()),
        panels: coloured(grids, map, figure, &scale),
    }
}

fn grids(suite: &SuiteFile, map: &Map, figure: &Figure) -> Vec<Grid> {
    let places: Vec<(usize, Place)> =
        suite.rows.iter().enumerate().filter_map(|(at, row)| Some((at, Place::of(row, map)?))).collect();
    let grid = |panel: Vec<String>| {
        let here: Vec<_> = places.iter().filter(|(_, place)| place.panel == panel).collect();
        let xs = in_order(here.iter().map(|(_, place)| &place.x));
        let ys = in_order(here.iter().map(|(_, place)| &place.y));
        let spot = |x: &String, y: &String| {
            let found: Vec<usize> =
                here.iter().filter(|(_, place)| place.x == *x && place.y == *y).map(|(at, _)| *at).collect();
            spot(suite, figure, &found)
        };
        let rows = ys.iter().map(|y| (y.clone(), xs.iter().map(|x| spot(x, y)).collect())).collect();
        Grid { panel, xs, rows }
    };
    in_order(places.iter().map(|(_, place)| &place.panel)).into_iter().map(grid).collect()
}

fn coloured(grids: Vec<Grid>, map: &Map, figure: &Figure, scale: &Scale) -> Vec<Panel> {
    // With one option or none, all panels are on one line, which needs no name.
    let lines = usize::from(map.panels.len() > 1);
    let mut last = None;
    let panel = |grid: Grid| {
        let line = title(&map.panels[..lines], &grid.panel);
        let begins = lines > 0 && last.replace(line.clone()).as_ref() != Some(&line);
        Panel {
            title: title(&map.panels, &grid.panel),
            caption: title(&map.panels[lines..], &grid.panel[lines..]),
            line: begins.then_some(line),
            xs: grid.xs,
            rows: grid.rows.into_iter().map(|row| cells(row, figure, scale)).collect(),
        }
    };
    grids.into_iter().map(panel).collect()
}

fn cells((y, spots): (String, Vec<Spot>), figure: &Figure, scale: &Scale) -> (String, Vec<Cell>) {
    let cell = |spot: Spot| Cell {
        text: figure.words(&spot.whole),
        style: scale.style(&spot.whole),
        row: spot.row.map(|at| at + 1),
    };
    (y, spots.into_iter().map(cell).collect())
}

/// Where a row is drawn. A row without a value on one of the axes is not.
struct Place {
    panel: Vec<String>,
    x: String,
    y: String,
}

impl Place {
    fn of(row: &Row, map: &Map) -> Option<Self> {
        let panel = map.panels.iter().map(|name| row.option(name).unwrap_or_else(|| "default".to_owned()));
        Some(Self { panel: panel.collect(), x: row.option(&map.x)?, y: row.option(&map.y)? })
    }
}

/// Different values in the order in which they come; numbers by size.
fn in_order<'a, T: Clone + Ord + AsNumber + 'a>(values: impl Iterator<Item = &'a T>) -> Vec<T> {
    let mut seen = BTreeSet::new();
    let mut found: Vec<T> = values.filter(|value| seen.insert((*value).clone())).cloned().collect();
    if found.iter().all(|value| value.as_number().is_some()) {
        found.sort_by(|a, b| {
            let [a, b] = [a, b].map(|value| value.as_number().unwrap_or_default());
            a.total_cmp(&b)
        });
    }
    found
}

/// What may be a number.
trait AsNumber {
    fn as_number(&self) -> Option<f64>;
}

impl AsNumber for String {
    fn as_number(&self) -> Option<f64> {
        self.parse().ok()
    }
}

impl AsNumber for Vec<String> {
    fn as_number(&self) -> Option<f64> {
        None
    }
}

fn spot(suite: &SuiteFile, figure: &Figure, rows: &[usize]) -> Spot {
    let runs = rows.iter().flat_map(|at| &suite.rows[*at].runs);
    let whole = figure.whole(runs.filter_map(|run| run.figures.get(&figure.label)));
    let row = match rows {
        [one] => Some(*one),
        _ => None,
    };
    Spot { whole, row }
}

/// The name of an option without the group that it is in.
fn short(option: &str) -> &str {
    option.strip_prefix("set.").unwrap_or(option)
}

fn title(options: &[String], values: &[String]) -> String {
    let named = options.iter().zip(values).map(|(option, value)| format!("{} = {value}", short(option)));
    named.collect::<Vec<_>>().join(" · ")
}

fn about(figure: &Figure, answers: bool, seeds: usize) -> String {
    if answers {
        return match seeds {
            0 | 1 => "One run a cell.".to_owned(),
            n => format!("{n} runs a cell: “no” where at least one of them was refuted."),
        };
    }
    let over = match figure.over {
        super::Over::Mean => "the mean",
        super::Over::Min => "the smallest",
        super::Over::Max => "the largest",
    };
    let runs = match seeds {
        0 | 1 => "One run a cell".to_owned(),
        n => format!("Each cell is {over} of {n} runs"),
    };
    let scale = if figure.unit.is_a_time() { ", on a logarithmic scale" } else { "" };
    format!("{runs}. The stronger the colour, the worse{scale}.")
}

/// From the best number of a figure to its worst.
struct Scale {
    unit: Unit,
    better: Better,
    ends: Option<(f64, f64)>,
}

impl Scale {
    fn of<'a>(figure: &Figure, wholes: impl Iterator<Item = &'a Whole>) -> Self {
        let numbers: Vec<f64> = wholes
            .filter_map(|whole| match whole {
                Whole::Number(number) if number.is_finite() => Some(*number),
                _ => None,
            })
            .collect();
        let least = numbers.iter().copied().reduce(f64::min);
        let most = numbers.iter().copied().reduce(f64::max);
        Self { unit: figure.unit, better: figure.better, ends: least.zip(most) }
    }

    fn words(&self, figure: &Figure) -> Option<(String, String)> {
        let (least, most) = self.ends.filter(|(least, most)| least < most)?;
        let [least, most] = [least, most].map(|number| figure.number(number));
        Some(match self.better {
            Better::Low => (least, most),
            Better::High => (most, least),
        })
    }

    fn style(&self, whole: &Whole) -> String {
        match whole {
            Whole::Missing => "none".to_owned(),
            Whole::Words(_) => "plain".to_owned(),
            Whole::Answers { broken: 1.., .. } => "broken".to_owned(),
            Whole::Answers { unknown: 1.., .. } => "unknown".to_owned(),
            Whole::Answers { .. } => "held".to_owned(),
            Whole::Number(number) => format!("shade-{}", self.shade(*number)),
        }
    }

    /// 0 for the best number, `SHADES - 1` for the worst.
    fn shade(&self, number: f64) -> usize {
        let Some((least, most)) = self.ends.filter(|(least, most)| least < most && number.is_finite()) else {
            return 0;
        };
        let bend = |n: f64| if self.unit.is_a_time() { n.max(0.0).ln_1p() } else { n };
        let share = (bend(number) - bend(least)) / (bend(most) - bend(least));
        let badness = match self.better {
            Better::Low => share,
            Better::High => 1.0 - share,
        };
        ((badness * SHADES as f64) as usize).min(SHADES - 1)
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::suite::Run;

    fn row(options: serde_json::Value, values: &[serde_json::Value]) -> Row {
        let run = |value: &serde_json::Value| Run {
            figures: [("the figure".to_owned(), value.clone())].into(),
            ..Run::default()
        };
        Row {
            name: options.to_string(),
            test: "t".to_owned(),
            options: serde_json::from_value(options).unwrap(),
            judge: false,
            expect_verdict: None,
            measure: Vec::new(),
            all_reads: false,
            verdict: None,
            runs: values.iter().map(run).collect(),
        }
    }

    fn suite(rows: Vec<Row>, figure: Figure) -> SuiteFile {
        let map = Map {
            x: "set.r".to_owned(),
            y: "set.w".to_owned(),
            panels: vec!["set.quorum".to_owned()],
            figures: vec![Figure { path: "f".to_owned(), label: "the figure".to_owned(), ..figure }],
        };
        SuiteFile { rows, map: Some(map), seeds: vec![1, 2], ..SuiteFile::default() }
    }

    fn set(r: u64, w: u64, quorum: &str) -> serde_json::Value {
        json!({"set": {"r": r, "w": w, "quorum": quorum}})
    }

    #[test]
    fn every_row_has_its_cell_and_panels_share_one_scale() {
        let rows = vec![
            row(set(10, 1, "strict"), &[json!(0.0), json!(0.0)]),
            row(set(2, 1, "strict"), &[json!(0.5), json!(0.3)]),
            row(set(2, 2, "strict"), &[json!(null)]),
            row(set(2, 1, "sloppy"), &[json!(0.8), json!(0.8)]),
            row(json!({"time": "5s"}), &[json!(9.0)]),
        ];
        let drawn = draw(&suite(rows, Figure { unit: Unit::Share, ..Figure::default() }));
        let [figure] = drawn.as_slice() else { panic!("{drawn:?}") };
        assert_eq!(figure.scale, Some(("0 %".to_owned(), "80 %".to_owned())));
        assert!(figure.holes);
        assert_eq!(figure.axes, ("r".to_owned(), "w".to_owned()));
        let titles: Vec<_> = figure.panels.iter().map(|panel| panel.title.as_str()).collect();
        assert_eq!(titles, ["quorum = strict", "quorum = sloppy"], "in the order of the rows");
        assert!(figure.panels.iter().all(|panel| panel.line.is_none() && panel.caption == panel.title));
        let strict = &figure.panels[0];
        assert_eq!(strict.xs, ["2", "10"], "numbers by size");
        let (y, cells) = &strict.rows[0];
        assert_eq!((y.as_str(), cells[0].text.as_str(), cells[1].text.as_str()), ("1", "40 %", "0 %"));
        assert_eq!((cells[0].style.as_str(), cells[1].style.as_str()), ("shade-3", "shade-0"));
        assert_eq!(cells[0].row, Some(2));
        let (_, cells) = &strict.rows[1];
        assert_eq!((cells[0].style.as_str(), cells[1].text.as_str()), ("none", "–"), "a hole stays a hole");
        assert_eq!(figure.panels[1].rows[0].1[0].style, "shade-5");
    }

    #[test]
    fn of_several_options_that_tell_panels_apart_the_first_has_a_line_for_each_value() {
        let rows = [(1, "strict"), (1, "sloppy"), (2, "strict"), (2, "sloppy")];
        let rows = rows
            .map(|(n, quorum)| row(json!({"set": {"n": n, "r": 1, "w": 1, "quorum": quorum}}), &[json!(1)]));
        let mut suite = suite(rows.into(), Figure::default());
        suite.map.iter_mut().for_each(|map| map.panels.insert(0, "set.n".to_owned()));
        let drawn = draw(&suite);
        let lines: Vec<_> =
            drawn[0].panels.iter().map(|panel| (panel.line.as_deref(), &*panel.caption)).collect();
        assert_eq!(
            lines,
            [
                (Some("n = 1"), "quorum = strict"),
                (None, "quorum = sloppy"),
                (Some("n = 2"), "quorum = strict"),
                (None, "quorum = sloppy"),
            ]
        );
        assert_eq!(drawn[0].panels[3].title, "n = 2 · quorum = sloppy");
    }

    #[test]
    fn high_can_be_good_and_answers_have_no_scale() {
        let rows = || {
            vec![
                row(set(1, 1, "strict"), &[json!(1), json!(1)]),
                row(set(2, 1, "strict"), &[json!(3), json!(3)]),
            ]
        };
        let style = |figure, at: usize| {
            let drawn = draw(&suite(rows(), figure));
            (drawn[0].panels[0].rows[0].1[at].style.clone(), drawn[0].scale.clone())
        };
        let high = Figure { better: Better::High, ..Figure::default() };
        assert_eq!(style(high, 0), ("shade-5".to_owned(), Some(("3".to_owned(), "1".to_owned()))));
        assert_eq!(style(Figure::default(), 0).0, "shade-0");
        let answers = vec![
            row(set(1, 1, "strict"), &[json!(true), json!(false)]),
            row(set(2, 1, "strict"), &[json!(true), json!(true)]),
        ];
        let drawn = draw(&suite(answers, Figure::default()));
        let cells = &drawn[0].panels[0].rows[0].1;
        assert_eq!((cells[0].style.as_str(), cells[0].text.as_str()), ("broken", "no (1 of 2)"));
        assert_eq!((cells[1].style.as_str(), drawn[0].scale.clone()), ("held", None));
        assert!(drawn[0].answers);
    }

    #[test]
    fn one_number_everywhere_has_no_scale() {
        let drawn = draw(&suite(vec![row(set(1, 1, "strict"), &[json!(7)])], Figure::default()));
        assert_eq!(
            (drawn[0].scale.clone(), drawn[0].panels[0].rows[0].1[0].style.as_str()),
            (None, "shade-0")
        );
    }
}
