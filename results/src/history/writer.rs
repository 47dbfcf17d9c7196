//! Records events in the order in which they happen, and puts them on disk at once.
//!
//! [`Recorder::record`] takes a lock, gives the event its place and its time, and serialises it into a
//! buffer: the order of the buffer *is* real time, so nothing may come between place and buffer. A thread
//! of its own swaps the buffer for an empty one every few milliseconds and appends it to the file, so that
//! a worker never waits for the disk. Once the bytes are handed to the kernel they survive `kill -9` of the
//! harness; what is lost is at most the last [`FLUSH_EVERY`].
//!
//! When the disk refuses (full, say), the file is cut back to its last complete line, nothing more is
//! written, and [`Recorder::failure`] tells so from then on. It must never write a later event after a lost
//! one: a history with a hole proves nothing.

use std::fs::{File, OpenOptions};
use std::io::{self, Write};
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::thread::JoinHandle;
use std::time::Duration;

use growler_checker::history::Event;

use crate::run::advice;

/// The longest time that an event stays in memory only, while the disk keeps up.
const FLUSH_EVERY: Duration = Duration::from_millis(20);

/// Buffered bytes that wake the writing thread early.
const WAKE_BYTES: usize = 1 << 20;

/// Records the events of one run. Clones share the run; any thread may record.
#[derive(Clone)]
pub struct Recorder {
    shared: Arc<Shared>,
    /// Ends the writing thread when the last clone goes.
    writer: Arc<WriterThread>,
}

/// What a recording came to.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Written {
    /// Events in the file.
    pub events: u64,
    /// Bytes in the file.
    pub bytes: u64,
}

/// Why recording stopped.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum RecordError {
    /// The history could not be written.
    #[error("cannot {doing} the history {}: {message}; {advice}", path.display())]
    Io {
        /// What was being done, as a verb.
        doing: &'static str,
        /// The history's file.
        path: PathBuf,
        /// What the file system said.
        message: String,
        /// What to do about it.
        advice: &'static str,
    },
    /// An event came after the end of the recording, and is not in the history.
    #[error(
        "an event was recorded after the end of the history: a worker outlived the run (defect of growler)"
    )]
    Late,
    /// An event could not be written as JSON.
    #[error("an event cannot be written as JSON: {0} (defect of growler)")]
    Event(String),
}

/// Where the bytes go. A file; in tests also one that fills up.
trait Sink: Send {
    fn append(&mut self, bytes: &[u8]) -> io::Result<usize>;
    fn cut(&mut self, len: u64) -> io::Result<()>;
    fn sync(&mut self) -> io::Result<()>;
}

impl Sink for File {
    fn append(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.write(bytes)
    }
    fn cut(&mut self, len: u64) -> io::Result<()> {
        self.set_len(len)
    }
    fn sync(&mut self) -> io::Result<()> {
        self.sync_data()
    }
}

struct Shared {
    path: PathBuf,
    clock: Box<dyn Fn() -> u64 + Send + Sync>,
    state: Mutex<State>,
    /// The writer waits on it for bytes or the end.
    wake: Condvar,
    /// Mirrors `state.failure`, to be read without the lock.
    failed: AtomicBool,
}

#[derive(Default)]
struct State {
    /// Complete lines, not yet handed to the kernel.
    buffer: Vec<u8>,
    next_index: u64,
    last_time: u64,
    ended: bool,
    failure: Option<RecordError>,
    written: Written,
}

struct WriterThread {
    shared: Arc<Shared>,
    handle: Mutex<Option<JoinHandle<()>>>,
}

impl Recorder {
    /// Starts a history in a new file. `clock` gives ns since the run began and never goes back.
    ///
    /// # Errors
    /// [`RecordError::Io`] when the file exists or cannot be made.
    pub fn create(path: &Path, clock: impl Fn() -> u64 + Send + Sync + 'static) -> Result<Self, RecordError> {
        let file = OpenOptions::new()
            .append(true)
            .create_new(true)
            .open(path)
            .map_err(|e| record_error("create", path, &e))?;
        Self::start(path, Box::new(file), Box::new(clock))
    }

    fn start(
        path: &Path,
        sink: Box<dyn Sink>,
        clock: Box<dyn Fn() -> u64 + Send + Sync>,
    ) -> Result<Self, RecordError> {
        let shared = Arc::new(Shared {
            path: path.to_owned(),
            clock,
            state: Mutex::default(),
            wake: Condvar::new(),
            failed: AtomicBool::new(false),
        });
        let for_thread = Arc::clone(&shared);
        let handle = std::thread::Builder::new()
            .name("recorder".to_owned())
            .spawn(move || for_thread.write_until_end(sink))
            .map_err(|e| record_error("start a thread for", path, &e))?;
        let writer = WriterThread { shared: Arc::clone(&shared), handle: Mutex::new(Some(handle)) };
        Ok(Self { shared, writer: Arc::new(writer) })
    }

    /// Gives the event its place (`index`) and its `time`, records it, and returns it with both.
    ///
    /// Call it before the first byte of a request is sent and after the last byte of the answer is read.
    /// It does not wait for the disk. After a failure the event is numbered but not kept: see
    /// [`Self::failure`].
    pub fn record(&self, mut event: Event) -> Event {
        let mut state = self.shared.lock();
        event.index = state.next_index;
        event.time = (self.shared.clock)().max(state.last_time);
        state.next_index += 1;
        state.last_time = event.time;
        if state.failure.is_some() {
            return event;
        }
        if state.ended {
            self.shared.fail(&mut state, RecordError::Late);
            return event;
        }
        let before = state.buffer.len();
        if let Err(e) = serde_json::to_writer(&mut state.buffer, &event) {
            state.buffer.truncate(before);
            self.shared.fail(&mut state, RecordError::Event(e.to_string()));
            return event;
        }
        state.buffer.push(b'\n');
        let full = before < WAKE_BYTES && state.buffer.len() >= WAKE_BYTES;
        drop(state);
        if full {
            self.shared.wake.notify_one();
        }
        event
    }

    /// Why recording stopped, if it did. What was recorded before is on disk, a clean prefix. The driver
    /// asks now and then and ends the run. Costs an atomic load while all is well.
    #[must_use]
    pub fn failure(&self) -> Option<RecordError> {
        if !self.shared.failed.load(Ordering::Acquire) {
            return None;
        }
        self.shared.lock().failure.clone()
    }

    /// Ends the recording: all events are in the file, and the file on the disk, when it returns.
    ///
    /// # Errors
    /// The failure, if there was one.
    pub fn finish(&self) -> Result<Written, RecordError> {
        self.writer.end();
        let state = self.shared.lock();
        state.failure.clone().map_or(Ok(state.written), Err)
    }
}

impl std::fmt::Debug for Recorder {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Recorder").field("path", &self.shared.path).finish_non_exhaustive()
    }
}

fn record_error(doing: &'static str, path: &Path, error: &io::Error) -> RecordError {
    RecordError::Io { doing, path: path.to_owned(), message: error.to_string(), advice: advice(error) }
}

impl Shared {
    /// A panic elsewhere must not lose the history: the state is consistent between statements.
    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn fail(&self, state: &mut State, error: RecordError) {
        state.failure.get_or_insert(error);
        self.failed.store(true, Ordering::Release);
    }

    /// The writing thread: hands over what is buffered until the recording ends or the disk refuses.
    fn write_until_end(&self, mut sink: Box<dyn Sink>) {
        let mut batch = Vec::new();
        let mut written = Written::default();
        loop {
            let mut state = self.lock();
            if state.buffer.len() < WAKE_BYTES && !state.ended {
                let waited = self.wake.wait_timeout(state, FLUSH_EVERY);
                state = waited.unwrap_or_else(PoisonError::into_inner).0;
            }
            std::mem::swap(&mut state.buffer, &mut batch);
            let ended = state.ended;
            drop(state);

            let outcome = append_lines(sink.as_mut(), &mut written, &batch);
            batch.clear();
            let outcome = match outcome {
                Ok(()) if ended => sink.sync(),
                other => other,
            };
            let mut state = self.lock();
            state.written = written;
            if let Err(e) = outcome {
                self.fail(&mut state, record_error("write", &self.path, &e));
                state.buffer = Vec::new();
                return;
            }
            if ended {
                return;
            }
        }
    }
}

/// Appends complete lines. After an error the sink holds complete lines only.
fn append_lines(sink: &mut dyn Sink, written: &mut Written, lines: &[u8]) -> io::Result<()> {
    let mut done = 0;
    while done < lines.len() {
        match sink.append(&lines[done..]) {
            Ok(0) => return cut_back(sink, written, &lines[..done], io::ErrorKind::WriteZero.into()),
            Ok(n) => done += n,
            Err(e) if e.kind() == io::ErrorKind::Interrupted => {}
            Err(e) => return cut_back(sink, written, &lines[..done], e),
        }
    }
    count_lines(written, lines);
    Ok(())
}

fn count_lines(written: &mut Written, lines: &[u8]) {
    written.events += lines.iter().filter(|&&b| b == b'\n').count() as u64;
    written.bytes += lines.len() as u64;
}

/// Removes the half line at the end of what was appended, and passes the error on.
fn cut_back(sink: &mut dyn Sink, written: &mut Written, appended: &[u8], e: io::Error) -> io::Result<()> {
    let whole = appended.iter().rposition(|&b| b == b'\n').map_or(0, |i| i + 1);
    count_lines(written, &appended[..whole]);
    if whole < appended.len() {
        // If even this fails, readers drop the half line with a warning.
        let _ = sink.cut(written.bytes);
    }
    Err(e)
}

impl WriterThread {
    fn end(&self) {
        self.shared.lock().ended = true;
        self.shared.wake.notify_all();
        let handle = self.handle.lock().unwrap_or_else(PoisonError::into_inner).take();
        if let Some(handle) = handle
            && handle.join().is_err()
        {
            let mut state = self.shared.lock();
            self.shared.fail(&mut state, RecordError::Event("the writing thread panicked".to_owned()));
        }
    }
}

impl Drop for WriterThread {
    fn drop(&mut self) {
        self.end();
    }
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::AtomicU64;

    use growler_checker::history::{EventType, Process};
    use serde_json::Value;

    use super::*;

    /// A disk with room for so many bytes.
    #[derive(Clone)]
    struct Disk {
        bytes: Arc<Mutex<Vec<u8>>>,
        room: usize,
    }

    impl Sink for Disk {
        fn append(&mut self, bytes: &[u8]) -> io::Result<usize> {
            let mut disk = self.bytes.lock().unwrap();
            match bytes.len().min(self.room - disk.len()).min(1000) {
                0 => Err(io::ErrorKind::StorageFull.into()),
                n => disk.write(&bytes[..n]),
            }
        }
        fn cut(&mut self, len: u64) -> io::Result<()> {
            self.bytes.lock().unwrap().truncate(usize::try_from(len).unwrap());
            Ok(())
        }
        fn sync(&mut self) -> io::Result<()> {
            Ok(())
        }
    }

    #[test]
    fn a_full_disk_shows_at_once_and_leaves_whole_lines() {
        let disk = Disk { bytes: Arc::default(), room: 5_432 };
        let clock = AtomicU64::new(0);
        let clock = Box::new(move || clock.fetch_add(1, Ordering::Relaxed));
        let recorder = Recorder::start(Path::new("history.jsonl"), Box::new(disk.clone()), clock).unwrap();
        let mut recorded = 0u64;
        while recorder.failure().is_none() {
            let event = Event::new(Process::Client(0), EventType::Invoke, "read", Value::Null);
            assert_eq!(recorder.record(event).index, recorded);
            recorded += 1;
        }
        let failure = recorder.finish().unwrap_err();
        assert!(failure.to_string().contains("free some space"), "{failure}");
        let bytes = disk.bytes.lock().unwrap();
        assert!(bytes.len() > 5_000 && bytes.ends_with(b"}\n"));
        let events: Vec<Event> =
            bytes.split(|&b| b == b'\n').filter_map(|line| serde_json::from_slice(line).ok()).collect();
        assert!(events.iter().enumerate().all(|(i, e)| e.index == i as u64), "a prefix, without a hole");
        assert_eq!(
            recorder.shared.lock().written,
            Written { events: events.len() as u64, bytes: bytes.len() as u64 }
        );
    }
}
