//! The keys of all accounts: one credential for each place where a key is found.

use std::collections::{HashMap, HashSet};
use std::path::PathBuf;
use std::sync::Arc;

use anyhow::Context as _;
use reqwest::Url;
use tracing::warn;

use super::plan::{home_region, replaced};
use crate::api::{self, Credential, Endpoint, Service, Teller, Variant};
use crate::config::{self, Settings};
use crate::credentials::{Role, Source, Variables};
use crate::provider::Provider;

/// What is known of every key.
pub(super) struct Keys {
    variables: Variables,
    metrics: Arc<api::Metrics>,
    credentials: HashMap<KeyPlace, Arc<Credential>>,
}

impl Keys {
    pub(super) fn new(variables: &Variables, metrics: &Arc<api::Metrics>) -> Self {
        Self {
            variables: Arc::clone(variables),
            metrics: Arc::clone(metrics),
            credentials: HashMap::new(),
        }
    }

    /// The account's credential, which it shares with every account that finds its key in the same place.
    pub(super) fn credential(
        &mut self,
        settings: &Settings,
        account: &config::Account,
        variant: Variant,
    ) -> anyhow::Result<Arc<Credential>> {
        let place = key_place(account);
        if let Some(credential) = self.credentials.get(&place) {
            return Ok(Arc::clone(credential));
        }
        let processes = processes_with(settings, &place);
        if let Some(limit) = account
            .provider
            .lock_out_after()
            .filter(|limit| processes >= *limit)
        {
            warn!(
                account = account.name,
                processes,
                "so many shards use this key that, were it refused, they would lock the account's authentication \
                 ({limit} refusals in a row do): give them keys of their own, or fewer shards"
            );
        }
        let sharing = (settings.accounts.iter()).filter(|other| key_place(other) == place);
        let regions = sharing.map(|other| other.regions.listed().len()).sum();
        let source = Source::new(
            account.provider,
            account.credentials_file.clone(),
            account.profile.clone(),
            Arc::clone(&self.variables),
        );
        let teller = Teller {
            endpoint: sts(account, variant, &self.variables)?,
            ca_bundle: account.ca_bundle.clone(),
            metrics: Arc::clone(&self.metrics),
        };
        let source = source.assuming(account.assume_role.clone());
        let credential = Credential::new(account.provider, regions, source, teller);
        let credential = Arc::new(credential.shared_by(account.provider, processes));
        self.credentials.insert(place, Arc::clone(&credential));
        Ok(credential)
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
