use super::*;
use crate::resource::Show;
use crate::resources::tests::{lines, observed, read};

/// After the example in AWS's reference of `DescribeVolumeStatus`.
const AWS: &str = r#"<DescribeVolumeStatusResponse xmlns="http://ec2.amazonaws.com/doc/2016-11-15/">
<requestId>5jkdf074-37ed-4004-8671-a78ee82bf1cbEXAMPLE</requestId><volumeStatusSet>
<item><volumeId>vol-1</volumeId><availabilityZone>us-east-1d</availabilityZone>
<volumeStatus><status>ok</status><details><item><name>io-enabled</name><status>passed</status></item>
<item><name>io-performance</name><status>not-applicable</status></item></details></volumeStatus></item>
<item><volumeId>vol-2</volumeId><availabilityZone>us-east-1d</availabilityZone>
<volumeStatus><status>impaired</status><details><item><name>io-enabled</name><status>failed</status></item></details>
</volumeStatus><eventsSet><item><eventId>evol-61a54008</eventId><eventType>potential-data-inconsistency</eventType>
<description>THIS IS AN EXAMPLE</description><notBefore>2011-12-01T14:00:00.000Z</notBefore>
<notAfter>2011-12-01T15:00:00.000Z</notAfter></item></eventsSet>
<actionsSet><item><code>enable-volume-io</code><eventId>evol-61a54008</eventId>
<eventType>potential-data-inconsistency</eventType></item></actionsSet></item>
</volumeStatusSet></DescribeVolumeStatusResponse>"#;

#[test]
fn status_checks_and_events_are_shown() {
    let observation = observed(&KIND, read_page, AWS);
    assert_eq!((observation.objects, observation.skipped), (2, 0));
    let event = r#"volume_id="vol-2",event_id="evol-61a54008",code="potential-data-inconsistency""#;
    let expected = [
        r#"cloud_volume_status{volume_id="vol-1",status="ok"} 1"#.to_owned(),
        r#"cloud_volume_status{volume_id="vol-2",status="impaired"} 1"#.to_owned(),
        r#"cloud_volume_status_check_info{volume_id="vol-1",check="io-enabled",status="passed"} 1"#
            .to_owned(),
        r#"cloud_volume_status_check_info{volume_id="vol-1",check="io-performance",status="not-applicable"} 1"#
            .to_owned(),
        r#"cloud_volume_status_check_info{volume_id="vol-2",check="io-enabled",status="failed"} 1"#
            .to_owned(),
        format!("cloud_volume_event_not_before_timestamp_seconds{{{event}}} 1322748000"),
        format!("cloud_volume_event_not_after_timestamp_seconds{{{event}}} 1322751600"),
    ];
    assert_eq!(lines(observation), expected);
}

#[test]
fn each_known_status_has_a_series_and_an_unknown_one_too() {
    let mut observation = Observation::new(&KIND, "a", Provider::Aws, "r", Show::default());
    let document = AWS.replace("<status>ok</status>", "<status>dubious</status>");
    read(&mut observation, &KIND, read_page, &document).unwrap();
    let lines = lines(observation);
    let values = |volume: &str| {
        let own = format!("cloud_volume_status{{volume_id=\"{volume}\"");
        let own = lines.iter().filter(|line| line.starts_with(&own));
        own.filter_map(|line| line.chars().last()).collect::<String>()
    };
    assert_eq!(values("vol-1"), "00001");
    assert_eq!(values("vol-2"), "0010");
}

#[test]
fn what_says_nothing_or_stands_twice_makes_no_sample() {
    let document = "<DescribeVolumeStatusResponse><volumeStatusSet><item/><item><volumeId>vol-1</volumeId></item>\
        <item><volumeId>vol-2</volumeId><volumeStatus><status>warning</status><details>\
        <item><name>io-enabled</name></item><item><status>passed</status></item><item/>\
        <item><name>io-performance</name><status>stalled</status></item>\
        <item><name>io-performance</name><status>normal</status></item></details></volumeStatus><eventsSet><item/>\
        <item><eventType>io-performance:stalled</eventType><notBefore>2011-12-01T14:00:00.000Z</notBefore></item>\
        <item><eventType>io-performance:stalled</eventType><notBefore>2011-12-01T15:00:00.000Z</notBefore></item>\
        </eventsSet></item><item><volumeId>vol-2</volumeId><volumeStatus><status>ok</status></volumeStatus></item>\
        </volumeStatusSet></DescribeVolumeStatusResponse>";
    let observation = observed(&KIND, read_page, document);
    assert_eq!((observation.objects, observation.skipped), (1, 3));
    assert_eq!(
        lines(observation),
        [
            r#"cloud_volume_status{volume_id="vol-2",status="warning"} 1"#,
            r#"cloud_volume_status_check_info{volume_id="vol-2",check="io-performance",status="stalled"} 1"#,
            r#"cloud_volume_event_not_before_timestamp_seconds{volume_id="vol-2",code="io-performance:stalled"} 1322748000"#,
        ]
    );
}
