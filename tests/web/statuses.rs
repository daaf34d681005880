//! The same web configuration and the same requests: vigie answers as a real exporter does.

use vigie::server::Limits;

use crate::certificates;
use crate::exporter::Exporter;
use crate::requests::Ask;
use crate::scene::{Folder, Scene, hash};

const TLS: &str = "tls_server_config:\n  cert_file: server.crt\n  key_file: server.key\n";

macro_rules! long {
    () => {
        "LongEXAMPLELongEXAMPLELongEXAMPLELongEXAMPLELongEXAMPLELongEXAMPLELongEXAMPLE"
    };
}
const LONG: &str = long!();

/// Asks both servers all of it, and says where they differ.
async fn compare(folder: &Folder, web: &str, asks: &[(&str, Ask)]) -> Vec<Option<u16>> {
    let file = folder.web(web);
    let exporter = Exporter::start(&file).await.expect("the exporter takes the file");
    let scene = Scene::serve(Some(&file), Limits::default()).await;
    let mut statuses = Vec::new();
    let mut differences = Vec::new();
    for (name, ask) in asks {
        let theirs = ask.send(folder.path(), exporter.address, "/metrics").await;
        let ours = ask.send(folder.path(), scene.address, "/metrics").await;
        let mut same = theirs.status() == ours.status();
        same &= theirs.header("www-authenticate") == ours.header("www-authenticate");
        if !same {
            differences.push(format!("{name}: {theirs}, and here {ours}"));
        }
        statuses.push(ours.status());
    }
    assert!(differences.is_empty(), "{web}\n{}", differences.join("\n"));
    statuses
}

#[tokio::test]
async fn users_get_the_same_statuses() {
    let folder = Folder::new();
    let web = format!(
        "basic_auth_users:\n  prometheus: {}\n  '': {}\n  '7': {}\n  long: {}\n  bytes: {}\n",
        hash("PasswordEXAMPLE"),
        hash("EmptyNameEXAMPLE"),
        hash(""),
        hash(LONG),
        bcrypt::hash(b"\xe9", 4).unwrap()
    );
    let raw = |authorization| Ask {
        authorization: Some(authorization),
        ..Ask::PLAIN
    };
    let asks = [
        ("nobody", Ask::PLAIN),
        ("right", Ask::PLAIN.by("prometheus", "PasswordEXAMPLE")),
        ("right again", Ask::PLAIN.by("prometheus", "PasswordEXAMPLE")),
        ("wrong", Ask::PLAIN.by("prometheus", "GuessEXAMPLE")),
        ("wrong again", Ask::PLAIN.by("prometheus", "GuessEXAMPLE")),
        ("another's", Ask::PLAIN.by("prometheus", "EmptyNameEXAMPLE")),
        ("unknown", Ask::PLAIN.by("somebody", "PasswordEXAMPLE")),
        ("fake", Ask::PLAIN.by("somebody", "fakepassword")),
        ("empty name", Ask::PLAIN.by("", "EmptyNameEXAMPLE")),
        ("number and empty password", Ask::PLAIN.by("7", "")),
        (
            "scheme in capitals",
            raw("BASIC cHJvbWV0aGV1czpQYXNzd29yZEVYQU1QTEU="),
        ),
        ("no colon", raw("Basic cHJvbWV0aGV1cw==")),
        ("no padding", raw("Basic cHJvbWV0aGV1cw")),
        ("bits too many", raw("Basic cHJvbWV0aGV1czpQYXNzd29yZEVYQU1QTEV=")),
        ("no base64", raw("Basic ???")),
        (
            "another scheme",
            raw("Bearer cHJvbWV0aGV1czpQYXNzd29yZEVYQU1QTEU="),
        ),
        (
            "TLS where there is none",
            Ask::TLS.by("prometheus", "PasswordEXAMPLE"),
        ),
        ("long", Ask::PLAIN.by("long", LONG)),
        // bcrypt looks at 72 bytes.
        ("longer", Ask::PLAIN.by("long", concat!(long!(), "x"))),
        ("no text", raw("Basic Ynl0ZXM66Q==")),
    ];
    let statuses = compare(&folder, &web, &asks).await;
    // Two that agree may still both be wrong.
    let right = [1, 2, 8, 9, 10, 13, 17, 18, 19];
    for (index, status) in statuses.iter().enumerate() {
        let expected = match index {
            16 => None,
            index if right.contains(&index) => Some(200),
            _ => Some(401),
        };
        assert_eq!(*status, expected, "{}", asks[index].0);
    }
}

#[tokio::test]
async fn tls_gets_the_same_statuses() {
    let folder = Folder::new();
    let old = |ask: Ask| Ask { old: true, ..ask };
    let users = format!("basic_auth_users:\n  prometheus: {}\n", hash("PasswordEXAMPLE"));
    let right = Ask::TLS.by("prometheus", "PasswordEXAMPLE");
    let asks = [
        ("TLS", Ask::TLS),
        ("TLS 1.2", old(Ask::TLS)),
        ("plain", Ask::PLAIN),
        ("a certificate", Ask::TLS.with("right")),
        ("right", right),
        ("right in TLS 1.2", old(right)),
        ("wrong", Ask::TLS.by("prometheus", "GuessEXAMPLE")),
        ("right in plain", Ask::PLAIN.by("prometheus", "PasswordEXAMPLE")),
    ];
    for (more, expected) in [
        ("", [Some(200), Some(200), Some(400), Some(200)]),
        ("  min_version: TLS13\n", [Some(200), None, Some(400), Some(200)]),
        (
            "  max_version: TLS12\n",
            [Some(200), Some(200), Some(400), Some(200)],
        ),
        // Of the suites of TLS 1.3 there is no choice.
        (
            "  cipher_suites: [TLS_ECDHE_RSA_WITH_AES_128_GCM_SHA256]\n",
            [Some(200), None, Some(400), Some(200)],
        ),
        (
            "  cipher_suites: [TLS_ECDHE_ECDSA_WITH_AES_128_GCM_SHA256]\n  curve_preferences: [CurveP384]\n",
            [Some(200), Some(200), Some(400), Some(200)],
        ),
        (
            "  client_auth_type: NoClientCert\n  prefer_server_cipher_suites: no\n",
            [Some(200), Some(200), Some(400), Some(200)],
        ),
    ] {
        // Go asks for that suite where there is HTTP/2.
        let http = "http_server_config:\n  http2: false\n";
        let statuses = compare(&folder, &format!("{TLS}{more}{http}"), &asks[..4]).await;
        assert_eq!(statuses, expected, "{more}");
    }
    let statuses = compare(&folder, &format!("{TLS}{users}"), &asks).await;
    let expected = [401, 401, 400, 401, 200, 200, 401, 400];
    assert_eq!(statuses, expected.map(Some));
}

#[tokio::test]
async fn certificates_of_clients_get_the_same_statuses() {
    let folder = Folder::new();
    let asks = [
        ("none", Ask::TLS),
        ("right", Ask::TLS.with("right")),
        ("listed itself", Ask::TLS.with("listed")),
        ("foreign", Ask::TLS.with("foreign")),
        ("too old", Ask::TLS.with("old")),
        ("not for clients", Ask::TLS.with("server-only")),
        (
            "none in TLS 1.2",
            Ask {
                old: true,
                ..Ask::TLS
            },
        ),
        (
            "foreign in TLS 1.2",
            Ask {
                old: true,
                ..Ask::TLS.with("foreign")
            },
        ),
        ("plain", Ask::PLAIN),
    ];
    let all = [200; 9].map(Some);
    let (yes, no) = (Some(200), None);
    for (policy, ca, expected) in [
        ("NoClientCert", false, all),
        ("RequestClientCert", false, all),
        ("RequestClientCert", true, all),
        (
            "RequireAnyClientCert",
            false,
            [no, yes, yes, yes, yes, yes, no, yes, yes],
        ),
        (
            "RequireClientCert",
            true,
            [no, yes, yes, yes, yes, yes, no, yes, yes],
        ),
        (
            "VerifyClientCertIfGiven",
            true,
            [yes, yes, yes, no, no, no, yes, no, yes],
        ),
        (
            "RequireAndVerifyClientCert",
            true,
            [no, yes, yes, no, no, no, no, no, yes],
        ),
    ] {
        let ca = if ca { "  client_ca_file: clients.crt\n" } else { "" };
        let web = format!("{TLS}  client_auth_type: {policy}\n{ca}");
        let mut expected = expected;
        expected[8] = Some(400);
        assert_eq!(compare(&folder, &web, &asks).await, expected, "{policy}");
    }
}

#[tokio::test]
async fn what_an_authority_says_of_itself_counts_as_with_an_exporter() {
    let folder = Folder::new();
    let names = certificates::write_authorities(folder.path());
    let right = [
        "plain",
        "signs-certificates",
        "for-clients",
        "for-anything",
        "of-none-between",
        "of-one-between",
        "named",
    ];
    let takes_some_between = |name| right.contains(&name) && name != "of-none-between";
    for name in names {
        let leak = |name: String| Ask::TLS.with(name.leak());
        let asks = [
            ("a client of it", leak(format!("by-{name}"))),
            ("a client for anything", leak(format!("any-by-{name}"))),
            ("one between", leak(format!("by-{name}-plain"))),
            (
                "one between that signs none",
                leak(format!("by-{name}-signs-data")),
            ),
            ("one between for servers", leak(format!("by-{name}-for-servers"))),
            (
                "one between for anything",
                leak(format!("by-{name}-for-anything")),
            ),
            ("itself", leak(name.to_owned())),
        ];
        let web =
            format!("{TLS}  client_auth_type: RequireAndVerifyClientCert\n  client_ca_file: {name}.crt\n");
        let status = |is_taken: bool| is_taken.then_some(200);
        let (direct, between) = (right.contains(&name), takes_some_between(name));
        let mut expected = [direct, direct, between, false, false, between, true].map(status);
        if ["expired", "to-come", "for-servers"].contains(&name) {
            expected[6] = None;
        }
        // What rustls does not take of any client, exporters may.
        let asks = if name == "odd" { &asks[..6] } else { &asks };
        let statuses = compare(&folder, &web, asks).await;
        assert_eq!(statuses, expected[..asks.len()], "{name}");
    }
}

#[tokio::test]
async fn headers_are_the_same_and_win_over_the_usual_ones() {
    let folder = Folder::new();
    let configured = [
        ("Strict-Transport-Security", "max-age=31536000"),
        ("X-Content-Type-Options", "nosniff"),
        ("X-Frame-Options", "sameorigin"),
        ("X-XSS-Protection", "1; mode=block"),
        ("Content-Security-Policy", "default-src 'self'"),
    ];
    let mut lines = configured.map(|(name, value)| format!("    {name}: \"{value}\"\n"));
    // A block, whose line ends are blanks on the wire, and none at its end.
    lines[3] = "    X-XSS-Protection: |\n      1;\n      mode=block\n".to_owned();
    let users = format!("basic_auth_users:\n  prometheus: {}\n", hash("PasswordEXAMPLE"));
    let file = folder.web(&format!(
        "{users}http_server_config:\n  headers:\n{}",
        lines.concat()
    ));
    let exporter = Exporter::start(&file).await.expect("the exporter takes the file");
    let scene = Scene::serve(Some(&file), Limits::default()).await;
    let bare = Scene::serve(None, Limits::default()).await;
    let right = Ask::PLAIN.by("prometheus", "PasswordEXAMPLE");
    for (ask, status) in [(Ask::PLAIN, 401), (right, 200)] {
        for path in ["/metrics", "/"] {
            let theirs = ask.send(folder.path(), exporter.address, path).await;
            let ours = ask.send(folder.path(), scene.address, path).await;
            assert_eq!((theirs.status(), ours.status()), (Some(status), Some(status)));
            for (name, value) in configured {
                assert_eq!(theirs.header(name).as_deref(), Some(value), "{path}: {name}");
                assert_eq!(ours.header(name).as_deref(), Some(value), "{path}: {name}");
            }
        }
    }
    for path in [
        "/",
        "/metrics",
        "/sd/instances",
        "/-/healthy",
        "/-/ready",
        "/nothing",
    ] {
        let answer = Ask::PLAIN.send(folder.path(), bare.address, path).await;
        for (name, value) in [
            ("x-content-type-options", "nosniff"),
            ("x-frame-options", "DENY"),
            ("referrer-policy", "no-referrer"),
            ("cache-control", "no-store"),
        ] {
            assert_eq!(answer.header(name).as_deref(), Some(value), "{path}: {name}");
        }
        let policy = answer.header("content-security-policy").unwrap_or_default();
        assert!(policy.starts_with("default-src 'none';"), "{path}: {policy}");
        assert_eq!(answer.header("strict-transport-security"), None);
    }
}

#[tokio::test]
async fn every_route_asks_for_the_password() {
    let folder = Folder::new();
    let file = folder.web(&format!(
        "basic_auth_users:\n  prometheus: {}\n",
        hash("PasswordEXAMPLE")
    ));
    let scene = Scene::serve(Some(&file), Limits::default()).await;
    for path in [
        "/",
        "/metrics",
        "/sd/instances",
        "/-/healthy",
        "/-/ready",
        "/-/reload",
        "/nothing",
    ] {
        let refused = Ask::PLAIN.send(folder.path(), scene.address, path).await;
        assert_eq!(refused.status(), Some(401), "{path}");
    }
}

#[tokio::test]
async fn what_only_newer_exporters_know_is_done() {
    let folder = Folder::new();
    let inline = |name: &str| {
        let lines: Vec<String> = folder
            .read(name)
            .lines()
            .map(|line| format!("    {line}\n"))
            .collect();
        lines.concat()
    };
    let place = format!(
        "tls_server_config:\n  cert: |\n{}  key: |\n{}  client_ca: |\n{}  client_auth_type: VerifyClientCertIfGiven\n",
        inline("server.crt"),
        inline("server.key"),
        inline("clients.crt")
    );
    let names = |names: &str| format!("{place}  client_allowed_sans: [{names}]\n");
    for (web, expected) in [
        (place.clone(), [Some(200), Some(200), None]),
        (names("other, prometheus.example.org"), [None, Some(200), None]),
        (names("ops@example.org"), [None, Some(200), None]),
        (names("spiffe://example.org/prometheus"), [None, Some(200), None]),
        (names("192.0.2.7"), [None, Some(200), None]),
        (
            names("Prometheus.example.org, example.org, '*.example.org'"),
            [None; 3],
        ),
        (names(""), [None; 3]),
    ] {
        let file = folder.web(&web);
        let scene = Scene::serve(Some(&file), Limits::default()).await;
        let mut statuses = Vec::new();
        for ask in [Ask::TLS, Ask::TLS.with("right"), Ask::TLS.with("foreign")] {
            statuses.push(ask.send(folder.path(), scene.address, "/metrics").await.status());
        }
        assert_eq!(statuses, expected, "{web}");
    }
    let file = folder.web("rate_limit: {interval: 1h, burst: 2}\n");
    let scene = Scene::serve(Some(&file), Limits::default()).await;
    let mut statuses = Vec::new();
    for _ in 0..3 {
        let answer = Ask::PLAIN.send(folder.path(), scene.address, "/metrics").await;
        statuses.push(answer.status());
    }
    assert_eq!(statuses, [Some(200), Some(200), Some(429)]);
}
