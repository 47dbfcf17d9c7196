//! Free ports on loopback, below the range from which the kernel takes source ports.
//!
//! A node that is killed and started again must find its port free. A port from the kernel's own range could
//! meanwhile have become the source port of some outgoing connection; one from below that range cannot.

use std::net::{Ipv4Addr, SocketAddr, TcpListener};

use rand::RngExt;

/// The kernel's default range for source ports begins at 32768.
const RANGE: std::ops::Range<u16> = 15_000..32_000;

/// Hands out ports that nothing listens on now, no port twice.
#[derive(Debug)]
pub(crate) struct Ports {
    next: u16,
}

impl Ports {
    /// Starts somewhere at random, so that runs side by side do not collide.
    pub(crate) fn new() -> Self {
        Self { next: rand::rng().random_range(RANGE) }
    }

    /// The next free address.
    pub(crate) fn free(&mut self) -> std::io::Result<SocketAddr> {
        let mut last = None;
        for _ in RANGE {
            let address = SocketAddr::from((Ipv4Addr::LOCALHOST, self.next));
            self.next = if self.next + 1 < RANGE.end { self.next + 1 } else { RANGE.start };
            match TcpListener::bind(address) {
                Ok(_) => return Ok(address),
                Err(e) => last = Some(e),
            }
        }
        Err(last.unwrap_or_else(|| std::io::Error::other("no free port on loopback")))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn free_ports_differ_and_can_be_bound() {
        let mut ports = Ports::new();
        let [a, b] = [ports.free().unwrap(), ports.free().unwrap()];
        assert_ne!(a, b);
        TcpListener::bind(a).unwrap();
        assert!(RANGE.contains(&b.port()));
    }
}
