//! `vigie check`: are the settings valid, what is in force, what will it cost?

use std::fmt::Write as _;
use std::io::Write as _;

use super::{Failure, after_printing, measured, once, run};
use crate::agent::{Agent, FIND_AGAIN, some_found};
use crate::config::{Account, Settings};
use crate::credentials::{self, Found};
use crate::identity::audit;
use crate::resource::Kind;
use crate::resources;
use crate::server::Web;

pub(super) async fn check(settings: &Settings, live: bool) -> Result<(), Failure> {
    let web = run::web(settings).map_err(Failure::usage)?;
    let mut agent = Agent::new(settings, &credentials::process_variables()).map_err(Failure::usage)?;
    let places = agent.places();
    let keys = keys(&places);
    let looked = places
        .into_iter()
        .map(|(account, found)| (account, found.map(drop)));
    some_found(looked.collect()).map_err(Failure::usage)?;
    let mut text = settings.to_toml();
    text.push_str(&keys);
    text.push_str(&protection(web.as_deref()));
    text.push_str(&unpublished(settings));
    text.push_str(&forecast(settings));
    let mut outcome = Ok(());
    if live {
        let failures = agent.poll_once().await;
        text.push_str(&measured::measured(settings, &agent.page));
        outcome = once::told(&failures);
    }
    let mut output = std::io::stdout().lock();
    let printed = output.write_all(text.as_bytes()).and_then(|()| output.flush());
    after_printing(printed, outcome)
}

/// Where each account's key comes from, as comments behind the settings.
fn keys(places: &[(&str, Result<Found, credentials::Error>)]) -> String {
    let mut text = "\n# Keys:\n".to_owned();
    for (account, place) in places {
        let told = match place {
            Ok(Found::Key(key)) => format!("…{} ({})", key.credentials.suffix(), key.from_where()),
            Ok(Found::Remote(remote)) => match remote.is_last_resort() {
                Some(looked_at) => format!("{remote}, as none was found at {}", looked_at.join(", ")),
                None => remote.to_string(),
            },
            Err(_) => "none".to_owned(),
        };
        writeln!(text, "#   {account}: {told}").expect("writing to a String cannot fail");
    }
    text
}

/// What the web configuration file does, as comments behind the settings.
fn protection(web: Option<&Web>) -> String {
    let lines = web.map(Web::told).unwrap_or_default();
    let lines = lines.iter().map(|line| format!("#   {line}\n"));
    let lines: String = lines.collect();
    if lines.is_empty() {
        return lines;
    }
    format!("\n# The page, by its web configuration:\n{lines}")
}

/// Regions that are none of those a cloud publishes, as a comment: a slip of the pen leads to no host. Whoever names the
/// endpoints has regions of their own.
fn unpublished(settings: &Settings) -> String {
    let mut text = String::new();
    for account in &settings.accounts {
        let Some(published) = account.provider.regions() else {
            continue;
        };
        let named = account.regions.listed().iter();
        let others = named.filter(|region| !published.contains(&region.as_str()));
        for region in others.filter(|_| account.endpoints.is_empty()) {
            writeln!(
                text,
                "\n# Is that a region? {} names {region}; of {} there are {}, as far as this version knows.",
                account.name,
                account.provider,
                published.join(", ")
            )
            .expect("writing to a String cannot fail");
        }
    }
    text
}

/// The calls that the settings lead to, as comments behind the settings.
fn forecast(settings: &Settings) -> String {
    let of_whom = settings.shard.map_or_else(String::new, |shard| {
        format!(" of all {} processes together", shard.total)
    });
    let mut text =
        format!("\n# Forecast of API calls{of_whom}, without retries, each listing in one call:\n");
    for account in &settings.accounts {
        if account.regions.is_every() {
            let line = format!(
                "#   {}: {:.0} an hour to find its regions; in each of them what follows\n",
                account.name,
                3600.0 / FIND_AGAIN.as_secs_f64()
            );
            text.push_str(&line);
            push_region(&mut text, settings, account, "*", None);
            continue;
        }
        let regions = account.regions.listed();
        let audit_calls = audit::calls(account.provider, regions.len());
        for (region, audit_calls) in regions.iter().zip(audit_calls) {
            push_region(&mut text, settings, account, region, Some(audit_calls));
        }
    }
    text
}

fn push_region(
    text: &mut String,
    settings: &Settings,
    account: &Account,
    region: &str,
    audit_calls: Option<usize>,
) {
    let (name, rate) = (&account.name, account.requests_per_second);
    let mut line = |told: String| {
        writeln!(text, "#   {name} {region}{told}").expect("writing to a String cannot fail");
    };
    let (mut a_poll, mut an_hour) = (0, 0.0);
    for kind in account.kinds.iter().filter_map(|name| resources::kind(name)) {
        let calls = listing_calls(kind);
        let polls_an_hour = 3600.0 / settings.interval_of(kind.name).as_secs_f64();
        let calls_an_hour = polls_an_hour * calls as f64;
        line(format!(
            " {}: {calls} a poll, {calls_an_hour:.0} an hour{}",
            kind.name,
            further_calls(kind)
        ));
        a_poll += calls;
        an_hour += calls_an_hour;
    }
    line(format!(": {a_poll} a poll and {an_hour:.0} an hour, at least"));
    if let (Some(interval), Some(calls)) = (settings.audit_interval, audit_calls) {
        let audits_an_hour = 3600.0 / interval.as_secs_f64();
        line(format!(
            " audit: {calls} at the start, then {:.1} an hour",
            audits_an_hour * calls as f64
        ));
    }
    line(format!(
        ": never more than {:.0} an hour ({rate} a second){}",
        rate * 3600.0,
        overdrawn(an_hour, rate)
    ));
}

/// What to say of more calls an hour than a region's budget allows: polls then come later than their interval says.
pub(super) fn overdrawn(an_hour: f64, requests_per_second: f64) -> &'static str {
    if an_hour > requests_per_second * 3600.0 {
        ": THAT IS TOO FEW, polls will be late: raise `requests_per_second` or `interval`"
    } else {
        ""
    }
}

/// Calls of one poll that are made whatever there is.
fn listing_calls(kind: &Kind) -> usize {
    kind.actions.len().saturating_sub(kind.one_call_for_each.len())
}

/// What makes a poll take more calls, in words.
fn further_calls(kind: &Kind) -> String {
    let pages = kind.actions.iter().filter_map(|action| {
        let paging = action.paging.as_ref()?;
        Some(format!(
            "; 1 more a poll for every further {} that {} lists",
            paging.size, action.name
        ))
    });
    let each = kind.one_call_for_each.iter();
    let each = each.map(|object| format!("; 1 more a poll for each {object}"));
    pages.chain(each).collect()
}
