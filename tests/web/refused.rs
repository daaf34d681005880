//! Files that are wrong: neither vigie nor an exporter starts with them.

use vigie::server::Web;

use crate::exporter::Exporter;
use crate::scene::{Folder, hash};

#[tokio::test]
async fn what_an_exporter_refuses_is_refused() {
    let folder = Folder::new();
    let tls =
        |lines: &str| format!("tls_server_config:\n  cert_file: server.crt\n  key_file: server.key\n{lines}");
    let cases = [
        ("unknown: 1".to_owned(), "`unknown`"),
        (
            "tls_server_config: {cert: {}}".to_owned(),
            "`tls_server_config.cert`",
        ),
        ("[]".to_owned(), "is no table"),
        ("a: b: c".to_owned(), "is not valid YAML"),
        ("basic_auth_users: {john: doe}".to_owned(), "\"john\""),
        (
            format!("basic_auth_users: {{a: {h}, a: {h}}}", h = hash("x")),
            "names `a` twice",
        ),
        ("basic_auth_users: {john: ''}".to_owned(), "\"john\""),
        (
            "basic_auth_users: {john: $2y$32$X0h1gDsPszWURQaxFh.zoubFi6DXncSjhoQNJgRrnGs7EsimhC7zG}"
                .to_owned(),
            "\"john\"",
        ),
        (
            "tls_server_config: {cert_file: server.crt}".to_owned(),
            "`key_file`",
        ),
        (
            "tls_server_config: {key_file: server.key}".to_owned(),
            "`cert_file`",
        ),
        (
            "tls_server_config: {client_auth_type: NoClientCert}".to_owned(),
            "`cert_file`",
        ),
        (
            "tls_server_config: {cert_file: server.crt, key_file: nowhere}".to_owned(),
            "nowhere",
        ),
        (
            "tls_server_config: {cert_file: server.crt, key_file: right.key}".to_owned(),
            "are no pair: the key is that of another certificate",
        ),
        (
            "tls_server_config: {cert_file: server.key, key_file: server.key}".to_owned(),
            "no certificate",
        ),
        (
            "tls_server_config: {cert_file: server.crt, key_file: server.crt}".to_owned(),
            "no private key",
        ),
        (tls("  client_auth_type: Any\n"), "client_auth_type"),
        (tls("  client_ca_file: clients.crt\n"), "client_auth_type"),
        (
            tls("  client_auth_type: RequireAndVerifyClientCert\n  client_ca_file: nowhere\n"),
            "nowhere",
        ),
        (tls("  min_version: TLS14\n"), "min_version"),
        (tls("  max_version: 1.2\n"), "max_version"),
        (
            tls("  cipher_suites: [TLS_RSA_WITH_RC4_128_SHA]\n"),
            "cipher_suites",
        ),
        (tls("  curve_preferences: [CurveP224]\n"), "curve_preferences"),
        (
            "http_server_config: {headers: {X-Other: a}}".to_owned(),
            "X-Other",
        ),
        (
            "http_server_config: {headers: {x-frame-options: deny}}".to_owned(),
            "x-frame-options",
        ),
        (
            "http_server_config: {headers: {X-Frame-Options: allow}}".to_owned(),
            "X-Frame-Options",
        ),
        (
            "http_server_config: {headers: {X-Content-Type-Options: sniff}}".to_owned(),
            "X-Content-Type-Options",
        ),
        ("http_server_config: {http2: maybe}".to_owned(), "http2"),
    ];
    refused_by_both(&folder, &cases).await;
}

#[tokio::test]
async fn what_is_refused_says_what_to_do() {
    let folder = Folder::new();
    let tls =
        |lines: &str| format!("tls_server_config:\n  cert_file: server.crt\n  key_file: server.key\n{lines}");
    let pem = |label: &str| format!("-----BEGIN {label}-----\nRVhBTVBMRQ==\n-----END {label}-----\n");
    for (name, label) in [
        ("encrypted.key", "ENCRYPTED PRIVATE KEY"),
        ("junk.key", "PRIVATE KEY"),
    ] {
        std::fs::write(folder.path().join(name), pem(label)).unwrap();
    }
    let cases = [
        // Without a certificate there is no TLS, and what is wrong is wrong nevertheless.
        (
            "tls_server_config: {min_version: TLS99}".to_owned(),
            "min_version",
        ),
        (
            "tls_server_config: {cipher_suites: [FOO]}".to_owned(),
            "cipher_suites",
        ),
        (
            "tls_server_config: {client_allowed_sans: [a]}".to_owned(),
            "`cert_file`",
        ),
        (
            tls("  cipher_suites: TLS_ECDHE_ECDSA_WITH_AES_128_GCM_SHA256\n"),
            "no list",
        ),
        (tls("  curve_preferences: X25519\n"), "no list"),
        (
            format!("basic_auth_users:\n  prometheus:{}\n", hash("x")),
            "write `prometheus: …`, with a space",
        ),
        ("basic_auth_users: {} # \u{7}".to_owned(), "control character"),
        (
            "tls_server_config: {cert_file: server.crt, key_file: encrypted.key}".to_owned(),
            "openssl pkey -in encrypted.key",
        ),
        (
            "tls_server_config: {cert_file: server.crt, key_file: junk.key}".to_owned(),
            "cannot be used",
        ),
    ];
    refused_by_both(&folder, &cases).await;
}

async fn refused_by_both(folder: &Folder, cases: &[(String, &str)]) {
    for (text, told) in cases {
        let file = folder.web(text);
        assert!(Exporter::start(&file).await.is_err(), "an exporter takes {text}");
        let refused = Web::load(&file)
            .err()
            .unwrap_or_else(|| panic!("it is taken: {text}"));
        let refused = refused.to_string();
        assert!(
            refused.contains(told) && refused.contains("web.yml: "),
            "{text}: {refused}"
        );
    }
}

#[tokio::test]
async fn what_an_exporter_takes_is_taken() {
    let folder = Folder::new();
    let tls = "tls_server_config:\n  cert_file: server.crt\n  key_file: server.key\n";
    let key = folder.read("server.key");
    for kind in ["RSA", "EC"] {
        let labelled = key.replace(" PRIVATE", &format!(" {kind} PRIVATE"));
        assert_ne!(labelled, key);
        std::fs::write(folder.path().join(kind), labelled).unwrap();
    }
    std::fs::copy(folder.path().join("server.crt"), folder.path().join("007")).unwrap();
    std::fs::copy(folder.path().join("server.key"), folder.path().join("True")).unwrap();
    for text in [
        String::new(),
        tls.replace("server.key", "RSA"),
        tls.replace("server.key", "EC"),
        tls.replace("server.crt", "007").replace("server.key", "True"),
        format!("basic_auth_users: {{007: {0}, .inf: {0}, True: {0}}}", hash("x")),
        "tls_server_config:\n".to_owned(),
        "{}".to_owned(),
        "tls_server_config: {}\nhttp_server_config: {headers: }\nbasic_auth_users: {}\n".to_owned(),
        format!("\u{feff}basic_auth_users: {{a: {}}}", hash("x")),
        "http_server_config:\n  headers:\n    Content-Security-Policy: >\n      default-src\n      none\n"
            .to_owned(),
        "http_server_config: {http2: off}".to_owned(),
        format!("{tls}  min_version: TLS10\n"),
        format!(
            "{tls}  cipher_suites: [TLS_AES_128_GCM_SHA256, TLS_ECDHE_ECDSA_WITH_AES_128_CBC_SHA, TLS_ECDHE_RSA_WITH_AES_128_GCM_SHA256]\n"
        ),
        format!("{tls}  curve_preferences: [CurveP521, CurveP256]\n"),
        format!("{tls}  cert_file: \n")
            .replacen("  cert_file: server.crt\n", "", 1)
            .replace("  cert_file: \n", "  cert_file: ./server.crt\n"),
        format!(
            "{}  cert_file: {}/server.crt\n",
            tls.replacen("  cert_file: server.crt\n", "", 1),
            folder.path().display()
        ),
        format!(
            "basic_auth_users:\n  a: {}\n",
            hash("x").replacen("$2b$", "$2y$", 1)
        ),
        format!(
            "basic_auth_users:\n  a: \"{}\"\n",
            hash("x").replacen("$2b$", "$2a$", 1)
        ),
    ] {
        let file = folder.web(&text);
        if let Err(said) = Exporter::start(&file).await {
            panic!("an exporter refuses {text}: {said}");
        }
        if let Err(refused) = Web::load(&file) {
            panic!("{text}: {refused}");
        }
    }
}

#[test]
fn what_would_be_open_or_stuck_is_refused_where_an_exporter_starts() {
    let folder = Folder::new();
    let tls = "tls_server_config:\n  cert_file: server.crt\n  key_file: server.key\n";
    let hash = "X0h1gDsPszWURQaxFh.zoubFi6DXncSjhoQNJgRrnGs7EsimhC7zG";
    std::fs::write(folder.path().join("version-1.crt"), VERSION_1).unwrap();
    let cut_off = folder.read("server.crt").repeat(2).replace("-----END", "");
    std::fs::write(folder.path().join("cut-off.crt"), cut_off).unwrap();
    let labelled = folder.read("server.key").replace(" PRIVATE", " OTHER PRIVATE");
    std::fs::write(folder.path().join("labelled.key"), labelled).unwrap();
    for (text, told) in [
        (
            format!("{tls}  client_allowed_sans: [a]\n"),
            "would be asked of nobody",
        ),
        (
            format!("{tls}  client_auth_type: RequireAndVerifyClientCert\n"),
            "client_ca_file",
        ),
        (
            format!("{tls}  client_auth_type: RequireAnyClientCert\n  client_ca_file: server.key\n"),
            "no certificate",
        ),
        (format!("{tls}  max_version: TLS11\n"), "max_version"),
        (
            format!("{tls}  min_version: TLS13\n  max_version: TLS12\n"),
            "above",
        ),
        (
            format!("{tls}  cipher_suites: [TLS_RSA_WITH_AES_128_CBC_SHA]\n"),
            "cipher_suites",
        ),
        (
            format!("{tls}  curve_preferences: [CurveP521]\n"),
            "curve_preferences",
        ),
        (format!("basic_auth_users: {{a: $2y$31${hash}}}"), "cost 31"),
        ("rate_limit: {interval: 1s}".to_owned(), "burst"),
        (
            "http_server_config: {headers: {X-XSS-Protection: \"a\\x01b\"}}".to_owned(),
            "X-XSS-Protection",
        ),
        // Plain HTTP for everybody is not what was meant.
        (
            "tls_server_config: {min_version: TLS13}".to_owned(),
            "`cert_file`",
        ),
        (
            "tls_server_config: {cert_file: '', key_file: ''}".to_owned(),
            "`cert_file`",
        ),
        (
            "tls_server_config: {cert_file: version-1.crt, key_file: server.key}".to_owned(),
            "version-1.crt holds a certificate of X.509 version 1",
        ),
        (
            "tls_server_config: {cert_file: server.crt, key_file: labelled.key}".to_owned(),
            "has a label that is none of PRIVATE KEY",
        ),
        (
            "tls_server_config: {cert_file: cut-off.crt, key_file: server.key}".to_owned(),
            "cut-off.crt holds a certificate that is damaged or cut off",
        ),
    ] {
        let refused = Web::load(&folder.web(&text))
            .err()
            .unwrap_or_else(|| panic!("it is taken: {text}"));
        assert!(refused.to_string().contains(told), "{text}: {refused}");
    }
    let refused = Web::load(&folder.path().join("nowhere.yml")).err();
    assert!(refused.is_some_and(|refused| refused.to_string().contains("nowhere.yml: does not exist")));
    assert!(Web::load(folder.path()).is_err());
    let told = Web::load(&folder.web(&format!(
        "{tls}  min_version: TLS10\n  client_auth_type: RequestClientCert\n"
    )));
    let told = told.ok().map(|web| web.told().join("\n")).unwrap_or_default();
    assert!(
        told.contains("TLS: yes") && told.contains("taken for TLS12"),
        "{told}"
    );
}

/// As `openssl x509 -req` makes it without extensions.
const VERSION_1: &str = "-----BEGIN CERTIFICATE-----
MIIBNTCB2wIUFNzziFA6/HOHZm16xkezKwonyWkwCgYIKoZIzj0EAwIwHDEaMBgG
A1UEAwwRdmVyc2lvbi0xLmV4YW1wbGUwIBcNMjYxMTI3MTc0ODA5WhgPMjEyNjEx
MDMxNzQ4MDlaMBwxGjAYBgNVBAMMEXZlcnNpb24tMS5leGFtcGxlMFkwEwYHKoZI
zj0CAQYIKoZIzj0DAQcDQgAEPij2CWlZpd5hGUw/znVs1PwMFbLSS+WOt82ijayK
lL1xmAmgozx5WHDuYy47fP7mN4S6kkjfKTgTuz/lrk5qXzAKBggqhkjOPQQDAgNJ
ADBGAiEA3LKPGAhhIFb72qhxjjhA5n3P1vUyCx/JrrVKyO95bV0CIQCF39NX+bgz
I5zW3rUUNRRwYXDrXQ+5AfMqSuFcdo+q7g==
-----END CERTIFICATE-----
";
