//! The data folder of a node: whose it is, which version wrote it, and that one process uses it.
//!
//! `LOCK` is locked while a process has the folder open; the lock goes with the process, however that
//! ends. `VERSION` names the format and the node, and is the first thing that a new folder gets.

use std::io;
use std::path::Path;

use super::EngineError;
use crate::world::{Disk, DiskLock, OpenMode};

const LOCK: &str = "LOCK";
const VERSION_FILE: &str = "VERSION";
const UNBORN: &str = "VERSION.unborn";
/// The format of the folder as a whole.
const VERSION: u32 = 1;
const NAME: &str = "growler-store";

/// Takes the folder for `node`; it is this process's alone until the guard is dropped.
pub(super) fn take(disk: &dyn Disk, node: &str) -> Result<Box<dyn DiskLock>, EngineError> {
    let lock = disk.lock(Path::new(LOCK)).map_err(|error| match error.kind() {
        io::ErrorKind::WouldBlock => EngineError::InUse,
        _ => EngineError::io("lock", LOCK)(error),
    })?;
    let names = disk.list(Path::new("")).map_err(EngineError::io("list", "."))?;
    if names.iter().any(|name| name == VERSION_FILE) {
        check(disk, node)?;
    } else if let Some(stray) = names.iter().find(|name| ![LOCK, UNBORN].contains(&name.as_str())) {
        return Err(damaged(format!("the file is missing, and the folder is not empty ({stray})")));
    } else {
        create(disk, node).map_err(EngineError::io("create", VERSION_FILE))?;
    }
    Ok(lock)
}

fn create(disk: &dyn Disk, node: &str) -> io::Result<()> {
    let file = disk.open(Path::new(UNBORN), OpenMode::Create)?;
    file.set_len(0)?;
    file.write_at(0, format!("{NAME} {VERSION}\nnode {node}\n").as_bytes())?;
    file.sync()?;
    disk.rename(Path::new(UNBORN), Path::new(VERSION_FILE))?;
    disk.sync_dir(Path::new(""))
}

fn check(disk: &dyn Disk, node: &str) -> Result<(), EngineError> {
    let read = || {
        let file = disk.open(Path::new(VERSION_FILE), OpenMode::Existing)?;
        let mut bytes = vec![0; usize::try_from(file.len()?).map_err(io::Error::other)?];
        file.read_at(0, &mut bytes)?;
        Ok(bytes)
    };
    let bytes = read().map_err(EngineError::io("read", VERSION_FILE))?;
    let text = String::from_utf8_lossy(&bytes);
    let mut lines = text.lines();
    let format = lines.next().and_then(|line| line.strip_prefix(NAME)?.trim().parse::<u32>().ok());
    let found = format.ok_or_else(|| damaged("it does not name a format".to_owned()))?;
    if found > VERSION {
        return Err(EngineError::Newer { file: VERSION_FILE.into(), found, known: VERSION });
    }
    match lines.next().and_then(|line| line.strip_prefix("node ")) {
        Some(found) if found == node => Ok(()),
        Some(found) => Err(EngineError::OtherNode { found: found.to_owned(), wanted: node.to_owned() }),
        None => Err(damaged("it does not name a node".to_owned())),
    }
}

fn damaged(what: String) -> EngineError {
    EngineError::Damaged { file: VERSION_FILE.into(), offset: 0, what }
}
