//! One account put together from its settings, ready to be watched in whatever region.

use std::sync::Arc;
use std::time::Duration;

use anyhow::Context as _;
use prometheus::Registry;
use tokio::sync::watch;

use super::Part;
use super::keys::Keys;
use super::services::services;
use super::transports::Transports;
use super::warnings::{Warning, Warnings};
use crate::api::{
    self, Account, Client, Credential, Endpoints, Needs, Override, Service, Transport, Variant,
};
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

/// All of an account that something can be wrong with, found to be good. Files are read for it, and nothing of it is on
/// the page.
pub(super) struct Draft {
    settings: config::Account,
    services: Vec<Service>,
    variant: Variant,
    /// Where its enabled regions are asked for, if it is to be watched in all of them.
    home: Option<(String, Endpoints)>,
    /// Those that the settings name and this process polls.
    regions: Vec<(String, Endpoints)>,
    transport: Arc<Transport>,
}

/// One account, ready to be watched.
pub(super) struct Plan {
    pub(super) account: Arc<Account>,
    /// Where its enabled regions are asked for, if it is to be watched in all of them.
    pub(super) finder: Option<Client>,
    pub(super) shard: Option<Shard>,
    pub(super) draft: Draft,
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
        transports: Transports,
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
            transports,
            warnings: Warnings::default(),
        })
    }

    /// The environment.
    pub(super) fn variables(&self) -> &Variables {
        &self.variables
    }

    /// Goes on with what other settings were tried with: what was read for that is in force, whatever the files hold by
    /// now.
    pub(super) fn begin_anew(&mut self, tried: Self) {
        self.audited = tried.audited;
        self.transports = tried.transports;
        self.warnings = tried.warnings;
    }

    /// Takes what is counted of an account off the page.
    pub(super) fn forget(&self, account: &str) {
        self.api_metrics.forget(account);
        self.poll_metrics.forget(account);
        self.audit_metrics.forget(account);
    }

    /// The account's credential.
    pub(super) fn credential(
        &mut self,
        settings: &Settings,
        account: &config::Account,
    ) -> anyhow::Result<Arc<Credential>> {
        self.keys.credential(settings, account, &mut self.warnings)
    }

    /// Finds out whether an account can be put together. Reads its CA bundle, not its key.
    pub(super) fn draft(&mut self, part: &Part<'_>) -> anyhow::Result<Draft> {
        let account = part.account;
        let services = services(account, self.audited)?;
        let variant = variant(account, &self.variables);
        let home = account.regions.is_every().then(|| home_region(&self.variables));
        let in_region = |region: &String| {
            let endpoints = endpoints(account, variant, region, &services)?;
            anyhow::Ok((region.clone(), endpoints))
        };
        let home = home.as_ref().map(in_region).transpose()?;
        let listed = account.regions.listed().iter().map(in_region);
        let mut regions: Vec<_> = listed.collect::<anyhow::Result<_>>()?;
        let all = home
            .iter()
            .chain(&regions)
            .flat_map(|(_, endpoints)| endpoints.iter());
        let certificate = client_certificate(account, &self.variables)?;
        for readable in certificate.iter().flat_map(|found| &found.readable) {
            self.warnings.add(Warning::Readable(readable.clone()));
        }
        let needs = Needs::of(all, account.ca_bundle.clone()).showing(certificate);
        let transport = self.transports.meeting(needs);
        let transport = transport.with_context(|| format!("account `{}`", account.name))?;
        regions.retain(|(region, _)| part.regions.contains(region));
        Ok(Draft {
            settings: account.clone(),
            services,
            variant,
            home,
            regions,
            transport,
        })
    }

    /// Puts an account together; nothing is sent yet. From here on it is on the page.
    pub(super) fn plan(&self, settings: &Settings, draft: Draft, credential: Arc<Credential>) -> Plan {
        let account = Arc::new(Account::new(
            draft.settings.name.clone(),
            draft.settings.provider,
            Arc::clone(&draft.transport),
            credential,
            Arc::clone(&self.api_metrics),
        ));
        let home = draft.home.clone();
        let finder = home.map(|(home, endpoints)| draft.client(&account, home, endpoints));
        let kinds = (draft.settings.kinds.iter()).filter_map(|name| resources::kind(name));
        Plan {
            account,
            finder,
            shard: settings.shard,
            kinds: kinds
                .map(|kind| (kind, settings.interval_of(kind.name)))
                .collect(),
            interval: settings.interval,
            stale_after: settings.stale_after,
            draft,
            api_metrics: Arc::clone(&self.api_metrics),
            poll_metrics: Arc::clone(&self.poll_metrics),
            audit_metrics: Arc::clone(&self.audit_metrics),
        }
    }
}

impl Draft {
    /// The `account` label.
    pub(super) fn name(&self) -> &str {
        &self.settings.name
    }

    fn client(&self, account: &Arc<Account>, region: String, endpoints: Endpoints) -> Client {
        Client::new(
            Arc::clone(account),
            region,
            endpoints,
            self.settings.requests_per_second,
        )
    }
}

impl Plan {
    /// The regions that the settings name and this process polls.
    pub(super) fn listed(&self) -> Vec<Region> {
        let listed = self.draft.regions.iter().cloned();
        listed
            .map(|(region, endpoints)| self.opened(&region, endpoints))
            .collect()
    }

    /// A region by whatever name.
    pub(super) fn region(&self, region: &str) -> anyhow::Result<Region> {
        let Draft {
            settings,
            variant,
            services,
            ..
        } = &self.draft;
        let endpoints = endpoints(settings, *variant, region, services)?;
        Ok(self.opened(region, endpoints))
    }

    /// The polls of a region: of each kind that the settings name.
    fn opened(&self, region: &str, endpoints: Endpoints) -> Region {
        let client = match &self.finder {
            Some(finder) if finder.region() == region => finder.clone(),
            _ => self.draft.client(&self.account, region.to_owned(), endpoints),
        };
        let joined = Arc::new(Joined::new(
            self.account.name.clone(),
            self.account.provider,
            region.to_owned(),
        ));
        let polls = (self.kinds.iter())
            .map(|(kind, interval)| self.poll(kind, *interval, &client, &joined))
            .collect();
        Region {
            client,
            joined,
            polls,
        }
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
        let settings = &self.draft.settings;
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
