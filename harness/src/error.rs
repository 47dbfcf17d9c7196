//! What can go wrong with a command, sorted by the exit code that it earns.
//!
//! An error is the user's (*usage*), the surroundings' (*environment*) or ours (*internal*). Findings about
//! the system under test are never errors: they are verdicts.

use growler_results::verdict::Verdict;

/// Why a command could not do its work.
#[derive(Debug)]
pub(crate) enum CommandError {
    /// The command line, or a file named on it, is wrong.
    Usage(anyhow::Error),
    /// The system under test, the machine or the disk did not play along.
    Environment(anyhow::Error),
    /// A defect of growler.
    Internal(anyhow::Error),
}

impl CommandError {
    /// The exit code's name.
    pub(crate) fn verdict(&self) -> Verdict {
        match self {
            Self::Usage(_) => Verdict::Usage,
            Self::Environment(_) => Verdict::Environment,
            Self::Internal(_) => Verdict::Internal,
        }
    }

    /// The message for people: the whole chain of causes on one line.
    pub(crate) fn describe(&self) -> String {
        match self {
            Self::Usage(e) | Self::Environment(e) => format!("{e:#}"),
            Self::Internal(e) => {
                format!("{e:#}\nThis is a defect of growler, not of the system under test: please report it.")
            }
        }
    }
}

/// Sorts a result's error into one of the kinds, at the place where it is known.
pub(crate) trait Sort<T> {
    /// It is the user's mistake.
    fn usage(self) -> Result<T, CommandError>;
    /// It is the surroundings' fault.
    fn environment(self) -> Result<T, CommandError>;
    /// It is ours.
    fn internal(self) -> Result<T, CommandError>;
}

impl<T, E: Into<anyhow::Error>> Sort<T> for Result<T, E> {
    fn usage(self) -> Result<T, CommandError> {
        self.map_err(|e| CommandError::Usage(e.into()))
    }
    fn environment(self) -> Result<T, CommandError> {
        self.map_err(|e| CommandError::Environment(e.into()))
    }
    fn internal(self) -> Result<T, CommandError> {
        self.map_err(|e| CommandError::Internal(e.into()))
    }
}
