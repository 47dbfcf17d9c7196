//! Queries in pages: all items of one partition key, however many pages that takes.
//!
//! Each page shows its items at a moment of its own, so that the whole is no snapshot.

use serde::Serialize;

use crate::dynamodb::request::Query;
use crate::dynamodb::{Answer, Client, Item, Outcome};

/// Asks one node for all pages, each once. The first that fails ends it; versions are told of single items
/// only, so that there are none here.
pub(crate) async fn whole<V: Serialize + Send + Sync + Copy>(
    client: &Client,
    node: usize,
    query: Query<'_, V>,
) -> Answer<Vec<Item>> {
    let (mut items, mut start) = (Vec::new(), None);
    loop {
        let request = Query { exclusive_start_key: start.as_ref(), ..query };
        let Answer { outcome, partition, .. } = client.send(node, &request).await;
        let page = match outcome {
            Outcome::Ok(page) => page,
            Outcome::Fail(failure) => {
                return Answer { outcome: Outcome::Fail(failure), partition, versioning: None };
            }
            Outcome::Info(failure) => {
                return Answer { outcome: Outcome::Info(failure), partition, versioning: None };
            }
        };
        items.extend(page.items);
        start = page.last_evaluated_key;
        if start.is_none() {
            return Answer { outcome: Outcome::Ok(items), partition, versioning: None };
        }
    }
}
