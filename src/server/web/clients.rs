//! Which client certificates are taken: exporter-toolkit's five policies, and its list of names.

use std::fmt;
use std::net::IpAddr;
use std::sync::Arc;

use tokio_rustls::rustls::client::danger::HandshakeSignatureValid;
use tokio_rustls::rustls::crypto::{CryptoProvider, verify_tls12_signature, verify_tls13_signature};
use tokio_rustls::rustls::pki_types::{CertificateDer, UnixTime};
use tokio_rustls::rustls::server::danger::{ClientCertVerified, ClientCertVerifier};
use tokio_rustls::rustls::{
    CertificateError, DigitallySignedStruct, DistinguishedName, Error, SignatureScheme,
};
use x509_cert::Certificate;
use x509_cert::der::Decode as _;
use x509_cert::ext::pkix::SubjectAltName;
use x509_cert::ext::pkix::name::GeneralName;

use super::authorities::Authorities;
use super::yaml::Read;

/// What clients have to show.
pub(super) struct Policy {
    /// Whether a certificate has to be there.
    is_mandatory: bool,
    /// Whether it has to be of one of the authorities.
    is_verified: bool,
}

impl Policy {
    /// A policy by its name; nothing, where clients are not asked at all.
    pub(super) fn parse(name: Option<&str>) -> Read<Option<Self>> {
        let (is_mandatory, is_verified) = match name {
            None | Some("NoClientCert") => return Ok(None),
            Some("RequestClientCert") => (false, false),
            Some("RequireAnyClientCert" | "RequireClientCert") => (true, false),
            Some("VerifyClientCertIfGiven") => (false, true),
            Some("RequireAndVerifyClientCert") => (true, true),
            Some(_) => {
                return Err(
                    "`tls_server_config.client_auth_type` is none of NoClientCert, RequestClientCert, \
                     RequireAnyClientCert, VerifyClientCertIfGiven, RequireAndVerifyClientCert"
                        .to_owned(),
                );
            }
        };
        Ok(Some(Self {
            is_mandatory,
            is_verified,
        }))
    }

    pub(super) fn is_mandatory(&self) -> bool {
        self.is_mandatory
    }

    pub(super) fn is_verified(&self) -> bool {
        self.is_verified
    }

    /// Whether it lets in somebody whom the other keeps out, whatever the authorities.
    pub(super) fn is_weaker_than(&self, other: &Self) -> bool {
        (other.is_mandatory && !self.is_mandatory) || (other.is_verified && !self.is_verified)
    }

    /// The same where names are listed: nobody without a certificate has one of them.
    pub(super) fn with_names(self, are_listed: bool) -> Self {
        Self {
            is_mandatory: self.is_mandatory || are_listed,
            ..self
        }
    }

    /// What rustls asks, with these authorities and, if they are listed, these names.
    pub(super) fn verifier(
        &self,
        authorities: Authorities,
        names: Option<Vec<String>>,
        provider: &Arc<CryptoProvider>,
    ) -> Arc<dyn ClientCertVerifier> {
        Arc::new(Verifier {
            is_mandatory: self.is_mandatory,
            hints: authorities.names(),
            authorities: self.is_verified.then_some(authorities),
            names,
            provider: Arc::clone(provider),
        })
    }
}

struct Verifier {
    is_mandatory: bool,
    /// Of whom certificates have to be, where they are verified.
    authorities: Option<Authorities>,
    names: Option<Vec<String>>,
    hints: Vec<DistinguishedName>,
    provider: Arc<CryptoProvider>,
}

impl fmt::Debug for Verifier {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.debug_struct("Verifier").finish_non_exhaustive()
    }
}

impl Verifier {
    fn check_name(&self, end_entity: &CertificateDer<'_>) -> Result<(), Error> {
        let Some(names) = &self.names else {
            return Ok(());
        };
        let own = names_of(end_entity)?;
        if own.iter().any(|own| names.contains(own)) {
            Ok(())
        } else {
            Err(CertificateError::ApplicationVerificationFailure.into())
        }
    }
}

impl ClientCertVerifier for Verifier {
    fn client_auth_mandatory(&self) -> bool {
        self.is_mandatory
    }

    fn root_hint_subjects(&self) -> &[DistinguishedName] {
        &self.hints
    }

    fn verify_client_cert(
        &self,
        end_entity: &CertificateDer<'_>,
        intermediates: &[CertificateDer<'_>],
        now: UnixTime,
    ) -> Result<ClientCertVerified, Error> {
        if let Some(authorities) = &self.authorities {
            let algorithms = self.provider.signature_verification_algorithms.all;
            authorities.check(end_entity, intermediates, now, algorithms)?;
        }
        self.check_name(end_entity)?;
        Ok(ClientCertVerified::assertion())
    }

    // That the client has the key is always asked, as with Go.
    fn verify_tls12_signature(
        &self,
        message: &[u8],
        cert: &CertificateDer<'_>,
        dss: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        let algorithms = &self.provider.signature_verification_algorithms;
        verify_tls12_signature(message, cert, dss, algorithms)
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        cert: &CertificateDer<'_>,
        dss: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        let algorithms = &self.provider.signature_verification_algorithms;
        verify_tls13_signature(message, cert, dss, algorithms)
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        self.provider
            .signature_verification_algorithms
            .supported_schemes()
    }
}

/// The names that exporter-toolkit compares, spelled as Go spells them.
fn names_of(certificate: &CertificateDer<'_>) -> Result<Vec<String>, Error> {
    let decoded = Certificate::from_der(certificate).map_err(|_| CertificateError::BadEncoding)?;
    let names = decoded
        .tbs_certificate()
        .get_extension::<SubjectAltName>()
        .map_err(|_| CertificateError::BadEncoding)?;
    let names = names.map_or_else(Vec::new, |(_, names)| names.0);
    let spelled = names.into_iter().filter_map(|name| match name {
        GeneralName::DnsName(name)
        | GeneralName::Rfc822Name(name)
        | GeneralName::UniformResourceIdentifier(name) => Some(name.to_string()),
        GeneralName::IpAddress(address) => {
            let bytes = address.as_bytes();
            let v4 = <[u8; 4]>::try_from(bytes).map(IpAddr::from);
            let address = v4.or_else(|_| <[u8; 16]>::try_from(bytes).map(IpAddr::from));
            address.ok().map(|address| address.to_canonical().to_string())
        }
        _ => None,
    });
    Ok(spelled.collect())
}
