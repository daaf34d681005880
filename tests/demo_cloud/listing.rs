//! What is listed, and that it is the truth.

use std::time::Duration;

use vigie::demo::{Check, Event, Options, Times};

use crate::client::{Client, cloud, ids, still, still_aws};

#[tokio::test]
async fn all_instances_are_listed_under_either_name_of_the_service() {
    let cloud = cloud(still()).await;
    for service in ["fcu", "ec2"] {
        let reply = Client::admin(&cloud, service)
            .call("DescribeInstances", &[])
            .await;
        assert_eq!(reply.status, 200, "{}", reply.body);
        assert_eq!(reply.all("instanceId"), ids(&cloud));
        assert!(reply.body.contains("<code>-1</code><name>quarantine</name>"));
        assert!(!reply.body.contains("nextToken"));
    }
}

#[tokio::test]
async fn pages_follow_each_other_to_the_end() {
    for options in [still(), still_aws()] {
        let cloud = cloud(options).await;
        let client = Client::admin(&cloud, "ec2");
        let mut listed = Vec::new();
        let mut token = String::new();
        loop {
            let mut parameters = vec![("MaxResults", "5")];
            if !token.is_empty() {
                parameters.push(("NextToken", &token));
            }
            let reply = client.call("DescribeInstances", &parameters).await;
            assert!(reply.all("instanceId").len() <= 5);
            listed.extend(reply.all("instanceId").iter().map(|&id| id.to_owned()));
            token = reply.one("nextToken").to_owned();
            if token.is_empty() {
                break;
            }
        }
        assert_eq!(listed, ids(&cloud));
        let pages = cloud.requests();
        assert_eq!(pages.len(), 5);
        assert!(pages[1].parameter("NextToken").is_some());
        assert!(
            pages
                .iter()
                .all(|request| request.parameter("MaxResults") == Some("5"))
        );
    }
}

#[tokio::test]
async fn page_sizes_out_of_bounds_are_refused() {
    let cloud = cloud(still_aws()).await;
    let client = Client::admin(&cloud, "ec2");
    for size in ["4", "1001", "many"] {
        let reply = client.call("DescribeInstances", &[("MaxResults", size)]).await;
        assert_eq!(reply.refusal(), (400, "InvalidParameterValue"));
    }
    let reply = client.call("DescribeInstances", &[("NextToken", "x")]).await;
    assert_eq!(reply.refusal(), (400, "InvalidPaginationToken"));
}

#[tokio::test]
async fn cloud_without_paging_refuses_the_parameter_by_name() {
    let cloud = cloud(Options {
        refuses_paging: true,
        ..still()
    })
    .await;
    let reply = Client::admin(&cloud, "ec2")
        .call("DescribeInstances", &[("MaxResults", "1000")])
        .await;
    assert_eq!(reply.refusal(), (400, "InvalidParameterException"));
    assert!(reply.one("Message").contains("MaxResults"));
    let reply = Client::admin(&cloud, "lbu")
        .call("DescribeLoadBalancers", &[("PageSize", "400")])
        .await;
    assert_eq!(reply.refusal(), (400, "InvalidParameterException"));
}

#[tokio::test]
async fn filters_and_ids_narrow_the_listing() {
    let cloud = cloud(still()).await;
    let client = Client::admin(&cloud, "ec2");
    let stopped = [
        ("Filter.1.Name", "instance-state-name"),
        ("Filter.1.Value.1", "stopped"),
    ];
    let reply = client.call("DescribeInstances", &stopped).await;
    let fleet = cloud.fleet().instances();
    let expected: Vec<&str> = fleet
        .iter()
        .filter(|instance| instance.state == "stopped")
        .map(|instance| instance.id.as_str())
        .collect();
    assert_eq!(reply.all("instanceId"), expected);
    let reply = client
        .call("DescribeInstances", &[("InstanceId.1", expected[0])])
        .await;
    assert_eq!(reply.all("instanceId"), &expected[..1]);
    let reply = client
        .call("DescribeInstances", &[("InstanceId.1", "i-00000000")])
        .await;
    assert_eq!(reply.refusal(), (400, "InvalidInstanceID.NotFound"));
}

#[tokio::test]
async fn status_tells_of_failed_checks_and_of_what_is_scheduled() {
    let cloud = cloud(still_aws()).await;
    let fleet = cloud.fleet();
    let id = &ids(&cloud)[0];
    assert!(fleet.impair(id, Check::System));
    let event = Event {
        id: "instance-event-0d59937288b749b32".to_owned(),
        code: "instance-retirement".to_owned(),
        description: "[Completed] gone".to_owned(),
        not_before: "2030-01-02T03:04:05Z".parse().unwrap(),
        not_after: None,
        deadline: None,
    };
    assert!(fleet.schedule(id, event));
    let client = Client::admin(&cloud, "ec2");
    let reply = client.call("DescribeInstanceStatus", &[]).await;
    assert_eq!(reply.all("impairedSince").len(), 1);
    assert_eq!(reply.all("notBefore"), ["2030-01-02T03:04:05.000Z"]);
    let running = reply.all("instanceId").len();
    let all = [("IncludeAllInstances", "true"), ("MaxResults", "1000")];
    let reply = client.call("DescribeInstanceStatus", &all).await;
    assert_eq!(reply.all("instanceId"), ids(&cloud));
    assert!(running < reply.all("instanceId").len());
    assert!(fleet.heal(id));
    let reply = client.call("DescribeInstanceStatus", &[]).await;
    assert!(!reply.body.contains("impaired"));
}

#[tokio::test]
async fn ids_filters_and_pages_narrow_the_other_listings_too() {
    for options in [still(), still_aws()] {
        let cloud = cloud(options).await;
        let client = Client::admin(&cloud, "ec2");
        let volumes = cloud.fleet().volumes();
        let free = volumes.iter().filter(|volume| volume.state == "available");
        let free: Vec<&str> = free.map(|volume| volume.id.as_str()).collect();
        let filter = [("Filter.1.Name", "status"), ("Filter.1.Value.1", "available")];
        let reply = client.call("DescribeVolumes", &filter).await;
        assert_eq!(reply.all("volumeId"), free);
        let reply = client
            .call("DescribeVolumes", &[("VolumeId.1", "vol-00000000")])
            .await;
        assert_eq!(reply.refusal(), (400, "InvalidVolume.NotFound"));

        let first = client.call("DescribeVolumes", &[("MaxResults", "30")]).await;
        let token = first.one("nextToken");
        let rest = client
            .call("DescribeVolumes", &[("MaxResults", "30"), ("NextToken", token)])
            .await;
        let sizes = [&first, &rest].map(|reply| reply.all("createTime").len());
        assert_eq!(sizes, [30, volumes.len() - 30]);
        assert_eq!(rest.one("nextToken"), "");

        let subnet = cloud.fleet().subnets()[1].0.clone();
        let reply = client
            .call("DescribeSubnets", &[("SubnetId.1", &subnet.id)])
            .await;
        assert_eq!(reply.all("cidrBlock"), [subnet.cidr_block]);
        let named = [("Filter.1.Name", "tag:Name"), ("Filter.1.Value.1", "forg*")];
        let reply = client.call("DescribeAddresses", &named).await;
        assert_eq!(reply.all("publicIp"), ["198.51.100.7"]);
    }
}

#[tokio::test]
async fn volumes_are_those_that_the_instances_name() {
    let cloud = cloud(still_aws()).await;
    let client = Client::admin(&cloud, "ec2");
    let reply = client.call("DescribeInstances", &[]).await;
    let mut named = reply.all("volumeId");
    named.sort_unstable();
    let volumes = cloud.fleet().volumes();
    let attached = volumes.iter().filter(|volume| !volume.attachments.is_empty());
    let mut attached: Vec<&str> = attached.map(|volume| volume.id.as_str()).collect();
    attached.sort_unstable();
    assert_eq!(named, attached);
}

#[tokio::test]
async fn outscale_knows_no_status_of_volumes() {
    let known = cloud(still_aws()).await;
    let reply = Client::admin(&known, "ec2")
        .call("DescribeVolumeStatus", &[])
        .await;
    assert_eq!(reply.all("volumeId").len(), known.fleet().volumes().len());
    let cloud = cloud(still()).await;
    let reply = Client::admin(&cloud, "fcu")
        .call("DescribeVolumeStatus", &[])
        .await;
    assert_eq!(reply.refusal(), (400, "InvalidAction"));
}

#[tokio::test]
async fn times_come_in_two_shapes_on_request() {
    for (times, odd) in [(Times::Rfc3339, 0), (Times::Mixed, 12)] {
        let cloud = cloud(Options { times, ..still() }).await;
        let reply = Client::admin(&cloud, "fcu").call("DescribeInstances", &[]).await;
        let launched = reply.all("launchTime");
        assert_eq!(
            launched.iter().filter(|time| time.ends_with("+0000")).count(),
            odd
        );
    }
}

#[tokio::test]
async fn load_balancers_and_their_health_are_the_truth() {
    let cloud = cloud(still()).await;
    let client = Client::admin(&cloud, "lbu");
    let reply = client.call("DescribeLoadBalancers", &[]).await;
    let names: Vec<String> = cloud
        .fleet()
        .load_balancers()
        .into_iter()
        .map(|balancer| balancer.name)
        .collect();
    assert_eq!(reply.all("LoadBalancerName"), names);
    let mut unhealthy = 0;
    for name in &names {
        let reply = client
            .call("DescribeInstanceHealth", &[("LoadBalancerName", name)])
            .await;
        let truth = cloud.fleet().backend_health(name);
        let states: Vec<&str> = truth.iter().map(|(_, health)| health.state.as_str()).collect();
        assert_eq!(reply.all("State"), states);
        unhealthy += states.iter().filter(|state| **state == "OutOfService").count();
    }
    assert!(unhealthy > 0);
    let reply = client
        .call("DescribeInstanceHealth", &[("LoadBalancerName", "gone")])
        .await;
    assert_eq!(reply.refusal(), (400, "LoadBalancerNotFound"));
}

#[tokio::test]
async fn load_balancers_are_paged() {
    let cloud = cloud(still()).await;
    let client = Client::admin(&cloud, "lbu");
    let first = client.call("DescribeLoadBalancers", &[("PageSize", "3")]).await;
    let marker = first.one("NextMarker");
    let second = client
        .call("DescribeLoadBalancers", &[("PageSize", "3"), ("Marker", marker)])
        .await;
    assert_eq!(first.all("LoadBalancerName").len(), 3);
    assert_eq!(second.all("LoadBalancerName").len(), 2);
    assert_eq!(second.one("NextMarker"), "");
}

#[tokio::test]
async fn change_by_hand_is_seen_at_once() {
    let cloud = cloud(still()).await;
    let client = Client::admin(&cloud, "ec2");
    let fleet = cloud.fleet();
    let id = &ids(&cloud)[0];
    assert!(fleet.set_state(id, "hibernating"));
    assert!(fleet.set_tag(id, "env", "<&>"));
    fleet.add_raw_instance("<item><instanceId>i-odd</instanceId></item>");
    assert!(fleet.remove(&ids(&cloud)[1]));
    let reply = client.call("DescribeInstances", &[]).await;
    assert!(reply.body.contains("<name>hibernating</name>"));
    assert!(reply.body.contains("<key>env</key><value>&lt;&amp;&gt;</value>"));
    let mut expected = ids(&cloud);
    expected.push("i-odd".to_owned());
    assert_eq!(reply.all("instanceId"), expected);
}

#[tokio::test(start_paused = true)]
async fn fleet_lives_by_itself() {
    let cloud = cloud(Options::default()).await;
    let before = cloud.fleet().instances();
    tokio::time::sleep(Duration::from_secs(11)).await;
    assert_ne!(cloud.fleet().instances(), before);
}

#[tokio::test]
async fn each_region_has_a_fleet_of_its_own() {
    let cloud = cloud(Options {
        regions: vec!["eu-west-2".to_owned(), "us-east-2".to_owned()],
        ..still()
    })
    .await;
    let client = Client {
        region: "us-east-2",
        ..Client::admin(&cloud, "ec2")
    };
    let reply = client.call("DescribeInstances", &[]).await;
    let there = cloud.fleet_of("us-east-2").unwrap().instances();
    assert_eq!(reply.one("instanceId"), there[0].id);
    assert_ne!(cloud.fleet().instances()[0].id, there[0].id);
}
