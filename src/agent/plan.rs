//! One account put together from its settings, ready to be watched in whatever region.

use std::sync::Arc;
use std::time::Duration;

use anyhow::{Context as _, bail};
use prometheus::Registry;
use tokio::sync::watch;

use super::keys::Keys;
use super::transports::Transports;
use super::warnings::{Warning, Warnings};
use crate::api::{self, Account, Client, Endpoints, Needs, Override, Service, Variant};
use crate::config::{self, Settings, Shard};
use crate::credentials::{ClientCertificate, Variables, certificate::Named};
use crate::identity::{self, Auditor};
use crate::joined::Joined;
use crate::poller::{self, Poll, Status, Watched};
use crate::provider::Provider;
use crate::resource::{Kind, Show};
use crate::resources;

/// What all accounts share while they are put together.
pub(super) struct Workshop {
    variables: Variables,
    audited: bool,
    api_metrics: Arc<api::Metrics>,
    poll_metrics: Arc<poller::Metrics>,
    audit_metrics: Arc<identity::Metrics>,
    pub(super) transports: Transports,
    pub(super) keys: Keys,
    /// What was found that the settings do not forbid.
    pub(super) warnings: Warnings,
}

/// One account, ready to be watched.
pub(super) struct Plan {
    pub(super) account: Arc<Account>,
    /// Where its enabled regions are asked for, if it is to be watched in all of them.
    pub(super) finder: Option<Client>,
    pub(super) shard: Option<Shard>,
    settings: config::Account,
    services: Vec<Service>,
    variant: Variant,
    kinds: Vec<(&'static Kind, Duration)>,
    pub(super) interval: Duration,
    stale_after: Duration,
    api_metrics: Arc<api::Metrics>,
    poll_metrics: Arc<poller::Metrics>,
    audit_metrics: Arc<identity::Metrics>,
}

/// One region of an account, about to be polled.
pub(super) struct Region {
    pub(super) client: Client,
    pub(super) joined: Arc<Joined>,
    pub(super) polls: Vec<Prepared>,
}

/// A poll, and the two ends of what is known of it.
pub(super) struct Prepared {
    pub(super) poll: Arc<Poll>,
    pub(super) status: watch::Sender<Status>,
    pub(super) watched: Watched,
}

impl Region {
    /// The polls that say which instances there are.
    pub(super) fn lists_of_instances(&self) -> impl Iterator<Item = &Prepared> {
        let lists = |prepared: &&Prepared| prepared.poll.kind.name == resources::instances::KIND.name;
        self.polls.iter().filter(lists)
    }
}

impl Workshop {
    pub(super) fn new(
        variables: &Variables,
        audited: bool,
        registry: &Registry,
    ) -> Result<Self, prometheus::Error> {
        let api_metrics = Arc::new(api::Metrics::register(registry)?);
        Ok(Self {
            variables: Arc::clone(variables),
            audited,
            keys: Keys::new(variables, &api_metrics),
            api_metrics,
            poll_metrics: Arc::new(poller::Metrics::register(registry)?),
            audit_metrics: Arc::new(identity::Metrics::register(registry)?),
            transports: Transports::default(),
            warnings: Warnings::default(),
        })
    }

    /// The environment.
    pub(super) fn variables(&self) -> &Variables {
        &self.variables
    }

    /// Begins anew with other settings: nothing of these accounts stays on the page.
    pub(super) fn begin_anew(&mut self, audited: bool, gone: &[String]) {
        self.audited = audited;
        for account in gone {
            self.api_metrics.forget(account);
            self.poll_metrics.forget(account);
            self.audit_metrics.forget(account);
        }
    }

    /// Puts an account together; nothing is sent yet. Reads its CA bundle, not its key.
    pub(super) fn plan(&mut self, settings: &Settings, account: &config::Account) -> anyhow::Result<Plan> {
        let services = services(account, self.audited)?;
        let variant = variant(account, &self.variables);
        let home = account.regions.is_every().then(|| home_region(&self.variables));
        let regions = home.as_slice().iter().chain(account.regions.listed());
        let endpoints: Vec<Endpoints> = regions
            .map(|region| endpoints(account, variant, region, &services))
            .collect::<anyhow::Result<_>>()?;
        let all = endpoints.iter().flat_map(Endpoints::iter);
        let certificate = client_certificate(account, &self.variables)?;
        for readable in certificate.iter().flat_map(|found| &found.readable) {
            self.warnings.add(Warning::Readable(readable.clone()));
        }
        let needs = Needs::of(all, account.ca_bundle.clone()).showing(certificate);
        let transport = self.transports.meeting(needs);
        let transport = transport.with_context(|| format!("account `{}`", account.name))?;
        let opened = Arc::new(Account::new(
            account.name.clone(),
            account.provider,
            transport,
            self.keys.credential(settings, account, &mut self.warnings)?,
            Arc::clone(&self.api_metrics),
        ));
        let finder = home.zip(endpoints.into_iter().next()).map(|(home, endpoints)| {
            Client::new(Arc::clone(&opened), home, endpoints, account.requests_per_second)
        });
        let kinds = account.kinds.iter().filter_map(|name| resources::kind(name));
        Ok(Plan {
            account: opened,
            finder,
            shard: settings.shard,
            services,
            variant,
            kinds: kinds
                .map(|kind| (kind, settings.interval_of(kind.name)))
                .collect(),
            interval: settings.interval,
            stale_after: settings.stale_after,
            settings: account.clone(),
            api_metrics: Arc::clone(&self.api_metrics),
            poll_metrics: Arc::clone(&self.poll_metrics),
            audit_metrics: Arc::clone(&self.audit_metrics),
        })
    }
}

impl Plan {
    /// The polls of a region: of each kind that the settings name.
    pub(super) fn region(&self, region: &str) -> anyhow::Result<Region> {
        let endpoints = endpoints(&self.settings, self.variant, region, &self.services)?;
        let client = match &self.finder {
            Some(finder) if finder.region() == region => finder.clone(),
            _ => Client::new(
                Arc::clone(&self.account),
                region.to_owned(),
                endpoints,
                self.settings.requests_per_second,
            ),
        };
        let joined = Arc::new(Joined::new(
            self.account.name.clone(),
            self.account.provider,
            region.to_owned(),
        ));
        let polls = (self.kinds.iter())
            .map(|(kind, interval)| self.poll(kind, *interval, &client, &joined))
            .collect();
        Ok(Region {
            client,
            joined,
            polls,
        })
    }

    /// The poll that finds the account's regions.
    pub(super) fn finding_poll(&self) -> Option<Prepared> {
        let finder = self.finder.as_ref()?;
        let nothing = Joined::new(
            self.account.name.clone(),
            self.account.provider,
            finder.region().to_owned(),
        );
        Some(self.poll(
            &resources::regions::KIND,
            self.interval,
            finder,
            &Arc::new(nothing),
        ))
    }

    /// Takes what is shown of a region that is polled no more off the page.
    pub(super) fn forget_region(&self, region: &str) {
        self.api_metrics.forget_region(&self.account.name, region);
        self.poll_metrics.forget_region(&self.account.name, region);
    }

    /// Takes what audits found off the page: the next finds it again.
    pub(super) fn forget_audits(&self) {
        self.audit_metrics.forget(&self.account.name);
    }

    /// The audits of the account in these regions.
    pub(super) fn auditor(&self, clients: Vec<Client>) -> Auditor {
        Auditor {
            account: Arc::clone(&self.account),
            clients,
            metrics: Arc::clone(&self.audit_metrics),
        }
    }

    fn poll(
        &self,
        kind: &'static Kind,
        interval: Duration,
        client: &Client,
        joined: &Arc<Joined>,
    ) -> Prepared {
        let settings = &self.settings;
        let poll = Poll {
            client: client.clone(),
            kind,
            interval,
            stale_after: self.stale_after,
            show: Show {
                tags: settings.tags.clone(),
                states: settings.state_series,
                selection: settings.selection.clone(),
                discovery_tags: settings.discovery_tags.clone(),
            },
            joined: Arc::clone(joined),
            metrics: Arc::clone(&self.poll_metrics),
        };
        let (status, watched) = poll.prepare();
        Prepared {
            poll: Arc::new(poll),
            status,
            watched,
        }
    }
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

/// Where AWS is asked which regions an account has enabled: where its own tools ask, else where it began.
pub(super) fn home_region(variables: &Variables) -> String {
    ["AWS_REGION", "AWS_DEFAULT_REGION"]
        .into_iter()
        .filter_map(|name| variables(name))
        .find(|region| !region.trim().is_empty())
        .map_or_else(|| "us-east-1".to_owned(), |region| region.trim().to_owned())
}

/// Which of AWS' endpoints are meant: as the settings say, or else as the environment does, which AWS' own tools read.
pub(super) fn variant(account: &config::Account, variables: &Variables) -> Variant {
    let by_environment = |name| {
        account.provider == Provider::Aws
            && variables(name).is_some_and(|value| value.trim().eq_ignore_ascii_case("true"))
    };
    Variant {
        fips: account
            .fips
            .unwrap_or_else(|| by_environment("AWS_USE_FIPS_ENDPOINT")),
        dual_stack: (account.dual_stack).unwrap_or_else(|| by_environment("AWS_USE_DUALSTACK_ENDPOINT")),
    }
}

fn endpoints(
    settings: &config::Account,
    variant: Variant,
    region: &str,
    services: &[Service],
) -> anyhow::Result<Endpoints> {
    let replaced = |service| replaced(settings, variant, service);
    Endpoints::resolve(settings.provider, region, services, replaced)
        .with_context(|| format!("account `{}`", settings.name))
}

/// What the settings say about the endpoint of a service.
pub(super) fn replaced(settings: &config::Account, variant: Variant, service: Service) -> Override {
    let (url, signing_name) = match service {
        Service::Ec2 => (&settings.endpoints.ec2, &settings.signing_names.ec2),
        Service::Elb | Service::ElbV2 => (&settings.endpoints.elb, &settings.signing_names.elb),
        Service::Iam => (&settings.endpoints.iam, &settings.signing_names.iam),
        Service::Sts => (&settings.endpoints.sts, &settings.signing_names.sts),
    };
    Override {
        url: url.clone(),
        signing_name: signing_name.clone(),
        variant,
    }
}

/// The services that an account's clients reach: those of its kinds, those that find its regions, and those of the
/// audit if there is one.
fn services(settings: &config::Account, audited: bool) -> anyhow::Result<Vec<Service>> {
    let mut services = Vec::new();
    let kinds = settings.kinds.iter().filter_map(|name| resources::kind(name));
    let kinds = kinds.chain(settings.regions.is_every().then_some(&resources::regions::KIND));
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

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use super::*;

    fn settings(kinds: &str) -> Settings {
        let file = tempfile::Builder::new().suffix(".toml").tempfile().unwrap();
        let text =
            format!("[[account]]\nname = \"a\"\nprovider = \"aws\"\nregions = [\"r\"]\nkinds = {kinds}\n");
        std::fs::write(file.path(), text).unwrap();
        config::load(Some(file.path()), &resources::registry(), &BTreeMap::new()).unwrap()
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
