//! The DynamoDB client: one request in, one sorted answer out.
//!
//! A consistency test stands on knowing which requests certainly had no effect. So this client sends every
//! request at most once, follows no redirect, reads no proxy variable, keeps a deadline on every call, and
//! sorts whatever comes back through one explicit table ([`outcome::TABLE`]) into *ok*, *fail* (certainly
//! not applied) and *info* (unknown).
//!
//! A [`ClientFactory`] holds what all sessions share: endpoints, credentials, the TLS set-up and the
//! [`Caps`]. A [`Client`] is one logical client, with its own connections, so that one session never waits
//! in another one's queue. It shares no code with the bundled store on purpose: a tester that reads the wire
//! with the tested system's own parser cannot see that parser's faults.

pub mod caps;
mod client;
mod connection;
pub mod credentials;
mod endpoint;
mod extension;
pub mod outcome;
pub mod request;
mod signer;
mod tls;
mod value;

pub use caps::{CapReached, Caps};
pub use client::{Client, ClientConfig, ClientFactory};
pub use credentials::{Credentials, CredentialsError, Identity};
pub use endpoint::{ClientError, Endpoint, check};
pub use extension::{Ask, Versioning};
pub use outcome::{Answer, Failure, Outcome};
pub use request::Request;
pub use value::{AttributeValue, Item, Number, Numbers, Pairs, Text};
