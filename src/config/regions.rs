//! The regions of an account.

use serde::{Serialize, Serializer};

use super::error::Fault;
use super::values::{RegionOrEvery, Written};
use super::written::{EVERY, refuse_empty, refuse_twice};
use crate::provider::Provider;

/// The regions of an account that are watched.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Regions {
    /// These: at least one, each once.
    Listed(Vec<String>),
    /// Every one that the account has enabled, which the cloud is asked for.
    Every,
}

impl Regions {
    /// Those that the settings name; none, where the cloud is asked for them.
    pub fn listed(&self) -> &[String] {
        match self {
            Self::Listed(names) => names,
            Self::Every => &[],
        }
    }

    /// Whether the cloud is asked for them.
    pub fn is_every(&self) -> bool {
        *self == Self::Every
    }
}

/// As settings write them.
impl Serialize for Regions {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        match self {
            Self::Listed(names) => serializer.collect_seq(names),
            Self::Every => serializer.collect_seq([EVERY]),
        }
    }
}

/// The regions as written. A provider that asks nobody which regions there are has a list of them.
pub(super) fn read(written: Vec<Written<RegionOrEvery>>, provider: Provider) -> Result<Regions, Fault> {
    let names: Vec<String> = written
        .into_iter()
        .map(|Written(RegionOrEvery(name))| name)
        .collect();
    refuse_empty("regions", &names, "name at least one, such as [\"eu-west-2\"]")?;
    refuse_twice("regions", &names)?;
    if !names.iter().any(|name| name == EVERY) {
        return Ok(Regions::Listed(names));
    }
    if names.len() > 1 {
        return Err(Fault::value(
            "regions",
            "has \"*\" among other names: write [\"*\"] alone for every region",
        ));
    }
    Ok(match provider.regions() {
        Some(names) => Regions::Listed(names.iter().map(|name| (*name).to_owned()).collect()),
        None => Regions::Every,
    })
}
