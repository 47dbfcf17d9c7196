//! How a session keeps a connection to a node, and what each way of losing it proves.
//!
//! Over https it is reqwest's ([`secure`]), over plain http one connection of our own on hyper, the library
//! under reqwest ([`plain`]). Reqwest's pool cannot be held to one connection a session: while an answer's
//! connection is still on its way back into the pool, the next request dials another (one in twenty did, on
//! two threads), and when an idle connection turns out to be dead it dials again by itself. Both are harmless
//! to an application; a tester whose faults act on connections wants to know each of them. Neither way ever
//! sends a request twice.

mod plain;
mod secure;

use std::io;
use std::time::Duration;

use bytes::Bytes;
use http::{HeaderMap, Response};

use super::endpoint::{ClientError, Route, Way};
use super::outcome::Seen;
use super::tls::Tls;

/// One session's connection to one node, made when it is first needed.
#[derive(Debug)]
pub(super) enum Connection {
    Plain(plain::Plain),
    Secure(secure::Secure),
}

impl Connection {
    /// A connection along `route`, which may take `connect` to come about.
    pub(super) fn new(route: &Route, tls: &Tls, connect: Duration) -> Result<Self, ClientError> {
        match &route.way {
            Way::Plain(address) => Ok(Self::Plain(plain::Plain::new(address.clone(), connect))),
            Way::Secure { url, resolve, certified } => {
                let config = tls.config(certified.as_ref())?;
                let secure = secure::Secure::new(url.clone(), resolve.as_ref(), config, connect)?;
                Ok(Self::Secure(secure))
            }
        }
    }

    /// Posts once, and reads the whole response. Dropping the future closes the connection.
    pub(super) async fn exchange(
        &self,
        path: &str,
        headers: HeaderMap,
        body: Bytes,
    ) -> Result<Response<Bytes>, (Seen, String)> {
        match self {
            Self::Plain(plain) => plain.exchange(path, headers, body).await,
            Self::Secure(secure) => secure.exchange(headers, body).await,
        }
    }
}

/// What it means that no connection came about.
fn not_connected(error: Option<&io::Error>) -> Seen {
    match error.map(io::Error::kind) {
        Some(io::ErrorKind::ConnectionRefused) => Seen::Refused,
        Some(io::ErrorKind::TimedOut) => Seen::ConnectTimeout,
        _ => Seen::NotConnected,
    }
}

/// What an error was caused by, outermost first, the error itself included.
fn causes<'a>(
    error: &'a (dyn std::error::Error + 'static),
) -> impl Iterator<Item = &'a (dyn std::error::Error + 'static)> {
    let mut next = Some(error);
    std::iter::from_fn(move || {
        let cause = next?;
        next = cause.source();
        Some(cause)
    })
}

/// The innermost cause's message: what the operating system or hyper said.
fn innermost(error: &(dyn std::error::Error + 'static)) -> String {
    causes(error).last().map(ToString::to_string).unwrap_or_default()
}
