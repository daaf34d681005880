//! HTTP in, HTTP out: authenticate, authorise, answer, spoil, record; in that order.

use std::collections::VecDeque;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use axum::Router;
use axum::body::{Body, Bytes};
use axum::extract::State;
use axum::http::header::{AUTHORIZATION, DATE};
use axum::http::request::Parts;
use axum::http::{HeaderName, HeaderValue, Method, Response};
use jiff::Timestamp;
use tokio::net::TcpListener;
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;

use super::account::Principal;
use super::authentication::{self, Arrival, Claim};
use super::call::{self, Call};
use super::faults::{self, Answer, Fault, Faults};
use super::fleet::Fleet;
use super::identity::Identity;
use super::lockout::Lockout;
use super::paging::Cursor;
use super::policy::Decision;
use super::region::Region;
use super::wire::{self, Parameters, Refusal, Service};
use super::{Key, Options, Request};
use crate::provider::Provider;

/// All the cloud knows.
#[derive(Debug)]
pub(super) struct Shared {
    pub(super) options: Options,
    pub(super) lockout: Mutex<Lockout>,
    identity: Mutex<Identity>,
    fleets: Vec<(String, Fleet)>,
    faults: Mutex<Faults>,
    requests: Mutex<VecDeque<Request>>,
    ids: Mutex<fastrand::Rng>,
    stop: CancellationToken,
}

impl Shared {
    pub(super) fn new(options: Options, admin: &Key, stop: CancellationToken) -> Self {
        let fleets = options
            .regions
            .iter()
            .map(|name| (name.clone(), Fleet::new(Region::new(name, &options))))
            .collect();
        Self {
            lockout: Mutex::default(),
            identity: Mutex::new(Identity::new(&options, admin)),
            fleets,
            faults: Mutex::default(),
            requests: Mutex::default(),
            ids: Mutex::new(fastrand::Rng::with_seed(options.seed)),
            stop,
            options,
        }
    }

    pub(super) fn identity(&self) -> MutexGuard<'_, Identity> {
        lock(&self.identity)
    }

    pub(super) fn faults(&self) -> MutexGuard<'_, Faults> {
        lock(&self.faults)
    }

    pub(super) fn requests(&self) -> MutexGuard<'_, VecDeque<Request>> {
        lock(&self.requests)
    }

    fn record(&self, request: Request) {
        let mut requests = self.requests();
        if requests.len() == MAX_RECORDS {
            requests.pop_front();
        }
        requests.push_back(request);
    }

    pub(super) fn fleets(&self) -> impl Iterator<Item = &Fleet> {
        self.fleets.iter().map(|(_, fleet)| fleet)
    }

    pub(super) fn first_fleet(&self) -> &Fleet {
        &self.fleets[0].1
    }

    pub(super) fn fleet_of(&self, region: &str) -> Option<&Fleet> {
        let found = self.fleets.iter().find(|(name, _)| name == region);
        found.map(|(_, fleet)| fleet)
    }

    fn request_id(&self) -> String {
        let mut rng = lock(&self.ids);
        let (high, low) = (rng.u64(..), rng.u64(..));
        format!(
            "{:08x}-{:04x}-4{:03x}-8{:03x}-{:012x}",
            high >> 32,
            (high >> 16) & 0xffff,
            high & 0xfff,
            low >> 52,
            low & 0xffff_ffff_ffff
        )
    }

    /// Who sent a request, or the refusal of whoever it was.
    fn authenticate(
        &self,
        arrival: &Arrival<'_>,
        claim: &Claim<'_>,
        service: Service,
        now: Timestamp,
    ) -> Result<Principal, Refusal> {
        let instant = Instant::now();
        let mut lockout = lock(&self.lockout);
        if self.options.lock_out && lockout.is_locked(instant) {
            return Err(authentication::locked());
        }
        let mut identity = self.identity();
        let verified = match identity.usable_key(claim.access_key_id, instant) {
            None => Err(authentication::unknown_key(service)),
            Some(key) => {
                let provider = self.options.provider;
                authentication::verify(arrival, claim, &key.secret, service, provider, now).map(|()| {
                    key.last_used = Some((now, service.prefix(), claim.scope.region.to_owned()));
                    key.owner.clone()
                })
            }
        };
        match &verified {
            Ok(_) => lockout.succeeded(),
            Err(_) => lockout.failed(instant),
        }
        verified
    }

    fn authorise(&self, principal: &Principal, service: Service, action: &str) -> Result<(), Refusal> {
        let name = format!("{}:{action}", service.prefix());
        if name == "sts:GetCallerIdentity" {
            return Ok(());
        }
        let identity = self.identity();
        let because = match identity.decide(principal, &name, Instant::now()) {
            Decision::Allowed => return Ok(()),
            Decision::ExplicitDeny => "with an explicit deny in an identity-based policy",
            Decision::ImplicitDeny => "because no identity-based policy allows the action",
        };
        let who = identity.arn_of(principal);
        let message = format!("User: {who} is not authorized to perform: {name} {because}");
        Err(if service == Service::Ec2 {
            let message = format!("You are not authorized to perform this operation. {message}");
            Refusal::new(403, "UnauthorizedOperation", message)
        } else {
            Refusal::new(403, "AccessDenied", message)
        })
    }

    /// The fleet a request is about. Identities are of no region, so any that is signed will do for them on AWS.
    fn fleet_for(&self, service: Service, region: &str) -> Result<&Fleet, Refusal> {
        let is_global =
            matches!(service, Service::Iam | Service::Sts) && self.options.provider == Provider::Aws;
        if let Some(fleet) = self.fleet_of(region) {
            return Ok(fleet);
        }
        if is_global {
            return Ok(self.first_fleet());
        }
        Err(authentication::unknown_key(service))
    }
}

/// Serves until told to stop.
pub(super) async fn serve(shared: Arc<Shared>, listener: TcpListener, stop: CancellationToken) {
    let router = Router::new().fallback(handle).with_state(shared);
    let served = axum::serve(listener, router)
        .with_graceful_shutdown(stop.cancelled_owned())
        .await;
    if let Err(error) = served {
        tracing::warn!(%error, "the demo cloud stopped serving");
    }
}

async fn handle(State(shared): State<Arc<Shared>>, request: axum::extract::Request) -> Response<Body> {
    let (parts, body) = request.into_parts();
    let Ok(body) = axum::body::to_bytes(body, MAX_REQUEST).await else {
        return faults::respond(413, faults::XML, Body::empty());
    };
    if parts.method != Method::POST && parts.method != Method::GET {
        return faults::respond(405, faults::XML, Body::empty());
    }
    let now = Timestamp::now() + shared.options.clock_offset;
    let request_id = shared.request_id();
    let mut response = respond(&shared, &parts, &body, &request_id, now).await;
    let date = now.strftime("%a, %d %b %Y %H:%M:%S GMT").to_string();
    let headers = [
        (DATE, date),
        (HeaderName::from_static("x-amzn-requestid"), request_id),
    ];
    for (name, value) in headers {
        if let Ok(value) = HeaderValue::try_from(value) {
            response.headers_mut().insert(name, value);
        }
    }
    response
}

async fn respond(
    shared: &Shared,
    parts: &Parts,
    body: &Bytes,
    request_id: &str,
    now: Timestamp,
) -> Response<Body> {
    let provider = shared.options.provider;
    let parameters = Parameters::parse(parts.uri.query().unwrap_or_default(), body);
    let authorization = parts.headers.get(AUTHORIZATION);
    let authorization = authorization.map(|value| value.to_str().unwrap_or_default());
    let claim = authorization.and_then(Claim::parse);
    let received = Received {
        arrival: Arrival {
            method: parts.method.as_str(),
            path: parts.uri.path(),
            query: parts.uri.query().unwrap_or_default(),
            headers: &parts.headers,
            body,
        },
        is_signed: authorization.is_some(),
        claim,
        service: claim
            .and_then(|claim| Service::named(claim.scope.service, provider))
            .unwrap_or_else(|| Service::of_version(parameters.value("Version")))
            .in_version(parameters.value("Version"), provider),
        action: parameters.value("Action").unwrap_or_default(),
        parameters: &parameters,
        request_id,
        now,
    };
    let due = shared.faults().arrive();
    let mut fault = None;
    let outcome = received.outcome(shared, &mut fault);
    let fault = fault.or(due);
    let (status, body) = match &outcome {
        Ok(body) => (200, body.clone()),
        Err(refusal) if matches!(fault, Some(Fault::MotoEnvelope { .. })) => {
            (refusal.status, refusal.moto_envelope(request_id))
        }
        Err(refusal) => {
            let envelope = refusal.envelope(received.service, provider, request_id);
            (refusal.status, envelope)
        }
    };
    let answer = Answer {
        status,
        body,
        action: received.action.to_owned(),
    };
    let status = fault.as_ref().and_then(Fault::status).unwrap_or(status);
    let scope = claim.map(|claim| claim.scope);
    let record = Request {
        at: Instant::now(),
        time: Timestamp::now(),
        service: scope.map_or_else(String::new, |scope| scope.service.to_owned()),
        region: scope.map_or_else(String::new, |scope| scope.region.to_owned()),
        access_key_id: claim.map_or_else(String::new, |claim| claim.access_key_id.to_owned()),
        action: answer.action.clone(),
        status,
        error_code: outcome.err().map(|refusal| refusal.code.into_owned()),
        parameters: parameters.into_map(),
    };
    // Before the answer is spoilt: a client may not wait for the end of that.
    shared.record(record);
    match fault {
        Some(fault) => fault.spoil(answer, &shared.stop).await,
        None => faults::respond(answer.status, faults::XML, Body::from(answer.body)),
    }
}

/// A request, taken apart.
struct Received<'a> {
    arrival: Arrival<'a>,
    is_signed: bool,
    claim: Option<Claim<'a>>,
    service: Service,
    action: &'a str,
    parameters: &'a Parameters,
    request_id: &'a str,
    now: Timestamp,
}

impl Received<'_> {
    /// The body of the answer, or why there is none; and the fault met on the way.
    fn outcome(&self, shared: &Shared, fault: &mut Option<Fault>) -> Result<String, Refusal> {
        let provider = shared.options.provider;
        let (principal, region) = self.sender(shared)?;
        let action = self.known_action()?;
        shared.authorise(&principal, self.service, action.name)?;
        let fleet = shared.fleet_for(self.service, region)?;
        let names = ["NextToken", "Marker"];
        let token = names.into_iter().find_map(|name| self.parameters.value(name));
        let page = token.and_then(Cursor::parse).map_or(1, |cursor| cursor.page);
        *fault = shared.faults().take(region, action.name, page);
        if let Some(refusal) = fault
            .as_ref()
            .and_then(|fault| fault.refusal(self.service, provider))
        {
            return Err(refusal);
        }
        let call = Call {
            options: &shared.options,
            fleet,
            identity: &shared.identity,
            principal: &principal,
            parameters: self.parameters,
            twist: fault.as_ref().and_then(Fault::twist),
            now: self.now,
        };
        wire::answer(
            self.service,
            provider,
            action.name,
            self.request_id,
            action.has_result,
            |xml| (action.handler)(&call, xml),
        )
    }

    /// Who sent it, and the region it is for.
    fn sender<'a>(&'a self, shared: &'a Shared) -> Result<(Principal, &'a str), Refusal> {
        let provider = shared.options.provider;
        if let Some(claim) = &self.claim {
            let principal = shared.authenticate(&self.arrival, claim, self.service, self.now)?;
            if Service::named(claim.scope.service, provider).is_none() {
                return Err(Refusal::new(
                    403,
                    "SignatureDoesNotMatch",
                    "Credential should be scoped to correct service.",
                ));
            }
            return Ok((principal, claim.scope.region));
        }
        if !self.is_signed && provider == Provider::Outscale && self.action == "DescribeRegions" {
            // The one action here that OUTSCALE answers to anyone.
            return Ok((Principal::Root, &shared.options.regions[0]));
        }
        Err(match (self.service, self.is_signed) {
            (Service::Ec2, _) => authentication::unknown_key(Service::Ec2),
            (_, true) => Refusal::new(
                400,
                "IncompleteSignature",
                "Authorization header requires 'Credential', 'SignedHeaders' and 'Signature' parameters.",
            ),
            (_, false) => Refusal::new(
                403,
                "MissingAuthenticationToken",
                "Request is missing Authentication Token",
            ),
        })
    }

    fn known_action(&self) -> Result<&'static call::Action, Refusal> {
        let version = self.parameters.value("Version").unwrap_or_default();
        let is_v2 = self.service == Service::Elb && version == wire::ELB_V2;
        call::find(self.service, self.action)
            .filter(|_| !is_v2)
            .ok_or_else(|| {
                let message = format!("Could not find operation {} for version {version}", self.action);
                Refusal::new(400, "InvalidAction", message)
            })
    }
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

const MAX_REQUEST: usize = 1024 * 1024;
const MAX_RECORDS: usize = 10_000;
