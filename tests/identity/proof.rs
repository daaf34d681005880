//! What counts as proven of a new key, within the test so that nothing is waited for.

use std::fmt::Write as _;
use std::io;

use secrecy::ExposeSecret as _;
use tokio::net::TcpListener;
use vigie::credentials::{Credentials, Source};
use vigie::demo::{Cloud, Fault, Options};
use vigie::identity::{self, Error, Event, Out, Patience, Place, Proof, Wish};
use vigie::provider::Provider;
use vigie::resources::kinds_of;

#[tokio::test]
async fn needed_action_is_allowed_only_if_the_cloud_let_the_key_come_to_it() {
    for (status, code) in [
        (403, "NotAllowedHere"),
        (400, "InvalidAction"),
        (500, "InternalError"),
    ] {
        let cloud = cloud().await;
        cloud.inject("DescribeInstances", refusal(status, code), None);
        let (outcome, _) = bootstrap(&cloud).await;
        let Err(Error::Failed(error)) = outcome else {
            panic!("{code} passes for allowed: {outcome:?}");
        };
        let words = format!("{error:#}");
        assert!(
            words.contains("ec2:DescribeInstances") && words.contains(code),
            "{words}"
        );
    }
}

#[tokio::test]
async fn answer_that_there_is_no_such_thing_is_shown_beside_the_action_it_allows() {
    let (outcome, _) = bootstrap(&cloud().await).await;
    let proof = outcome.expect("the key is proven");
    let evidence = proof.evidence.iter();
    let evidence: Vec<_> = evidence.map(|(action, answer)| (&**action, &**answer)).collect();
    let expected = [
        (
            "elasticloadbalancing:DescribeInstanceHealth",
            "LoadBalancerNotFound",
        ),
        ("elasticloadbalancing:DescribeListeners", "LoadBalancerNotFound"),
        ("elasticloadbalancing:DescribeTargetHealth", "TargetGroupNotFound"),
    ];
    assert_eq!(evidence, expected);
}

/// The answer that makes a key is the only one that holds its secret.
#[tokio::test]
async fn secret_in_an_answer_that_is_not_understood_is_told_to_nobody() {
    let cloud = cloud().await;
    cloud.inject("CreateAccessKey", Fault::WrongRoot, None);
    let (outcome, told) = bootstrap(&cloud).await;
    let Err(Error::Failed(error)) = outcome else {
        panic!("the answer is understood: {outcome:?}");
    };
    let words = format!("{error:#} {error:?} {told}");
    assert!(words.contains("run the same command again"), "{words}");
    assert!(!words.contains("EXAMPLEKEY"), "{words}");
    let made = cloud
        .requests()
        .into_iter()
        .filter(|request| request.action == "CreateAccessKey");
    assert_eq!(made.count(), 1);
}

fn refusal(status: u16, code: &str) -> Fault {
    Fault::Error {
        status,
        code: code.to_owned(),
        message: "no".to_owned(),
    }
}

pub(crate) async fn cloud() -> Cloud {
    let options = Options {
        provider: Provider::Aws,
        regions: vec!["eu-west-1".to_owned()],
        lock_out: false,
        alive: false,
        ..Options::default()
    };
    let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port is free");
    Cloud::start(options, listener).await.expect("the cloud starts")
}

/// One try, and everything that was told on the way.
pub(crate) async fn bootstrap(cloud: &Cloud) -> (Result<Proof, Error>, String) {
    let wish = Wish::of(Provider::Aws, &kinds_of(Provider::Aws));
    let patience = Patience {
        tries: 1,
        ..Patience::of(Provider::Aws)
    };
    let patience = patience.with_age(None);
    let mut give = |_: &Credentials| -> io::Result<()> { Ok(()) };
    let out = Out::Hand {
        name: "the test",
        give: &mut give,
    };
    let mut told = String::new();
    let (place, source) = (place(cloud), admin(cloud));
    let mut tell = |event: Event<'_>| writeln!(told, "{event:?}").expect("a string takes any text");
    let outcome = identity::bootstrap(&place, source, &wish, out, patience, &mut tell).await;
    (outcome, told)
}

pub(crate) fn place(cloud: &Cloud) -> Place {
    Place {
        client_certificate: None,
        provider: Provider::Aws,
        regions: vec!["eu-west-1".to_owned()],
        endpoint_url: Some(cloud.url().parse().expect("it is a URL")),
        ca_bundle: None,
        requests_per_second: 100.0,
    }
}

pub(crate) fn admin(cloud: &Cloud) -> Source {
    let key = cloud.admin_key();
    let credentials = Credentials {
        access_key_id: key.access_key_id,
        secret_access_key: key.secret_access_key.expose_secret().into(),
        session_token: None,
    };
    Source::fixed(Provider::Aws, credentials, "test")
}
