//! The one thread that forks all children; see [`super::death`] for why there is only one. It ends when the
//! spawner is dropped.

use std::io;
use std::process::{Child, Command};
use std::sync::mpsc;
use std::thread;

use nix::sys::signal::{Signal, killpg};
use nix::unistd::Pid;
use tokio::sync::oneshot;

struct Job {
    command: Command,
    reply: oneshot::Sender<io::Result<Child>>,
}

/// Spawns commands from its own thread.
#[derive(Debug)]
pub(super) struct Spawner {
    jobs: mpsc::Sender<Job>,
}

impl Spawner {
    pub(super) fn start() -> io::Result<Self> {
        let (jobs, waiting) = mpsc::channel::<Job>();
        thread::Builder::new().name("growler-spawner".to_owned()).spawn(move || {
            for mut job in waiting {
                if let Err(Ok(mut unwanted)) = job.reply.send(job.command.spawn()) {
                    // Whoever asked is gone: nobody would ever reap it.
                    put_down(&mut unwanted);
                }
            }
        })?;
        Ok(Self { jobs })
    }

    pub(super) async fn spawn(&self, command: Command) -> io::Result<Child> {
        let gone = || io::Error::other("the thread that starts processes is gone");
        let (reply, answer) = oneshot::channel();
        self.jobs.send(Job { command, reply }).map_err(|_| gone())?;
        answer.await.unwrap_or_else(|_| Err(gone()))
    }
}

/// Ends a process that nobody wants, with whatever it started: it leads a group of its own.
pub(super) fn put_down(child: &mut Child) {
    let _ = killpg(Pid::from_raw(child.id().cast_signed()), Signal::SIGKILL);
    let _ = child.wait();
}
