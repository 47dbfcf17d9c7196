//! Measures a running cluster: closed-loop connections, half puts and half strong gets.
//!
//! `cargo run --release --example measure -- SECONDS CONNECTIONS http://… http://…` prints the rate,
//! the median and the 99th percentile of each kind, and how many answers were not 200. With `MEASURE=blind`
//! in the environment, puts do not ask for the old item: a quorum store has to read before it can tell.

use std::sync::Arc;
use std::time::{Duration, Instant};

use tokio::io::{AsyncBufReadExt, AsyncReadExt, AsyncWriteExt, BufReader};
use tokio::net::TcpStream;

type Error = Box<dyn std::error::Error + Send + Sync>;

/// Sends one request on a connection that is kept, and returns the status.
async fn ask(stream: &mut BufReader<TcpStream>, operation: &str, body: &str) -> Result<u16, Error> {
    let head = format!(
        "POST / HTTP/1.1\r\nhost: localhost\r\ncontent-type: application/x-amz-json-1.0\r\n\
         x-amz-target: DynamoDB_20120810.{operation}\r\n\
         authorization: AWS4-HMAC-SHA256 Credential=measure/20260101/us-east-1/dynamodb/aws4_request, \
         SignedHeaders=host, Signature=00\r\nx-amz-date: 20260101T000000Z\r\ncontent-length: {}\r\n\r\n{body}",
        body.len()
    );
    stream.write_all(head.as_bytes()).await?;
    let mut line = String::new();
    stream.read_line(&mut line).await?;
    let status = line.split(' ').nth(1).ok_or("no status")?.parse()?;
    let mut length = 0;
    loop {
        line.clear();
        stream.read_line(&mut line).await?;
        let Some((name, value)) = line.split_once(':') else { break };
        if name.eq_ignore_ascii_case("content-length") {
            length = value.trim().parse()?;
        }
    }
    let mut answer = vec![0; length];
    stream.read_exact(&mut answer).await?;
    Ok(status)
}

async fn connect(address: &str) -> Result<BufReader<TcpStream>, Error> {
    let stream = TcpStream::connect(address).await?;
    stream.set_nodelay(true)?;
    Ok(BufReader::new(stream))
}

/// One connection's latencies of puts and gets, and its failures.
type Measured = ([Vec<Duration>; 2], usize);

async fn drive(address: Arc<str>, seed: usize, until: Instant) -> Result<Measured, Error> {
    let mut stream = connect(&address).await?;
    let (mut latencies, mut failed) = ([Vec::new(), Vec::new()], 0);
    let blind = std::env::var("MEASURE").is_ok_and(|how| how == "blind");
    let values = if blind { "NONE" } else { "ALL_OLD" };
    for round in 0.. {
        let key = (seed * 7919 + round * 104_729) % 500;
        let put = round % 2 == 0;
        let started = Instant::now();
        let status = if put {
            let item = format!(
                r#"{{"TableName":"measure","Item":{{"k":{{"S":"k{key}"}},"v":{{"N":"{round}"}}}},"ReturnValues":"{values}"}}"#
            );
            ask(&mut stream, "PutItem", &item).await?
        } else {
            let get =
                format!(r#"{{"TableName":"measure","Key":{{"k":{{"S":"k{key}"}}}},"ConsistentRead":true}}"#);
            ask(&mut stream, "GetItem", &get).await?
        };
        latencies[usize::from(!put)].push(started.elapsed());
        failed += usize::from(status != 200);
        if Instant::now() >= until {
            break;
        }
    }
    Ok((latencies, failed))
}

#[tokio::main]
#[allow(clippy::print_stdout)]
async fn main() -> Result<(), Error> {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let [seconds, connections, endpoints @ ..] = arguments.as_slice() else {
        return Err("measure SECONDS CONNECTIONS http://HOST:PORT …".into());
    };
    let seconds: f64 = seconds.parse()?;
    let endpoints: Vec<Arc<str>> =
        endpoints.iter().map(|url| url.trim_start_matches("http://").into()).collect();
    let first = endpoints.first().ok_or("give at least one endpoint")?;
    let table = r#"{"TableName":"measure","KeySchema":[{"AttributeName":"k","KeyType":"HASH"}],
        "AttributeDefinitions":[{"AttributeName":"k","AttributeType":"S"}],"BillingMode":"PAY_PER_REQUEST"}"#;
    ask(&mut connect(first).await?, "CreateTable", table).await?;

    let until = Instant::now() + Duration::from_secs_f64(seconds);
    let mut drivers = tokio::task::JoinSet::new();
    for connection in 0..connections.parse()? {
        let endpoint = endpoints[connection % endpoints.len()].clone();
        drivers.spawn(drive(endpoint, connection, until));
    }
    let (mut all, mut failed) = ([Vec::new(), Vec::new()], 0);
    while let Some(driver) = drivers.join_next().await {
        let (latencies, failures) = driver??;
        all.iter_mut().zip(latencies).for_each(|(all, some)| all.extend(some));
        failed += failures;
    }
    for (name, latencies) in ["put", "get"].into_iter().zip(&mut all) {
        latencies.sort();
        let quantile =
            |permille: usize| latencies[(latencies.len() - 1) * permille / 1000].as_secs_f64() * 1000.0;
        println!(
            "{name}: {:.0}/s, p50 {:.2} ms, p99 {:.2} ms, max {:.2} ms",
            latencies.len() as f64 / seconds,
            quantile(500),
            quantile(990),
            quantile(1000)
        );
    }
    println!("not 200: {failed}");
    Ok(())
}
