//! TLS as a web configuration file describes it.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use secrecy::zeroize::Zeroizing;
use secrecy::{ExposeSecret as _, SecretString};
use tokio_rustls::rustls::crypto::{CryptoProvider, aws_lc_rs};
use tokio_rustls::rustls::pki_types::pem::PemObject as _;
use tokio_rustls::rustls::pki_types::{CertificateDer, PrivateKeyDer, UnixTime};
use tokio_rustls::rustls::server::NoServerSessionStorage;
use tokio_rustls::rustls::sign::{CertifiedKey, SingleCertAndKey};
use tokio_rustls::rustls::{Error, InconsistentKeys, ServerConfig};
use x509_cert::der::Decode as _;
use x509_cert::{Certificate, Version};

use super::authorities::{Authorities, Validity};
use super::clients::Policy;
use super::files::Reader;
use super::names;
use super::written::WrittenTls;
use super::yaml::Read;
use crate::paths;

/// TLS, and what of the file it does not do.
pub(super) struct Tls {
    pub(super) config: Arc<ServerConfig>,
    /// What is asked of clients, where they are asked for certificates.
    pub(super) clients: Option<Clients>,
    pub(super) left_out: Vec<String>,
    /// From when until when the certificate of the page is valid, where that can be read.
    pub(super) valid: Option<Validity>,
    /// The file of the private key, where it has one of its own.
    pub(super) key_file: Option<PathBuf>,
}

/// What is asked of clients.
pub(super) struct Clients {
    /// The policy by its name.
    pub(super) name: String,
    policy: Policy,
    /// Whether their certificates need one of the names that are listed.
    have_names: bool,
}

impl Clients {
    /// Whether nobody comes in without a certificate.
    pub(super) fn have_to_show_one(&self) -> bool {
        self.policy.is_mandatory()
    }

    /// Whether these let in somebody whom the others keep out, whatever the authorities and the names.
    pub(super) fn are_weaker_than(&self, others: &Self) -> bool {
        self.policy.is_weaker_than(&others.policy) || (others.have_names && !self.have_names)
    }
}

/// TLS from what is written; paths are below the file's folder.
pub(super) fn read(written: WrittenTls, folder: &Path, reader: &mut Reader) -> Read<Tls> {
    let mut left_out = Vec::new();
    let usual = aws_lc_rs::default_provider();
    let provider = Arc::new(CryptoProvider {
        cipher_suites: names::suites(&written.cipher_suites, usual.cipher_suites, &mut left_out)?,
        kx_groups: names::curves(&written.curve_preferences, usual.kx_groups, &mut left_out)?,
        ..usual
    });
    let versions = names::versions(
        written.min_version.as_deref(),
        written.max_version.as_deref(),
        &mut left_out,
    )?;
    // A file wins over what is written in place, as in exporter-toolkit.
    let chain = Source::of(
        written.cert_file,
        written.cert.map(SecretString::from),
        folder,
        "cert",
    )?;
    let key = Source::of(written.key_file, written.key, folder, "key")?;
    let chain_text = chain.text(reader)?;
    let chain_read = certificates(&chain, &chain_text)?;
    let key_text = key.text(reader)?;
    let key_read = Zeroizing::new(private_key(&key, &key_text)?);

    let policy = Policy::parse(written.client_auth_type.as_deref())?;
    let authorities = if written.client_ca_file.is_some() || written.client_ca.is_some() {
        let ca = written.client_ca.map(SecretString::from);
        let source = Source::of(written.client_ca_file, ca, folder, "client_ca")?;
        let text = source.text(reader)?;
        Authorities::read(certificates(&source, &text)?)?
    } else {
        Authorities::read(Vec::new())?
    };
    let have_names = written.client_allowed_sans.is_some();
    let policy = policy.map(|policy| policy.with_names(have_names));
    let builder = ServerConfig::builder_with_provider(Arc::clone(&provider))
        .with_protocol_versions(&versions)
        .map_err(|error| format!("`tls_server_config` leaves nothing to speak ({error})"))?;
    let builder = match &policy {
        None if !authorities.is_empty() => {
            return Err(
                "`tls_server_config` has authorities of clients, but no `client_auth_type`: write \
                 RequireAndVerifyClientCert"
                    .to_owned(),
            );
        }
        None if written.client_allowed_sans.is_some() => {
            return Err(
                "`tls_server_config.client_allowed_sans` would be asked of nobody without a `client_auth_type`: write \
                 RequireAndVerifyClientCert"
                    .to_owned(),
            );
        }
        None => builder.with_no_client_auth(),
        Some(policy) if policy.is_verified() && authorities.is_empty() => {
            return Err(
                "`tls_server_config.client_auth_type` asks for certificates of clients to be verified: name their \
                 authority in `client_ca_file`"
                    .to_owned(),
            );
        }
        Some(policy) => {
            if policy.is_verified() {
                left_out.extend(authorities.told(UnixTime::now()));
            }
            let verifier = policy.verifier(authorities, written.client_allowed_sans, &provider);
            builder.with_client_cert_verifier(verifier)
        }
    };
    let own = chain_read.first().and_then(|own| Certificate::from_der(own).ok());
    let valid = own.as_ref().map(Validity::of);
    let pair = pair(chain_read, &key_read).map_err(|error| no_pair(&error, &chain, &key, own.as_ref()))?;
    let mut config = builder.with_cert_resolver(Arc::new(SingleCertAndKey::from(pair)));
    config.alpn_protocols = vec![b"http/1.1".to_vec()];
    if policy.as_ref().is_some_and(Policy::is_verified) {
        // Whoever goes on with an earlier session shows nothing: not that the certificate has expired meanwhile.
        config.session_storage = Arc::new(NoServerSessionStorage {});
        config.send_tls13_tickets = 0;
    }
    Ok(Tls {
        config: Arc::new(config),
        clients: policy.map(|policy| Clients {
            name: written.client_auth_type.unwrap_or_default(),
            policy,
            have_names,
        }),
        left_out,
        valid,
        key_file: match key {
            Source::File(path, _) => Some(path),
            Source::Inline(..) => None,
        },
    })
}

/// Where something is written, in a file or in place.
enum Source {
    File(PathBuf, &'static str),
    Inline(SecretString, &'static str),
}

impl Source {
    fn of(
        file: Option<String>,
        inline: Option<SecretString>,
        folder: &Path,
        key: &'static str,
    ) -> Read<Self> {
        match (file, inline) {
            (Some(file), _) => Ok(Self::File(folder.join(file), key)),
            (None, Some(text)) => Ok(Self::Inline(text, key)),
            (None, None) => Err(format!(
                "`tls_server_config` has neither `{key}_file` nor `{key}`, and TLS needs one of them"
            )),
        }
    }

    fn text(&self, reader: &mut Reader) -> Read<SecretString> {
        match self {
            Self::File(path, _) => reader.read(path).map_err(|why| format!("{} {why}", self.name())),
            Self::Inline(text, _) => Ok(text.clone()),
        }
    }

    fn name(&self) -> String {
        match self {
            Self::File(path, key) => format!("`tls_server_config.{key}_file` {}", paths::shown(path)),
            Self::Inline(_, key) => format!("`tls_server_config.{key}`"),
        }
    }
}

/// As rustls' own `CertifiedKey::from_der`, which would take the key and not wipe it.
fn pair(chain: Vec<CertificateDer<'static>>, key: &PrivateKeyDer<'_>) -> Result<CertifiedKey, Error> {
    let pair = CertifiedKey::new(chain, aws_lc_rs::sign::any_supported_type(key)?);
    match pair.keys_match() {
        Ok(()) | Err(Error::InconsistentKeys(InconsistentKeys::Unknown)) => Ok(pair),
        Err(error) => Err(error),
    }
}

fn certificates(source: &Source, text: &SecretString) -> Read<Vec<CertificateDer<'static>>> {
    let text = text.expose_secret();
    let read = CertificateDer::pem_slice_iter(text.as_bytes()).collect::<Result<Vec<_>, _>>();
    match read {
        Ok(certificates) if !certificates.is_empty() => Ok(certificates),
        _ if text.contains("-----BEGIN CERTIFICATE-----") => Err(format!(
            "{} holds a certificate that is damaged or cut off",
            source.name()
        )),
        _ => Err(format!("{} holds no certificate in PEM", source.name())),
    }
}

fn private_key(source: &Source, text: &SecretString) -> Read<PrivateKeyDer<'static>> {
    let text = text.expose_secret();
    // In the first line of such a key, or in a line below it.
    let mut lines = text.lines();
    if lines.any(|line| line.starts_with("-----BEGIN ENCRYPTED") || line.ends_with("4,ENCRYPTED")) {
        return Err(format!(
            "{} holds a private key that is encrypted, and nobody is there to ask for its passphrase: write it as \
             `openssl pkey -in encrypted.key -out plain.key` does",
            source.name()
        ));
    }
    let labelled = PrivateKeyDer::from_pem_slice(text.as_bytes())
        .map(Zeroizing::new)
        .map_err(|_| {
            if text.contains("PRIVATE KEY-----") {
                return format!(
                    "{} holds a private key that is damaged, or has a label that is none of PRIVATE KEY, RSA PRIVATE KEY \
                     and EC PRIVATE KEY: write it as `openssl pkey -in old.key -out new.key` does",
                    source.name()
                );
            }
            format!("{} holds no private key in PEM", source.name())
        })?;
    // Of these three, what it is decides, as with Go, and not what it is called.
    let by_content = PrivateKeyDer::try_from(labelled.secret_der());
    Ok(by_content.map_or_else(|_| labelled.clone_key(), |key| key.clone_key()))
}

/// Why a certificate and a key cannot be used, without the words of the library.
fn no_pair(error: &Error, chain: &Source, key: &Source, own: Option<&Certificate>) -> String {
    let version = own.map(|own| own.tbs_certificate().version());
    match error {
        Error::InconsistentKeys(_) => {
            format!(
                "{} and {} are no pair: the key is that of another certificate",
                chain.name(),
                key.name()
            )
        }
        Error::InvalidCertificate(_) if version.is_some_and(|version| version != Version::V3) => format!(
            "{} holds a certificate of X.509 version 1: make one of version 3, as `openssl req -x509` does",
            chain.name()
        ),
        Error::InvalidCertificate(_) => format!(
            "{} holds a certificate that is damaged, or has a critical extension that is not known here",
            chain.name()
        ),
        _ => format!(
            "{} holds a key that cannot be used: make one of RSA with 2048 bits or more, of ECDSA on P-256, P-384 or \
             P-521, or of Ed25519",
            key.name()
        ),
    }
}
