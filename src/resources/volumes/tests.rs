use super::*;
use crate::resources::tests::{lines, observed, read};

/// After the example in AWS's reference of `DescribeVolumes`, with a volume on two instances.
const AWS: &str = r#"<DescribeVolumesResponse xmlns="http://ec2.amazonaws.com/doc/2016-11-15/">
<requestId>59dbff89-35bd-4eac-99ed-be587EXAMPLE</requestId><volumeSet>
<item><volumeId>vol-1</volumeId><size>80</size><snapshotId>snap-1a2b3c4d</snapshotId>
<availabilityZone>us-east-1a</availabilityZone><status>in-use</status><createTime>2024-11-22T15:40:00.000Z</createTime>
<attachmentSet><item><volumeId>vol-1</volumeId><instanceId>i-1</instanceId><device>/dev/sdh</device>
<status>attached</status><attachTime>2024-11-22T15:41:00.000Z</attachTime><deleteOnTermination>false</deleteOnTermination>
</item><item><instanceId>i-2</instanceId><device>/dev/sdh</device><status>busy</status></item>
<item><instanceId>i-1</instanceId><device>/dev/sdh</device><status>attached</status></item><item/></attachmentSet>
<volumeType>io2</volumeType><iops>16000</iops><encrypted>true</encrypted><multiAttachEnabled>true</multiAttachEnabled>
<tagSet><item><key>env</key><value>prod</value></item><item><key>Name</key><value>a "b" \ &amp; c</value></item></tagSet>
</item></volumeSet><nextToken>page-2</nextToken></DescribeVolumesResponse>"#;

/// After the client that OUTSCALE's provider for Terraform had in 2018: empty elements, eight hexadecimal digits.
const OUTSCALE: &str = r#"<?xml version="1.0" encoding="UTF-8"?>
<DescribeVolumesResponse xmlns="http://ec2.amazonaws.com/doc/2014-06-15/"><requestId>r</requestId><volumeSet>
<item><volumeId>vol-bee7ebf3</volumeId><size>10</size><snapshotId></snapshotId>
<availabilityZone>eu-west-2a</availabilityZone><status>available</status>
<createTime>2018-02-08T00:51:38.866+0000</createTime><attachmentSet/><volumeType>standard</volumeType></item>
</volumeSet></DescribeVolumesResponse>"#;

#[test]
fn volume_is_shown_in_base_units_with_each_of_its_attachments() {
    let observation = observed(&KIND, read_page, AWS);
    assert_eq!((observation.objects, observation.skipped), (1, 0));
    assert_eq!(
        lines(observation),
        [
            r#"cloud_volume_state{volume_id="vol-1",state="in-use"} 1"#,
            r#"cloud_volume_info{volume_id="vol-1",name="a \"b\" \\ & c",volume_type="io2",availability_zone="us-east-1a",encrypted="true"} 1"#,
            r#"cloud_volume_size_bytes{volume_id="vol-1"} 85899345920"#,
            r#"cloud_volume_iops{volume_id="vol-1"} 16000"#,
            r#"cloud_volume_attachment_info{volume_id="vol-1",instance_id="i-1",device="/dev/sdh",state="attached"} 1"#,
            r#"cloud_volume_attachment_info{volume_id="vol-1",instance_id="i-2",device="/dev/sdh",state="busy"} 1"#,
            r#"cloud_volume_created_timestamp_seconds{volume_id="vol-1"} 1732290000"#,
        ]
    );
}

#[test]
fn volume_of_outscale_says_no_more_than_it_does() {
    let observation = observed(&KIND, read_page, OUTSCALE);
    assert_eq!(
        lines(observation),
        [
            r#"cloud_volume_state{volume_id="vol-bee7ebf3",state="available"} 1"#,
            r#"cloud_volume_info{volume_id="vol-bee7ebf3",volume_type="standard",availability_zone="eu-west-2a"} 1"#,
            r#"cloud_volume_size_bytes{volume_id="vol-bee7ebf3"} 10737418240"#,
            r#"cloud_volume_created_timestamp_seconds{volume_id="vol-bee7ebf3"} 1518051098.866"#,
        ]
    );
}

#[test]
fn odd_volumes_are_counted_and_the_others_shown_once() {
    let document = "<DescribeVolumesResponse><volumeSet><item/><item><volumeId>vol-1</volumeId></item>\
        <item><status>in-use</status></item>\
        <item><volumeId>vol-2</volumeId><status>updating</status><size>-1</size><iops>many</iops><createTime/></item>\
        <item><volumeId> vol-2 </volumeId><status>in-use</status></item></volumeSet></DescribeVolumesResponse>";
    let mut observation = observed(&KIND, read_page, document);
    assert_eq!((observation.objects, observation.skipped), (1, 3));
    assert_eq!(
        read(&mut observation, &KIND, read_page, document),
        Ok(Some(String::new()))
    );
    assert_eq!((observation.objects, observation.skipped), (1, 6));
    assert_eq!(
        lines(observation),
        [
            r#"cloud_volume_state{volume_id="vol-2",state="updating"} 1"#,
            r#"cloud_volume_info{volume_id="vol-2"} 1"#,
        ]
    );
}

#[test]
fn answer_without_its_list_is_no_empty_list() {
    let empty = "<DescribeVolumesResponse><volumeSet/></DescribeVolumesResponse>";
    let mut observation = observed(&KIND, read_page, empty);
    let without = "<DescribeVolumesResponse><requestId/></DescribeVolumesResponse>";
    assert!(read(&mut observation, &KIND, read_page, without).is_err());
    assert_eq!(lines(observation), [""; 0]);
}
