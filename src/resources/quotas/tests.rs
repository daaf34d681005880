use super::*;
use crate::resources::tests::{lines, observed};

/// After the example in AWS's reference of `DescribeAccountAttributes`, with odd ones behind it.
const ANSWER: &str = r#"<DescribeAccountAttributesResponse xmlns="http://ec2.amazonaws.com/doc/2016-11-15/">
<requestId>7a62c49f-347e-4fc4-9331-6e8eEXAMPLE</requestId><accountAttributeSet>
<item><attributeName>vpc-max-security-groups-per-interface</attributeName><attributeValueSet><item>
<attributeValue>5</attributeValue></item></attributeValueSet></item>
<item><attributeName>max-instances</attributeName><attributeValueSet><item><attributeValue>20</attributeValue></item>
</attributeValueSet></item>
<item><attributeName>supported-platforms</attributeName><attributeValueSet><item><attributeValue>EC2</attributeValue></item>
<item><attributeValue>VPC</attributeValue></item></attributeValueSet></item>
<item><attributeName>default-vpc</attributeName><attributeValueSet><item><attributeValue>none</attributeValue></item>
</attributeValueSet></item>
<item><attributeName>of-two-minds</attributeName><attributeValueSet><item><attributeValue>1</attributeValue></item>
<item><attributeValue>2</attributeValue></item></attributeValueSet></item>
<item><attributeName>empty</attributeName><attributeValueSet/></item>
<item><attributeName>max-instances</attributeName><attributeValueSet><item><attributeValue>30</attributeValue></item>
</attributeValueSet></item>
<item><attributeValueSet><item><attributeValue>40</attributeValue></item></attributeValueSet></item><item/>
</accountAttributeSet></DescribeAccountAttributesResponse>"#;

#[test]
fn attribute_with_one_number_is_a_quota() {
    let observation = observed(&KIND, read_page, ANSWER);
    // A number without a name might be a quota; what is not a number is none.
    assert_eq!((observation.objects, observation.skipped), (2, 1));
    assert_eq!(
        lines(observation),
        [
            r#"cloud_quota_limit{quota="vpc-max-security-groups-per-interface"} 5"#,
            r#"cloud_quota_limit{quota="max-instances"} 20"#,
        ]
    );
}
