//! `growler suite`: a matrix of tests as one gate.
//!
//! ```text
//! FILE.toml → file → matrix (rows) → arguments (checked) → run → child → outcome → suite.json, page, JUnit
//! ```
//!
//! [`mod@file`] reads the file, [`matrix`] makes rows of it, [`arguments`] turns each row into arguments of
//! `growler test` and checks them, all of them before the first run starts: a mistake in the last row costs no
//! time. [`mod@run`] then starts the runs, some side by side, and keeps the record. Each run is a process of its
//! own ([`child`]), so that one run can neither take memory from the next nor take it down, and what is tested
//! here is what `growler test` tests. [`outcome`] makes a verdict of how a process ended; what it counts for is
//! decided in [`growler_results::suite`].
//!
//! A red run is never run again.

mod arguments;
mod child;
mod file;
mod matrix;
mod outcome;
mod run;

use std::path::Path;

use anyhow::Context;
use growler_results::suite::{Row, Run, SuiteFile};

pub(crate) use file::Seeds;
pub(crate) use run::run;

/// A suite that is ready to run: every row of it has been checked.
#[derive(Debug)]
pub(crate) struct Ready {
    /// Its record, without a single run.
    pub(crate) suite: SuiteFile,
    /// The arguments of `growler test` of each row, without seed and place.
    pub(crate) arguments: Vec<Vec<String>>,
}

/// Reads a suite's file, and checks every row of it. What was given on the command line wins over the file.
///
/// # Errors
/// A sentence with the file, the line and what is wrong there.
pub(crate) fn read(path: &Path, seeds: Option<Seeds>, parallel: Option<usize>) -> anyhow::Result<Ready> {
    let name = path.display().to_string();
    let text = std::fs::read_to_string(path).with_context(|| name.clone())?;
    let file = file::File::parse(&name, &text)?;
    let seeds = seeds.or_else(|| file.seeds.clone()).unwrap_or_default().list();
    let rows = matrix::rows(&file, &name, &text, seeds.len())?;
    let mut arguments = Vec::new();
    for row in &rows {
        let checked = arguments::checked(row, &seeds);
        arguments.push(checked.with_context(|| format!("{name}:{}: row `{}`", row.line, row.name))?);
    }
    let no_runs = |row: matrix::PlannedRow| Row {
        name: row.name,
        test: row.test,
        options: matrix::nested(&row.options),
        judge: row.judge,
        expect_verdict: row.expect,
        measure: row.measure,
        all_reads: row.all_reads,
        verdict: None,
        runs: seeds.iter().map(|seed| Run { seed: *seed, ..Run::default() }).collect(),
    };
    let suite = SuiteFile {
        name: file.name.get_ref().clone(),
        command: std::env::args().skip(1).collect(),
        versions: [("growler".to_owned(), env!("CARGO_PKG_VERSION").to_owned())].into(),
        parallel: parallel.unwrap_or(file.parallel),
        rows: rows.into_iter().map(no_runs).collect(),
        seeds,
        map: file.map,
        ..SuiteFile::default()
    };
    Ok(Ready { suite, arguments })
}

#[cfg(test)]
mod tests;
