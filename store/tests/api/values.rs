//! Values as the store keeps them: exact numbers, sizes, and both encodings.

use growler_store::item::json::{RawItem, Wire, check_item};
use growler_store::item::size::item_size;
use growler_store::item::{AttributeValue, Item, Number, NumberError};
use proptest::prelude::*;

use crate::samples::item;

pub(crate) fn number(text: &str) -> Number {
    text.parse().unwrap()
}

fn ordered(number: &Number) -> Vec<u8> {
    let mut bytes = Vec::new();
    number.write_ordered(&mut bytes);
    bytes
}

/// A decimal as an integer count of 10^-10: the oracle for numbers that are neither large nor fine.
const SCALE: i32 = 10;

fn scaled(mantissa: i64, exponent: i32) -> i128 {
    i128::from(mantissa) * 10i128.pow(u32::try_from(exponent + SCALE).unwrap())
}

fn decimal() -> impl Strategy<Value = (i64, i32)> {
    (-999_999_999_999_999i64..=999_999_999_999_999, -SCALE..=SCALE)
}

/// Any number that there is, by its text.
fn any_number() -> impl Strategy<Value = Number> {
    ("-?[1-9][0-9]{0,37}", -130i32..=125).prop_filter_map("in range", |(digits, exponent)| {
        format!("{digits}E{exponent}").parse::<Number>().ok()
    })
}

proptest! {
    #[test]
    fn numbers_order_and_add_as_integers_do(left in decimal(), right in decimal()) {
        let (a, b) = (number(&format!("{}E{}", left.0, left.1)), number(&format!("{}e{}", right.0, right.1)));
        let (x, y) = (scaled(left.0, left.1), scaled(right.0, right.1));
        prop_assert_eq!(a.cmp(&b), x.cmp(&y));
        prop_assert_eq!(ordered(&a).cmp(&ordered(&b)), x.cmp(&y));
        prop_assert_eq!(a == b, x == y);
        let sum = number(&format!("{}E-{SCALE}", x + y));
        prop_assert_eq!(a.checked_add(&b), Ok(sum));
        prop_assert_eq!(a.checked_sub(&b), Ok(number(&format!("{}E-{SCALE}", x - y))));
    }

    #[test]
    fn the_bytes_of_a_number_sort_as_it_does(a in any_number(), b in any_number()) {
        prop_assert_eq!(ordered(&a).cmp(&ordered(&b)), a.cmp(&b));
    }

    #[test]
    fn canonical_text_reads_back_and_has_no_exponent(a in any_number()) {
        let text = a.to_string();
        prop_assert!(!text.contains(['e', 'E', '+']));
        prop_assert!(!text.contains('.') || !text.ends_with('0'));
        prop_assert_eq!(number(&text), a);
    }

    #[test]
    fn a_sum_is_exact_or_refused(a in any_number(), b in any_number()) {
        if let Ok(sum) = a.checked_add(&b) {
            prop_assert_eq!(sum.checked_sub(&b), Ok(a));
            prop_assert_eq!(sum.checked_sub(&a), Ok(b));
        }
    }
}

#[test]
fn number_texts_become_canonical() {
    for (text, canonical) in [
        ("0", "0"),
        ("-0.00", "0"),
        ("+7", "7"),
        ("00042", "42"),
        ("1.0", "1"),
        ("3.1400", "3.14"),
        ("1.5E2", "150"),
        (".5", "0.5"),
        ("-12.50e-1", "-1.25"),
        ("1E-5", "0.00001"),
        ("0E999999999999999999999", "0"),
        ("99999999999999999999999999999999999999", "99999999999999999999999999999999999999"),
    ] {
        assert_eq!(number(text).to_string(), canonical, "{text}");
    }
    assert_eq!(number("1E125").to_string().len(), 126);
    assert_eq!(number("-1E-130").to_string().len(), 3 + 130);
}

#[test]
fn what_is_no_number_or_out_of_range_is_refused_by_name() {
    for text in ["x", "1x", "--1", "1.2.3", "1e", "e5", ".", "-", " 1", "1 ", "0x10", "NaN", "Infinity", "١"]
    {
        assert_eq!(text.parse::<Number>(), Err(NumberError::NotANumber(text.to_owned())), "{text}");
    }
    assert_eq!("".parse::<Number>(), Err(NumberError::Empty));
    assert_eq!("1E126".parse::<Number>(), Err(NumberError::Overflow));
    assert_eq!("-1E99999999999999999999".parse::<Number>(), Err(NumberError::Overflow));
    assert_eq!("9E-131".parse::<Number>(), Err(NumberError::Underflow));
    assert_eq!(format!("1{}1", "0".repeat(37)).parse::<Number>(), Err(NumberError::TooPrecise));
}

#[test]
fn arithmetic_at_the_edges_is_exact_or_refused() {
    let most = number("99999999999999999999999999999999999999");
    assert_eq!(
        most.checked_add(&number("1")).unwrap().to_string(),
        "100000000000000000000000000000000000000"
    );
    assert_eq!(number("1E38").checked_sub(&number("1")), Ok(most));
    assert_eq!(most.checked_add(&number("2")), Err(NumberError::TooPrecise));
    assert_eq!(number("1E125").checked_add(&number("1E-130")), Err(NumberError::TooPrecise));
    assert_eq!(number("9E125").checked_add(&number("9E125")), Err(NumberError::Overflow));
    assert_eq!(number("1.1E-130").checked_sub(&number("1E-130")), Err(NumberError::Underflow));
    assert_eq!(number("5").checked_sub(&number("5")), Ok(Number::ZERO));
}

const EVERY_TYPE: &str = r#"{"b":{"B":"AP8="},"bs":{"BS":["AA==","AQ=="]},"l":{"L":[{"S":"x"},{"L":[]}]},"m":{"M":{"a":{"M":{}}}},"n":{"N":"-1.5"},"no":{"NULL":true},"ns":{"NS":["-2","1"]},"s":{"S":"grüße"},"ss":{"SS":["x","y"]},"t":{"BOOL":false}}"#;

#[test]
fn values_survive_both_encodings() {
    let value = item(EVERY_TYPE);
    assert_eq!(serde_json::to_string(&Wire(&value)).unwrap(), EVERY_TYPE);
    let bytes = postcard::to_stdvec(&value).unwrap();
    assert_eq!(postcard::from_bytes::<Item>(&bytes).unwrap(), value);
}

#[test]
fn sizes_are_dynamodb_s() {
    for (json, size) in [
        (r#"{"pk":{"S":"abc"}}"#, 5),
        (r#"{"a":{"S":"ü"}}"#, 3),
        (r#"{"a":{"N":"0"}}"#, 2),
        (r#"{"a":{"N":"12345"}}"#, 5),
        (r#"{"a":{"N":"-12345"}}"#, 6),
        (r#"{"a":{"BOOL":true},"b":{"NULL":true}}"#, 4),
        (r#"{"a":{"B":"AAAA"}}"#, 4),
        (r#"{"a":{"L":[{"S":"x"},{"S":"yz"}]}}"#, 1 + 3 + 2 + 3),
        (r#"{"a":{"M":{"k":{"S":"v"}}}}"#, 1 + 3 + 3),
        (r#"{"a":{"SS":["x","yz"]}}"#, 4),
    ] {
        assert_eq!(item_size(&item(json)), size, "{json}");
    }
}

#[test]
fn senseless_values_are_refused_in_dynamodb_s_words() {
    let nested = format!("{}{{\"S\":\"x\"}}{}", "{\"L\":[".repeat(33), "]}".repeat(33));
    for (json, message) in [
        ("{}", "Supplied AttributeValue is empty, must contain exactly one of the supported datatypes"),
        (
            r#"{"S":"a","N":"1"}"#,
            "Supplied AttributeValue has more than one datatypes set, must contain exactly one of the supported datatypes",
        ),
        (r#"{"N":"abc"}"#, "The parameter cannot be converted to a numeric value: abc"),
        (r#"{"SS":[]}"#, "One or more parameter values were invalid: An string set  may not be empty"),
        (r#"{"BS":[]}"#, "One or more parameter values were invalid: Binary sets should not be empty"),
        (
            r#"{"SS":["a","a"]}"#,
            "One or more parameter values were invalid: Input collection [a, a] contains duplicates.",
        ),
        (r#"{"NS":["1","1.0"]}"#, "Input collection contains duplicates"),
        (
            r#"{"NULL":false}"#,
            "One or more parameter values were invalid: Null attribute value types must have the value of true",
        ),
        (
            &nested,
            "Nesting Levels have exceeded supported limits: Attributes have nested levels beyond supported limit",
        ),
    ] {
        let raw = serde_json::from_str::<RawItem>(&format!("{{\"a\":{json}}}")).unwrap();
        assert_eq!(check_item(raw).unwrap_err().to_string(), message);
    }
    let deepest = format!("{}{{\"S\":\"x\"}}{}", "{\"L\":[".repeat(32), "]}".repeat(32));
    assert_eq!(item(&format!("{{\"a\":{deepest}}}"))["a"].depth(), 32);
}

#[test]
fn equal_sets_are_equal_bytes_whatever_their_order() {
    let (left, right) = (item(r#"{"a":{"SS":["x","y"]}}"#), item(r#"{"a":{"SS":["y","x"]}}"#));
    assert_eq!(postcard::to_stdvec(&left).unwrap(), postcard::to_stdvec(&right).unwrap());
    assert!(matches!(&left["a"], AttributeValue::Ss(set) if set.len() == 2));
}
