//! TLS by rustls with ring: the system's roots, and one more where the user names it.
//!
//! The configuration is built once for a run, because reading the system's roots costs milliseconds.
//! [`Judge`] differs from rustls's own verifier in two things, and weakens neither. For an endpoint that is a
//! bare address behind a proxy of our own, it holds the certificate to the real address. And it accepts a
//! server that shows the very certificate that the user named with `--cacert`, although that one may also
//! sign others: `openssl req -x509` makes such certificates, every other client takes them, and webpki
//! refuses them as *CA used as end entity*.

use std::path::Path;
use std::sync::Arc;

use rustls::client::WebPkiServerVerifier;
use rustls::client::danger::{HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier};
use rustls::crypto::CryptoProvider;
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, ServerName, UnixTime};
use rustls::server::ParsedCertificate;
use rustls::{
    CertificateError, ClientConfig, DigitallySignedStruct, Error, OtherError, RootCertStore, SignatureScheme,
};
use rustls_platform_verifier::Verifier;

use super::endpoint::ClientError;

/// What the clients of a run need for https. Without an https endpoint it trusts nothing and reads nothing.
#[derive(Debug, Clone)]
pub(super) struct Tls {
    provider: Arc<CryptoProvider>,
    judge: Option<Judge>,
}

impl Tls {
    /// For plain http alone.
    pub(super) fn none() -> Self {
        Self { provider: Arc::new(rustls::crypto::ring::default_provider()), judge: None }
    }

    /// With the system's roots, and those in `cacert`.
    pub(super) fn new(cacert: Option<&Path>) -> Result<Self, ClientError> {
        let provider = Arc::new(rustls::crypto::ring::default_provider());
        let roots = match cacert {
            Some(path) => read_roots(path)?,
            None => Vec::new(),
        };
        let judge = Judge::new(roots, &provider).map_err(|e| ClientError::Tls(e.to_string()))?;
        Ok(Self { provider, judge: Some(judge) })
    }

    /// The configuration for one endpoint.
    pub(super) fn config(
        &self,
        certified: Option<&ServerName<'static>>,
    ) -> Result<ClientConfig, ClientError> {
        let builder = ClientConfig::builder_with_provider(self.provider.clone())
            .with_safe_default_protocol_versions()
            .map_err(|e| ClientError::Tls(e.to_string()))?;
        let Some(judge) = &self.judge else {
            return Ok(builder.with_root_certificates(RootCertStore::empty()).with_no_client_auth());
        };
        let judge = Judge { name: certified.cloned(), ..judge.clone() };
        Ok(builder.dangerous().with_custom_certificate_verifier(Arc::new(judge)).with_no_client_auth())
    }
}

/// The certificates of a PEM file; at least one.
pub(super) fn read_roots(path: &Path) -> Result<Vec<CertificateDer<'static>>, ClientError> {
    let wrong = |reason: String| ClientError::CaCert { path: path.to_owned(), reason };
    let roots = CertificateDer::pem_file_iter(path)
        .and_then(Iterator::collect::<Result<Vec<_>, _>>)
        .map_err(|e| wrong(e.to_string()))?;
    if roots.is_empty() {
        return Err(wrong("it holds no certificate".to_owned()));
    }
    Ok(roots)
}

/// Decides whether a server is who it should be.
#[derive(Debug, Clone)]
struct Judge {
    /// The system's roots, and those that the user named.
    all: Arc<Verifier>,
    /// Those that the user named with `--cacert`, alone.
    named: Option<Arc<WebPkiServerVerifier>>,
    roots: Arc<[CertificateDer<'static>]>,
    /// The endpoint's real name, where the connection goes by another one.
    name: Option<ServerName<'static>>,
}

impl Judge {
    fn new(roots: Vec<CertificateDer<'static>>, provider: &Arc<CryptoProvider>) -> Result<Self, Error> {
        let all = Verifier::new_with_extra_roots(roots.clone(), provider.clone())?;
        let mut store = RootCertStore::empty();
        store.add_parsable_certificates(roots.iter().cloned());
        let named = match store.is_empty() {
            true => None,
            false => {
                let built =
                    WebPkiServerVerifier::builder_with_provider(store.into(), provider.clone()).build();
                Some(built.map_err(|e| Error::Other(OtherError(Arc::new(e))))?)
            }
        };
        Ok(Self { all: Arc::new(all), named, roots: roots.into(), name: None })
    }
}

impl ServerCertVerifier for Judge {
    fn verify_server_cert(
        &self,
        end_entity: &CertificateDer<'_>,
        intermediates: &[CertificateDer<'_>],
        connected_to: &ServerName<'_>,
        ocsp_response: &[u8],
        now: UnixTime,
    ) -> Result<ServerCertVerified, Error> {
        let name = self.name.as_ref().unwrap_or(connected_to);
        let Some(named) = self.named.as_ref().filter(|_| self.roots.contains(end_entity)) else {
            return self.all.verify_server_cert(end_entity, intermediates, name, ocsp_response, now);
        };
        match named.verify_server_cert(end_entity, intermediates, name, ocsp_response, now) {
            // webpki asks this after the certificate's dates and before its name.
            Err(e) if is_authority(&e) => {
                rustls::client::verify_server_name(&ParsedCertificate::try_from(end_entity)?, name)?;
                Ok(ServerCertVerified::assertion())
            }
            judged => judged,
        }
    }

    fn verify_tls12_signature(
        &self,
        message: &[u8],
        cert: &CertificateDer<'_>,
        dss: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        self.all.verify_tls12_signature(message, cert, dss)
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        cert: &CertificateDer<'_>,
        dss: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        self.all.verify_tls13_signature(message, cert, dss)
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        self.all.supported_verify_schemes()
    }
}

/// Why a server's certificate was refused, where that is what `error` is, and what to do about it.
pub(super) fn refused_certificate(error: &Error) -> Option<String> {
    let Error::InvalidCertificate(reason) = error else { return None };
    Some(match reason {
        _ if is_authority(error) => {
            "it is an authority's own, and not trusted: name that very certificate with --cacert".to_owned()
        }
        CertificateError::UnknownIssuer => {
            "its issuer is not trusted: name the issuer's certificate with --cacert".to_owned()
        }
        _ => error.to_string(),
    })
}

/// True when a certificate was refused because it may also sign others.
fn is_authority(error: &Error) -> bool {
    let Error::InvalidCertificate(CertificateError::Other(OtherError(cause))) = error else { return false };
    cause.downcast_ref() == Some(&webpki::Error::CaUsedAsEndEntity)
}
