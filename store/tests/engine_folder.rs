//! Whose data folder it is, and what a node says when it cannot have it.

#![allow(clippy::unwrap_used, reason = "a test may panic")]

use std::path::Path;
use std::sync::Arc;

use growler_store::engine::{Engine, EngineError, EngineOptions};
use growler_store::world::{Disk, HostDisk, InlineSpawn, OpenMode, SimDisk, VolatileDisk};

fn open(disk: Arc<dyn Disk>, node: &str) -> Result<Engine, EngineError> {
    Engine::open(disk, Arc::new(InlineSpawn), node, EngineOptions::default())
}

/// The error, in words.
fn refusal(disk: &SimDisk) -> String {
    open(Arc::new(disk.clone()), "n1").unwrap_err().to_string()
}

#[test]
fn a_folder_in_use_is_refused_until_its_user_is_gone() {
    let folder = tempfile::tempdir().unwrap();
    let host = || -> Arc<dyn Disk> { Arc::new(HostDisk::open(folder.path()).unwrap()) };
    let engine = open(host(), "n1").unwrap();
    let refused = open(host(), "n1").unwrap_err();
    assert!(refused.to_string().contains("used by another node process"), "{refused}");
    let through_cache = open(Arc::new(VolatileDisk::new(host())), "n1");
    assert!(matches!(through_cache, Err(EngineError::InUse)));
    drop(engine);
    open(host(), "n1").unwrap();
}

#[test]
fn a_folder_of_another_node_is_refused() {
    let disk = SimDisk::new();
    open(Arc::new(disk.clone()), "n2").unwrap();
    let refused = refusal(&disk);
    assert!(refused.contains("belongs to node n2, not to n1"), "{refused}");
}

#[test]
fn a_folder_of_a_newer_version_is_refused_by_name() {
    let disk = SimDisk::new();
    open(Arc::new(disk.clone()), "n1").unwrap();
    let version = disk.open(Path::new("VERSION"), OpenMode::Existing).unwrap();
    version.write_at(0, b"growler-store 7\nnode n1\n").unwrap();
    let refused = refusal(&disk);
    assert!(refused.contains("written by a newer version") && refused.contains("format 7"), "{refused}");
}

#[test]
fn a_log_segment_of_a_newer_version_is_refused_by_name() {
    let disk = SimDisk::new();
    open(Arc::new(disk.clone()), "n1").unwrap();
    let segment = disk.open(Path::new("wal/000000000001.wal"), OpenMode::Existing).unwrap();
    let mut header = [0; 24];
    segment.read_at(0, &mut header).unwrap();
    header[4] = 2;
    let checksum = crc32fast::hash(&header[..20]);
    header[20..].copy_from_slice(&checksum.to_le_bytes());
    segment.write_at(0, &header).unwrap();
    let refused = refusal(&disk);
    assert!(
        refused.contains("written by a newer version") && refused.contains("000000000001.wal"),
        "{refused}"
    );
}

#[test]
fn a_folder_that_lost_its_version_or_its_log_is_refused() {
    let disk = SimDisk::new();
    open(Arc::new(disk.clone()), "n1").unwrap();
    disk.remove(Path::new("VERSION")).unwrap();
    let refused = refusal(&disk);
    assert!(refused.contains("VERSION is damaged"), "{refused}");

    let disk = SimDisk::new();
    let engine = open(Arc::new(disk.clone()), "n1").unwrap();
    engine.log(1).append(0, vec![vec![0; 100].into()], Box::new(|outcome| outcome.unwrap()));
    drop(engine);
    let segment = disk.open(Path::new("wal/000000000001.wal"), OpenMode::Existing).unwrap();
    segment.set_len(10).unwrap();
    let refused = refusal(&disk);
    assert!(refused.contains("000000000001.wal is damaged"), "{refused}");
    disk.remove(Path::new("wal/000000000001.wal")).unwrap();
    let refused = refusal(&disk);
    assert!(refused.contains("segments are missing"), "{refused}");
}

#[test]
fn damaged_tables_are_refused() {
    let disk = SimDisk::new();
    open(Arc::new(disk.clone()), "n1").unwrap();
    let tables = disk.open(Path::new("tables.redb"), OpenMode::Existing).unwrap();
    let length = tables.len().unwrap();
    tables.write_at(0, &vec![0x55; length as usize]).unwrap();
    let refused = refusal(&disk);
    assert!(refused.contains("tables.redb"), "{refused}");
}
