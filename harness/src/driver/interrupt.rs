//! Ctrl-C and SIGTERM.
//!
//! The first one ends the run in order: faults are healed, tables and processes removed, and what was
//! recorded is checked. The second one gives up on everything that may take time (waiting for answers,
//! removing tables, checking), but still heals and stops what growler started. The third ends the process
//! at once; the nodes die with it.

use tokio::signal::unix::{SignalKind, signal};
use tokio::sync::watch;

/// How often the user has interrupted.
#[derive(Debug, Clone)]
pub(crate) struct Interrupt {
    count: watch::Receiver<u8>,
}

impl Interrupt {
    /// Takes over the signals. Must be called inside the runtime.
    pub(crate) fn install() -> std::io::Result<Self> {
        let mut interrupts = signal(SignalKind::interrupt())?;
        let mut terminates = signal(SignalKind::terminate())?;
        let (sender, count) = watch::channel(0_u8);
        tokio::spawn(async move {
            loop {
                tokio::select! {
                    Some(()) = interrupts.recv() => (),
                    Some(()) = terminates.recv() => (),
                    else => return,
                }
                sender.send_modify(|n| *n = n.saturating_add(1));
                if *sender.borrow() >= 3 {
                    std::process::exit(i32::from(growler_results::verdict::Verdict::Interrupted.exit_code()));
                }
            }
        });
        Ok(Self { count })
    }

    /// True once the user wants the run to end.
    pub(crate) fn requested(&self) -> bool {
        *self.count.borrow() >= 1
    }

    /// Waits for the first interruption; for ever, where none comes.
    pub(crate) async fn wait(&self) {
        self.reached(1).await;
    }

    /// Waits for the second one.
    pub(crate) async fn wait_insisted(&self) {
        self.reached(2).await;
    }

    async fn reached(&self, level: u8) {
        let mut count = self.count.clone();
        if count.wait_for(|n| *n >= level).await.is_err() {
            std::future::pending::<()>().await;
        }
    }
}
