//! Where to go, and with whose key.

use std::io::Read as _;
use std::path::{Path, PathBuf};

use clap::Args;
use secrecy::zeroize::Zeroizing;

use super::super::{Failure, PlaceArguments, no_provider};
use crate::config::{self, OneAccount};
use crate::credentials::{self, ClientCertificate, Source, certificate::Named};
use crate::identity::Place;
use crate::provider::Provider;
use crate::resources;

/// Which account, and the key of an admin of it.
#[derive(Debug, Args)]
pub(super) struct AdminArguments {
    #[command(flatten)]
    place: PlaceArguments,
    /// Certificates to trust in place of the platform's.
    #[arg(long, value_name = "FILE")]
    ca_bundle: Option<PathBuf>,
    /// The profile of the admin's key, in the provider's usual files.
    #[arg(long, value_name = "NAME")]
    admin_profile: Option<String>,
    /// The file with the admin's key, `-` for stdin [default: the provider's usual environment and files].
    #[arg(long, value_name = "FILE")]
    admin_credentials: Option<PathBuf>,
}

impl AdminArguments {
    pub(super) fn provider(&self) -> Result<Provider, Failure> {
        self.place.provider().ok_or_else(no_provider)
    }

    /// The account's place, checked as the agent checks it.
    pub(super) fn place(&self) -> Result<Place, Failure> {
        let one = OneAccount {
            provider: self.provider()?,
            regions: self.place.regions(),
            credentials_file: None,
            profile: None,
            endpoint_url: self.place.endpoint_url(),
        };
        let settings = config::load_one(&one, &resources::registry(), &config::process_environment());
        let mut accounts = settings.map_err(Failure::usage)?.accounts.into_iter();
        let Some(account) = accounts.next() else {
            return Err(Failure::usage(anyhow::anyhow!("`--region` is missing")));
        };
        let regions = account.regions.listed();
        if account.provider == Provider::Outscale && regions.len() > 1 {
            return Err(Failure::usage(anyhow::anyhow!(
                "an OUTSCALE account is of one region, with identities of its own: run this once for each of {}",
                regions.join(", ")
            )));
        }
        if account.regions.is_every() {
            return Err(Failure::usage(anyhow::anyhow!(
                "`--region` is \"*\": name the regions in which the key is to be tried"
            )));
        }
        let client_certificate = ClientCertificate::find(
            account.provider,
            Named::default(),
            self.admin_credentials.as_deref(),
            self.admin_profile.as_deref(),
            &credentials::process_variables(),
        );
        let client_certificate = client_certificate.map_err(Failure::usage)?;
        for readable in client_certificate.iter().flat_map(|found| &found.readable) {
            readable.warn("file");
        }
        Ok(Place {
            provider: account.provider,
            regions: regions.to_vec(),
            endpoint_url: account.endpoints.iam,
            ca_bundle: self.ca_bundle.clone(),
            client_certificate,
            requests_per_second: account.requests_per_second,
        })
    }

    /// The admin's key, which is not kept anywhere.
    pub(super) fn source(&self, provider: Provider) -> Result<Source, Failure> {
        let stdin = Path::new("-");
        let source = match self.admin_credentials.as_deref() {
            Some(path) if path == stdin => {
                let profile = self.admin_profile.as_deref();
                let key = credentials::parse(&read_stdin()?, profile)
                    .map_err(|fault| Failure::usage(anyhow::anyhow!("the admin's key on stdin {fault}")))?;
                Source::fixed(provider, key, "stdin")
            }
            file => Source::new(
                provider,
                file.map(Path::to_owned),
                self.admin_profile.clone(),
                credentials::process_variables(),
            ),
        };
        match source.look() {
            Ok(_) => Ok(source),
            Err(credentials::Error::NotFound { looked_at, .. }) => Err(Failure::usage(anyhow::anyhow!(
                "no admin's key for {provider}: looked at {}; put it into one of them, or name a file with \
                 `--admin-credentials`",
                looked_at.join(", ")
            ))),
            Err(credentials::Error::File {
                path,
                fault: credentials::Fault::Missing { .. },
            }) if self.admin_credentials.is_some() => Err(Failure::usage(anyhow::anyhow!(
                "no admin's key: credentials file {} does not exist: write it, or correct its name in `--admin-credentials`",
                path.display()
            ))),
            Err(error) => Err(Failure::usage(anyhow::anyhow!("no admin's key: {error}"))),
        }
    }
}

fn read_stdin() -> Result<Zeroizing<Vec<u8>>, Failure> {
    let mut bytes = Zeroizing::new(Vec::with_capacity(LIMIT));
    let stdin = std::io::stdin().lock();
    let limit = u64::try_from(LIMIT).unwrap_or(u64::MAX);
    stdin
        .take(limit)
        .read_to_end(&mut bytes)
        .map_err(|error| anyhow::anyhow!("reading the admin's key from stdin: {error}"))?;
    Ok(bytes)
}

/// No credentials file is as large.
const LIMIT: usize = 64 << 10;
