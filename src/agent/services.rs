//! Which of a cloud's services an account is watched with.

use anyhow::bail;

use crate::api::Service;
use crate::config;
use crate::resources;

/// The services that an account's clients reach: those of its kinds, those that find its regions, and those of the
/// audit if there is one.
pub(super) fn services(settings: &config::Account, audited: bool) -> anyhow::Result<Vec<Service>> {
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
    use crate::config::Settings;

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
