use super::*;
use crate::resource::Show;
use crate::resources::tests::plain;

/// The shape of an answer of LBU: no canonical names, no subnets, no VPC.
const LIST: &str = r#"<DescribeLoadBalancersResponse xmlns="http://elasticloadbalancing.amazonaws.com/doc/2012-06-01/">
<DescribeLoadBalancersResult><LoadBalancerDescriptions><member><LoadBalancerName>web</LoadBalancerName>
<DNSName>web-1.eu-west-2.lbu.outscale.com</DNSName><Scheme>internet-facing</Scheme>
<CreatedTime>2018-01-01T00:00:00.500Z</CreatedTime><ListenerDescriptions><member><PolicyNames/><Listener>
<Protocol>HTTPS</Protocol><LoadBalancerPort>443</LoadBalancerPort><InstanceProtocol>HTTP</InstanceProtocol>
<InstancePort>8080</InstancePort></Listener></member></ListenerDescriptions><HealthCheck><Target>HTTP:8080/ping</Target>
<Interval>600</Interval><Timeout>5</Timeout><UnhealthyThreshold>2</UnhealthyThreshold>
<HealthyThreshold>many</HealthyThreshold></HealthCheck><Instances><member><InstanceId>i-1</InstanceId></member>
</Instances></member><member><LoadBalancerName>idle</LoadBalancerName><Instances/></member>
</LoadBalancerDescriptions><NextMarker>m</NextMarker></DescribeLoadBalancersResult>
<ResponseMetadata><RequestId>r</RequestId></ResponseMetadata></DescribeLoadBalancersResponse>"#;

const HEALTH: &str = r#"<DescribeInstanceHealthResponse><DescribeInstanceHealthResult><InstanceStates>
<member><InstanceId>i-1</InstanceId><State>InService</State><ReasonCode>N/A</ReasonCode><Description>N/A</Description></member>
<member><InstanceId>i-2</InstanceId><State>OutOfService</State><ReasonCode>ELB</ReasonCode><Description>text "of" no
use</Description></member>
<member><InstanceId>i-3</InstanceId><State>Unknown</State></member>
<member><InstanceId>i-3</InstanceId><State>InService</State></member>
<member><InstanceId>i-4</InstanceId><State>UP</State></member><member><State>InService</State></member>
<member><InstanceId>i-5</InstanceId></member>
</InstanceStates></DescribeInstanceHealthResult></DescribeInstanceHealthResponse>"#;

#[test]
fn load_balancers_and_the_health_of_their_backends_are_shown() {
    let mut found = Vec::new();
    let next = Reader::open(LIST, "DescribeLoadBalancersResponse")
        .unwrap()
        .whole(Some("DescribeLoadBalancersResult"), |page| {
            read_page(page, &mut |one| found.push(one))
        })
        .unwrap();
    assert_eq!(next.as_deref(), Some("m"));
    assert_eq!(
        found.iter().map(|one| one.instances.len()).collect::<Vec<_>>(),
        [1, 0]
    );
    let health = Reader::open(HEALTH, "DescribeInstanceHealthResponse")
        .unwrap()
        .whole(Some("DescribeInstanceHealthResult"), read_health)
        .unwrap();
    let mut observation = Observation::new(&KIND, "a", Provider::Outscale, "r", Show::default());
    assert_eq!(health.not_understood, 2);
    found[0].instances.push("i-terminated".to_owned());
    write(&found[0], &health, &mut observation);
    write(&found[1], &Health::default(), &mut observation);
    // The question for health leaves out an instance that is terminated; it is a backend all the same.
    let backends = &observation.facts.backends[0].backends;
    let ids: Vec<&str> = backends.iter().map(|backend| &*backend.instance_id).collect();
    assert_eq!(ids, ["i-1", "i-terminated", "i-2", "i-3", "i-4"]);
    let shown = plain(observation)
        .concat()
        .replace("account=\"a\",region=\"r\",", "");
    let web = r#"load_balancer="web",type="classic""#;
    let idle = r#"load_balancer="idle",type="classic""#;
    let expected = [
        format!("info{{{web},scheme=\"internet-facing\",dns_name=\"web-1.eu-west-2.lbu.outscale.com\"}} 1"),
        format!("info{{{idle}}} 1"),
        format!("created_timestamp_seconds{{{web}}} 1514764800.5"),
        format!(
            "listener_info{{{web},protocol=\"HTTPS\",port=\"443\",instance_protocol=\"HTTP\",\
             instance_port=\"8080\"}} 1"
        ),
        format!("health_check_info{{{web},target=\"HTTP:8080/ping\"}} 1"),
        format!("health_check_interval_seconds{{{web}}} 600"),
        format!("health_check_timeout_seconds{{{web}}} 5"),
        format!("health_check_unhealthy_threshold{{{web}}} 2"),
        format!("backends{{{web}}} 4"),
        format!("backends{{{idle}}} 0"),
        format!("healthy_backends{{{web}}} 2"),
        format!("healthy_backends{{{idle}}} 0"),
        format!("without_healthy_backend{{{web}}} 0"),
        format!("without_healthy_backend{{{idle}}} 1"),
        format!("backend_healthy{{{web},instance_id=\"i-1\"}} 1"),
        format!("backend_healthy{{{web},instance_id=\"i-2\"}} 0"),
        format!("backend_healthy{{{web},instance_id=\"i-3\"}} 0"),
        format!("backend_healthy{{{web},instance_id=\"i-4\"}} 1"),
        format!("backend_state_info{{{web},instance_id=\"i-1\",state=\"InService\",reason=\"N/A\"}} 1"),
        format!("backend_state_info{{{web},instance_id=\"i-2\",state=\"OutOfService\",reason=\"ELB\"}} 1"),
        format!("backend_state_info{{{web},instance_id=\"i-3\",state=\"Unknown\"}} 1"),
        format!("backend_state_info{{{web},instance_id=\"i-4\",state=\"UP\"}} 1"),
    ];
    let shown: Vec<&str> = shown
        .lines()
        .map(|line| line.strip_prefix("cloud_load_balancer_").unwrap())
        .collect();
    assert_eq!(shown, expected);
}

#[test]
fn load_balancer_with_a_backend_not_understood_is_not_said_to_be_without_a_healthy_one() {
    let list = "<DescribeLoadBalancersResponse><DescribeLoadBalancersResult><LoadBalancerDescriptions><member>\
                <LoadBalancerName>web</LoadBalancerName><Instances><member><InstanceId>i-1</InstanceId></member>\
                </Instances></member></LoadBalancerDescriptions></DescribeLoadBalancersResult>\
                </DescribeLoadBalancersResponse>";
    let out_of_service = "<member><InstanceId>i-2</InstanceId><State>OutOfService</State></member>";
    let in_service = "<member><InstanceId>i-3</InstanceId><State>InService</State></member>";
    let stateless = "<member><InstanceId>i-1</InstanceId></member>";
    for (members, expected) in [
        (stateless.to_owned(), None),
        (format!("{out_of_service}{stateless}"), None),
        (format!("{in_service}{stateless}"), Some("0")),
        (out_of_service.to_owned(), Some("1")),
    ] {
        let health = format!(
            "<DescribeInstanceHealthResponse><DescribeInstanceHealthResult><InstanceStates>{members}\
             </InstanceStates></DescribeInstanceHealthResult></DescribeInstanceHealthResponse>"
        );
        let mut observation = Observation::new(&KIND, "a", Provider::Outscale, "r", Show::default());
        read(list, &health, &mut observation).unwrap();
        let shown = plain(observation).concat();
        let told = shown
            .lines()
            .find(|line| line.contains("without_healthy_backend"));
        let told = told.map(|line| line.rsplit(' ').next().unwrap());
        assert_eq!(told, expected, "{members}");
    }
}
