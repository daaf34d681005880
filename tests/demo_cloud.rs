//! The demo cloud over real sockets, spoken to as any client would: a form, signed by hand.

#![expect(clippy::unwrap_used, reason = "a test ends where it is surprised")]

use std::time::Duration;

use jiff::{SignedDuration, Timestamp};
use reqwest::header::{AUTHORIZATION, CONTENT_TYPE, DATE, HeaderMap, RETRY_AFTER};
use tokio::net::TcpListener;
use tokio::time::Instant;
use vigie::demo::{Check, Cloud, Event, Fault, Key, Options};
use vigie::provider::Provider;
use vigie::sigv4::{self, Request, Scope};

async fn cloud(options: Options) -> Cloud {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    Cloud::start(options, listener).await.unwrap()
}

/// OUTSCALE's manners and a fleet that holds still.
fn still() -> Options {
    Options {
        alive: false,
        ..Options::default()
    }
}

fn still_aws() -> Options {
    Options {
        provider: Provider::Aws,
        ..still()
    }
}

/// How a request is signed; the default is as it should be.
struct Client {
    http: reqwest::Client,
    url: String,
    key: Key,
    service: &'static str,
    region: &'static str,
    /// How far this client's clock is ahead.
    ahead: SignedDuration,
    is_get: bool,
    /// Sent instead of what was signed.
    tampered: Option<&'static str>,
}

impl Client {
    fn new(cloud: &Cloud, key: Key, service: &'static str) -> Self {
        Self {
            http: reqwest::Client::builder()
                .timeout(Duration::from_secs(20))
                .build()
                .unwrap(),
            url: cloud.url(),
            key,
            service,
            region: "eu-west-2",
            ahead: SignedDuration::ZERO,
            is_get: false,
            tampered: None,
        }
    }

    fn admin(cloud: &Cloud, service: &'static str) -> Self {
        Self::new(cloud, cloud.admin_key(), service)
    }

    async fn send(&self, action: &str, parameters: &[(&str, &str)]) -> reqwest::Result<reqwest::Response> {
        let form = form_urlencoded::Serializer::new(String::new())
            .append_pair("Action", action)
            .extend_pairs(parameters)
            .finish()
            // A signed query has its spaces as %20.
            .replace('+', "%20");
        let amz_date = sigv4::amz_date(Timestamp::now() + self.ahead);
        let host = self.url.strip_prefix("http://").unwrap();
        let content_type = "application/x-www-form-urlencoded; charset=utf-8";
        let headers = [
            ("content-type", content_type),
            ("host", host),
            ("x-amz-date", amz_date.as_str()),
        ];
        let request = Request {
            method: if self.is_get { "GET" } else { "POST" },
            path: "/",
            query: if self.is_get { &form } else { "" },
            headers: &headers,
            body: if self.is_get { b"" } else { form.as_bytes() },
        };
        let scope = Scope {
            date: amz_date.get(..8).unwrap(),
            region: self.region,
            service: self.service,
        };
        let key = &self.key;
        let authorization = sigv4::sign(
            &request,
            &key.access_key_id,
            &key.secret_access_key,
            &scope,
            &amz_date,
        );
        let sent = self.tampered.map_or_else(|| form.clone(), str::to_owned);
        let request = if self.is_get {
            self.http.get(format!("{}/?{sent}", self.url))
        } else {
            self.http.post(&self.url).body(sent)
        };
        request
            .header(CONTENT_TYPE, content_type)
            .header("x-amz-date", &amz_date)
            .header(AUTHORIZATION, authorization)
            .send()
            .await
    }

    async fn call(&self, action: &str, parameters: &[(&str, &str)]) -> Reply {
        let response = self.send(action, parameters).await.unwrap();
        Reply {
            status: response.status().as_u16(),
            headers: response.headers().clone(),
            body: response.text().await.unwrap(),
        }
    }
}

struct Reply {
    status: u16,
    headers: HeaderMap,
    body: String,
}

impl Reply {
    /// The texts of all elements of a name, in order.
    fn all(&self, name: &str) -> Vec<&str> {
        let (open, close) = (format!("<{name}>"), format!("</{name}>"));
        self.body
            .split(&open)
            .skip(1)
            .filter_map(|rest| rest.split_once(&close))
            .map(|(text, _)| text)
            .collect()
    }

    fn one(&self, name: &str) -> &str {
        self.all(name).first().copied().unwrap_or_default()
    }

    /// Status and code, as a refusal.
    fn refusal(&self) -> (u16, &str) {
        (self.status, self.one("Code"))
    }
}

fn ids(cloud: &Cloud) -> Vec<String> {
    let instances = cloud.fleet().instances();
    instances.into_iter().map(|instance| instance.id).collect()
}

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
async fn query_may_be_signed_in_place_of_a_form() {
    let cloud = cloud(still()).await;
    let client = Client {
        is_get: true,
        ..Client::admin(&cloud, "ec2")
    };
    let parameters = [("Filter.1.Name", "tag:env"), ("Filter.1.Value.1", "a b~c")];
    assert_eq!(client.call("DescribeInstances", &parameters).await.status, 200);
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

#[tokio::test]
async fn what_was_not_signed_is_not_believed() {
    let cloud = cloud(Options {
        lock_out: false,
        ..still()
    })
    .await;
    for (service, refusal) in [
        ("ec2", (401, "AuthFailure")),
        ("lbu", (403, "SignatureDoesNotMatch")),
    ] {
        for is_get in [false, true] {
            let client = Client {
                tampered: Some("Action=TerminateInstances"),
                is_get,
                ..Client::admin(&cloud, service)
            };
            assert_eq!(client.call("DescribeInstances", &[]).await.refusal(), refusal);
        }
        let mut key = cloud.admin_key();
        key.secret_access_key = "another secret".into();
        let client = Client::new(&cloud, key, service);
        assert_eq!(client.call("DescribeInstances", &[]).await.refusal(), refusal);
    }
}

#[tokio::test]
async fn unknown_inactive_and_revoked_keys_are_one() {
    let cloud = cloud(Options {
        lock_out: false,
        ..still()
    })
    .await;
    let key = cloud.create_describe_only_user("watcher", &["elasticloadbalancing:Describe*"]);
    let client = Client::new(&cloud, key.clone(), "lbu");
    assert_eq!(client.call("DescribeLoadBalancers", &[]).await.status, 200);
    assert!(cloud.deactivate_key(&key.access_key_id));
    let refusal = (403, "InvalidClientTokenId");
    assert_eq!(client.call("DescribeLoadBalancers", &[]).await.refusal(), refusal);
    assert!(cloud.activate_key(&key.access_key_id));
    assert_eq!(client.call("DescribeLoadBalancers", &[]).await.status, 200);
    assert!(cloud.revoke_key(&key.access_key_id));
    assert_eq!(client.call("DescribeLoadBalancers", &[]).await.refusal(), refusal);
    assert!(!cloud.activate_key(&key.access_key_id));
}

#[tokio::test]
async fn skewed_clock_is_refused_and_the_date_header_tells_why() {
    let offset = SignedDuration::from_mins(10);
    let cloud = cloud(Options {
        clock_offset: offset,
        lock_out: false,
        ..still()
    })
    .await;
    let reply = Client::admin(&cloud, "ec2").call("DescribeInstances", &[]).await;
    assert_eq!(reply.refusal(), (401, "AuthFailure"));
    let date = reply.headers[DATE].to_str().unwrap();
    let date = jiff::fmt::rfc2822::parse(date).unwrap().timestamp();
    let ahead = date.duration_since(Timestamp::now());
    assert!((ahead - offset).abs() < SignedDuration::from_secs(5));
    let reply = Client::admin(&cloud, "lbu")
        .call("DescribeLoadBalancers", &[])
        .await;
    assert_eq!(reply.refusal(), (403, "SignatureDoesNotMatch"));
    assert!(reply.one("Message").starts_with("Signature expired: "));
    let corrected = Client {
        ahead: offset,
        ..Client::admin(&cloud, "ec2")
    };
    assert_eq!(corrected.call("DescribeInstances", &[]).await.status, 200);
}

#[tokio::test]
async fn window_is_wider_on_aws() {
    let behind = SignedDuration::from_mins(-10);
    let cloud = cloud(still_aws()).await;
    let client = Client {
        ahead: behind,
        ..Client::admin(&cloud, "ec2")
    };
    assert_eq!(client.call("DescribeInstances", &[]).await.status, 200);
    let client = Client {
        ahead: behind * 2,
        ..Client::admin(&cloud, "ec2")
    };
    assert_eq!(
        client.call("DescribeInstances", &[]).await.refusal(),
        (400, "RequestExpired")
    );
}

#[tokio::test(start_paused = true)]
async fn four_failures_lock_even_the_good_key_out_for_a_minute() {
    let cloud = cloud(still()).await;
    let good = Client::admin(&cloud, "ec2");
    let mut key = cloud.admin_key();
    key.access_key_id = "NOSUCHKEY000EXAMPLE0".to_owned();
    let bad = Client::new(&cloud, key, "ec2");
    for _ in 0..4 {
        assert_eq!(
            bad.call("DescribeInstances", &[]).await.refusal(),
            (401, "AuthFailure")
        );
    }
    assert_eq!(cloud.times_locked_out(), 1);
    assert_eq!(
        good.call("DescribeInstances", &[]).await.refusal(),
        (401, "AuthFailure")
    );
    tokio::time::advance(Duration::from_secs(60)).await;
    assert_eq!(good.call("DescribeInstances", &[]).await.status, 200);
    assert_eq!(cloud.times_locked_out(), 1);
}

#[tokio::test]
async fn what_no_policy_allows_is_denied_in_the_words_of_the_service() {
    let cloud = cloud(still()).await;
    let key = cloud.create_describe_only_user("watcher", &["ec2:DescribeInstances"]);
    let ec2 = Client::new(&cloud, key.clone(), "ec2");
    assert_eq!(ec2.call("DescribeInstances", &[]).await.status, 200);
    let id = &ids(&cloud)[0];
    for action in ["StopInstances", "TerminateInstances"] {
        let reply = ec2
            .call(action, &[("InstanceId.1", id), ("DryRun", "true")])
            .await;
        assert_eq!(reply.refusal(), (403, "UnauthorizedOperation"));
        assert!(
            reply
                .one("Message")
                .contains(&format!("is not authorized to perform: ec2:{action}"))
        );
    }
    for (service, action) in [("lbu", "DescribeLoadBalancers"), ("eim", "ListUsers")] {
        let reply = Client::new(&cloud, key.clone(), service).call(action, &[]).await;
        assert_eq!(reply.refusal(), (403, "AccessDenied"));
    }
    assert_eq!(cloud.fleet().instance(id).unwrap().state, "running");
}

#[tokio::test]
async fn dry_run_changes_nothing_and_the_real_one_does() {
    let cloud = cloud(still()).await;
    let client = Client::admin(&cloud, "ec2");
    let id = ids(&cloud)[0].clone();
    let dry = [("InstanceId.1", id.as_str()), ("DryRun", "true")];
    assert_eq!(
        client.call("StopInstances", &dry).await.refusal(),
        (412, "DryRunOperation")
    );
    assert_eq!(cloud.fleet().instance(&id).unwrap().state, "running");
    let reply = client.call("StopInstances", &dry[..1]).await;
    assert_eq!(reply.all("name"), ["stopped", "running"]);
    assert_eq!(cloud.fleet().instance(&id).unwrap().state, "stopped");
}

#[tokio::test]
async fn unknown_actions_and_services_are_told_apart() {
    let cloud = cloud(still()).await;
    let reply = Client::admin(&cloud, "ec2").call("DescribeUnicorns", &[]).await;
    assert_eq!(reply.refusal(), (400, "InvalidAction"));
    let reply = Client::admin(&cloud, "s3").call("ListBuckets", &[]).await;
    assert_eq!(reply.status, 403);
    let reply = Client::admin(&cloud, "lbu")
        .call("DescribeLoadBalancers", &[("Version", "2015-12-01")])
        .await;
    assert_eq!(reply.refusal(), (400, "InvalidAction"));
    let elsewhere = Client {
        region: "us-east-2",
        ..Client::admin(&cloud, "ec2")
    };
    assert_eq!(
        elsewhere.call("DescribeInstances", &[]).await.refusal(),
        (401, "AuthFailure")
    );
}

#[tokio::test]
async fn regions_are_told_to_anyone_on_outscale_only() {
    let anyone = |cloud: &Cloud| {
        let request = Client::admin(cloud, "ec2").http.post(cloud.url());
        request.body("Action=DescribeRegions&Version=2016-09-15").send()
    };
    let outscale = cloud(still()).await;
    assert_eq!(anyone(&outscale).await.unwrap().status(), 200);
    let aws = cloud(still_aws()).await;
    assert_eq!(anyone(&aws).await.unwrap().status(), 401);
}

#[tokio::test(start_paused = true)]
async fn watcher_is_made_through_the_api_and_works_once_it_is_known_everywhere() {
    let cloud = cloud(Options {
        propagation_delay: Duration::from_secs(15),
        ..still()
    })
    .await;
    let eim = Client::admin(&cloud, "eim");
    let document = r#"{"Statement":[{"Effect":"Allow","Action":["ec2:Describe*"],"Resource":["*"]}]}"#;
    let group = eim.call("CreateGroup", &[("GroupName", "monitoring")]).await;
    assert_eq!(group.one("Arn"), "arn:aws:iam::123456789012:group/monitoring");
    let policy = [("PolicyName", "monitoring"), ("PolicyDocument", document)];
    let policy = eim.call("CreatePolicy", &policy).await;
    let attachment = [("GroupName", "monitoring"), ("PolicyArn", policy.one("Arn"))];
    assert_eq!(eim.call("AttachGroupPolicy", &attachment).await.status, 200);
    eim.call("CreateUser", &[("UserName", "watcher_1")]).await;
    let again = eim.call("CreateUser", &[("UserName", "watcher_1")]).await;
    assert_eq!(again.refusal(), (409, "EntityAlreadyExists"));
    let membership = [("GroupName", "monitoring"), ("UserName", "watcher_1")];
    eim.call("AddUserToGroup", &membership).await;
    let made = eim.call("CreateAccessKey", &[("UserName", "watcher_1")]).await;
    assert_eq!(
        made.one("UserName"),
        "orn:ows:idauth::123456789012:user/watcher_1"
    );
    let key = Key {
        access_key_id: made.one("AccessKeyId").to_owned(),
        secret_access_key: made.one("SecretAccessKey").into(),
    };
    let watcher = Client::new(&cloud, key, "fcu");
    let early = watcher.call("DescribeInstances", &[]).await;
    assert_eq!(early.refusal(), (401, "AuthFailure"));
    tokio::time::advance(Duration::from_secs(15)).await;
    assert_eq!(watcher.call("DescribeInstances", &[]).await.status, 200);
    let id = &ids(&cloud)[0];
    let denied = watcher.call("StopInstances", &[("InstanceId.1", id)]).await;
    assert_eq!(denied.refusal(), (403, "UnauthorizedOperation"));
}

#[tokio::test]
async fn policy_without_version_is_malformed_on_aws() {
    let cloud = cloud(still_aws()).await;
    let document = r#"{"Statement":[{"Effect":"Allow","Action":["ec2:Describe*"],"Resource":["*"]}]}"#;
    let parameters = [("PolicyName", "monitoring"), ("PolicyDocument", document)];
    let client = Client {
        region: "us-east-1",
        ..Client::admin(&cloud, "iam")
    };
    let reply = client.call("CreatePolicy", &parameters).await;
    assert_eq!(reply.refusal(), (400, "MalformedPolicyDocument"));
}

#[tokio::test]
async fn throttling_speaks_the_language_of_each_service() {
    let cloud = cloud(still()).await;
    let throttle = Fault::Throttle { retry_after: Some(3) };
    cloud.inject("DescribeInstances", throttle.clone(), Some(1));
    cloud.inject("DescribeLoadBalancers", throttle, Some(1));
    let ec2 = Client::admin(&cloud, "ec2");
    let reply = ec2.call("DescribeInstances", &[]).await;
    assert_eq!(reply.refusal(), (503, "RequestLimitExceeded"));
    assert_eq!(reply.headers[RETRY_AFTER], "3");
    assert_eq!(ec2.call("DescribeInstances", &[]).await.status, 200);
    let reply = Client::admin(&cloud, "lbu")
        .call("DescribeLoadBalancers", &[])
        .await;
    assert_eq!(reply.refusal(), (400, "Throttling"));
    let codes: Vec<Option<String>> = cloud
        .requests()
        .into_iter()
        .map(|request| request.error_code)
        .collect();
    assert_eq!(
        codes,
        [
            Some("RequestLimitExceeded".to_owned()),
            None,
            Some("Throttling".to_owned())
        ]
    );
}

#[tokio::test]
async fn wrong_answers_are_wrong_in_their_own_way() {
    let cloud = cloud(still()).await;
    let ec2 = Client::admin(&cloud, "ec2");
    let mut bodies = Vec::new();
    for (fault, status) in [
        (Fault::Status(503), 503),
        (Fault::Empty(500), 500),
        (Fault::Empty(200), 200),
        (Fault::Html200, 200),
        (Fault::Json200, 200),
        (Fault::Truncated, 200),
        (Fault::WrongRoot, 200),
        (Fault::DeepNesting(10_000), 200),
        (Fault::Enormous(1_000_000), 200),
    ] {
        cloud.inject("*", fault, Some(1));
        let reply = ec2.call("DescribeInstances", &[]).await;
        assert_eq!(reply.status, status);
        bodies.push(reply.body);
    }
    assert!(bodies[0].starts_with("<!DOCTYPE html>"));
    assert!(bodies[1].is_empty());
    assert!(bodies[5].starts_with("<?xml") && !bodies[5].contains("</DescribeInstancesResponse>"));
    assert!(bodies[6].contains("<DescribeSomethingElseResponse"));
    assert!(bodies[7].contains(&"<item>".repeat(10_000)));
    assert!(bodies[8].len() >= 1_000_000);
    cloud.inject("*", Fault::Html200, None);
    cloud.clear_faults();
    assert_eq!(
        ec2.call("DescribeInstances", &[]).await.all("instanceId").len(),
        24
    );
}

#[tokio::test]
async fn moto_envelope_is_of_neither_dialect() {
    let cloud = cloud(still()).await;
    let fault = Fault::MotoEnvelope {
        status: 403,
        code: "AccessDenied".to_owned(),
        message: "no".to_owned(),
    };
    cloud.inject("DescribeInstances", fault, None);
    let reply = Client::admin(&cloud, "ec2").call("DescribeInstances", &[]).await;
    assert_eq!(reply.refusal(), (403, "AccessDenied"));
    assert!(reply.body.contains("<ErrorResponse><Errors><Error>"));
}

#[tokio::test]
async fn connection_is_cut_in_the_middle_of_the_body() {
    let cloud = cloud(still()).await;
    cloud.inject("DescribeInstances", Fault::CutAfter(100), Some(1));
    let ec2 = Client::admin(&cloud, "ec2");
    let mut response = ec2.send("DescribeInstances", &[]).await.unwrap();
    assert!(response.content_length().unwrap() > 1000);
    assert_eq!(response.chunk().await.unwrap().unwrap().len(), 100);
    assert!(response.chunk().await.is_err());
}

#[tokio::test(start_paused = true)]
async fn late_answer_comes_and_hanging_one_never_does() {
    let cloud = cloud(still()).await;
    let ec2 = Client::admin(&cloud, "ec2");
    cloud.inject("*", Fault::Delay(Duration::from_secs(7)), Some(1));
    let begun = Instant::now();
    assert_eq!(ec2.call("DescribeRegions", &[]).await.status, 200);
    assert!(begun.elapsed() >= Duration::from_secs(7));
    cloud.inject("*", Fault::Hang, Some(1));
    assert!(ec2.send("DescribeRegions", &[]).await.unwrap_err().is_timeout());
}

/// In real time: a paused clock runs ahead of bytes on their way between two drips.
#[tokio::test]
async fn dripping_answer_is_the_right_one() {
    let cloud = cloud(still()).await;
    let ec2 = Client::admin(&cloud, "ec2");
    cloud.inject("*", Fault::DripBytes(Duration::from_millis(1)), Some(1));
    let begun = Instant::now();
    let reply = ec2.call("DescribeRegions", &[]).await;
    assert_eq!(reply.one("regionName"), "eu-west-2");
    assert!(begun.elapsed() >= Duration::from_millis(1) * u32::try_from(reply.body.len()).unwrap());
}

#[tokio::test]
async fn listings_can_be_made_to_mislead() {
    let cloud = cloud(still()).await;
    let ec2 = Client::admin(&cloud, "ec2");
    let size = ("MaxResults", "20");
    cloud.inject("DescribeInstances", Fault::RepeatToken, None);
    let first = ec2.call("DescribeInstances", &[size]).await;
    let token = first.one("nextToken");
    let second = ec2.call("DescribeInstances", &[size, ("NextToken", token)]).await;
    assert_eq!(second.one("nextToken"), token);
    cloud.clear_faults();
    cloud.inject("DescribeInstances", Fault::EmptyToken, None);
    assert!(
        ec2.call("DescribeInstances", &[])
            .await
            .body
            .contains("<nextToken/>")
    );
    cloud.clear_faults();
    cloud.inject("DescribeInstances", Fault::DuplicateItems, None);
    assert_eq!(
        ec2.call("DescribeInstances", &[]).await.all("instanceId").len(),
        48
    );
    cloud.clear_faults();
    cloud.inject(
        "DescribeInstances",
        Fault::OnPage(2, Box::new(Fault::Status(502))),
        None,
    );
    assert_eq!(ec2.call("DescribeInstances", &[size]).await.status, 200);
    let second = ec2.call("DescribeInstances", &[size, ("NextToken", token)]).await;
    assert_eq!(second.status, 502);
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

#[tokio::test]
async fn cloud_stays_on_loopback_and_ends_when_told() {
    let listener = TcpListener::bind("0.0.0.0:0").await.unwrap();
    let refused = Cloud::start(Options::default(), listener).await.unwrap_err();
    assert!(refused.to_string().contains("loopback"));
    let cloud = cloud(still()).await;
    let client = Client::admin(&cloud, "ec2");
    cloud.inject("*", Fault::Hang, Some(1));
    let (hanging, ()) = tokio::join!(client.send("DescribeRegions", &[]), async {
        tokio::time::sleep(Duration::from_millis(200)).await;
        cloud.shut_down().await;
    });
    assert_eq!(hanging.unwrap().status(), 503);
    assert!(
        client
            .send("DescribeRegions", &[])
            .await
            .unwrap_err()
            .is_connect()
    );
}
