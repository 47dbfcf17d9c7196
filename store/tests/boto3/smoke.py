#!/usr/bin/env python3
"""Exercises every operation of the bundled store with boto3, as a user's program would.

Usage: smoke.py http://127.0.0.1:8000
Needs: pip install boto3
Leaves no table behind; exits with 1 and names the step when an answer is not DynamoDB's.
"""

import decimal
import sys
import uuid

import boto3
import botocore.config
import botocore.exceptions
from boto3.dynamodb.conditions import Attr, Key
from boto3.dynamodb.types import Binary


def connect(endpoint):
    """A client and a resource with a dummy pair of credentials and without hidden retries."""
    session = boto3.Session("growler", "growler", region_name="us-east-1")
    config = botocore.config.Config(retries={"total_max_attempts": 1})
    options = {"endpoint_url": endpoint, "config": config}
    return session.client("dynamodb", **options), session.resource("dynamodb", **options)


def refused(code, call, **arguments):
    """Calls and expects this error; returns the parsed answer."""
    try:
        call(**arguments)
    except botocore.exceptions.ClientError as error:
        found = error.response["Error"]["Code"]
        assert found == code, f"expected {code}, got {found}: {error}"
        return error.response
    raise AssertionError(f"expected {code}, but the call went through")


def check_tables(client, name):
    created = client.create_table(
        TableName=name,
        AttributeDefinitions=[
            {"AttributeName": "pk", "AttributeType": "S"},
            {"AttributeName": "sk", "AttributeType": "N"},
        ],
        KeySchema=[
            {"AttributeName": "pk", "KeyType": "HASH"},
            {"AttributeName": "sk", "KeyType": "RANGE"},
        ],
        BillingMode="PAY_PER_REQUEST",
    )["TableDescription"]
    assert created["TableName"] == name
    client.get_waiter("table_exists").wait(TableName=name, WaiterConfig={"Delay": 1, "MaxAttempts": 10})
    described = client.describe_table(TableName=name)["Table"]
    assert described["TableStatus"] == "ACTIVE", described
    assert [key["KeyType"] for key in described["KeySchema"]] == ["HASH", "RANGE"]
    pages = client.get_paginator("list_tables").paginate()
    assert name in [table for page in pages for table in page["TableNames"]]
    refused(
        "ResourceInUseException",
        client.create_table,
        TableName=name,
        AttributeDefinitions=[{"AttributeName": "pk", "AttributeType": "S"}],
        KeySchema=[{"AttributeName": "pk", "KeyType": "HASH"}],
        BillingMode="PAY_PER_REQUEST",
    )


def check_items(table):
    item = {
        "pk": "every-type",
        "sk": decimal.Decimal("-1.5"),
        "text": "grüße",
        "number": decimal.Decimal("12345678901234567890123456789012345678"),
        "bytes": Binary(b"\x00\xff"),
        "yes": True,
        "nothing": None,
        "list": [1, "two", [3]],
        "map": {"a": {"b": "c"}},
        "strings": {"x", "y"},
        "numbers": {decimal.Decimal(1), decimal.Decimal("2.5")},
        "binaries": {Binary(b"1"), Binary(b"2")},
    }
    key = {"pk": item["pk"], "sk": item["sk"]}
    assert "Attributes" not in table.put_item(Item=item, ReturnValues="ALL_OLD")
    assert table.get_item(Key=key, ConsistentRead=True)["Item"] == item
    assert table.put_item(Item=item, ReturnValues="ALL_OLD")["Attributes"] == item
    part = table.get_item(
        Key=key, ConsistentRead=True, ProjectionExpression="#m.a, #l[1]",
        ExpressionAttributeNames={"#m": "map", "#l": "list"},
    )
    refused("ValidationException", table.get_item, Key=key, ProjectionExpression="map")
    assert part["Item"] == {"map": {"a": {"b": "c"}}, "list": ["two"]}, part
    assert table.delete_item(Key=key, ReturnValues="ALL_OLD")["Attributes"] == item
    assert "Item" not in table.get_item(Key=key, ConsistentRead=True)
    used = table.get_item(Key=key, ConsistentRead=True, ReturnConsumedCapacity="TOTAL")["ConsumedCapacity"]
    assert used == {"TableName": table.name, "CapacityUnits": 1.0}, used


def check_conditions(table):
    item = {"pk": "conditions", "sk": 1, "version": 1}
    key = {"pk": item["pk"], "sk": 1}
    table.put_item(Item=item, ConditionExpression=Attr("pk").not_exists())
    answer = refused(
        "ConditionalCheckFailedException",
        table.put_item,
        Item=item,
        ConditionExpression=Attr("pk").not_exists(),
        ReturnValuesOnConditionCheckFailure="ALL_OLD",
    )
    assert answer["Item"] == item or answer["Item"]["version"] in ({"N": "1"}, 1), answer
    table.put_item(Item=item | {"version": 2}, ConditionExpression=Attr("version").eq(1))
    answer = refused(
        "ConditionalCheckFailedException",
        table.delete_item,
        Key=key,
        ConditionExpression=Attr("version").lt(2) | Attr("version").between(5, 6),
    )
    assert "Item" not in answer
    table.delete_item(Key=key, ConditionExpression=Attr("version").is_in([2, 3]) & ~Attr("gone").exists())


def check_updates(table):
    key = {"pk": "updates", "sk": 1}

    def update(expression, returns="ALL_NEW", **more):
        return table.update_item(Key=key, UpdateExpression=expression, ReturnValues=returns, **more).get("Attributes")

    new = update(
        "SET #c = if_not_exists(#c, :zero) + :one, tags = list_append(if_not_exists(tags, :empty), :tag) ADD seen :set",
        ExpressionAttributeNames={"#c": "count"},
        ExpressionAttributeValues={":zero": 0, ":one": 1, ":empty": [], ":tag": ["a"], ":set": {"x", "y"}},
    )
    assert new == key | {"count": 1, "tags": ["a"], "seen": {"x", "y"}}, new
    changed = update("ADD #c :n DELETE seen :x", "UPDATED_NEW", ExpressionAttributeNames={"#c": "count"},
                     ExpressionAttributeValues={":n": decimal.Decimal("0.5"), ":x": {"x"}})
    assert changed == {"count": decimal.Decimal("1.5"), "seen": {"y"}}, changed
    old = update("SET tags[0] = :b REMOVE seen", "UPDATED_OLD", ExpressionAttributeValues={":b": "b"})
    assert old == {"tags": ["a"], "seen": {"y"}}, old
    assert update("REMOVE tags[0]", "ALL_OLD")["tags"] == ["b"]
    refused("ValidationException", update, expression="SET pk = :v", ExpressionAttributeValues={":v": "x"})
    refused("ValidationException", update, expression="SET a = :v, a.b = :v", ExpressionAttributeValues={":v": "x"})
    refused("ConditionalCheckFailedException", update, expression="SET a = :v",
            ConditionExpression=Attr("a").exists(), ExpressionAttributeValues={":v": "x"})
    table.delete_item(Key=key)


def check_pages(client, table):
    for number in range(30):
        table.put_item(Item={"pk": "pages", "sk": number - 10, "even": number % 2 == 0})
    asked = {"KeyConditionExpression": Key("pk").eq("pages") & Key("sk").between(-5, 5), "ConsistentRead": True}
    found = table.query(**asked)
    assert [int(item["sk"]) for item in found["Items"]] == list(range(-5, 6)), found
    backwards = table.query(**asked, ScanIndexForward=False, Limit=3)
    assert [int(item["sk"]) for item in backwards["Items"]] == [5, 4, 3]
    rest = table.query(**asked, ScanIndexForward=False, ExclusiveStartKey=backwards["LastEvaluatedKey"])
    assert [int(item["sk"]) for item in rest["Items"]] == list(range(2, -6, -1))
    counted = table.query(**asked, Select="COUNT", FilterExpression=Attr("even").eq(True))
    assert (counted["Count"], counted["ScannedCount"]) == (5, 11), counted
    paginator = client.get_paginator("scan")
    whole = [item for page in paginator.paginate(TableName=table.name, Limit=7, ConsistentRead=True)
             for item in page["Items"]]
    assert len(whole) == 30, len(whole)
    segments = [item["sk"]["N"] for segment in range(3)
                for page in paginator.paginate(TableName=table.name, Segment=segment, TotalSegments=3)
                for item in page["Items"]]
    assert sorted(map(int, segments)) == list(range(-10, 20)), segments


def check_refusals(client, name):
    refused("ResourceNotFoundException", client.get_item, TableName=f"{name}-none", Key={"pk": {"S": "x"}})
    refused("ValidationException", client.get_item, TableName=name, Key={"pk": {"S": "only half"}})
    unknown = refused("UnknownOperationException", client.transact_write_items, TransactItems=[
        {"Delete": {"TableName": name, "Key": {"pk": {"S": "x"}, "sk": {"N": "1"}}}}])
    assert "TransactWriteItems" in unknown["Error"]["Message"], unknown


def main():
    if len(sys.argv) != 2:
        sys.exit(__doc__)
    client, resource = connect(sys.argv[1])
    name = f"smoke-{uuid.uuid4().hex[:12]}"
    table = resource.Table(name)
    check_tables(client, name)
    try:
        steps = [
            ("items", lambda: check_items(table)),
            ("conditions", lambda: check_conditions(table)),
            ("updates", lambda: check_updates(table)),
            ("pages", lambda: check_pages(client, table)),
            ("refusals", lambda: check_refusals(client, name)),
        ]
        for step, check in steps:
            try:
                check()
            except Exception as error:
                raise AssertionError(f"step {step} failed") from error
            print(f"{step}: ok")
    finally:
        assert client.delete_table(TableName=name)["TableDescription"]["TableName"] == name
    refused("ResourceNotFoundException", client.describe_table, TableName=name)
    print("tables: ok")


if __name__ == "__main__":
    main()
