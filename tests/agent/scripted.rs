//! A cloud whose every answer the test writes, and which counts refusals in a row.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, MutexGuard};
use std::time::Duration;

use axum::Router;
use axum::body::Body;
use axum::extract::State;
use axum::http::{HeaderMap, Response};
use jiff::civil::DateTime;
use jiff::tz::TimeZone;
use jiff::{SignedDuration, Timestamp};
use tokio::net::TcpListener;
use tokio::task::JoinSet;
use tokio::time::Instant;
use vigie::provider::Provider;

use crate::bench::{Account, unknown_key};

/// A running cloud; it ends with the value.
pub(crate) struct Scripted {
    url: String,
    state: Arc<Mutex<Told>>,
    _server: JoinSet<()>,
}

/// A request as it came.
#[derive(Clone)]
pub(crate) struct Asked {
    pub(crate) action: String,
    /// The access key id that it was signed with.
    pub(crate) key: String,
    pub(crate) parameters: BTreeMap<String, String>,
    /// The clock that signed it minus the cloud's.
    pub(crate) ahead: SignedDuration,
}

/// What a request is answered, and what the cloud made of its key.
pub(crate) struct Answer {
    status: u16,
    body: String,
    after: Duration,
    accepted: Option<bool>,
    /// Another clock than the cloud's.
    clock: Option<SignedDuration>,
}

type Script = dyn FnMut(&Asked) -> Answer + Send;

struct Told {
    script: Box<Script>,
    /// Its clock minus this machine's.
    clock: SignedDuration,
    asked: Vec<String>,
    refusals: usize,
    row: usize,
    longest_row: usize,
    last_refusal: Option<Instant>,
}

impl Scripted {
    pub(crate) async fn start(script: impl FnMut(&Asked) -> Answer + Send + 'static) -> Self {
        let state = Arc::new(Mutex::new(Told {
            script: Box::new(script),
            clock: SignedDuration::ZERO,
            asked: Vec::new(),
            refusals: 0,
            row: 0,
            longest_row: 0,
            last_refusal: None,
        }));
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let url = format!("http://{}", listener.local_addr().unwrap());
        let routes = Router::new().fallback(answer).with_state(Arc::clone(&state));
        let mut server = JoinSet::new();
        server.spawn(async move { axum::serve(listener, routes).await.unwrap() });
        Self {
            url,
            state,
            _server: server,
        }
    }

    /// Goes on with another script.
    pub(crate) fn goes_on(&self, script: impl FnMut(&Asked) -> Answer + Send + 'static) {
        self.state().script = Box::new(script);
    }

    /// Its clock differs from this machine's by so many seconds from now on.
    pub(crate) fn sets_its_clock(&self, seconds: i64) {
        self.state().clock = SignedDuration::from_secs(seconds);
    }

    /// The actions asked for so far.
    pub(crate) fn asked(&self) -> Vec<String> {
        self.state().asked.clone()
    }

    /// Keys refused so far.
    pub(crate) fn refusals(&self) -> usize {
        self.state().refusals
    }

    /// The most refusals that came one behind the other, counted when the request came and not when
    /// its answer left; OUTSCALE locks the account at the fourth.
    pub(crate) fn longest_row(&self) -> usize {
        self.state().longest_row
    }

    /// An account of OUTSCALE that lives here.
    pub(crate) fn account(&self) -> Account {
        Account {
            name: "prod",
            provider: Provider::Outscale,
            regions: &["eu-west-2"],
            url: self.url.clone(),
            elb_url: None,
            key: unknown_key(),
            every_kind: false,
            lines: "requests_per_second = 100",
            key_file: None,
            session_token: None,
        }
    }

    /// One of AWS, where no refusal locks anything.
    pub(crate) fn account_of_aws(&self) -> Account {
        Account {
            provider: Provider::Aws,
            ..self.account()
        }
    }

    fn state(&self) -> MutexGuard<'_, Told> {
        self.state.lock().unwrap()
    }
}

impl Told {
    fn judges(&mut self, accepted: bool) {
        let now = Instant::now();
        let forgotten = self
            .last_refusal
            .is_some_and(|last| now - last >= FORGOTTEN_AFTER);
        if accepted || forgotten {
            self.row = 0;
        }
        if !accepted {
            self.refusals += 1;
            self.row += 1;
            self.longest_row = self.longest_row.max(self.row);
            self.last_refusal = Some(now);
        }
    }
}

impl Answer {
    /// To a key that the cloud knows.
    pub(crate) fn of(status: u16, body: impl Into<String>) -> Self {
        Self {
            status,
            body: body.into(),
            after: Duration::ZERO,
            accepted: Some(true),
            clock: None,
        }
    }

    /// The key is refused.
    pub(crate) fn refusal() -> Self {
        Self::refusal_as(401, "AuthFailure")
    }

    /// The same by another code.
    pub(crate) fn refusal_as(status: u16, code: &str) -> Self {
        let body = format!(
            "<Response><Errors><Error><Code>{code}</Code><Message>no</Message></Error></Errors>\
             <RequestID>r</RequestID></Response>"
        );
        Self {
            accepted: Some(false),
            ..Self::of(status, body)
        }
    }

    /// Something between the agent and the cloud answers; the cloud hears nothing.
    pub(crate) fn from_between(status: u16, body: &str) -> Self {
        Self {
            accepted: None,
            ..Self::of(status, body)
        }
    }

    /// One instance without a name, and no load balancer.
    pub(crate) fn one_instance(asked: &Asked) -> Self {
        match asked.action.as_str() {
            "DescribeInstances" => Self::instances("i-1", ""),
            "DescribeLoadBalancers" => Self::load_balancers("", ""),
            action => panic!("{action} is not to be asked for"),
        }
    }

    /// A page with one running instance, and what stands behind the set.
    pub(crate) fn instances(id: &str, rest: &str) -> Self {
        Self::of(
            200,
            format!(
                "<DescribeInstancesResponse><reservationSet><item><instancesSet><item><instanceId>{id}</instanceId>\
                 <instanceState><name>running</name></instanceState></item></instancesSet></item></reservationSet>\
                 {rest}</DescribeInstancesResponse>"
            ),
        )
    }

    /// A page with one load balancer in front of an instance, unless its name is empty, and what
    /// stands behind the list.
    pub(crate) fn load_balancers(name: &str, rest: &str) -> Self {
        let member = format!(
            "<member><LoadBalancerName>{name}</LoadBalancerName><Instances><member><InstanceId>i-1</InstanceId>\
             </member></Instances></member>"
        );
        let members = if name.is_empty() { "" } else { &member };
        Self::of(
            200,
            format!(
                "<DescribeLoadBalancersResponse><DescribeLoadBalancersResult><LoadBalancerDescriptions>{members}\
                 </LoadBalancerDescriptions>{rest}</DescribeLoadBalancersResult></DescribeLoadBalancersResponse>"
            ),
        )
    }

    /// The health of a load balancer's backends.
    pub(crate) fn health(result: &str) -> Self {
        Self::of(
            200,
            format!(
                "<DescribeInstanceHealthResponse><DescribeInstanceHealthResult>{result}\
                 </DescribeInstanceHealthResult></DescribeInstanceHealthResponse>"
            ),
        )
    }

    /// The same, dated by a clock that is so far ahead of this machine's.
    pub(crate) fn dated(self, ahead: SignedDuration) -> Self {
        Self {
            clock: Some(ahead),
            ..self
        }
    }

    /// The same, so long after the request.
    pub(crate) fn after(self, after: Duration) -> Self {
        Self { after, ..self }
    }
}

async fn answer(State(state): State<Arc<Mutex<Told>>>, headers: HeaderMap, form: String) -> Response<Body> {
    let signed = headers["x-amz-date"].to_str().unwrap();
    let signed = DateTime::strptime("%Y%m%dT%H%M%SZ", signed).unwrap();
    let signed = signed.to_zoned(TimeZone::UTC).unwrap().timestamp();
    let key = headers["authorization"].to_str().unwrap();
    let key = key
        .split_once("Credential=")
        .unwrap()
        .1
        .split('/')
        .next()
        .unwrap();
    let mut parameters: BTreeMap<_, _> = form_urlencoded::parse(form.as_bytes()).into_owned().collect();
    let action = parameters.remove("Action").unwrap();
    let (answer, date) = {
        let mut told = state.lock().unwrap();
        told.asked.push(action.clone());
        let ahead = signed.duration_since(Timestamp::now() + told.clock);
        let asked = Asked {
            action,
            key: key.to_owned(),
            parameters,
            ahead,
        };
        let answer = (told.script)(&asked);
        if let Some(accepted) = answer.accepted {
            told.judges(accepted);
        }
        let clock = answer.clock.unwrap_or(told.clock);
        (answer, Timestamp::now() + clock)
    };
    tokio::time::sleep(answer.after).await;
    Response::builder()
        .status(answer.status)
        .header("date", date.strftime("%a, %d %b %Y %H:%M:%S GMT").to_string())
        .body(Body::from(answer.body))
        .unwrap()
}

/// OUTSCALE's longest lock.
const FORGOTTEN_AFTER: Duration = Duration::from_secs(600);
