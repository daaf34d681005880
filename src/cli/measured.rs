//! What `vigie check --live` found: the calls that one poll took, and what the page comes to.

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::time::Duration;

use super::check::overdrawn;
use crate::agent::FIND_AGAIN;
use crate::config::Settings;
use crate::exposition::{Format, Page, Part};
use crate::resources::{self, KINDS};
use crate::text::Text;

/// The figures of one poll of everything, as comments.
pub(super) fn measured(settings: &Settings, page: &Page) -> String {
    let mut text = "\n# Measured, by one poll of everything:\n".to_owned();
    let calls = calls(page);
    for watched in page.watched() {
        let (account, region, kind) = (&watched.account, &watched.region, watched.kind.name);
        let calls = calls
            .get(&(account.clone(), region.clone(), kind))
            .copied()
            .unwrap_or_default();
        let an_hour = calls * 3600.0 / interval_of(settings, kind).as_secs_f64();
        let found = match page.reading(&watched) {
            Some(reading) => {
                let objects = reading.objects;
                let chunks = reading.texts.iter().flat_map(Text::chunks);
                let series: usize = chunks.map(|chunk| lines(chunk.as_bytes())).sum();
                let bytes: usize = reading.texts.iter().map(Text::length).sum();
                format!("{objects} objects, {series} series, {}", sized(bytes))
            }
            None => "failed".to_owned(),
        };
        push(
            &mut text,
            &format!("{account} {region} {kind}: {calls} a poll, {an_hour:.0} an hour; {found}"),
        );
    }
    for (account, region) in places(page) {
        let of_place = calls
            .iter()
            .filter(|((one, other, _), _)| (one, other) == (&account, &region));
        let (mut a_poll, mut an_hour) = (0.0, 0.0);
        for ((_, _, kind), calls) in of_place {
            a_poll += calls;
            an_hour += calls * 3600.0 / interval_of(settings, kind).as_secs_f64();
        }
        let part = Part {
            accounts: [account.clone()].into(),
            regions: [region.clone()].into(),
            ..Part::default()
        };
        push(
            &mut text,
            &format!(
                "{account} {region}: {a_poll} a poll, {an_hour:.0} an hour{}; {}",
                budget(settings, &account, an_hour),
                size(page, &part)
            ),
        );
    }
    push(
        &mut text,
        &format!("the whole page: {}", size(page, &Part::default())),
    );
    text
}

/// Whether the budget of the account's regions allows so many.
fn budget(settings: &Settings, account: &str, an_hour: f64) -> String {
    let mut accounts = settings.accounts.iter();
    let rate = accounts
        .find(|known| known.name == account)
        .map_or(f64::INFINITY, |known| known.requests_per_second);
    match overdrawn(an_hour, rate) {
        "" => String::new(),
        told => format!(" of {:.0} that `requests_per_second` allows{told}", rate * 3600.0),
    }
}

/// Regions are found less often than anything is polled.
fn interval_of(settings: &Settings, kind: &str) -> Duration {
    if kind == resources::regions::KIND.name {
        FIND_AGAIN
    } else {
        settings.interval_of(kind)
    }
}

fn push(text: &mut String, line: &str) {
    writeln!(text, "#   {line}").expect("writing to a String cannot fail");
}

/// The accounts and regions that are watched, in order.
fn places(page: &Page) -> Vec<(String, String)> {
    let mut places: Vec<(String, String)> = Vec::new();
    for watched in page.watched() {
        let place = (watched.account, watched.region);
        if !places.contains(&place) {
            places.push(place);
        }
    }
    places
}

/// The requests sent so far, by account, region and kind.
fn calls(page: &Page) -> BTreeMap<(String, String, &'static str), f64> {
    let mut calls = BTreeMap::new();
    for (labels, requests) in page.own_samples("vigie_api_requests_total") {
        let label = |name: &str| labels.get(name).cloned().unwrap_or_default();
        let (service, action) = (label("service"), label("action"));
        let mut kinds = KINDS.into_iter().chain([&resources::regions::KIND]);
        let kind = kinds.find(|kind| {
            let mut actions = kind.actions.iter();
            actions.any(|own| own.name == action && own.service.name() == service)
        });
        if let Some(kind) = kind {
            *calls
                .entry((label("account"), label("region"), kind.name))
                .or_default() += requests;
        }
    }
    calls
}

/// What a part of the page comes to.
fn size(page: &Page, part: &Part) -> String {
    let plain = page.assemble(Format::Text, false, part);
    let zipped = page.assemble(Format::Text, true, part).length;
    let length = plain.length;
    let series: usize = plain.chunks().map(|chunk| lines(&chunk)).sum();
    format!("{series} series, {}, {} compressed", sized(length), sized(zipped))
}

/// The samples among some lines.
fn lines(text: &[u8]) -> usize {
    text.split(|byte| *byte == b'\n')
        .filter(|line| !line.is_empty() && !line.starts_with(b"#"))
        .count()
}

fn sized(bytes: usize) -> String {
    if bytes < 10_000 {
        format!("{bytes} bytes")
    } else if bytes < 10_000_000 {
        format!("{} kB", bytes / 1000)
    } else {
        format!("{:.1} MB", bytes as f64 / 1e6)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_samples_are_series() {
        assert_eq!(lines(b"# HELP a b\na{b=\"#\"} 1\n\na 2\n"), 2);
    }

    #[test]
    fn sizes_are_in_the_unit_that_fits() {
        assert_eq!(
            [0, 9_999, 10_000, 11_900_000].map(sized),
            ["0 bytes", "9999 bytes", "10 kB", "11.9 MB"]
        );
    }
}
