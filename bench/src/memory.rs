//! What this process occupies and spends, as the kernel counts it.
//!
//! A counting allocator would need unsafe code and would not see what lies between the allocations. The
//! kernel sees all of it, but of a whole process: each case is measured in a process of its own.

use std::time::Duration;
use std::{fs, io};

use nix::time::{ClockId, clock_gettime};

/// Bytes in memory.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Resident {
    /// Now.
    pub now: u64,
    /// At most, since the process began or [`forget_peak`] was called.
    pub peak: u64,
}

/// What is in memory.
///
/// # Errors
///
/// If the kernel does not say.
pub fn resident() -> io::Result<Resident> {
    let status = fs::read_to_string("/proc/self/status")?;
    let bytes = |name: &str| {
        let line = status.lines().find_map(|line| line.strip_prefix(name))?;
        let kibibytes: u64 = line.trim().strip_suffix(" kB")?.parse().ok()?;
        Some(kibibytes * 1024)
    };
    match (bytes("VmRSS:"), bytes("VmHWM:")) {
        (Some(now), Some(peak)) => Ok(Resident { now, peak }),
        _ => Err(io::Error::other("/proc/self/status has no VmRSS or VmHWM: this needs Linux")),
    }
}

/// Lets the peak begin anew at what is in memory now.
///
/// # Errors
///
/// If the kernel refuses.
pub fn forget_peak() -> io::Result<()> {
    fs::write("/proc/self/clear_refs", "5")
}

/// Processor time that this thread has had.
///
/// # Errors
///
/// If the kernel does not say.
pub fn processor_time() -> io::Result<Duration> {
    Ok(clock_gettime(ClockId::CLOCK_THREAD_CPUTIME_ID)?.into())
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The kernel counts pages a batch at a time, and other tests run beside this one.
    const SLACK_BYTES: u64 = 8 << 20;

    #[test]
    fn a_peak_is_seen_and_forgotten() -> io::Result<()> {
        forget_peak()?;
        let before = resident()?;
        let block = std::hint::black_box(vec![1_u8; 64 << 20]);
        let during = resident()?;
        let high = before.now + block.len() as u64 - SLACK_BYTES;
        assert!(during.peak > high, "{before:?} {during:?}");
        drop(block);
        assert!(resident()?.peak > high);
        forget_peak()?;
        assert!(resident()?.peak < high);
        Ok(())
    }
}
