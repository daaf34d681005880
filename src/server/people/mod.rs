//! `/`: what is polled, how it goes and what it shows, for people.
//!
//! One page that needs nothing else: no script, no image, no font. It does not load itself anew unless asked to, since
//! that takes the place of a reader away.

mod fleet;
mod html;
mod polls;
mod sections;
mod words;

use std::sync::LazyLock;

use axum::http::{HeaderName, HeaderValue, header};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use jiff::Timestamp;
use sha2::{Digest as _, Sha256};

use super::query::{self, Parsed};
use crate::exposition::{Page, Part};
use fleet::Fleet;
use html::{Mark, Now, push};
use polls::Poll;
use sections::Sections;

/// Which part of everything is asked for, and whether it shall stay new.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Wanted {
    part: Part,
    reloads: bool,
}

impl Wanted {
    /// What a query asks for: any of `account`, `region` and `kind`, and `reload`. Others mean nothing.
    pub(super) fn parse(query: Option<&str>, page: &Page) -> Parsed<Self> {
        let (part, rest) = query::part(query::pairs(query), page)?;
        let reloads = rest.iter().any(|(name, _)| name == "reload");
        Ok(Self { part, reloads })
    }

    /// The page as of now.
    pub(super) fn render(&self, page: &Page) -> String {
        let now = Now(Timestamp::now());
        let polls = Poll::all(page, &self.part);
        let readings = page.all_readings(&self.part);
        let fleet = Fleet::of(&readings);
        let started = page.own_samples("process_start_time_seconds");
        let started = started.first().and_then(|(_, seconds)| fleet::time(*seconds));
        let uptime = started.map(|at| html::span(now.seconds_since(at)));

        let mut text = String::new();
        self.push_head(&mut text, &polls);
        self.push_header(&mut text, now, uptime.as_deref());
        text.push_str("<main id=\"main\" tabindex=\"-1\">\n");
        push_summary(&mut text, &polls, &fleet);
        polls::push_failures(&mut text, &polls, now);
        let sections = Sections {
            fleet: &fleet,
            polls: &polls,
            now,
        };
        sections.push_balancers(&mut text);
        sections.push_dead(&mut text);
        sections.push_states(&mut text);
        sections.push_impaired(&mut text);
        sections.push_events(&mut text);
        polls::push_polls(&mut text, &polls, now);
        text.push_str("</main>\n</body>\n</html>\n");
        text
    }

    fn push_head(&self, text: &mut String, polls: &[Poll]) {
        let failing = polls.iter().filter(|poll| poll.state().0 < Mark::Neutral).count();
        // The first thing that a screen reader says, and all that a tab shows.
        let title = match failing {
            0 => "vigie".to_owned(),
            1 => "vigie: 1 poll fails".to_owned(),
            many => format!("vigie: {many} polls fail"),
        };
        push(
            text,
            format_args!(
                "<!DOCTYPE html>\n<html lang=\"en\">\n<head>\n<meta charset=\"utf-8\">\n\
                 <meta name=\"viewport\" content=\"width=device-width, initial-scale=1\">\n\
                 <meta name=\"color-scheme\" content=\"light dark\">\n"
            ),
        );
        if self.reloads {
            push(
                text,
                format_args!("<meta http-equiv=\"refresh\" content=\"{RELOAD_EVERY}\">\n"),
            );
        }
        push(
            text,
            format_args!(
                "<title>{title}</title>\n<link rel=\"icon\" href=\"{ICON}\">\n<style>{STYLE}</style>\n</head>\n"
            ),
        );
    }

    fn push_header(&self, text: &mut String, now: Now, uptime: Option<&str>) {
        let uptime = uptime.map_or_else(String::new, |uptime| format!(", up for {uptime}"));
        let at = now.0;
        push(
            text,
            format_args!(
                "<body>\n<a class=\"skip\" href=\"#main\">Skip to the content</a>\n<header>\n\
                 <h1>vigie <span class=\"version\">{}</span></h1>\n\
                 <p class=\"quiet\">This page is of <time datetime=\"{}\">{}</time> UTC{uptime}.</p>\n",
                env!("CARGO_PKG_VERSION"),
                at.strftime("%FT%TZ"),
                at.strftime("%F %T"),
            ),
        );
        let query = self.query();
        let parameters = |more: &str| match (query.as_str(), more) {
            ("", "") => "./".to_owned(),
            ("", more) => format!("./?{more}"),
            (query, "") => format!("./?{query}"),
            (query, more) => format!("./?{query}&amp;{more}"),
        };
        let (this, other) = if self.reloads {
            (
                parameters("reload"),
                ("Stop reloading".to_owned(), parameters("")),
            )
        } else {
            let every = format!("Reload every {RELOAD_EVERY} s");
            (parameters(""), (every, parameters("reload")))
        };
        push(
            text,
            format_args!(
                "<nav aria-label=\"This page and others\">\n<ul>\n\
                 <li><a href=\"{this}\">Reload</a></li>\n<li><a href=\"{}\">{}</a></li>\n",
                other.1, other.0
            ),
        );
        if !query.is_empty() {
            text.push_str("<li><a href=\"./\">Show everything</a></li>\n");
        }
        // Relative, so that they hold behind a proxy that gives vigie a path of its own.
        for path in ["metrics", "sd/instances", "-/healthy", "-/ready"] {
            push(text, format_args!("<li><a href=\"{path}\">/{path}</a></li>\n"));
        }
        text.push_str("</ul>\n</nav>\n</header>\n");
    }

    /// The part, as a query in an attribute.
    fn query(&self) -> String {
        let mut query = form_urlencoded::Serializer::new(String::new());
        let part = [
            ("account", &self.part.accounts),
            ("region", &self.part.regions),
            ("kind", &self.part.kinds),
        ];
        for (name, values) in part {
            for value in values {
                query.append_pair(name, value);
            }
        }
        query.finish().replace('&', "&amp;")
    }
}

/// What there is to see, each leading to where it is.
fn push_summary(text: &mut String, polls: &[Poll], fleet: &Fleet) {
    let fresh = polls.iter().filter(|poll| poll.state().0 == Mark::Good).count();
    let worst = polls.iter().map(|poll| poll.state().0).min();
    let instances = fleet
        .states
        .values()
        .flatten()
        .map(|(_, count)| count)
        .sum::<usize>();
    let running = fleet.states.values().filter_map(|states| states.get("running"));
    let running: usize = running.sum();
    let balancers = |mark: Mark| fleet.balancers_marked.get(&mark).copied().unwrap_or_default();
    let (down, partly) = (balancers(Mark::Bad), balancers(Mark::Warning));
    let known = |kind: &str| {
        polls
            .iter()
            .any(|poll| poll.watched.kind.name == kind && poll.shown.is_some())
    };
    let has_status = known("instance_status");
    let has_balancers = known("load_balancers") || known("target_groups");
    let none_is = |count: usize, mark: Mark| if count == 0 { Mark::Good } else { mark };

    let balancers_mark = none_is(down, Mark::Bad).min(none_is(partly, Mark::Warning));
    let tiles = [
        (
            "polls",
            true,
            worst.unwrap_or(Mark::Neutral),
            format!("{fresh} of {}", polls.len()),
            "polls fresh",
        ),
        (
            "load-balancers",
            has_balancers,
            balancers_mark,
            (down + partly).to_string(),
            "unhealthy load balancers",
        ),
        (
            "dead-backends",
            has_balancers && known("instances"),
            none_is(fleet.dead.total, Mark::Bad),
            fleet.dead.total.to_string(),
            "dead backends",
        ),
        (
            "instances",
            known("instances"),
            Mark::Neutral,
            format!("{running} of {instances}"),
            "instances running",
        ),
        (
            "impaired",
            has_status,
            none_is(fleet.impaired.total, Mark::Bad),
            fleet.impaired.total.to_string(),
            "checks failing",
        ),
        (
            "scheduled",
            has_status,
            none_is(fleet.events.total, Mark::Warning),
            fleet.events.total.to_string(),
            "events scheduled",
        ),
    ];
    text.push_str("<section aria-labelledby=\"summary\">\n<h2 id=\"summary\" class=\"unseen\">Summary</h2>\n<ul class=\"tiles\">\n");
    for (id, is_known, mark, figure, what) in tiles {
        let (mark, figure) = if is_known {
            (mark, figure)
        } else {
            (Mark::Neutral, "unknown".to_owned())
        };
        let figure = mark.on(format_args!("<strong>{figure}</strong>"));
        push(
            text,
            format_args!("<li><a href=\"#{id}\">{figure} {what}</a></li>\n"),
        );
    }
    text.push_str("</ul>\n</section>\n");
}

/// The headers of the page beside its type. It may load nothing, run nothing, send nothing and stand in no other page;
/// its one style is known by its hash. The icon is in it.
pub(super) fn headers() -> [(HeaderName, HeaderValue); 5] {
    static POLICY: LazyLock<HeaderValue> = LazyLock::new(|| {
        let hash = STANDARD.encode(Sha256::digest(STYLE));
        let policy = format!(
            "default-src 'none'; style-src 'sha256-{hash}'; img-src data:; base-uri 'none'; form-action 'none'; \
             frame-ancestors 'none'"
        );
        HeaderValue::try_from(policy).expect("it is of plain characters")
    });
    [
        (header::CONTENT_SECURITY_POLICY, POLICY.clone()),
        (
            header::X_CONTENT_TYPE_OPTIONS,
            HeaderValue::from_static("nosniff"),
        ),
        // Its query names accounts.
        (header::REFERRER_POLICY, HeaderValue::from_static("no-referrer")),
        // For browsers that do not know `frame-ancestors`.
        (header::X_FRAME_OPTIONS, HeaderValue::from_static("DENY")),
        // It is of now, and what it says is not for a disk.
        (header::CACHE_CONTROL, HeaderValue::from_static("no-store")),
    ]
}

const STYLE: &str = include_str!("style.css");

/// A crow's nest: a ring on a mast.
const ICON: &str = "data:image/svg+xml,%3Csvg xmlns='http://www.w3.org/2000/svg' viewBox='0 0 16 16'%3E%3Cpath \
                    d='M8 7v9' stroke='%23667' stroke-width='2'/%3E%3Ccircle cx='8' cy='5' r='3.5' fill='%230a7' \
                    stroke='%23667' stroke-width='1.5'/%3E%3C/svg%3E";

/// Half of what lies between two polls unless settings say otherwise.
const RELOAD_EVERY: u32 = 30;

#[cfg(test)]
mod tests;
