use super::*;
use crate::resources::tests::{lines, observed, read};

/// After the examples in AWS's reference of `DescribeInstanceStatus`, cut down to what is read.
const AWS: &str = r#"<DescribeInstanceStatusResponse xmlns="http://ec2.amazonaws.com/doc/2016-11-15/">
<requestId>3be1508e-c444-4fef-89cc-0b1223c4f02f</requestId><instanceStatusSet>
<item><instanceId>i-1</instanceId><availabilityZone>eu-west-1d</availabilityZone>
<instanceState><code>16</code><name>running</name></instanceState>
<systemStatus><status>impaired</status><details><item><name>reachability</name><status>failed</status>
<impairedSince>2024-11-22T15:40:00.000Z</impairedSince></item></details></systemStatus>
<instanceStatus><status>ok</status><details><item><name>reachability</name><status>passed</status></item></details>
</instanceStatus>
<attachedEbsStatus><status>initializing</status></attachedEbsStatus>
<applicationStatus><status>impaired</status><impairedSince>2024-11-22T15:41:00+0000</impairedSince></applicationStatus>
<performanceStatus><status>insufficient-data</status></performanceStatus>
<eventsSet><item><instanceEventId>instance-event-0d59937288b749b32</instanceEventId><code>instance-retirement</code>
<description>The instance is running on degraded hardware</description><notBefore>2024-11-25T00:00:00.000Z</notBefore>
<notAfter>2024-11-25T01:00:00.000Z</notAfter><notBeforeDeadline>2024-11-30T00:00:00.000Z</notBeforeDeadline></item>
<item><instanceEventId>instance-event-1</instanceEventId><code>system-reboot</code>
<description>[Completed] scheduled reboot</description><notBefore>2024-11-20T00:00:00.000Z</notBefore></item>
<item><code>system-reboot</code><description> [CANCELED] no</description><notBefore>2024-11-20T00:00:00.000Z</notBefore>
</item></eventsSet></item>
<item><instanceId>i-2</instanceId><instanceState><code>80</code><name>stopped</name></instanceState>
<systemStatus><status>not-applicable</status></systemStatus><instanceStatus><status>not-applicable</status></instanceStatus>
</item></instanceStatusSet><nextToken>page-2</nextToken></DescribeInstanceStatusResponse>"#;

fn of(items: &str) -> Observation {
    let document = format!(
        "<DescribeInstanceStatusResponse><instanceStatusSet>{items}</instanceStatusSet></DescribeInstanceStatusResponse>"
    );
    observed(&KIND, read_page, &document)
}

#[test]
fn checks_and_what_is_scheduled_are_shown_and_what_is_over_is_not() {
    let observation = observed(&KIND, read_page, AWS);
    assert_eq!((observation.objects, observation.skipped), (2, 0));
    let event = r#"instance_id="i-1",event_id="instance-event-0d59937288b749b32",code="instance-retirement""#;
    let expected = [
        r#"cloud_instance_status_check_failed{instance_id="i-1",check="system"} 1"#.to_owned(),
        r#"cloud_instance_status_check_failed{instance_id="i-1",check="instance"} 0"#.to_owned(),
        r#"cloud_instance_status_check_failed{instance_id="i-1",check="application"} 1"#.to_owned(),
        r#"cloud_instance_status_check_impaired_timestamp_seconds{instance_id="i-1",check="system"} 1732290000"#
            .to_owned(),
        r#"cloud_instance_status_check_impaired_timestamp_seconds{instance_id="i-1",check="application"} 1732290060"#
            .to_owned(),
        format!("cloud_instance_scheduled_event_not_before_timestamp_seconds{{{event}}} 1732492800"),
        format!("cloud_instance_scheduled_event_not_after_timestamp_seconds{{{event}}} 1732496400"),
        format!("cloud_instance_scheduled_event_deadline_timestamp_seconds{{{event}}} 1732924800"),
    ];
    assert_eq!(lines(observation), expected);
}

#[test]
fn page_tells_how_to_ask_for_the_next_and_an_instance_on_both_is_shown_once() {
    let mut observation = observed(&KIND, read_page, AWS);
    assert_eq!(
        read(&mut observation, &KIND, read_page, AWS),
        Ok(Some("page-2".to_owned()))
    );
    assert_eq!((observation.objects, observation.skipped), (2, 0));
    assert_eq!(lines(observation).len(), 8);
}

#[test]
fn instance_of_outscale_without_checks_is_known_and_says_nothing() {
    let observation = of(
        "<item><instanceId>i-bee7ebf3</instanceId><instanceState><code>-1</code>\
        <name>quarantine</name></instanceState><systemStatus/><instanceStatus><status></status></instanceStatus></item>",
    );
    assert_eq!((observation.objects, observation.skipped), (1, 0));
    assert_eq!(lines(observation), [""; 0]);
}

#[test]
fn check_that_stands_twice_or_says_a_new_word_makes_no_second_or_wrong_sample() {
    let observation = of("<item><instanceId>i-1</instanceId><systemStatus/>\
        <systemStatus><status>ok</status></systemStatus><systemStatus><status>impaired</status></systemStatus>\
        <instanceStatus><status>degraded</status><impairedSince>2024-11-22T15:40:00.000Z</impairedSince></instanceStatus>\
        <attachedEbsStatus><status>impaired</status><details><item><impairedSince>soon</impairedSince></item></details>\
        </attachedEbsStatus><laterStatus><status>impaired</status></laterStatus></item>");
    assert_eq!(
        lines(observation),
        [
            r#"cloud_instance_status_check_failed{instance_id="i-1",check="system"} 0"#,
            r#"cloud_instance_status_check_failed{instance_id="i-1",check="attached_ebs"} 1"#,
        ]
    );
}

#[test]
fn events_that_the_cloud_does_not_tell_apart_are_one_and_the_next_to_come() {
    let event = |times: &str| format!("<item><code>system-reboot</code>{times}</item>");
    let later = event("<notBefore>2024-11-26T00:00:00Z</notBefore><notAfter>2024-11-27T00:00:00Z</notAfter>");
    let sooner = event("<notBefore>2024-11-25T00:00:00Z</notBefore>");
    let observation = of(&format!(
        "<item><instanceId>i-1</instanceId><eventsSet>{later}{sooner}{}{}<item/></eventsSet></item>",
        event(""),
        event("<notBefore>soon</notBefore>")
    ));
    assert_eq!((observation.objects, observation.skipped), (1, 3));
    assert_eq!(
        observation.first_skipped.as_deref(),
        Some("an event of `i-1` without a time")
    );
    assert_eq!(
        lines(observation),
        [concat!(
            "cloud_instance_scheduled_event_not_before_timestamp_seconds",
            r#"{instance_id="i-1",code="system-reboot"} 1732492800"#
        )]
    );
}

#[test]
fn status_of_nobody_is_counted_and_an_empty_list_is_empty() {
    let observation = of("<item><systemStatus><status>ok</status></systemStatus></item><item/>");
    assert_eq!((observation.objects, observation.skipped), (0, 2));
    assert_eq!(
        observation.first_skipped.as_deref(),
        Some("a status without instanceId (id ``)")
    );
    assert_eq!(of("").objects, 0);
    let mut observation = of("");
    let without = "<DescribeInstanceStatusResponse><requestId/></DescribeInstanceStatusResponse>";
    assert!(read(&mut observation, &KIND, read_page, without).is_err());
}
