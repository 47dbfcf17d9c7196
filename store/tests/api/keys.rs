//! Storage keys: their byte order is the sort order, and ranges of them are what queries ask for.

use std::ops::RangeBounds;

use bytes::Bytes;
use growler_store::item::key::{is_void, resume, segment_range};
use growler_store::item::{KeyValue, PrimaryKey, SortCondition};
use proptest::prelude::*;

use crate::values::number;

/// Short strings over bytes that are hard for encodings.
fn hard_bytes() -> impl Strategy<Value = KeyValue> {
    proptest::collection::vec(prop_oneof![Just(0u8), Just(1), Just(0xfe), Just(0xff)], 1..4)
        .prop_map(|bytes| KeyValue::B(Bytes::from(bytes)))
}

fn key(hash: &KeyValue, range: &KeyValue) -> PrimaryKey {
    PrimaryKey { hash: hash.clone(), range: Some(range.clone()) }
}

proptest! {
    #[test]
    fn storage_keys_keep_hash_keys_apart_and_sort_keys_in_order(
        h1 in hard_bytes(), h2 in hard_bytes(), r1 in hard_bytes(), r2 in hard_bytes(),
    ) {
        let (a, b) = (key(&h1, &r1).storage_key(), key(&h2, &r2).storage_key());
        prop_assert_eq!(a == b, (&h1, &r1) == (&h2, &r2));
        prop_assert_eq!(a.starts_with(&h2.storage_prefix()), h1 == h2);
        prop_assert_eq!(key(&h1, &r1).storage_key().cmp(&key(&h1, &r2).storage_key()), r1.cmp(&r2));
    }

    #[test]
    fn a_sort_condition_s_range_holds_just_the_keys_that_fulfil_it(
        hash in hard_bytes(), other in hard_bytes(), range in hard_bytes(), x in hard_bytes(), y in hard_bytes(),
    ) {
        let starts = matches!((&range, &x), (KeyValue::B(range), KeyValue::B(x)) if range.starts_with(x));
        for (condition, fulfilled) in [
            (SortCondition::Any, true),
            (SortCondition::Equal(x.clone()), range == x),
            (SortCondition::Less(x.clone()), range < x),
            (SortCondition::LessOrEqual(x.clone()), range <= x),
            (SortCondition::Greater(x.clone()), range > x),
            (SortCondition::GreaterOrEqual(x.clone()), range >= x),
            (SortCondition::Between(x.clone(), y.clone()), x <= range && range <= y),
            (SortCondition::BeginsWith(x.clone()), starts),
        ] {
            let bounds = condition.storage_range(&hash);
            let found = !is_void(&bounds) && bounds.contains(&key(&hash, &range).storage_key());
            prop_assert_eq!(found, fulfilled, "{:?}", condition);
            let stray = bounds.contains(&key(&other, &range).storage_key());
            prop_assert!(other == hash || !stray, "{:?}", condition);
        }
    }

    #[test]
    fn a_range_resumes_behind_its_start(hash in hard_bytes(), at in hard_bytes(), range in hard_bytes()) {
        let whole = SortCondition::Any.storage_range(&hash);
        let found = |forward| resume(whole.clone(), &key(&hash, &at), forward).contains(&key(&hash, &range).storage_key());
        prop_assert_eq!(found(true), range > at);
        prop_assert_eq!(found(false), range < at);
    }

    #[test]
    fn every_key_is_in_exactly_one_segment(hash in hard_bytes(), range in hard_bytes(), total in 1u32..9) {
        let stored = key(&hash, &range).storage_key();
        let holders = (0..total).filter(|segment| segment_range(*segment, total).contains(&stored)).count();
        prop_assert_eq!(holders, 1);
    }
}

#[test]
fn the_hash_of_a_key_is_fixed_for_ever() {
    // on disk and between nodes: if one of these changes, data is lost. The numbers come from another
    // implementation of the two algorithms.
    for (value, hash) in [
        (KeyValue::S("k1".to_owned()), 0x4a2b_30eb_9896_2955_u64),
        (KeyValue::N(number("-1.5")), 0xb5bc_8a5d_e3ac_8e71),
        (KeyValue::B(Bytes::from_static(&[0, 255])), 0xacb6_4f88_d28b_68b8),
    ] {
        assert_eq!(value.partition_hash(), hash, "{value:?} {:#x}", value.partition_hash());
    }
}

#[test]
fn hashes_of_similar_keys_spread_over_partitions() {
    let mut counts = [0; 3];
    for n in 0..3000 {
        let hash = KeyValue::S(format!("k{n}")).partition_hash();
        counts[usize::try_from((u128::from(hash) * 3) >> 64).unwrap()] += 1;
    }
    assert!(counts.iter().all(|count| (900..1100).contains(count)), "{counts:?}");
}
