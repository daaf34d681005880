//! A key on loan: renewed before it runs out, by one caller for all, and not begged for where it was refused.

use std::fmt;
use std::sync::{Arc, MutexGuard, PoisonError};
use std::time::Duration;

use futures_util::FutureExt as _;
use futures_util::future::{BoxFuture, Shared};
use jiff::Timestamp;
use tokio::time::Instant;
use tracing::{debug, info, warn};

use super::super::error::NoKey;
use super::super::{Cause, Credential, Reason, code};
use super::sts::Borrower;
use crate::credentials::{self, Current, Found, Lease, Marks};
use crate::repeated::Repeated;

/// What is known of a key that has to be asked for.
#[derive(Default)]
pub(in super::super) struct Loan {
    /// The key in force.
    held: Option<Held>,
    /// Why the last asking gave none, until one does.
    failure: Option<Failure>,
    /// The asking under way, which everybody who needs it waits for.
    flight: Option<Flight>,
    /// How often another lender was taken.
    lenders: u64,
    /// The generation of the last key from anywhere: a new one never looks like an old one.
    generation: u64,
    /// When a key was last asked for because the cloud refused the one in force.
    last_renewed: Option<Instant>,
    /// Askings that failed while there was a key in force.
    told: Repeated<Reason>,
}

type Flight = Shared<BoxFuture<'static, ()>>;

struct Held {
    current: Current,
    taken: Timestamp,
}

struct Failure {
    no_key: Arc<NoKey>,
    /// Askings in a row that failed.
    count: u32,
    until: Instant,
    marks: Marks,
}

/// How long a key is still good for.
#[derive(Debug, PartialEq, Eq)]
enum Due {
    /// For long enough.
    Later,
    /// Another one should be there soon; nobody waits for it.
    Soon,
    /// It may run out during a call.
    Now,
    /// It has run out.
    Over,
}

/// What a caller has to do for a key.
enum Next {
    Use(Current),
    /// Perhaps for no longer than this, since the key in force has some time left.
    Await(Flight, Option<Duration>),
}

impl Credential {
    /// The key in force. It is waited for only while there is none that is good for the length of a call.
    pub(in super::super) async fn key(self: &Arc<Self>, deadline: Instant) -> Result<Current, Cause> {
        let (flight, patience) = match self.next()? {
            Next::Use(current) => return Ok(current),
            Next::Await(flight, patience) => (flight, patience),
        };
        let until = patience.map_or(deadline, |patience| deadline.min(Instant::now() + patience));
        let waited = tokio::time::timeout_at(until, flight).await;
        // An old key is better than none, as long as the cloud takes it.
        let held = self.usable();
        match held {
            Some(current) => Ok(current),
            None if waited.is_err() => Err(Cause::NoTime {
                waited_for: "a key on loan",
            }),
            None => match self.next()? {
                Next::Use(current) => Ok(current),
                // Only where asking has broken down, which is a fault of ours.
                Next::Await(..) => Err(Cause::NoTime {
                    waited_for: "a key on loan, the asking for which broke down",
                }),
            },
        }
    }

    /// The key in force, without asking for one.
    pub(in super::super) fn in_force(&self) -> Option<Current> {
        if let Some(held) = &self.loan().held {
            return Some(held.current.clone());
        }
        match self.source.look() {
            Ok(Found::Key(current)) => Some(current),
            _ => None,
        }
    }

    /// Looks for another key than one that the cloud refused; gives whether there is one.
    pub(in super::super) async fn renew(
        self: &Arc<Self>,
        refused: &Current,
        cause: &Cause,
        deadline: Instant,
    ) -> Result<bool, credentials::Error> {
        let flight = {
            let mut loan = self.loan();
            let Some(held) = &loan.held else {
                let found = self.source.reread()?;
                let before = refused.generation.saturating_sub(loan.generation);
                return Ok(matches!(found, Found::Key(fresh) if fresh.generation != before));
            };
            if held.current.generation != refused.generation {
                return Ok(true);
            }
            // Once: a cloud that refuses the next one as well has another reason, as for a region that the account has
            // not opted into.
            let between = if says_it_ran_out(cause) {
                AFTER_A_REFUSAL
            } else {
                LONGEST_AFTER_A_REFUSAL
            };
            if loan.last_renewed.is_some_and(|last| last.elapsed() < between) {
                return Ok(false);
            }
            loan.last_renewed = Some(Instant::now());
            self.start(&mut loan)
        };
        tokio::time::timeout_at(deadline, flight).await.ok();
        let loan = self.loan();
        Ok(loan
            .held
            .as_ref()
            .is_some_and(|held| held.current.generation != refused.generation))
    }

    /// Asks again where the last asking failed, for whatever stood in its way may be mended. Whoever refused is not begged,
    /// unless it is somebody else now.
    pub(in super::super) fn ask_again(&self, elsewhere: bool) {
        let mut loan = self.loan();
        loan.failure
            .take_if(|failure| elsewhere || !failure.no_key.is_a_refusal());
        if elsewhere {
            loan.lenders += 1;
            loan.flight = None;
        }
    }

    fn next(self: &Arc<Self>) -> Result<Next, Cause> {
        let mut loan = self.loan();
        let due = loan.held.as_ref().map(|held| held.due(self.clock.now()));
        let (current, due) = match (&loan.held, due) {
            (Some(held), Some(Due::Later)) => return Ok(Next::Use(held.current.clone())),
            (Some(held), Some(due)) => (Some(held.current.clone()), due),
            _ => (None, Due::Over),
        };
        let failure = loan
            .failure
            .as_ref()
            .filter(|failure| failure.until > Instant::now() && failure.marks == self.source.marks());
        if let Some(failure) = failure {
            return match current.filter(|_| due != Due::Over) {
                Some(current) => Ok(Next::Use(current)),
                None => Err(Cause::NoKey(Arc::clone(&failure.no_key))),
            };
        }
        if current.is_none()
            && let Found::Key(found) = self.source.look()?
        {
            return Ok(Next::Use(Current {
                generation: loan.generation + found.generation,
                ..found
            }));
        }
        let flight = self.start(&mut loan);
        let patience = loan.held.as_ref().and_then(|held| held.left(self.clock.now()));
        Ok(match current.filter(|_| due == Due::Soon) {
            Some(current) => Next::Use(current),
            None => Next::Await(flight, patience.filter(|_| due == Due::Now).map(|left| left / 2)),
        })
    }

    /// The asking under way, begun if there is none. It goes on when whoever began it does not wait any more.
    fn start(self: &Arc<Self>, loan: &mut Loan) -> Flight {
        if let Some(flight) = loan.flight.as_ref().filter(|flight| flight.peek().is_none()) {
            return flight.clone();
        }
        let this = Arc::clone(self);
        let task = tokio::spawn(async move { this.ask().await });
        // A task that broke down leaves nothing behind, and the next caller begins another.
        let flight = task.map(|_| ()).boxed().shared();
        loan.flight = Some(flight.clone());
        flight
    }

    async fn ask(&self) {
        let marks = self.source.marks();
        let lenders = self.loan().lenders;
        let borrower = Borrower {
            clock: &self.clock,
            accounts: &self.accounts,
        };
        let (name, asked) = match self.source.look() {
            Ok(Found::Remote(remote)) => {
                let lent = self.lender.ask(&remote, &borrower).await;
                (remote.name(), Ok(lent))
            }
            // It became a key as such, or none can be told of.
            Ok(Found::Key(_)) => ("", Err(None)),
            Err(error) => ("", Err(Some(error))),
        };
        let now = self.clock.now();
        let mut loan = self.loan();
        // That one could not says nothing of the one who is asked now.
        if loan.lenders != lenders && !matches!(asked, Ok(Ok(_))) {
            return;
        }
        match asked {
            Ok(Ok(lease)) => loan.take(lease, name, now, &self.account()),
            Ok(Err(no_key)) => loan.fail(no_key, marks, now, &self.account()),
            Err(None) => {
                loan.held = None;
                loan.failure = None;
            }
            Err(Some(error)) => {
                let no_key = NoKey {
                    place: "the key's place".to_owned(),
                    cause: Box::new(error.into()),
                    advice: None,
                };
                loan.fail(no_key, marks, now, &self.account());
            }
        }
    }

    /// The key in force, unless it has run out.
    fn usable(&self) -> Option<Current> {
        let loan = self.loan();
        let held = loan.held.as_ref()?;
        (held.due(self.clock.now()) != Due::Over).then(|| held.current.clone())
    }

    fn account(&self) -> String {
        let accounts = self.accounts.lock().unwrap_or_else(PoisonError::into_inner);
        accounts.join(", ")
    }

    fn loan(&self) -> MutexGuard<'_, Loan> {
        self.loan.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Loan {
    fn take(&mut self, lease: Lease, source: &'static str, now: Timestamp, account: &str) {
        let Lease { credentials, expires } = lease;
        let current = match &self.held {
            Some(held) => held.current.followed_by(credentials),
            None => Current {
                generation: self.generation + 1,
                ..Current::new(credentials, source, None)
            },
        };
        let current = Current {
            source,
            place: None,
            expires,
            ..current
        };
        debug!(
            source,
            key = current.credentials.suffix(),
            ?expires,
            "a key on loan is in force"
        );
        if let Some(over) = self.told.over() {
            info!(
                account,
                key = current.credentials.suffix(),
                failures = over.failures,
                seconds = over.lasted.as_secs(),
                "the key is renewed again"
            );
        }
        self.generation = current.generation;
        self.held = Some(Held { current, taken: now });
        self.failure = None;
    }

    fn fail(&mut self, no_key: NoKey, marks: Marks, now: Timestamp, account: &str) {
        let count = self.failure.as_ref().map_or(0, |failure| failure.count) + 1;
        let left = self.held.as_ref().and_then(|held| held.left(now));
        let wait = wait(no_key.is_a_refusal(), count, left);
        let reason = no_key.cause.reason();
        let told = self.held.is_some().then(|| self.told.again(reason)).flatten();
        if let Some(count) = told {
            warn!(
                account,
                reason = reason.name(),
                count,
                next_try_seconds = wait.as_secs(),
                error = %no_key,
                "the key cannot be renewed before it runs out; going on with the old one"
            );
        } else {
            debug!(
                account,
                failures = count,
                next_try_seconds = wait.as_secs(),
                error = %no_key,
                "no key"
            );
        }
        self.failure = Some(Failure {
            no_key: Arc::new(no_key),
            count,
            until: Instant::now() + wait,
            marks,
        });
    }
}

impl Held {
    /// What is left of its time; `None` where it has no end.
    fn left(&self, now: Timestamp) -> Option<Duration> {
        let left = self.current.expires?.duration_since(now);
        Some(Duration::try_from(left).unwrap_or_default())
    }

    fn due(&self, now: Timestamp) -> Due {
        let (Some(left), Some(expires)) = (self.left(now), self.current.expires) else {
            return Due::Later;
        };
        let whole = Duration::try_from(expires.duration_since(self.taken)).unwrap_or_default();
        if left.is_zero() {
            Due::Over
        } else if left <= LENGTH_OF_A_CALL.min(whole / 8) {
            Due::Now
        } else if left <= AHEAD.min(whole / 2) {
            Due::Soon
        } else {
            Due::Later
        }
    }
}

impl fmt::Debug for Loan {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter
            .debug_struct("Loan")
            .field("held", &self.held.as_ref().map(|held| &held.current))
            .finish_non_exhaustive()
    }
}

/// Whether the cloud says of a key on loan that its time is over.
fn says_it_ran_out(cause: &Cause) -> bool {
    matches!(cause, Cause::Answer(answer) if answer.says(code::RAN_OUT))
}

/// Until the next asking, after so many that failed.
fn wait(is_a_refusal: bool, count: u32, left: Option<Duration>) -> Duration {
    let doubled = |first: Duration| first.saturating_mul(1 << count.saturating_sub(1).min(8));
    if is_a_refusal {
        return doubled(AFTER_A_REFUSAL).min(LONGEST_AFTER_A_REFUSAL);
    }
    match left {
        // The nearer the end, the more often.
        Some(left) if !left.is_zero() => (left / 2).clamp(LEAST, AFTER_A_REFUSAL),
        _ => doubled(AFTER_A_FAULT).min(AFTER_A_REFUSAL),
    }
}

/// botocore's: AWS has an instance's next key ready five minutes before the old one ends.
const AHEAD: Duration = Duration::from_secs(15 * 60);

/// The longest attempt.
const LENGTH_OF_A_CALL: Duration = Duration::from_secs(20);

/// Whoever refused is not asked the same by every poll.
const AFTER_A_REFUSAL: Duration = Duration::from_secs(60);
const LONGEST_AFTER_A_REFUSAL: Duration = Duration::from_secs(15 * 60);

/// What broke is often whole again soon; several kinds that ask in vain do so once.
const AFTER_A_FAULT: Duration = Duration::from_secs(10);
const LEAST: Duration = Duration::from_secs(1);

#[cfg(test)]
mod tests;
