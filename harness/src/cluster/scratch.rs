//! Where the bundled nodes keep their data: a scratch folder outside the run's folder, removed at the end.
//!
//! It is not in the run's folder because a full disk there must not kill the system under test, and because
//! nobody reads it afterwards. A harness that was killed leaves its scratch folder behind; the next run
//! recognises it by its lock, which died with its owner, and removes it.

use std::fs::File;
use std::path::{Path, PathBuf};

use nix::fcntl::{Flock, FlockArg};

/// A scratch folder that is ours as long as this value lives.
#[derive(Debug)]
pub(crate) struct Scratch {
    path: PathBuf,
    _lock: Flock<File>,
}

impl Scratch {
    /// Makes a fresh folder under the system's folder for temporary files, and removes abandoned ones.
    pub(crate) fn create() -> std::io::Result<Self> {
        let root = root();
        std::fs::create_dir_all(&root)?;
        remove_abandoned(&root);
        for attempt in 0..1000_u32 {
            let path = root.join(format!("{}-{attempt}", std::process::id()));
            match std::fs::create_dir(&path) {
                Ok(()) => {
                    // Another run's clean-up may have won the race for the fresh lock: take another name.
                    if let Ok(Some(lock)) = lock(&path) {
                        return Ok(Self { path, _lock: lock });
                    }
                }
                Err(e) if e.kind() == std::io::ErrorKind::AlreadyExists => (),
                Err(e) => return Err(e),
            }
        }
        Err(std::io::Error::other(format!("no free name for a scratch folder in {}", root.display())))
    }

    /// Where it is.
    pub(crate) fn path(&self) -> &Path {
        &self.path
    }
}

impl Drop for Scratch {
    fn drop(&mut self) {
        if let Err(e) = std::fs::remove_dir_all(&self.path) {
            tracing::warn!("cannot remove {}: {e}", self.path.display());
        }
    }
}

fn lock(folder: &Path) -> std::io::Result<Option<Flock<File>>> {
    let file = File::create(folder.join("lock"))?;
    match Flock::lock(file, FlockArg::LockExclusiveNonblock) {
        Ok(lock) => Ok(Some(lock)),
        Err((_, nix::errno::Errno::EWOULDBLOCK)) => Ok(None),
        Err((_, e)) => Err(e.into()),
    }
}

fn root() -> PathBuf {
    std::env::temp_dir().join(format!("growler-{}", nix::unistd::getuid()))
}

/// Removes the scratch folders whose owners are gone: which they were.
///
/// # Errors
/// When the folder that they are in is there and cannot be read.
pub(crate) fn remove_abandoned_scratch() -> std::io::Result<Vec<PathBuf>> {
    match std::fs::read_dir(root()) {
        Ok(_) => Ok(remove_abandoned(&root())),
        Err(e) if e.kind() == std::io::ErrorKind::NotFound => Ok(Vec::new()),
        Err(e) => Err(e),
    }
}

fn remove_abandoned(root: &Path) -> Vec<PathBuf> {
    let mut removed = Vec::new();
    let Ok(entries) = std::fs::read_dir(root) else { return removed };
    for entry in entries.flatten() {
        // Only folders that were left with their lock file are ours to judge.
        let path = entry.path();
        if path.join("lock").exists()
            && matches!(lock(&path), Ok(Some(_)))
            && std::fs::remove_dir_all(&path).is_ok()
        {
            removed.push(path);
        }
    }
    removed
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_scratch_folder_vanishes_with_its_owner_and_survives_others() {
        let ours = Scratch::create().unwrap();
        let path = ours.path().to_owned();
        let other = Scratch::create().unwrap();
        assert!(path.exists(), "a second run must not remove a live folder");
        drop(other);
        drop(ours);
        assert!(!path.exists());
    }

    #[test]
    fn an_abandoned_folder_is_removed_by_the_next_run() {
        let ours = Scratch::create().unwrap();
        let abandoned = ours.path().with_file_name(format!("abandoned-{}", std::process::id()));
        std::fs::create_dir(&abandoned).unwrap();
        std::fs::write(abandoned.join("lock"), "").unwrap();
        drop(Scratch::create().unwrap());
        assert!(!abandoned.exists());
    }
}
