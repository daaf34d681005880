use std::path::Path;

use super::*;

fn headers(name: &'static str, value: &str) -> HeaderMap {
    HeaderMap::from_iter([(
        reqwest::header::HeaderName::from_static(name),
        value.parse().unwrap(),
    )])
}

#[test]
fn an_answer_that_is_not_understood_is_told_without_what_it_may_hold() {
    let credentials = Credentials {
        access_key_id: "AKIAIOSFODNN7EXAMPLE".to_owned(),
        secret_access_key: "own-secret".into(),
        session_token: Some("CANARYsessionTOKENexample".into()),
    };
    let told = |body: &str, status, effect| {
        let reply = Reply {
            status,
            body: Body(body.as_bytes().to_vec()),
            ..Reply::default()
        };
        let error = reply.into_answer("h", "DescribeXResponse", &credentials.secrets(), effect);
        error.unwrap_err().to_string()
    };
    let describing = |body: &str| told(body, 200, Effect::Describes);
    for body in [
        r#"{"SecretAccessKey": "canary"}"#,
        "canary",
        "<html><title>own/secret sessionTOK <b>canary</b></title></html>",
        "<CANARYsessionTOKEN/>",
    ] {
        for effect in [Effect::Describes, Effect::Changes, Effect::Lends] {
            let told = told(body, 200, effect).to_lowercase();
            for secret in ["canary", "secret", "session"] {
                assert!(!told.contains(secret), "{body}: {told}");
            }
        }
        let refused = told(body, 400, Effect::Describes).to_lowercase();
        assert!(
            !refused.contains("canary") && !refused.contains("session"),
            "{refused}"
        );
    }
    assert!(describing("{}").contains("JSON, 2 bytes long"));
    assert!(describing("<html><Title>Bad\n gateway</title>").contains("HTML titled `Bad gateway`"));
    // It may hold the secret of a key that was just made.
    assert!(!told("<Secret40/>", 200, Effect::Changes).contains("Secret40"));
    let envelope = "<Response><Errors><Error><Code>Foo</Code><Message>cut: sessionTOKEN…</Message></Error></Errors></Response>";
    let told = told(envelope, 400, Effect::Describes);
    assert!(told.contains("Foo (HTTP 400): cut: [REDACTED]…"), "{told}");
}

#[test]
fn what_is_on_this_machine_is_known_by_its_name() {
    let endpoint = |url: &str| Endpoint {
        url: url.parse().unwrap(),
        signing_name: "ec2".to_owned(),
        region: "r".to_owned(),
        version: "v",
    };
    let here = "http://127.0.0.1:5000/ https://127.9.9.9/ http://[::1]:5000/x http://[::ffff:127.0.0.1]/ \
                https://localhost/ http://LOCALHOST./ http://cloud.localhost http://0.0.0.0:1/ http://127.1/";
    for url in here.split_whitespace() {
        assert!(endpoint(url).is_on_this_machine(), "{url}");
    }
    let elsewhere = "http://127.0.0.1.example/ http://localhost.example/ http://notlocalhost/ http://10.0.0.1/ \
                     https://[fd00::1]/ http://[::ffff:10.0.0.1]/";
    for url in elsewhere.split_whitespace() {
        assert!(!endpoint(url).is_on_this_machine(), "{url}");
    }
    let needs = |urls: &[&str]| {
        let endpoints: Vec<_> = urls.iter().map(|url| endpoint(url)).collect();
        let needs = Needs::of(endpoints.iter(), None);
        (needs.plain, needs.here, needs.elsewhere)
    };
    let (at_home, away) = ("http://127.0.0.1/", "https://ec2.example/");
    assert_eq!(needs(&[at_home]), (true, true, false));
    assert_eq!(needs(&[away]), (false, false, true));
    assert_eq!(needs(&[away, at_home]), (false, true, true));
}

#[test]
fn retry_after_is_read_in_each_form() {
    assert_eq!(
        retry_after(&headers("retry-after", "7")),
        Some(Duration::from_secs(7))
    );
    assert_eq!(
        retry_after(&headers("x-amz-retry-after", "1500")),
        Some(Duration::from_millis(1500))
    );
    let past = headers("retry-after", "Wed, 21 Oct 2015 07:28:00 GMT");
    assert_eq!(retry_after(&past), Some(Duration::ZERO));
    let ahead = retry_after(&headers("retry-after", "Fri, 21 Oct 2050 07:28:00 GMT")).unwrap();
    assert!(ahead > Duration::from_secs(86_400));
    assert_eq!(retry_after(&headers("retry-after", "soon")), None);
}

#[test]
fn a_bundle_without_a_certificate_is_refused_with_its_path() {
    let needs = |path: &Path| Needs {
        client_certificate: None,
        ca_bundle: Some(path.to_owned()),
        plain: false,
        here: false,
        elsewhere: true,
    };
    let file = tempfile::NamedTempFile::new().unwrap();
    std::fs::write(file.path(), "not a certificate").unwrap();
    let error = Transport::new(&needs(file.path())).unwrap_err().to_string();
    assert!(error.contains(&file.path().display().to_string()), "{error}");
    // The last has no end.
    for unreadable in ["/nowhere", "/", "/dev/zero"] {
        assert!(matches!(
            Transport::new(&needs(Path::new(unreadable))),
            Err(BadTransport::Unreadable { .. })
        ));
    }
}
