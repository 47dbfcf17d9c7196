//! A single-node DynamoDB in memory, just large enough for the workloads, with the gaps that real
//! compatible servers have.

use std::collections::BTreeMap;
use std::sync::Mutex;

use serde_json::{Map, Value, json};

use super::{Reply, Seen};

/// What this server does not do.
#[derive(Debug, Clone, Copy, Default)]
pub struct Gaps {
    /// Old images of writes that succeed are not returned.
    pub no_old_images: bool,
    /// The item that a condition met is not returned.
    pub no_failed_images: bool,
    /// A request that asks for the item that a condition met is refused.
    pub refuses_failed_images: bool,
    /// Transactions are unknown.
    pub no_transactions: bool,
    /// The first requests for any data are answered with status 500.
    pub slow_start: u32,
}

type Item = Map<String, Value>;

#[derive(Default)]
struct State {
    tables: BTreeMap<String, u32>,
    items: BTreeMap<(String, String), Item>,
    slow_start: u32,
}

/// The server's script.
pub fn dynamodb(gaps: Gaps) -> impl Fn(&Seen) -> Reply + Send + Sync {
    let state = Mutex::new(State { slow_start: gaps.slow_start, ..State::default() });
    move |seen| {
        let mut state = state.lock().unwrap();
        if state.slow_start > 0 && !seen.operation.ends_with("Table") {
            state.slow_start -= 1;
            return Reply::json(500, &json!({"__type": "x#InternalServerError"}));
        }
        match state.answer(&seen.operation, &seen.body, gaps) {
            Ok(body) => Reply::json(200, &body),
            Err(body) => Reply::json(400, &body),
        }
    }
}

fn error(name: &str) -> Value {
    json!({"__type": format!("com.amazonaws.dynamodb.v20120810#{name}"), "message": name})
}

fn key_of(item: &Value) -> String {
    let part = |name: &str| item[name]["S"].as_str().unwrap_or_default().to_owned();
    format!("{}/{}", part("pk"), part("sk"))
}

fn number(value: &Value) -> i64 {
    value["N"].as_str().unwrap().parse().unwrap()
}

/// Whether the condition of `request` holds on `item`; it knows the workloads' conditions and no other.
fn holds(request: &Value, item: Option<&Item>) -> bool {
    let values = &request["ExpressionAttributeValues"];
    match request["ConditionExpression"].as_str() {
        None => true,
        Some("#v = :old") => item.is_some_and(|item| item["v"] == values[":old"]),
        Some("attribute_not_exists(#v)") => item.is_none(),
        Some("attribute_exists(balance)") => item.is_some(),
        Some("balance >= :a") => item.is_some_and(|item| number(&item["balance"]) >= number(&values[":a"])),
        Some(other) => panic!("unknown condition {other}"),
    }
}

impl State {
    fn answer(&mut self, operation: &str, request: &Value, gaps: Gaps) -> Result<Value, Value> {
        let table = request["TableName"].as_str().unwrap_or_default().to_owned();
        match operation {
            "CreateTable" => {
                if self.tables.insert(table, 2).is_some() {
                    return Err(error("ResourceInUseException"));
                }
                Ok(json!({}))
            }
            "DescribeTable" => {
                let left = self.tables.get_mut(&table).ok_or_else(|| error("ResourceNotFoundException"))?;
                *left = left.saturating_sub(1);
                Ok(json!({"Table": {"TableStatus": if *left == 0 { "ACTIVE" } else { "CREATING" }}}))
            }
            "DeleteTable" => {
                self.tables.remove(&table).ok_or_else(|| error("ResourceNotFoundException"))?;
                Ok(json!({}))
            }
            "GetItem" => {
                let item = self.items.get(&(table, key_of(&request["Key"])));
                Ok(item.map_or(json!({}), |item| json!({ "Item": item })))
            }
            "Query" => Ok(self.query(&table, request)),
            "TransactWriteItems" | "TransactGetItems" if gaps.no_transactions => {
                Err(json!({"__type": "com.amazon.coral.service#UnknownOperationException"}))
            }
            "TransactGetItems" => {
                let get = |get: &Value| self.answer_get(&get["Get"]);
                Ok(
                    json!({"Responses": request["TransactItems"].as_array().unwrap().iter().map(get).collect::<Vec<_>>()}),
                )
            }
            "TransactWriteItems" => self.transact(request["TransactItems"].as_array().unwrap()),
            _ => self.write(operation, request, gaps),
        }
    }

    fn answer_get(&self, get: &Value) -> Value {
        let key = (get["TableName"].as_str().unwrap().to_owned(), key_of(&get["Key"]));
        self.items.get(&key).map_or(json!({}), |item| json!({ "Item": item }))
    }

    fn write(&mut self, operation: &str, request: &Value, gaps: Gaps) -> Result<Value, Value> {
        let asks_failed = request.get("ReturnValuesOnConditionCheckFailure").is_some();
        if asks_failed && gaps.refuses_failed_images {
            return Err(error("ValidationException"));
        }
        let table = request["TableName"].as_str().unwrap().to_owned();
        let whole = if operation == "PutItem" { &request["Item"] } else { &request["Key"] };
        let key = (table, key_of(whole));
        let old = self.items.get(&key).cloned();
        if !holds(request, old.as_ref()) {
            let mut refusal = error("ConditionalCheckFailedException");
            if let (Some(old), true, false) = (old, asks_failed, gaps.no_failed_images) {
                refusal["Item"] = Value::Object(old);
            }
            return Err(refusal);
        }
        match operation {
            "PutItem" => drop(self.items.insert(key, whole.as_object().unwrap().clone())),
            "DeleteItem" => drop(self.items.remove(&key)),
            "UpdateItem" => {
                assert_eq!(request["UpdateExpression"], "SET #v = :new");
                let item = self.items.entry(key).or_insert_with(|| whole.as_object().unwrap().clone());
                item.insert("v".to_owned(), request["ExpressionAttributeValues"][":new"].clone());
            }
            other => panic!("unknown operation {other}"),
        }
        let returned = old.filter(|_| request["ReturnValues"] == "ALL_OLD" && !gaps.no_old_images);
        Ok(returned.map_or(json!({}), |old| json!({ "Attributes": old })))
    }

    fn transact(&mut self, writes: &[Value]) -> Result<Value, Value> {
        let updates: Vec<_> = writes.iter().map(|write| &write["Update"]).collect();
        let key = |update: &Value| (update["TableName"].as_str().unwrap().to_owned(), key_of(&update["Key"]));
        let codes: Vec<_> = updates
            .iter()
            .map(|update| holds(update, self.items.get(&key(update))))
            .map(|holds| json!({"Code": if holds { "None" } else { "ConditionalCheckFailed" }}))
            .collect();
        if codes.iter().any(|code| code["Code"] != "None") {
            let mut refusal = error("TransactionCanceledException");
            refusal["CancellationReasons"] = Value::Array(codes);
            return Err(refusal);
        }
        for update in updates {
            let amount = number(&update["ExpressionAttributeValues"][":a"]);
            let sign = match update["UpdateExpression"].as_str().unwrap() {
                "SET balance = balance - :a" => -1,
                "SET balance = balance + :a" => 1,
                other => panic!("unknown update {other}"),
            };
            let item = self.items.get_mut(&key(update)).unwrap();
            let balance = number(&item["balance"]) + sign * amount;
            item.insert("balance".to_owned(), json!({"N": balance.to_string()}));
        }
        Ok(json!({}))
    }

    fn query(&self, table: &str, request: &Value) -> Value {
        let prefix = format!("{}/", request["ExpressionAttributeValues"][":pk"]["S"].as_str().unwrap());
        let start = request.get("ExclusiveStartKey").map(key_of);
        let limit = usize::try_from(request["Limit"].as_u64().unwrap()).unwrap();
        let after = |key: &String| start.as_ref().is_none_or(|start| key > start);
        let found =
            self.items.iter().filter(|((t, key), _)| t == table && key.starts_with(&prefix) && after(key));
        let page: Vec<_> = found.map(|(_, item)| item).take(limit).collect();
        let mut answer = json!({ "Items": page });
        if page.len() == limit {
            let last = page[limit - 1];
            answer["LastEvaluatedKey"] = json!({"pk": last["pk"], "sk": last["sk"]});
        }
        answer
    }
}
