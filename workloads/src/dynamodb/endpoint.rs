//! Where a node is asked: by the name that the user gave it, over the address that is between.
//!
//! When growler puts a proxy in front of a node, only the TCP connection changes. The name in `Host`, in the
//! signature and in the certificate stays the real one. Over plain http that takes no more than dialling
//! another address. Over https, reqwest dials: the real name stays in the URL and is resolved to the proxy's
//! address. An https endpoint named by a bare IP address has no name to resolve: there the URL is the
//! proxy's, and the certificate is held to the real address (`NamedVerifier`).

use std::net::{IpAddr, SocketAddr};
use std::path::{Path, PathBuf};

use http::HeaderValue;
use reqwest::Url;
use rustls::pki_types::ServerName;

use super::tls::read_roots;

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

/// Whether clients can be made for these endpoints, as far as the command line and the files named on it go.
/// Nobody is asked anything.
///
/// # Errors
/// A [`ClientError`] that names the endpoint or the file, and what to write instead.
pub fn check(endpoints: &[Endpoint], cacert: Option<&Path>) -> Result<(), ClientError> {
    for endpoint in endpoints {
        endpoint.route()?;
    }
    cacert.map_or(Ok(()), |path| read_roots(path).map(drop))
}

/// How a node is reached.
#[derive(Debug, Clone)]
pub(super) struct Route {
    /// The real name, with its port where that is not the scheme's own: for `Host` and for the signature.
    pub(super) host: HeaderValue,
    /// The real URL's path.
    pub(super) path: String,
    /// How the connection is made.
    pub(super) way: Way,
}

/// How a connection is made.
#[derive(Debug, Clone)]
pub(super) enum Way {
    /// Plain http to this `host:port`.
    Plain(String),
    /// Https by reqwest.
    Secure {
        /// What reqwest is asked for.
        url: Url,
        /// A name to be resolved to the proxy's address.
        resolve: Option<(String, SocketAddr)>,
        /// A name that the certificate is held to, where the URL's own would be wrong.
        certified: Option<ServerName<'static>>,
    },
}

impl Endpoint {
    /// True when the URL names this machine: `localhost` or a loopback address. False for what is no URL.
    #[must_use]
    pub fn is_loopback(&self) -> bool {
        let Ok(url) = Url::parse(&self.url) else { return false };
        url.host_str().is_some_and(|host| {
            host == "localhost"
                || host.ends_with(".localhost")
                || ip_address(host).is_some_and(|ip| ip.is_loopback())
        })
    }

    /// True when the URL's scheme is https.
    pub(super) fn is_https(&self) -> bool {
        Url::parse(&self.url).is_ok_and(|url| url.scheme() == "https")
    }

    /// The URL for a message: without what it carries of credentials, query and fragment.
    fn shown(&self) -> String {
        let secretless = self.url.split_once("://").map(|(scheme, rest)| {
            let end = rest.find(['/', '?', '#']).unwrap_or(rest.len());
            let (authority, path) = rest.split_at(end);
            let host = authority.rsplit('@').next().unwrap_or_default();
            let path = path.split(['?', '#']).next().unwrap_or_default();
            format!("{scheme}://{host}{path}")
        });
        secretless.unwrap_or_else(|| self.url.rsplit('@').next().unwrap_or_default().to_owned())
    }

    /// How this node is reached.
    pub(super) fn route(&self) -> Result<Route, ClientError> {
        let wrong = |reason: &str| ClientError::Endpoint { url: self.shown(), reason: reason.to_owned() };
        let url = Url::parse(&self.url).map_err(|e| wrong(&e.to_string()))?;
        if !matches!(url.scheme(), "http" | "https") {
            return Err(wrong("its scheme is neither http nor https"));
        }
        if !url.username().is_empty() || url.password().is_some() {
            return Err(wrong("credentials do not belong into it"));
        }
        if url.query().is_some() || url.fragment().is_some() {
            return Err(wrong("it has a query or a fragment"));
        }
        let name = url.host_str().ok_or_else(|| wrong("it names no host"))?.to_owned();
        let authority = url.port().map_or_else(|| name.clone(), |port| format!("{name}:{port}"));
        let host = HeaderValue::from_str(&authority).map_err(|e| wrong(&e.to_string()))?;
        let path = url.path().to_owned();
        let way = match self.connect_to {
            None if url.scheme() == "http" => {
                Way::Plain(format!("{name}:{}", url.port_or_known_default().unwrap_or(80)))
            }
            None => Way::Secure { url, resolve: None, certified: None },
            Some(address) if url.scheme() == "http" => Way::Plain(address.to_string()),
            Some(address) => {
                secure_through(url, &name, address).map_err(|()| wrong("it cannot be led through a proxy"))?
            }
        };
        Ok(Route { host, path, way })
    }
}

/// Https to what `url` names, over a connection to `address`.
fn secure_through(mut url: Url, name: &str, address: SocketAddr) -> Result<Way, ()> {
    match ip_address(name) {
        None => {
            // Without a port in the URL, the resolved address brings its own.
            url.set_port(None)?;
            Ok(Way::Secure { url, resolve: Some((name.to_owned(), address)), certified: None })
        }
        Some(ip) => {
            url.set_ip_host(address.ip())?;
            url.set_port(Some(address.port()))?;
            Ok(Way::Secure { url, resolve: None, certified: Some(ServerName::IpAddress(ip.into())) })
        }
    }
}

/// The IP address that a URL's host is, brackets of IPv6 included.
fn ip_address(host: &str) -> Option<IpAddr> {
    host.trim_matches(['[', ']']).parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn route(url: &str, connect_to: Option<&str>) -> Route {
        let connect_to = connect_to.map(|address| address.parse().unwrap());
        Endpoint { name: "n1".into(), url: url.into(), connect_to }.route().unwrap()
    }

    fn plain(route: &Route) -> (&str, &str) {
        let Way::Plain(address) = &route.way else { panic!("{route:?}") };
        (address, route.host.to_str().unwrap())
    }

    #[test]
    fn without_a_proxy_the_url_says_where_to_connect() {
        assert_eq!(plain(&route("http://db.example", None)), ("db.example:80", "db.example"));
        assert_eq!(plain(&route("http://[::1]:8000/", None)), ("[::1]:8000", "[::1]:8000"));
    }

    #[test]
    fn a_proxy_changes_the_connection_and_not_the_name() {
        let proxy = Some("127.0.0.1:4000");
        assert_eq!(plain(&route("http://db.example:8000", proxy)), ("127.0.0.1:4000", "db.example:8000"));

        let named = route("https://db.example:8443/", proxy);
        assert_eq!(named.host, "db.example:8443");
        let Way::Secure { url, resolve, certified } = named.way else { panic!() };
        assert_eq!((url.as_str(), resolve.unwrap().1.port(), certified), ("https://db.example/", 4000, None));

        let bare = route("https://10.0.0.7:8443", proxy);
        assert_eq!(bare.host, "10.0.0.7:8443");
        let Way::Secure { url, resolve, certified } = bare.way else { panic!() };
        assert_eq!((url.as_str(), resolve), ("https://127.0.0.1:4000/", None));
        assert_eq!(certified, ServerName::try_from("10.0.0.7").ok());
    }

    #[test]
    fn what_cannot_be_asked_is_refused_with_what_to_write_instead() {
        for (url, shown) in [
            ("localhost:8000", "localhost:8000"),
            ("ftp://a", "ftp://a"),
            ("http://u:hunter2@a", "http://a"),
            ("u:hunter2@a", "endpoint a"),
            ("http://a/b?q=hunter2", "http://a/b:"),
            ("http://a#hunter2", "http://a:"),
            ("http://", "http://"),
            ("not a url", "not a url"),
        ] {
            let endpoint = Endpoint { name: "n1".into(), url: url.into(), connect_to: None };
            let message = check(&[endpoint], None).unwrap_err().to_string();
            assert!(message.contains(shown) && message.contains("http://host:port"), "{message}");
            assert!(!message.contains("hunter2"), "{message}");
        }
    }

    #[test]
    fn loopback_is_known_by_name_and_by_address() {
        let at = |url: &str| Endpoint { name: "n1".into(), url: url.into(), connect_to: None }.is_loopback();
        assert!(at("http://localhost:1") && at("http://127.8.0.1") && at("https://[::1]:9"));
        assert!(!at("http://10.0.0.1") && !at("https://dynamodb.eu-west-1.amazonaws.com") && !at("?"));
    }
}
