//! The list of mutations is up to date: every rule that it breaks is still there, once.
//!
//! Whether breaking them is noticed takes longer: `examples/mutations/run.sh`.

#[path = "../examples/mutations/rules.rs"]
mod rules;

use std::collections::BTreeSet;

#[test]
fn every_rule_of_the_list_is_still_in_the_checker() {
    let rules = rules::read().expect("the list can be read");
    assert!(rules.len() > 50, "only {} rules", rules.len());
    let names: BTreeSet<_> = rules.iter().map(|rule| (&rule.file, &rule.name)).collect();
    assert_eq!(names.len(), rules.len(), "two rules of one file have one name");
    let faults: Vec<String> = rules
        .iter()
        .filter_map(|rule| {
            let path = rules::root().join(&rule.file);
            let text = std::fs::read_to_string(&path).map_err(|error| format!("{}: {error}", rule.file));
            text.and_then(|text| rule.broken(&text)).err()
        })
        .collect();
    assert!(faults.is_empty(), "{}", faults.join("\n"));
}
