//! How polling goes: each poll's state, and what to do about those that fail.

use std::collections::BTreeMap;
use std::sync::Arc;

use super::html::{self, LIMIT, Mark, Now, push, push_more, push_table};
use crate::exposition::{Page, Part};
use crate::paths::without_paths;
use crate::poller::{Failure, Status, Watched};
use crate::reading::Reading;

/// A poll, and what there is of it to be shown.
pub(super) struct Poll {
    pub(super) watched: Watched,
    status: Status,
    /// The last reading, unless it is too old.
    pub(super) shown: Option<Arc<Reading>>,
}

impl Poll {
    /// The polls of a part of the page.
    pub(super) fn all(page: &Page, part: &Part) -> Vec<Self> {
        let of_part = |watched: &Watched| part.shows(&watched.account, &watched.region, watched.kind.name);
        let watched = page.watched().into_iter().filter(of_part);
        watched
            .map(|watched| Self {
                status: watched.status(),
                shown: page.reading(&watched),
                watched,
            })
            .collect()
    }

    /// How it goes, in words.
    pub(super) fn state(&self) -> (Mark, &'static str) {
        match (&self.status.failure, &self.shown) {
            (None, Some(_)) => (Mark::Good, "fresh"),
            (Some(_), Some(_)) => (Mark::Warning, "failing"),
            (Some(_), None) => (Mark::Bad, "failing, nothing shown"),
            (None, None) if self.status.tried => (Mark::Bad, "too old"),
            (None, None) => (Mark::Neutral, "not polled yet"),
        }
    }

    fn place(&self) -> [&str; 2] {
        [&self.watched.account, &self.watched.region]
    }
}

/// The failures, those of the same cause as one, and since when; the link from each poll leads here.
pub(super) fn push_failures(page: &mut String, polls: &[Poll], now: Now) {
    let mut causes: BTreeMap<(Mark, &str), Vec<(&Poll, &Failure)>> = BTreeMap::new();
    for poll in polls {
        if let Some(failure) = &poll.status.failure {
            let cause = (poll.state().0, &*failure.explained);
            causes.entry(cause).or_default().push((poll, failure));
        }
    }
    let overdue: Vec<&Poll> = polls.iter().filter(|poll| poll.state().1 == "too old").collect();
    if causes.is_empty() && overdue.is_empty() {
        return;
    }
    page.push_str("<section aria-labelledby=\"failures\">\n<h2 id=\"failures\">What fails</h2>\n<ul class=\"failures\">\n");
    if !overdue.is_empty() {
        push(
            page,
            format_args!(
                "<li class=\"bad\"><p>{} {}</p>\n<p>The last reading has left the page, and the poll under way takes \
                 longer than one may: raise <code>stale_after</code> or <code>requests_per_second</code>.</p></li>\n",
                Mark::Bad.on("too old:"),
                named(&overdue)
            ),
        );
    }
    let total = causes.len();
    for ((mark, explained), failing) in causes.into_iter().take(LIMIT) {
        let of_cause: Vec<&Poll> = failing.iter().map(|(poll, _)| *poll).collect();
        let first = failing.iter().min_by_key(|(_, failure)| failure.since);
        let Some((poll, failure)) = first else { continue };
        let class = if mark == Mark::Bad { "bad" } else { "warning" };
        let (state, reason) = (poll.state().1, failure.reason.name());
        push(
            page,
            format_args!(
                "<li class=\"{class}\"><p>{} {}, <span class=\"quiet\">{}</span></p>\n<p>{}</p></li>\n",
                mark.on(format_args!("{state} ({reason}):")),
                named(&of_cause),
                now.since(failure.since),
                html::message(&without_paths(explained)),
            ),
        );
    }
    page.push_str("</ul>\n");
    push_more(page, LIMIT, total, " causes");
    page.push_str("</section>\n");
}

/// Kinds of places, in words: a cause may be that of hundreds.
fn named(polls: &[&Poll]) -> String {
    let mut places: BTreeMap<[&str; 2], Vec<&str>> = BTreeMap::new();
    for poll in polls {
        places
            .entry(poll.place())
            .or_default()
            .push(poll.watched.kind.name);
    }
    let total = places.len();
    let named = places
        .into_iter()
        .take(PLACES_NAMED)
        .map(|([account, region], kinds)| {
            format!(
                "<strong>{}</strong> of {} in {}",
                kinds.join(", "),
                html::name(account),
                html::name(region)
            )
        });
    let mut text = named.collect::<Vec<_>>().join("; ");
    if total > PLACES_NAMED {
        push(
            &mut text,
            format_args!("; and in {} more places", total - PLACES_NAMED),
        );
    }
    text
}

/// Every poll, the places with the worst first.
pub(super) fn push_polls(page: &mut String, polls: &[Poll], now: Now) {
    let mut places: BTreeMap<[&str; 2], (Mark, Vec<&Poll>)> = BTreeMap::new();
    for poll in polls {
        let mark = poll.state().0;
        let (worst, of_place) = places.entry(poll.place()).or_insert((mark, Vec::new()));
        *worst = mark.min(*worst);
        of_place.push(poll);
    }
    let mut places: Vec<_> = places.into_iter().collect();
    places.sort_by_key(|(_, (worst, _))| *worst);

    page.push_str("<section aria-labelledby=\"polls\">\n<h2 id=\"polls\" tabindex=\"-1\">Polls</h2>\n");
    let (mut body, mut listed) = (String::new(), 0);
    for ([account, region], (_, of_place)) in places {
        // A place is listed whole: what is missing from it would look like what is not polled.
        if listed >= LIMIT {
            break;
        }
        listed += of_place.len();
        let (account, region) = (html::name(account), html::name(region));
        push(
            &mut body,
            format_args!(
                "<tbody>\n<tr class=\"place\"><th scope=\"rowgroup\" colspan=\"5\">{account} <span class=\"quiet\">in</span> \
                 {region}</th></tr>\n"
            ),
        );
        for poll in of_place {
            html::push_row(&mut body, &COLUMNS, &cells(poll, now));
        }
        body.push_str("</tbody>\n");
    }
    if body.is_empty() {
        page.push_str("<p>Nothing is watched yet.</p>\n");
    } else {
        push_table(
            page,
            "polls",
            "Each kind of each account and region",
            &COLUMNS,
            &body,
        );
    }
    push_more(
        page,
        listed,
        polls.len(),
        ", none of which does worse than the last one here",
    );
    page.push_str("</section>\n");
}

fn cells(poll: &Poll, now: Now) -> [String; 5] {
    let (mark, state) = poll.state();
    let state = match &poll.status.failure {
        Some(failure) => format!(
            "<a href=\"#failures\">{}</a> {}",
            mark.on(state),
            now.since(failure.since)
        ),
        None => mark.on(state),
    };
    let reading = poll.status.reading.as_ref();
    let took = poll
        .status
        .took
        .map(|took| format!("{:.2} s", took.as_secs_f64()));
    let objects = poll.shown.as_ref().map(|reading| match reading.skipped {
        0 => reading.objects.to_string(),
        skipped => format!(
            "{} <span class=\"quiet\">+{skipped} skipped</span>",
            reading.objects
        ),
    });
    [
        poll.watched.kind.name.to_owned(),
        state,
        reading.map_or_else(String::new, |reading| now.ago(reading.at)),
        took.unwrap_or_default(),
        objects.unwrap_or_default(),
    ]
}

const COLUMNS: [html::Column<'static>; 5] = [
    ("Kind", false),
    ("State", false),
    ("As of", true),
    ("Took", true),
    ("Objects", true),
];

/// Places that a cause is told of: it is read as a sentence.
const PLACES_NAMED: usize = 10;
