//! The newer load balancing API, which shares host and signing name with the classic one.

use vigie::demo::{Cloud, Options};

use crate::client::{Client, cloud, still, still_aws};

const V2: (&str, &str) = ("Version", "2015-12-01");
const SERVICE: &str = "elasticloadbalancing";

async fn with_groups() -> (Cloud, Client) {
    let cloud = cloud(Options {
        target_groups: 7,
        ..still_aws()
    })
    .await;
    let client = Client::admin(&cloud, SERVICE);
    (cloud, client)
}

#[tokio::test]
async fn the_version_alone_tells_the_two_apis_apart() {
    let (cloud, client) = with_groups().await;
    let classic = client
        .call("DescribeLoadBalancers", &[("Version", "2012-06-01")])
        .await;
    assert!(classic.body.contains("/doc/2012-06-01/") && classic.body.contains("<InstanceId>"));
    let newer = client.call("DescribeLoadBalancers", &[V2]).await;
    assert!(newer.body.contains("/doc/2015-12-01/"), "{}", newer.body);
    let names: Vec<String> = cloud
        .fleet()
        .load_balancers_v2()
        .into_iter()
        .map(|one| one.name)
        .collect();
    assert_eq!(newer.all("LoadBalancerName"), names);
    let reply = client.call("DescribeInstanceHealth", &[V2]).await;
    assert_eq!(reply.refusal(), (400, "InvalidAction"));
    let reply = client
        .call("DescribeTargetGroups", &[("Version", "2012-06-01")])
        .await;
    assert_eq!(reply.refusal(), (400, "InvalidAction"));
}

#[tokio::test]
async fn outscale_has_no_target_groups() {
    let cloud = cloud(Options {
        target_groups: 7,
        ..still()
    })
    .await;
    assert!(cloud.fleet().target_groups().is_empty());
    for action in [
        "DescribeLoadBalancers",
        "DescribeTargetGroups",
        "DescribeTargetHealth",
    ] {
        let reply = Client::admin(&cloud, SERVICE).call(action, &[V2]).await;
        assert_eq!(reply.refusal(), (400, "InvalidAction"), "{action}");
    }
}

#[tokio::test]
async fn groups_and_the_health_of_their_targets_are_the_truth() {
    let (cloud, client) = with_groups().await;
    let groups = cloud.fleet().target_groups();
    let reply = client.call("DescribeTargetGroups", &[V2]).await;
    let arns: Vec<&str> = groups.iter().map(|group| group.arn.as_str()).collect();
    assert_eq!(reply.all("TargetGroupArn"), arns);
    for group in &groups {
        let reply = client
            .call("DescribeTargetHealth", &[V2, ("TargetGroupArn", &group.arn)])
            .await;
        let truth = cloud.fleet().target_health(&group.name);
        let ids: Vec<&str> = truth.iter().map(|(target, _)| target.id.as_str()).collect();
        assert_eq!(reply.all("Id"), ids);
        let states: Vec<&str> = truth.iter().map(|(_, health)| health.state.as_str()).collect();
        assert_eq!(reply.all("State"), states);
    }
    for balancer in cloud.fleet().load_balancers_v2() {
        let of = [V2, ("LoadBalancerArn", balancer.arn.as_str())];
        let listeners = client.call("DescribeListeners", &of).await;
        let ports: Vec<String> = balancer
            .listeners
            .iter()
            .map(|(_, port)| port.to_string())
            .collect();
        assert_eq!(listeners.all("Port"), ports);
        assert_eq!(listeners.all("ListenerArn").len(), ports.len().max(1));
        let behind = client.call("DescribeTargetGroups", &of).await;
        let expected: Vec<&str> = groups
            .iter()
            .filter(|group| group.load_balancers.contains(&balancer.arn))
            .map(|group| group.arn.as_str())
            .collect();
        assert_eq!(behind.all("TargetGroupArn"), expected);
    }
}

#[tokio::test]
async fn what_is_asked_for_by_name_or_arn_is_listed_alone_or_not_found() {
    let (cloud, client) = with_groups().await;
    let (balancers, groups) = (cloud.fleet().load_balancers_v2(), cloud.fleet().target_groups());
    for (parameter, value) in [
        ("Names.member.1", &balancers[2].name),
        ("LoadBalancerArns.member.1", &balancers[2].arn),
    ] {
        let reply = client
            .call("DescribeLoadBalancers", &[V2, (parameter, value)])
            .await;
        assert_eq!(reply.all("LoadBalancerArn"), [balancers[2].arn.as_str()]);
    }
    for (parameter, value) in [
        ("Names.member.1", &groups[2].name),
        ("TargetGroupArns.member.1", &groups[2].arn),
    ] {
        let reply = client
            .call("DescribeTargetGroups", &[V2, (parameter, value)])
            .await;
        assert_eq!(reply.all("TargetGroupArn"), [groups[2].arn.as_str()]);
    }
    let gone = "arn:aws:elasticloadbalancing:eu-west-2:123456789012:nothing";
    for (action, parameter, code) in [
        ("DescribeLoadBalancers", "Names.member.1", "LoadBalancerNotFound"),
        ("DescribeListeners", "LoadBalancerArn", "LoadBalancerNotFound"),
        ("DescribeTargetGroups", "LoadBalancerArn", "LoadBalancerNotFound"),
        (
            "DescribeTargetGroups",
            "TargetGroupArns.member.1",
            "TargetGroupNotFound",
        ),
        ("DescribeTargetHealth", "TargetGroupArn", "TargetGroupNotFound"),
    ] {
        let reply = client.call(action, &[V2, (parameter, gone)]).await;
        assert_eq!(reply.refusal(), (400, code), "{action} {parameter}");
    }
    let reply = client.call("DescribeTargetHealth", &[V2]).await;
    assert_eq!(reply.refusal(), (400, "ValidationError"));
}

#[tokio::test]
async fn listings_are_paged() {
    let (cloud, client) = with_groups().await;
    let first = client
        .call("DescribeTargetGroups", &[V2, ("PageSize", "5")])
        .await;
    let marker = first.one("NextMarker");
    let second = client
        .call(
            "DescribeTargetGroups",
            &[V2, ("PageSize", "5"), ("Marker", marker)],
        )
        .await;
    let listed = [first.all("TargetGroupName"), second.all("TargetGroupName")].concat();
    let names: Vec<String> = cloud
        .fleet()
        .target_groups()
        .into_iter()
        .map(|one| one.name)
        .collect();
    assert_eq!(listed, names);
    assert_eq!(second.one("NextMarker"), "");
    let reply = client
        .call("DescribeLoadBalancers", &[V2, ("PageSize", "401")])
        .await;
    assert_eq!(reply.refusal(), (400, "ValidationError"));
}
