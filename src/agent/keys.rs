//! The keys of all accounts: one credential for each place where a key is found.

use std::collections::{HashMap, HashSet};
use std::path::PathBuf;
use std::sync::{Arc, Weak};

use anyhow::Context as _;
use reqwest::Url;

use super::parts;
use super::plan::{home_region, replaced, variant};
use super::warnings::{Warning, Warnings};
#[cfg(test)]
use crate::api::breaker::Breaker;
use crate::api::{self, Credential, Endpoint, Place, Service, Standings, Teller, Users, Variant};
use crate::config::{self, Settings};
use crate::credentials::{Role, Source, Variables};
use crate::provider::Provider;

/// What is known of every key.
pub(super) struct Keys {
    variables: Variables,
    metrics: Arc<api::Metrics>,
    places: HashMap<KeyPlace, Known>,
    standings: Arc<Standings>,
}

/// What is known of the key in one place. The key itself is let go, and so wiped, once no account uses it.
struct Known {
    credential: Weak<Credential>,
    /// It outlives the key, since the cloud goes on counting refusals.
    place: Arc<Place>,
}

impl Keys {
    pub(super) fn new(variables: &Variables, metrics: &Arc<api::Metrics>) -> Self {
        Self {
            variables: Arc::clone(variables),
            metrics: Arc::clone(metrics),
            places: HashMap::new(),
            standings: Arc::default(),
        }
    }

    /// The account's credential, which it shares with every account that finds its key in the same place.
    pub(super) fn credential(
        &mut self,
        settings: &Settings,
        account: &config::Account,
        warnings: &mut Warnings,
    ) -> anyhow::Result<Arc<Credential>> {
        let place = key_place(account);
        let known = self.places.get(&place);
        if let Some(credential) = known.and_then(|known| known.credential.upgrade()) {
            return Ok(credential);
        }
        let users = users(settings, &place);
        if let Some(limit) = account
            .provider
            .lock_out_after()
            .filter(|limit| users.processes >= *limit)
        {
            warnings.add(Warning::Crowded {
                account: account.name.clone(),
                processes: users.processes,
                limit,
            });
        }
        let source = Source::new(
            account.provider,
            account.credentials_file.clone(),
            account.profile.clone(),
            Arc::clone(&self.variables),
        );
        let source = source.assuming(account.assume_role.clone());
        let credential = Credential::new(account.provider, users, source, self.teller(account)?);
        let before = known.map(|known| known.place.breaker());
        let credential = Arc::new(credential.among(&self.standings, before.as_deref()));
        let known = Known {
            credential: Arc::downgrade(&credential),
            place: credential.place(),
        };
        self.places.insert(place, known);
        Ok(credential)
    }

    /// Takes other settings for every key that is in use and stays so. Gives these, which are not to be let go while
    /// their accounts begin anew; an error when something is wrong with the settings, none of which is taken then.
    pub(super) fn adopt(&self, settings: &Settings) -> anyhow::Result<Vec<Arc<Credential>>> {
        let parts = parts(settings);
        let mut adopted = Vec::new();
        for (place, known) in &self.places {
            let mut accounts = parts.iter().map(|part| part.account);
            let first = accounts.find(|account| key_place(account) == *place);
            if let Some((first, credential)) = first.zip(known.credential.upgrade()) {
                adopted.push((credential, users(settings, place), self.teller(first)?));
            }
        }
        let adopted = adopted.into_iter().map(|(credential, users, teller)| {
            credential.adopt(users, teller);
            credential
        });
        Ok(adopted.collect())
    }

    /// Forgets the places of keys that nobody uses, unless the cloud may still count refusals there.
    pub(super) fn forget_unused(&mut self) {
        self.places
            .retain(|_, known| known.credential.strong_count() > 0 || known.place.breaker().has_strikes());
    }

    /// The keys that are known, each with what is known of its refusals.
    #[cfg(test)]
    pub(super) fn known(&self) -> impl Iterator<Item = (Weak<Credential>, Arc<Breaker>)> {
        let known = self.places.values();
        known.map(|known| (Weak::clone(&known.credential), known.place.breaker()))
    }

    fn teller(&self, account: &config::Account) -> anyhow::Result<Teller> {
        Ok(Teller {
            endpoint: sts(account, variant(account, &self.variables), &self.variables)?,
            ca_bundle: account.ca_bundle.clone(),
            metrics: Arc::clone(&self.metrics),
        })
    }
}

/// Where a key is found: provider, file and profile, and a role to put on with it, somewhere.
type KeyPlace = (
    Provider,
    Option<PathBuf>,
    Option<String>,
    Option<Role>,
    Option<Url>,
);

fn key_place(account: &config::Account) -> KeyPlace {
    (
        account.provider,
        account.credentials_file.clone(),
        account.profile.clone(),
        account.assume_role.clone(),
        account.endpoints.sts.clone(),
    )
}

/// Who uses the key of a place.
fn users(settings: &Settings, place: &KeyPlace) -> Users {
    let sharing = (settings.accounts.iter()).filter(|account| key_place(account) == *place);
    Users {
        regions: sharing.map(|account| account.regions.listed().len()).sum(),
        processes: processes_with(settings, place),
    }
}

/// How many processes use a key: each shard that has a region of an account with it.
fn processes_with(settings: &Settings, place: &KeyPlace) -> u32 {
    let Some(shard) = settings.shard else {
        return 1;
    };
    let mut numbers = 0..;
    let mut shards = HashSet::new();
    for account in &settings.accounts {
        let own: Vec<u32> = (account.regions.listed().iter())
            .zip(numbers.by_ref())
            .map(|(_, number)| number % shard.total)
            .collect();
        if key_place(account) == *place {
            if account.regions.is_every() {
                return shard.total;
            }
            shards.extend(own);
        }
    }
    u32::try_from(shards.len()).unwrap_or(u32::MAX).max(1)
}

/// Where an account's roles are put on: in its first region, unless the settings or the environment of AWS's own tools
/// say otherwise.
fn sts(
    settings: &config::Account,
    variant: Variant,
    variables: &Variables,
) -> anyhow::Result<Option<Endpoint>> {
    if settings.provider != Provider::Aws {
        return Ok(None);
    }
    let first = settings.regions.listed().first().cloned();
    let region = first.unwrap_or_else(|| home_region(variables));
    let mut replaced = replaced(settings, variant, Service::Sts);
    if replaced.url.is_none() {
        let set = STS_VARIABLES
            .iter()
            .find_map(|name| Some((name, variables(name).filter(|url| !url.is_empty())?)));
        replaced.url = set
            .map(|(name, url)| url.parse().with_context(|| format!("{name} is no URL")))
            .transpose()?;
    }
    let endpoint = Endpoint::resolve(settings.provider, Service::Sts, &region, &replaced);
    endpoint
        .map(Some)
        .with_context(|| format!("account `{}`", settings.name))
}

/// The more special one wins, as for AWS's own tools.
const STS_VARIABLES: [&str; 2] = ["AWS_ENDPOINT_URL_STS", "AWS_ENDPOINT_URL"];
