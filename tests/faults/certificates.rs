//! What an endpoint shows: the right certificate, or one of the wrong ones.

use std::sync::Arc;

use rcgen::{BasicConstraints, CertificateParams, CertifiedIssuer, IsCa, KeyPair, date_time_ymd};
use tokio_rustls::TlsAcceptor;
use tokio_rustls::rustls::ServerConfig;
use tokio_rustls::rustls::pki_types::{PrivateKeyDer, PrivatePkcs8KeyDer};

use crate::fault::Fault;

/// An authority, and what endpoints show.
pub(crate) struct Certificates {
    /// The authority, in PEM.
    pub(crate) bundle: String,
    right: TlsAcceptor,
    wrong_name: TlsAcceptor,
    unknown_issuer: TlsAcceptor,
    expired: TlsAcceptor,
}

impl Certificates {
    pub(crate) fn new() -> Self {
        let (ours, another) = (authority(), authority());
        let here = || CertificateParams::new(["127.0.0.1".to_owned()]).unwrap();
        let elsewhere = CertificateParams::new(["elsewhere.example".to_owned()]).unwrap();
        let mut expired = here();
        expired.not_before = date_time_ymd(2020, 1, 1);
        expired.not_after = date_time_ymd(2021, 1, 1);
        Self {
            bundle: ours.pem(),
            right: shown(&here(), &ours),
            wrong_name: shown(&elsewhere, &ours),
            unknown_issuer: shown(&here(), &another),
            expired: shown(&expired, &ours),
        }
    }

    /// What is shown while this fault is there.
    pub(crate) fn during(&self, fault: Option<Fault>) -> TlsAcceptor {
        match fault {
            Some(Fault::WrongName) => self.wrong_name.clone(),
            Some(Fault::UnknownIssuer) => self.unknown_issuer.clone(),
            Some(Fault::Expired) => self.expired.clone(),
            _ => self.right.clone(),
        }
    }
}

fn authority() -> CertifiedIssuer<'static, KeyPair> {
    let mut authority = CertificateParams::new(Vec::new()).unwrap();
    authority.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
    CertifiedIssuer::self_signed(authority, KeyPair::generate().unwrap()).unwrap()
}

fn shown(what: &CertificateParams, issuer: &CertifiedIssuer<'static, KeyPair>) -> TlsAcceptor {
    let key = KeyPair::generate().unwrap();
    let certificate = what.signed_by(&key, issuer).unwrap();
    let key = PrivateKeyDer::Pkcs8(PrivatePkcs8KeyDer::from(key.serialize_der()));
    let config = ServerConfig::builder()
        .with_no_client_auth()
        .with_single_cert(vec![certificate.der().clone()], key)
        .unwrap();
    TlsAcceptor::from(Arc::new(config))
}
