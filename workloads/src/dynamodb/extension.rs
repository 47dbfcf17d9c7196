//! Headers beyond DynamoDB's API, for stores that keep versions of an item: what a request may ask for
//! ([`Ask`]), and what an answer says of its version ([`Versioning`]).
//!
//! The bundled quorum store has them; a server that does not know them passes over the request's and sends
//! none. What a server sends and cannot be read is as good as not sent: a checker that needs it says that it
//! is missing, which is better than to guess.

use std::collections::BTreeMap;

use http::{HeaderMap, HeaderName, HeaderValue};

const QUORUM: HeaderName = HeaderName::from_static("x-growler-quorum");
const CONTEXT: HeaderName = HeaderName::from_static("x-growler-context");
const SIBLINGS: HeaderName = HeaderName::from_static("x-growler-siblings");
const REPLICA: HeaderName = HeaderName::from_static("x-growler-replica");
const CLOCK: HeaderName = HeaderName::from_static("x-growler-clock");
const VERSION: HeaderName = HeaderName::from_static("x-growler-version");
const TIMESTAMP: HeaderName = HeaderName::from_static("x-growler-timestamp");

/// What a request asks for beyond DynamoDB's API. The default asks for nothing, and sends no header.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Ask<'a> {
    /// How many replicas must answer a read.
    pub r: Option<u32>,
    /// How many replicas must have a write.
    pub w: Option<u32>,
    /// A write: what the writer had seen, a token that an answer carried ([`Versioning::token`]).
    pub context: Option<&'a str>,
    /// A read: list all versions.
    pub siblings: bool,
    /// A read: the asked node's own row, without asking any other node.
    pub local: bool,
}

/// What an answer says of versions.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Versioning {
    /// A read's versions, or the one that a write made.
    pub version: String,
    /// What has now been seen, to be sent back: opaque.
    pub token: Option<String>,
    /// The same to be read: the highest counter of each actor.
    pub clock: Option<BTreeMap<String, u64>>,
    /// When what was read or written was written, in nanoseconds, and the node whose clock that was.
    pub timestamp: Option<(i64, String)>,
    /// How many versions there are side by side, after a write too.
    pub siblings: Option<u64>,
}

impl Ask<'_> {
    /// Adds the headers of what is asked for.
    pub(super) fn write(&self, headers: &mut HeaderMap) -> Result<(), String> {
        let part = |name: &str, number: Option<u32>| number.map(|number| format!("{name}={number}"));
        let quorum: Vec<String> = [part("r", self.r), part("w", self.w)].into_iter().flatten().collect();
        let value = |text: &str| HeaderValue::try_from(text).map_err(|e| e.to_string());
        if !quorum.is_empty() {
            headers.insert(QUORUM, value(&quorum.join(","))?);
        }
        if let Some(context) = self.context {
            headers.insert(CONTEXT, value(context)?);
        }
        if self.siblings {
            headers.insert(SIBLINGS, HeaderValue::from_static("all"));
        }
        if self.local {
            headers.insert(REPLICA, HeaderValue::from_static("local"));
        }
        Ok(())
    }
}

impl Versioning {
    /// What the headers of an answer say; none where the server keeps no versions.
    pub(super) fn read(headers: &HeaderMap) -> Option<Box<Self>> {
        let text = |name: &HeaderName| headers.get(name).and_then(|value| value.to_str().ok());
        let version = text(&VERSION)?.to_owned();
        let timestamp = text(&TIMESTAMP).and_then(|text| {
            let (ns, node) = text.split_once(',')?;
            Some((ns.parse().ok()?, node.to_owned()))
        });
        Some(Box::new(Self {
            version,
            token: text(&CONTEXT).map(str::to_owned),
            clock: text(&CLOCK).and_then(|text| serde_json::from_str(text).ok()),
            timestamp,
            siblings: text(&SIBLINGS).and_then(|text| text.parse().ok()),
        }))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn headers(lines: &[(&'static str, &'static str)]) -> HeaderMap {
        let line = |(name, value): &(&'static str, &'static str)| {
            (HeaderName::from_static(name), HeaderValue::from_static(value))
        };
        lines.iter().map(line).collect()
    }

    fn sent(ask: Ask<'_>) -> HeaderMap {
        let mut headers = HeaderMap::new();
        ask.write(&mut headers).unwrap();
        headers
    }

    #[test]
    fn a_request_that_asks_for_nothing_sends_nothing() {
        assert!(sent(Ask::default()).is_empty());
    }

    #[test]
    fn each_thing_asked_for_is_a_header() {
        let ask = Ask { r: Some(2), w: Some(1), context: Some("AgRu-_8"), siblings: true, local: true };
        let expected = headers(&[
            ("x-growler-quorum", "r=2,w=1"),
            ("x-growler-context", "AgRu-_8"),
            ("x-growler-siblings", "all"),
            ("x-growler-replica", "local"),
        ]);
        assert_eq!(sent(ask), expected);
        assert_eq!(sent(Ask { w: Some(3), ..Ask::default() }), headers(&[("x-growler-quorum", "w=3")]));
        assert!(Ask { context: Some("a\nb"), ..Ask::default() }.write(&mut HeaderMap::new()).is_err());
    }

    #[test]
    fn an_answer_s_headers_are_read_one_by_one() {
        assert_eq!(Versioning::read(&headers(&[("x-growler-partition", "p1")])), None);
        let whole = headers(&[
            ("x-growler-version", "n1/3:5|n2/1:2"),
            ("x-growler-context", "AgRu"),
            ("x-growler-clock", r#"{"n1/3":5,"n2/1":2}"#),
            ("x-growler-timestamp", "-17,n1"),
            ("x-growler-siblings", "2"),
        ]);
        let expected = Versioning {
            version: "n1/3:5|n2/1:2".into(),
            token: Some("AgRu".into()),
            clock: Some(BTreeMap::from([("n1/3".into(), 5), ("n2/1".into(), 2)])),
            timestamp: Some((-17, "n1".into())),
            siblings: Some(2),
        };
        assert_eq!(Versioning::read(&whole).as_deref(), Some(&expected));
        let broken = headers(&[
            ("x-growler-version", ""),
            ("x-growler-clock", r#"{"n1/3":-5}"#),
            ("x-growler-timestamp", "17"),
            ("x-growler-siblings", "many"),
        ]);
        assert_eq!(Versioning::read(&broken).as_deref(), Some(&Versioning::default()));
    }
}
