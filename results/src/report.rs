//! The report of a run: one HTML file that opens from disk, needs no network and keeps no secrets.
//!
//! Rust computes what is to be seen (numbers, words, places along the time axis); the template under
//! `page/` draws it, and escapes every value, since values come from the system under test. Charts and the
//! counterexample are inline SVG, there without any script; the scripts add zoom, a readout under the
//! pointer, and the timeline of single operations. Nothing here looks at a clock or at the machine: the
//! same run gives the same bytes.

mod axis;
mod charts;
mod convergence;
mod overview;
mod picture;
mod replicas;
mod sensitivity;
mod tables;
mod timeline;
mod tracks;

use std::path::PathBuf;

use minijinja::syntax::SyntaxConfig;
use minijinja::value::Serde;
use minijinja::{Environment, Value, context};
use serde::Serialize;

use crate::availability::{availability, disturbances};
use crate::contents::{Contents, ReportError};
use crate::operations::pair;
use crate::run::RunFolder;
use crate::series::{bucket_for, series};
use crate::test_file::Timings;

/// The page's templates, by the names under which they include one another.
const TEMPLATES: [(&str, &str); 11] = [
    ("page.html", include_str!("report/page/page.html")),
    ("counterexample.html", include_str!("report/page/counterexample.html")),
    ("picture.html", include_str!("report/page/picture.html")),
    ("meanwhile.html", include_str!("report/page/meanwhile.html")),
    ("replicas.html", include_str!("report/page/replicas.html")),
    ("again.html", include_str!("report/page/again.html")),
    ("figures.html", include_str!("report/page/figures.html")),
    ("sensitivity.html", include_str!("report/page/sensitivity.html")),
    ("convergence.html", include_str!("report/page/convergence.html")),
    ("tracks.html", include_str!("report/page/tracks.html")),
    ("tables.html", include_str!("report/page/tables.html")),
];

pub(crate) const STYLE: &str = include_str!("report/page/style.css");
/// What only the report of an eventually consistent store needs.
const CONVERGENCE_STYLE: &str = include_str!("report/page/convergence.css");
const SCRIPTS: [&str; 2] = [include_str!("report/page/tracks.js"), include_str!("report/page/timeline.js")];

/// Builds `index.html` from the run's other files, and returns its path. All but the history may be missing.
///
/// # Errors
/// [`ReportError`] when the history cannot be read, or the page cannot be written.
pub fn build(run: &RunFolder) -> Result<PathBuf, ReportError> {
    let contents = Contents::read(run)?;
    let page = render(&contents, &run.path().to_string_lossy())?;
    run.write_bytes(&run.index_html(), page.as_bytes())?;
    Ok(run.index_html())
}

/// The page's text. `folder` is where the run is, for the commands that it tells.
fn render(contents: &Contents, folder: &str) -> Result<String, ReportError> {
    let operations = pair(&contents.history.events);
    let axis = axis::Axis::new(contents.end_ns());
    let series = series(&operations, bucket_for(axis.run_ns), axis.run_ns);
    let no_plan = crate::plan::PlanFile::default();
    let no_timings = Timings::default();
    let timings = contents.test.as_ref().map_or(&no_timings, |test| &test.timings);
    let disturbed = disturbances(contents.plan.as_ref().unwrap_or(&no_plan), timings, axis.run_ns);
    let availability = availability(&operations, &disturbed, axis.run_ns);

    let anomalies: Vec<_> = overview::told(contents).map(|(_, anomaly)| anomaly).collect();
    let (data, shown) = timeline::data(&operations, &anomalies, &series, axis.run_ns);
    let counterexamples = overview::counterexamples(contents, &operations, axis.run_ns);
    let convergence = convergence::section(contents);
    let needs_style = convergence.is_some() || counterexamples.show_replicas();
    let style = if needs_style { [STYLE, CONVERGENCE_STYLE].concat() } else { STYLE.to_owned() };
    let page = context! {
        style => Value::from_safe_string(style),
        scripts => Value::from_safe_string(SCRIPTS.join("\n")),
        data => Value::from_safe_string(script_safe(&data)?),
        shown => Value::from(Serde(shown)),
        overview => Value::from(Serde(overview::overview(contents, folder, &availability))),
        counterexamples => Value::from(Serde(counterexamples)),
        convergence => Value::from(Serde(convergence)),
        exposure => contents.results.as_ref().and_then(|results| Some(results.exposure.as_ref()?.words())),
        sensitivity => Value::from(Serde(sensitivity::rows(contents))),
        tracks => Value::from(Serde(tracks::tracks(contents, &operations, &series, &availability, axis))),
        tables => Value::from(Serde(tables::tables(contents, &operations, &availability))),
        notes => contents.all_notes(),
    };
    let failed = |e: minijinja::Error| ReportError::Render { what: "index.html", reason: format!("{e:#}") };
    let environment = environment(&TEMPLATES).map_err(failed)?;
    environment.get_template("page.html").and_then(|template| template.render(page)).map_err(failed)
}

/// Templates by name. What they print is escaped as their names' ends ask for: `.html`.
pub(crate) fn environment(
    templates: &[(&'static str, &'static str)],
) -> Result<Environment<'static>, minijinja::Error> {
    let mut environment = Environment::new();
    environment.set_syntax(SyntaxConfig::builder().trim_blocks(true).lstrip_blocks(true).build()?);
    for (name, source) in templates {
        environment.add_template(name, source)?;
    }
    Ok(environment)
}

/// JSON that cannot end the script element that holds it.
fn script_safe<T: Serialize>(data: &T) -> Result<String, ReportError> {
    let json = serde_json::to_string(data)
        .map_err(|e| ReportError::Render { what: "the timeline", reason: e.to_string() })?;
    Ok(json.replace('<', "\\u003c"))
}
