//! Https: reqwest, with everything off that it would do behind the caller's back.
//!
//! Retries, redirects and proxy variables are off. One thing cannot be switched off, and needs not be: when
//! the connection that the pool hands out turns out to be dead, hyper-util dials again for a request *that
//! hyper gave back unserialised* (`TrySendError` with its message; a request of which a byte was written is
//! never given back). No byte of it had left this process, so what is on the wire is still one request for
//! one call. A call that met an error leaves no connection behind: hyper closes one whose answer was not
//! read to its end.

use std::io;
use std::net::SocketAddr;
use std::time::Duration;

use bytes::Bytes;
use http::{HeaderMap, Response};
use reqwest::Url;

use super::{causes, innermost, not_connected};
use crate::dynamodb::outcome::Seen;
use crate::dynamodb::tls::refused_certificate;

#[derive(Debug)]
pub(in crate::dynamodb) struct Secure {
    url: Url,
    http: reqwest::Client,
}

impl Secure {
    pub(super) fn new(
        url: Url,
        resolve: Option<&(String, SocketAddr)>,
        tls: rustls::ClientConfig,
        connect: Duration,
    ) -> Result<Self, reqwest::Error> {
        let mut builder = reqwest::Client::builder()
            .tls_backend_preconfigured(tls)
            .retry(reqwest::retry::never())
            .redirect(reqwest::redirect::Policy::none())
            .referer(false)
            .no_proxy()
            .connect_timeout(connect)
            .pool_idle_timeout(None)
            .pool_max_idle_per_host(1);
        if let Some((name, address)) = resolve {
            builder = builder.resolve(name, *address);
        }
        Ok(Self { url, http: builder.build()? })
    }

    pub(super) async fn exchange(
        &self,
        headers: HeaderMap,
        body: Bytes,
    ) -> Result<Response<Bytes>, (Seen, String)> {
        let request = self.http.post(self.url.clone()).headers(headers).body(body);
        let mut response = request.send().await.map_err(|e| interrupted(&e))?;
        let mut complete = Response::new(Bytes::new());
        *complete.status_mut() = response.status();
        *complete.headers_mut() = std::mem::take(response.headers_mut());
        *complete.body_mut() = response.bytes().await.map_err(|e| (Seen::Truncated, innermost(&e)))?;
        Ok(complete)
    }
}

/// What it means that a request ended before a response began, and why it did.
fn interrupted(error: &reqwest::Error) -> (Seen, String) {
    let io = || causes(error).find_map(|cause| cause.downcast_ref::<io::Error>());
    let tls = || causes(error).find_map(wrapped_in_io);
    let seen = if error.is_builder() {
        Seen::Unsendable
    } else if !error.is_connect() {
        Seen::ConnectionLost
    } else if error.is_timeout() {
        Seen::ConnectTimeout
    } else if let Some(reason) = tls().and_then(refused_certificate) {
        return (Seen::Untrusted, reason);
    } else {
        not_connected(io())
    };
    (seen, innermost(error))
}

/// What TLS said. An `io::Error` is no cause's source but its box, and there may be several around one another.
fn wrapped_in_io<'a>(cause: &'a (dyn std::error::Error + 'static)) -> Option<&'a rustls::Error> {
    cause.downcast_ref().or_else(|| wrapped_in_io(cause.downcast_ref::<io::Error>()?.get_ref()?))
}
