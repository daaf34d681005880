use std::time::Duration;

use tokio::net::TcpListener;
use tokio::time::Instant;

use super::*;
use crate::api::{Cause, Kept};
use crate::credentials::Credentials;
use crate::demo::{Cloud, Options};
use crate::identity::Place;
use crate::resource::{Show, StateSeries};
use crate::resources::tests::plain;

/// The shape of an answer of FCU: empty elements, eight hexadecimal digits, no tagSet, code -1.
const OUTSCALE: &str = r#"<?xml version="1.0" encoding="UTF-8"?>
<DescribeInstancesResponse xmlns="http://ec2.amazonaws.com/doc/2014-06-15/">
<requestId>6ab4ec1e-0000-0000-0000-000000000000</requestId>
<reservationSet><item><reservationId>r-45f379b7</reservationId><ownerId>123456789012</ownerId><groupSet/>
<instancesSet><item><instanceId>i-bee7ebf3</instanceId><imageId>ami-dd8ea8ab</imageId>
<instanceState><code>-1</code><name>quarantine</name></instanceState><privateDnsName></privateDnsName>
<dnsName></dnsName><keyName></keyName><amiLaunchIndex>0</amiLaunchIndex><productCodes/>
<instanceType>tinav4.c2r4p2</instanceType><launchTime>2018-02-08T00:51:38.866+0000</launchTime>
<placement><availabilityZone>eu-west-2a</availabilityZone><groupName></groupName><tenancy>default</tenancy></placement>
<kernelId></kernelId><architecture>x86_64</architecture></item></instancesSet></item></reservationSet>
</DescribeInstancesResponse>"#;

/// The shape of an answer of EC2, cut down to what is read.
const AWS: &str = r#"<DescribeInstancesResponse xmlns="http://ec2.amazonaws.com/doc/2016-11-15/">
<reservationSet><item><instancesSet>
<item><instanceId>i-0123456789abcdef0</instanceId><imageId>ami-1</imageId>
<instanceState><code>80</code><name>stopped</name></instanceState>
<reason>User initiated (2024-11-22 15:40:00 GMT)</reason>
<stateReason><code>Client.UserInitiatedShutdown</code><message>Client.UserInitiatedShutdown: User initiated
shutdown</message></stateReason>
<instanceType>m5.large</instanceType><launchTime>2024-11-22T14:00:00.000Z</launchTime>
<placement><availabilityZone>eu-west-1a</availabilityZone><tenancy>dedicated</tenancy></placement>
<instanceLifecycle>spot</instanceLifecycle><platform>windows</platform><vpcId>vpc-1</vpcId><subnetId>subnet-1</subnetId>
<privateIpAddress>10.0.0.1</privateIpAddress><ipAddress>192.0.2.1</ipAddress>
<tagSet><item><key>Name</key><value>a "b" \ &amp; c</value></item><item><key>env</key><value>prod</value></item>
<item><key>empty</key><value/></item></tagSet></item>
<item><instanceState><name>running</name></instanceState></item>
<item><instanceId>i-1</instanceId></item>
<item><instanceId>i-2</instanceId><instanceState><name>hibernating</name></instanceState></item>
<item><instanceId>i-2</instanceId><instanceState><name>running</name></instanceState></item>
</instancesSet></item></reservationSet><nextToken>page-2</nextToken></DescribeInstancesResponse>"#;

fn observed(document: &str, provider: Provider, show_as: Show) -> (Observation, Option<String>) {
    let mut observation = Observation::new(&KIND, "a", provider, "r", show_as);
    let next = read(document, &mut observation).unwrap();
    (observation, next)
}

#[test]
fn outscale_instance_is_shown_with_all_its_quirks() {
    let (observation, next) = observed(OUTSCALE, Provider::Outscale, Show::default());
    assert_eq!(
        (observation.objects, observation.skipped, next.as_deref()),
        (1, 0, Some(""))
    );
    let [state, info, tags, launched, changed, reason] = <[String; 6]>::try_from(plain(observation)).unwrap();
    let states: Vec<&str> = state.lines().collect();
    assert_eq!(states.len(), 7);
    assert_eq!(
        states[6],
        r#"cloud_instance_state{account="a",region="r",instance_id="i-bee7ebf3",state="quarantine"} 1"#
    );
    assert!(states[..6].iter().all(|line| line.ends_with("} 0")), "{state}");
    assert_eq!(
        info,
        "cloud_instance_info{account=\"a\",region=\"r\",instance_id=\"i-bee7ebf3\",\
         instance_type=\"tinav4.c2r4p2\",availability_zone=\"eu-west-2a\",image_id=\"ami-dd8ea8ab\",\
         architecture=\"x86_64\",tenancy=\"default\"} 1\n"
    );
    assert_eq!(
        launched,
        "cloud_instance_launch_timestamp_seconds{account=\"a\",region=\"r\",instance_id=\"i-bee7ebf3\"} \
         1518051098.866\n"
    );
    assert_eq!((tags.as_str(), changed.as_str(), reason.as_str()), ("", "", ""));
}

#[test]
fn aws_instance_says_since_when_and_why() {
    let show_as = Show {
        tags: Tags::All,
        states: StateSeries::Current,
        ..Show::default()
    };
    let (observation, next) = observed(AWS, Provider::Aws, show_as);
    assert_eq!(next.as_deref(), Some("page-2"));
    let [state, info, tags, _, changed, reason] = <[String; 6]>::try_from(plain(observation)).unwrap();
    let own = r#"{account="a",region="r",instance_id="i-0123456789abcdef0""#;
    assert!(
        state.starts_with(&format!("cloud_instance_state{own},state=\"stopped\"}} 1\n")),
        "{state}"
    );
    let facts = r#",name="a \"b\" \\ & c",instance_type="m5.large",availability_zone="eu-west-1a",image_id="ami-1",platform="windows",lifecycle="spot",tenancy="dedicated",vpc_id="vpc-1",subnet_id="subnet-1",private_ip="10.0.0.1",public_ip="192.0.2.1"} 1"#;
    assert_eq!(
        info.lines().next(),
        Some(format!("cloud_instance_info{own}{facts}").as_str())
    );
    let shown = r#",tag_Name="a \"b\" \\ & c",tag_env="prod"} 1"#;
    assert_eq!(tags, format!("cloud_instance_tags{own}{shown}\n"));
    assert_eq!(
        changed,
        format!("cloud_instance_state_changed_timestamp_seconds{own}}} 1732290000\n")
    );
    assert_eq!(
        reason,
        format!("cloud_instance_state_reason_info{own},code=\"Client.UserInitiatedShutdown\"}} 1\n")
    );
}

#[test]
fn what_cannot_be_understood_is_counted_and_the_others_are_shown() {
    let show_as = Show {
        tags: Tags::None,
        states: StateSeries::Current,
        ..Show::default()
    };
    let (observation, _) = observed(AWS, Provider::Aws, show_as);
    assert_eq!((observation.objects, observation.skipped), (2, 2));
    assert_eq!(
        observation.first_skipped.as_deref(),
        Some("an instance without instanceId (id ``)")
    );
    let instances = observation.facts.instances.as_ref().unwrap();
    assert!(!instances.is_whole, "one of them has no name");
    assert_eq!(instances.states["i-1"], "", "it is there, in whatever state");
    let state = &plain(observation)[0];
    // Unknown, under its own name; and an id that comes twice holds once.
    let unknown = r#"{account="a",region="r",instance_id="i-2",state="hibernating"} 1"#;
    assert_eq!(
        state.lines().nth(1),
        Some(format!("cloud_instance_state{unknown}").as_str())
    );
    assert_eq!(state.lines().count(), 2);
}

#[test]
fn instance_that_says_its_state_the_second_time_is_shown() {
    let document = "<DescribeInstancesResponse><reservationSet><item><instancesSet>\
                    <item><instanceId>i-1</instanceId></item>\
                    <item><instanceId>i-1</instanceId><instanceState><name>stopped</name></instanceState></item>\
                    <item><instanceId>i-1</instanceId></item>\
                    </instancesSet></item></reservationSet></DescribeInstancesResponse>";
    let (observation, _) = observed(document, Provider::Aws, Show::default());
    assert_eq!((observation.objects, observation.skipped), (1, 2));
    let instances = observation.facts.instances.as_ref().unwrap();
    assert_eq!((&*instances.states["i-1"], instances.is_whole), ("stopped", true));
}

#[test]
fn owner_longer_than_any_is_not_copied_for_each_instance() {
    // With a reference in it, it is a copy and no part of the answer.
    let owner = |letters: usize| format!("<ownerId>&amp;{}</ownerId>", "1".repeat(letters));
    for (letters, kept) in [(12, 13), (1_000, 0)] {
        let document = format!(
            "<r><instancesSet><item/><item/></instancesSet>{}</r>",
            owner(letters)
        );
        let instances = read_reservation(&mut Reader::open(&document, "r").unwrap()).unwrap();
        assert!(instances.iter().all(|instance| instance.owner_id.len() == kept));
    }
}

#[tokio::test]
async fn listing_that_is_more_than_may_be_kept_fails_before_it_is_whole() {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let options = Options {
        provider: Provider::Aws,
        instances: 4_000,
        load_balancers: 0,
        target_groups: 0,
        alive: false,
        ..Options::default()
    };
    let cloud = Cloud::start(options, listener).await.unwrap();
    let key = cloud.create_describe_only_user("watcher", &["ec2:DescribeInstances"]);
    let place = Place {
        provider: Provider::Aws,
        regions: vec!["eu-west-2".to_owned()],
        endpoint_url: Some(cloud.url().parse().unwrap()),
        ca_bundle: None,
        client_certificate: None,
        requests_per_second: 100.0,
    };
    let key = Credentials {
        access_key_id: key.access_key_id,
        secret_access_key: key.secret_access_key,
        session_token: None,
    };
    let client = place.clients_with(&key, 0).unwrap().remove(0);
    for (limit, is_whole) in [(64 << 10, false), (16 << 20, true)] {
        cloud.forget_requests();
        let kept = Kept::up_to(limit);
        let client = client
            .until(Instant::now() + Duration::from_secs(600))
            .keeping(kept.clone());
        let mut observation = Observation::new(&KIND, "a", Provider::Aws, "r", Show::default());
        observation.kept = kept;
        let listed = observe(&client, &mut observation).await;
        let asked = cloud.requests().len();
        if is_whole {
            listed.unwrap();
            assert_eq!((observation.objects, asked), (4_000, 4));
        } else {
            let error = listed.unwrap_err();
            assert!(matches!(error.cause, Cause::TooMuch), "{error}");
            // The page behind the first is asked for while that one is read.
            assert!(
                observation.objects < 1_000 && asked <= 2,
                "{} {asked}",
                observation.objects
            );
        }
    }
}

#[test]
fn only_a_time_the_cloud_says_is_shown() {
    assert_eq!(
        state_changed("User initiated (2024-11-22 15:40:00 GMT)"),
        Some(1_732_290_000.0)
    );
    for unsaid in [
        "",
        "User initiated",
        "User initiated (soon)",
        "User initiated (2024-11-22 25:40:00 GMT)",
        "GMT)",
    ] {
        assert_eq!(state_changed(unsaid), None, "{unsaid}");
    }
}
