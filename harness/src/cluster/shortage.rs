//! What the machine has run out of: file descriptors, and room on the disk of the nodes' data.
//!
//! A node that dies because its disk is full, or an answer that does not come because no connection can be
//! opened, shows nothing about the store. Only the kernel's own word counts here: what it answers to a question of
//! ours, or what a node's log has kept of an answer that the node got. A store that crashes for a reason of its own
//! has no way to excuse itself.

use std::fs::File;
use std::io::{Read, Seek, SeekFrom};
use std::path::Path;

use nix::errno::Errno;
use nix::sys::statvfs::statvfs;

/// A disk with less room than this is full: a store writes more than that at once.
const ROOM: u64 = 64 * 1024;
/// So much of the end of a log is looked at.
const LAST_BYTES: u64 = 64 * 1024;
/// What a system call answers when the machine has no more to give.
const SHORT: [Errno; 4] = [Errno::EMFILE, Errno::ENFILE, Errno::ENOSPC, Errno::EDQUOT];

/// Whether this process can open no file, in a sentence that says what to do.
pub(crate) fn of_descriptors() -> Option<String> {
    let refused = File::open("/dev/null").err()?;
    let errno = Errno::from_raw(refused.raw_os_error()?);
    matches!(errno, Errno::EMFILE | Errno::ENFILE).then(|| {
        format!(
            "growler ran out of file descriptors ({}): raise the limit (`ulimit -n`), or run fewer clients \
             (--concurrency)",
            errno.desc()
        )
    })
}

/// Whether the disk of this folder is full.
pub(crate) fn of_room(folder: &Path) -> Option<String> {
    let disk = statvfs(folder).ok()?;
    let free = disk.blocks_available().saturating_mul(disk.fragment_size());
    (free < ROOM).then(|| {
        format!(
            "the disk of the nodes' data is full: {free} bytes are free in {}; make room, or name a folder on \
             another disk in TMPDIR",
            folder.display()
        )
    })
}

/// Whether a node's log tells of such an answer of the kernel.
pub(crate) fn told_in(log: &Path, node: &str) -> Option<String> {
    let end = end_of(log).ok()?;
    let errno = SHORT.into_iter().find(|errno| end.contains(&format!("(os error {})", *errno as i32)))?;
    let advice = match errno {
        Errno::EMFILE | Errno::ENFILE => "raise the limit of open files (`ulimit -n`)",
        _ => "make room on the disk of the nodes' data, or name a folder on another one in TMPDIR",
    };
    Some(format!("the system refused node {node} what it needs ({}): {advice}", errno.desc()))
}

/// Whether a node could not be started for want of something that this process, and not the node, had asked for.
pub(crate) fn told_of_start(reason: &str) -> Option<String> {
    let wanting = SHORT.into_iter().chain([Errno::EAGAIN, Errno::ENOMEM]);
    let errno =
        wanting.into_iter().find(|errno| reason.contains(&format!("(os error {})", *errno as i32)))?;
    Some(format!("growler could not start a node ({}): {reason}", errno.desc()))
}

fn end_of(log: &Path) -> std::io::Result<String> {
    let mut file = File::open(log)?;
    let length = file.metadata()?.len();
    file.seek(SeekFrom::Start(length.saturating_sub(LAST_BYTES)))?;
    let mut bytes = Vec::new();
    file.read_to_end(&mut bytes)?;
    Ok(String::from_utf8_lossy(&bytes).into_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_what_the_kernel_said_of_a_shortage_counts() {
        let folder = tempfile::tempdir().unwrap();
        let log = folder.path().join("node.log");
        let told = |text: &str| {
            std::fs::write(&log, text).unwrap();
            told_in(&log, "n1")
        };
        for (number, advice) in [(28, "TMPDIR"), (24, "ulimit -n"), (23, "ulimit -n"), (122, "TMPDIR")] {
            let said = told(&format!("ERROR cannot write wal/1: no luck (os error {number})\nbye\n"));
            assert!(said.is_some_and(|said| said.contains("node n1") && said.contains(advice)), "{number}");
        }
        for text in
            ["", "thread 'main' panicked: index out of bounds", "broken pipe (os error 32)", "no space left"]
        {
            assert_eq!(told(text), None, "{text}");
        }
        assert_eq!(told_in(&folder.path().join("none"), "n1"), None);
        let refused = told_of_start("cannot run growler: Resource temporarily unavailable (os error 11)");
        assert!(refused.is_some_and(|said| said.starts_with("growler could not start a node")));
        assert_eq!(told_of_start("it ended before it listened (exit status: 4); see node.log"), None);
        assert_eq!((of_room(folder.path()), of_descriptors()), (None, None));
    }
}
