//! A run as its files tell it, for those who judge it again.
//!
//! A history that lies beside a `test.json` is a run's, however it was named: by the folder, through `latest`,
//! by the file itself or by a link to it. What cannot be read is an error and never "no run": a run taken for
//! a bare history would be judged by half of the rules.

use std::path::Path;

use crate::run::{RunError, RunFolder, real};
use crate::test_file::TestFile;
use crate::verdict::{Results, RunEnd};

/// A run that was recorded.
#[derive(Debug)]
pub struct RecordedRun {
    /// Its folder, without symbolic links.
    pub folder: RunFolder,
    /// Its description.
    pub test: TestFile,
    /// How it ended.
    pub end: RunEnd,
}

impl RecordedRun {
    /// The run that a history is of, which is named by its file or its folder. None for a bare history.
    ///
    /// # Errors
    /// [`RunError`] when a file of the run cannot be read, or holds something else.
    pub fn of(history: &Path) -> Result<Option<Self>, RunError> {
        let history = real(history);
        let folder = if history.is_dir() { &history } else { history.parent().unwrap_or(&history) };
        let folder = RunFolder::at(real(folder));
        let Some(test) = folder.read_json::<TestFile>(&folder.test_json())? else { return Ok(None) };
        let end = match &test.end {
            Some(end) => end.clone(),
            None => folder
                .read_json::<Results>(&folder.results_json())?
                .map_or_else(RunEnd::unrecorded, |results| results.end()),
        };
        Ok(Some(Self { folder, test, end }))
    }
}
