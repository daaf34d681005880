//! Authorities and certificates, good and bad, as files in a folder.

use std::path::Path;

use rcgen::{
    BasicConstraints, CertificateParams, CertifiedIssuer, ExtendedKeyUsagePurpose, IsCa, KeyPair, SanType,
    date_time_ymd,
};

/// Writes `server.*`, and of clients `right.*`, `foreign.*`, `old.*`, `server-only.*`, `listed.*`; and `clients.crt`, whom to trust.
pub(crate) fn write_all(folder: &Path) {
    let authority = authority("clients");
    write_server(folder, "server");
    let client = |name: &str, change: &dyn Fn(&mut CertificateParams)| {
        let mut params = params(&["prometheus.example.org"]);
        params.subject_alt_names.push(SanType::Rfc822Name(
            "ops@example.org".try_into().expect("it is plain text"),
        ));
        params.subject_alt_names.push(SanType::URI(
            "spiffe://example.org/prometheus"
                .try_into()
                .expect("it is plain text"),
        ));
        params
            .subject_alt_names
            .push(SanType::IpAddress([192, 0, 2, 7].into()));
        params.extended_key_usages = vec![ExtendedKeyUsagePurpose::ClientAuth];
        change(&mut params);
        let key = KeyPair::generate().expect("rcgen takes it");
        let certificate = params.signed_by(&key, &authority).expect("rcgen takes it");
        write(folder, name, &certificate.pem(), &key);
    };
    client("right", &|_| {});
    client("old", &|params| {
        params.not_before = date_time_ymd(2020, 1, 1);
        params.not_after = date_time_ymd(2021, 1, 1);
    });
    client("server-only", &|params| {
        params.extended_key_usages = vec![ExtendedKeyUsagePurpose::ServerAuth];
    });
    // As `openssl req -x509` makes them: their own authority.
    let mut trusted = authority.pem();
    for (name, is_listed) in [("listed", true), ("foreign", false)] {
        let mut params = params(&["prometheus.example.org"]);
        params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        let key = KeyPair::generate().expect("rcgen takes it");
        let certificate = params.self_signed(&key).expect("rcgen takes it").pem();
        write(folder, name, &certificate, &key);
        if is_listed {
            trusted.push_str(&certificate);
        }
    }
    std::fs::write(folder.join("clients.crt"), trusted).expect("the folder takes it");
}

/// A new certificate and key for 127.0.0.1, signed by itself.
pub(crate) fn write_server(folder: &Path, name: &str) {
    let key = KeyPair::generate().expect("rcgen takes it");
    let mut params = params(&[]);
    params
        .subject_alt_names
        .push(SanType::IpAddress([127, 0, 0, 1].into()));
    write(
        folder,
        name,
        &params.self_signed(&key).expect("rcgen takes it").pem(),
        &key,
    );
}

fn authority(name: &str) -> CertifiedIssuer<'static, KeyPair> {
    let mut params = params(&[]);
    params.distinguished_name.push(rcgen::DnType::CommonName, name);
    params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
    CertifiedIssuer::self_signed(params, KeyPair::generate().expect("rcgen takes it")).expect("it is good")
}

fn params(names: &[&str]) -> CertificateParams {
    let names: Vec<String> = names.iter().map(ToString::to_string).collect();
    CertificateParams::new(names).expect("rcgen takes it")
}

fn write(folder: &Path, name: &str, certificate: &str, key: &KeyPair) {
    std::fs::write(folder.join(format!("{name}.crt")), certificate).expect("the folder takes it");
    std::fs::write(folder.join(format!("{name}.key")), key.serialize_pem()).expect("the folder takes it");
}
