//! The agent put together from its settings: accounts, clients, polls and the page over them.

use std::collections::HashMap;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use anyhow::{Context as _, bail};
use futures_util::future;
use prometheus::Registry;
use reqwest::Url;
use tokio::sync::watch;
use tokio::task::JoinSet;
use tracing::{error, warn};

use crate::api::{
    self, Account, Client, Credential, Endpoint, Endpoints, Needs, Override, Service, Teller, Transport,
};
use crate::config::{self, Settings};
use crate::credentials::{self, ClientCertificate, Found, Role, Source, Variables, certificate::Named};
use crate::exposition::{self, Page};
use crate::identity::{self, Audit, Auditor};
use crate::metric::Family;
use crate::poller::{self, Poll, Status, Watched};
use crate::provider::Provider;
use crate::resource::Show;
use crate::resources;

/// Everything that runs, before it runs.
pub struct Agent {
    /// The page over all polls.
    pub page: Arc<Page>,
    accounts: Vec<Arc<Account>>,
    polls: Vec<(Arc<Poll>, watch::Sender<Status>)>,
    /// One for each account, if there are to be audits.
    auditors: Vec<Arc<Auditor>>,
    audit_interval: Option<Duration>,
}

/// A poll of [`Agent::once`] that failed.
pub struct Failed {
    /// The `account` label.
    pub account: String,
    /// The `region` label.
    pub region: String,
    /// The `kind` label.
    pub kind: &'static str,
    /// Why.
    pub error: api::Error,
    /// The same for people, with what to do about it.
    pub explained: String,
}

/// Every family of the agent's own rooms.
pub fn own_families() -> Vec<&'static Family> {
    [
        &api::FAMILIES[..],
        &poller::FAMILIES,
        &identity::FAMILIES,
        &config::FAMILIES,
        &exposition::FAMILIES,
    ]
    .concat()
}

impl Agent {
    /// Builds clients and polls; nothing is sent yet. Reads the CA bundles, not the keys.
    pub fn new(settings: &Settings, variables: &Variables) -> anyhow::Result<Self> {
        Self::build(settings, variables, settings.audit_interval.is_some())
    }

    /// The same, able to audit whatever the settings say of that.
    pub fn auditing(settings: &Settings, variables: &Variables) -> anyhow::Result<Self> {
        Self::build(settings, variables, true)
    }

    fn build(settings: &Settings, variables: &Variables, audited: bool) -> anyhow::Result<Self> {
        let registry = Registry::new();
        let api_metrics = Arc::new(api::Metrics::register(&registry)?);
        let poll_metrics = Arc::new(poller::Metrics::register(&registry)?);
        let audit_metrics = Arc::new(identity::Metrics::register(&registry)?);
        let mut transports: HashMap<Needs, Transport> = HashMap::new();
        let mut credentials: HashMap<KeyPlace, Arc<Credential>> = HashMap::new();
        let (mut accounts, mut polls, mut watched) = (Vec::new(), Vec::new(), Vec::new());
        let mut auditors = Vec::new();
        for account_settings in &settings.accounts {
            let services = services(account_settings, audited)?;
            let places: Vec<Place> = account_settings
                .regions
                .iter()
                .map(|region| place(account_settings, region, &services))
                .collect::<anyhow::Result<_>>()?;
            let endpoints = places.iter().flat_map(|(_, endpoints)| endpoints.iter());
            let needs = Needs::of(endpoints, account_settings.ca_bundle.clone())
                .showing(client_certificate(account_settings, variables)?);
            let transport = match transports.get(&needs) {
                Some(transport) => transport.clone(),
                None => {
                    Transport::new(&needs).with_context(|| format!("account `{}`", account_settings.name))?
                }
            };
            transports.insert(needs, transport.clone());
            let account = Arc::new(Account::new(
                account_settings.name.clone(),
                account_settings.provider,
                transport,
                credential(
                    &mut credentials,
                    account_settings,
                    settings,
                    variables,
                    &api_metrics,
                )?,
                Arc::clone(&api_metrics),
            ));
            let rate = account_settings.requests_per_second;
            let clients: Vec<Client> = places
                .into_iter()
                .map(|(region, endpoints)| Client::new(Arc::clone(&account), region, endpoints, rate))
                .collect();
            for client in &clients {
                for kind in account_settings
                    .kinds
                    .iter()
                    .filter_map(|name| resources::kind(name))
                {
                    let poll = Poll {
                        client: client.clone(),
                        kind,
                        interval: settings.interval_of(kind.name),
                        stale_after: settings.stale_after,
                        show: Show {
                            tags: account_settings.tags.clone(),
                            states: account_settings.state_series,
                        },
                        metrics: Arc::clone(&poll_metrics),
                    };
                    let (sender, seen) = poll.prepare();
                    polls.push((Arc::new(poll), sender));
                    watched.push(seen);
                }
            }
            if audited {
                auditors.push(Arc::new(Auditor {
                    account: Arc::clone(&account),
                    clients,
                    metrics: Arc::clone(&audit_metrics),
                }));
            }
            accounts.push(account);
        }
        config::Metrics::register(&registry)?.loaded();
        let page = Arc::new(Page::new(registry, watched, settings.stale_after)?);
        Ok(Self {
            page,
            accounts,
            polls,
            auditors,
            audit_interval: settings.audit_interval,
        })
    }

    /// Looks once where every account's key comes from, and gives that. Asks nobody for one.
    pub fn places(&self) -> Vec<(&str, Result<Found, credentials::Error>)> {
        let of = |account: &'_ Arc<Account>| account.place();
        self.accounts
            .iter()
            .map(|account| (account.name.as_str(), of(account)))
            .collect()
    }

    /// Makes sure that there is a place for an account's key to come from. Accounts without one are told of and go on
    /// looking for it; an error when there is none at all.
    pub async fn find_keys(&self) -> Result<(), credentials::Error> {
        let looked = self.accounts.iter().map(|account| account.has_place());
        let looked = future::join_all(looked).await;
        let names = self.accounts.iter().map(|account| account.name.as_str());
        some_found(names.zip(looked).collect())
    }

    /// Starts every poll, and the audits that the settings ask for; they end when the set is dropped.
    pub fn start(self) -> JoinSet<()> {
        let mut tasks = JoinSet::new();
        if let Some(interval) = self.audit_interval {
            for auditor in self.auditors {
                let of_account = |watched: &&Watched| watched.account == auditor.account.name;
                let polls: Vec<Watched> = self.page.watched().iter().filter(of_account).cloned().collect();
                tasks.spawn(keep_auditing(auditor, polls, interval));
            }
        }
        for (poll, status) in self.polls {
            tasks.spawn(keep_polling(poll, status));
        }
        tasks
    }

    /// Polls everything once, all at the same time, and gives the polls that failed.
    pub async fn once(&self) -> Vec<Failed> {
        let outcomes = self.polls.iter().map(async |(poll, status)| {
            let error = poll.once(status).await.err()?;
            let (account, region) = (
                poll.client.account().name.clone(),
                poll.client.region().to_owned(),
            );
            Some(Failed {
                account,
                region,
                kind: poll.kind.name,
                explained: poll.explained(&error),
                error,
            })
        });
        future::join_all(outcomes).await.into_iter().flatten().collect()
    }

    /// Audits every account once, all at the same time.
    pub async fn audit(&self) -> Vec<Audit> {
        future::join_all(self.auditors.iter().map(|auditor| auditor.once())).await
    }
}

/// Audits once the polls had the first word: they tell whether the key is any good, and are what people wait for.
async fn keep_auditing(auditor: Arc<Auditor>, polls: Vec<Watched>, interval: Duration) {
    let first_polls = future::join_all(polls.iter().map(Watched::tried));
    // What they did not tell by then, the audit finds out itself.
    tokio::time::timeout(FIRST_POLLS, first_polls).await.ok();
    auditor.run(interval).await;
}

/// A fault of ours in one kind does not take the others down, and does not end it for good.
async fn keep_polling(poll: Arc<Poll>, status: watch::Sender<Status>) {
    let status = Arc::new(status);
    loop {
        let (running, told) = (Arc::clone(&poll), Arc::clone(&status));
        let mut task = JoinSet::new();
        task.spawn(async move { running.run(&told).await });
        if let Some(Err(fault)) = task.join_next().await {
            let (account, region) = (&poll.client.account().name, poll.client.region());
            error!(
                account,
                region,
                kind = poll.kind.name,
                "polling broke down and begins again: {fault}"
            );
            poll.broke_down(&status);
        }
        tokio::time::sleep(poll.interval).await;
    }
}

/// An error when every account is without a place for its key; a warning for each of some.
pub fn some_found(looked: Vec<(&str, Result<(), credentials::Error>)>) -> Result<(), credentials::Error> {
    let accounts = looked.len();
    let mut missing: Vec<_> = (looked.into_iter())
        .filter_map(|(account, found)| Some((account, found.err()?)))
        .collect();
    if missing.len() == accounts
        && let Some((_, reason)) = missing.pop()
    {
        return Err(reason);
    }
    for (account, reason) in missing {
        warn!(account, "no usable key, looking again at each poll: {reason}");
    }
    Ok(())
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

/// The account's credential, which it shares with every account that finds its key in the same place.
fn credential(
    known: &mut HashMap<KeyPlace, Arc<Credential>>,
    account: &config::Account,
    settings: &Settings,
    variables: &Variables,
    metrics: &Arc<api::Metrics>,
) -> anyhow::Result<Arc<Credential>> {
    let place = key_place(account);
    if let Some(credential) = known.get(&place) {
        return Ok(Arc::clone(credential));
    }
    let sharing = settings.accounts.iter().filter(|other| key_place(other) == place);
    let regions = sharing.map(|other| other.regions.len()).sum();
    let source = Source::new(
        account.provider,
        account.credentials_file.clone(),
        account.profile.clone(),
        Arc::clone(variables),
    );
    let teller = Teller {
        endpoint: sts(account, variables)?,
        ca_bundle: account.ca_bundle.clone(),
        metrics: Arc::clone(metrics),
    };
    let source = source.assuming(account.assume_role.clone());
    let credential = Arc::new(Credential::new(account.provider, regions, source, teller));
    known.insert(place, Arc::clone(&credential));
    Ok(credential)
}

/// The certificate that an account's endpoints are shown.
fn client_certificate(
    settings: &config::Account,
    variables: &Variables,
) -> anyhow::Result<Option<ClientCertificate>> {
    let named = Named {
        certificate: settings.client_certificate.as_deref(),
        key: settings.client_key.as_deref(),
    };
    let (file, profile) = (settings.credentials_file.as_deref(), settings.profile.as_deref());
    ClientCertificate::find(settings.provider, named, file, profile, variables)
        .with_context(|| format!("account `{}`", settings.name))
}

/// Where an account's roles are put on: in its first region, unless the settings or the environment of AWS's own tools
/// say otherwise.
fn sts(settings: &config::Account, variables: &Variables) -> anyhow::Result<Option<Endpoint>> {
    let (Provider::Aws, Some(region)) = (settings.provider, settings.regions.first()) else {
        return Ok(None);
    };
    let mut replaced = replaced(settings, Service::Sts);
    if replaced.url.is_none() {
        let set = STS_VARIABLES
            .iter()
            .find_map(|name| Some((name, variables(name).filter(|url| !url.is_empty())?)));
        replaced.url = set
            .map(|(name, url)| url.parse().with_context(|| format!("{name} is no URL")))
            .transpose()?;
    }
    let endpoint = Endpoint::resolve(settings.provider, Service::Sts, region, &replaced);
    endpoint
        .map(Some)
        .with_context(|| format!("account `{}`", settings.name))
}

/// A region and the endpoints of its services.
type Place = (String, Endpoints);

fn place(settings: &config::Account, region: &str, services: &[Service]) -> anyhow::Result<Place> {
    let replaced = |service| replaced(settings, service);
    let endpoints = Endpoints::resolve(settings.provider, region, services, replaced)
        .with_context(|| format!("account `{}`", settings.name))?;
    Ok((region.to_owned(), endpoints))
}

/// What the settings put in place of the table's entry of a service.
fn replaced(settings: &config::Account, service: Service) -> Override {
    let (url, signing_name) = match service {
        Service::Ec2 => (&settings.endpoints.ec2, &settings.signing_names.ec2),
        Service::Elb => (&settings.endpoints.elb, &settings.signing_names.elb),
        Service::Iam => (&settings.endpoints.iam, &settings.signing_names.iam),
        Service::Sts => (&settings.endpoints.sts, &settings.signing_names.sts),
    };
    Override {
        url: url.clone(),
        signing_name: signing_name.clone(),
    }
}

/// The services that an account's clients reach: those of its kinds, and those of the audit if there is one.
fn services(settings: &config::Account, audited: bool) -> anyhow::Result<Vec<Service>> {
    let mut services = Vec::new();
    let kinds = settings.kinds.iter().filter_map(|name| resources::kind(name));
    let of_kinds = kinds.flat_map(|kind| kind.actions).map(|action| action.service);
    let of_audit = [Service::Ec2, Service::Elb, Service::Iam].into_iter();
    for service in of_kinds.chain(of_audit.filter(|_| audited)) {
        if !services.contains(&service) {
            services.push(service);
        }
    }
    // A key of a cloud of one's own, sent to the provider's, is refused there, and then held back everywhere.
    let own = [
        &settings.endpoints.ec2,
        &settings.endpoints.elb,
        &settings.endpoints.iam,
    ];
    if audited
        && own.iter().any(|url| url.is_some())
        && let Some(missing) = own.iter().position(|url| url.is_none())
    {
        bail!(
            "account `{}`: `endpoints` says where some services answer and not where `{}` does, which the audit asks too: \
             add it",
            settings.name,
            ["ec2", "elb", "iam"][missing]
        );
    }
    Ok(services)
}

/// The more special one wins, as for AWS's own tools.
const STS_VARIABLES: [&str; 2] = ["AWS_ENDPOINT_URL_STS", "AWS_ENDPOINT_URL"];

/// A first listing of ten thousand instances takes some seconds.
const FIRST_POLLS: Duration = Duration::from_secs(30);

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use super::*;

    fn settings(kinds: &str) -> Settings {
        let file = tempfile::Builder::new().suffix(".toml").tempfile().unwrap();
        let text =
            format!("[[account]]\nname = \"a\"\nprovider = \"aws\"\nregions = [\"r\"]\nkinds = {kinds}\n");
        std::fs::write(file.path(), text).unwrap();
        let registry: Vec<_> = resources::KINDS.map(|kind| (kind.name, kind.providers)).to_vec();
        config::load(Some(file.path()), &registry, &BTreeMap::new()).unwrap()
    }

    #[test]
    fn only_the_audit_reaches_more_than_the_kinds_need() {
        let account = &settings("[\"instances\"]").accounts[0];
        assert_eq!(services(account, false).unwrap(), [Service::Ec2]);
        let audited = [Service::Ec2, Service::Elb, Service::Iam];
        assert_eq!(services(account, true).unwrap(), audited);
        let account = &settings("[\"load_balancers\"]").accounts[0];
        assert_eq!(services(account, false).unwrap(), [Service::Elb]);
    }
}
