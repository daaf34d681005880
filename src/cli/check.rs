//! `vigie check`: are the settings valid, what is in force, what will it cost?

use std::fmt::Write as _;
use std::io::Write as _;

use super::Failure;
use crate::agent::{Agent, some_found};
use crate::config::Settings;
use crate::credentials::{self, Found};
use crate::identity::audit;
use crate::resources;

pub(super) fn check(settings: &Settings) -> Result<(), Failure> {
    let agent = Agent::new(settings, &credentials::process_variables()).map_err(Failure::usage)?;
    let places = agent.places();
    let keys = keys(&places);
    let looked = places
        .into_iter()
        .map(|(account, found)| (account, found.map(drop)));
    some_found(looked.collect()).map_err(Failure::usage)?;
    let mut output = std::io::stdout().lock();
    output.write_all(settings.to_toml().as_bytes())?;
    output.write_all(keys.as_bytes())?;
    output.write_all(forecast(settings).as_bytes())?;
    output.flush()?;
    Ok(())
}

/// Where each account's key comes from, as comments behind the settings.
fn keys(places: &[(&str, Result<Found, credentials::Error>)]) -> String {
    let mut text = "\n# Keys:\n".to_owned();
    for (account, place) in places {
        let told = match place {
            Ok(Found::Key(key)) => format!("…{} ({})", key.credentials.suffix(), key.source),
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

/// The calls that the settings lead to, as comments behind the settings.
fn forecast(settings: &Settings) -> String {
    let mut text = "\n# Forecast of API calls, without retries:\n".to_owned();
    for account in &settings.accounts {
        let audit_calls = audit::calls(account.provider, account.regions.len());
        for (region, audit_calls) in account.regions.iter().zip(audit_calls) {
            for kind in account.kinds.iter().filter_map(|name| resources::kind(name)) {
                let polls_per_hour = 3600.0 / settings.interval_of(kind.name).as_secs_f64();
                let page = kind.actions.first().and_then(|action| action.paging.as_ref());
                let page = page.map_or(String::new(), |paging| {
                    format!(", as many again for every further {} {}", paging.size, kind.name)
                });
                let each = kind.one_call_for_each.map_or(String::new(), |object| {
                    format!(", and {polls_per_hour:.0} for each {object}")
                });
                writeln!(
                    text,
                    "#   {} {region} {}: {polls_per_hour:.0} an hour{page}{each}",
                    account.name, kind.name
                )
                .expect("writing to a String cannot fail");
            }
            if let Some(interval) = settings.audit_interval {
                let audits_per_hour = 3600.0 / interval.as_secs_f64();
                writeln!(
                    text,
                    "#   {} {region} audit: {audit_calls} at the start, then {:.1} an hour",
                    account.name,
                    audits_per_hour * audit_calls as f64
                )
                .expect("writing to a String cannot fail");
            }
            writeln!(
                text,
                "#   {} {region}: never more than {:.0} an hour ({} a second)",
                account.name,
                account.requests_per_second * 3600.0,
                account.requests_per_second
            )
            .expect("writing to a String cannot fail");
        }
    }
    text
}
