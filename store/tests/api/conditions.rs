//! Conditions, projections and key conditions: what the grammar takes, what it refuses and in which
//! words, and what trees evaluate to against an item.

use std::collections::BTreeMap;

use growler_store::expression::{
    Placeholders, parse_condition, parse_key_condition, parse_projection, parse_update,
};
use growler_store::item::json::Wire;
use growler_store::item::{KeyValue, SortCondition};
use proptest::prelude::*;

use crate::samples::{item, placeholders, schema, subject};

fn holds(source: &str) -> bool {
    parse_condition("ConditionExpression", source, &mut placeholders()).unwrap().holds(&subject())
}

fn condition_error(source: &str) -> String {
    parse_condition("ConditionExpression", source, &mut placeholders()).unwrap_err().to_string()
}

#[test]
fn conditions_evaluate_as_dynamodb_s_do() {
    for (source, expected) in [
        ("n = :one", true),
        (":one = n", true),
        ("n <> :one", false),
        ("n < :two AND n >= :one", true),
        ("n < :s", false),
        ("n <> :s", true),
        ("gone = :one", false),
        ("gone <> :one", true),
        ("NOT gone = :one", true),
        ("n BETWEEN :one AND :two", true),
        ("n between :two and :five", false),
        ("n IN (:two, :one)", true),
        ("n IN (:two, :s)", false),
        ("attribute_exists(m.x[1].y)", true),
        ("attribute_exists(m.x[2])", false),
        ("attribute_exists(m.x.y)", false),
        ("attribute_not_exists(gone) AND attribute_exists(pk)", true),
        ("attribute_type(n, :N)", true),
        ("attribute_type(str, :N)", false),
        ("begins_with(str, :ab)", true),
        ("begins_with(bin, :b)", true),
        ("begins_with(n, :ab)", false),
        ("contains(str, :ab)", true),
        ("contains(bin, :b)", true),
        ("contains(tags, :ab)", false),
        ("contains(nums, :one)", true),
        ("contains(l, :two)", true),
        ("contains(l, :five)", false),
        ("size(l) = :one", false),
        ("size(str) > :two", true),
        ("size(uni) < :five", true),
        ("size(n) = :one", false),
        ("size(gone) = :one", false),
        ("#n = :s OR #dot > :five", true),
        ("n = :two OR n = :one AND yes = :t", true),
        ("(n = :two OR n = :one) AND yes = :null", false),
        ("NOT (n = :two) AND NOT yes = :null", true),
        ("not not n = :one", true),
        ("(n) = (:one)", true),
        ("n=:one and(yes=:t)", true),
    ] {
        assert_eq!(holds(source), expected, "{source}");
    }
}

#[test]
fn what_is_no_condition_is_a_syntax_error_that_names_the_place() {
    let long = format!("n = :one{}", " ".repeat(4096));
    for (source, message) in [
        ("", "The expression can not be empty;"),
        (&long, "Expression size has exceeded the maximum allowed size; expression size: 4104"),
        ("n", "Syntax error; token: \"<EOF>\", near: \"n\""),
        ("n = = :one", "Syntax error; token: \"=\", near: \"= = :one\""),
        ("n = :one n", "Syntax error; token: \"n\", near: \":one n\""),
        ("n = 1", "Syntax error; token: \"1\", near: \"= 1\""),
        ("n % :one", "Syntax error; token: \"%\", near: \"n % :one\""),
        ("(n = :one", "Syntax error; token: \"<EOF>\", near: \":one\""),
        ("l[-1] = :one", "Syntax error; token: \"-\", near: \"[-1\""),
        ("l[99999999999] = :one", "Syntax error; token: \"99999999999\", near: \"[99999999999]\""),
        ("n = :one AND", "Syntax error; token: \"<EOF>\", near: \"AND\""),
        ("size = :gone garbage", "Syntax error; token: \"garbage\", near: \":gone garbage\""),
    ] {
        assert_eq!(condition_error(source), format!("Invalid ConditionExpression: {message}"), "{source}");
    }
}

#[test]
fn conditions_that_make_no_sense_are_refused_in_dynamodb_s_words() {
    let many = vec!["n = :one"; 151].join(" OR ");
    let operands = vec![":one"; 101].join(", ");
    for (source, message) in [
        ("((n = :one))", "The expression has redundant parentheses;"),
        ("((n)) = :one", "The expression has redundant parentheses;"),
        ("frob(n)", "Invalid function name; function: frob"),
        (
            "if_not_exists(n, :one) = :one",
            "The function is not allowed in a condition expression; function: if_not_exists",
        ),
        ("size(n)", "The function is not allowed to be used this way in an expression; function: size"),
        (
            "begins_with(n, :s) = :t",
            "The function is not allowed to be used this way in an expression; function: begins_with",
        ),
        (
            "contains(str, size(str)) AND status = :s",
            "Attribute name is a reserved keyword; reserved keyword: status",
        ),
        ("Name = :s", "Attribute name is a reserved keyword; reserved keyword: Name"),
        ("m.value = :s", "Attribute name is a reserved keyword; reserved keyword: value"),
        (
            "#gone = :s",
            "An expression attribute name used in the document path is not defined; attribute name: #gone",
        ),
        (
            "n = :gone",
            "An expression attribute value used in expression is not defined; attribute value: :gone",
        ),
        (
            "size(n, l) = :one",
            "Incorrect number of operands for operator or function; operator or function: size, number of operands: 2",
        ),
        (
            "attribute_exists(:s)",
            "Operator or function requires a document path; operator or function: attribute_exists",
        ),
        (
            "begins_with(str, :one)",
            "Incorrect operand type for operator or function; operator or function: begins_with, operand type: N",
        ),
        (
            "attribute_type(n, :one)",
            "Incorrect operand type for operator or function; operator or function: attribute_type, operand type: N",
        ),
        (
            "attribute_type(n, :Q)",
            "Invalid attribute type name found; type: Q, valid types: {B,NULL,SS,BOOL,L,BS,N,NS,S,M}",
        ),
        (
            "size(:one) = n",
            "Incorrect operand type for operator or function; operator or function: size, operand type: N",
        ),
        (
            "n = n",
            "The first operand must be distinct from the remaining operands for this operator or function; operator: =, first operand: [n]",
        ),
        (
            "contains(m.x[0], m.x[0])",
            "The first operand must be distinct from the remaining operands for this operator or function; operator: contains, first operand: [m, x, [0]]",
        ),
        (&many, "The expression contains too many operators; operator count: 301, maximum: 300"),
        (
            &format!("n IN ({operands})"),
            "The IN operator is provided with too many operands; number of operands: 101",
        ),
    ] {
        assert_eq!(condition_error(source), format!("Invalid ConditionExpression: {message}"), "{source}");
    }
}

#[test]
fn bounds_that_no_value_can_be_between_are_refused() {
    for (source, message) in [
        (
            "n BETWEEN :five AND :two",
            "The BETWEEN operator requires upper bound to be greater than or equal to lower bound; lower bound operand: AttributeValue: {N:5}, upper bound operand: AttributeValue: {N:2}",
        ),
        (
            "n BETWEEN :s AND :two",
            "The BETWEEN operator requires same data type for lower and upper bounds; lower bound operand: AttributeValue: {S:abc}, upper bound operand: AttributeValue: {N:2}",
        ),
    ] {
        assert_eq!(condition_error(source), format!("Invalid ConditionExpression: {message}"), "{source}");
    }
}

#[test]
fn nesting_is_bounded_and_its_bound_fits_half_a_usual_stack() {
    let check = || {
        for source in ["(".repeat(4000), "NOT ".repeat(1000), "size(".repeat(800), "NOT (".repeat(800)] {
            let message = condition_error(&source);
            assert!(message.contains("too many levels of nesting"), "{message}");
        }
        for source in ["list_append(".repeat(300), "(".repeat(4000)] {
            let update = parse_update(&format!("SET a = {source}"), &mut placeholders());
            assert!(update.unwrap_err().to_string().contains("too many levels of nesting"));
        }
    };
    std::thread::Builder::new().stack_size(1 << 20).spawn(check).unwrap().join().unwrap();
}

#[test]
fn projections_keep_the_shape_around_what_they_take() {
    for (source, expected) in [
        ("n, gone", r#"{"n":{"N":"1"}}"#),
        ("m.x[1].y", r#"{"m":{"M":{"x":{"L":[{"M":{"y":{"N":"2"}}}]}}}}"#),
        ("l[2], l[0]", r#"{"l":{"L":[{"N":"1"},{"N":"3"}]}}"#),
        ("l[9], m.gone, n.x", "{}"),
        ("#dot", r#"{"a.b":{"N":"7"}}"#),
    ] {
        let projection = parse_projection(source, &mut placeholders()).unwrap();
        assert_eq!(
            serde_json::to_string(&Wire(&projection.apply(&subject()))).unwrap(),
            expected,
            "{source}"
        );
    }
    for (source, message) in [
        ("!!! INVALID !!!", "Syntax error; token: \"!\", near: \"!!\""),
        (
            "m, m.x",
            "Two document paths overlap with each other; must remove or rewrite one of these paths; path one: [m], path two: [m, x]",
        ),
    ] {
        let error = parse_projection(source, &mut placeholders()).unwrap_err();
        assert_eq!(error.to_string(), format!("Invalid ProjectionExpression: {message}"));
    }
}

#[test]
fn key_conditions_fix_the_hash_key_and_bound_the_sort_key() {
    let n = |text: &str| KeyValue::N(text.parse().unwrap());
    for (source, sort) in [
        ("pk = :s", SortCondition::Any),
        (":s = pk", SortCondition::Any),
        ("pk = :s AND sk = :one", SortCondition::Equal(n("1"))),
        ("sk < :one AND pk = :s", SortCondition::Less(n("1"))),
        ("pk = :s AND :one < sk", SortCondition::Greater(n("1"))),
        ("(pk = :s) AND (sk >= :one)", SortCondition::GreaterOrEqual(n("1"))),
        ("(pk = :s AND sk BETWEEN :one AND :two)", SortCondition::Between(n("1"), n("2"))),
    ] {
        let condition = parse_key_condition(source, &mut placeholders()).unwrap();
        assert_eq!(condition.for_schema(&schema()), Ok((KeyValue::S("abc".to_owned()), sort)), "{source}");
    }
}

#[test]
fn key_conditions_that_are_none_are_refused_in_dynamodb_s_words() {
    for (source, message) in [
        ("sk = :one", "Query condition missed key schema element: pk"),
        ("attr9 = :one", "Query condition missed key schema element: pk"),
        ("pk = :s AND attr9 = :one", "Query condition missed key schema element: sk"),
        ("pk > :s", "Query key condition not supported"),
        (
            "pk = :s AND begins_with(sk, :s)",
            "One or more parameter values were invalid: Condition parameter type does not match schema type",
        ),
        (
            "pk = :one",
            "One or more parameter values were invalid: Condition parameter type does not match schema type",
        ),
        ("pk = :s OR sk = :one", "Invalid operator used in KeyConditionExpression: OR"),
        ("pk <> :s", "Invalid operator used in KeyConditionExpression: <>"),
        (
            "pk = :s AND attribute_exists(sk)",
            "Invalid operator used in KeyConditionExpression: attribute_exists",
        ),
        (
            "pk = :s AND sk > :one AND sk < :five",
            "KeyConditionExpressions must only contain one condition per key",
        ),
        ("pk.a = :s", "KeyConditionExpressions cannot have conditions on nested attributes"),
        (
            "pk = sk",
            "Invalid condition in KeyConditionExpression: Multiple attribute names used in one condition",
        ),
        ("size(pk) = :one", "KeyConditionExpressions cannot contain nested operations"),
        ("pk = ", "Invalid KeyConditionExpression: Syntax error; token: \"<EOF>\", near: \"=\""),
    ] {
        let error = parse_key_condition(source, &mut placeholders())
            .and_then(|condition| condition.for_schema(&schema()))
            .unwrap_err();
        assert_eq!(error.to_string(), message, "{source}");
    }
}

#[test]
fn placeholders_must_be_well_formed_and_used() {
    let names = |key: &str| Some(BTreeMap::from([(key.to_owned(), "name".to_owned())]));
    let error = |names, values| Placeholders::new(names, values).unwrap_err().to_string();
    assert_eq!(error(Some(BTreeMap::new()), None), "ExpressionAttributeNames must not be empty");
    assert_eq!(
        error(names("n"), None),
        "ExpressionAttributeNames contains invalid key: Syntax error; key: \"n\""
    );
    let mut some = Placeholders::new(names("#x"), Some(item(r#"{":v":{"S":"x"},":w":{"S":"y"}}"#))).unwrap();
    assert_eq!(
        some.all_used().unwrap_err().to_string(),
        "Value provided in ExpressionAttributeNames unused in expressions: keys: {#x}"
    );
    parse_condition("FilterExpression", "#x = :v", &mut some).unwrap();
    assert_eq!(
        some.all_used().unwrap_err().to_string(),
        "Value provided in ExpressionAttributeValues unused in expressions: keys: {:w}"
    );
}

/// Pieces that expressions are made of, so that random ones come close to real ones.
fn pieces() -> impl Strategy<Value = String> {
    let piece = prop_oneof![
        Just("n"),
        Just("m"),
        Just("#n"),
        Just(":one"),
        Just(":s"),
        Just(":ss"),
        Just("("),
        Just(")"),
        Just(","),
        Just("."),
        Just("["),
        Just("]"),
        Just("0"),
        Just("="),
        Just("<>"),
        Just("<="),
        Just("+"),
        Just("-"),
        Just("AND"),
        Just("OR"),
        Just("NOT"),
        Just("BETWEEN"),
        Just("IN"),
        Just("size"),
        Just("contains"),
        Just("attribute_exists"),
        Just("if_not_exists"),
        Just("list_append"),
        Just("SET"),
        Just("REMOVE"),
        Just("ADD"),
        Just("DELETE"),
        Just("é"),
        Just("\u{0}"),
        Just("#"),
        Just(":"),
        Just("1x"),
    ];
    proptest::collection::vec(piece, 0..24).prop_map(|pieces| pieces.join(" "))
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(500))]

    #[test]
    fn no_text_makes_the_parsers_or_the_evaluation_panic(source in pieces()) {
        if let Ok(condition) = parse_condition("ConditionExpression", &source, &mut placeholders()) {
            let _ = condition.holds(&subject());
        }
        if let Ok(update) = parse_update(&source, &mut placeholders()) {
            let _ = update.apply(&subject());
        }
        if let Ok(projection) = parse_projection(&source, &mut placeholders()) {
            let _ = projection.apply(&subject());
        }
        if let Ok(condition) = parse_key_condition(&source, &mut placeholders()) {
            let _ = condition.for_schema(&schema());
        }
    }
}
