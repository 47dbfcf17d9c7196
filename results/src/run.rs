//! The folder of a run: where each file is, and how files get there.
//!
//! `<out>/<test name>/<start time>/` belongs to one run and to no other: creating the last folder either
//! succeeds for exactly one caller or fails, so two starts in the same millisecond, of one process or of
//! two, get two folders. `<out>/latest` names the newest; it is a symbolic link on Unix and a plain file
//! that holds the path elsewhere.
//!
//! Files other than the history are replaced whole: written beside their place and renamed onto it. A
//! reader sees the old file or the new one, never half of either.

use std::fs;
use std::io::{self, Write};
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU64, Ordering};

use serde::Serialize;
use serde::de::DeserializeOwned;

use crate::verdict::Verdict;

/// The name of the link to the newest run.
const LATEST: &str = "latest";

/// A run's folder, contract section 3.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RunFolder {
    path: PathBuf,
}

/// Why a run's folder could not be made, found, read or written.
#[derive(Debug, thiserror::Error)]
pub enum RunError {
    /// The file system refused.
    #[error("cannot {doing} {}: {source}; {}", path.display(), advice(source))]
    Io {
        /// What was being done, as a verb: `create`, `read`, `write`.
        doing: &'static str,
        /// The file or folder concerned.
        path: PathBuf,
        /// What the file system said.
        source: io::Error,
    },
    /// The path given is no run's folder.
    #[error(
        "{} is not a run: it holds neither history.jsonl nor test.json; give the folder that a test \
         printed on its last line, or <out>/latest", path.display()
    )]
    NotARun {
        /// The path as given.
        path: PathBuf,
    },
    /// The test's name leaves nothing to name a folder with.
    #[error("{name:?} cannot name a folder: use letters, digits, '-', '_' and '.', and not \"latest\"")]
    TestName {
        /// The name as given.
        name: String,
    },
    /// A file of the run does not hold what it should.
    #[error("{} is malformed: {reason}; it was changed or belongs to another version of growler", path.display())]
    Malformed {
        /// The file.
        path: PathBuf,
        /// What is wrong, and where.
        reason: String,
    },
}

impl RunError {
    /// The verdict of a command that ends with this error: `environment` where the file system refused,
    /// `usage` where what was given is wrong.
    #[must_use]
    pub fn verdict(&self) -> Verdict {
        match self {
            Self::Io { source, .. } if source.kind() == io::ErrorKind::NotFound => Verdict::Usage,
            Self::Io { .. } => Verdict::Environment,
            Self::NotARun { .. } | Self::TestName { .. } | Self::Malformed { .. } => Verdict::Usage,
        }
    }
}

/// What the user can do about an I/O error.
pub(crate) fn advice(error: &io::Error) -> &'static str {
    match error.kind() {
        io::ErrorKind::StorageFull | io::ErrorKind::QuotaExceeded => {
            "free some space or choose another disk with --out"
        }
        io::ErrorKind::PermissionDenied | io::ErrorKind::ReadOnlyFilesystem => {
            "check the permissions or choose another folder with --out"
        }
        io::ErrorKind::NotFound => "check the path",
        io::ErrorKind::NotADirectory | io::ErrorKind::AlreadyExists => {
            "a file is in the way: move it or choose another folder with --out"
        }
        _ => "check the disk, or choose another folder with --out",
    }
}

pub(crate) fn io_error(doing: &'static str, path: &Path) -> impl FnOnce(io::Error) -> RunError {
    let path = path.to_owned();
    move |source| RunError::Io { doing, path, source }
}

impl RunFolder {
    /// Makes the folder of a new run, `<out>/<test name>/<start time>/`, and points `<out>/latest` at it.
    ///
    /// Characters of the test's name that are awkward in a path become `-`.
    ///
    /// # Errors
    /// [`RunError::Io`] when a folder or the link cannot be made, [`RunError::TestName`] when nothing usable
    /// is left of the name.
    pub fn create(out: &Path, test_name: &str, started: jiff::Timestamp) -> Result<Self, RunError> {
        create_folder(out, test_name, started).map(|path| Self { path })
    }

    /// Opens the folder of a run that exists: the folder itself, `<out>/latest`, or any file directly in it.
    /// Links are followed, so that the name which is shown and kept stays this run's.
    ///
    /// # Errors
    /// [`RunError::Io`] when there is nothing at the path, [`RunError::NotARun`] when it is something else.
    pub fn open(path: &Path) -> Result<Self, RunError> {
        let meta = fs::metadata(path).map_err(io_error("open", path))?;
        let folder = if meta.is_dir() {
            path.to_owned()
        } else if path.file_name().is_some_and(|name| name == LATEST) {
            let target = fs::read_to_string(path).map_err(io_error("read", path))?;
            path.with_file_name(target.trim())
        } else {
            path.parent().unwrap_or(Path::new("")).to_owned()
        };
        let run = Self::at(real(&folder));
        if run.find_history().is_some() || run.test_json().is_file() {
            Ok(run)
        } else {
            Err(RunError::NotARun { path: path.to_owned() })
        }
    }

    /// The folder at this path, whatever is in it.
    pub(crate) fn at(path: PathBuf) -> Self {
        Self { path }
    }

    /// The folder.
    #[must_use]
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// The test's description: options, seed, versions, timings.
    #[must_use]
    pub fn test_json(&self) -> PathBuf {
        self.path.join("test.json")
    }

    /// Where the history is recorded. A finished one may be compressed instead: see [`Self::find_history`].
    #[must_use]
    pub fn history(&self) -> PathBuf {
        self.path.join("history.jsonl")
    }

    /// The history that is there: `history.jsonl`, else `history.jsonl.zst`.
    #[must_use]
    pub fn find_history(&self) -> Option<PathBuf> {
        crate::history::find_in(&self.path)
    }

    /// The verdict.
    #[must_use]
    pub fn results_json(&self) -> PathBuf {
        self.path.join("results.json")
    }

    /// The faults.
    #[must_use]
    pub fn plan_json(&self) -> PathBuf {
        self.path.join("plan.json")
    }

    /// The report.
    #[must_use]
    pub fn index_html(&self) -> PathBuf {
        self.path.join("index.html")
    }

    /// The verdict as JUnit's XML.
    #[must_use]
    pub fn junit_xml(&self) -> PathBuf {
        self.path.join("junit.xml")
    }

    /// The verdict in Markdown.
    #[must_use]
    pub fn summary_md(&self) -> PathBuf {
        self.path.join("summary.md")
    }

    /// The folder of a node's logs, made if it is not there.
    ///
    /// # Errors
    /// [`RunError::Io`] when it cannot be made, [`RunError::TestName`] when the node's name cannot name it.
    pub fn node(&self, node: &str) -> Result<PathBuf, RunError> {
        let path = self.path.join("nodes").join(folder_name(node)?);
        fs::create_dir_all(&path).map_err(io_error("create", &path))?;
        Ok(path)
    }

    /// Replaces a file by `value` as indented JSON.
    ///
    /// # Errors
    /// [`RunError::Io`] when it cannot be written; what was there before is still there then.
    pub fn write_json<T: Serialize>(&self, path: &Path, value: &T) -> Result<(), RunError> {
        let mut bytes = serde_json::to_vec_pretty(value)
            .map_err(|e| RunError::Malformed { path: path.to_owned(), reason: e.to_string() })?;
        bytes.push(b'\n');
        self.write_bytes(path, &bytes)
    }

    /// Replaces a file by `bytes`.
    ///
    /// # Errors
    /// [`RunError::Io`] when it cannot be written; what was there before is still there then.
    pub fn write_bytes(&self, path: &Path, bytes: &[u8]) -> Result<(), RunError> {
        replace_file(path, bytes)
    }

    /// Reads a JSON file of the run. `None` where the run has none.
    ///
    /// # Errors
    /// [`RunError::Io`] when it cannot be read, [`RunError::Malformed`] when it holds something else.
    pub fn read_json<T: DeserializeOwned>(&self, path: &Path) -> Result<Option<T>, RunError> {
        let bytes = match fs::read(path) {
            Ok(bytes) => bytes,
            Err(e) if e.kind() == io::ErrorKind::NotFound => return Ok(None),
            Err(e) => return Err(io_error("read", path)(e)),
        };
        serde_json::from_slice(&bytes)
            .map(Some)
            .map_err(|e| RunError::Malformed { path: path.to_owned(), reason: e.to_string() })
    }
}

/// The path without symbolic links; a relative one stays relative where it is below the current folder.
pub(crate) fn real(path: &Path) -> PathBuf {
    let path = if path.as_os_str().is_empty() { Path::new(".") } else { path };
    let Ok(real) = path.canonicalize() else { return path.to_owned() };
    let here = std::env::current_dir().and_then(|here| here.canonicalize());
    let below = here.ok().filter(|_| path.is_relative()).and_then(|here| real.strip_prefix(here).ok());
    match below {
        Some(below) if below.as_os_str().is_empty() => PathBuf::from("."),
        Some(below) => below.to_owned(),
        None => real,
    }
}

/// Makes `<out>/<name>/<start time>/`, which is no one else's, and points `<out>/latest` at it.
pub(crate) fn create_folder(out: &Path, name: &str, started: jiff::Timestamp) -> Result<PathBuf, RunError> {
    let name = folder_name(name)?;
    let tests = out.join(&name);
    fs::create_dir_all(&tests).map_err(io_error("create", &tests))?;
    let moment = started.strftime("%Y%m%dT%H%M%S.%3fZ").to_string();
    let mut start = moment.clone();
    let mut attempt = 1;
    loop {
        let path = tests.join(&start);
        match fs::create_dir(&path) {
            Ok(()) => {
                point_latest(out, &Path::new(&name).join(&start))?;
                return Ok(path);
            }
            Err(e) if e.kind() == io::ErrorKind::AlreadyExists => {
                attempt += 1;
                start = format!("{moment}-{attempt:02}");
            }
            Err(e) => return Err(io_error("create", &path)(e)),
        }
    }
}

/// Whether a test or a suite of this name can have a folder.
///
/// # Errors
/// [`RunError::TestName`] when nothing usable is left of it.
pub fn check_name(name: &str) -> Result<(), RunError> {
    folder_name(name).map(drop)
}

/// A name for a folder: what is awkward in a path becomes `-`.
fn folder_name(name: &str) -> Result<String, RunError> {
    let clean: String =
        name.chars().map(|c| if c.is_ascii_alphanumeric() || "-_.".contains(c) { c } else { '-' }).collect();
    let usable = clean.chars().any(|c| c.is_ascii_alphanumeric()) && !clean.starts_with('.');
    if usable && clean != LATEST { Ok(clean) } else { Err(RunError::TestName { name: name.to_owned() }) }
}

/// Writes beside the file and renames onto it.
pub(crate) fn replace_file(path: &Path, bytes: &[u8]) -> Result<(), RunError> {
    let temporary = beside(path);
    let written = (|| {
        let mut file = fs::File::create(&temporary)?;
        file.write_all(bytes)?;
        file.sync_data()?;
        fs::rename(&temporary, path)
    })();
    written.map_err(|source| {
        // The first error is the one to tell; a temporary file that stays is harmless.
        let _ = fs::remove_file(&temporary);
        io_error("write", path)(source)
    })
}

/// A name in the same folder that no reader looks for and no other process uses.
fn beside(path: &Path) -> PathBuf {
    let name = path.file_name().unwrap_or_default().to_string_lossy();
    // Threads of one process write at the same time too.
    static WRITTEN: AtomicU64 = AtomicU64::new(0);
    let number = WRITTEN.fetch_add(1, Ordering::Relaxed);
    path.with_file_name(format!(".{name}.{}.{number}.tmp", std::process::id()))
}

#[cfg(unix)]
fn point_latest(out: &Path, target: &Path) -> Result<(), RunError> {
    let link = out.join(LATEST);
    let temporary = beside(&link);
    let _ = fs::remove_file(&temporary);
    std::os::unix::fs::symlink(target, &temporary)
        .and_then(|()| fs::rename(&temporary, &link))
        .map_err(io_error("write", &link))
}

#[cfg(not(unix))]
fn point_latest(out: &Path, target: &Path) -> Result<(), RunError> {
    replace_file(&out.join(LATEST), target.to_string_lossy().as_bytes())
}
