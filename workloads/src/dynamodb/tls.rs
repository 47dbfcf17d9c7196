//! TLS by rustls with ring: the system's roots, and one more where the user names it.
//!
//! The configuration is built once for a run, because reading the system's roots costs milliseconds. It
//! never weakens verification: [`NamedVerifier`] changes which name a certificate is held to, and only for
//! an endpoint that is a bare address behind a proxy of our own.

use std::path::Path;
use std::sync::Arc;

use rustls::client::danger::{HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier};
use rustls::crypto::CryptoProvider;
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, ServerName, UnixTime};
use rustls::{ClientConfig, DigitallySignedStruct, Error, RootCertStore, SignatureScheme};
use rustls_platform_verifier::Verifier;

use super::endpoint::ClientError;

/// What the clients of a run need for https. Without an https endpoint it trusts nothing and reads nothing.
#[derive(Debug, Clone)]
pub(super) struct Tls {
    provider: Arc<CryptoProvider>,
    verifier: Option<Arc<Verifier>>,
}

impl Tls {
    /// For plain http alone.
    pub(super) fn none() -> Self {
        Self { provider: Arc::new(rustls::crypto::ring::default_provider()), verifier: None }
    }

    /// With the system's roots, and those in `cacert`.
    pub(super) fn new(cacert: Option<&Path>) -> Result<Self, ClientError> {
        let provider = Arc::new(rustls::crypto::ring::default_provider());
        let roots = match cacert {
            Some(path) => read_roots(path)?,
            None => Vec::new(),
        };
        let verifier = Verifier::new_with_extra_roots(roots, provider.clone())
            .map_err(|e| ClientError::Tls(e.to_string()))?;
        Ok(Self { provider, verifier: Some(Arc::new(verifier)) })
    }

    /// The configuration for one endpoint.
    pub(super) fn config(
        &self,
        certified: Option<&ServerName<'static>>,
    ) -> Result<ClientConfig, ClientError> {
        let builder = ClientConfig::builder_with_provider(self.provider.clone())
            .with_safe_default_protocol_versions()
            .map_err(|e| ClientError::Tls(e.to_string()))?;
        let Some(verifier) = &self.verifier else {
            return Ok(builder.with_root_certificates(RootCertStore::empty()).with_no_client_auth());
        };
        let verifier: Arc<dyn ServerCertVerifier> = match certified {
            None => verifier.clone(),
            Some(name) => Arc::new(NamedVerifier { inner: verifier.clone(), name: name.clone() }),
        };
        Ok(builder.dangerous().with_custom_certificate_verifier(verifier).with_no_client_auth())
    }
}

/// The certificates of a PEM file; at least one.
fn read_roots(path: &Path) -> Result<Vec<CertificateDer<'static>>, ClientError> {
    let wrong = |reason: String| ClientError::CaCert { path: path.to_owned(), reason };
    let roots = CertificateDer::pem_file_iter(path)
        .and_then(Iterator::collect::<Result<Vec<_>, _>>)
        .map_err(|e| wrong(e.to_string()))?;
    if roots.is_empty() {
        return Err(wrong("it holds no certificate".to_owned()));
    }
    Ok(roots)
}

/// Holds a certificate to the endpoint's real name, whatever address the connection went to.
#[derive(Debug)]
pub(super) struct NamedVerifier {
    inner: Arc<Verifier>,
    name: ServerName<'static>,
}

impl ServerCertVerifier for NamedVerifier {
    fn verify_server_cert(
        &self,
        end_entity: &CertificateDer<'_>,
        intermediates: &[CertificateDer<'_>],
        _connected_to: &ServerName<'_>,
        ocsp_response: &[u8],
        now: UnixTime,
    ) -> Result<ServerCertVerified, Error> {
        self.inner.verify_server_cert(end_entity, intermediates, &self.name, ocsp_response, now)
    }

    fn verify_tls12_signature(
        &self,
        message: &[u8],
        cert: &CertificateDer<'_>,
        dss: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        self.inner.verify_tls12_signature(message, cert, dss)
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        cert: &CertificateDer<'_>,
        dss: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        self.inner.verify_tls13_signature(message, cert, dss)
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        self.inner.supported_verify_schemes()
    }
}
