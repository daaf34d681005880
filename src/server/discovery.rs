//! `/sd/instances`: the instances as targets, for `http_sd_configs`, so that Prometheus needs no key of the cloud.
//!
//! <https://prometheus.io/docs/prometheus/latest/http_sd/>. The labels are those of `ec2_sd_configs`.

use std::fmt::Write as _;
use std::net::{IpAddr, SocketAddr};

use super::query::{self, Parsed};
use crate::exposition::{Page, Part};
use crate::poller::Watched;
use crate::resource::Target;
use crate::resources::{instances, regions};

/// Which targets are asked for.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Wanted {
    part: Part,
    port: u16,
    address: Address,
}

/// Which address of an instance is scraped. One without it is no target.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Address {
    Private,
    Public,
}

impl Wanted {
    /// What a query asks for: `port`, `address`, and any of `account` and `region`.
    pub(super) fn parse(query: Option<&str>, page: &Page) -> Parsed<Self> {
        let (part, rest) = query::part(query::pairs(query), page)?;
        if !part.kinds.is_empty() {
            return Err("`kind` means nothing here: the targets are instances\n".to_owned());
        }
        let mut wanted = Self {
            part,
            port: DEFAULT_PORT,
            address: Address::Private,
        };
        for (name, value) in rest {
            let shown = query::shortened(&value);
            match name.as_str() {
                "port" => {
                    let number = value.parse().ok().filter(|number| *number > 0);
                    wanted.port = number
                        .ok_or_else(|| format!("`port` is `{shown}`: write a number from 1 to 65535\n"))?;
                }
                "address" => {
                    wanted.address = match value.as_str() {
                        "private" => Address::Private,
                        "public" => Address::Public,
                        _ => return Err(format!("`address` is `{shown}`: write `private` or `public`\n")),
                    }
                }
                _ => {
                    let known = "account, region, port and address";
                    return Err(format!(
                        "unknown parameter `{}`: there are {known}\n",
                        query::shortened(&name)
                    ));
                }
            }
        }
        Ok(wanted)
    }

    /// The targets as JSON; or why there is no list, which is better than an empty or a partial one: Prometheus keeps
    /// the targets that it has.
    pub(super) fn targets(&self, page: &Page) -> Result<String, String> {
        let of_part = |watched: &Watched| {
            watched.kind.name == instances::KIND.name
                && self
                    .part
                    .shows(&watched.account, &watched.region, watched.kind.name)
        };
        let watched = page.watched();
        // What an account has in regions that are not found yet would be missing, too.
        let accounts = &self.part.accounts;
        let is_looked_for = |watched: &&Watched| {
            watched.kind.name == regions::KIND.name
                && (accounts.is_empty() || accounts.contains(&watched.account))
                && watched.status().reading.is_none()
        };
        if let Some(Watched { account, .. }) = watched.iter().find(is_looked_for) {
            return Err(format!(
                "the regions of account `{account}` are not found yet: ask for the others with `?account=…`\n"
            ));
        }
        let polls: Vec<Watched> = watched.into_iter().filter(of_part).collect();
        if polls.is_empty() {
            return Err(
                "no instances are watched here: add `instances` to the `kinds` of an account, unless another \
                 process (`shard`) watches them\n"
                    .to_owned(),
            );
        }
        let mut list = String::from("[");
        for poll in &polls {
            let reading = page.reading(poll);
            let Some(targets) = reading.as_deref().and_then(|reading| reading.targets.as_ref()) else {
                return Err(format!(
                    "there is no fresh reading of the instances of account `{}` in {}: ask for the others with \
                     `?account=…` or `?region=…`\n",
                    poll.account, poll.region
                ));
            };
            for target in targets.iter() {
                self.push(&mut list, &target);
            }
        }
        list.push_str("\n]\n");
        Ok(list)
    }

    fn push(&self, list: &mut String, target: &Target) {
        let address: Option<IpAddr> = match self.address {
            Address::Private => target.private,
            Address::Public => target.public,
        };
        let Some(address) = address else { return };
        let separator = if list.len() > 1 { "," } else { "" };
        let (at, labels) = (SocketAddr::new(address, self.port), &target.labels);
        write!(
            list,
            "{separator}\n{{\"targets\":[\"{at}\"],\"labels\":{labels}}}"
        )
        .expect("writing to a String cannot fail");
    }
}

/// What `ec2_sd_configs` takes when nothing is said.
const DEFAULT_PORT: u16 = 80;
