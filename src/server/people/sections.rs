//! The parts of the page that are about instances and load balancers.

use std::collections::BTreeMap;

use super::fleet::{Balancer, Fleet, Id};
use super::html::{self, Column, Mark, Now, name, push, push_more, push_row, push_table};
use super::polls::Poll;
use super::words::{STATES, bar, causes, named, place, state_of, swatch};

/// What is shown with each list: how old it is, and what it lacks.
pub(super) struct Sections<'a> {
    pub(super) fleet: &'a Fleet,
    pub(super) polls: &'a [Poll],
    pub(super) now: Now,
}

impl Sections<'_> {
    /// Load balancers, those without a healthy backend first, then the others with an unhealthy one.
    pub(super) fn push_balancers(&self, page: &mut String) {
        let columns: [Column<'_>; 5] = [
            ("Load balancer", false),
            ("State", false),
            ("In service", true),
            ("Out of service because", false),
            WHERE,
        ];
        let (list, marked) = (&self.fleet.balancers, &self.fleet.balancers_marked);
        let unhealthy: usize = marked.range(..Mark::Neutral).map(|(_, count)| count).sum();
        let row = |row: &Balancer| {
            let [account, region, load_balancer, sort, target_group] = &row.labels;
            [
                named(load_balancer, sort, target_group),
                row.mark().on(state_of(row)),
                format!("{} of {}", row.healthy, row.backends),
                causes(row),
                place(account, region),
            ]
        };
        let (first, others) = list.rows.split_at(unhealthy.min(list.rows.len()));
        let section = List {
            id: "load-balancers",
            title: "Load balancers",
            kinds: &BALANCERS,
            none: "No load balancer has a backend that is known to be out of service",
            total: unhealthy,
            rest: " with a backend out of service",
        };
        self.push(page, &section, &columns, first.iter().map(row), |page| {
            if list.total == unhealthy {
                return;
            }
            push(
                page,
                format_args!(
                    "<details>\n<summary>{} without a backend out of service</summary>\n",
                    list.total - unhealthy
                ),
            );
            let mut body = String::new();
            let columns = self.wanted(&columns);
            for other in others {
                push_row(&mut body, columns, &row(other));
            }
            if !body.is_empty() {
                push_table(page, "others", "The others", columns, &body);
            }
            push_more(page, others.len(), list.total - unhealthy, "");
            page.push_str("</details>\n");
        });
    }

    /// Backends whose instance cannot serve.
    pub(super) fn push_dead(&self, page: &mut String) {
        let columns: [Column<'_>; 4] = [("Instance", false), ("State", false), ("Behind", false), WHERE];
        let list = &self.fleet.dead;
        let rows = list.rows.iter().map(|row| {
            let [account, region, _] = &row.instance;
            [
                self.instance(&row.instance),
                Mark::Bad.on(name(&row.state)),
                named(&row.load_balancer, "", &row.target_group),
                place(account, region),
            ]
        });
        let list = List {
            id: "dead-backends",
            title: "Dead backends",
            kinds: &["instances", BALANCERS[0], BALANCERS[1]],
            none: "No load balancer leads to an instance that is stopped, terminated or gone",
            total: list.total,
            rest: "",
        };
        self.push(page, &list, &columns, rows, |_| {});
    }

    /// How many instances are in which state.
    pub(super) fn push_states(&self, page: &mut String) {
        let states = &self.fleet.states;
        let mut found: BTreeMap<&str, usize> = BTreeMap::new();
        for (state, count) in states.values().flatten() {
            *found.entry(state).or_default() += count;
        }
        let mut order: Vec<&str> = found.keys().copied().collect();
        order.sort_by_key(|state| {
            (
                STATES
                    .iter()
                    .position(|known| known == state)
                    .unwrap_or(STATES.len()),
                *state,
            )
        });
        // A cloud that invents states has few; one that writes a novel into them is not a table.
        order.truncate(STATES.len() + 3);
        let titles: Vec<String> = order
            .iter()
            .map(|state| format!("{}{}", swatch(state), name(state)))
            .collect();
        let mut columns: Vec<Column<'_>> = vec![WHERE, ("Share", false), ("All", true)];
        columns.extend(titles.iter().map(|title| (title.as_str(), true)));

        let mut largest: Vec<_> = states
            .iter()
            .map(|(place, counts)| (place, counts, counts.values().sum()))
            .collect();
        largest.sort_by_key(|(_, _, total): &(_, _, usize)| std::cmp::Reverse(*total));
        let rows = largest
            .iter()
            .take(html::LIMIT)
            .map(|([account, region], counts, total)| {
                let count = |state: &&str| counts.get(*state).copied().unwrap_or_default();
                let cells = [
                    place(account, region),
                    bar(&order, count, *total),
                    total.to_string(),
                ];
                let counts = order.iter().map(|state| match count(state) {
                    0 => "<span class=\"quiet\">0</span>".to_owned(),
                    some => some.to_string(),
                });
                cells.into_iter().chain(counts).collect::<Vec<_>>()
            });
        let list = List {
            id: "instances",
            title: "Instances by state",
            kinds: &["instances"],
            none: "There are none",
            total: states.len(),
            rest: " places",
        };
        self.push(page, &list, &columns, rows, |_| {});
    }

    /// Instances that fail a check.
    pub(super) fn push_impaired(&self, page: &mut String) {
        let columns: [Column<'_>; 4] = [("Instance", false), ("Check", false), ("Fails", true), WHERE];
        let list = &self.fleet.impaired;
        let rows = list.rows.iter().map(|row| {
            let [account, region, _] = &row.instance;
            [
                self.instance(&row.instance),
                Mark::Bad.on(name(&row.check)),
                row.since.map_or_else(String::new, |since| self.now.since(since)),
                place(account, region),
            ]
        });
        let list = List {
            id: "impaired",
            title: "Impaired instances",
            kinds: &["instance_status"],
            none: "No check is said to fail",
            total: list.total,
            rest: "",
        };
        self.push(page, &list, &columns, rows, |_| {});
    }

    /// What the cloud has scheduled, the next first.
    pub(super) fn push_events(&self, page: &mut String) {
        let columns: [Column<'_>; 4] = [("Instance", false), ("What", false), ("Begins", true), WHERE];
        let list = &self.fleet.events;
        let rows = list.rows.iter().map(|row| {
            let [account, region, _] = &row.instance;
            [
                self.instance(&row.instance),
                Mark::Warning.on(name(&row.code)),
                self.now.until(row.not_before),
                place(account, region),
            ]
        });
        let list = List {
            id: "scheduled",
            title: "Scheduled events",
            kinds: &["instance_status"],
            none: "Nothing is scheduled",
            total: list.total,
            rest: "",
        };
        self.push(page, &list, &columns, rows, |_| {});
    }

    fn push<R: AsRef<[String]>>(
        &self,
        page: &mut String,
        list: &List<'_>,
        columns: &[Column<'_>],
        rows: impl Iterator<Item = R>,
        behind: impl FnOnce(&mut String),
    ) {
        let columns = self.wanted(columns);
        let polls: Vec<&Poll> = self
            .polls
            .iter()
            .filter(|poll| list.kinds.contains(&poll.watched.kind.name))
            .collect();
        let oldest = polls
            .iter()
            .filter_map(|poll| poll.shown.as_ref())
            .map(|reading| reading.at)
            .min();
        let (id, title) = (list.id, list.title);
        push(
            page,
            format_args!(
                "<section aria-labelledby=\"{id}\">\n<h2 id=\"{id}\" tabindex=\"-1\">{title}</h2>\n"
            ),
        );
        let (mut body, mut listed) = (String::new(), 0);
        for row in rows {
            push_row(&mut body, columns, row.as_ref());
            listed += 1;
        }
        match oldest {
            _ if polls.is_empty() => page.push_str("<p class=\"quiet\">Not watched.</p>\n"),
            None => {}
            Some(at) if listed == 0 => {
                push(
                    page,
                    format_args!("<p>{}, as of {}.</p>\n", list.none, self.now.ago(at)),
                );
            }
            Some(at) => {
                let caption = format!("As of {}", self.now.ago(at));
                push_table(page, id, &caption, columns, &body);
            }
        }
        push_more(page, listed, list.total, list.rest);
        behind(page);
        push_missing(page, &polls);
        page.push_str("</section>\n");
    }

    /// The columns, without the last if that says the same in every row.
    fn wanted<'c>(&self, columns: &'c [Column<'c>]) -> &'c [Column<'c>] {
        let mut places = self
            .polls
            .iter()
            .map(|poll| (&poll.watched.account, &poll.watched.region));
        let first = places.next();
        let is_one = places.all(|place| Some(place) == first);
        match columns.split_last() {
            Some((last, others)) if is_one && *last == WHERE => others,
            _ => columns,
        }
    }

    fn instance(&self, id: &Id) -> String {
        let [_, _, own] = id;
        let own = format!("<code>{}</code>", name(own));
        match self.fleet.name(id) {
            Some(called) => format!("{} <span class=\"quiet\">{own}</span>", name(called)),
            None => own,
        }
    }
}

/// A list of the page.
struct List<'a> {
    id: &'a str,
    title: &'a str,
    /// The kinds that it is made from.
    kinds: &'a [&'a str],
    /// What is said when it is empty.
    none: &'a str,
    total: usize,
    /// What is said of those that are not listed.
    rest: &'a str,
}

/// Says of which places nothing is known: a list that lacks them looks better than things are.
fn push_missing(page: &mut String, polls: &[&Poll]) {
    let missing: Vec<&&Poll> = polls.iter().filter(|poll| poll.shown.is_none()).collect();
    if missing.is_empty() {
        return;
    }
    let named = missing.iter().take(MISSING_NAMED).map(|poll| {
        let watched = &poll.watched;
        format!(
            "{} of {} in {}",
            watched.kind.name,
            name(&watched.account),
            name(&watched.region)
        )
    });
    let named = named.collect::<Vec<_>>().join("; ");
    let more = match missing.len().saturating_sub(MISSING_NAMED) {
        0 => String::new(),
        more => format!("; and {more} more"),
    };
    push(
        page,
        format_args!(
            "<p>{} {named}{more}. <a href=\"#polls\">Why</a></p>\n",
            Mark::Warning.on("Nothing is known of:")
        ),
    );
}

const WHERE: Column<'static> = ("Where", false);

/// The kinds that show load balancers.
const BALANCERS: [&str; 2] = ["load_balancers", "target_groups"];

/// A sentence of more is not read.
const MISSING_NAMED: usize = 10;
