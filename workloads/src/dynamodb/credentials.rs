//! Who growler is to the system under test: credentials and region, from AWS's standard places.
//!
//! The order is that of the AWS tools: environment variables, then the shared credentials and configuration
//! files. Only keys that stand there in plain text are read; whoever uses single sign-on, roles or a process
//! exports them first. Endpoints on this machine rarely check a signature: for them, and for them alone, a
//! dummy pair stands in when nothing is found. Secrets never appear in `Debug` output or in errors.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

pub use aws_credential_types::Credentials;

use super::endpoint::Endpoint;

/// The region when nothing names one.
pub const DEFAULT_REGION: &str = "us-east-1";

/// Credentials and the region that requests are signed for. `Debug` hides the secret and the token.
#[derive(Debug, Clone)]
pub struct Identity {
    /// Key pair, and session token where there is one.
    pub credentials: Credentials,
    /// The region's name, for instance `eu-central-1`.
    pub region: String,
    /// Where the credentials were found, for people.
    pub source: String,
}

/// Why there are no credentials.
#[derive(Debug, thiserror::Error)]
pub enum CredentialsError {
    /// One half of a pair is missing.
    #[error("{found} is set and {missing} is not; set both, or neither")]
    HalfPair {
        /// What is there.
        found: String,
        /// What is not.
        missing: String,
    },
    /// Nothing was found, and the endpoint is not on this machine.
    #[error(
        "no AWS credentials for {endpoint}: set AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY (and \
         AWS_SESSION_TOKEN where there is one), or put them under [{profile}] in {file}; for single sign-on \
         or roles, run: eval \"$(aws configure export-credentials --format env)\""
    )]
    Missing {
        /// The endpoint that needs them.
        endpoint: String,
        /// The profile that was looked for.
        profile: String,
        /// The credentials file that was looked at.
        file: String,
    },
    /// A file of the chain could not be read.
    #[error("cannot read {path}: {source}", path = .path.display())]
    Unreadable {
        /// The file.
        path: PathBuf,
        /// Why.
        source: std::io::Error,
    },
}

impl Identity {
    /// Resolves the identity from this process's environment and the user's files.
    ///
    /// # Errors
    /// When a pair is incomplete, a file is unreadable, or an endpoint beyond this machine has no
    /// credentials. The message says what to set.
    pub fn from_environment(endpoints: &[Endpoint]) -> Result<Self, CredentialsError> {
        Self::resolve(&|name| std::env::var(name).ok(), endpoints)
    }

    /// As [`Identity::from_environment`], with the environment given.
    ///
    /// # Errors
    /// The same.
    pub fn resolve(
        environment: &dyn Fn(&str) -> Option<String>,
        endpoints: &[Endpoint],
    ) -> Result<Self, CredentialsError> {
        let get = |name: &str| environment(name).filter(|value| !value.is_empty());
        let files = Files::locate(&get);
        let profile = files.read_profile()?;
        let region = get("AWS_REGION")
            .or_else(|| get("AWS_DEFAULT_REGION"))
            .or_else(|| profile.get("region").cloned())
            .unwrap_or_else(|| DEFAULT_REGION.to_owned());

        let names = ["AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY", "AWS_SESSION_TOKEN"];
        if let Some(credentials) = pair(&get, names, "")? {
            return Ok(Self { credentials, region, source: "the environment".to_owned() });
        }
        let keys = ["aws_access_key_id", "aws_secret_access_key", "aws_session_token"];
        let place = format!(" in profile {}", files.profile);
        if let Some(credentials) = pair(&|key| profile.get(key).cloned(), keys, &place)? {
            return Ok(Self { credentials, region, source: format!("profile {}", files.profile) });
        }
        if let Some(remote) = endpoints.iter().find(|endpoint| !endpoint.is_loopback()) {
            return Err(CredentialsError::Missing {
                endpoint: remote.url.clone(),
                profile: files.profile,
                file: files
                    .credentials
                    .map_or_else(|| "~/.aws/credentials".to_owned(), |f| f.display().to_string()),
            });
        }
        let credentials = Credentials::from_keys("growler", "growler", None);
        Ok(Self { credentials, region, source: "a dummy pair, for loopback endpoints only".to_owned() })
    }
}

/// Key, secret and optional token under the given names; none if neither key nor secret is there.
fn pair(
    get: &dyn Fn(&str) -> Option<String>,
    [key, secret, token]: [&str; 3],
    place: &str,
) -> Result<Option<Credentials>, CredentialsError> {
    let half = |found: &str, missing: &str| {
        Err(CredentialsError::HalfPair { found: format!("{found}{place}"), missing: missing.to_owned() })
    };
    match (get(key), get(secret)) {
        (Some(id), Some(hidden)) => Ok(Some(Credentials::from_keys(id, hidden, get(token)))),
        (Some(_), None) => half(key, secret),
        (None, Some(_)) => half(secret, key),
        (None, None) => Ok(None),
    }
}

/// The two shared files, and the profile that is read from them.
struct Files {
    profile: String,
    credentials: Option<PathBuf>,
    config: Option<PathBuf>,
}

impl Files {
    fn locate(get: &dyn Fn(&str) -> Option<String>) -> Self {
        let at_home = |name: &str| {
            get("HOME").or_else(|| get("USERPROFILE")).map(|home| Path::new(&home).join(".aws").join(name))
        };
        let file = |variable: &str, name: &str| get(variable).map(PathBuf::from).or_else(|| at_home(name));
        Self {
            profile: get("AWS_PROFILE").unwrap_or_else(|| "default".to_owned()),
            credentials: file("AWS_SHARED_CREDENTIALS_FILE", "credentials"),
            config: file("AWS_CONFIG_FILE", "config"),
        }
    }

    /// The settings of the profile: the configuration file's, and over them the credentials file's.
    fn read_profile(&self) -> Result<BTreeMap<String, String>, CredentialsError> {
        let in_config = match self.profile.as_str() {
            "default" => "default".to_owned(),
            name => format!("profile {name}"),
        };
        let mut settings = BTreeMap::new();
        for (file, section) in [(&self.config, &in_config), (&self.credentials, &self.profile)] {
            let Some(path) = file else { continue };
            match std::fs::read_to_string(path) {
                Ok(text) => settings.extend(section_of(&text, section)),
                Err(e) if e.kind() == std::io::ErrorKind::NotFound => {}
                Err(source) => return Err(CredentialsError::Unreadable { path: path.clone(), source }),
            }
        }
        Ok(settings)
    }
}

/// The `key = value` lines of one `[section]` of an INI text. Nested settings (indented lines) are left out.
fn section_of(text: &str, section: &str) -> BTreeMap<String, String> {
    let mut inside = false;
    let mut settings = BTreeMap::new();
    for line in text.lines() {
        let trimmed = line.trim();
        if let Some(header) = trimmed.strip_prefix('[').and_then(|rest| rest.split(']').next()) {
            inside = header.split_whitespace().eq(section.split_whitespace());
        } else if inside
            && !line.starts_with([' ', '\t', '#', ';'])
            && let Some((key, value)) = trimmed.split_once('=')
        {
            let value = value.split(" #").next().unwrap_or_default();
            settings.insert(key.trim().to_ascii_lowercase(), value.trim().to_owned());
        }
    }
    settings
}

#[cfg(test)]
mod tests {
    use super::*;

    const REMOTE: &str = "https://dynamodb.eu-west-1.amazonaws.com";

    fn resolve(variables: &[(&str, &str)], url: &str) -> Result<Identity, CredentialsError> {
        let map: BTreeMap<String, String> =
            variables.iter().map(|(k, v)| ((*k).to_owned(), (*v).to_owned())).collect();
        let endpoint = Endpoint { name: "n1".into(), url: url.into(), connect_to: None };
        Identity::resolve(&move |name| map.get(name).cloned(), &[endpoint])
    }

    #[test]
    fn the_environment_comes_first_with_its_token() {
        let home = tempfile::tempdir().unwrap();
        std::fs::create_dir(home.path().join(".aws")).unwrap();
        let file = "[default]\naws_access_key_id = FILE\naws_secret_access_key = hidden\n";
        std::fs::write(home.path().join(".aws/credentials"), file).unwrap();
        let home = home.path().to_str().unwrap();
        let environment = [
            ("HOME", home),
            ("AWS_ACCESS_KEY_ID", "ENV"),
            ("AWS_SECRET_ACCESS_KEY", "s3cret"),
            ("AWS_SESSION_TOKEN", "t0ken"),
            ("AWS_DEFAULT_REGION", "eu-west-1"),
        ];
        let identity = resolve(&environment, REMOTE).unwrap();
        assert_eq!(identity.credentials.access_key_id(), "ENV");
        assert_eq!(identity.credentials.session_token(), Some("t0ken"));
        assert_eq!(identity.region, "eu-west-1");
        assert_eq!(resolve(&environment[..1], REMOTE).unwrap().credentials.access_key_id(), "FILE");
    }

    #[test]
    fn a_profile_is_read_from_both_files() {
        let folder = tempfile::tempdir().unwrap();
        let (keys, config) = (folder.path().join("keys"), folder.path().join("config"));
        std::fs::write(
            &keys,
            "# mine\n[default]\naws_access_key_id=NO\naws_secret_access_key=NO\n\n[ work ]\n\
             AWS_ACCESS_KEY_ID = WORK # a comment\naws_secret_access_key=abc=/+\n",
        )
        .unwrap();
        std::fs::write(&config, "[profile work]\ns3 =\n  region = wrong\nregion = ap-south-1\n").unwrap();
        let identity = resolve(
            &[
                ("AWS_PROFILE", "work"),
                ("AWS_SHARED_CREDENTIALS_FILE", keys.to_str().unwrap()),
                ("AWS_CONFIG_FILE", config.to_str().unwrap()),
            ],
            REMOTE,
        )
        .unwrap();
        assert_eq!(identity.credentials.access_key_id(), "WORK");
        assert_eq!(identity.credentials.secret_access_key(), "abc=/+");
        assert_eq!(identity.region, "ap-south-1");
    }

    #[test]
    fn only_loopback_gets_a_dummy_pair() {
        let local = resolve(&[], "http://127.0.0.1:8000").unwrap();
        assert_eq!((local.credentials.access_key_id(), local.region.as_str()), ("growler", DEFAULT_REGION));
        let message = resolve(&[], REMOTE).unwrap_err().to_string();
        assert!(message.contains("AWS_ACCESS_KEY_ID") && message.contains(REMOTE), "{message}");
    }

    #[test]
    fn half_a_pair_is_an_error_that_names_the_other_half() {
        let message = resolve(&[("AWS_ACCESS_KEY_ID", "A")], "http://localhost:1").unwrap_err().to_string();
        assert!(message.contains("AWS_SECRET_ACCESS_KEY"), "{message}");
    }

    #[test]
    fn debug_output_hides_secret_and_token() {
        let environment = [
            ("AWS_ACCESS_KEY_ID", "ENV"),
            ("AWS_SECRET_ACCESS_KEY", "s3cret"),
            ("AWS_SESSION_TOKEN", "t0ken"),
        ];
        let shown = format!("{:?}", resolve(&environment, REMOTE).unwrap());
        assert!(!shown.contains("s3cret") && !shown.contains("t0ken"), "{shown}");
    }
}
