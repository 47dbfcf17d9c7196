//! Query and Scan: order, pages, segments.

use serde_json::{Value, json};

use crate::server::{item, key, with_table};

#[tokio::test]
async fn queries_page_in_order_both_ways() {
    let server = with_table().await;
    for sk in -5..5 {
        server
            .ok(
                "PutItem",
                json!({"TableName": "tab", "Item": item("q", sk, if sk % 2 == 0 { "even" } else { "odd" })}),
            )
            .await;
        server.ok("PutItem", json!({"TableName": "tab", "Item": item("stranger", sk, "x")})).await;
    }
    for forward in [true, false] {
        let mut seen = Vec::new();
        let mut start = Value::Null;
        loop {
            let page = server
                .ok(
                    "Query",
                    json!({"TableName": "tab", "KeyConditionExpression": "pk = :q AND sk >= :min",
                    "ExpressionAttributeValues": {":q": {"S": "q"}, ":min": {"N": "-3"}}, "Limit": 3,
                    "ScanIndexForward": forward, "ExclusiveStartKey": start}),
                )
                .await;
            seen.extend(
                page["Items"]
                    .as_array()
                    .unwrap()
                    .iter()
                    .map(|item| item["sk"]["N"].as_str().unwrap().parse::<i32>().unwrap()),
            );
            assert!(page["Count"].as_u64().unwrap() <= 3 && page["Count"] == page["ScannedCount"]);
            match page.get("LastEvaluatedKey") {
                Some(last) => start = last.clone(),
                None => break,
            }
        }
        let mut expected: Vec<i32> = (-3..5).collect();
        if !forward {
            expected.reverse();
        }
        assert_eq!(seen, expected);
    }
    let counted = server
        .ok(
            "Query",
            json!({"TableName": "tab", "KeyConditionExpression": "pk = :q", "FilterExpression": "v = :e",
            "ExpressionAttributeValues": {":q": {"S": "q"}, ":e": {"S": "even"}}, "Select": "COUNT",
            "ReturnConsumedCapacity": "TOTAL"}),
        )
        .await;
    assert_eq!(
        counted,
        json!({"Count": 5, "ScannedCount": 10,
                               "ConsumedCapacity": {"TableName": "tab", "CapacityUnits": 0.5}})
    );
}

#[tokio::test]
async fn pages_end_at_one_megabyte_before_the_filter() {
    let server = with_table().await;
    let big = "x".repeat(300_000);
    for sk in 0..5 {
        server.ok("PutItem", json!({"TableName": "tab", "Item": item("q", sk, &big)})).await;
    }
    let request = |start: Value| {
        json!({"TableName": "tab", "FilterExpression": "v = :none", "ExclusiveStartKey": start,
               "ExpressionAttributeValues": {":none": {"S": "none"}}})
    };
    let first = server.ok("Scan", request(Value::Null)).await;
    assert_eq!((&first["Count"], &first["ScannedCount"]), (&json!(0), &json!(3)));
    assert_eq!(first["LastEvaluatedKey"], key("q", 2));
    let second = server.ok("Scan", request(first["LastEvaluatedKey"].clone())).await;
    assert_eq!(second, json!({"Items": [], "Count": 0, "ScannedCount": 2}));
}

#[tokio::test]
async fn the_segments_of_a_parallel_scan_cover_the_table_once() {
    let server = with_table().await;
    for n in 0..40 {
        server.ok("PutItem", json!({"TableName": "tab", "Item": item(&format!("k{n}"), 0, "x")})).await;
    }
    let mut seen = Vec::new();
    for segment in 0..3 {
        let mut start = Value::Null;
        loop {
            let page = server
                .ok(
                    "Scan",
                    json!({"TableName": "tab", "Segment": segment, "TotalSegments": 3, "Limit": 4,
                    "ExclusiveStartKey": start, "ProjectionExpression": "pk"}),
                )
                .await;
            seen.extend(
                page["Items"]
                    .as_array()
                    .unwrap()
                    .iter()
                    .map(|item| item["pk"]["S"].as_str().unwrap().to_owned()),
            );
            match page.get("LastEvaluatedKey") {
                Some(last) => start = last.clone(),
                None => break,
            }
        }
    }
    seen.sort();
    let mut expected: Vec<String> = (0..40).map(|n| format!("k{n}")).collect();
    expected.sort();
    assert_eq!(seen, expected);
}
