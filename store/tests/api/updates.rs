//! Updates, and mutations as replicas apply them.

use growler_store::expression::{Update, parse_condition, parse_update};
use growler_store::item::json::Wire;
use growler_store::item::{Action, Change, Item, Mutation, MutationRefused, apply};

use crate::samples::{item, placeholders, schema, subject};

fn updated(source: &str) -> Result<String, String> {
    let update = parse_update(source, &mut placeholders()).map_err(|error| error.to_string())?;
    let new = update.apply(&subject()).map_err(|error| error.to_string())?;
    let old = subject();
    let changed: Item = new
        .iter()
        .filter(|(name, value)| old.get(*name) != Some(*value))
        .map(|(n, v)| (n.clone(), v.clone()))
        .collect();
    let gone: Vec<&String> = old.keys().filter(|name| !new.contains_key(*name)).collect();
    let mut text = serde_json::to_string(&Wire(&changed)).unwrap();
    for name in gone {
        text.push_str(&format!(" -{name}"));
    }
    Ok(text)
}

#[test]
fn updates_change_what_they_name() {
    for (source, expected) in [
        ("SET n = :two", r#"{"n":{"N":"2"}}"#),
        ("set fresh = n + :five", r#"{"fresh":{"N":"6"}}"#),
        ("SET n = n - :five", r#"{"n":{"N":"-4"}}"#),
        ("SET fresh = (n + :one)", r#"{"fresh":{"N":"2"}}"#),
        ("SET n = l, l = n", r#"{"l":{"N":"1"},"n":{"L":[{"N":"1"},{"N":"2"},{"N":"3"}]}}"#),
        ("SET fresh = if_not_exists(gone, :s), n = if_not_exists(n, :five)", r#"{"fresh":{"S":"abc"}}"#),
        ("SET cnt = if_not_exists(cnt, :one) + :one", r#"{"cnt":{"N":"2"}}"#),
        ("SET l = list_append(:list, l)", r#"{"l":{"L":[{"N":"9"},{"N":"1"},{"N":"2"},{"N":"3"}]}}"#),
        ("SET q = list_append(if_not_exists(gone, :e), :list)", r#"{"q":{"L":[{"N":"9"}]}}"#),
        (
            "SET l[0] = :s, l[9] = :two, l[7] = :one",
            r#"{"l":{"L":[{"S":"abc"},{"N":"2"},{"N":"3"},{"N":"1"},{"N":"2"}]}}"#,
        ),
        (
            "SET m.x[1].y = :s, m.z = :one",
            r#"{"m":{"M":{"x":{"L":[{"S":"a"},{"M":{"y":{"S":"abc"}}}]},"z":{"N":"1"}}}}"#,
        ),
        ("SET #dot = :one", r#"{"a.b":{"N":"1"}}"#),
        ("REMOVE n, gone", "{} -n"),
        ("REMOVE l[0], l[2]", r#"{"l":{"L":[{"N":"2"}]}}"#),
        ("REMOVE l[7]", "{}"),
        ("SET l[1] = :s REMOVE l[0]", r#"{"l":{"L":[{"S":"abc"},{"N":"3"}]}}"#),
        ("ADD n :five", r#"{"n":{"N":"6"}}"#),
        ("ADD gone :five", r#"{"gone":{"N":"5"}}"#),
        ("ADD nums :ns, fresh :ss", r#"{"fresh":{"SS":["x"]}}"#),
        ("DELETE tags :ss", r#"{"tags":{"SS":["y"]}}"#),
        ("DELETE gone :ss", "{}"),
        (
            "SET n = :two ADD cnt :one REMOVE str DELETE tags :ss",
            r#"{"cnt":{"N":"1"},"n":{"N":"2"},"tags":{"SS":["y"]}} -str"#,
        ),
    ] {
        assert_eq!(updated(source).as_deref(), Ok(expected), "{source}");
    }
}

#[test]
fn a_set_that_loses_its_last_member_goes() {
    let old = item(r#"{"pk":{"S":"k"},"tags":{"SS":["x"]}}"#);
    let update = parse_update("DELETE tags :ss", &mut placeholders()).unwrap();
    assert_eq!(update.apply(&old).unwrap(), item(r#"{"pk":{"S":"k"}}"#));
}

#[test]
fn updates_that_do_not_fit_are_refused_in_dynamodb_s_words() {
    let missing = "The provided expression refers to an attribute that does not exist in the item";
    let wrong = "An operand in the update expression has an incorrect data type";
    let path = "The document path provided in the update expression is invalid for update";
    for (source, message) in [
        ("SET a = gone", missing),
        ("SET a = gone + :one", missing),
        ("SET a = str + :one", wrong),
        ("SET a = list_append(str, :list)", wrong),
        ("ADD str :one", wrong),
        ("ADD tags :ns", wrong),
        ("DELETE nums :ss", wrong),
        ("SET gone.a = :one", path),
        ("SET n.a = :one", path),
        ("SET m[0] = :one", path),
        ("SET l.a = :one", path),
        ("REMOVE gone.a", path),
        ("DELETE gone.a :ss", path),
    ] {
        assert_eq!(updated(source).unwrap_err(), message, "{source}");
    }
}

#[test]
fn update_expressions_that_dynamodb_refuses_are_refused_in_its_words() {
    for (source, message) in [
        ("", "The expression can not be empty;"),
        ("INVALID SYNTAX HERE", "Syntax error; token: \"INVALID\", near: \"INVALID SYNTAX\""),
        ("SET n", "Syntax error; token: \"<EOF>\", near: \"n\""),
        ("SET n = :one,", "Syntax error; token: \"<EOF>\", near: \",\""),
        ("SET n = :one + :two + :five", "Syntax error; token: \"+\", near: \":two + :five\""),
        ("ADD n m", "Syntax error; token: \"m\", near: \"n m\""),
        ("SET n = :one SET str = :s", "The \"SET\" section can only be used once in an update expression;"),
        ("REMOVE a REMOVE b", "The \"REMOVE\" section can only be used once in an update expression;"),
        ("SET status = :s", "Attribute name is a reserved keyword; reserved keyword: status"),
        (
            "SET n = :gone",
            "An expression attribute value used in expression is not defined; attribute value: :gone",
        ),
        ("SET n = size(l)", "The function is not allowed in an update expression; function: size"),
        ("SET n = frob(l)", "Invalid function name; function: frob"),
        (
            "SET n = if_not_exists(n)",
            "Incorrect number of operands for operator or function; operator or function: if_not_exists, number of operands: 1",
        ),
        (
            "SET n = if_not_exists(:one, n)",
            "Operator or function requires a document path; operator or function: if_not_exists",
        ),
        (
            "SET n = :s + :one",
            "Incorrect operand type for operator or function; operator or function: +, operand type: S",
        ),
        (
            "SET n = list_append(:one, l)",
            "Incorrect operand type for operator or function; operator or function: list_append, operand type: N",
        ),
        (
            "ADD n :s",
            "Incorrect operand type for operator or function; operator: ADD, operand type: STRING, typeSet: ALLOWED_FOR_ADD_OPERAND",
        ),
        (
            "DELETE n :one",
            "Incorrect operand type for operator or function; operator: DELETE, operand type: NUMBER, typeSet: ALLOWED_FOR_DELETE_OPERAND",
        ),
        (
            "SET m.x = :one REMOVE m",
            "Two document paths overlap with each other; must remove or rewrite one of these paths; path one: [m, x], path two: [m]",
        ),
        (
            "SET n = :one, n = :two",
            "Two document paths overlap with each other; must remove or rewrite one of these paths; path one: [n], path two: [n]",
        ),
        (
            "SET m.x = :one, m[0] = :two",
            "Two document paths conflict with each other; must remove or rewrite one of these paths; path one: [m, x], path two: [m, [0]]",
        ),
    ] {
        assert_eq!(updated(source).unwrap_err(), format!("Invalid UpdateExpression: {message}"), "{source}");
    }
}

/// A mutation of item `k` / 1 of the table, with a condition.
fn mutation(action: Action, condition: Option<&str>) -> Mutation {
    let key = schema().key_of_map(&item(r#"{"pk":{"S":"k"},"sk":{"N":"1"}}"#)).unwrap();
    let condition =
        condition.map(|source| parse_condition("ConditionExpression", source, &mut placeholders()).unwrap());
    Mutation { table: "t".to_owned(), key, action, condition }
}

#[test]
fn a_mutation_takes_place_when_its_condition_holds_and_else_shows_the_item() {
    let old = item(r#"{"pk":{"S":"k"},"sk":{"N":"1"},"n":{"N":"1"}}"#);
    let new = item(r#"{"pk":{"S":"k"},"sk":{"N":"1"},"n":{"N":"2"}}"#);
    let put = |condition| mutation(Action::Put(new.clone()), condition);
    let done = apply(&put(Some("n = :one")), &schema(), Some(&old));
    assert_eq!((done.change, done.reply.unwrap().old), (Change::Put(new.clone()), Some(old.clone())));
    let refused = apply(&put(Some("attribute_not_exists(pk)")), &schema(), Some(&old));
    assert_eq!(refused.change, Change::Keep);
    assert_eq!(refused.reply, Err(MutationRefused::ConditionalCheckFailed { item: Some(old.clone()) }));
    let absent = apply(&put(Some("n = :one")), &schema(), None);
    assert_eq!(absent.reply, Err(MutationRefused::ConditionalCheckFailed { item: None }));
    let deleted = apply(&mutation(Action::Delete, None), &schema(), Some(&old));
    assert_eq!((deleted.change, deleted.reply.unwrap().old), (Change::Delete, Some(old)));
    assert_eq!(apply(&mutation(Action::Delete, None), &schema(), None).change, Change::Keep);
}

#[test]
fn an_update_of_an_absent_item_starts_from_its_key() {
    let update = parse_update("SET n = :one", &mut placeholders()).unwrap();
    let done = apply(&mutation(Action::Update(update), None), &schema(), None);
    let new = item(r#"{"pk":{"S":"k"},"sk":{"N":"1"},"n":{"N":"1"}}"#);
    assert_eq!(done.change, Change::Put(new.clone()));
    let reply = done.reply.unwrap();
    assert_eq!((reply.old, reply.new), (None, Some(new)));
    let bare = apply(&mutation(Action::Update(Update::default()), None), &schema(), None);
    assert_eq!(bare.change, Change::Put(item(r#"{"pk":{"S":"k"},"sk":{"N":"1"}}"#)));
}

#[test]
fn an_item_above_400_kb_is_refused_and_the_old_one_stays() {
    let big =
        format!(r#"{{"pk":{{"S":"k"}},"sk":{{"N":"1"}},"x":{{"S":"{}"}}}}"#, "x".repeat(400 * 1024 - 8));
    let at_limit = item(&big);
    assert!(matches!(
        apply(&mutation(Action::Put(at_limit.clone()), None), &schema(), None).change,
        Change::Put(_)
    ));
    let update = parse_update("SET y = :one", &mut placeholders()).unwrap();
    let refused = apply(&mutation(Action::Update(update), None), &schema(), Some(&at_limit));
    assert_eq!(refused.change, Change::Keep);
    assert_eq!(refused.reply, Err(MutationRefused::ItemTooLarge { after_update: true }));
}

#[test]
fn an_update_cannot_nest_deeper_than_an_item_may() {
    let nested = |depth: usize| format!("{}{{\"N\":\"1\"}}{}", "{\"L\":[".repeat(depth), "]}".repeat(depth));
    let old = item(&format!(r#"{{"deep":{},"m":{{"M":{{}}}}}}"#, nested(32)));
    let update = |source| parse_update(source, &mut placeholders()).unwrap().apply(&old);
    assert!(update("SET attr9 = deep").is_ok());
    assert!(update("SET m.a = deep[0]").is_ok());
    assert!(update("SET m.a = deep").unwrap_err().to_string().starts_with("Nesting Levels"));
}

#[test]
fn mutations_survive_the_log_s_encoding() {
    let update = parse_update(
        "SET m.x[1] = if_not_exists(n, :one) + :two, q = list_append(l, :list) REMOVE str ADD nums :ns DELETE tags :ss",
        &mut placeholders(),
    )
    .unwrap();
    let condition =
        "NOT (n IN (:one, :two) OR size(l) > :five) AND begins_with(str, :ab) AND attribute_type(n, :N)";
    let mutation = mutation(Action::Update(update), Some(condition));
    let bytes = postcard::to_stdvec(&mutation).unwrap();
    assert_eq!(postcard::from_bytes::<Mutation>(&bytes).unwrap(), mutation);
}
