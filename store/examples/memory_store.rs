//! Serves the store's DynamoDB protocol from memory, on loopback, until it is killed: for trying a
//! client or a conformance suite against the protocol alone. The argument is the port; 0, the
//! default, lets the system choose. Prints the endpoint.

use std::error::Error;
use std::sync::Arc;

use growler_store::api::{MemoryBackend, Service, serve};
use tokio::net::TcpListener;
use tokio_util::sync::CancellationToken;

#[tokio::main]
#[allow(clippy::print_stdout)]
async fn main() -> Result<(), Box<dyn Error>> {
    let port: u16 = std::env::args().nth(1).map_or(Ok(0), |text| text.parse())?;
    let listener = TcpListener::bind(("127.0.0.1", port)).await?;
    println!("http://{}", listener.local_addr()?);
    let status = Arc::new(|| serde_json::json!({"backend": "memory"}));
    let service = Service::new(Arc::new(MemoryBackend::default()), status, 1);
    serve(listener, Arc::new(service), CancellationToken::new()).await;
    Ok(())
}
