use super::*;
use crate::resources::tests::{lines, observed};

/// After the examples in AWS's reference of `DescribeAddresses`: of an instance, of a NAT gateway, of nothing; and one in
/// OUTSCALE's public cloud.
const ANSWER: &str = r#"<DescribeAddressesResponse xmlns="http://ec2.amazonaws.com/doc/2016-11-15/">
<requestId>59dbff89-35bd-4eac-99ed-be587EXAMPLE</requestId><addressesSet>
<item><publicIp>192.0.2.1</publicIp><allocationId>eipalloc-1</allocationId><domain>vpc</domain>
<instanceId>i-1</instanceId><associationId>eipassoc-1</associationId><networkInterfaceId>eni-1</networkInterfaceId>
<networkInterfaceOwnerId>123456789012</networkInterfaceOwnerId><privateIpAddress>10.0.0.1</privateIpAddress>
<tagSet><item><key>Name</key><value>front</value></item></tagSet></item>
<item><publicIp>192.0.2.2</publicIp><allocationId>eipalloc-2</allocationId><domain>vpc</domain>
<networkInterfaceId>eni-2</networkInterfaceId><privateIpAddress>10.0.0.2</privateIpAddress></item>
<item><publicIp>192.0.2.3</publicIp><allocationId>eipalloc-3</allocationId><domain>vpc</domain><instanceId/></item>
<item><publicIp>192.0.2.4</publicIp><domain>standard</domain><instanceId>i-bee7ebf3</instanceId></item>
<item><publicIp>192.0.2.4</publicIp><domain>standard</domain></item>
<item><allocationId>eipalloc-5</allocationId></item>
</addressesSet></DescribeAddressesResponse>"#;

#[test]
fn address_says_what_it_leads_to_and_whether_it_does() {
    let observation = observed(&KIND, read_page, ANSWER);
    assert_eq!((observation.objects, observation.skipped), (4, 1));
    assert_eq!(
        observation.first_skipped.as_deref(),
        Some("an address without publicIp (id ``)")
    );
    assert_eq!(
        lines(observation),
        [
            r#"cloud_address_info{public_ip="192.0.2.1",allocation_id="eipalloc-1",domain="vpc",instance_id="i-1",network_interface_id="eni-1",private_ip="10.0.0.1",name="front"} 1"#,
            r#"cloud_address_info{public_ip="192.0.2.2",allocation_id="eipalloc-2",domain="vpc",network_interface_id="eni-2",private_ip="10.0.0.2"} 1"#,
            r#"cloud_address_info{public_ip="192.0.2.3",allocation_id="eipalloc-3",domain="vpc"} 1"#,
            r#"cloud_address_info{public_ip="192.0.2.4",domain="standard",instance_id="i-bee7ebf3"} 1"#,
            r#"cloud_address_attached{public_ip="192.0.2.1"} 1"#,
            r#"cloud_address_attached{public_ip="192.0.2.2"} 1"#,
            r#"cloud_address_attached{public_ip="192.0.2.3"} 0"#,
            r#"cloud_address_attached{public_ip="192.0.2.4"} 1"#,
        ]
    );
}

#[test]
fn account_without_addresses_has_none() {
    let empty = "<DescribeAddressesResponse><addressesSet/></DescribeAddressesResponse>";
    let observation = observed(&KIND, read_page, empty);
    assert_eq!((observation.objects, observation.skipped), (0, 0));
    assert_eq!(lines(observation), [""; 0]);
}
