//! The authorities of clients: webpki keeps of one no more than its name and its key, so what else it says of itself is
//! looked at here, as Go does (RFC 5280, 4.2.1.3, 4.2.1.9 and 4.2.1.12).

use std::sync::Arc;

use tokio_rustls::rustls::pki_types::{
    CertificateDer, SignatureVerificationAlgorithm, TrustAnchor, UnixTime,
};
use tokio_rustls::rustls::{CertificateError, DistinguishedName, Error, OtherError};
use webpki::{
    EndEntityCert, ExtendedKeyUsageValidator, KeyPurposeId, KeyPurposeIdIter, RequiredEkuNotFoundContext,
    VerifiedPath, anchor_from_trusted_cert,
};
use x509_cert::der::Decode as _;
use x509_cert::ext::pkix::{BasicConstraints, ExtendedKeyUsage, KeyUsage};
use x509_cert::{Certificate, TbsCertificate, Version};

use super::yaml::Read;

/// Whom certificates of clients have to come from.
pub(super) struct Authorities(Vec<Authority>);

struct Authority {
    certificate: CertificateDer<'static>,
    /// What webpki keeps of it.
    anchor: TrustAnchor<'static>,
    /// Whom it is of.
    subject: String,
    valid: Validity,
    /// Whether it may sign other certificates. One that may not is listed for its own holder alone.
    may_sign: bool,
    is_for_clients: bool,
    /// How many others there may be between it and a client.
    most_between: Option<u8>,
}

/// From when until when a certificate is valid, in seconds of Unix time.
#[derive(Clone, Copy)]
pub(super) struct Validity {
    pub(super) from: u64,
    pub(super) until: u64,
}

impl Validity {
    pub(super) fn of(certificate: &Certificate) -> Self {
        let validity = certificate.tbs_certificate().validity();
        Self {
            from: validity.not_before.to_unix_duration().as_secs(),
            until: validity.not_after.to_unix_duration().as_secs(),
        }
    }

    fn check(self, now: UnixTime) -> Result<(), CertificateError> {
        if now.as_secs() < self.from {
            return Err(CertificateError::NotValidYet);
        }
        if now.as_secs() > self.until {
            return Err(CertificateError::Expired);
        }
        Ok(())
    }
}

impl Authorities {
    /// Authorities from their certificates.
    pub(super) fn read(certificates: Vec<CertificateDer<'static>>) -> Read<Self> {
        let authorities = certificates.into_iter().map(|certificate| {
            Authority::read(certificate).ok_or_else(|| {
                "`tls_server_config.client_ca_file` has a certificate that is damaged: write it there anew".to_owned()
            })
        });
        Ok(Self(authorities.collect::<Read<_>>()?))
    }

    pub(super) fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// Their names, by which clients choose what to show.
    pub(super) fn names(&self) -> Vec<DistinguishedName> {
        let names = self.0.iter();
        names
            .map(|authority| DistinguishedName::in_sequence(&authority.anchor.subject))
            .collect()
    }

    /// Whether a client's certificate is of one of them, or is one of them.
    pub(super) fn check(
        &self,
        client: &CertificateDer<'_>,
        between: &[CertificateDer<'_>],
        now: UnixTime,
        algorithms: &[&dyn SignatureVerificationAlgorithm],
    ) -> Result<(), Error> {
        // What `openssl req -x509` makes calls itself an authority, and webpki takes no such certificate of a client. One
        // that is listed itself is trusted by that, as with Go.
        if let Some(own) = self.0.iter().find(|authority| authority.certificate == *client) {
            own.valid.check(now)?;
            return if own.is_for_clients {
                Ok(())
            } else {
                Err(CertificateError::InvalidPurpose.into())
            };
        }
        let fit: Vec<&Authority> = (self.0.iter())
            .filter(|authority| {
                authority.may_sign && authority.is_for_clients && authority.valid.check(now).is_ok()
            })
            .collect();
        let anchors: Vec<_> = fit.iter().map(|authority| authority.anchor.clone()).collect();
        let is_allowed = |path: &VerifiedPath<'_>| check_between(path, &fit);
        EndEntityCert::try_from(client)
            .and_then(|client| {
                client
                    .verify_for_usage(
                        algorithms,
                        &anchors,
                        between,
                        now,
                        ForClients,
                        None,
                        Some(&is_allowed),
                    )
                    .map(drop)
            })
            .map_err(told_by_rustls)
    }

    /// Those that let in fewer than one may think, a line for each reason.
    pub(super) fn told(&self, now: UnixTime) -> Vec<String> {
        type Is = fn(&Authority, UnixTime) -> bool;
        let reasons: [(Is, &str); 4] = [
            (
                |authority, now| authority.valid.check(now) == Err(CertificateError::Expired),
                "has expired: it lets nobody in",
            ),
            (
                |authority, now| authority.valid.check(now) == Err(CertificateError::NotValidYet),
                "is not valid yet: it lets nobody in until then",
            ),
            (
                |authority, _| !authority.is_for_clients,
                "is not for certificates of clients: it lets nobody in",
            ),
            (
                |authority, _| !authority.may_sign,
                "may sign no others (no CA:TRUE, or no keyCertSign): it lets in its own holder alone",
            ),
        ];
        let lines = reasons.into_iter().filter_map(|(is, what)| {
            let mut of_these = self.0.iter().filter(|authority| is(authority, now));
            let subject = &of_these.next()?.subject;
            let more = match of_these.count() {
                0 => String::new(),
                more => format!(", and so with {more} more"),
            };
            Some(format!("the authority {subject:?} of clients {what}{more}"))
        });
        lines.collect()
    }
}

impl Authority {
    fn read(certificate: CertificateDer<'static>) -> Option<Self> {
        let anchor = anchor_from_trusted_cert(&certificate).ok()?.to_owned();
        let decoded = Certificate::from_der(&certificate).ok()?;
        let said = decoded.tbs_certificate();
        let constraints = said.get_extension::<BasicConstraints>().ok()?;
        let (is_authority, most_between) = constraints.map_or((false, None), |(_, constraints)| {
            (constraints.ca, constraints.path_len_constraint)
        });
        let is_for_clients = is_for_clients(said).ok()? && !asks_for_what_is_not_known(said);
        Some(Self {
            anchor,
            subject: said.subject().to_string(),
            valid: Validity::of(&decoded),
            may_sign: said.version() == Version::V3 && is_authority && may_sign(said).ok()?,
            is_for_clients,
            most_between,
            certificate,
        })
    }
}

/// What webpki does not look at between an authority and a client: whether each may sign, and whether they are too many.
fn check_between(path: &VerifiedPath<'_>, fit: &[&Authority]) -> Result<(), webpki::Error> {
    let mut count = 0;
    for between in path.intermediate_certificates() {
        count += 1;
        let decoded = Certificate::from_der(&between.der()).map_err(|_| webpki::Error::BadDer)?;
        let may_sign = may_sign(decoded.tbs_certificate()).map_err(|_| webpki::Error::BadDer)?;
        if !may_sign {
            return Err(webpki::Error::EndEntityUsedAsCa);
        }
    }
    let is_allowed = fit.iter().any(|authority| {
        authority.anchor == *path.anchor()
            && authority.most_between.is_none_or(|most| count <= u32::from(most))
    });
    if is_allowed {
        Ok(())
    } else {
        Err(webpki::Error::PathLenConstraintViolated)
    }
}

/// Whether a key is for signing certificates, where it says what it is for.
fn may_sign(certificate: &TbsCertificate) -> Result<bool, x509_cert::der::Error> {
    let usage = certificate.get_extension::<KeyUsage>()?;
    Ok(usage.is_none_or(|(_, usage)| usage.key_cert_sign()))
}

/// Whether a certificate is for clients, where it says what it is for.
fn is_for_clients(certificate: &TbsCertificate) -> Result<bool, x509_cert::der::Error> {
    let usage = certificate.get_extension::<ExtendedKeyUsage>()?;
    Ok(usage.is_none_or(|(_, usage)| {
        let mut purposes = usage.0.iter();
        purposes.any(|purpose| [CLIENT_AUTH, ANY_PURPOSE].contains(&purpose.as_bytes()))
    }))
}

/// Whether it says something that is to be refused by whoever does not know it.
fn asks_for_what_is_not_known(certificate: &TbsCertificate) -> bool {
    let mut extensions = certificate.extensions().into_iter().flatten();
    extensions.any(|extension| extension.critical && !KNOWN.contains(&extension.extn_id.to_string().as_str()))
}

/// As `webpki::KeyUsage::client_auth()`, and with `anyExtendedKeyUsage`, which Go takes.
struct ForClients;

impl ExtendedKeyUsageValidator for ForClients {
    fn validate(&self, purposes: KeyPurposeIdIter<'_, '_>) -> Result<(), webpki::Error> {
        let for_clients = [CLIENT_AUTH, ANY_PURPOSE].map(KeyPurposeId::new);
        let mut present = Vec::new();
        for purpose in purposes {
            let purpose = purpose?;
            if for_clients.contains(&purpose) {
                return Ok(());
            }
            present.push(purpose.to_decoded_oid());
        }
        if present.is_empty() {
            return Ok(());
        }
        let required = webpki::KeyUsage::client_auth();
        Err(webpki::Error::RequiredEkuNotFoundContext(
            RequiredEkuNotFoundContext { required, present },
        ))
    }
}

/// By which rustls chooses what the client is told.
fn told_by_rustls(error: webpki::Error) -> Error {
    let told = match error {
        webpki::Error::BadDer | webpki::Error::BadDerTime | webpki::Error::TrailingData(_) => {
            CertificateError::BadEncoding
        }
        webpki::Error::CertNotValidYet { .. } => CertificateError::NotValidYet,
        webpki::Error::CertExpired { .. } => CertificateError::Expired,
        webpki::Error::InvalidSignatureForPublicKey => CertificateError::BadSignature,
        webpki::Error::RequiredEkuNotFoundContext(_) => CertificateError::InvalidPurpose,
        webpki::Error::UnknownIssuer => CertificateError::UnknownIssuer,
        other => CertificateError::Other(OtherError(Arc::new(other))),
    };
    told.into()
}

/// 1.3.6.1.5.5.7.3.2
const CLIENT_AUTH: &[u8] = &[0x2b, 6, 1, 5, 5, 7, 3, 2];
/// 2.5.29.37.0
const ANY_PURPOSE: &[u8] = &[0x55, 0x1d, 37, 0];

/// Extensions that may be critical: those that are looked at here or by webpki, and those that only tell or name.
const KNOWN: [&str; 7] = [
    // The key's usage, whether it is an authority, names that it may sign, and what for.
    "2.5.29.15",
    "2.5.29.19",
    "2.5.29.30",
    "2.5.29.37",
    // Its own other names, its key and its authority's.
    "2.5.29.17",
    "2.5.29.14",
    "2.5.29.35",
];
