//! Children that die with this process, whatever it dies of.
//!
//! Linux sends a child the signal that it asked for with `PR_SET_PDEATHSIG` when the *thread* that forked it
//! ends. So all children are forked from one thread that lives as long as they may ([`super::spawner`]).
//! SIGKILL also ends a process that is stopped. Elsewhere children are only killed when their owner is
//! dropped.

use std::process::Command;

/// Makes the command's process get a SIGKILL once the thread that spawns it is gone. So spawn it on a thread that
/// lives as long as the process may.
#[cfg(target_os = "linux")]
#[allow(unsafe_code)]
pub fn die_with_parent(command: &mut Command) {
    use std::os::unix::process::CommandExt;

    use nix::errno::Errno;
    use nix::sys::{prctl, signal::Signal};
    use nix::unistd::{getpid, getppid};

    let parent = getpid();
    let hook = move || {
        prctl::set_pdeathsig(Signal::SIGKILL)?;
        // Had the parent died before the line above, no signal would ever come.
        if getppid() == parent { Ok(()) } else { Err(Errno::ESRCH.into()) }
    };
    // SAFETY: between fork and exec, the hook makes two system calls that are async-signal-safe; it does not
    // allocate, take a lock or touch memory that another thread may have left half-written.
    unsafe {
        command.pre_exec(hook);
    }
}

/// Nothing: this system has no such signal.
#[cfg(not(target_os = "linux"))]
pub fn die_with_parent(_command: &mut Command) {}
