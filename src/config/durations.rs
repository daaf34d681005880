//! How long an interval and the age of a reading may be.

use std::time::Duration;

use super::{Settings, error::Fault, values};

pub(super) fn checked_interval(interval: Duration) -> Result<Duration, Fault> {
    let sentence = if interval.is_zero() {
        "is zero: write the time from one poll to the next, such as \"60s\"".to_owned()
    } else if interval < SHORTEST_INTERVAL {
        format!(
            "is {}: write \"{}\" or more",
            values::spelled(interval),
            values::spelled(SHORTEST_INTERVAL)
        )
    } else if interval > LONGEST_INTERVAL {
        format!("is {}: write \"24h\" or less", values::spelled(interval))
    } else {
        return Ok(interval);
    };
    Err(Fault::value("", sentence))
}

pub(super) fn checked_audit_interval(interval: Duration) -> Result<Duration, Fault> {
    let sentence = if interval.is_zero() {
        "is zero: write the time from one audit to the next, such as \"24h\", or remove it to have none"
            .to_owned()
    } else if interval < SHORTEST_AUDIT_INTERVAL {
        format!(
            "is {}, so that audits would use up calls that others need: write \"{}\" or more",
            values::spelled(interval),
            values::spelled(SHORTEST_AUDIT_INTERVAL)
        )
    } else if interval > LONGEST_AUDIT_INTERVAL {
        format!(
            "is {}: write \"8760h\" (a year) or less",
            values::spelled(interval)
        )
    } else {
        return Ok(interval);
    };
    Err(Fault::value("audit_interval", sentence))
}

pub(super) fn check_stale_after(settings: &Settings) -> Result<(), Fault> {
    let stale_after = settings.stale_after;
    let spelled = values::spelled(stale_after);
    let wrong = |sentence: String| Err(Fault::value("stale_after", sentence));
    if stale_after.is_zero() {
        return wrong(
            "is zero, so that no reading would ever be shown: write a few intervals, such as \"5m\""
                .to_owned(),
        );
    }
    if stale_after > LONGEST_STALE_AFTER {
        return wrong(format!("is {spelled}: write \"168h\" (7 days) or less"));
    }
    let polled = settings.accounts.iter().flat_map(|account| &account.kinds);
    let longest = polled.map(|kind| (settings.interval_of(kind), *kind)).max();
    if let Some((interval, kind)) = longest
        && stale_after < interval
    {
        return wrong(format!(
            "is {spelled}, shorter than the interval of `{kind}` ({}), so that its readings would come and go: \
             write \"{}\" or more",
            values::spelled(interval),
            values::spelled(interval.saturating_mul(2).min(LONGEST_STALE_AFTER)),
        ));
    }
    Ok(())
}

pub(super) const DEFAULT_INTERVAL: Duration = Duration::from_secs(60);
const SHORTEST_INTERVAL: Duration = Duration::from_millis(100);
const LONGEST_INTERVAL: Duration = Duration::from_secs(24 * 60 * 60);
/// Each audit of a region makes twelve calls of the sort that changes things. AWS lets an account make five of those a
/// second, all its tools together, and each is a line in its records.
const SHORTEST_AUDIT_INTERVAL: Duration = Duration::from_secs(60);
const LONGEST_AUDIT_INTERVAL: Duration = Duration::from_secs(365 * 24 * 60 * 60);
pub(super) const DEFAULT_STALE_AFTER: Duration = Duration::from_secs(5 * 60);
const LONGEST_STALE_AFTER: Duration = Duration::from_secs(7 * 24 * 60 * 60);
