use super::*;
use crate::resource::Show;
use crate::resources::tests::{lines, observed, read};

/// After the example in AWS's reference of `DescribeAvailabilityZones`, and a zone as OUTSCALE's documentation has it.
const ANSWER: &str = r#"<DescribeAvailabilityZonesResponse xmlns="http://ec2.amazonaws.com/doc/2016-11-15/">
<requestId>59dbff89-35bd-4eac-99ed-be587EXAMPLE</requestId><availabilityZoneInfo>
<item><optInStatus>opt-in-not-required</optInStatus><zoneName>us-east-1a</zoneName><zoneId>use1-az4</zoneId>
<groupName>us-east-1</groupName><networkBorderGroup>us-east-1</networkBorderGroup><regionName>us-east-1</regionName>
<zoneType>availability-zone</zoneType><zoneState>impaired</zoneState>
<messageSet><item><message>told</message></item></messageSet></item>
<item><zoneName>eu-west-2a</zoneName><zoneState>available</zoneState><regionName>eu-west-2</regionName><messageSet/></item>
<item><zoneName>eu-west-2b</zoneName><zoneState>closing</zoneState></item>
<item><zoneName>eu-west-2c</zoneName></item><item><zoneState>available</zoneState></item>
</availabilityZoneInfo></DescribeAvailabilityZonesResponse>"#;

#[test]
fn zones_are_shown_with_their_state_and_facts() {
    let observation = observed(&KIND, read_page, ANSWER);
    assert_eq!((observation.objects, observation.skipped), (3, 2));
    assert_eq!(
        observation.first_skipped.as_deref(),
        Some("a zone without zoneState (id `eu-west-2c`)")
    );
    assert_eq!(
        lines(observation),
        [
            r#"cloud_availability_zone_state{availability_zone="us-east-1a",state="impaired"} 1"#,
            r#"cloud_availability_zone_state{availability_zone="eu-west-2a",state="available"} 1"#,
            r#"cloud_availability_zone_state{availability_zone="eu-west-2b",state="closing"} 1"#,
            r#"cloud_availability_zone_info{availability_zone="us-east-1a",zone_id="use1-az4",zone_type="availability-zone",group_name="us-east-1",opt_in_status="opt-in-not-required"} 1"#,
            r#"cloud_availability_zone_info{availability_zone="eu-west-2a"} 1"#,
            r#"cloud_availability_zone_info{availability_zone="eu-west-2b"} 1"#,
        ]
    );
}

#[test]
fn each_known_state_has_a_series_and_an_unknown_one_too() {
    let mut observation = Observation::new(&KIND, "a", Provider::Outscale, "r", Show::default());
    read(&mut observation, &KIND, read_page, ANSWER).unwrap();
    let lines = lines(observation);
    let values = |zone: &str| {
        let of_zone = lines
            .iter()
            .filter(|line| line.contains(&format!("{zone}\",state=")));
        of_zone.filter_map(|line| line.chars().last()).collect::<String>()
    };
    assert_eq!(values("us-east-1a"), "00100");
    assert_eq!(values("eu-west-2b"), "000001");
}

#[test]
fn answer_without_its_list_is_no_empty_list() {
    let mut observation = Observation::new(&KIND, "a", Provider::Aws, "r", Show::default());
    let mut next = |inside: &str| {
        let document =
            format!("<DescribeAvailabilityZonesResponse>{inside}</DescribeAvailabilityZonesResponse>");
        read(&mut observation, &KIND, read_page, &document)
    };
    assert!(next("").is_err());
    assert_eq!(next("<availabilityZoneInfo/>"), Ok(Some(String::new())));
}
