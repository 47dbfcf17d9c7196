//! Histories of stores that say less of their versions: nothing, numbers, timestamps alone, or not always.

use growler_checker::history::{Event, EventType};
use rand::{Rng, RngExt};

/// Takes away what the store says of its versions, or some of it.
pub(crate) fn undress(rng: &mut impl Rng, events: &mut [Event]) {
    let how = rng.random_range(0..6);
    let mut number = 0;
    for event in events.iter_mut().filter(|event| event.kind != EventType::Invoke) {
        let (f, drop_one) = (event.f.clone(), rng.random_bool(0.1));
        let Some(extra) = event.extra.as_deref_mut() else { continue };
        match how {
            0 => event.extra = None,
            1 => {
                number += i64::from(f == "write");
                extra.version = Some(number.into());
                (extra.context, extra.timestamp) = (None, None);
            }
            2 => (extra.version, extra.context) = (None, None),
            3 if drop_one => event.extra = None,
            _ => {}
        }
    }
    if how == 0 {
        events.iter_mut().for_each(|event| event.extra = None);
    }
}
