//! One file for each kind, and the list of them. Kinds never import each other.

pub mod addresses;
pub mod availability_zones;
pub(crate) mod balancers;
pub mod instance_status;
pub mod instances;
pub mod load_balancers;
pub mod quotas;
pub mod regions;
pub mod subnets;
pub mod target_groups;
pub mod volume_status;
pub mod volumes;

use crate::provider::Provider;
use crate::resource::Kind;

/// Every kind: settings accept it, the poller runs it, the documentation lists its metrics.
pub static KINDS: [&Kind; 10] = [
    &instances::KIND,
    &instance_status::KIND,
    &load_balancers::KIND,
    &target_groups::KIND,
    &availability_zones::KIND,
    &volumes::KIND,
    &volume_status::KIND,
    &addresses::KIND,
    &subnets::KIND,
    &quotas::KIND,
];

/// Every kind as settings ask for them: its name, the providers that have it, and whether it is polled where nobody names
/// kinds.
pub fn registry() -> [(&'static str, &'static [Provider], bool); KINDS.len()] {
    KINDS.map(|kind| (kind.name, kind.providers, kind.by_default))
}

/// The kinds that a cloud has.
pub fn kinds_of(provider: Provider) -> Vec<&'static Kind> {
    let has = |kind: &&Kind| kind.providers.contains(&provider);
    KINDS.into_iter().filter(has).collect()
}

/// Those of them that are polled where nobody names kinds.
pub fn default_kinds_of(provider: Provider) -> Vec<&'static Kind> {
    kinds_of(provider)
        .into_iter()
        .filter(|kind| kind.by_default)
        .collect()
}

/// The kind of this name.
pub fn kind(name: &str) -> Option<&'static Kind> {
    KINDS.into_iter().find(|kind| kind.name == name)
}

#[cfg(test)]
mod tests;
