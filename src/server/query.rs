//! What a request's query asks for. A part that is not there is refused: a page that is empty for a typo looks like an
//! empty cloud.

use crate::exposition::{Page, Part};
use crate::resources;

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
            "account" => part.accounts.push(value),
            "region" => part.regions.push(value),
            "kind" => part.kinds.push(value),
            _ => rest.push((name, value)),
        }
    }
    let watched = page.watched();
    let accounts: Vec<&str> = watched.iter().map(|watched| watched.account.as_str()).collect();
    let regions: Vec<&str> = watched.iter().map(|watched| watched.region.as_str()).collect();
    refuse_unknown("account", &part.accounts, accounts)?;
    refuse_unknown("region", &part.regions, regions)?;
    let kinds = resources::KINDS.into_iter().chain([&resources::regions::KIND]);
    refuse_unknown("kind", &part.kinds, kinds.map(|kind| kind.name).collect())?;
    Ok((part, rest))
}

fn refuse_unknown(name: &str, wanted: &[String], mut known: Vec<&str>) -> Parsed<()> {
    known.sort_unstable();
    known.dedup();
    match wanted.iter().find(|wanted| !known.contains(&wanted.as_str())) {
        Some(unknown) => Err(format!(
            "no {name} `{}` is watched: there are {}\n",
            shortened(unknown),
            known.join(", ")
        )),
        None => Ok(()),
    }
}

/// A value for an answer, as text that no terminal takes for orders.
pub(super) fn shortened(value: &str) -> String {
    value
        .chars()
        .take(64)
        .map(|character| if character.is_control() { '·' } else { character })
        .collect()
}
