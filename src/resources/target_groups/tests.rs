use super::*;
use crate::api::xml::Reader;
use crate::resource::{Show, StateSeries};
use crate::resources::tests::plain;

// The answers are transcribed from the examples of the API reference (2015-12-01), with further members beside theirs:
// https://docs.aws.amazon.com/elasticloadbalancing/latest/APIReference/API_DescribeLoadBalancers.html and its
// neighbours.

const LOAD_BALANCERS: &str = r#"<DescribeLoadBalancersResponse xmlns="http://elasticloadbalancing.amazonaws.com/doc/2015-12-01/">
  <DescribeLoadBalancersResult>
    <LoadBalancers>
      <member>
        <LoadBalancerArn>arn:web</LoadBalancerArn>
        <Scheme>internet-facing</Scheme>
        <LoadBalancerName>web</LoadBalancerName>
        <VpcId>vpc-3ac0fb5f</VpcId>
        <CanonicalHostedZoneId>Z2P70J7EXAMPLE</CanonicalHostedZoneId>
        <CreatedTime>2016-03-25T21:26:12.920Z</CreatedTime>
        <AvailabilityZones>
          <member><SubnetId>subnet-8360a9e7</SubnetId><ZoneName>us-west-2a</ZoneName></member>
        </AvailabilityZones>
        <SecurityGroups><member>sg-5943793c</member></SecurityGroups>
        <DNSName>web-424835706.us-west-2.elb.amazonaws.com</DNSName>
        <State><Code>active</Code></State>
        <Type>application</Type>
      </member>
      <member>
        <LoadBalancerArn>arn:net</LoadBalancerArn>
        <LoadBalancerName>net</LoadBalancerName>
        <State><Code>active_impaired</Code><Reason>free text</Reason></State>
        <Type>network</Type>
        <Scheme>internal</Scheme>
      </member>
      <member>
        <LoadBalancerArn>arn:wall</LoadBalancerArn>
        <LoadBalancerName>wall</LoadBalancerName>
        <State><Code>dreaming</Code></State>
        <Type>gateway</Type>
        <VpcId>vpc-3ac0fb5f</VpcId>
      </member>
      <member>
        <LoadBalancerArn>arn:away</LoadBalancerArn>
        <LoadBalancerName>away</LoadBalancerName>
        <Type>application</Type>
      </member>
      <member><LoadBalancerName>no ARN</LoadBalancerName></member>
      <member><LoadBalancerArn>arn:no-name</LoadBalancerArn></member>
      <member><LoadBalancerArn>arn:web</LoadBalancerArn><LoadBalancerName>web</LoadBalancerName></member>
      <member>
        <LoadBalancerArn>arn:twin</LoadBalancerArn>
        <LoadBalancerName>web</LoadBalancerName>
        <Type>application</Type>
      </member>
    </LoadBalancers>
    <NextMarker>m</NextMarker>
  </DescribeLoadBalancersResult>
  <ResponseMetadata><RequestId>6581c0ac-f39f-11e5-bb98-57195a6eb84a</RequestId></ResponseMetadata>
</DescribeLoadBalancersResponse>"#;

const TARGET_GROUPS: &str = r#"<DescribeTargetGroupsResponse xmlns="http://elasticloadbalancing.amazonaws.com/doc/2015-12-01/">
  <DescribeTargetGroupsResult>
    <TargetGroups>
      <member>
        <TargetGroupArn>arn:instances</TargetGroupArn>
        <HealthCheckTimeoutSeconds>5</HealthCheckTimeoutSeconds>
        <HealthCheckPort>traffic-port</HealthCheckPort>
        <Matcher><HttpCode>200</HttpCode></Matcher>
        <TargetGroupName>instances</TargetGroupName>
        <HealthCheckProtocol>HTTP</HealthCheckProtocol>
        <HealthCheckPath>/</HealthCheckPath>
        <Protocol>HTTP</Protocol>
        <Port>80</Port>
        <VpcId>vpc-3ac0fb5f</VpcId>
        <TargetType>instance</TargetType>
        <LoadBalancerArns><member>arn:web</member><member>arn:net</member><member>arn:gone</member></LoadBalancerArns>
      </member>
      <member>
        <TargetGroupArn>arn:function</TargetGroupArn>
        <TargetGroupName>function</TargetGroupName>
        <TargetType>lambda</TargetType>
        <LoadBalancerArns><member>arn:away</member></LoadBalancerArns>
      </member>
      <member>
        <TargetGroupArn>arn:addresses</TargetGroupArn>
        <TargetGroupName>addresses</TargetGroupName>
        <Protocol>TCP</Protocol><Port>6379</Port><TargetType>ip</TargetType>
        <LoadBalancerArns/>
      </member>
      <member>
        <TargetGroupArn>arn:chained</TargetGroupArn>
        <TargetGroupName>chained</TargetGroupName>
        <Protocol>TCP</Protocol><Port>80</Port><TargetType>alb</TargetType>
        <LoadBalancerArns><member>arn:net</member></LoadBalancerArns>
      </member>
      <member><TargetGroupName>no ARN</TargetGroupName></member>
    </TargetGroups>
  </DescribeTargetGroupsResult>
</DescribeTargetGroupsResponse>"#;

const LISTENERS: &str = r#"<DescribeListenersResponse xmlns="http://elasticloadbalancing.amazonaws.com/doc/2015-12-01/">
  <DescribeListenersResult>
    <Listeners>
      <member>
        <LoadBalancerArn>arn:web</LoadBalancerArn>
        <Protocol>HTTPS</Protocol>
        <Port>443</Port>
        <ListenerArn>arn:listener</ListenerArn>
        <DefaultActions><member><Type>forward</Type><TargetGroupArn>arn:instances</TargetGroupArn></member></DefaultActions>
      </member>
      <member><Protocol>HTTPS</Protocol><Port>443</Port></member>
    </Listeners>
  </DescribeListenersResult>
</DescribeListenersResponse>"#;

const INSTANCES: &str = r#"<DescribeTargetHealthResponse xmlns="http://elasticloadbalancing.amazonaws.com/doc/2015-12-01/">
  <DescribeTargetHealthResult>
    <TargetHealthDescriptions>
      <member>
        <HealthCheckPort>80</HealthCheckPort>
        <TargetHealth>
          <State>unhealthy</State>
          <Reason>Target.ResponseCodeMismatch</Reason>
          <Description>free text</Description>
        </TargetHealth>
        <Target><Port>80</Port><Id>i-2</Id><AvailabilityZone>us-west-2a</AvailabilityZone></Target>
        <AdministrativeOverride><State>no_override</State></AdministrativeOverride>
      </member>
      <member>
        <Target><Port>80</Port><Id>i-1</Id></Target>
        <TargetHealth><State>healthy</State></TargetHealth>
      </member>
      <member>
        <Target><Port>81</Port><Id>i-1</Id></Target>
        <TargetHealth><State>unhealthy.draining</State><Reason>Target.DeregistrationInProgress</Reason></TargetHealth>
      </member>
      <member><Target><Id>i-3</Id></Target></member>
    </TargetHealthDescriptions>
  </DescribeTargetHealthResult>
</DescribeTargetHealthResponse>"#;

const FUNCTION: &str = r"<DescribeTargetHealthResponse><DescribeTargetHealthResult><TargetHealthDescriptions>
<member><Target><Id>arn:aws:lambda:us-west-2:123456789012:function:f</Id></Target><TargetHealth>
<State>unavailable</State><Reason>Target.HealthCheckDisabled</Reason></TargetHealth></member>
</TargetHealthDescriptions></DescribeTargetHealthResult></DescribeTargetHealthResponse>";

const ADDRESSES: &str = r"<DescribeTargetHealthResponse><DescribeTargetHealthResult><TargetHealthDescriptions>
<member><Target><Id>10.0.0.1</Id><Port>6379</Port><AvailabilityZone>us-west-2a</AvailabilityZone></Target>
<TargetHealth><State>healthy</State></TargetHealth></member>
<member><Target><Id>10.0.0.1</Id><Port>6379</Port><AvailabilityZone>all</AvailabilityZone></Target>
<TargetHealth><State>unused</State><Reason>Target.NotInUse</Reason></TargetHealth></member>
</TargetHealthDescriptions></DescribeTargetHealthResult></DescribeTargetHealthResponse>";

const CHAINED: &str = r"<DescribeTargetHealthResponse><DescribeTargetHealthResult><TargetHealthDescriptions>
<member><Target><Id>arn:web</Id><Port>80</Port></Target><TargetHealth><State>initial</State>
<Reason>Elb.InitialHealthChecking</Reason></TargetHealth></member>
</TargetHealthDescriptions></DescribeTargetHealthResult></DescribeTargetHealthResponse>";

const NOBODY: &str = "<DescribeTargetHealthResponse><DescribeTargetHealthResult><TargetHealthDescriptions/>\
                      </DescribeTargetHealthResult></DescribeTargetHealthResponse>";

/// What an action's answer reads as.
fn answer<T>(
    action: &Action,
    document: &str,
    read: impl FnOnce(&mut Reader<'_>) -> Result<T, xml::Error>,
) -> Result<T, xml::Error> {
    let name = action.name;
    Reader::open(document, &format!("{name}Response"))?.whole(Some(&format!("{name}Result")), read)
}

fn health(document: &str) -> Health {
    answer(&DESCRIBE_TARGET_HEALTH, document, wire::read_health).unwrap()
}

/// Everything of a cloud that answers so.
fn observed() -> Observation {
    let show = Show {
        states: StateSeries::Current,
        ..Show::default()
    };
    let mut observation = Observation::new(&KIND, "a", Provider::Aws, "r", show);
    let (mut groups, mut load_balancers, mut listeners) = (Vec::new(), Vec::new(), Vec::new());
    let mut seen = Seen::default();
    answer(&DESCRIBE_TARGET_GROUPS, TARGET_GROUPS, |page| {
        wire::read_target_groups(page, &mut |group: TargetGroup| {
            if seen.is_new("a target group", &group.arn, &group.name, "", &mut observation) {
                groups.push(group);
            }
        })
    })
    .unwrap();
    let mut seen = Seen::default();
    let next = answer(&DESCRIBE_LOAD_BALANCERS, LOAD_BALANCERS, |page| {
        wire::read_load_balancers(page, &mut |one: LoadBalancer| {
            if seen.is_new(
                "a load balancer",
                &one.arn,
                &one.name,
                &one.sort,
                &mut observation,
            ) {
                load_balancers.push(one);
            }
        })
    });
    assert_eq!(next.unwrap().as_deref(), Some("m"));
    answer(&DESCRIBE_LISTENERS, LISTENERS, |page| {
        wire::read_listeners(page, &mut listeners)
    })
    .unwrap();
    let listeners_of = |name: &str| {
        if name == "web" {
            listeners.clone()
        } else {
            Vec::new()
        }
    };
    let listening: Vec<_> = load_balancers
        .into_iter()
        .map(|one| (listeners_of(&one.name), one))
        .map(|(listeners, one)| (one, listeners))
        .collect();
    let answers = [INSTANCES, FUNCTION, ADDRESSES, CHAINED].map(health);
    let reporting: Vec<_> = groups.into_iter().zip(answers).collect();
    write(&listening, &reporting, &mut observation);
    observation
}

fn lines(observation: Observation) -> Vec<String> {
    let text = plain(observation).concat();
    text.lines()
        .map(|line| line.replace("account=\"a\",region=\"r\",", ""))
        .collect()
}

#[test]
fn every_load_balancer_group_and_target_is_shown() {
    let observation = observed();
    assert_eq!((observation.objects, observation.skipped), (8, 5));
    let function = "arn:aws:lambda:us-west-2:123456789012:function:f";
    let expected = [
        r#"info{LB="web",type="application",scheme="internet-facing",dns_name="web-424835706.us-west-2.elb.amazonaws.com",vpc_id="vpc-3ac0fb5f"} 1"#,
        r#"info{LB="net",type="network",scheme="internal"} 1"#,
        r#"info{LB="wall",type="gateway",vpc_id="vpc-3ac0fb5f"} 1"#,
        r#"info{LB="away",type="application"} 1"#,
        r#"state{LB="web",type="application",state="active"} 1"#,
        r#"state{LB="net",type="network",state="active_impaired"} 1"#,
        r#"state{LB="wall",type="gateway",state="dreaming"} 1"#,
        r#"created_timestamp_seconds{LB="web",type="application"} 1458941172.92"#,
        r#"listener_info{LB="web",type="application",protocol="HTTPS",port="443"} 1"#,
        r#"cloud_target_group_info{target_group="instances",LB="web",protocol="HTTP",port="80",target_type="instance",vpc_id="vpc-3ac0fb5f"} 1"#,
        r#"cloud_target_group_info{target_group="instances",LB="net",protocol="HTTP",port="80",target_type="instance",vpc_id="vpc-3ac0fb5f"} 1"#,
        r#"cloud_target_group_info{target_group="function",LB="away",target_type="lambda"} 1"#,
        r#"cloud_target_group_info{target_group="addresses",protocol="TCP",port="6379",target_type="ip"} 1"#,
        r#"cloud_target_group_info{target_group="chained",LB="net",protocol="TCP",port="80",target_type="alb"} 1"#,
        r#"backends{LB="web",type="application",target_group="instances"} 3"#,
        r#"backends{LB="net",type="network",target_group="instances"} 3"#,
        r#"backends{LB="away",type="application",target_group="function"} 1"#,
        r#"backends{target_group="addresses"} 1"#,
        r#"backends{LB="net",type="network",target_group="chained"} 1"#,
        r#"healthy_backends{LB="web",type="application",target_group="instances"} 1"#,
        r#"healthy_backends{LB="net",type="network",target_group="instances"} 1"#,
        r#"healthy_backends{LB="away",type="application",target_group="function"} 0"#,
        r#"healthy_backends{target_group="addresses"} 0"#,
        r#"healthy_backends{LB="net",type="network",target_group="chained"} 0"#,
        // Nothing is known of what only a function stands behind, nor of a load balancer without a group.
        r#"without_healthy_backend{LB="web",type="application"} 0"#,
        r#"without_healthy_backend{LB="net",type="network"} 0"#,
        r#"backend_healthy{LB="web",type="application",target_group="instances",port="80",instance_id="i-1"} 1"#,
        r#"backend_healthy{LB="web",type="application",target_group="instances",port="81",instance_id="i-1"} 0"#,
        r#"backend_healthy{LB="web",type="application",target_group="instances",port="80",instance_id="i-2"} 0"#,
        r#"backend_healthy{LB="net",type="network",target_group="instances",port="80",instance_id="i-1"} 1"#,
        r#"backend_healthy{LB="net",type="network",target_group="instances",port="81",instance_id="i-1"} 0"#,
        r#"backend_healthy{LB="net",type="network",target_group="instances",port="80",instance_id="i-2"} 0"#,
        r#"backend_healthy{LB="away",type="application",target_group="function",target="FUNCTION"} 0"#,
        r#"backend_healthy{target_group="addresses",port="6379",target="10.0.0.1"} 0"#,
        r#"backend_healthy{LB="net",type="network",target_group="chained",port="80",target="arn:web"} 0"#,
        r#"backend_state_info{LB="web",type="application",target_group="instances",port="80",instance_id="i-1",state="healthy"} 1"#,
        r#"backend_state_info{LB="web",type="application",target_group="instances",port="81",instance_id="i-1",state="unhealthy.draining",reason="Target.DeregistrationInProgress"} 1"#,
        r#"backend_state_info{LB="web",type="application",target_group="instances",port="80",instance_id="i-2",state="unhealthy",reason="Target.ResponseCodeMismatch"} 1"#,
        r#"backend_state_info{LB="net",type="network",target_group="instances",port="80",instance_id="i-1",state="healthy"} 1"#,
        r#"backend_state_info{LB="net",type="network",target_group="instances",port="81",instance_id="i-1",state="unhealthy.draining",reason="Target.DeregistrationInProgress"} 1"#,
        r#"backend_state_info{LB="net",type="network",target_group="instances",port="80",instance_id="i-2",state="unhealthy",reason="Target.ResponseCodeMismatch"} 1"#,
        r#"backend_state_info{LB="away",type="application",target_group="function",target="FUNCTION",state="unavailable",reason="Target.HealthCheckDisabled"} 1"#,
        r#"backend_state_info{target_group="addresses",port="6379",target="10.0.0.1",state="unused",reason="Target.NotInUse"} 1"#,
        r#"backend_state_info{LB="net",type="network",target_group="chained",port="80",target="arn:web",state="initial",reason="Elb.InitialHealthChecking"} 1"#,
    ];
    let shown: Vec<String> = lines(observation)
        .iter()
        .map(|line| line.strip_prefix("cloud_load_balancer_").unwrap_or(line))
        .map(|line| {
            line.replace("load_balancer=", "LB=")
                .replace(function, "FUNCTION")
        })
        .collect();
    assert_eq!(shown, expected);
}

#[test]
fn instances_that_are_targets_are_known_by_place_and_port() {
    let backends = observed().facts.backends;
    let places: Vec<Vec<&str>> = backends
        .iter()
        .map(|group| group.labels.iter().map(|(_, value)| value.as_str()).collect())
        .collect();
    assert_eq!(
        places,
        [
            ["web", "application", "instances"],
            ["net", "network", "instances"]
        ]
    );
    for group in &backends {
        let known: Vec<_> = group
            .backends
            .iter()
            .map(|backend| (backend.instance_id.as_str(), backend.port.as_deref()))
            .collect();
        assert_eq!(
            known,
            [("i-1", Some("80")), ("i-1", Some("81")), ("i-2", Some("80"))]
        );
    }
}

#[test]
fn a_load_balancer_is_without_healthy_backend_only_where_the_cloud_says_so() {
    let none = || is_without_healthy_backend([].into_iter());
    let of = |documents: &[&str]| {
        let healths: Vec<Health> = documents.iter().map(|document| health(document)).collect();
        is_without_healthy_backend(healths.iter())
    };
    assert_eq!(none(), None);
    assert_eq!(of(&[NOBODY]), Some(true));
    assert_eq!(of(&[CHAINED]), Some(true));
    assert_eq!(of(&[FUNCTION]), None);
    assert_eq!(of(&[FUNCTION, CHAINED]), None);
    assert_eq!(of(&[FUNCTION, INSTANCES]), Some(false));
    let without_state = NOBODY.replace(
        "<TargetHealthDescriptions/>",
        "<TargetHealthDescriptions><member><Target><Id>i-1</Id></Target></member></TargetHealthDescriptions>",
    );
    assert_eq!(of(&[&without_state]), None);
}

#[test]
fn a_target_listed_twice_is_shown_once_whichever_comes_first() {
    let (first, second) = ADDRESSES.split_once("</member>").unwrap();
    let (head, first) = first.split_once("<member>").unwrap();
    let (second, tail) = second.rsplit_once("</member>").unwrap();
    let turned = format!("{head}{second}</member><member>{first}</member>{tail}");
    for document in [ADDRESSES, &turned] {
        let health = health(document);
        let states: Vec<&str> = health
            .targets
            .iter()
            .map(|target| target.state.as_str())
            .collect();
        assert_eq!(states, ["unused"]);
    }
}

#[test]
fn two_load_balancers_of_one_name_and_two_types_name_a_group_once() {
    let one = |arn: &str, sort: &str| LoadBalancer {
        arn: arn.to_owned(),
        name: "web".to_owned(),
        sort: sort.to_owned(),
        ..LoadBalancer::default()
    };
    let group = TargetGroup {
        arn: "arn:group".to_owned(),
        name: "group".to_owned(),
        target_type: "instance".to_owned(),
        load_balancers: ["arn:1", "arn:2", "arn:1"].map(str::to_owned).to_vec(),
        ..TargetGroup::default()
    };
    let mut observation = Observation::new(&KIND, "a", Provider::Aws, "r", Show::default());
    let listening = [
        (one("arn:1", "application"), vec![]),
        (one("arn:2", "gateway"), vec![]),
    ];
    write(&listening, &[(group, health(INSTANCES))], &mut observation);
    let groups = &observation.facts.backends;
    assert_ne!(groups[0].labels, groups[1].labels);
    let lines = lines(observation);
    let infos = lines
        .iter()
        .filter(|line| line.starts_with("cloud_target_group_info"));
    assert_eq!(infos.count(), 1);
    let distinct: HashSet<&String> = lines.iter().collect();
    assert_eq!(distinct.len(), lines.len());
}

#[test]
fn a_load_balancer_that_says_it_is_classic_is_skipped() {
    let answers = Answers {
        target_groups: "<DescribeTargetGroupsResponse><DescribeTargetGroupsResult><TargetGroups/>\
                        </DescribeTargetGroupsResult></DescribeTargetGroupsResponse>",
        load_balancers: "<DescribeLoadBalancersResponse><DescribeLoadBalancersResult><LoadBalancers><member>\
                         <LoadBalancerArn>arn:web</LoadBalancerArn><LoadBalancerName>web</LoadBalancerName>\
                         <Type>classic</Type></member></LoadBalancers></DescribeLoadBalancersResult>\
                         </DescribeLoadBalancersResponse>",
        listeners: "",
        health: "",
    };
    let mut observation = Observation::new(&KIND, "a", Provider::Aws, "r", Show::default());
    read(&answers, &mut observation).unwrap();
    assert_eq!((observation.objects, observation.skipped), (0, 1));
    assert_eq!(lines(observation), [""; 0]);
}

#[test]
fn an_answer_without_its_list_is_none() {
    let empty = |action: &Action| format!("<{0}Response><{0}Result/></{0}Response>", action.name);
    let groups = answer(&DESCRIBE_TARGET_GROUPS, &empty(&DESCRIBE_TARGET_GROUPS), |page| {
        wire::read_target_groups(page, &mut |_| {})
    });
    let load_balancers = answer(
        &DESCRIBE_LOAD_BALANCERS,
        &empty(&DESCRIBE_LOAD_BALANCERS),
        |page| wire::read_load_balancers(page, &mut |_| {}),
    );
    let listeners = answer(&DESCRIBE_LISTENERS, &empty(&DESCRIBE_LISTENERS), |page| {
        wire::read_listeners(page, &mut Vec::new())
    });
    let health = answer(
        &DESCRIBE_TARGET_HEALTH,
        &empty(&DESCRIBE_TARGET_HEALTH),
        wire::read_health,
    );
    let missing = |expected: &str| {
        Some(xml::Error::NoResult {
            expected: expected.to_owned(),
        })
    };
    assert_eq!(groups.err(), missing("TargetGroups"));
    assert_eq!(load_balancers.err(), missing("LoadBalancers"));
    assert_eq!(listeners.err(), missing("Listeners"));
    assert_eq!(health.err(), missing("TargetHealthDescriptions"));
}
