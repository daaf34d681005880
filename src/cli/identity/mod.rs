//! `vigie bootstrap`, `rotate`, `teardown`: what they take, and how they end.

mod admin;
mod bootstrap;
mod progress;
mod report;
mod rotate;
mod teardown;

use std::path::Path;
use std::str::FromStr;
use std::time::Duration;

use clap::Args;

pub(super) use bootstrap::{Arguments as Bootstrap, bootstrap};
pub(super) use progress::Progress;
pub(super) use rotate::{Arguments as Rotate, rotate};
pub(super) use teardown::{Arguments as Teardown, teardown};

use super::Failure;
use crate::config;
use crate::identity::key_file::{Format, KeyFile};
use crate::identity::probe;
use crate::identity::{self, Names};
use crate::provider::Provider;
use crate::resource::Kind;
use crate::resources::{self, default_kinds_of, kinds_of};

/// What the parts of the identity are called.
#[derive(Debug, Args)]
struct NameArguments {
    /// The user that the key belongs to.
    #[arg(long, value_name = "NAME", default_value_t = Names::default().user)]
    user: String,
    /// The group that the user is in.
    #[arg(long, value_name = "NAME", default_value_t = Names::default().group)]
    group: String,
    /// The policy that the group holds.
    #[arg(long, value_name = "NAME", default_value_t = Names::default().policy)]
    policy: String,
    /// The path of all three.
    #[arg(long, value_name = "PATH", default_value_t = Names::default().path)]
    path: String,
}

/// What the key is for.
#[derive(Debug, Args)]
struct KindArguments {
    /// The kinds that the key is for, separated by commas [default: all that the provider has but `volume_status`].
    #[arg(long, value_name = "KINDS", value_delimiter = ',')]
    kinds: Vec<String>,
    /// Allow the key to find the enabled regions too, which `regions = ["*"]` takes on AWS.
    #[arg(long)]
    all_regions: bool,
    /// Go on although the cloud does not deny this action, such as ec2:RunInstances; the report says so.
    #[arg(long, value_name = "ACTION")]
    accept: Vec<String>,
}

/// Where in a file the key stands.
#[derive(Debug, Args)]
struct FileArguments {
    /// The profile, in formats that have profiles.
    #[arg(long, value_name = "NAME", default_value = "default")]
    profile: String,
    /// How the key is written [default: as the file is, or ini].
    #[arg(long, value_enum, value_name = "FORMAT")]
    format: Option<Format>,
}

/// What becomes of a key that a new one replaces.
#[derive(Debug, Args)]
struct RetirementArguments {
    /// How long the old key goes on working beside the new one [default: 30s where somebody may still use it].
    #[arg(long, value_name = "TIME")]
    grace: Option<Time>,
    /// Make the old key inactive then, and delete it only after this time: until then it can be brought back.
    #[arg(long, value_name = "TIME")]
    keep_old: Option<Time>,
}

impl RetirementArguments {
    fn grace(&self) -> Option<Duration> {
        self.grace.map(|Time(time)| time)
    }

    fn keep_old(&self) -> Option<Duration> {
        self.keep_old.map(|Time(time)| time)
    }
}

/// A duration as settings have them: `30s`, `1h`.
#[derive(Debug, Clone, Copy)]
struct Time(Duration);

impl FromStr for Time {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        config::parse_duration(text).map(Self)
    }
}

impl NameArguments {
    /// The names, if the cloud can have such.
    fn names(self) -> Result<Names, Failure> {
        for (flag, name, longest) in [
            ("--user", &self.user, 64),
            ("--group", &self.group, 128),
            ("--policy", &self.policy, 128),
        ] {
            check_name(flag, name, longest)?;
        }
        let path = &self.path;
        let is_path = path.starts_with('/')
            && path.ends_with('/')
            && path.len() <= LONGEST_PATH
            && path.bytes().all(|byte| byte.is_ascii_graphic());
        if !is_path {
            return Err(Failure::usage(anyhow::anyhow!(
                "`--path` is {path:?}: write one that begins and ends with a slash, such as `/monitoring/`"
            )));
        }
        Ok(Names {
            user: self.user,
            group: self.group,
            policy: self.policy,
            path: self.path,
        })
    }
}

/// The rule of both clouds.
fn check_name(flag: &str, name: &str, longest: usize) -> Result<(), Failure> {
    let is_part = |byte: u8| byte.is_ascii_alphanumeric() || b"+=,.@_-".contains(&byte);
    if !name.is_empty() && name.len() <= longest && name.bytes().all(is_part) {
        return Ok(());
    }
    Err(Failure::usage(anyhow::anyhow!(
        "`{flag}` is {name:?}: write 1 to {longest} letters, digits or any of `+=,.@_-`"
    )))
}

impl KindArguments {
    /// The actions that need not be denied: probes, all of them.
    fn accepted(&self, provider: Provider) -> Result<Vec<String>, Failure> {
        let probes: Vec<_> = probe::probes(provider)
            .into_iter()
            .map(|probe| probe.action.policy_name())
            .collect();
        if let Some(odd) = self.accept.iter().find(|action| !probes.contains(action)) {
            return Err(Failure::usage(anyhow::anyhow!(
                "`--accept` has {odd:?}, which is not tried: write any of {}",
                probes.join(", ")
            )));
        }
        Ok(self.accept.clone())
    }

    /// What the key is to be allowed, and tried with.
    fn kinds(&self, provider: Provider) -> Result<Vec<&'static Kind>, Failure> {
        let mut kinds = self.named_kinds(provider)?;
        if self.all_regions {
            if !resources::regions::KIND.providers.contains(&provider) {
                return Err(Failure::usage(anyhow::anyhow!(
                    "`--all-regions` is for AWS: leave it out, since {provider} is asked for no list of regions"
                )));
            }
            kinds.push(&resources::regions::KIND);
        }
        Ok(kinds)
    }

    fn named_kinds(&self, provider: Provider) -> Result<Vec<&'static Kind>, Failure> {
        if self.kinds.is_empty() {
            return Ok(default_kinds_of(provider));
        }
        let there = kinds_of(provider);
        let named = self.kinds.iter().map(|name| {
            let found = there.iter().find(|kind| kind.name == name.trim());
            found.copied().ok_or_else(|| {
                let known: Vec<_> = there.iter().map(|kind| kind.name).collect();
                Failure::usage(anyhow::anyhow!(
                    "`--kinds` has {name:?}, which {provider} does not have: write any of {}",
                    known.join(", ")
                ))
            })
        });
        named.collect()
    }
}

impl FileArguments {
    fn open(&self, path: &Path, provider: Provider) -> Result<KeyFile, identity::Error> {
        Ok(KeyFile::open(path, self.format, &self.profile, provider)?)
    }
}

impl From<identity::Error> for Failure {
    fn from(error: identity::Error) -> Self {
        let exit_code = match error {
            identity::Error::Refused(_) => Self::REFUSED,
            identity::Error::Usage(_) => Self::USAGE,
            identity::Error::Failed(_) => 1,
        };
        Self {
            exit_code,
            error: Some(error.into()),
        }
    }
}

const LONGEST_PATH: usize = 512;
