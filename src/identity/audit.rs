//! The audit of one account: every probe in each of its regions, added up.

use std::time::Duration;

use jiff::Timestamp;
use serde::Serialize;
use tokio::time::Instant;

use super::probe::{self, Finding, Probe, Verdict};
use crate::api::{Account, Client, Error, Service};
use crate::credentials::Current;
use crate::provider::Provider;

/// What a key may do beyond describing, as far as the cloud tells.
#[derive(Debug, Clone, Serialize)]
pub struct Audit {
    /// The account's name in the settings.
    pub account: String,
    /// Its cloud.
    pub provider: Provider,
    /// The regions asked.
    pub regions: Vec<String>,
    /// How the id of the key in force ends, if there was a key.
    pub access_key_suffix: Option<String>,
    /// Where it comes from.
    pub key_from: Option<String>,
    /// When it ended.
    pub at: Timestamp,
    /// What follows from the rest.
    pub outcome: Outcome,
    /// The actions tried.
    pub tried: Vec<String>,
    /// What the key may do, and should not.
    pub excess: Vec<Excess>,
    /// What the cloud denied.
    pub denied: Vec<Settled>,
    /// What the cloud does not have.
    pub absent: Vec<Settled>,
    /// What the cloud did not tell.
    pub unknown: Vec<Unknown>,
    /// Where the key was not taken at all, so that nothing could be told.
    pub refused: Vec<Refused>,
}

/// What an audit comes to.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Outcome {
    /// The key may do nothing that was tried.
    Nothing,
    /// It may do something.
    Excess,
    /// Nothing was found, and not everything could be told.
    Unknown,
}

/// An action that was not denied.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Excess {
    /// As policies write it.
    pub action: String,
    /// Where.
    pub regions: Vec<String>,
    /// What the cloud said in place of a denial.
    pub evidence: Vec<String>,
}

/// An action about which nothing is left to say.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Settled {
    /// As policies write it.
    pub action: String,
    /// Where.
    pub regions: Vec<String>,
}

/// An action of which one region did not tell.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Unknown {
    /// As policies write it.
    pub action: String,
    /// Where.
    pub region: String,
    /// Why.
    pub why: String,
}

/// A region that did not take the key.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Refused {
    /// Which.
    pub region: String,
    /// The bounded cause.
    pub reason: &'static str,
    /// In words, with what to do about it.
    pub error: String,
}

/// Audits an account through its clients, one for each region.
pub async fn audit(account: &Account, clients: &[Client]) -> Audit {
    let probes = probe::probes(account.provider);
    let mut audit = Audit::new(account, clients, &probes);
    let (identity, rest): (Vec<_>, Vec<_>) = probes
        .iter()
        .copied()
        .partition(|probe| probe.action.service == Service::Iam);
    let one_iam = account.provider.has_one_iam();
    let mut taken = None;
    for client in clients {
        let probes = if one_iam { &rest } else { &probes };
        if audit.add(client.region(), examine(client, probes).await) {
            taken.get_or_insert(client);
        }
    }
    // Where every region refused the key, another try of it is one too many.
    if one_iam && let Some(client) = taken {
        audit.add(EVERYWHERE, examine(client, &identity).await);
    }
    audit.concluded(account)
}

/// How many calls an audit makes in each of so many regions.
pub fn calls(provider: Provider, regions: usize) -> Vec<usize> {
    let probes = probe::probes(provider);
    let identity = probes
        .iter()
        .filter(|probe| probe.action.service == Service::Iam)
        .count();
    (0..regions)
        .map(|index| {
            let elsewhere = provider.has_one_iam() && index > 0;
            probes.len() - if elsewhere { identity } else { 0 }
        })
        .collect()
}

async fn examine(client: &Client, probes: &[&'static Probe]) -> Result<Vec<Finding>, Error> {
    let count = u32::try_from(probes.len()).unwrap_or(u32::MAX);
    // Twice the budget's time, since polls take their part of it.
    let time = TIME_LIMIT + client.least_time_for(count.saturating_mul(2));
    probe::examine(&client.until(Instant::now() + time), probes).await
}

impl Audit {
    fn new(account: &Account, clients: &[Client], probes: &[&Probe]) -> Self {
        Self {
            account: account.name.clone(),
            provider: account.provider,
            regions: clients.iter().map(|client| client.region().to_owned()).collect(),
            access_key_suffix: None,
            key_from: None,
            at: Timestamp::UNIX_EPOCH,
            outcome: Outcome::Unknown,
            tried: probes.iter().map(|probe| probe.action.policy_name()).collect(),
            excess: Vec::new(),
            denied: Vec::new(),
            absent: Vec::new(),
            unknown: Vec::new(),
            refused: Vec::new(),
        }
    }

    /// Adds what one region said; gives whether it took the key.
    fn add(&mut self, region: &str, findings: Result<Vec<Finding>, Error>) -> bool {
        let findings = match findings {
            Ok(findings) => findings,
            Err(error) => {
                self.refused.push(Refused {
                    region: region.to_owned(),
                    reason: error.reason().name(),
                    error: error.explained(),
                });
                return false;
            }
        };
        for Finding { action, verdict } in findings {
            match verdict {
                Verdict::Allowed(evidence) => self.add_excess(action, region, evidence),
                Verdict::Denied => settle(&mut self.denied, action, region),
                Verdict::Absent => settle(&mut self.absent, action, region),
                Verdict::Unknown(why) => self.unknown.push(Unknown {
                    action,
                    region: region.to_owned(),
                    why,
                }),
            }
        }
        true
    }

    fn add_excess(&mut self, action: String, region: &str, evidence: String) {
        if let Some(known) = self.excess.iter_mut().find(|known| known.action == action) {
            known.regions.push(region.to_owned());
            if !known.evidence.contains(&evidence) {
                known.evidence.push(evidence);
            }
            return;
        }
        self.excess.push(Excess {
            action,
            regions: vec![region.to_owned()],
            evidence: vec![evidence],
        });
    }

    fn concluded(mut self, account: &Account) -> Self {
        // Whoever reads it has the error among the refusals already.
        let key = account.key_in_force();
        self.key_from = key.as_ref().map(Current::from_where);
        self.access_key_suffix = key.map(|current| current.credentials.suffix().to_owned());
        let now = Timestamp::now();
        self.at = Timestamp::from_second(now.as_second()).unwrap_or(now);
        self.outcome = if !self.excess.is_empty() {
            Outcome::Excess
        } else if self.told_everything() {
            Outcome::Nothing
        } else {
            Outcome::Unknown
        };
        self
    }

    /// Whether the cloud told of every action in every region.
    pub fn told_everything(&self) -> bool {
        self.unknown.is_empty() && self.refused.is_empty()
    }

    /// Whether the key may certainly not do this, wherever it was tried.
    pub fn rules_out(&self, action: &str) -> bool {
        self.refused.is_empty()
            && !self.unknown.iter().any(|unknown| unknown.action == action)
            && !self.excess.iter().any(|excess| excess.action == action)
    }
}

fn settle(settled: &mut Vec<Settled>, action: String, region: &str) {
    match settled.iter_mut().find(|known| known.action == action) {
        Some(known) => known.regions.push(region.to_owned()),
        None => settled.push(Settled {
            action,
            regions: vec![region.to_owned()],
        }),
    }
}

/// The region of what has none.
const EVERYWHERE: &str = "global";

/// For one region, beside the budget's time: three services, each of which may be silent for three attempts.
const TIME_LIMIT: Duration = Duration::from_secs(5 * 60);

#[cfg(test)]
mod tests {
    use super::*;

    fn empty() -> Audit {
        Audit {
            account: "prod".to_owned(),
            provider: Provider::Aws,
            regions: Vec::new(),
            access_key_suffix: None,
            key_from: None,
            at: Timestamp::UNIX_EPOCH,
            outcome: Outcome::Unknown,
            tried: Vec::new(),
            excess: Vec::new(),
            denied: Vec::new(),
            absent: Vec::new(),
            unknown: Vec::new(),
            refused: Vec::new(),
        }
    }

    fn finding(action: &str, verdict: Verdict) -> Finding {
        Finding {
            action: action.to_owned(),
            verdict,
        }
    }

    #[test]
    fn regions_of_an_action_stand_together_and_its_evidence_once() {
        let mut audit = empty();
        let dry_run = || Verdict::Allowed("DryRunOperation".to_owned());
        audit.add("a", Ok(vec![finding("ec2:StopInstances", dry_run())]));
        audit.add("b", Ok(vec![finding("ec2:StopInstances", Verdict::Denied)]));
        audit.add("c", Ok(vec![finding("ec2:StopInstances", dry_run())]));
        let excess = Excess {
            action: "ec2:StopInstances".to_owned(),
            regions: vec!["a".to_owned(), "c".to_owned()],
            evidence: vec!["DryRunOperation".to_owned()],
        };
        assert_eq!(audit.excess, [excess]);
        assert_eq!(audit.denied[0].regions, ["b"]);
    }

    #[test]
    fn an_action_is_ruled_out_only_where_every_region_told() {
        let denied = |action: &str| finding(action, Verdict::Denied);
        let mut audit = empty();
        audit.add(
            "a",
            Ok(vec![denied("x"), denied("y"), finding("z", Verdict::Absent)]),
        );
        let unknown = Verdict::Unknown("silence".to_owned());
        audit.add("b", Ok(vec![denied("x"), finding("y", unknown), denied("z")]));
        assert!(audit.rules_out("x"));
        assert!(!audit.rules_out("y"));
        assert!(audit.rules_out("z"));
        assert!(!audit.told_everything());

        let locked = Error {
            action: &probe::probes(Provider::Aws)[0].action,
            key_suffix: None,
            attempts: 1,
            cause: crate::api::Cause::NoTime { waited_for: "x" },
        };
        assert!(!audit.add("c", Err(locked)));
        assert!(!audit.rules_out("x"));
    }

    #[test]
    fn identities_are_asked_for_once_where_they_are_the_same_everywhere() {
        assert_eq!(calls(Provider::Aws, 3), [19, 15, 15]);
        assert_eq!(calls(Provider::Outscale, 2), [19, 19]);
    }
}
