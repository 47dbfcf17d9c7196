//! The report of a run: one self-contained HTML file. Under construction: only the verdict is shown yet.

use std::path::PathBuf;

use crate::contents::{Contents, ReportError};
use crate::run::RunFolder;

/// Builds `index.html` from the run's other files, and returns its path.
///
/// # Errors
/// [`ReportError`] when the history cannot be read, or the page cannot be written.
pub fn build(run: &RunFolder) -> Result<PathBuf, ReportError> {
    let contents = Contents::read(run)?;
    let verdict = contents.results.as_ref().map_or("no verdict", |r| r.verdict.name());
    let page = format!("<!doctype html><title>growler</title><h1>{verdict}</h1><p>{} notes", contents.notes.len());
    run.write_bytes(&run.index_html(), page.as_bytes())?;
    Ok(run.index_html())
}
