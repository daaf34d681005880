//! What the page says of each poll, and of one kind.

use std::collections::BTreeMap;

use vigie::resource::Kind;

use crate::page::{Page, Series};

/// Account, region and kind.
pub(crate) type Place = [String; 3];

/// What is said of one poll.
#[derive(Debug, Clone, PartialEq, Default)]
pub(crate) struct Poll {
    /// Whether the last one succeeded.
    pub(crate) success: Option<f64>,
    /// When the last one that did began.
    pub(crate) dated: Option<f64>,
    /// By reason.
    pub(crate) failures: BTreeMap<String, f64>,
}

/// All that is said of polls.
pub(crate) fn polls(page: &Page) -> BTreeMap<Place, Poll> {
    let mut polls: BTreeMap<Place, Poll> = BTreeMap::new();
    for (series, value) in page.samples() {
        let label = |name: &str| series.labels.get(name).cloned().unwrap_or_default();
        let place = ["account", "region", "kind"].map(label);
        match series.name.as_str() {
            "vigie_poll_success" => polls.entry(place).or_default().success = Some(value),
            "vigie_poll_last_success_timestamp_seconds" => {
                polls.entry(place).or_default().dated = Some(value);
            }
            "vigie_poll_failures_total" => {
                let failures = &mut polls.entry(place).or_default().failures;
                failures.insert(label("reason"), value);
            }
            _ => {}
        }
    }
    polls
}

/// The samples of a kind in one place.
pub(crate) fn reading(page: &Page, kind: &Kind, account: &str, region: &str) -> BTreeMap<Series, f64> {
    let is_of_kind = |series: &Series| {
        let is = |name: &str, value: &str| series.labels.get(name).is_some_and(|own| own == value);
        // The families that two kinds share are told apart so.
        let is_other_sort = match kind.name {
            "load_balancers" => series.labels.contains_key("type") && !is("type", "classic"),
            "target_groups" => is("type", "classic"),
            _ => false,
        };
        let is_own = kind.families.iter().any(|family| family.name == series.name);
        is_own && !is_other_sort && is("account", account) && is("region", region)
    };
    let samples = page.samples().filter(|(series, _)| is_of_kind(series));
    samples.map(|(series, value)| (series.clone(), value)).collect()
}

/// How many requests the agent says it has sent.
pub(crate) fn requests(page: &Page, account: &str, region: &str, service: &str, action: &str) -> usize {
    let labels = [
        ("account", account),
        ("region", region),
        ("service", service),
        ("action", action),
    ];
    let is_meant = |series: &Series| labels.iter().all(|(name, value)| series.labels[*name] == *value);
    let sent = page.family("vigie_api_requests_total");
    let counts = sent
        .filter(|(series, _)| is_meant(series))
        .map(|(_, count)| count);
    format!("{}", counts.sum::<f64>()).parse().unwrap()
}

/// Those of the agent's own that are read here.
pub(crate) const FAMILIES: [&str; 4] = [
    "vigie_poll_success",
    "vigie_poll_last_success_timestamp_seconds",
    "vigie_poll_failures_total",
    "vigie_api_requests_total",
];
