//! Where the identity is made and tried: a provider, its regions, and who speaks there.

use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use anyhow::Context as _;
use prometheus::Registry;
use reqwest::Url;
use tokio::time::Instant;

use crate::api::{
    self, Account, Client, Credential, Endpoints, Needs, Override, Service, Teller, Transport, Users,
};
use crate::credentials::{ClientCertificate, Credentials, Source};
use crate::provider::Provider;

/// A cloud account, by where it is reached.
#[derive(Debug, Clone)]
pub struct Place {
    /// The cloud.
    pub provider: Provider,
    /// The regions that the agent will poll: at least one. Identities are made through the first.
    pub regions: Vec<String>,
    /// One URL for all services, in place of the provider's own.
    pub endpoint_url: Option<Url>,
    /// The certificates to trust in place of the platform's.
    pub ca_bundle: Option<PathBuf>,
    /// The certificate to show to every endpoint.
    pub client_certificate: Option<ClientCertificate>,
    /// The most requests a second in each region.
    pub requests_per_second: f64,
}

impl Place {
    /// A client that signs with a key of this source, in each region.
    pub fn clients(&self, source: Source) -> anyhow::Result<Vec<Client>> {
        self.clients_by_clock(source, 0)
    }

    /// The same for one key that is in memory, signing by a clock that is off by so many seconds.
    pub fn clients_with(&self, credentials: &Credentials, skew: i64) -> anyhow::Result<Vec<Client>> {
        let source = Source::fixed(self.provider, credentials.clone(), "new key");
        self.clients_by_clock(source, skew)
    }

    fn clients_by_clock(&self, source: Source, skew: i64) -> anyhow::Result<Vec<Client>> {
        let services: &[Service] = match self.provider {
            Provider::Outscale => &[Service::Ec2, Service::Elb, Service::Iam],
            Provider::Aws => &[
                Service::Ec2,
                Service::Elb,
                Service::ElbV2,
                Service::Iam,
                Service::Sts,
            ],
        };
        let replaced = |_| Override {
            url: self.endpoint_url.clone(),
            ..Override::default()
        };
        let regions = self.regions.iter().map(|region| {
            let endpoints = Endpoints::resolve(self.provider, region, services, replaced)?;
            Ok((region.clone(), endpoints))
        });
        let regions: Vec<(String, Endpoints)> = regions.collect::<anyhow::Result<_>>()?;
        let endpoints = regions.iter().flat_map(|(_, endpoints)| endpoints.iter());
        let needs = Needs::of(endpoints, self.ca_bundle.clone());
        let transport = Transport::new(&needs.showing(self.client_certificate.clone()))?;
        // Nobody scrapes a command that ends.
        let metrics = api::Metrics::register(&Registry::new()).context("counting the requests")?;
        let metrics = Arc::new(metrics);
        let teller = Teller {
            endpoint: (regions.first()).and_then(|(_, endpoints)| endpoints.of(Service::Sts).cloned()),
            ca_bundle: self.ca_bundle.clone(),
            metrics: Arc::clone(&metrics),
        };
        let users = Users {
            regions: regions.len(),
            processes: 1,
        };
        let credential = Credential::new(self.provider, users, source, teller).with_skew(skew);
        let account = Arc::new(Account::new(
            "default".to_owned(),
            self.provider,
            transport,
            Arc::new(credential),
            metrics,
        ));
        let client = |(region, endpoints)| {
            Client::new(Arc::clone(&account), region, endpoints, self.requests_per_second)
        };
        Ok(regions.into_iter().map(client).collect())
    }
}

/// The client with the time that one call of a command may take, its retries included.
pub(super) fn in_time(client: &Client) -> Client {
    client.until(Instant::now() + CALL_TIMEOUT)
}

/// Three attempts of twenty seconds and the waits between them.
const CALL_TIMEOUT: Duration = Duration::from_secs(90);
