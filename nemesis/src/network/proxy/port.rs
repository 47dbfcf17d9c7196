//! A port that stays ours for the whole run, whether something listens on it or not.
//!
//! While nothing listens, connects must be refused, and yet the port must not become the source port of some
//! outgoing connection, or it could not be listened on again. So a second socket stays bound to it and never
//! listens. (Linux allows that with SO_REUSEADDR; on other systems the port is only bound again, which may
//! fail.)

use std::io;
use std::net::{Ipv4Addr, SocketAddr};

use nix::sys::socket::{Shutdown, shutdown};
use std::os::fd::AsRawFd;
use tokio::net::{TcpListener, TcpSocket};

/// Connections that may wait to be accepted.
const BACKLOG: u32 = 1024;

/// A reserved port on loopback.
#[derive(Debug)]
pub(super) struct Port {
    address: SocketAddr,
    _reservation: Option<TcpSocket>,
}

impl Port {
    /// Reserves a port that the system chooses.
    pub(super) fn reserve() -> io::Result<Self> {
        let socket = TcpSocket::new_v4()?;
        socket.set_reuseaddr(true)?;
        socket.bind(SocketAddr::from((Ipv4Addr::LOCALHOST, 0)))?;
        let address = socket.local_addr()?;
        Ok(Self { address, _reservation: cfg!(target_os = "linux").then_some(socket) })
    }

    pub(super) fn address(&self) -> SocketAddr {
        self.address
    }

    /// Listens. Needs a tokio runtime.
    pub(super) fn listen(&self) -> io::Result<TcpListener> {
        let socket = TcpSocket::new_v4()?;
        socket.set_reuseaddr(true)?;
        socket.bind(self.address)?;
        socket.listen(BACKLOG)
    }
}

/// Stops listening at once, although a task still owns the listener: connects are refused when this returns.
/// (On systems that cannot do this, they are once the owner has dropped the listener.)
pub(super) fn stop_listening(listener: &TcpListener) {
    let _ = shutdown(listener.as_raw_fd(), Shutdown::Both);
}
