//! One client for each account and region: single answers, and listings page by page.

use std::collections::HashSet;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::task::Poll;
use std::time::Duration;

use futures_util::poll;
use secrecy::zeroize::Zeroizing;
use tokio::sync::Semaphore;
use tokio::time::Instant;
use tracing::info;

use super::attempt::Arrived;
use super::budget::Budget;
use super::{Account, Action, Cause, Endpoint, Endpoints, Error, Kept, Paging, Reason, Service, aside, xml};
use crate::provider::Provider;
use crate::repeated::Repeated;

/// Speaks for one account in one region. Cloned cheaply; clones share the budget.
#[derive(Debug, Clone)]
pub struct Client {
    pub(super) region: Arc<Region>,
    pub(super) deadline: Instant,
    /// What is kept of its answers.
    kept: Kept,
}

#[derive(Debug)]
pub(super) struct Region {
    pub(super) account: Arc<Account>,
    pub(super) name: String,
    pub(super) endpoints: Endpoints,
    pub(super) budget: Budget,
    /// This region's part of what may be under way with the key.
    pub(super) share: Semaphore,
    /// The paging parameters that this cloud refused.
    refused_parameters: Mutex<HashSet<&'static str>>,
    pub(super) told: Mutex<Told>,
}

/// Other regions wait for it no more.
impl Drop for Region {
    fn drop(&mut self) {
        self.account.credential.place.breaker().forget(&self.name);
    }
}

/// What was told of the key in a region.
#[derive(Debug, Default)]
pub(super) struct Told {
    /// Refusals, by whether one is only feared, and whether the wait is a long one.
    pub(super) refusals: Repeated<(bool, bool, Reason)>,
    /// Looks for another key, by what was wrong with it.
    pub(super) rereading: Repeated<String>,
}

impl Client {
    /// A client that has no deadline yet: calls made through it fail until [`Client::until`] gives one.
    pub fn new(account: Arc<Account>, name: String, endpoints: Endpoints, requests_per_second: f64) -> Self {
        account.metrics.region(&account.name, &name, requests_per_second);
        let share = account.credential.share();
        Self {
            deadline: Instant::now(),
            kept: Kept::default(),
            region: Arc::new(Region {
                account,
                name,
                endpoints,
                budget: Budget::new(requests_per_second),
                share,
                refused_parameters: Mutex::default(),
                told: Mutex::default(),
            }),
        }
    }

    /// The same client with a deadline: whatever it is asked, waiting included, ends by then.
    #[must_use]
    pub fn until(&self, deadline: Instant) -> Self {
        Self {
            deadline,
            ..self.clone()
        }
    }

    /// The same client for one poll: once more is kept of its answers than may be, it fails.
    #[must_use]
    pub fn keeping(self, kept: Kept) -> Self {
        Self { kept, ..self }
    }

    /// An error once more is kept than may be.
    pub fn has_room(&self, action: &'static Action) -> Result<(), Error> {
        if self.kept.is_too_much() {
            return Err(failed(action, 1, Cause::TooMuch));
        }
        Ok(())
    }

    /// The account spoken for.
    pub fn account(&self) -> &Arc<Account> {
        &self.region.account
    }

    /// The region spoken to.
    pub fn region(&self) -> &str {
        &self.region.name
    }

    /// The time that the budget alone takes for so many requests.
    pub fn least_time_for(&self, requests: u32) -> Duration {
        self.region.budget.least_time_for(requests)
    }

    /// Makes the series of an action, so that its counters start from 0.
    pub fn expect(&self, action: &Action) {
        self.region
            .account
            .metrics
            .action(&self.region.account.name, &self.region.name, action);
    }

    /// Calls an action whose answer says no more than that it was done.
    pub async fn order(&self, action: &'static Action, parameters: &[(&str, &str)]) -> Result<(), Error> {
        self.call(action, parameters).await.map(drop)
    }

    /// Calls an action and reads its answer. The reader stands in the result: the root of an EC2 answer, the
    /// `…Result` element of the others.
    pub async fn ask<T>(
        &self,
        action: &'static Action,
        parameters: &[(&str, &str)],
        read: impl FnOnce(&mut xml::Reader<'_>) -> Result<T, xml::Error>,
    ) -> Result<T, Error> {
        // The one answer of a cloud that holds a secret is among these.
        let mut answer = self.call(action, parameters).await?;
        let text = Zeroizing::new(std::mem::take(&mut answer.text));
        self.read(action, &text, read)
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
        let mut answer = self.page(action, parameters, None).await?;
        for page in 1.. {
            // The cloud works on the next page while this one is read.
            let foreseen = action
                .paging
                .as_ref()
                .and_then(|paging| foreseen(&answer.text, paging));
            let foreseen = foreseen.filter(|next| page < PAGES_LIMIT && !cursors.contains(next));
            let mut ahead = foreseen
                .as_deref()
                .map(|next| Box::pin(self.page(action, parameters, Some(next))));
            let begun = match &mut ahead {
                Some(asking) => poll!(asking),
                None => Poll::Pending,
            };
            let next = self.read(action, &answer.text, &mut read)?;
            // Both clouds may send an empty cursor behind the last page.
            let next = next.map(|next| next.trim().to_owned());
            let Some(next) = next.filter(|next| !next.is_empty() && action.paging.is_some()) else {
                break;
            };
            if page >= PAGES_LIMIT || next.len() > CURSOR_LIMIT || !cursors.insert(next.clone()) {
                return Err(failed(action, 1, Cause::Endless { page }));
            }
            // A page is let go once it is read.
            drop(answer);
            // What was asked for in vain ends here: it would keep its turn from the page that is wanted.
            let ahead = ahead.filter(|_| foreseen.as_ref() == Some(&next));
            answer = match (ahead, begun) {
                (Some(_), Poll::Ready(arrived)) => arrived?,
                (Some(asking), Poll::Pending) => asking.await?,
                (None, _) => self.page(action, parameters, Some(&next)).await?,
            };
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
    ) -> Result<Arrived, Error> {
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
        let read = aside::run(answer.len(), || action.read(answer, read));
        // Kinds of EC2 write what they read into their text, which counts; of the others, all is held until it is whole,
        // and a document is about half names.
        if action.service != Service::Ec2 {
            self.kept.add(answer.len() / 2);
        }
        self.has_room(action)?;
        read.map_err(|error| {
            let endpoint = self.region.endpoints.of(action.service);
            let cause = Cause::Malformed {
                host: endpoint.map_or_else(String::new, Endpoint::host),
                expected: action.root(),
                detail: error.to_string(),
            };
            failed(action, 1, cause)
        })
    }

    pub(super) fn endpoint(&self, action: &Action) -> Result<&Endpoint, Cause> {
        let endpoint = self.region.endpoints.of(action.service);
        endpoint.ok_or_else(|| Cause::NoEndpoint {
            service: action.service.policy_prefix(),
        })
    }
}

/// The cursor of the next page, if the end of a whole answer says it as both clouds do: in an element behind the list.
///
/// What reading the page finds is what holds; this only comes sooner.
fn foreseen(answer: &str, paging: &Paging) -> Option<String> {
    let begin = answer.len().saturating_sub(CURSOR_LIMIT + BEHIND_THE_LIST);
    let begin = (begin..=answer.len()).find(|at| answer.is_char_boundary(*at))?;
    let (_, behind) = answer
        .get(begin..)?
        .split_once(&format!("<{}>", paging.cursor_element))?;
    let (cursor, _) = behind.split_once('<')?;
    let cursor = cursor.trim();
    // What is written with references, reading the page resolves.
    let is_plain = !cursor.is_empty() && !cursor.contains('&') && cursor.len() <= CURSOR_LIMIT;
    is_plain.then(|| cursor.to_owned())
}

/// Byte for byte as the SDK of AWS writes it, which leaves `~` alone and not `*`: a cloud that writes the form anew
/// before it checks the signature, as moto does, comes to the same bytes.
pub(super) fn form(endpoint: &Endpoint, action: &Action, parameters: &[(&str, &str)]) -> String {
    form_urlencoded::Serializer::new(String::new())
        .append_pair("Action", action.name)
        .append_pair("Version", endpoint.version)
        .extend_pairs(parameters)
        .finish()
        .replace('*', "%2A")
        .replace("%7E", "~")
}

pub(super) fn failed(action: &'static Action, attempts: u32, cause: Cause) -> Error {
    Error {
        action,
        key_suffix: None,
        attempts,
        cause,
    }
}

/// A million instances. What goes on after that is a fault of the other side.
const PAGES_LIMIT: u32 = 1000;

/// Both clouds' cursors are a few hundred characters.
const CURSOR_LIMIT: usize = 16 << 10;

/// Room for what stands around the cursor: the ends of the list, of the result and of the answer, and the request's id.
const BEHIND_THE_LIST: usize = 1 << 10;

#[cfg(test)]
mod tests {
    use super::*;
    use crate::api::Service;

    #[test]
    fn form_is_written_as_the_sdk_of_aws_writes_it() {
        static ACTION: Action = Action::changing(Service::Iam, "CreatePolicy");
        let endpoint = Endpoint {
            url: "http://127.0.0.1".parse().unwrap(),
            signing_name: "iam".to_owned(),
            region: "us-east-1".to_owned(),
            version: "2010-05-08",
        };
        // What Python's `urlencode` makes of the same, which botocore sends.
        assert_eq!(
            form(&endpoint, &ACTION, &[("PolicyDocument", "[\"*\"] a~b+c/%7E%2Aé")]),
            "Action=CreatePolicy&Version=2010-05-08&\
             PolicyDocument=%5B%22%2A%22%5D+a~b%2Bc%2F%257E%252A%C3%A9"
        );
    }

    #[test]
    fn a_cursor_is_foreseen_only_where_it_stands_plainly_at_the_end() {
        let paging = Paging {
            size_parameter: "MaxResults",
            size: 1000,
            cursor_parameter: "NextToken",
            cursor_element: "nextToken",
        };
        let long = "é".repeat(100_000);
        for (end, expected) in [
            ("<nextToken> page-2\n</nextToken></R>", Some("page-2")),
            ("<nextToken>1</nextToken><nextToken>2</nextToken></R>", Some("1")),
            ("<nextToken/></R>", None),
            ("<nextToken></nextToken></R>", None),
            ("<nextToken>a&amp;b</nextToken></R>", None),
            ("<nextToken>cut", None),
            ("</R>", None),
        ] {
            let answer = format!("<R><set>{long}</set>{end}");
            assert_eq!(foreseen(&answer, &paging).as_deref(), expected, "{end}");
        }
        let early = format!("<R><nextToken>early</nextToken><set>{long}</set></R>");
        assert_eq!(foreseen(&early, &paging), None);
    }
}
