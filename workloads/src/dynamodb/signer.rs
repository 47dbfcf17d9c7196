//! Signature Version 4 over the request that DynamoDB knows: `POST`, a few headers, and a body.
//!
//! What does not change over a run (identity, region, names) is kept; per request there remain the hashes.

use std::time::SystemTime;

use aws_sigv4::http_request::{SignableBody, SignableRequest, SigningError, SigningSettings, sign};
use aws_sigv4::sign::v4;
use aws_smithy_runtime_api::client::identity::Identity as SigningIdentity;
use http::{HeaderMap, HeaderName, HeaderValue};

use super::credentials::Identity;

/// Signs requests for one identity.
#[derive(Debug)]
pub(super) struct Signer {
    identity: SigningIdentity,
    region: String,
    settings: SigningSettings,
}

/// Why a request could not be signed.
#[derive(Debug, thiserror::Error)]
pub(super) enum SignatureError {
    #[error(transparent)]
    Parameters(#[from] v4::signing_params::BuildError),
    #[error(transparent)]
    Signing(#[from] SigningError),
    #[error(transparent)]
    Name(#[from] http::header::InvalidHeaderName),
    #[error(transparent)]
    Value(#[from] http::header::InvalidHeaderValue),
}

impl Signer {
    pub(super) fn new(identity: &Identity) -> Self {
        Self {
            identity: identity.credentials.clone().into(),
            region: identity.region.clone(),
            settings: SigningSettings::default(),
        }
    }

    /// Adds the signature's headers to `headers`, which must hold all others that are sent, `host` included.
    /// `path` is the URL's.
    pub(super) fn sign(
        &self,
        path: &str,
        headers: &mut HeaderMap,
        body: &[u8],
        time: SystemTime,
    ) -> Result<(), SignatureError> {
        let parameters = v4::SigningParams::builder()
            .identity(&self.identity)
            .region(&self.region)
            .name("dynamodb")
            .time(time)
            .settings(self.settings.clone())
            .build()?
            .into();
        let signed = headers.iter().map(|(name, value)| (name.as_str(), value.to_str().unwrap_or_default()));
        let request = SignableRequest::new("POST", path, signed, SignableBody::Bytes(body))?;
        let (instructions, _signature) = sign(request, &parameters)?.into_parts();
        for header in instructions.into_parts().0 {
            let mut value = HeaderValue::from_str(header.value())?;
            value.set_sensitive(header.sensitive());
            headers.insert(HeaderName::from_bytes(header.name().as_bytes())?, value);
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::dynamodb::Credentials;
    use std::time::{Duration, UNIX_EPOCH};

    fn signed(token: Option<&str>) -> HeaderMap {
        let credentials = Credentials::from_keys("AKIDEXAMPLE", "secret", token.map(str::to_owned));
        let signer =
            Signer::new(&Identity { credentials, region: "us-east-1".into(), source: "test".into() });
        let mut headers = HeaderMap::new();
        headers.insert("host", HeaderValue::from_static("db.example:8000"));
        headers.insert("x-amz-target", HeaderValue::from_static("DynamoDB_20120810.ListTables"));
        headers.insert("content-type", HeaderValue::from_static("application/x-amz-json-1.0"));
        signer.sign("/", &mut headers, b"{}", UNIX_EPOCH + Duration::from_secs(1_700_000_000)).unwrap();
        headers
    }

    #[test]
    fn the_real_host_and_the_target_are_signed() {
        let headers = signed(None);
        let authorization = headers["authorization"].to_str().unwrap();
        // The signature was computed by another program, straight from AWS's description of the algorithm.
        let expected = "AWS4-HMAC-SHA256 Credential=AKIDEXAMPLE/20231114/us-east-1/dynamodb/aws4_request, \
             SignedHeaders=content-type;host;x-amz-date;x-amz-target, \
             Signature=92535b24399960d042d6f2fbb373c80e65e1842e405c3c2424d228815c2a6c96";
        assert_eq!(authorization, expected);
        assert_eq!(headers["x-amz-date"], "20231114T221320Z");
    }

    #[test]
    fn a_session_token_is_sent_and_signed() {
        let headers = signed(Some("t0ken"));
        assert_eq!(headers["x-amz-security-token"], "t0ken");
        assert!(headers["authorization"].to_str().unwrap().contains(";x-amz-security-token;"));
    }
}
