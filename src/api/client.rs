//! One client for each account and region: attempts, pages, and what the cloud thinks of the key.

use std::collections::HashSet;
use std::sync::atomic::Ordering;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use jiff::{SignedDuration, Timestamp};
use tokio::sync::Semaphore;
use tokio::time::Instant;
use tracing::{debug, info, warn};

use super::breaker::Pass;
use super::budget::Budget;
use super::{Account, Action, Cause, Endpoint, Error, Reason, Service, error, retry, transport, xml};
use crate::credentials::Current;
use crate::provider::Provider;

/// Speaks for one account in one region. Cloned cheaply; clones share the budget.
#[derive(Debug, Clone)]
pub struct Client {
    region: Arc<Region>,
    deadline: Instant,
}

#[derive(Debug)]
struct Region {
    account: Arc<Account>,
    name: String,
    endpoints: [Endpoint; 2],
    budget: Budget,
    /// This region's share of [`Account::under_way`]: one that hangs leaves the others theirs.
    share: Semaphore,
    /// The paging parameters that this cloud refused.
    refused_parameters: Mutex<HashSet<&'static str>>,
}

impl Client {
    /// A client that has no deadline yet: calls made through it fail until [`Client::until`] gives one.
    pub fn new(
        account: Arc<Account>,
        name: String,
        endpoints: [Endpoint; 2],
        requests_per_second: f64,
    ) -> Self {
        account.metrics.region(&account.name, &name, requests_per_second);
        let share = account.share;
        Self {
            deadline: Instant::now(),
            region: Arc::new(Region {
                account,
                name,
                endpoints,
                budget: Budget::new(requests_per_second),
                share: Semaphore::new(share),
                refused_parameters: Mutex::default(),
            }),
        }
    }

    /// The same client with a deadline: whatever it is asked, waiting included, ends by then.
    #[must_use]
    pub fn until(&self, deadline: Instant) -> Self {
        Self {
            region: Arc::clone(&self.region),
            deadline,
        }
    }

    /// The account spoken for.
    pub fn account(&self) -> &Arc<Account> {
        &self.region.account
    }

    /// The region spoken to.
    pub fn region(&self) -> &str {
        &self.region.name
    }

    /// Makes the series of an action, so that its counters start from 0.
    pub fn expect(&self, action: &Action) {
        self.region
            .account
            .metrics
            .action(&self.region.account.name, &self.region.name, action);
    }

    /// Calls an action and reads its answer. The reader stands in the result: the root of an EC2 answer, the
    /// `…Result` element of the others.
    pub async fn ask<T>(
        &self,
        action: &'static Action,
        parameters: &[(&str, &str)],
        read: impl FnOnce(&mut xml::Reader<'_>) -> Result<T, xml::Error>,
    ) -> Result<T, Error> {
        let answer = self.call(action, parameters).await?;
        self.read(action, &answer, read)
    }

    /// Lists every page of an action. `read` takes one page and gives the cursor of the next.
    ///
    /// A failing page fails the listing: what was read before is not the whole.
    pub async fn list(
        &self,
        action: &'static Action,
        parameters: &[(&str, &str)],
        mut read: impl FnMut(&mut xml::Reader<'_>) -> Result<Option<String>, xml::Error>,
    ) -> Result<(), Error> {
        let mut cursors: HashSet<String> = HashSet::new();
        let mut cursor: Option<String> = None;
        for page in 1.. {
            let answer = self.page(action, parameters, cursor.as_deref()).await?;
            let next = self.read(action, &answer, &mut read)?;
            // Both clouds may send an empty cursor behind the last page.
            let Some(next) = next.filter(|next| !next.is_empty() && action.paging.is_some()) else {
                break;
            };
            if page >= PAGES_LIMIT || !cursors.insert(next.clone()) {
                return Err(failed(action, 1, Cause::Endless { page }));
            }
            cursor = Some(next);
        }
        Ok(())
    }

    /// Asks for one page. Whether OUTSCALE takes a page's size on every call is unproven: if it refuses the
    /// parameter, the page is asked for without it, now and from now on.
    async fn page(
        &self,
        action: &'static Action,
        parameters: &[(&str, &str)],
        cursor: Option<&str>,
    ) -> Result<String, Error> {
        let Some(paging) = &action.paging else {
            return self.call(action, parameters).await;
        };
        let size = paging.size.to_string();
        let mut parameters = parameters.to_vec();
        if let Some(cursor) = cursor {
            parameters.push((paging.cursor_parameter, cursor));
        }
        if self.refused_parameters().contains(action.name) {
            return self.call(action, &parameters).await;
        }
        let unsized_parameters = parameters.clone();
        parameters.push((paging.size_parameter, &size));
        match self.call(action, &parameters).await {
            Err(Error {
                cause: Cause::Answer(answer),
                ..
            }) if self.region.account.provider == Provider::Outscale
                && cursor.is_none()
                && answer.refuses_a_parameter() =>
            {
                let answered = self.call(action, &unsized_parameters).await?;
                info!(
                    account = self.region.account.name,
                    region = self.region.name,
                    action = action.name,
                    parameter = paging.size_parameter,
                    "the cloud refuses the parameter; going on without it"
                );
                self.refused_parameters().insert(action.name);
                Ok(answered)
            }
            other => other,
        }
    }

    fn refused_parameters(&self) -> MutexGuard<'_, HashSet<&'static str>> {
        self.region
            .refused_parameters
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
    }

    fn read<T>(
        &self,
        action: &'static Action,
        answer: &str,
        read: impl FnOnce(&mut xml::Reader<'_>) -> Result<T, xml::Error>,
    ) -> Result<T, Error> {
        let root = format!("{}Response", action.name);
        let result = match action.service {
            Service::Ec2 => None,
            Service::Elb => Some(format!("{}Result", action.name)),
        };
        xml::Reader::open(answer, &root)
            .and_then(|reader| reader.whole(result.as_deref(), read))
            .map_err(|error| {
                let detail = match error {
                    xml::Error::Root { .. } | xml::Error::Broken { .. } => {
                        format!("{error}; it begins with {}", error::sketch(answer.as_bytes()))
                    }
                    xml::Error::Deep | xml::Error::NoResult { .. } => error.to_string(),
                };
                let host = self.endpoint(action).host();
                failed(
                    action,
                    1,
                    Cause::Malformed {
                        host,
                        expected: root,
                        detail,
                    },
                )
            })
    }

    /// Calls an action, again where that may help, and gives the body of its answer.
    async fn call(&self, action: &'static Action, parameters: &[(&str, &str)]) -> Result<String, Error> {
        let body = self.form(action, parameters);
        let mut attempts = 0;
        let mut corrected = false;
        loop {
            let key = self
                .region
                .account
                .key()
                .map_err(|error| failed(action, attempts, error.into()))?;
            let outcome = self
                .attempt(action, &key, &body, &mut attempts, &mut corrected)
                .await;
            let cause = match outcome {
                Ok(answer) => return Ok(answer),
                Err(Tried::Again(_)) if attempts < ATTEMPTS_WITH_A_REMEDY => continue,
                Err(Tried::Again(cause) | Tried::Failed(cause)) => cause,
            };
            let name = &self.region.account.name;
            match retry::backoff(&cause, attempts + 1, fastrand::f64()) {
                Some(wait) if wait < self.remaining() => {
                    debug!(account = name, region = self.region.name, action = action.name,
                        attempts, wait_seconds = wait.as_secs_f64(), %cause, "trying again");
                    tokio::time::sleep(wait).await;
                }
                _ => {
                    let suffix = Some(key.credentials.suffix().to_owned());
                    return Err(Error {
                        key_suffix: suffix,
                        ..failed(action, attempts, cause)
                    });
                }
            }
        }
    }

    /// Sends one request, once key, place and budget allow it, and judges what came back.
    async fn attempt(
        &self,
        action: &'static Action,
        key: &Current,
        body: &str,
        attempts: &mut u32,
        corrected: &mut bool,
    ) -> Result<String, Tried> {
        let region = &*self.region;
        let account = &*region.account;
        let metrics = &account.metrics;
        let endpoint = self.endpoint(action);
        let waiting = async {
            let share = region.share.acquire().await.ok();
            let place = account.under_way.acquire().await.ok();
            let pass = account.breaker.pass(&region.name, key.generation).await;
            (pass, (share, place))
        };
        let (pass, _places) = tokio::time::timeout_at(self.deadline, waiting)
            .await
            .map_err(|_| Cause::NoTime {
                waited_for: "its turn with the key",
            })?;
        let pass = pass.map_err(Cause::from)?;
        let waited = region.budget.take(self.deadline).await;
        let waited = waited.ok_or(Cause::NoTime {
            waited_for: "the request budget",
        })?;
        metrics.waited(&account.name, &region.name, waited);
        // Another call may have been refused while this one waited.
        pass.holds().map_err(Cause::from)?;

        *attempts += 1;
        let sent = Instant::now();
        let applied = account.skew.load(Ordering::Relaxed);
        let at = Timestamp::now()
            .saturating_add(SignedDuration::from_secs(applied))
            .unwrap_or(Timestamp::MAX);
        let outcome = account
            .transport
            .send(endpoint, &key.credentials, body, at, self.remaining())
            .await;
        let measured = outcome.as_ref().ok().and_then(|reply| reply.skew);
        let outcome = outcome.and_then(transport::Reply::into_body);
        let label = outcome
            .as_ref()
            .map_or_else(|cause| cause.reason().name(), |_| "ok");
        metrics.request(&account.name, &region.name, action, label, sent.elapsed());
        if let Some(measured) = measured {
            metrics.skew(&account.name, &region.name, measured);
        }
        // By how much the clock that signed was off; another call may have corrected it since.
        let off = measured.filter(|skew| skew.as_secs().abs_diff(applied) > SKEW_TOLERATED_SECONDS);
        self.judge(&pass, key, outcome, off, corrected)
    }

    /// Tells the breaker what the cloud thinks of the key, and corrects a clock that was off, once a call.
    fn judge(
        &self,
        pass: &Pass<'_>,
        key: &Current,
        outcome: Result<String, Cause>,
        off: Option<SignedDuration>,
        corrected: &mut bool,
    ) -> Result<String, Tried> {
        let account = &*self.region.account;
        let cause = match outcome {
            Ok(body) => {
                self.accepted(pass);
                return Ok(body);
            }
            Err(cause) => cause,
        };
        let refused = match &cause {
            Cause::Answer(answer) if answer.reason() == Reason::Denied => {
                self.accepted(pass);
                false
            }
            Cause::Answer(answer) => matches!(answer.reason(), Reason::Auth | Reason::Clock),
            _ => false,
        };
        if !refused {
            return Err(Tried::Failed(cause));
        }
        if let Some(measured) = off.map(|skew| skew.as_secs())
            && !*corrected
        {
            *corrected = true;
            account.skew.store(measured, Ordering::Relaxed);
            warn!(
                account = account.name,
                region = self.region.name,
                skew_seconds = measured,
                "this machine's clock is off; signing with the cloud's time (set the clock, e.g. with NTP)"
            );
            return Err(Tried::Again(cause));
        }
        // A refusal that made us correct the clock was one too.
        let locked = pass.refused(if *corrected { 2 } else { 1 });
        // The file may hold a new key already: one look now, and the next call with it is not held back.
        match account.source.reread() {
            Ok(fresh) if fresh.generation != key.generation => return Err(Tried::Again(cause)),
            Ok(_) => {}
            Err(error) => warn!(account = account.name, "reading the key again: {error}"),
        }
        let until = Timestamp::now()
            .saturating_add(locked.remaining)
            .unwrap_or(Timestamp::MAX);
        account.metrics.locked_until(&account.name, Some(until));
        warn!(
            account = account.name, region = self.region.name, key = key.credentials.suffix(),
            refusals = locked.strikes, next_try_seconds = locked.remaining.as_secs(), %cause,
            "the cloud refuses the key; no call is made with it until the next try or until it changes"
        );
        Err(Tried::Failed(cause))
    }

    fn accepted(&self, pass: &Pass<'_>) {
        pass.accepted();
        self.region
            .account
            .metrics
            .locked_until(&self.region.account.name, None);
    }

    fn form(&self, action: &Action, parameters: &[(&str, &str)]) -> String {
        form_urlencoded::Serializer::new(String::new())
            .append_pair("Action", action.name)
            .append_pair("Version", self.endpoint(action).version)
            .extend_pairs(parameters)
            .finish()
    }

    fn endpoint(&self, action: &Action) -> &Endpoint {
        let [ec2, elb] = &self.region.endpoints;
        match action.service {
            Service::Ec2 => ec2,
            Service::Elb => elb,
        }
    }

    fn remaining(&self) -> Duration {
        self.deadline.saturating_duration_since(Instant::now())
    }
}

fn failed(action: &'static Action, attempts: u32, cause: Cause) -> Error {
    Error {
        action: action.name,
        key_suffix: None,
        attempts,
        cause,
    }
}

/// What came of an attempt that gave no answer.
enum Tried {
    /// The cause is out of the way: the clock was corrected, or there is a new key.
    Again(Cause),
    Failed(Cause),
}

impl From<Cause> for Tried {
    fn from(cause: Cause) -> Self {
        Self::Failed(cause)
    }
}

/// One with the wrong clock, one with the old key, one more that is right: a key file that changes all the time
/// gets no further.
const ATTEMPTS_WITH_A_REMEDY: u32 = 3;

/// Both clouds take five minutes; below four a refusal has another cause (aws-sdk-cpp draws the line there too).
const SKEW_TOLERATED_SECONDS: u64 = 4 * 60;

/// A million instances. What goes on after that is a fault of the other side.
const PAGES_LIMIT: u32 = 1000;
