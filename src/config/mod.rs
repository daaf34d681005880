//! Settings: file and environment in, `Settings` out, in which nothing can be invalid.

mod durations;
mod error;
mod layers;
mod metrics;
mod regions;
mod role;
mod selection;
mod shard;
mod strict;
mod values;
mod written;

use std::{
    collections::BTreeMap,
    path::{Path, PathBuf},
    time::Duration,
};

use reqwest::Url;
use serde::{Deserialize, Serialize, Serializer, ser::SerializeMap as _};

pub use error::{Error, Fault, Origin, Problem};
pub use layers::{Environment, process_environment};
pub use metrics::{FAMILIES, Metrics};
pub use regions::Regions;
pub use shard::Shard;
pub use values::{Address, NoAddress, parse_duration};

use crate::credentials::Role;
use crate::provider::Provider;
use crate::resource::{Selection, StateSeries, Tags};
use written::{Folders, WrittenAccount, WrittenSettings};

/// Every kind by name, with the providers that have it, and whether it is polled where nobody names kinds.
pub type Registry<'a> = &'a [(&'static str, &'static [Provider], bool)];

/// The settings in force.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Settings {
    /// Where the page is served.
    pub listen: Address,
    /// The time from one poll of a kind to the next, unless the kind has its own: see [`Self::interval_of`].
    #[serde(serialize_with = "values::serialize_duration")]
    pub interval: Duration,
    /// The age at which a reading leaves the page.
    #[serde(serialize_with = "values::serialize_duration")]
    pub stale_after: Duration,
    /// Who may ask for the page, and how it is spoken with: a file in the format of Prometheus' exporter-toolkit.
    #[serde(serialize_with = "serialize_path", skip_serializing_if = "Option::is_none")]
    pub web_config_file: Option<PathBuf>,
    /// How log lines are written.
    pub log_format: LogFormat,
    /// The time from one audit of each account to the next; without it, there is none.
    #[serde(
        serialize_with = "values::serialize_optional_duration",
        skip_serializing_if = "Option::is_none"
    )]
    pub audit_interval: Option<Duration>,
    /// The part of the accounts' regions that this process polls; without it, all of them.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub shard: Option<Shard>,
    /// The accounts to watch: at least one, with unique names.
    #[serde(rename = "account")]
    pub accounts: Vec<Account>,
    #[serde(
        serialize_with = "serialize_kinds",
        skip_serializing_if = "BTreeMap::is_empty"
    )]
    kinds: BTreeMap<&'static str, Duration>,
}

impl Settings {
    /// The time from one poll of a kind to the next.
    pub fn interval_of(&self, kind: &str) -> Duration {
        self.kinds.get(kind).copied().unwrap_or(self.interval)
    }

    /// The settings as a settings file would hold them, defaults included. There is no secret among them.
    #[expect(
        clippy::missing_panics_doc,
        reason = "text, numbers, lists and tables of them are all TOML"
    )]
    pub fn to_toml(&self) -> String {
        toml::to_string(self).expect("settings hold only what TOML can")
    }
}

/// How log lines are written.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Deserialize, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum LogFormat {
    /// For people.
    #[default]
    Text,
    /// For machines, one object a line.
    Json,
}

/// One account to watch.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Account {
    /// The `account` label.
    pub name: String,
    /// The cloud it is of.
    pub provider: Provider,
    /// The regions to watch.
    pub regions: Regions,
    /// Where the key is, if not in the provider's usual places.
    #[serde(serialize_with = "serialize_path", skip_serializing_if = "Option::is_none")]
    pub credentials_file: Option<PathBuf>,
    /// The profile to read there.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub profile: Option<String>,
    /// The role to put on with that key.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub assume_role: Option<Role>,
    /// The kinds to poll, in the registry's order.
    pub kinds: Vec<&'static str>,
    /// The instance tags to expose.
    pub tags: Tags,
    /// The instance tags that are labels of targets.
    pub discovery_tags: Tags,
    /// Which series a state has.
    pub state_series: StateSeries,
    /// Which instances it is about.
    #[serde(flatten, serialize_with = "selection::serialize")]
    pub selection: Selection,
    /// The most requests a second, for each region.
    pub requests_per_second: f64,
    /// Where services answer, if not where the provider says.
    #[serde(skip_serializing_if = "Overrides::is_empty")]
    pub endpoints: Overrides<Url>,
    /// Whether calls go to the endpoints with validated cryptography; as the environment says, if the settings do not.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub fips: Option<bool>,
    /// Whether calls go to the endpoints that have IPv6 addresses too; likewise.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub dual_stack: Option<bool>,
    /// What services are called in signatures, if not what the provider says.
    #[serde(skip_serializing_if = "Overrides::is_empty")]
    pub signing_names: Overrides<String>,
    /// The certificates to trust in place of the platform's.
    #[serde(serialize_with = "serialize_path", skip_serializing_if = "Option::is_none")]
    pub ca_bundle: Option<PathBuf>,
    /// The certificate to show to OUTSCALE, perhaps with its key.
    #[serde(serialize_with = "serialize_path", skip_serializing_if = "Option::is_none")]
    pub client_certificate: Option<PathBuf>,
    /// The key of that certificate, if it is in a file of its own.
    #[serde(serialize_with = "serialize_path", skip_serializing_if = "Option::is_none")]
    pub client_key: Option<PathBuf>,
}

/// Something for each service that departs from what the provider says.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Overrides<T> {
    /// For instances: EC2, FCU.
    pub ec2: Option<T>,
    /// For load balancers: ELB, LBU.
    pub elb: Option<T>,
    /// For identities: IAM, EIM.
    pub iam: Option<T>,
    /// For temporary keys.
    pub sts: Option<T>,
}

impl<T> Overrides<T> {
    /// Whether nothing departs.
    pub fn is_empty(&self) -> bool {
        self.by_service().iter().all(|(_, value)| value.is_none())
    }

    fn by_service(&self) -> [(&'static str, &Option<T>); 4] {
        [
            ("ec2", &self.ec2),
            ("elb", &self.elb),
            ("iam", &self.iam),
            ("sts", &self.sts),
        ]
    }
}

// Derived, it would ask `T: Default`.
impl<T> Default for Overrides<T> {
    fn default() -> Self {
        Self {
            ec2: None,
            elb: None,
            iam: None,
            sts: None,
        }
    }
}

impl<T: AsRef<str>> Serialize for Overrides<T> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let there = self.by_service().into_iter();
        serializer.collect_map(there.filter_map(|(name, value)| Some((name, value.as_ref()?.as_ref()))))
    }
}

/// The one account of a run without a settings file.
#[derive(Debug, Clone)]
pub struct OneAccount {
    /// `--provider`
    pub provider: Provider,
    /// `--region`, as often as there are regions.
    pub regions: Vec<String>,
    /// `--credentials-file`, relative to the working directory.
    pub credentials_file: Option<PathBuf>,
    /// `--profile`, of that file or of the provider's usual ones.
    pub profile: Option<String>,
    /// `--endpoint-url`, for all services.
    pub endpoint_url: Option<String>,
}

/// The settings of a file, with the environment's over them.
pub fn load(file: Option<&Path>, registry: Registry<'_>, variables: &Environment) -> Result<Settings, Error> {
    let path = file.ok_or(Error::NoAccount)?;
    let tree = layers::tree(file, variables)?;
    // Absolute, so that a path in what is told is known as one.
    let absolute = std::path::absolute(path).unwrap_or_else(|_| path.to_owned());
    let folder = absolute.parent().unwrap_or_else(|| Path::new("/"));
    let folders = Folders {
        settings: folder,
        credentials: layers::credentials_folder(variables).unwrap_or(folder),
    };
    strict::read(tree)
        .and_then(|written: WrittenSettings| written.into_settings(&folders, registry))
        .map_err(|fault| layers::located(fault, file, variables))
}

/// The settings of one account named `default`, with the environment's over the defaults.
pub fn load_one(
    one: &OneAccount,
    registry: Registry<'_>,
    variables: &Environment,
) -> Result<Settings, Error> {
    let tree = layers::tree(None, variables)?;
    let settings = strict::read(tree).and_then(|mut written: WrittenSettings| {
        written.account = Some(vec![WrittenAccount::from_flags(one)?]);
        // Flags are relative to where the person is.
        let folders = Folders {
            settings: Path::new(""),
            credentials: Path::new(""),
        };
        written.into_settings(&folders, registry)
    });
    settings.map_err(|mut fault| {
        if fault.key.starts_with("account[0].regions") {
            "--region".clone_into(&mut fault.key);
        }
        layers::located(fault, None, variables)
    })
}

fn serialize_kinds<S: Serializer>(
    kinds: &BTreeMap<&'static str, Duration>,
    serializer: S,
) -> Result<S::Ok, S::Error> {
    let mut map = serializer.serialize_map(Some(kinds.len()))?;
    for (kind, interval) in kinds {
        map.serialize_entry(kind, &BTreeMap::from([("interval", values::spelled(*interval))]))?;
    }
    map.end()
}

// serde refuses paths that are not UTF-8; for a person to read, these are near enough.
#[expect(clippy::ref_option, reason = "serde hands the field as it is")]
fn serialize_path<S: Serializer>(path: &Option<PathBuf>, serializer: S) -> Result<S::Ok, S::Error> {
    path.as_deref().map(Path::to_string_lossy).serialize(serializer)
}

#[cfg(test)]
mod tests;
