//! A single-node store in memory that keeps versions: concurrent writes stand beside each other until one of
//! them says that it has seen both.

use std::collections::BTreeMap;
use std::sync::Mutex;

use serde_json::{Value, json};

use super::{Reply, Seen};

/// The versions of one item: a number each, and null for a deletion.
#[derive(Default)]
struct Row {
    minted: u64,
    versions: Vec<(u64, Value)>,
}

type Rows = BTreeMap<(String, String), Row>;

/// The server's script.
pub fn versioned() -> impl Fn(&Seen) -> Reply + Send + Sync {
    let rows = Mutex::new(Rows::new());
    move |seen| {
        let table = seen.body["TableName"].as_str().unwrap_or_default().to_owned();
        let rows = &mut *rows.lock().unwrap();
        match seen.operation.as_str() {
            "CreateTable" | "DescribeTable" | "DeleteTable" => {
                Reply::json(200, &json!({"Table": {"TableStatus": "ACTIVE"}}))
            }
            "GetItem" => get(seen, rows.entry((table, key_of(&seen.body["Key"]))).or_default()),
            "PutItem" => put(seen, rows.entry((table, key_of(&seen.body["Item"]))).or_default()),
            "DeleteItem" => put(seen, rows.entry((table, key_of(&seen.body["Key"]))).or_default()),
            "Query" => Reply::json(200, &json!({ "Items": query(&table, &seen.body, rows) })),
            other => panic!("unknown operation {other}"),
        }
    }
}

fn key_of(item: &Value) -> String {
    let part = |name: &str| item[name]["S"].as_str().unwrap_or_default().to_owned();
    format!("{}/{}", part("pk"), part("sk"))
}

fn shown(row: &Row) -> Option<&Value> {
    row.versions.iter().rev().map(|(_, item)| item).find(|item| !item.is_null())
}

fn answer(row: &Row, version: String, body: &Value) -> Reply {
    let headers = vec![
        ("x-growler-version", version),
        ("x-growler-context", format!("token-{}", row.minted)),
        (
            "x-growler-clock",
            if row.minted == 0 { "{}".into() } else { json!({"f/1": row.minted}).to_string() },
        ),
        ("x-growler-timestamp", format!("{},f", row.minted)),
        ("x-growler-siblings", row.versions.len().to_string()),
    ];
    Reply::Answer(200, headers, body.to_string().into_bytes())
}

fn get(seen: &Seen, row: &Row) -> Reply {
    let mut body = shown(row).map_or(json!({}), |item| json!({ "Item": item }));
    if seen.header("x-growler-siblings").is_some() || seen.header("x-growler-replica").is_some() {
        let sibling = |(version, item): &(u64, Value)| json!({"Item": item, "Version": format!("f/1:{version}"), "Timestamp": [version, "f"]});
        body["Siblings"] = row.versions.iter().map(sibling).collect();
    }
    let dots: Vec<String> = row.versions.iter().map(|(version, _)| format!("f/1:{version}")).collect();
    answer(row, dots.join("|"), &body)
}

fn put(seen: &Seen, row: &mut Row) -> Reply {
    let replaced = match seen.header("x-growler-context") {
        Some(token) => token.strip_prefix("token-").unwrap().parse().unwrap(),
        None => row.minted,
    };
    row.versions.retain(|(version, _)| *version > replaced);
    row.minted += 1;
    row.versions.push((row.minted, seen.body.get("Item").cloned().unwrap_or(Value::Null)));
    answer(row, format!("f/1:{}", row.minted), &json!({}))
}

fn query(table: &str, request: &Value, rows: &Rows) -> Vec<Value> {
    let prefix = format!("{}/", request["ExpressionAttributeValues"][":pk"]["S"].as_str().unwrap());
    let found = rows.iter().filter(|((t, key), _)| t == table && key.starts_with(&prefix));
    found.filter_map(|(_, row)| shown(row).cloned()).collect()
}
