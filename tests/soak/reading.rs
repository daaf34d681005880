//! One kind on one page: whether it is true, dated honestly, and fails where the cloud does.

use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::fmt::Debug;

use vigie::provider::Provider;
use vigie::resource::Kind;

use crate::account::{Account, Region};
use crate::report::Report;
use crate::scene::{KEYS, STALE_AFTER};
use crate::shown::{Poll, Shown};
use crate::truth::{Facts, Lasted};

/// The dates that one kind had.
#[derive(Debug, Default)]
pub(crate) struct Dates {
    /// The newest until each page had come, lately.
    newest: VecDeque<(f64, f64)>,
    last: f64,
    failures: f64,
    timeouts: f64,
    /// When the last page came by which another poll had run out of time.
    timed_out: f64,
}

/// When a page was asked for and when it had come, and what it says of itself.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Scrape<'a> {
    pub(crate) sent: f64,
    pub(crate) came: f64,
    /// The accounts whose keys are held back.
    pub(crate) locked: &'a BTreeSet<String>,
}

/// One kind of one region on one page.
pub(crate) struct Reading<'a> {
    pub(crate) account: &'a Account,
    pub(crate) region: &'a Region,
    pub(crate) kind: &'static Kind,
    pub(crate) poll: Poll,
    pub(crate) scrape: Scrape<'a>,
    pub(crate) report: &'a Report,
}

impl Scrape<'_> {
    /// Nothing shown may be of a time before this.
    pub(crate) fn oldest(&self) -> f64 {
        self.sent - STALE_AFTER
    }
}

impl Reading<'_> {
    fn date(&self) -> Option<f64> {
        self.poll.last_success
    }

    fn violation(&self, sort: &str, told: &str) {
        let Self {
            account,
            region,
            kind,
            poll,
            scrape,
            ..
        } = self;
        let (from, to) = (scrape.sent - 8.0, scrape.came);
        let troubles = account.troubles(from, to, region.name, kind);
        let troubles: Vec<String> = troubles
            .iter()
            .map(|one| format!("{} from {:.3} to {:.3}", one.what, one.since, one.until))
            .collect();
        let told = format!(
            "{} {} {}: {told}\n    the page says {poll:?}, was asked for at {:.3} and came at {:.3}\n    troubles: {}",
            account.name,
            region.name,
            kind.name,
            scrape.sent,
            scrape.came,
            troubles.join("; ")
        );
        self.report.violation(sort, &told);
    }

    /// Dates are of the past, never go back, and are those of polls whose first call was made after them.
    pub(crate) fn is_dated(&self, dates: &mut Dates) {
        let Scrape { sent, came, .. } = self.scrape;
        if self.begins_anew() {
            (dates.failures, dates.timeouts) = (
                dates.failures.min(self.poll.failures),
                dates.timeouts.min(self.poll.timeouts),
            );
        }
        let grown = self.poll.failures - dates.failures;
        if grown > 0.0 {
            dates.failures = self.poll.failures;
            self.report.count(|figures| figures.failed_polls += grown);
        }
        if self.poll.timeouts > dates.timeouts {
            (dates.timeouts, dates.timed_out) = (self.poll.timeouts, self.scrape.came);
        }
        let changes = &self.account.changes;
        let before = dates.newest.iter().rev().find(|(by, _)| *by <= sent);
        let Some(date) = self.date() else {
            if let Some((by, newest)) = before
                && changes.is_calm(*by, came)
            {
                let told = format!("it has no date, and had {newest:.6} on a page that came at {by:.3}");
                self.violation("back", &told);
            }
            return;
        };
        if date > came {
            self.violation("future", "it is dated in the future");
        }
        if let Some(changed) = changes.last_over(sent)
            && date < changed
        {
            let told = format!("its date is of before {changed:.3}, when its account ended");
            self.violation("kept", &told);
        }
        if let Some((by, newest)) = before
            && *newest > date
        {
            self.violation(
                "back",
                &format!("its date was {newest:.6} on a page that came at {by:.3}"),
            );
        }
        let newest = dates.newest.back().map_or(date, |(_, newest)| newest.max(date));
        // Pages may have come in another order than they are checked in; what came before is known later, at worst.
        let came = dates.newest.back().map_or(came, |(by, _)| by.max(came));
        dates.newest.push_back((came, newest));
        while dates.newest.len() > 400 {
            dates.newest.pop_front();
        }
        if date > dates.last {
            dates.last = date;
            self.is_older_than_its_first_call(date);
        }
    }

    /// Whether the settings said something else of the account a moment ago, and it has not been polled since.
    fn begins_anew(&self) -> bool {
        let Scrape { sent, came, .. } = self.scrape;
        !self.account.changes.is_calm(sent - CALM, came)
    }

    fn first_call(&self) -> String {
        let first = self.kind.actions[0].name;
        // The same name, in two versions of a service.
        if self.kind.name == "target_groups" {
            format!("{first}2")
        } else {
            first.to_owned()
        }
    }

    fn is_older_than_its_first_call(&self, date: f64) {
        let action = self.first_call();
        let asked = self.account.asked(|asked| {
            asked.time >= date - ROUNDED && asked.action == action && asked.region == self.region.name
        });
        match asked {
            Some(asked) if asked.time <= self.scrape.came => {
                let ahead = asked.time - date;
                self.report.count(|figures| {
                    figures.polls += 1;
                    figures.ahead = figures.ahead.max(ahead);
                });
            }
            _ => self.violation(
                "date",
                &format!("no call of {action} was answered between its date and the page"),
            ),
        }
    }

    /// `vigie_poll_success` agrees with the weather.
    pub(crate) fn fails_where_the_cloud_does(&self, dates: &Dates) {
        let Scrape { sent, came, locked } = self.scrape;
        let between = |from: f64| self.account.troubles(from, came, self.region.name, self.kind);
        // Where refusals lock, two requests may be under way at once, of whatever kind: what is slow is so to all.
        let is_calm = |from: f64| match self.account.provider {
            Provider::Outscale => self.account.is_calm(from, came),
            Provider::Aws => between(from).is_empty(),
        };
        let lately = between(sent - LONGEST_POLLS);
        let is_locked = locked.contains(self.account.name);
        match self.poll.success {
            None if self.begins_anew() => {}
            None => self.violation("success", "there is no vigie_poll_success"),
            Some(success) if success > 0.0 => {
                if let Some(trouble) = lately.iter().find(|trouble| {
                    trouble.is_total && trouble.sure < sent - LONGEST_POLLS && trouble.surely_until > came
                }) {
                    let told = format!("polls succeed, it says, in spite of {}", trouble.what);
                    self.if_nothing_stalled("success", &told, dates);
                }
            }
            Some(_) if is_calm(sent - LONGEST_POLLS) && !is_locked => {
                self.if_nothing_stalled("failure", "polls fail, it says, in calm weather", dates);
            }
            Some(_) => {}
        }
        let calm = if self.account.name == KEYS {
            KEY_FORGIVEN
        } else {
            CALM
        };
        // A refusal after requests that nobody answered in time counts for more than one, and holds back for longer.
        if is_calm(sent - calm) && !(is_locked && self.poll.timeouts > 0.0) {
            if is_locked {
                self.violation("locked", "its key is held back in calm weather");
            }
            if self.date().is_none_or(|date| date < sent - OLDEST_IN_CALM) {
                self.if_nothing_stalled("old", "it is old in calm weather", dates);
            }
            self.report.count(|figures| figures.calm += 1);
        }
    }

    /// That something has happened by now can be asked of a machine only that has time for it. Polls that run out of
    /// theirs in calm weather may do so for want of it too: what is too much of that is told in the end.
    fn if_nothing_stalled(&self, sort: &str, told: &str, dates: &Dates) {
        let sent = self.scrape.sent;
        if self.report.leaves_open(sent - CALM) {
            // It is counted.
        } else if sort != "success" && dates.timed_out > sent - CALM {
            self.report.count(|figures| figures.late += 1);
        } else {
            self.violation(sort, told);
        }
    }

    /// What is shown was so at some moment since its date, and is not too old; what is not too old is shown.
    pub(crate) fn is_true(&self, shown: &Shown) {
        match self.kind.name {
            "instances" => self.whole(|facts| &facts.instances, &shown.facts.instances),
            "volumes" => self.whole(|facts| &facts.volumes, &shown.facts.volumes),
            "addresses" => self.whole(|facts| &facts.addresses, &shown.facts.addresses),
            "instance_status" if self.account.provider == Provider::Aws => {
                self.whole(|facts| &facts.checks, &shown.facts.checks);
            }
            "instance_status" => self.compare("", |facts| Some(&facts.checks), &shown.facts.checks),
            "load_balancers" => {
                let balancers = &shown.facts.backends;
                // Which there are does not change.
                let (truth, _) = self.region.history.all().swap_remove(0);
                if self.is_there(!balancers.is_empty()) && !balancers.keys().eq(truth.facts.backends.keys()) {
                    self.violation("truth", &format!("only {:?} are shown", balancers.keys()));
                }
                for (name, backends) in balancers {
                    self.compare(name, |facts| facts.backends.get(name), backends);
                }
            }
            "target_groups" => {
                let Facts {
                    routes, balancers, ..
                } = &shown.facts;
                if !self.is_there(!routes.is_empty()) {
                    return;
                }
                self.compare("routes", |facts| Some(&facts.routes), routes);
                self.compare("load balancers", |facts| Some(&facts.balancers), balancers);
                for route in routes.iter().chain(shown.routed.keys()) {
                    let (balancer, name) = route;
                    self.compare(
                        &format!("{balancer} {name}"),
                        |facts| facts.groups.get(name),
                        shown.routed.get(route).unwrap_or(&BTreeSet::new()),
                    );
                }
            }
            // Those of which no truth is known.
            name => {
                self.is_there(shown.others.contains(name));
            }
        }
    }

    fn whole<K: Ord + Debug, V: PartialEq + Debug>(
        &self,
        of: impl Fn(&Facts) -> &BTreeMap<K, V>,
        shown: &BTreeMap<K, V>,
    ) {
        if self.is_there(!shown.is_empty()) {
            self.compare("", |facts| Some(of(facts)), shown);
        }
    }

    /// Whether it is shown. If its date says that it may be, it has to be; otherwise it must not.
    fn is_there(&self, is_shown: bool) -> bool {
        if is_shown {
            self.is_fresh();
        } else if self
            .date()
            .is_some_and(|date| date > self.scrape.came - STALE_AFTER)
            // Dates are put on a page before readings, and an account may end in between.
            && self.account.changes.is_calm(self.scrape.sent, self.scrape.came)
        {
            self.violation("missing", "its reading is fresh, and is not shown");
        }
        is_shown
    }

    /// What is shown is as new as its date says, and that is not too old. One that is published while the page is put
    /// together may be newer.
    fn is_fresh(&self) {
        let Scrape { came, .. } = self.scrape;
        let date = match self.date() {
            Some(date) => date,
            // The first is published while the page is put together, or it is a fault.
            None if self.begins_anew() => 0.0,
            None => return self.violation("date", "it is shown without a date"),
        };
        let oldest = self.scrape.oldest();
        if date >= oldest - ROUNDED {
            self.report.count(|figures| {
                figures.oldest_shown = figures.oldest_shown.max(came - date);
            });
            return;
        }
        let first = self.first_call();
        let asked = self.account.asked(|asked| {
            asked.time >= oldest
                && asked.time <= came
                && asked.status == 200
                && asked.action == first
                && asked.region == self.region.name
        });
        match asked {
            Some(_) => self.report.count(|figures| figures.dated_late += 1),
            None => self.violation("stale", "it is shown, and is too old for that"),
        }
    }

    /// What is shown was so at one moment, since the date and since anything shown may be of.
    fn compare<T: PartialEq + Debug>(&self, what: &str, of: impl Fn(&Facts) -> Option<&T>, shown: &T) {
        let Scrape { came, .. } = self.scrape;
        let from = self.date().unwrap_or_default().max(self.scrape.oldest()) - ROUNDED;
        let is_so = |(version, _): &Lasted| of(&version.facts) == Some(shown);
        self.report.count(|figures| figures.compared += 1);
        let truths = self.region.history.between(from, came);
        if truths.iter().any(is_so) {
            return;
        }
        let was_so = self.region.history.all().into_iter().rfind(is_so);
        let age = match was_so {
            Some((version, until)) => {
                self.report.count(|figures| {
                    figures.age_error = figures.age_error.max(from - until);
                });
                format!(
                    "it was so from {:.3} to {until:.3}, {:.3} s before its date",
                    version.since,
                    from - until
                )
            }
            None => "it never was so".to_owned(),
        };
        let truths: Vec<String> = truths
            .iter()
            .map(|(version, until)| {
                format!(
                    "from {:.3} to {until:.3}: {:?}",
                    version.since,
                    of(&version.facts)
                )
            })
            .collect();
        let told = format!(
            "{what} is shown as {shown:?}; {age}\n    the truth {}",
            truths.join("\n    and ")
        );
        self.violation("truth", &told);
    }
}

/// In seconds: of a poll that failed at last and the one before it, with room for a busy machine.
const LONGEST_POLLS: f64 = 4.5;

/// So long after the last trouble everything has been polled.
pub(crate) const CALM: f64 = 6.0;

/// A refused key is tried again after a minute.
const KEY_FORGIVEN: f64 = 75.0;

/// In seconds: two polls that took as long as they may, and the intervals before them.
const OLDEST_IN_CALM: f64 = 4.0;

/// Of a time as seconds in a float.
const ROUNDED: f64 = 1e-6;
