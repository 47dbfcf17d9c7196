//! redb's storage over the node's disk, so that the tables obey the same crashes as the log.

use std::io;
use std::sync::Arc;

use redb::StorageBackend;

use crate::world::DiskFile;

#[derive(Debug)]
pub(super) struct Backend {
    file: Arc<dyn DiskFile>,
}

impl Backend {
    pub(super) fn new(file: Arc<dyn DiskFile>) -> Self {
        Backend { file }
    }
}

impl StorageBackend for Backend {
    fn len(&self) -> io::Result<u64> {
        self.file.len()
    }

    fn read(&self, offset: u64, out: &mut [u8]) -> io::Result<()> {
        self.file.read_at(offset, out)
    }

    fn set_len(&self, len: u64) -> io::Result<()> {
        self.file.set_len(len)
    }

    fn sync_data(&self) -> io::Result<()> {
        self.file.sync()
    }

    fn write(&self, offset: u64, data: &[u8]) -> io::Result<()> {
        self.file.write_at(offset, data)
    }
}
