//! Authorities and certificates, good and bad, as files in a folder.

use std::path::Path;

use rcgen::{
    BasicConstraints, CertificateParams, CertifiedIssuer, CustomExtension, ExtendedKeyUsagePurpose, IsCa,
    KeyPair, KeyUsagePurpose, SanType, date_time_ymd,
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
    write_server_until(folder, name, 4096);
}

/// The same, until some year.
pub(crate) fn write_server_until(folder: &Path, name: &str, year: i32) {
    let key = KeyPair::generate().expect("rcgen takes it");
    let mut params = params(&[]);
    params.not_after = date_time_ymd(year, 1, 1);
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

/// Writes authorities of all sorts, each as `NAME.crt`, with a client of it as `by-NAME.*`; gives the names.
pub(crate) fn write_authorities(folder: &Path) -> Vec<&'static str> {
    type Change = fn(&mut CertificateParams);
    let of_two: Change = |params| params.is_ca = IsCa::Ca(BasicConstraints::Constrained(1));
    let sorts: [(&str, Change); 15] = [
        ("plain", |_| {}),
        ("none-at-all", |params| params.is_ca = IsCa::NoCa),
        ("no-authority", |params| params.is_ca = IsCa::ExplicitNoCa),
        ("expired", |params| {
            params.not_before = date_time_ymd(2020, 1, 1);
            params.not_after = date_time_ymd(2021, 1, 1);
        }),
        ("to-come", |params| params.not_before = date_time_ymd(4000, 1, 1)),
        ("signs-data", |params| {
            params.key_usages = vec![KeyUsagePurpose::DigitalSignature];
        }),
        ("signs-certificates", |params| {
            params.key_usages = vec![KeyUsagePurpose::KeyCertSign];
        }),
        ("for-servers", |params| {
            params.extended_key_usages = vec![ExtendedKeyUsagePurpose::ServerAuth];
        }),
        ("for-clients", |params| {
            params.extended_key_usages = vec![ExtendedKeyUsagePurpose::ClientAuth];
        }),
        ("for-anything", |params| {
            params.extended_key_usages = vec![ExtendedKeyUsagePurpose::Any];
        }),
        ("of-none-between", |params| {
            params.is_ca = IsCa::Ca(BasicConstraints::Constrained(0));
        }),
        ("of-one-between", of_two),
        ("odd", |params| {
            let mut odd = CustomExtension::from_oid_content(&[1, 2, 3, 4, 5], vec![5, 0]);
            odd.set_criticality(true);
            params.custom_extensions = vec![odd];
        }),
        ("named", |params| {
            params.name_constraints = Some(rcgen::NameConstraints {
                permitted_subtrees: vec![rcgen::GeneralSubtree::DnsName("example.org".to_owned())],
                excluded_subtrees: Vec::new(),
            });
        }),
        ("named-otherwise", |params| {
            params.name_constraints = Some(rcgen::NameConstraints {
                permitted_subtrees: vec![rcgen::GeneralSubtree::DnsName("example.com".to_owned())],
                excluded_subtrees: Vec::new(),
            });
        }),
    ];
    for (name, change) in sorts {
        let authority = of_sort(name, change);
        std::fs::write(folder.join(format!("{name}.crt")), authority.pem()).expect("the folder takes it");
        // Pinned, it lets in its own holder.
        let key = authority.key().serialize_pem();
        std::fs::write(folder.join(format!("{name}.key")), key).expect("the folder takes it");
        write_client(folder, &format!("by-{name}"), &authority, "", |_| {});
        write_client(folder, &format!("any-by-{name}"), &authority, "", |params| {
            params.extended_key_usages = vec![ExtendedKeyUsagePurpose::Any];
        });
        for (between, change) in sorts {
            if !["plain", "signs-data", "for-servers", "for-anything"].contains(&between) {
                continue;
            }
            let mut params = params(&[]);
            params.distinguished_name.push(rcgen::DnType::CommonName, between);
            params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
            change(&mut params);
            let key = KeyPair::generate().expect("rcgen takes it");
            let between_them = CertifiedIssuer::signed_by(params, key, &authority).expect("rcgen takes it");
            let name = format!("by-{name}-{between}");
            write_client(folder, &name, &between_them, &between_them.pem(), |_| {});
        }
    }
    sorts.map(|(name, _)| name).to_vec()
}

fn write_client(
    folder: &Path,
    name: &str,
    authority: &CertifiedIssuer<'static, KeyPair>,
    between: &str,
    change: impl Fn(&mut CertificateParams),
) {
    let mut params = params(&["prometheus.example.org"]);
    change(&mut params);
    let key = KeyPair::generate().expect("rcgen takes it");
    let certificate = params.signed_by(&key, authority).expect("rcgen takes it").pem();
    write(folder, name, &format!("{certificate}{between}"), &key);
}

fn authority(name: &str) -> CertifiedIssuer<'static, KeyPair> {
    of_sort(name, |_| {})
}

fn of_sort(name: &str, change: impl Fn(&mut CertificateParams)) -> CertifiedIssuer<'static, KeyPair> {
    let mut params = params(&[]);
    params.distinguished_name.push(rcgen::DnType::CommonName, name);
    params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
    change(&mut params);
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
