//! What a request's query asks for. A part that is not there is refused: a page that is empty for a typo looks like an
//! empty cloud.

use std::collections::BTreeSet;

use crate::exposition::{Page, Part};
use crate::resources::{KINDS, regions};

/// A query, or why it is refused.
pub(super) type Parsed<T> = Result<T, String>;

/// The names and values of a query, in order.
pub(super) fn pairs(query: Option<&str>) -> Vec<(String, String)> {
    form_urlencoded::parse(query.unwrap_or_default().as_bytes())
        .map(|(name, value)| (name.into_owned(), value.into_owned()))
        .collect()
}

/// The part of the page that `account`, `region` and `kind` ask for, each as often as wanted; and what else is asked.
pub(super) fn part(pairs: Vec<(String, String)>, page: &Page) -> Parsed<(Part, Vec<(String, String)>)> {
    let mut part = Part::default();
    let mut rest = Vec::new();
    for (name, value) in pairs {
        match name.as_str() {
            "account" => part.accounts.insert(value),
            "region" => part.regions.insert(value),
            "kind" => part.kinds.insert(value),
            _ => {
                rest.push((name, value));
                continue;
            }
        };
    }
    let watched = page.watched();
    let accounts = watched.iter().map(|watched| watched.account.as_str()).collect();
    refuse_unknown("account", &part.accounts, &accounts, |_| false)?;
    let found = watched.iter().map(|watched| watched.region.as_str()).collect();
    refuse_unknown("region", &part.regions, &found, |_| false)?;
    let kinds: BTreeSet<&str> = watched.iter().map(|watched| watched.kind.name).collect();
    // Regions that are found later may bring any.
    let may_come =
        |kind: &str| kinds.contains(regions::KIND.name) && KINDS.iter().any(|known| known.name == kind);
    refuse_unknown("kind", &part.kinds, &kinds, may_come)?;
    Ok((part, rest))
}

fn refuse_unknown(
    name: &str,
    wanted: &BTreeSet<String>,
    known: &BTreeSet<&str>,
    may_come: impl Fn(&str) -> bool,
) -> Parsed<()> {
    let is_known = |wanted: &str| known.contains(wanted) || may_come(wanted);
    let Some(unknown) = wanted.iter().find(|wanted| !is_known(wanted)) else {
        return Ok(());
    };
    let unknown = shortened(unknown);
    Err(if known.is_empty() {
        format!("no {name} `{unknown}` is watched: there is none\n")
    } else {
        let known: Vec<&str> = known.iter().copied().collect();
        format!(
            "no {name} `{unknown}` is watched: there are {}\n",
            known.join(", ")
        )
    })
}

/// A value for an answer, as text that no terminal takes for orders.
pub(super) fn shortened(value: &str) -> String {
    value
        .chars()
        .take(64)
        .map(|character| if character.is_control() { '·' } else { character })
        .collect()
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;
    use crate::poller::{Status, Watched};
    use crate::resource::Kind;
    use crate::resources::{instances, volumes};

    fn refusal(page: &Page, query: &str) -> Option<String> {
        part(pairs(Some(query)), page).err()
    }

    fn page(kinds: &[&'static Kind]) -> Page {
        let page = Page::new(prometheus::Registry::new(), Duration::from_secs(60)).unwrap();
        let watched = kinds.iter().map(|kind| {
            let (_, status) = tokio::sync::watch::channel(Status::default());
            Watched::new("a", "r", kind, status)
        });
        page.add(watched, None);
        page
    }

    #[test]
    fn kind_that_is_not_watched_is_refused_unless_regions_may_bring_it() {
        let told = "no kind `quotas` is watched: there are instances, volumes\n";
        let some = page(&[&volumes::KIND, &instances::KIND]);
        assert_eq!(refusal(&some, "kind=quotas").as_deref(), Some(told));
        assert_eq!(refusal(&some, "kind=instances&kind=volumes"), None);
        let finding = page(&[&regions::KIND]);
        assert_eq!(refusal(&finding, "kind=quotas&kind=regions"), None);
        let told = "no kind `quota` is watched: there are regions\n";
        assert_eq!(refusal(&finding, "kind=quota").as_deref(), Some(told));
        let told = "no account `a` is watched: there is none\n";
        assert_eq!(refusal(&page(&[]), "account=a").as_deref(), Some(told));
    }

    #[test]
    fn value_that_is_repeated_counts_once() {
        let query = "kind=instances&account=a&".repeat(1000);
        let (part, rest) = part(pairs(Some(&query)), &page(&[&instances::KIND])).unwrap();
        assert_eq!((part.accounts.len(), part.kinds.len(), rest.len()), (1, 1, 0));
    }
}
