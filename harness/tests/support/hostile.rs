//! A DynamoDB of one node in memory that does everything right but for one habit.
//!
//! It is as large as the workloads need, and keeps versions where it is told to. Nothing in it is random but what
//! a habit says, so that a test knows which lie it was told.

use std::collections::BTreeMap;
use std::io::{BufRead, BufReader, Read, Write};
use std::net::{TcpListener, TcpStream};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use serde_json::{Value, json};

/// What is wrong with a server.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Habit {
    /// Nothing.
    Honest,
    /// Every second eventual read shows a number that nobody wrote.
    RandomReads,
    /// Reads are refused from this moment on.
    RefusesReadsAfter(Duration),
    /// Reads are refused once the canary has been read, which is after the load: those that come at the end.
    RefusesFinalReads,
    /// The version beside a value is that of the write before.
    VersionsOfOthers,
    /// Everything is acknowledged, and nothing kept.
    StoresNothing,
    /// Every read shows the first value that the item ever had.
    ShowsTheFirst,
    /// Every condition fails, whatever there is.
    RefusesConditions,
    /// Conditions are not looked at.
    IgnoresConditions,
    /// So many requests are answered once with status 500: every second.
    FailsEverySecond,
    /// One acknowledged write in so many is not applied.
    DropsOneIn(u64),
    /// What was deleted is back at the next read but one.
    ForgetsDeletes,
    /// From this moment on everything is answered with this status and error.
    RefusesAllAfter(Duration, u16, &'static str),
    /// From this moment on nothing is answered.
    SilentAfter(Duration),
    /// Reads get an answer of status 200 that is no item.
    AnswersGarbage,
}

/// The server, until it is dropped with its test.
pub struct Hostile {
    url: String,
}

impl Hostile {
    /// Starts it. With `versions` it says of each answer which version of the item that is.
    pub fn start(habit: Habit, versions: bool) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let url = format!("http://{}", listener.local_addr().unwrap());
        let state = Arc::new(Mutex::new(State::new(habit, versions)));
        std::thread::spawn(move || {
            for stream in listener.incoming().map_while(Result::ok) {
                let state = Arc::clone(&state);
                std::thread::spawn(move || serve(stream, &state));
            }
        });
        Self { url }
    }

    pub fn url(&self) -> &str {
        &self.url
    }
}

/// One request.
struct Asked {
    operation: String,
    body: Value,
}

/// One answer: status, headers of its own, body.
struct Answer(u16, Vec<(&'static str, String)>, Value);

/// The status of an answer that never comes.
const NO_ANSWER: u16 = 0;

fn ok(body: Value) -> Answer {
    Answer(200, Vec::new(), body)
}

fn error(status: u16, name: &str) -> Answer {
    let body = json!({"__type": format!("com.amazonaws.dynamodb.v20120810#{name}"), "message": name});
    Answer(status, Vec::new(), body)
}

/// Answers the requests of one connection.
fn serve(stream: TcpStream, state: &Mutex<State>) {
    let _ = stream.set_nodelay(true);
    let Ok(mut writer) = stream.try_clone() else { return };
    let mut reader = BufReader::new(stream);
    while let Some(asked) = read(&mut reader) {
        let Answer(status, headers, body) = state.lock().unwrap().answer(&asked);
        if status == NO_ANSWER {
            // The connection stays open, and nothing comes.
            let _ = reader.read_to_end(&mut Vec::new());
            return;
        }
        let body = body.to_string();
        let mut text = format!("HTTP/1.1 {status} X\r\nContent-Length: {}\r\n", body.len());
        for (name, value) in headers {
            text += &format!("{name}: {value}\r\n");
        }
        if writer.write_all(format!("{text}\r\n{body}").as_bytes()).is_err() {
            return;
        }
    }
}

fn read(reader: &mut impl BufRead) -> Option<Asked> {
    let (mut operation, mut length) = (String::new(), 0);
    loop {
        let mut line = String::new();
        match reader.read_line(&mut line) {
            Ok(0) | Err(_) => return None,
            Ok(_) if line.trim().is_empty() => break,
            Ok(_) => {}
        }
        let (name, value) = line.trim().split_once(':').unwrap_or_default();
        match name.to_ascii_lowercase().as_str() {
            "x-amz-target" => value.rsplit('.').next().unwrap_or_default().clone_into(&mut operation),
            "content-length" => length = value.trim().parse().ok()?,
            _ => {}
        }
    }
    let mut body = vec![0; length];
    reader.read_exact(&mut body).ok()?;
    Some(Asked { operation, body: serde_json::from_slice(&body).ok()? })
}

/// An item as it has been: what it holds, and how often it was written.
#[derive(Default)]
struct Kept {
    item: Option<Value>,
    first: Option<Value>,
    /// What the last delete removed, until a read has shown that it is gone.
    deleted: Option<Value>,
    version: u64,
}

struct State {
    habit: Habit,
    versions: bool,
    items: BTreeMap<(String, String), Kept>,
    began: Option<Instant>,
    over: bool,
    requests: u64,
    writes: u64,
    made_up: i64,
}

impl State {
    fn new(habit: Habit, versions: bool) -> Self {
        Self {
            habit,
            versions,
            items: BTreeMap::new(),
            began: None,
            over: false,
            requests: 0,
            writes: 0,
            made_up: 1_000_000_000,
        }
    }

    fn answer(&mut self, asked: &Asked) -> Answer {
        let table = asked.body["TableName"].as_str().unwrap_or_default().to_owned();
        match asked.operation.as_str() {
            "DescribeTable" => return ok(json!({"Table": {"TableStatus": "ACTIVE"}})),
            "CreateTable" | "DeleteTable" => return ok(json!({})),
            _ => {}
        }
        // The canary, and what workloads ask before they begin, are no part of the run.
        let whole = if asked.body["Item"].is_object() { &asked.body["Item"] } else { &asked.body["Key"] };
        let key = whole["pk"]["S"].as_str().unwrap_or_default().to_owned();
        let in_run = !table.ends_with("canary") && !key.contains("probe");
        if in_run {
            self.began.get_or_insert_with(Instant::now);
            self.requests += 1;
            if self.habit == Habit::FailsEverySecond && self.requests.is_multiple_of(2) {
                return error(500, "InternalServerError");
            }
        }
        let since = self.began.map_or(Duration::ZERO, |began| began.elapsed());
        match self.habit {
            Habit::RefusesAllAfter(time, status, name) if since > time => return error(status, name),
            Habit::SilentAfter(time) if since > time => return Answer(NO_ANSWER, Vec::new(), Value::Null),
            _ => {}
        }
        match asked.operation.as_str() {
            "GetItem" => self.get(&asked.body, &(table, key), in_run),
            "PutItem" | "DeleteItem" | "UpdateItem" => self.write(asked, (table, key), in_run),
            _ => error(400, "UnknownOperationException"),
        }
    }

    /// Whether reads are refused now. Not even the canary is served then.
    fn refuses_reads(&self) -> bool {
        let since = |moment: Option<Instant>| moment.map_or(Duration::ZERO, |moment| moment.elapsed());
        match self.habit {
            Habit::RefusesReadsAfter(time) => since(self.began) > time,
            _ => false,
        }
    }

    fn get(&mut self, body: &Value, key: &(String, String), in_run: bool) -> Answer {
        self.over |= !in_run && self.began.is_some();
        if self.refuses_reads() || (in_run && self.over && self.habit == Habit::RefusesFinalReads) {
            return error(400, "AccessDeniedException");
        }
        let eventual = !body["ConsistentRead"].as_bool().unwrap_or_default();
        let kept = self.items.entry(key.clone()).or_default();
        let mut item = kept.item.clone();
        let mut version = kept.version;
        match self.habit {
            Habit::RandomReads if in_run && eventual && self.requests.is_multiple_of(2) => {
                self.made_up += 1;
                item = Some(json!({"pk": {"S": key.1}, "v": {"N": self.made_up.to_string()}}));
            }
            Habit::VersionsOfOthers if in_run => version = version.saturating_sub(1),
            Habit::ShowsTheFirst if in_run => item.clone_from(&kept.first),
            Habit::ForgetsDeletes if in_run && item.is_none() && kept.deleted.is_some() => {
                kept.item = kept.deleted.take();
            }
            Habit::AnswersGarbage if in_run => return ok(json!(["garbage"])),
            _ => {}
        }
        let body = item.map_or(json!({}), |item| json!({ "Item": item }));
        Answer(200, self.headers(version), body)
    }

    /// Which version of the item it is, as the quorum store names them; not what a writer of it had seen.
    fn headers(&self, version: u64) -> Vec<(&'static str, String)> {
        let dot = if version == 0 { String::new() } else { format!("n1/1:{version}") };
        if self.versions { vec![("x-growler-version", dot)] } else { Vec::new() }
    }

    fn write(&mut self, asked: &Asked, key: (String, String), in_run: bool) -> Answer {
        let body = &asked.body;
        if in_run {
            self.writes += 1;
        }
        let kept = self.items.entry(key).or_default();
        let before = kept.item.clone();
        let conditional = body["ConditionExpression"].is_string();
        let held = holds(body, before.as_ref());
        let accepted = match self.habit {
            Habit::RefusesConditions if in_run && conditional => false,
            Habit::IgnoresConditions if in_run => true,
            _ => held,
        };
        if !accepted {
            let Answer(status, headers, mut refusal) = error(400, "ConditionalCheckFailedException");
            if body["ReturnValuesOnConditionCheckFailure"] == "ALL_OLD" {
                refusal["Item"] = before.unwrap_or(Value::Null);
            }
            return Answer(status, headers, refusal);
        }
        let lost = match self.habit {
            Habit::StoresNothing => in_run,
            Habit::DropsOneIn(n) => in_run && self.writes.is_multiple_of(n),
            _ => false,
        };
        if !lost {
            kept.apply(&asked.operation, body);
        }
        let version = kept.version;
        let images = body["ReturnValues"] == "ALL_OLD";
        let body = before.filter(|_| images).map_or(json!({}), |old| json!({ "Attributes": old }));
        Answer(200, self.headers(version), body)
    }
}

impl Kept {
    fn apply(&mut self, operation: &str, body: &Value) {
        self.version += 1;
        let new = match operation {
            "PutItem" => Some(body["Item"].clone()),
            "DeleteItem" => None,
            _ => {
                let mut item = self.item.clone().unwrap_or_else(|| body["Key"].clone());
                item["v"] = body["ExpressionAttributeValues"][":new"].clone();
                Some(item)
            }
        };
        let old = std::mem::replace(&mut self.item, new);
        self.deleted = if self.item.is_none() { old } else { None };
        if self.first.is_none() {
            self.first.clone_from(&self.item);
        }
    }
}

/// Whether the condition of a request holds: those of the register workloads.
fn holds(body: &Value, item: Option<&Value>) -> bool {
    match body["ConditionExpression"].as_str() {
        Some("#v = :old") => item.is_some_and(|item| item["v"] == body["ExpressionAttributeValues"][":old"]),
        Some("attribute_not_exists(#v)") => item.is_none(),
        _ => true,
    }
}
