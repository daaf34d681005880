//! Load balancers of every sort against the demo cloud: what is shown is the truth, and no call too many is made for it.

#![expect(clippy::unwrap_used, reason = "a test ends where it is surprised")]

#[expect(dead_code, reason = "other tests need more of it")]
#[path = "../agent/bench.rs"]
mod bench;
mod calls;
mod dead;
mod failing;
#[path = "../support/page.rs"]
mod page;
mod shown;
mod truth;

use bench::Account;
use vigie::demo::{Cloud, Options};
use vigie::provider::Provider;
use vigie::resources::kinds_of;

/// A fleet of AWS that holds still, with groups of every sort and nothing classic.
fn groups() -> Options {
    Options {
        load_balancers: 0,
        target_groups: 7,
        ..bench::still_aws()
    }
}

/// An account whose key may do what its kinds ask.
fn account(cloud: &Cloud, provider: Provider, lines: &'static str) -> Account {
    let kinds = kinds_of(provider);
    let actions: Vec<String> = kinds
        .iter()
        .flat_map(|kind| kind.actions)
        .map(|action| action.policy_name())
        .collect();
    let actions: Vec<&str> = actions.iter().map(String::as_str).collect();
    let key = cloud.create_describe_only_user("watcher", &actions);
    Account {
        provider,
        lines,
        ..Account::new(cloud, &key)
    }
}

/// The lines of an account that watches target groups alone.
const ONLY_GROUPS: &str = "requests_per_second = 1000\nkinds = [\"target_groups\"]";

/// Likewise one that watches all that balances load, and what is behind it.
const ALL: &str =
    "requests_per_second = 1000\nkinds = [\"instances\", \"load_balancers\", \"target_groups\"]";
