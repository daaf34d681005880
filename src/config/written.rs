//! Settings as written: the shape of the file, and from it the settings in force.

use std::{collections::BTreeMap, path::Path, path::PathBuf, time::Duration};

use reqwest::Url;
use serde::Deserialize;

use super::{
    Account, Address, LogFormat, Overrides, Registry, Settings, Shard,
    durations::{
        DEFAULT_INTERVAL, DEFAULT_STALE_AFTER, check_stale_after, checked_audit_interval, checked_interval,
    },
    error::{Fault, Problem, listed},
    regions,
    role::WrittenRole,
    selection::{self, WrittenSelection},
    values::{
        self, FilePath, KindName, Name, ProfileName, Rate, RegionOrEvery, SigningName, TagName, Written,
    },
};
use crate::provider::Provider;
use crate::resource::{StateSeries, Tags};

/// The whole file.
#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct WrittenSettings {
    listen: Option<Written<Address>>,
    interval: Option<Written<Duration>>,
    stale_after: Option<Written<Duration>>,
    web_config_file: Option<Written<FilePath>>,
    log_format: Option<LogFormat>,
    audit_interval: Option<Written<Duration>>,
    shard: Option<Written<Shard>>,
    pub(super) account: Option<Vec<WrittenAccount>>,
    #[serde(default)]
    kinds: BTreeMap<String, WrittenKind>,
}

/// `[kinds.name]`
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct WrittenKind {
    interval: Option<Written<Duration>>,
}

/// `[[account]]`
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct WrittenAccount {
    name: Written<Name>,
    provider: Provider,
    regions: Vec<Written<RegionOrEvery>>,
    credentials_file: Option<Written<FilePath>>,
    profile: Option<Written<ProfileName>>,
    assume_role: Option<WrittenRole>,
    kinds: Option<Vec<Written<KindName>>>,
    tags: Option<Vec<Written<TagName>>>,
    discovery_tags: Option<Vec<Written<TagName>>>,
    state_series: Option<StateSeries>,
    filters: Option<WrittenSelection>,
    keep: Option<WrittenSelection>,
    drop: Option<WrittenSelection>,
    fips: Option<bool>,
    dual_stack: Option<bool>,
    requests_per_second: Option<Rate>,
    endpoints: Option<WrittenOverrides<Url>>,
    signing_names: Option<WrittenOverrides<SigningName>>,
    ca_bundle: Option<Written<FilePath>>,
    client_certificate: Option<Written<FilePath>>,
    client_key: Option<Written<FilePath>>,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields, bound = "T: values::Text")]
struct WrittenOverrides<T> {
    ec2: Option<Written<T>>,
    elb: Option<Written<T>>,
    iam: Option<Written<T>>,
    sts: Option<Written<T>>,
}

/// What relative paths are below.
pub(super) struct Folders<'a> {
    pub(super) settings: &'a Path,
    /// That of the settings too, unless a service manager hands over what is secret: keys, and the web configuration file.
    pub(super) credentials: &'a Path,
}

impl WrittenSettings {
    /// The settings in force.
    pub(super) fn into_settings(
        self,
        folders: &Folders<'_>,
        registry: Registry<'_>,
    ) -> Result<Settings, Fault> {
        let mut accounts: Vec<Account> = Vec::new();
        for (index, written) in self.account.unwrap_or_default().into_iter().enumerate() {
            let account = written.into_account(folders, registry);
            let account = account.map_err(|fault| fault.under(&format!("account[{index}]")))?;
            if let Some(first) = accounts.iter().position(|other| other.name == account.name) {
                return Err(Fault::value(
                    format!("account[{index}].name"),
                    format!(
                        "is {:?}, like that of account[{first}]: give each account its own",
                        account.name
                    ),
                ));
            }
            accounts.push(account);
        }
        if accounts.is_empty() {
            return Err(Fault {
                key: "account".to_owned(),
                problem: Problem::Missing,
            });
        }

        let interval = match self.interval {
            Some(Written(interval)) => checked_interval(interval).map_err(|fault| fault.under("interval"))?,
            None => DEFAULT_INTERVAL,
        };
        let mut intervals = BTreeMap::new();
        for (name, written) in self.kinds {
            let Some((kind, ..)) = registry.iter().find(|(kind, ..)| *kind == name) else {
                let known = registry.iter().map(|(kind, ..)| *kind).collect();
                return Err(Fault {
                    key: format!("kinds.{name}"),
                    problem: Problem::UnknownKey { known },
                });
            };
            if let Some(Written(interval)) = written.interval {
                let interval = checked_interval(interval);
                let interval = interval.map_err(|fault| fault.under(&format!("kinds.{kind}.interval")))?;
                intervals.insert(*kind, interval);
            }
        }

        let audit_interval = (self.audit_interval)
            .map(|Written(interval)| checked_audit_interval(interval))
            .transpose()?;

        let settings = Settings {
            listen: self
                .listen
                .map_or_else(Address::default, |Written(listen)| listen),
            interval,
            stale_after: self.stale_after.map_or(DEFAULT_STALE_AFTER, |Written(age)| age),
            web_config_file: (self.web_config_file)
                .map(|Written(FilePath(path))| folders.credentials.join(path)),
            log_format: self.log_format.unwrap_or_default(),
            audit_interval,
            shard: self.shard.map(|Written(shard)| shard),
            accounts,
            kinds: intervals,
        };
        check_stale_after(&settings)?;
        Ok(settings)
    }
}

impl WrittenAccount {
    /// An account as flags describe it.
    pub(super) fn from_flags(one: &super::OneAccount) -> Result<Self, Fault> {
        let regions = one.regions.iter().map(|region| parsed("--region", region.trim()));
        let regions: Vec<_> = regions.collect::<Result<_, _>>()?;
        if regions.is_empty() {
            return Err(Fault {
                key: "--region".to_owned(),
                problem: Problem::Missing,
            });
        }
        let endpoint: Option<Written<Url>> = (one.endpoint_url.as_deref())
            .map(|url| parsed("--endpoint-url", url))
            .transpose()?;
        let profile = (one.profile.as_deref())
            .map(|profile| parsed("--profile", profile))
            .transpose()?;
        Ok(Self {
            name: Written(Name("default".to_owned())),
            provider: one.provider,
            regions,
            credentials_file: one.credentials_file.clone().map(|path| Written(FilePath(path))),
            profile,
            assume_role: None,
            kinds: None,
            tags: None,
            discovery_tags: None,
            state_series: None,
            filters: None,
            keep: None,
            drop: None,
            fips: None,
            dual_stack: None,
            requests_per_second: None,
            endpoints: endpoint.map(|url| WrittenOverrides {
                ec2: Some(url.clone()),
                elb: Some(url.clone()),
                iam: Some(url.clone()),
                sts: Some(url),
            }),
            signing_names: None,
            ca_bundle: None,
            client_certificate: None,
            client_key: None,
        })
    }

    fn into_account(self, folders: &Folders<'_>, registry: Registry<'_>) -> Result<Account, Fault> {
        let regions = regions::read(self.regions, self.provider)?;
        for (key, value) in [("fips", self.fips), ("dual_stack", self.dual_stack)] {
            if value == Some(true) && self.provider != Provider::Aws {
                let sentence = format!(
                    "is of AWS alone: remove it, since {} has one endpoint",
                    self.provider
                );
                return Err(Fault::value(key, sentence));
            }
        }
        for (key, value) in [
            ("client_certificate", &self.client_certificate),
            ("client_key", &self.client_key),
        ] {
            if value.is_some() && self.provider != Provider::Outscale {
                let sentence = format!(
                    "is of OUTSCALE alone, and {} asks for none: remove it",
                    self.provider
                );
                return Err(Fault::value(key, sentence));
            }
        }
        let kinds = enabled(self.kinds, self.provider, registry)?;
        let about_instances = [
            ("filters", self.filters.is_some()),
            ("keep", self.keep.is_some()),
            ("drop", self.drop.is_some()),
        ];
        for (key, _) in about_instances.into_iter().filter(|(_, is_there)| *is_there) {
            if !kinds.contains(&"instances") {
                return Err(Fault::value(
                    key,
                    "is about the kind `instances`, which `kinds` leaves out: add it there, or remove this",
                ));
            }
        }
        let below = |folder: &Path, written: Option<Written<FilePath>>| -> Option<PathBuf> {
            written.map(|Written(FilePath(path))| folder.join(path))
        };
        Ok(Account {
            name: self.name.0.0,
            provider: self.provider,
            regions,
            credentials_file: below(folders.credentials, self.credentials_file),
            profile: self.profile.map(|Written(ProfileName(name))| name),
            assume_role: (self.assume_role)
                .map(|written| written.into_role(self.provider))
                .transpose()?,
            kinds,
            tags: tags("tags", self.tags)?.unwrap_or_default(),
            discovery_tags: tags("discovery_tags", self.discovery_tags)?.unwrap_or(Tags::All),
            selection: selection::read(self.filters, self.keep, self.drop)?,
            fips: self.fips,
            dual_stack: self.dual_stack,
            state_series: self.state_series.unwrap_or_default(),
            requests_per_second: match self.requests_per_second {
                Some(Rate(rate)) => rate,
                None => self.provider.default_requests_per_second(),
            },
            endpoints: (self.endpoints).map_or_else(Overrides::default, |written| written.map(|url| url)),
            signing_names: (self.signing_names).map_or_else(Overrides::default, |written| {
                written.map(|SigningName(name)| name)
            }),
            ca_bundle: below(folders.settings, self.ca_bundle),
            client_certificate: below(folders.settings, self.client_certificate),
            client_key: below(folders.settings, self.client_key),
        })
    }
}

impl<T> WrittenOverrides<T> {
    fn map<U>(self, into: impl Fn(T) -> U) -> Overrides<U> {
        let into = |written: Option<Written<T>>| written.map(|Written(value)| into(value));
        Overrides {
            ec2: into(self.ec2),
            elb: into(self.elb),
            iam: into(self.iam),
            sts: into(self.sts),
        }
    }
}

fn parsed<T: values::Text>(flag: &str, text: &str) -> Result<Written<T>, Fault> {
    T::parse(text)
        .map(Written)
        .map_err(|sentence| Fault::value(flag, sentence))
}

/// The kinds to poll, in the registry's order.
fn enabled(
    written: Option<Vec<Written<KindName>>>,
    provider: Provider,
    registry: Registry<'_>,
) -> Result<Vec<&'static str>, Fault> {
    let of_provider = registry
        .iter()
        .filter(|(_, providers, _)| providers.contains(&provider));
    let has: Vec<_> = of_provider.clone().map(|(kind, ..)| *kind).collect();
    let Some(written) = written else {
        let by_default = of_provider.filter(|(.., by_default)| *by_default);
        return Ok(by_default.map(|(kind, ..)| *kind).collect());
    };
    let names: Vec<_> = written.into_iter().map(|Written(KindName(name))| name).collect();
    refuse_empty("kinds", &names, "name at least one, or remove it to have all")?;
    refuse_twice("kinds", &names)?;
    for (index, name) in names.iter().enumerate() {
        let key = format!("kinds[{index}]");
        if !registry.iter().any(|(kind, ..)| kind == name) {
            let known = registry.iter().map(|(kind, ..)| *kind).collect();
            let found = name.clone();
            return Err(Fault {
                key,
                problem: Problem::NoneOf { found, known },
            });
        }
        if !has.iter().any(|kind| kind == name) {
            let sentence = format!(
                "is {name:?}, which {provider} does not have: it has {}",
                listed(&has)
            );
            return Err(Fault::value(key, sentence));
        }
    }
    Ok(has
        .into_iter()
        .filter(|kind| names.iter().any(|name| name == kind))
        .collect())
}

fn tags(key: &str, written: Option<Vec<Written<TagName>>>) -> Result<Option<Tags>, Fault> {
    let Some(written) = written else {
        return Ok(None);
    };
    let names: Vec<_> = written.into_iter().map(|Written(TagName(name))| name).collect();
    refuse_twice(key, &names)?;
    let tags = match names.as_slice() {
        [] => Tags::None,
        [all] if all == EVERY => Tags::All,
        several if several.iter().any(|name| name == EVERY) => {
            return Err(Fault::value(
                key,
                "has \"*\" among other names: write [\"*\"] alone for all tags",
            ));
        }
        _ => Tags::Listed(names),
    };
    Ok(Some(tags))
}

pub(super) fn refuse_empty(key: &str, names: &[String], write: &str) -> Result<(), Fault> {
    if names.is_empty() {
        return Err(Fault::value(key, format!("is an empty list: {write}")));
    }
    Ok(())
}

pub(super) fn refuse_twice(key: &str, names: &[String]) -> Result<(), Fault> {
    for (index, name) in names.iter().enumerate() {
        if names.iter().take(index).any(|other| other == name) {
            let sentence = format!("is {name:?}, which is there already: name it once");
            return Err(Fault::value(format!("{key}[{index}]"), sentence));
        }
    }
    Ok(())
}

/// Stands for all of a sort.
pub(super) const EVERY: &str = "*";
