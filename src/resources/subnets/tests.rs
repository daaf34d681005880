use super::*;
use crate::resources::tests::{lines, observed, read};

/// After the example in AWS's reference of `DescribeSubnets`, cut down to what is read, with odd ones behind it.
const ANSWER: &str = r#"<DescribeSubnetsResponse xmlns="http://ec2.amazonaws.com/doc/2016-11-15/">
<requestId>7a62c49f-347e-4fc4-9331-6e8eEXAMPLE</requestId><subnetSet>
<item><subnetId>subnet-1</subnetId><subnetArn>arn:aws:ec2:us-east-1:123456789012:subnet/subnet-1</subnetArn>
<state>available</state><ownerId>123456789012</ownerId><vpcId>vpc-1</vpcId><cidrBlock>10.0.1.0/24</cidrBlock>
<ipv6CidrBlockAssociationSet/><availableIpAddressCount>251</availableIpAddressCount>
<availabilityZone>us-east-1a</availabilityZone><availabilityZoneId>use1-az1</availabilityZoneId>
<defaultForAz>false</defaultForAz><mapPublicIpOnLaunch>false</mapPublicIpOnLaunch>
<tagSet><item><key>Name</key><value>private</value></item></tagSet></item>
<item><subnetId>subnet-2</subnetId><state>failed</state><availableIpAddressCount>0</availableIpAddressCount></item>
<item><subnetId>subnet-3</subnetId><state>pending</state><availableIpAddressCount>-</availableIpAddressCount></item>
<item><subnetId>subnet-4</subnetId></item><item><state>available</state></item>
</subnetSet><nextToken>page-2</nextToken></DescribeSubnetsResponse>"#;

#[test]
fn subnet_says_how_much_room_is_left_where_the_cloud_does() {
    let mut observation = observed(&KIND, read_page, ANSWER);
    assert_eq!((observation.objects, observation.skipped), (3, 2));
    let again = read(&mut observation, &KIND, read_page, ANSWER);
    assert_eq!(again, Ok(Some("page-2".to_owned())));
    assert_eq!(observation.objects, 3);
    assert_eq!(
        lines(observation),
        [
            r#"cloud_subnet_state{subnet_id="subnet-1",state="available"} 1"#,
            r#"cloud_subnet_state{subnet_id="subnet-2",state="failed"} 1"#,
            r#"cloud_subnet_state{subnet_id="subnet-3",state="pending"} 1"#,
            r#"cloud_subnet_info{subnet_id="subnet-1",vpc_id="vpc-1",availability_zone="us-east-1a",cidr_block="10.0.1.0/24",name="private",default="false"} 1"#,
            r#"cloud_subnet_info{subnet_id="subnet-2"} 1"#,
            r#"cloud_subnet_info{subnet_id="subnet-3"} 1"#,
            r#"cloud_subnet_available_addresses{subnet_id="subnet-1"} 251"#,
            r#"cloud_subnet_available_addresses{subnet_id="subnet-2"} 0"#,
        ]
    );
}
