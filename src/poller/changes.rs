//! What changed its state from one reading to the next, as lines of the log.
//!
//! Nothing is kept for it: both readings hold their lines anyway, compressed. Pieces that are the same in both hold
//! nothing that changed, and of the others only what names an object's state is remembered, for as long as this takes.

use std::borrow::Cow;
use std::collections::HashMap;
use std::hash::{BuildHasher as _, RandomState};

use jiff::Timestamp;
use tracing::info;

use crate::reading::{Line, Reading, unquoted};
use crate::resource::{Kind, States};
use crate::text::Text;

/// What changed between two readings.
#[derive(Debug, Default)]
struct Changes {
    /// The first of them.
    told: Vec<Change>,
    /// How many more there are.
    further: usize,
}

/// One object that changed.
#[derive(Debug)]
struct Change {
    /// The labels that name it, as they are written.
    object: String,
    from: String,
    to: String,
    reason: Option<String>,
}

/// Tells each object of a kind that changed its state since the reading before, at most so many of them one by one.
/// `stale` says that the reading before had left the page.
pub(super) fn tell(kind: &Kind, before: &Reading, now: &Reading, stale: bool) {
    for states in kind.states {
        let mut changes = Changes::between(states, before, now);
        changes.give_reasons(states, now);
        for change in &changes.told {
            change.tell(kind.name, before.at, stale);
        }
        if let Some(change) = changes.told.first().filter(|_| changes.further > 0) {
            info!(
                account = change.label("account").as_deref(),
                region = change.label("region").as_deref(),
                kind = kind.name,
                count = changes.further,
                since = %before.at,
                stale = stale.then_some(true),
                "further states changed, which are not told one by one"
            );
        }
    }
}

impl Change {
    fn tell(&self, kind: &str, since: Timestamp, stale: bool) {
        let label = |name| self.label(name);
        info!(
            account = label("account").as_deref(),
            region = label("region").as_deref(),
            kind,
            instance_id = label("instance_id").as_deref(),
            load_balancer = label("load_balancer").as_deref(),
            "type" = label("type").as_deref(),
            target_group = label("target_group").as_deref(),
            target = label("target").as_deref(),
            port = label("port").as_deref(),
            from = self.from,
            to = self.to,
            reason = self.reason,
            since = %since,
            stale = stale.then_some(true),
            "state changed"
        );
    }

    fn label(&self, name: &str) -> Option<Cow<'_, str>> {
        line(&self.object).label(name).map(clipped)
    }
}

impl Changes {
    /// In the order of the page; what is gone is last.
    fn between(states: &States, before: &Reading, now: &Reading) -> Self {
        let mut changes = Self::default();
        let nothing = Text::default();
        let then = before.text(states.family).unwrap_or(&nothing);
        let today = now.text(states.family).unwrap_or(&nothing);
        if then.deflated() == today.deflated() {
            return changes;
        }
        // Each object as its hash, which takes a tenth of the room of its labels.
        let hasher = RandomState::new();
        let mut words = Words::default();
        let mut known: HashMap<u64, usize> = HashMap::new();
        for chunk in then.chunks_unlike(today) {
            for (object, behind) in current(&chunk, STATE) {
                let (state, _) = unquoted(behind).unwrap_or_default();
                known.insert(hasher.hash_one(object), words.number(&state));
            }
        }
        for chunk in today.chunks_unlike(then) {
            for (object, behind) in current(&chunk, STATE) {
                let (to, further) = unquoted(behind).unwrap_or_default();
                let from = match known.remove(&hasher.hash_one(object)) {
                    Some(number) => words.word(number),
                    None => missing(before, object),
                };
                if from != to {
                    let reason = line(further).label(REASON);
                    changes.push(object, from, &to, reason);
                }
            }
        }
        if known.is_empty() {
            return changes;
        }
        for chunk in then.chunks_unlike(today) {
            for (object, behind) in current(&chunk, STATE) {
                if known.contains_key(&hasher.hash_one(object)) {
                    let (from, _) = unquoted(behind).unwrap_or_default();
                    changes.push(object, &from, missing(now, object), None);
                }
            }
        }
        changes
    }

    fn push(&mut self, object: &str, from: &str, to: &str, reason: Option<Cow<'_, str>>) {
        if self.told.len() == TOLD_ONE_BY_ONE {
            self.further += 1;
            return;
        }
        self.told.push(Change {
            object: object.to_owned(),
            from: clipped(from.into()).into_owned(),
            to: clipped(to.into()).into_owned(),
            reason: reason.map(|reason| clipped(reason).into_owned()),
        });
    }

    /// Adds the reasons that stand in a family of their own.
    fn give_reasons(&mut self, states: &States, now: &Reading) {
        let Some((family, name)) = states.reason else {
            return;
        };
        let there = self.told.iter_mut().filter(|change| change.to != ABSENT);
        let mut wanted: HashMap<&str, &mut Option<String>> = there
            .map(|change| (change.object.as_str(), &mut change.reason))
            .collect();
        let text = now.text(family).filter(|_| !wanted.is_empty());
        for chunk in text.into_iter().flat_map(Text::chunks) {
            for (object, behind) in current(&chunk, name) {
                if let Some(reason) = wanted.get_mut(object) {
                    **reason = unquoted(behind).map(|(code, _)| clipped(code).into_owned());
                }
            }
        }
    }
}

/// A word of the cloud's, as much of it as a line of the log needs.
fn clipped(word: Cow<'_, str>) -> Cow<'_, str> {
    match word.char_indices().nth(WORD) {
        Some((end, _)) => {
            let (begin, _) = word.split_at(end);
            format!("{begin}…").into()
        }
        None => word,
    }
}

/// The states that there are, each once.
#[derive(Default)]
struct Words(Vec<String>);

impl Words {
    fn number(&mut self, word: &str) -> usize {
        let known = self.0.iter().position(|known| known == word);
        known.unwrap_or_else(|| {
            self.0.push(word.to_owned());
            self.0.len() - 1
        })
    }

    fn word(&self, number: usize) -> &str {
        self.0.get(number).map_or("", String::as_str)
    }
}

/// What is said of an object that a reading does not show: it is not there, unless the reading left out something that
/// may be it.
fn missing(reading: &Reading, object: &str) -> &'static str {
    let left_something_out = reading.skipped > 0;
    let is_unknown = match &reading.facts.instances {
        Some(instances) => {
            let id = line(object).label("instance_id").unwrap_or_default();
            match instances.states.get(&*id) {
                Some(state) => state.is_empty(),
                None => left_something_out && !instances.is_whole,
            }
        }
        None => left_something_out,
    };
    if is_unknown { UNKNOWN } else { ABSENT }
}

/// The series whose value is 1: the labels before this one, which name the object, and what stands behind `="`.
fn current<'a>(lines: &'a str, label: &'static str) -> impl Iterator<Item = (&'a str, &'a str)> {
    // A value has no quote that is not escaped, so that this is found nowhere else.
    let begin = format!(",{label}=\"");
    let lines = lines.lines().filter_map(|line| line.strip_suffix("} 1"));
    lines.filter_map(move |line| {
        let (_, labels) = line.split_once('{')?;
        labels.split_once(&begin)
    })
}

fn line(labels: &str) -> Line<'_> {
    Line {
        name: "",
        labels,
        value: 1.0,
    }
}

/// Of an object that a reading does not list, or that the settings leave off the page.
const ABSENT: &str = "absent";

/// Of an object that a reading left out since it could not be understood, or may have.
const UNKNOWN: &str = "unknown";

const STATE: &str = "state";
const REASON: &str = "reason";

/// The longest name of a host has 253 characters, and nothing else of the clouds' as many.
const WORD: usize = 256;

/// More than a person reads; a fleet of ten thousand that changes at once does not fill the disk.
const TOLD_ONE_BY_ONE: usize = 100;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn word_of_the_cloud_takes_no_more_than_its_share_of_a_line() {
        assert_eq!(clipped("running".into()), "running");
        let whole = "é".repeat(WORD);
        assert_eq!(clipped(whole.as_str().into()), whole);
        assert_eq!(clipped("é".repeat(2_000_000).into()), format!("{whole}…"));
    }
}
