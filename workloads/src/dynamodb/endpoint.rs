//! Where a node is asked: by the name that the user gave it, over the address that is between.
//!
//! When growler puts a proxy in front of a node, only the TCP connection changes. The name in `Host`, in the
//! signature and in the certificate stays the real one. How that is said to reqwest depends on the scheme:
//! plain http is sent to the proxy's address with a `Host` header of its own; https keeps the real name in
//! the URL and resolves it to the proxy's address. An https endpoint named by a bare IP address has no name
//! to resolve: there the URL is the proxy's, and the certificate is held to the real address
//! ([`super::tls::NamedVerifier`]).

use std::net::{IpAddr, SocketAddr};
use std::path::PathBuf;

use http::HeaderValue;
use reqwest::Url;
use rustls::pki_types::ServerName;

/// A node of the system under test.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Endpoint {
    /// Its name in histories and plans, for instance `n1`.
    pub name: String,
    /// Its URL, as the user named it.
    pub url: String,
    /// The address to connect to instead: a local proxy that stands between. None: the URL's own.
    pub connect_to: Option<SocketAddr>,
}

/// Why no client could be made.
#[derive(Debug, thiserror::Error)]
pub enum ClientError {
    /// An endpoint is not a URL that a client can ask.
    #[error("endpoint {url}: {reason}; give it as http://host:port or https://host:port")]
    Endpoint {
        /// As the user named it.
        url: String,
        /// What is wrong.
        reason: String,
    },
    /// No endpoint was given.
    #[error("no endpoint: give at least one URL")]
    NoEndpoint,
    /// The file with additional roots cannot be used.
    #[error("--cacert {path}: {reason}; it must be a PEM file with at least one CERTIFICATE", path = .path.display())]
    CaCert {
        /// The file.
        path: PathBuf,
        /// What is wrong.
        reason: String,
    },
    /// The TLS set-up failed.
    #[error("TLS cannot be set up: {0}; install your system's CA certificates, or name a root with --cacert")]
    Tls(String),
    /// reqwest refused its configuration.
    #[error("the HTTP client cannot be set up: {0}")]
    Http(#[from] reqwest::Error),
}

/// How a request for an endpoint is handed to reqwest.
#[derive(Debug, Clone)]
pub(super) struct Route {
    /// What reqwest is asked for.
    pub(super) url: Url,
    /// The real name, with its port where that is not the scheme's own: for `Host` and for the signature.
    pub(super) host: HeaderValue,
    /// The real URL's path: for the signature.
    pub(super) path: String,
    /// A name to be resolved to the proxy's address.
    pub(super) resolve: Option<(String, SocketAddr)>,
    /// A name that the certificate is held to, where the URL's own would be wrong.
    pub(super) certified: Option<ServerName<'static>>,
}

impl Endpoint {
    /// True when the URL names this machine: `localhost` or a loopback address. False for what is no URL.
    #[must_use]
    pub fn is_loopback(&self) -> bool {
        let Ok(url) = Url::parse(&self.url) else { return false };
        url.host_str().is_some_and(|host| {
            host == "localhost"
                || host.ends_with(".localhost")
                || address(host).is_some_and(|ip| ip.is_loopback())
        })
    }

    /// True when the URL's scheme is https.
    pub(super) fn is_https(&self) -> bool {
        Url::parse(&self.url).is_ok_and(|url| url.scheme() == "https")
    }

    /// How a request for this endpoint is handed to reqwest.
    pub(super) fn route(&self) -> Result<Route, ClientError> {
        let wrong = |reason: &str| ClientError::Endpoint { url: self.url.clone(), reason: reason.to_owned() };
        let real = Url::parse(&self.url).map_err(|e| wrong(&e.to_string()))?;
        if !matches!(real.scheme(), "http" | "https") {
            return Err(wrong("its scheme is neither http nor https"));
        }
        if !real.username().is_empty() || real.password().is_some() {
            return Err(wrong("credentials do not belong into it"));
        }
        if real.query().is_some() || real.fragment().is_some() {
            return Err(wrong("it has a query or a fragment"));
        }
        let host = real.host_str().ok_or_else(|| wrong("it names no host"))?.to_owned();
        let authority = real.port().map_or_else(|| host.clone(), |port| format!("{host}:{port}"));
        let header = HeaderValue::from_str(&authority).map_err(|e| wrong(&e.to_string()))?;
        let path = real.path().to_owned();
        let mut route = Route { url: real, host: header, path, resolve: None, certified: None };
        if let Some(address) = self.connect_to {
            route.lead_through(address, &host).map_err(|()| wrong("it cannot be led through a proxy"))?;
        }
        Ok(route)
    }
}

impl Route {
    /// Sends what is asked of `host` to `address`.
    fn lead_through(&mut self, address: SocketAddr, host: &str) -> Result<(), ()> {
        let ip = self::address(host);
        if self.url.scheme() == "https" && ip.is_none() {
            // Without a port in the URL, the resolved address brings its own.
            self.url.set_port(None)?;
            self.resolve = Some((host.to_owned(), address));
            return Ok(());
        }
        self.url.set_ip_host(address.ip())?;
        self.url.set_port(Some(address.port()))?;
        self.certified = ip.map(|ip| ServerName::IpAddress(ip.into()));
        Ok(())
    }
}

/// The IP address that a URL's host is, brackets of IPv6 included.
fn address(host: &str) -> Option<IpAddr> {
    host.trim_matches(['[', ']']).parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn through_proxy(url: &str) -> Route {
        let connect_to = Some("127.0.0.1:4000".parse().unwrap());
        Endpoint { name: "n1".into(), url: url.into(), connect_to }.route().unwrap()
    }

    #[test]
    fn a_proxy_changes_the_connection_and_not_the_name() {
        let plain = through_proxy("http://db.example:8000");
        assert_eq!(
            (plain.url.as_str(), plain.host.to_str().unwrap()),
            ("http://127.0.0.1:4000/", "db.example:8000")
        );

        let named = through_proxy("https://db.example:8443/");
        assert_eq!(
            (named.url.as_str(), named.host.to_str().unwrap()),
            ("https://db.example/", "db.example:8443")
        );
        assert_eq!(named.resolve.unwrap().1.port(), 4000);

        let bare = through_proxy("https://10.0.0.7:8443");
        assert_eq!(
            (bare.url.as_str(), bare.host.to_str().unwrap()),
            ("https://127.0.0.1:4000/", "10.0.0.7:8443")
        );
        assert_eq!(bare.certified.unwrap(), ServerName::try_from("10.0.0.7").unwrap());
    }

    #[test]
    fn what_cannot_be_asked_is_refused_with_what_to_write_instead() {
        for url in ["localhost:8000", "ftp://a", "http://u:p@a", "http://a/?q", "not a url"] {
            let refused = Endpoint { name: "n1".into(), url: url.into(), connect_to: None }.route();
            let message = refused.unwrap_err().to_string();
            assert!(message.contains(url) && message.contains("http://host:port"), "{message}");
        }
    }

    #[test]
    fn loopback_is_known_by_name_and_by_address() {
        let at = |url: &str| Endpoint { name: "n1".into(), url: url.into(), connect_to: None }.is_loopback();
        assert!(at("http://localhost:1") && at("http://127.8.0.1") && at("https://[::1]:9"));
        assert!(!at("http://10.0.0.1") && !at("https://dynamodb.eu-west-1.amazonaws.com") && !at("?"));
    }
}
