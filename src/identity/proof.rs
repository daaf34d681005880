//! The proof that a key may do what it should and nothing else, waited for as the cloud needs it.

use std::collections::BTreeMap;
use std::time::Duration;

use jiff::Timestamp;
use serde::Serialize;
use tokio::time::Instant;

use super::audit::{self, Settled, Unknown};
use super::place::{Place, in_time};
use super::probe::{self, Verdict};
use super::{Event, Told, wait};
use crate::api::{Action, Client};
use crate::credentials::Credentials;
use crate::provider::Provider;
use crate::resource::Kind;

/// What was tried with a key, and how it came out.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Proof {
    /// The id of the key.
    pub access_key_id: String,
    /// Where it was tried.
    pub regions: Vec<String>,
    /// When.
    pub at: Timestamp,
    /// The actions that the agent needs, each allowed in every region.
    pub allowed: Vec<String>,
    /// What the cloud said of those that it allowed without success, such as that there is no such load balancer.
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    pub evidence: BTreeMap<String, String>,
    /// The actions that change something or read identities, each denied by the cloud.
    pub denied: Vec<String>,
    /// Those that the cloud does not have.
    pub absent: Vec<String>,
    /// Those that were not denied, and that whoever ran this accepted; each with what the cloud said.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub accepted: Vec<String>,
}

/// When to try a new key, and how often.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Patience {
    /// From making the key to the first try.
    pub first: Duration,
    /// From one try to the next.
    pub pause: Duration,
    /// How many tries there are.
    pub tries: u32,
    /// After which time there is no further try.
    pub longest: Duration,
    /// How many tries in a row must succeed before others may rely on the key: what one machine of the cloud knows,
    /// the next may not know yet.
    pub agreeing: u32,
    /// Whether the cloud has had the time to know the key: then a refusal is no matter of time.
    pub is_settled: bool,
}

impl Patience {
    /// As the provider says or its users found.
    pub fn of(provider: Provider) -> Self {
        match provider {
            // "A delay of up to 15 seconds can occur" before a policy is known (OUTSCALE API, PutUserGroupPolicy);
            // and four refusals lock the account, so that there are three tries and no more.
            Provider::Outscale => Self {
                first: Duration::from_secs(15),
                pause: Duration::from_secs(20),
                tries: 3,
                longest: Duration::from_secs(5 * 60),
                agreeing: 1,
                is_settled: false,
            },
            // No bound is given. Eight seconds are usual; Terraform's provider waits two minutes.
            Provider::Aws => Self {
                first: Duration::ZERO,
                pause: Duration::from_secs(3),
                tries: u32::MAX,
                longest: Duration::from_secs(2 * 60),
                agreeing: 2,
                is_settled: false,
            },
        }
    }

    /// The same for a key that is so old, with a policy that was there before.
    #[must_use]
    pub fn with_age(self, age: Option<Duration>) -> Self {
        let age = age.unwrap_or_default();
        Self {
            first: self.first.saturating_sub(age),
            agreeing: 1,
            is_settled: age > self.longest,
            ..self
        }
    }
}

/// What is tried, and by which clock.
#[derive(Clone, Copy)]
pub(super) struct Trial<'a> {
    pub(super) place: &'a Place,
    pub(super) credentials: &'a Credentials,
    pub(super) kinds: &'a [&'static Kind],
    /// Actions that need not be denied.
    pub(super) accept: &'a [String],
    /// The cloud's clock minus ours, in seconds.
    pub(super) skew: i64,
}

/// Why a try did not succeed.
struct Why {
    words: String,
    /// The cloud does not take the key.
    refused: bool,
    /// The cloud lets the key do what it must not.
    excess: bool,
}

/// Tries a key until it is proven or the patience is over.
pub(super) async fn prove(
    trial: Trial<'_>,
    patience: &Patience,
    told: &mut Told<'_>,
) -> anyhow::Result<Proof> {
    wait("the cloud to know the key and its policy", patience.first, told).await;
    let begun = Instant::now();
    let (mut agreeing, mut attempt, mut said) = (0, 0, false);
    loop {
        attempt += 1;
        // For each try a breaker of its own, since the breaker's waits are for an agent that stays; and connections of its
        // own, since those that agree are to be several machines of the cloud.
        let clients = trial.place.clients_with(trial.credentials, trial.skew)?;
        let why = match attempt_once(&clients, trial).await {
            Ok(proof) => {
                agreeing += 1;
                if agreeing >= patience.agreeing {
                    return Ok(proof);
                }
                None
            }
            Err(why) => {
                agreeing = 0;
                Some(why)
            }
        };
        let time = begun.elapsed();
        let is_hopeless =
            |why: &Why| (why.refused && patience.is_settled) || (why.excess && time >= LONGEST_EXCESS);
        if attempt >= patience.tries || time >= patience.longest || why.as_ref().is_some_and(is_hopeless) {
            return Err(given_up(trial, why, attempt));
        }
        if let Some(why) = why {
            // A request's id makes each refusal another one: the first says it all.
            let words = if said {
                "not yet".to_owned()
            } else {
                format!("not yet: {}", why.words)
            };
            told(Event::Note(&words));
            said = true;
        }
        wait("the cloud to know the key and its policy", patience.pause, told).await;
    }
}

/// Says why no further try is made, and what that means.
fn given_up(trial: Trial<'_>, why: Option<Why>, attempts: u32) -> anyhow::Error {
    let Some(why) = why else {
        return anyhow::anyhow!(
            "the key is known in one place of the cloud and not in another ({attempts} tries)"
        );
    };
    let mut words = format!("{} (after {attempts} tries)", why.words);
    if why.refused {
        words.push_str("; is the region the right one, and enabled for this account?");
    }
    if why.refused && trial.place.provider.lock_out_after().is_some() {
        words.push_str(
            "; wait a quarter of an hour before the next run, since refusals in a row lock the account",
        );
    }
    anyhow::anyhow!(words)
}

/// One try: everything needed is allowed and every probe is denied, or the first reason why not.
async fn attempt_once(clients: &[Client], trial: Trial<'_>) -> Result<Proof, Why> {
    let Some(first) = clients.first() else {
        return Err(Why::other("no region was named".to_owned()));
    };
    let mut needed: Vec<&'static Action> = trial
        .kinds
        .iter()
        .flat_map(|kind| kind.actions)
        .copied()
        .collect();
    needed.sort_by_key(|action| action.policy_name());
    needed.dedup_by_key(|action| action.policy_name());
    let mut evidence = BTreeMap::new();
    for client in clients {
        for action in &needed {
            match is_allowed(client, action).await {
                Ok(None) => {}
                Ok(Some(answer)) => drop(evidence.insert(action.policy_name(), answer)),
                Err(why) => return Err(why),
            }
        }
    }
    let audit = audit::audit(first.account(), clients).await;
    if let Some(refused) = audit.refused.first() {
        return Err(Why {
            words: format!("in {}: {}", refused.region, refused.error),
            refused: true,
            excess: false,
        });
    }
    if let Some(Unknown { action, region, why }) = audit.unknown.first() {
        return Err(Why::other(format!(
            "whether {action} is denied in {region} could not be told: {why}"
        )));
    }
    let (accepted, excess): (Vec<_>, Vec<_>) = audit
        .excess
        .into_iter()
        .partition(|excess| trial.accept.contains(&excess.action));
    if let Some(excess) = excess.first() {
        return Err(Why {
            words: format!(
                "{} in {} is not denied ({}): something else allows it, or this cloud looks for the thing before it looks \
                 at the permission; if you know that it does, `--accept {}` goes on",
                excess.action,
                excess.regions.join(", "),
                excess.evidence.join(", "),
                excess.action
            ),
            refused: false,
            excess: true,
        });
    }
    let actions = |settled: Vec<Settled>| settled.into_iter().map(|settled| settled.action).collect();
    Ok(Proof {
        access_key_id: trial.credentials.access_key_id.clone(),
        regions: audit.regions,
        at: audit.at,
        allowed: needed.iter().map(|action| action.policy_name()).collect(),
        evidence,
        denied: actions(audit.denied),
        absent: actions(audit.absent),
        accepted: accepted
            .into_iter()
            .map(|excess| format!("{} ({})", excess.action, excess.evidence.join(", ")))
            .collect(),
    })
}

/// Whether the cloud let the key do something, or come so far that it has something else to say, such as that there is
/// no such load balancer: that is given.
async fn is_allowed(client: &Client, action: &'static Action) -> Result<Option<String>, Why> {
    let Err(error) = in_time(client).order(action, action.proof).await else {
        return Ok(None);
    };
    let refused = match probe::verdict(&error.cause) {
        Some(Verdict::Allowed(answer)) => return Ok(Some(answer)),
        Some(_) => false,
        None => true,
    };
    let hint = if error.lacks_permission() {
        " (if the key is for some kinds alone, name them with `--kinds`)"
    } else {
        ""
    };
    let (name, region) = (action.policy_name(), client.region());
    Err(Why {
        words: format!("{name} in {region}: {}{hint}", error.explained()),
        refused,
        excess: false,
    })
}

impl Why {
    fn other(words: String) -> Self {
        Self {
            words,
            refused: false,
            excess: false,
        }
    }
}

/// A policy that was narrowed is known by then; what is allowed after that stays so.
const LONGEST_EXCESS: Duration = Duration::from_secs(30);

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_a_key_that_the_cloud_has_had_time_to_know_is_given_up_at_a_refusal() {
        for provider in Provider::ALL {
            let new = Patience::of(provider);
            let young = new.with_age(Some(Duration::from_secs(10)));
            let old = new.with_age(Some(Duration::from_secs(3600)));
            assert!(!new.is_settled && !young.is_settled && !new.with_age(None).is_settled);
            assert!(old.is_settled);
            assert_eq!(old.first, Duration::ZERO);
        }
        let outscale = Patience::of(Provider::Outscale);
        let young = outscale.with_age(Some(Duration::from_secs(10)));
        assert_eq!(young.first, Duration::from_secs(5));
        assert!(outscale.tries < 4, "four refusals lock the account");
    }
}
