//! How one thing is told in a cell: a load balancer, a place, what is wrong, how states share a fleet.

use super::fleet::Balancer;
use super::html::{Mark, name, push};

/// What a place behind a load balancer is called.
pub(super) fn named(load_balancer: &str, sort: &str, target_group: &str) -> String {
    let sort = if sort.is_empty() {
        String::new()
    } else {
        format!(" <span class=\"quiet\">{}</span>", name(sort))
    };
    match (load_balancer, target_group) {
        ("", group) => format!(
            "{} <span class=\"quiet\">behind no load balancer</span>",
            name(group)
        ),
        (balancer, "") => format!("{}{sort}", name(balancer)),
        (balancer, group) => format!(
            "{}{sort} <span class=\"quiet\">→</span> {}",
            name(balancer),
            name(group)
        ),
    }
}

/// An account and a region.
pub(super) fn place(account: &str, region: &str) -> String {
    format!(
        "{} <span class=\"quiet region\">{}</span>",
        name(account),
        name(region)
    )
}

/// How a place behind a load balancer does.
pub(super) fn state_of(balancer: &Balancer) -> String {
    match balancer.mark() {
        Mark::Bad => "no healthy backend".to_owned(),
        Mark::Warning => format!(
            "{} out of service",
            balancer.backends - balancer.healthy - balancer.unchecked()
        ),
        Mark::Neutral if balancer.backends > 0 => "not checked".to_owned(),
        Mark::Neutral => "no backends".to_owned(),
        Mark::Good => "all in service".to_owned(),
    }
}

/// What keeps its backends out of service, in the cloud's words.
pub(super) fn causes(balancer: &Balancer) -> String {
    let mut most: Vec<_> = balancer.causes.iter().collect();
    most.sort_by_key(|(_, count)| std::cmp::Reverse(**count));
    let told = most.iter().take(CAUSES_NAMED).map(|((state, reason), count)| {
        let reason = match &**reason {
            // What the clouds write for none.
            "" | "N/A" => String::new(),
            reason => format!(" ({})", name(reason)),
        };
        format!("{count} {}{reason}", name(state))
    });
    told.collect::<Vec<_>>().join(", ")
}

/// The share of each state as a bar, for those who see it; the figures beside it say the same. The colour is that of a
/// class, since a style of its own is what the page's policy refuses.
pub(super) fn bar(order: &[&str], count: impl Fn(&&str) -> usize, total: usize) -> String {
    let mut bar =
        "<svg class=\"bar\" viewBox=\"0 0 100 1\" preserveAspectRatio=\"none\" aria-hidden=\"true\">"
            .to_owned();
    let mut before = 0.0;
    for state in order {
        let width = 100.0 * count(state) as f64 / total.max(1) as f64;
        let class = class_of(state);
        if width > 0.0 {
            push(
                &mut bar,
                format_args!("<rect class=\"{class}\" x=\"{before:.2}\" width=\"{width:.2}\" height=\"1\"/>"),
            );
        }
        before += width;
    }
    bar.push_str("</svg>");
    bar
}

/// The colour of a state, beside its name.
pub(super) fn swatch(state: &str) -> String {
    let class = class_of(state);
    format!(
        "<svg class=\"swatch\" viewBox=\"0 0 1 1\" aria-hidden=\"true\"><rect class=\"{class}\" width=\"1\" \
         height=\"1\"/></svg> "
    )
}

fn class_of(state: &str) -> &'static str {
    STATES
        .into_iter()
        .find(|known| *known == state)
        .unwrap_or("other")
}

/// The states that both clouds know, those that matter most first.
pub(super) const STATES: [&str; 7] = [
    "running",
    "stopped",
    "quarantine",
    "pending",
    "stopping",
    "shutting-down",
    "terminated",
];

/// The commonest are what is to be mended first.
const CAUSES_NAMED: usize = 3;
