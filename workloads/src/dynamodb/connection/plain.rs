//! Plain http: one connection on hyper, kept while it is good.
//!
//! Before a request is sent, hyper says whether the connection is ready; a closed one is replaced by dialling,
//! which is no retry, since nothing was sent. Should it close in between, hyper gives the request back
//! unserialised, and that is a certain *not sent*; nothing dials again for it.

use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use bytes::Bytes;
use http::{HeaderMap, Request, Response};
use http_body_util::{BodyExt, Full};
use hyper::client::conn::http1::{self, SendRequest};
use hyper_util::rt::TokioIo;
use tokio::net::TcpStream;
use tokio::task::JoinHandle;

use super::{innermost, not_connected};
use crate::dynamodb::outcome::Seen;

#[derive(Debug)]
pub(in crate::dynamodb) struct Plain {
    address: String,
    connect: Duration,
    /// The connection, while no call uses it.
    idle: Mutex<Option<Live>>,
}

/// A connection that stands. Dropping it closes it.
#[derive(Debug)]
struct Live {
    sender: SendRequest<Full<Bytes>>,
    task: JoinHandle<()>,
}

impl Drop for Live {
    fn drop(&mut self) {
        self.task.abort();
    }
}

impl Plain {
    pub(super) fn new(address: String, connect: Duration) -> Self {
        Self { address, connect, idle: Mutex::new(None) }
    }

    pub(super) async fn exchange(
        &self,
        path: &str,
        headers: HeaderMap,
        body: Bytes,
    ) -> Result<Response<Bytes>, (Seen, String)> {
        let mut live = self.connection().await?;
        let mut request =
            Request::post(path).body(Full::new(body)).map_err(|e| (Seen::Unsendable, e.to_string()))?;
        *request.headers_mut() = headers;
        let response = live.sender.try_send_request(request).await.map_err(|mut e| {
            let unsent = e.take_message().is_some();
            let seen = if unsent { Seen::ClosedBefore } else { Seen::ConnectionLost };
            (seen, innermost(e.error()))
        })?;
        let (head, body) = response.into_parts();
        let body = body.collect().await.map_err(|e| (Seen::Truncated, innermost(&e)))?.to_bytes();
        *self.idle.lock().unwrap_or_else(PoisonError::into_inner) = Some(live);
        Ok(Response::from_parts(head, body))
    }

    /// The idle connection if it is good, else a new one. It belongs to the caller, who gives it back.
    async fn connection(&self) -> Result<Live, (Seen, String)> {
        let idle = self.idle.lock().unwrap_or_else(PoisonError::into_inner).take();
        if let Some(mut live) = idle
            && live.sender.ready().await.is_ok()
        {
            return Ok(live);
        }
        match tokio::time::timeout(self.connect, self.dial()).await {
            Ok(result) => result,
            Err(_elapsed) => Err((Seen::ConnectTimeout, String::new())),
        }
    }

    async fn dial(&self) -> Result<Live, (Seen, String)> {
        let stream = TcpStream::connect(&self.address)
            .await
            .and_then(|stream| stream.set_nodelay(true).map(|()| stream))
            .map_err(|e| (not_connected(Some(&e)), e.to_string()))?;
        let (sender, connection) =
            http1::handshake(TokioIo::new(stream)).await.map_err(|e| (Seen::NotConnected, innermost(&e)))?;
        // Its errors reach the sender.
        let task = tokio::spawn(async move { drop(connection.await) });
        Ok(Live { sender, task })
    }
}
