//! What exporter-toolkit, which is Go, calls versions, cipher suites and curves, as rustls has them. What rustls does not
//! have is weak or rare: it is left out, which is said, and refused where nothing else is left.

use std::fmt::Display;

use tokio_rustls::rustls::crypto::SupportedKxGroup;
use tokio_rustls::rustls::crypto::aws_lc_rs::{cipher_suite, kx_group};
use tokio_rustls::rustls::version::{TLS12, TLS13};
use tokio_rustls::rustls::{SupportedCipherSuite, SupportedProtocolVersion};

use super::yaml::Read;

type Groups = Vec<&'static dyn SupportedKxGroup>;

/// The versions from the least to the greatest.
pub(super) fn versions(
    least: Option<&str>,
    greatest: Option<&str>,
    left_out: &mut Vec<String>,
) -> Read<Vec<&'static SupportedProtocolVersion>> {
    let rank = |key: &str, name: &str| {
        let rank = VERSIONS.iter().position(|version| *version == name);
        rank.ok_or_else(|| {
            let names = VERSIONS.join(", ");
            format!("`tls_server_config.{key}` is no version of TLS: write one of {names}")
        })
    };
    let (least, greatest) = (
        least.map_or(Ok(TLS12_RANK), |name| rank("min_version", name))?,
        greatest.map_or(Ok(TLS13_RANK), |name| rank("max_version", name))?,
    );
    if greatest < TLS12_RANK {
        return Err(
            "`tls_server_config.max_version` is a version that nobody should speak any more: write TLS12 or TLS13"
                .to_owned(),
        );
    }
    if least > greatest {
        return Err(
            "`tls_server_config.min_version` is above `max_version`, so that nobody could connect".to_owned(),
        );
    }
    if least < TLS12_RANK {
        left_out.push("`min_version` is taken for TLS12: there is nothing older here".to_owned());
    }
    let both = [(TLS13_RANK, &TLS13), (TLS12_RANK, &TLS12)];
    let between = both
        .into_iter()
        .filter(|(rank, _)| (least..=greatest).contains(rank));
    Ok(between.map(|(_, version)| version).collect())
}

/// The cipher suites: those of TLS 1.2 as named, if any are; those of TLS 1.3 always, as with Go.
pub(super) fn suites(
    names: &[String],
    usual: Vec<SupportedCipherSuite>,
    left_out: &mut Vec<String>,
) -> Read<Vec<SupportedCipherSuite>> {
    if names.is_empty() {
        return Ok(usual);
    }
    let mut wanted = Vec::new();
    for name in names {
        if let Some((_, suite)) = SUITES.iter().find(|(known, _)| known == name) {
            wanted.push(*suite);
        } else if WITHOUT_SUITE.contains(&name.as_str()) {
            left_out.push(without("cipher_suites", name));
        } else if !OF_TLS13.contains(&name.as_str()) {
            return Err(
                "`tls_server_config.cipher_suites` has one that Go does not know as secure".to_owned(),
            );
        }
    }
    let all_left_out = wanted.is_empty() && !names.iter().any(|name| OF_TLS13.contains(&name.as_str()));
    if all_left_out {
        return Err(
            "`tls_server_config.cipher_suites` names none that there is here: add one with ECDHE and GCM"
                .to_owned(),
        );
    }
    let of_tls13 = usual.into_iter().filter(|suite| suite.version() == &TLS13);
    Ok(of_tls13.chain(wanted).collect())
}

/// The curves, in the order of preference.
pub(super) fn curves(names: &[String], usual: Groups, left_out: &mut Vec<String>) -> Read<Groups> {
    if names.is_empty() {
        return Ok(usual);
    }
    let mut wanted: Groups = Vec::new();
    for name in names {
        match name.as_str() {
            "X25519" => wanted.push(kx_group::X25519),
            "CurveP256" => wanted.push(kx_group::SECP256R1),
            "CurveP384" => wanted.push(kx_group::SECP384R1),
            "CurveP521" => left_out.push(without("curve_preferences", name)),
            _ => {
                return Err(
                    "`tls_server_config.curve_preferences` has one that is none of X25519, CurveP256, CurveP384, \
                     CurveP521"
                        .to_owned(),
                );
            }
        }
    }
    if wanted.is_empty() {
        return Err(
            "`tls_server_config.curve_preferences` names none that there is here: add X25519".to_owned(),
        );
    }
    Ok(wanted)
}

fn without(key: &str, name: impl Display) -> String {
    format!("`{key}` has {name}, which there is not here: it is left out")
}

const VERSIONS: [&str; 4] = ["TLS10", "TLS11", "TLS12", "TLS13"];
const TLS12_RANK: usize = 2;
const TLS13_RANK: usize = 3;

const SUITES: [(&str, SupportedCipherSuite); 6] = [
    (
        "TLS_ECDHE_RSA_WITH_AES_128_GCM_SHA256",
        cipher_suite::TLS_ECDHE_RSA_WITH_AES_128_GCM_SHA256,
    ),
    (
        "TLS_ECDHE_RSA_WITH_AES_256_GCM_SHA384",
        cipher_suite::TLS_ECDHE_RSA_WITH_AES_256_GCM_SHA384,
    ),
    (
        "TLS_ECDHE_RSA_WITH_CHACHA20_POLY1305_SHA256",
        cipher_suite::TLS_ECDHE_RSA_WITH_CHACHA20_POLY1305_SHA256,
    ),
    (
        "TLS_ECDHE_ECDSA_WITH_AES_128_GCM_SHA256",
        cipher_suite::TLS_ECDHE_ECDSA_WITH_AES_128_GCM_SHA256,
    ),
    (
        "TLS_ECDHE_ECDSA_WITH_AES_256_GCM_SHA384",
        cipher_suite::TLS_ECDHE_ECDSA_WITH_AES_256_GCM_SHA384,
    ),
    (
        "TLS_ECDHE_ECDSA_WITH_CHACHA20_POLY1305_SHA256",
        cipher_suite::TLS_ECDHE_ECDSA_WITH_CHACHA20_POLY1305_SHA256,
    ),
];

const OF_TLS13: [&str; 3] = [
    "TLS_AES_128_GCM_SHA256",
    "TLS_AES_256_GCM_SHA384",
    "TLS_CHACHA20_POLY1305_SHA256",
];

/// Those that Go lists as secure, today or when Debian's exporters were built, and rustls does not have.
const WITHOUT_SUITE: [&str; 8] = [
    "TLS_RSA_WITH_AES_128_CBC_SHA",
    "TLS_RSA_WITH_AES_256_CBC_SHA",
    "TLS_RSA_WITH_AES_128_GCM_SHA256",
    "TLS_RSA_WITH_AES_256_GCM_SHA384",
    "TLS_ECDHE_ECDSA_WITH_AES_128_CBC_SHA",
    "TLS_ECDHE_ECDSA_WITH_AES_256_CBC_SHA",
    "TLS_ECDHE_RSA_WITH_AES_128_CBC_SHA",
    "TLS_ECDHE_RSA_WITH_AES_256_CBC_SHA",
];
