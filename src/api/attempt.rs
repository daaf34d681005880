//! One call: its attempts, and what each of them tells about the key and the clock.

use std::sync::{MutexGuard, PoisonError};
use std::time::Duration;

use jiff::Timestamp;
use tokio::time::Instant;
use tracing::{debug, info, warn};

use super::breaker::{Again, FIRST_WAIT, Locked, Pass};
use super::client::{Client, Told, failed, form};
use super::transport::{Held, Unanswered};
use super::{Account, Action, Cause, Effect, Endpoint, Error, Reason, clock, retry};
use crate::credentials::Current;
use crate::repeated::Over;

impl Client {
    /// Calls an action, again where that may help, and gives the body of its answer, whose root is right.
    pub(super) async fn call(
        &self,
        action: &'static Action,
        parameters: &[(&str, &str)],
    ) -> Result<Arrived, Error> {
        let endpoint = self.endpoint(action).map_err(|cause| failed(action, 0, cause))?;
        let body = form(endpoint, action, parameters);
        let call = Call {
            endpoint,
            action,
            body: &body,
        };
        let account = &*self.region.account;
        let mut attempts = 0;
        loop {
            let key = account.key(self.deadline).await;
            let key = key.map_err(|cause| failed(action, attempts, cause))?;
            let cause = match self.attempt(call, &key, &mut attempts).await {
                Ok(answer) => return Ok(answer),
                Err(Tried::WithAnOldKey(_)) if attempts < ATTEMPTS_WITH_A_REMEDY => continue,
                Err(Tried::NotYet) => continue,
                Err(Tried::WithAnOldKey(cause) | Tried::Failed(cause)) => cause,
                Err(Tried::AndMayNotAgain(cause)) => {
                    return Err(failed_with(&key, action, attempts, cause));
                }
            };
            match retry::backoff(&cause, attempts + 1, fastrand::f64()) {
                Some(wait) if wait < self.remaining() => {
                    debug!(account = account.name, region = self.region.name, action = action.name,
                        attempts, wait_seconds = wait.as_secs_f64(), error = %cause, "trying again");
                    tokio::time::sleep(wait).await;
                }
                _ => return Err(failed_with(&key, action, attempts, cause)),
            }
        }
    }

    /// Sends one request, once key, place and budget allow it, and judges what came back. A clock that
    /// turns out to be off is corrected, and the request sent once more.
    async fn attempt(&self, call: Call<'_>, key: &Current, attempts: &mut u32) -> Result<Arrived, Tried> {
        let region = &*self.region;
        let credential = &*region.account.credential;
        let (standing, number) = credential.place.of(key);
        let waiting = async {
            let room = credential.room(&region.share, &standing).await.ok();
            let pass = standing.breaker.pass(&region.name, number).await;
            (pass, room)
        };
        let (pass, _room) = tokio::time::timeout_at(self.deadline, waiting)
            .await
            .map_err(|_| Cause::NoTime {
                waited_for: "its turn with the key",
            })?;
        let mut pass = pass.map_err(|locked| self.held_back(locked))?;
        self.budget().await?;
        // Another call may have been refused while this one waited, and the key may have been replaced.
        let mut holds = pass.holds().map_err(|locked| self.held_back(locked))?;
        if let Ok(current) = region.account.credential.key(self.deadline).await {
            holds &= current.generation == key.generation;
        }
        if !holds {
            return Err(Tried::NotYet);
        }

        let (mut outcome, off) = self.send(&mut pass, call, key, attempts).await;
        if let (Err(unanswered), Some(off)) = (&outcome, off)
            && refuses_the_key(&unanswered.cause)
            && !may_be_done(call.action, unanswered)
        {
            let correct = |off| {
                let account = &region.account.name;
                credential.clock.correct(off, Some(account), Some(&region.name));
            };
            correct(off);
            match pass.refused_for_the_clock() {
                Ok(Again::AtOnce) => {}
                Ok(Again::InTurn) => return Err(Tried::NotYet),
                Err(locked) => return Err(self.refused(key, unanswered.cause.clone(), locked, false).await),
            }
            self.budget().await?;
            pass.is_latest().map_err(|locked| self.held_back(locked))?;
            let off;
            (outcome, off) = self.send(&mut pass, call, key, attempts).await;
            // The first date was wrong, as that of something in between may be.
            if let (Err(Unanswered { cause, .. }), Some(off)) = (&outcome, off)
                && refuses_the_key(cause)
            {
                correct(off);
            }
        }
        self.judge(&mut pass, call.action, key, outcome).await
    }

    async fn budget(&self) -> Result<(), Cause> {
        let region = &*self.region;
        let waited = region.budget.take(self.deadline).await;
        let waited = waited.ok_or(Cause::NoTime {
            waited_for: "the request budget",
        })?;
        region
            .account
            .metrics
            .waited(&region.account.name, &region.name, waited);
        Ok(())
    }

    /// Signs, sends and counts one request; gives also by how much the clock that signed it was off.
    async fn send(
        &self,
        pass: &mut Pass<'_>,
        call: Call<'_>,
        key: &Current,
        attempts: &mut u32,
    ) -> (Result<Arrived, Unanswered>, Option<i64>) {
        let Call {
            endpoint,
            action,
            body,
        } = call;
        let region = &*self.region;
        let Account {
            name,
            metrics,
            credential,
            transport,
            ..
        } = &*region.account;
        *attempts += 1;
        let sent = Instant::now();
        let applied = credential.clock.skew();
        let at = clock::after(applied);
        pass.sent();
        let reply = transport
            .send(endpoint, Some(&key.credentials), body, at, self.remaining())
            .await;
        pass.heard();
        let measured = reply
            .as_ref()
            .ok()
            .and_then(|reply| reply.skew)
            .map(|skew| skew.as_secs());
        let outcome = reply.and_then(|mut reply| {
            let held = std::mem::take(&mut reply.held);
            let secrets = key.credentials.secrets();
            let text = reply.into_answer(&endpoint.host(), &action.root(), &secrets, action.effect)?;
            Ok(Arrived { text, _held: held })
        });
        debug!(
            account = name,
            region = region.name,
            action = action.name,
            attempt = *attempts,
            seconds = sent.elapsed().as_secs_f64(),
            outcome = outcome
                .as_ref()
                .map_or_else(|no| no.cause.to_string(), |_| "ok".to_owned()),
            "asked the cloud"
        );
        let label = outcome
            .as_ref()
            .map_or_else(|unanswered| unanswered.cause.reason().name(), |_| "ok");
        metrics.request(name, &region.name, action, label, sent.elapsed());
        if let Some(measured) = measured {
            metrics.skew(name, &region.name, measured);
        }
        let off = credential.clock.explains(measured, applied);
        if let (Ok(_), Some(measured)) = (&outcome, measured) {
            credential.clock.was_taken(measured, applied);
        }
        (outcome, off)
    }

    /// Tells the breaker what the cloud thinks of the key.
    async fn judge(
        &self,
        pass: &mut Pass<'_>,
        action: &Action,
        key: &Current,
        outcome: Result<Arrived, Unanswered>,
    ) -> Result<Arrived, Tried> {
        let unanswered = match outcome {
            Ok(body) => {
                self.accepted(pass);
                return Ok(body);
            }
            Err(unanswered) => unanswered,
        };
        let may_be_done = may_be_done(action, &unanswered);
        let Unanswered {
            cause,
            may_have_arrived,
            ..
        } = unanswered;
        let may_have_been_refused = match &cause {
            Cause::Answer(answer) if answer.reason() == Reason::Denied && answer.has_code => {
                self.accepted(pass);
                false
            }
            // A refusal whose body was lost or replaced on the way looks like this.
            Cause::Answer(answer) => !answer.has_code && matches!(answer.status, 400 | 403),
            _ => may_have_arrived,
        };
        if may_have_been_refused && let Some(locked) = pass.unheard() {
            self.tell(key, &cause, &locked);
            return Err(Tried::AndMayNotAgain(cause));
        }
        if !refuses_the_key(&cause) {
            if may_be_done {
                return Err(Tried::AndMayNotAgain(cause));
            }
            return Err(Tried::Failed(cause));
        }
        let locked = pass.refused();
        Err(self.refused(key, cause, locked, may_be_done).await)
    }

    /// After the cloud refused the key, which is held back as told.
    async fn refused(&self, key: &Current, cause: Cause, locked: Locked, may_be_done: bool) -> Tried {
        // There may be a new key already: one look now, and the next call with it is not held back.
        match self
            .region
            .account
            .credential
            .renew(key, &cause, self.deadline)
            .await
        {
            Ok(another) => {
                let over = self.told().rereading.over();
                self.tell_over(over, "the key can be read again");
                if another {
                    if may_be_done {
                        return Tried::AndMayNotAgain(cause);
                    }
                    return Tried::WithAnOldKey(cause);
                }
            }
            Err(error) => {
                let error = error.to_string();
                let told = self.told().rereading.again(error.clone());
                if let Some(count) = told {
                    warn!(
                        account = self.region.account.name,
                        region = self.region.name,
                        count,
                        error,
                        "the key cannot be read again"
                    );
                }
            }
        }
        self.tell(key, &cause, &locked);
        Tried::AndMayNotAgain(cause)
    }

    fn accepted(&self, pass: &Pass<'_>) {
        if !pass.accepted() {
            return;
        }
        self.show_until(None);
        let over = {
            let mut told = self.told();
            told.rereading.over();
            told.refusals.over()
        };
        self.tell_over(over, "the cloud takes the key again");
    }

    /// Says what is over, if something was wrong.
    fn tell_over(&self, over: Option<Over>, what: &str) {
        if let Some(over) = over {
            info!(
                account = self.region.account.name,
                region = self.region.name,
                failures = over.failures,
                seconds = over.lasted.as_secs(),
                "{what}"
            );
        }
    }

    /// Says what a refusal leads to.
    fn tell(&self, key: &Current, cause: &Cause, locked: &Locked) {
        self.show(locked);
        // A wait of another order is news.
        let is_long = locked.remaining > FIRST_WAIT;
        let what = (locked.unheard, is_long, cause.reason());
        let told = self.told().refusals.again(what);
        let Some(count) = told else {
            return;
        };
        let what = match (locked.unheard, locked.regional) {
            (false, false) => {
                "the cloud refuses the key; no call with it until the next try or until the key changes"
            }
            (false, true) => {
                "the cloud refuses the key; no call to this region until the next try or until the key changes"
            }
            (true, _) => {
                "the cloud may have refused the key, which is untried; no call with it until the next try or until the \
                 key changes"
            }
        };
        warn!(
            account = self.region.account.name,
            region = self.region.name,
            reason = cause.reason().name(),
            count,
            key = key.credentials.suffix(),
            refusals = locked.strikes,
            next_try_seconds = locked.remaining.as_secs(),
            error = %cause,
            "{what}"
        );
    }

    fn told(&self) -> MutexGuard<'_, Told> {
        self.region.told.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn held_back(&self, locked: Locked) -> Cause {
        self.show(&locked);
        locked.into()
    }

    /// The page shows until when a whole key is held back.
    fn show(&self, locked: &Locked) {
        if !locked.regional {
            let until = Timestamp::now()
                .saturating_add(locked.remaining)
                .unwrap_or(Timestamp::MAX);
            self.show_until(Some(until));
        }
    }

    fn show_until(&self, until: Option<Timestamp>) {
        let Account {
            credential, metrics, ..
        } = &*self.region.account;
        for account in credential
            .accounts
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .iter()
        {
            metrics.locked_until(account, until);
        }
    }

    fn remaining(&self) -> Duration {
        self.deadline.saturating_duration_since(Instant::now())
    }
}

/// Whether an action that changes something may be done: it left this machine, and the cloud did not say no itself.
fn may_be_done(action: &Action, unanswered: &Unanswered) -> bool {
    let was_refused =
        matches!(&unanswered.cause, Cause::Answer(answer) if answer.is_a_refusal_of_the_cloud());
    action.effect == Effect::Changes && !unanswered.is_unsent && !was_refused
}

/// Whether the cloud refused the key, or what was signed with it.
fn refuses_the_key(cause: &Cause) -> bool {
    matches!(cause, Cause::Answer(answer) if matches!(answer.reason(), Reason::Auth | Reason::Clock))
}

fn failed_with(key: &Current, action: &'static Action, attempts: u32, cause: Cause) -> Error {
    Error {
        key_suffix: Some(key.credentials.suffix().to_owned()),
        ..failed(action, attempts, cause)
    }
}

/// The body of an answer, and its share of what may be under way.
pub(super) struct Arrived {
    pub(super) text: String,
    _held: Held,
}

/// What is sent with each attempt.
#[derive(Clone, Copy)]
struct Call<'a> {
    endpoint: &'a Endpoint,
    action: &'static Action,
    /// The form.
    body: &'a str,
}

/// What came of an attempt that gave no answer.
enum Tried {
    /// It failed; the kind of failure says whether another attempt may help.
    Failed(Cause),
    /// Another attempt could lock the account, or do twice what is to be done once.
    AndMayNotAgain(Cause),
    /// There is a new key.
    WithAnOldKey(Cause),
    /// Another leave is needed, or another key is there: nothing was sent, or what a wrong clock had signed.
    NotYet,
}

impl From<Cause> for Tried {
    fn from(cause: Cause) -> Self {
        Self::Failed(cause)
    }
}

/// One with the old key, one with the new, one more: a key file that changes all the time gets no further.
const ATTEMPTS_WITH_A_REMEDY: u32 = 3;
