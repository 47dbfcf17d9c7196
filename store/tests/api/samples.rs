//! Items, placeholders and a table to test expressions with.

use std::collections::BTreeMap;

use growler_store::expression::Placeholders;
use growler_store::item::json::{RawItem, check_item};
use growler_store::item::{Billing, Item, KeyAttribute, KeyType, TableSchema};

pub(crate) fn item(json: &str) -> Item {
    check_item(serde_json::from_str::<RawItem>(json).unwrap()).unwrap()
}

/// Placeholders for the tests: `#n` is `name`, `#dot` is `a.b`, and a value of each kind.
pub(crate) fn placeholders() -> Placeholders {
    let names = BTreeMap::from([("#n".to_owned(), "name".to_owned()), ("#dot".to_owned(), "a.b".to_owned())]);
    let values = item(
        r#"{":one":{"N":"1"},":two":{"N":"2"},":five":{"N":"5"},":s":{"S":"abc"},":ab":{"S":"ab"},":b":{"B":"AAE="},
            ":t":{"BOOL":true},":null":{"NULL":true},":list":{"L":[{"N":"9"}]},":map":{"M":{}},":ss":{"SS":["x"]},
            ":ns":{"NS":["1"]},":N":{"S":"N"},":Q":{"S":"Q"},":e":{"L":[]}}"#,
    );
    Placeholders::new(Some(names), Some(values)).unwrap()
}

pub(crate) fn subject() -> Item {
    item(
        r#"{"pk":{"S":"k"},"n":{"N":"1"},"m":{"M":{"x":{"L":[{"S":"a"},{"M":{"y":{"N":"2"}}}]}}},"str":{"S":"abcd"},
            "bin":{"B":"AAECAw=="},"tags":{"SS":["x","y"]},"nums":{"NS":["1","2"]},"l":{"L":[{"N":"1"},{"N":"2"},{"N":"3"}]},
            "yes":{"BOOL":true},"name":{"S":"Ann"},"a.b":{"N":"7"},"uni":{"S":"grün"}}"#,
    )
}

pub(crate) fn schema() -> TableSchema {
    TableSchema {
        name: "t".to_owned(),
        hash: KeyAttribute { name: "pk".to_owned(), kind: KeyType::S },
        range: Some(KeyAttribute { name: "sk".to_owned(), kind: KeyType::N }),
        billing: Billing::PayPerRequest,
    }
}
