//! The proof that a key may do what it should and nothing else, waited for as the cloud needs it.

use std::time::Duration;

use jiff::Timestamp;
use serde::Serialize;

use super::audit::{self, Settled, Unknown};
use super::place::{Place, in_time};
use super::{Event, Told};
use crate::api::{Action, Cause, Client, Error, Reason};
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
    /// How many tries in a row must succeed before others may rely on the key: what one machine of the cloud knows,
    /// the next may not know yet.
    pub agreeing: u32,
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
                agreeing: 1,
            },
            // No bound is given. Eight seconds are usual; Terraform's provider waits two minutes.
            Provider::Aws => Self {
                first: Duration::ZERO,
                pause: Duration::from_secs(3),
                tries: 41,
                agreeing: 2,
            },
        }
    }

    /// The same for a key and a policy that are of this age, and rely on nothing new.
    #[must_use]
    pub fn with_age(self, age: Option<Duration>) -> Self {
        Self {
            first: self.first.saturating_sub(age.unwrap_or_default()),
            agreeing: 1,
            ..self
        }
    }
}

/// Tries a key until it is proven or the patience is over.
pub(super) async fn prove(
    place: &Place,
    credentials: &Credentials,
    kinds: &[&'static Kind],
    accept: &[String],
    patience: &Patience,
    told: &mut Told<'_>,
) -> anyhow::Result<Proof> {
    wait("the cloud to know the key and its policy", patience.first, told).await;
    let mut agreeing = 0;
    for attempt in 1.. {
        // A breaker of its own for each try: the breaker's waits are for an agent that stays.
        let clients = place.clients_with(credentials)?;
        let why = match attempt_once(&clients, credentials, kinds, accept).await {
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
        if attempt >= patience.tries {
            anyhow::bail!(
                "{} (the last of {attempt} tries)",
                why.unwrap_or_else(|| "the key is known in one place and not in another".to_owned())
            );
        }
        if let Some(why) = why {
            told(Event::Note(&format!("not yet: {why}")));
        }
        wait("the cloud to know the key and its policy", patience.pause, told).await;
    }
    anyhow::bail!("no try was allowed")
}

/// Lets some time pass, and says so.
pub(super) async fn wait(what: &str, time: Duration, told: &mut Told<'_>) {
    if !time.is_zero() {
        told(Event::Waiting { what, time });
        tokio::time::sleep(time).await;
    }
}

/// One try: everything needed is allowed and every probe is denied, or the first reason why not.
async fn attempt_once(
    clients: &[Client],
    credentials: &Credentials,
    kinds: &[&'static Kind],
    accept: &[String],
) -> Result<Proof, String> {
    let Some(first) = clients.first() else {
        return Err("no region was named".to_owned());
    };
    let mut needed: Vec<&'static Action> = kinds.iter().flat_map(|kind| kind.actions).copied().collect();
    needed.sort_by_key(|action| action.policy_name());
    needed.dedup_by_key(|action| action.policy_name());
    for client in clients {
        for action in &needed {
            let answer = in_time(client).order(action, action.proof).await;
            if let Err(error) = answer
                && !is_allowed(&error)
            {
                let (action, region) = (action.policy_name(), client.region());
                return Err(format!("{action} in {region}: {}", error.explained()));
            }
        }
    }
    let audit = audit::audit(first.account(), clients).await;
    if let Some(refused) = audit.refused.first() {
        return Err(format!("in {}: {}", refused.region, refused.error));
    }
    if let Some(Unknown { action, region, why }) = audit.unknown.first() {
        return Err(format!(
            "whether {action} is denied in {region} could not be told: {why}"
        ));
    }
    let (accepted, excess): (Vec<_>, Vec<_>) = audit
        .excess
        .into_iter()
        .partition(|excess| accept.contains(&excess.action));
    if let Some(excess) = excess.first() {
        return Err(format!(
            "{} in {} is not denied ({}): something else allows it, or this cloud looks for the thing before it looks \
             at the permission; if you know that it does, `--accept {}` goes on",
            excess.action,
            excess.regions.join(", "),
            excess.evidence.join(", "),
            excess.action
        ));
    }
    let actions = |settled: Vec<Settled>| settled.into_iter().map(|settled| settled.action).collect();
    Ok(Proof {
        access_key_id: credentials.access_key_id.clone(),
        regions: audit.regions,
        at: audit.at,
        allowed: needed.iter().map(|action| action.policy_name()).collect(),
        denied: actions(audit.denied),
        absent: actions(audit.absent),
        accepted: accepted
            .into_iter()
            .map(|excess| format!("{} ({})", excess.action, excess.evidence.join(", ")))
            .collect(),
    })
}

/// Whether the cloud let the key come as far as the action: it knows it, does not deny it, and has something else to
/// say, such as that there is no such load balancer.
fn is_allowed(error: &Error) -> bool {
    matches!(&error.cause, Cause::Answer(answer)
        if answer.has_code && answer.status < 500 && answer.reason() == Reason::Other)
}
