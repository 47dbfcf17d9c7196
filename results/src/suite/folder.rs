//! The folder of a suite, `<out>/<suite name>/<start time>/`: where each of its files is.

use std::fs;
use std::path::{Path, PathBuf};

use super::file::SuiteFile;
use crate::run::{RunError, create_folder, io_error, replace_file};

/// A suite's folder.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SuiteFolder {
    path: PathBuf,
}

impl SuiteFolder {
    /// Makes the folder of a new suite, with the folders of its runs, its logs and its measurements, and points
    /// `<out>/latest` at it.
    ///
    /// # Errors
    /// [`RunError::Io`] when a folder or the link cannot be made, [`RunError::TestName`] when nothing usable
    /// is left of the name.
    pub fn create(out: &Path, name: &str, started: jiff::Timestamp) -> Result<Self, RunError> {
        let folder = Self { path: create_folder(out, name, started)? };
        for inner in [folder.runs(), folder.logs(), folder.measured()] {
            fs::create_dir(&inner).map_err(io_error("create", &inner))?;
        }
        Ok(folder)
    }

    /// The folder.
    #[must_use]
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// Everything about the suite.
    #[must_use]
    pub fn suite_json(&self) -> PathBuf {
        self.path.join("suite.json")
    }

    /// The page.
    #[must_use]
    pub fn index_html(&self) -> PathBuf {
        self.path.join("index.html")
    }

    /// The verdicts as JUnit's XML.
    #[must_use]
    pub fn junit_xml(&self) -> PathBuf {
        self.path.join("junit.xml")
    }

    /// The verdicts in Markdown.
    #[must_use]
    pub fn summary_md(&self) -> PathBuf {
        self.path.join("summary.md")
    }

    /// Where the runs are kept, `--out` of each.
    #[must_use]
    pub fn runs(&self) -> PathBuf {
        self.path.join("runs")
    }

    /// What each run said on standard error.
    #[must_use]
    pub fn logs(&self) -> PathBuf {
        self.path.join("logs")
    }

    /// What the measurements answered.
    #[must_use]
    pub fn measured(&self) -> PathBuf {
        self.path.join("measured")
    }

    /// Replaces one of the files.
    ///
    /// # Errors
    /// [`RunError::Io`] when it cannot be written; what was there before is still there then.
    pub fn write(&self, path: &Path, bytes: &[u8]) -> Result<(), RunError> {
        replace_file(path, bytes)
    }

    /// Replaces `suite.json`.
    ///
    /// # Errors
    /// [`RunError::Io`] when it cannot be written, [`RunError::Malformed`] on a defect of growler.
    pub fn write_suite(&self, suite: &SuiteFile) -> Result<(), RunError> {
        let malformed =
            |e: serde_json::Error| RunError::Malformed { path: self.suite_json(), reason: e.to_string() };
        let text = suite.to_json().map_err(malformed)?;
        self.write(&self.suite_json(), text.as_bytes())
    }

    /// A path as seen from this folder, for links; as it is where it lies elsewhere.
    #[must_use]
    pub fn relative(&self, path: &Path) -> String {
        path.strip_prefix(&self.path).unwrap_or(path).display().to_string()
    }
}
