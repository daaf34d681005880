//! The contract between a kind of resource and the rooms around it.
//!
//! A kind describes its resources through the [`Client`] and writes samples into an [`Observation`]. It owns
//! its families and lists the actions it calls, from which everything else follows: what settings accept,
//! what the key must be allowed, what the poller runs and what the documentation lists.

mod facts;
mod selection;
mod tags;
mod targets;

use std::collections::HashSet;

use futures_util::future::BoxFuture;
use serde::{Deserialize, Serialize, Serializer};

use crate::api::{Action, Client, Error, Kept};
use crate::metric::{self, Family};
use crate::provider::Provider;
use crate::text::{Compressor, Text, TextWriter};
pub use facts::{BackendGroup, BackendInstance, Facts, Instances};
pub use selection::{Selection, TagRule};
pub use tags::{label_characters, name_of, read_tags, tag_labels};
pub use targets::{Target, Targets, TargetsWriter};

/// A sort of resource that is watched.
pub struct Kind {
    /// The name in settings and in the `kind` label: plural.
    pub name: &'static str,
    /// The clouds that have it.
    pub providers: &'static [Provider],
    /// Whether it is polled where nobody names kinds.
    pub by_default: bool,
    /// Every action it calls; all of them only describe.
    pub actions: &'static [&'static Action],
    /// The objects for each of which it makes one call more, in words; none if listing is all.
    pub one_call_for_each: &'static [&'static str],
    /// Every family it writes. Two kinds may share one if a label tells their samples apart.
    pub families: &'static [&'static Family],
    /// Where the states of its objects stand: where one changes, the log says so.
    pub states: &'static [States],
    /// How `vigie once --format table` shows it.
    pub tables: &'static [Table],
    /// Describes all its resources in the client's region and writes their samples.
    pub observe: for<'a> fn(&'a Client, &'a mut Observation) -> BoxFuture<'a, Result<(), Error>>,
}

/// A family whose label `state` says which state each object is in: of an object's series, one has the value 1.
pub struct States {
    /// The family. Labels before `state` name the object; one behind it may be the `reason`, in the cloud's code.
    pub family: &'static Family,
    /// Where that stands if not there: another family whose labels are the object's, and then this one.
    pub reason: Option<(&'static Family, &'static str)>,
}

/// A table for people: one row for each distinct value of the key labels.
pub struct Table {
    /// The labels that name a row.
    pub key: &'static [&'static str],
    /// What stands in the row.
    pub columns: &'static [Column],
}

/// One column of a [`Table`].
pub enum Column {
    /// A label, from the first sample of the row that is not 0 and has it, in the order of the families.
    Label(&'static str),
    /// The value of the row's sample of a family, under a title.
    Value(&'static str, &'static Family),
}

/// What an account's settings say about which of its resources are shown, and how.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Show {
    /// Which tags of an instance become labels.
    pub tags: Tags,
    /// Which states of a resource have a series.
    pub states: StateSeries,
    /// Which instances it is about.
    pub selection: Selection,
    /// Which tags of an instance are labels of it as a target.
    pub discovery_tags: Tags,
}

/// Which tags become labels.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub enum Tags {
    /// None: the default, since tags are many and may say much.
    #[default]
    None,
    /// Those with these keys.
    Listed(Vec<String>),
    /// All.
    All,
}

impl Tags {
    /// Whether a tag with this key is wanted.
    pub fn want(&self, key: &str) -> bool {
        match self {
            Self::None => false,
            Self::Listed(keys) => keys.iter().any(|listed| listed == key),
            Self::All => true,
        }
    }
}

/// As settings write them.
impl Serialize for Tags {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        match self {
            Self::None => serializer.collect_seq([""; 0]),
            Self::All => serializer.collect_seq(["*"]),
            Self::Listed(keys) => serializer.collect_seq(keys),
        }
    }
}

/// Which states have a series.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Deserialize, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum StateSeries {
    /// Each possible state, 1 for the current one and 0 for the others.
    #[default]
    All,
    /// The current one alone.
    Current,
}

/// The samples of one poll, rendered as they are found.
#[derive(Debug)]
pub struct Observation {
    /// The `account` label.
    pub account: String,
    /// The `region` label.
    pub region: String,
    /// Which resources are shown, and how.
    pub show: Show,
    /// The cloud that is described.
    pub provider: Provider,
    /// Resources found and understood.
    pub objects: usize,
    /// Resources found and left out, since they could not be understood.
    pub skipped: usize,
    /// What the first of them was, for the log.
    pub first_skipped: Option<String>,
    /// What other rooms may compute with.
    pub facts: Facts,
    /// Where instances are written as targets, if somebody may ask for those.
    pub targets: Option<TargetsWriter>,
    /// What it keeps, counted: beyond a limit it takes no more, and the poll fails.
    pub kept: Kept,
    /// The ids of those that were admitted.
    admitted: HashSet<String>,
    /// The labels that every sample carries.
    stamp: String,
    families: &'static [&'static Family],
    /// The rendered samples of each family, in the order of `families`.
    texts: Vec<TextWriter>,
    compressor: Compressor,
}

impl Observation {
    /// An empty observation of a kind in one account and region.
    pub fn new(kind: &Kind, account: &str, provider: Provider, region: &str, show: Show) -> Self {
        Self::of(kind.families, account, provider, region, show)
    }

    /// An empty observation of these families.
    pub fn of(
        families: &'static [&'static Family],
        account: &str,
        provider: Provider,
        region: &str,
        show: Show,
    ) -> Self {
        let mut stamp = "{account=\"".to_owned();
        metric::push_label_value(&mut stamp, account);
        stamp.push_str("\",region=\"");
        metric::push_label_value(&mut stamp, region);
        stamp.push('"');
        Self {
            account: account.to_owned(),
            region: region.to_owned(),
            show,
            provider,
            objects: 0,
            skipped: 0,
            first_skipped: None,
            facts: Facts::default(),
            targets: None,
            kept: Kept::default(),
            admitted: HashSet::new(),
            stamp,
            families,
            texts: families.iter().map(|_| TextWriter::default()).collect(),
            compressor: Compressor::default(),
        }
    }

    /// Counts a resource that cannot be understood and is left out; the others are shown.
    ///
    /// What it is goes into logs and terminals, and may hold a name that is of the cloud's making.
    pub fn skip(&mut self, what: &str) {
        self.skipped += 1;
        let clean = |character: char| if character.is_control() { ' ' } else { character };
        let told = || what.chars().take(LONGEST_TOLD).map(clean).collect();
        self.first_skipped.get_or_insert_with(told);
    }

    /// The texts without which there is nothing to show of a resource, its id first, each with where the cloud says it.
    ///
    /// `None` is for what is not to be shown: it lacks one and is counted as skipped, or it was there before, since
    /// between two pages a resource may move from one to the other.
    pub fn admit<'t, const N: usize>(
        &mut self,
        what: &str,
        required: [(&str, &'t str); N],
    ) -> Option<[&'t str; N]> {
        let texts = required.map(|(_, text)| text.trim());
        let id = texts.first()?;
        let unsaid = required.iter().find(|(_, text)| text.trim().is_empty());
        if let Some((unsaid, _)) = unsaid {
            let id: String = id.chars().take(64).collect();
            self.skip(&format!("{what} without {unsaid} (id `{id}`)"));
            return None;
        }
        if self.is_too_long(what, id) || self.kept.is_too_much() || !self.admitted.insert((*id).to_owned()) {
            return None;
        }
        self.keep_id(id);
        self.objects += 1;
        Some(texts)
    }

    /// Whether no id or name of either cloud is as long. It would stand on each of its lines: what has it is counted as
    /// skipped.
    pub fn is_too_long(&mut self, what: &str, id: &str) -> bool {
        let is_too_long = id.len() > LONGEST_ID;
        if is_too_long {
            self.skip(&format!("{what} whose id or name has {} bytes", id.len()));
        }
        is_too_long
    }

    /// Counts an id that is kept beside the text.
    pub fn keep_id(&self, id: &str) {
        self.kept.add(id.len() + AROUND_AN_ID);
    }

    /// Begins a sample of one of the kind's own families.
    ///
    /// # Panics
    ///
    /// If the family is not among the kind's: it would never be shown.
    #[must_use = "a sample is written by giving it a value"]
    pub fn sample(&mut self, family: &'static Family) -> Sample<'_> {
        let index = self
            .families
            .iter()
            .position(|own| std::ptr::eq(*own, family))
            .expect("a kind lists every family it writes");
        let text = &mut self.texts[index];
        text.open.push_str(family.name);
        text.open.push_str(&self.stamp);
        Sample {
            text,
            compressor: &mut self.compressor,
            kept: &self.kept,
        }
    }

    /// Writes a state set: 1 for the current state, 0 for the other known ones.
    ///
    /// A state that is not known appears under its own name.
    pub fn state(&mut self, family: &'static Family, labels: &[(&str, &str)], known: &[&str], current: &str) {
        self.one_of(family, labels, "state", known, current);
    }

    /// Writes the same of what checks found, which the house calls status.
    pub fn status(
        &mut self,
        family: &'static Family,
        labels: &[(&str, &str)],
        known: &[&str],
        current: &str,
    ) {
        self.one_of(family, labels, "status", known, current);
    }

    fn one_of(
        &mut self,
        family: &'static Family,
        labels: &[(&str, &str)],
        label: &str,
        known: &[&str],
        current: &str,
    ) {
        let all = self.show.states == StateSeries::All;
        let unknown = (!known.contains(&current)).then_some(current);
        for word in known.iter().copied().chain(unknown) {
            if all || word == current {
                let value = if word == current { 1.0 } else { 0.0 };
                self.sample(family).labels(labels).label(label, word).value(value);
            }
        }
    }

    /// The families whose samples it takes.
    pub fn families(&self) -> &'static [&'static Family] {
        self.families
    }

    /// The rendered samples of each family, in the order the kind lists them.
    pub fn into_texts(mut self) -> Vec<Text> {
        let texts = self.texts.into_iter();
        texts.map(|text| text.finish(&mut self.compressor)).collect()
    }
}

/// A line being written: labels, then the value.
#[derive(Debug)]
pub struct Sample<'a> {
    text: &'a mut TextWriter,
    compressor: &'a mut Compressor,
    kept: &'a Kept,
}

impl Sample<'_> {
    /// Adds a label; one without a value is left out, which is the same to Prometheus.
    #[must_use = "a sample is written by giving it a value"]
    pub fn label(self, name: &str, value: &str) -> Self {
        if !value.is_empty() {
            let line = &mut self.text.open;
            line.push(',');
            line.push_str(name);
            line.push_str("=\"");
            metric::push_label_value(line, value);
            line.push('"');
        }
        self
    }

    /// Adds several labels.
    #[must_use = "a sample is written by giving it a value"]
    pub fn labels(self, labels: &[(&str, &str)]) -> Self {
        labels
            .iter()
            .fold(self, |sample, (name, value)| sample.label(name, value))
    }

    /// Ends the line.
    pub fn value(self, value: f64) {
        if self.kept.is_too_much() {
            return self.text.forget();
        }
        let line = &mut self.text.open;
        line.push_str("} ");
        metric::push_value(line, value);
        if let Some((plain, deflated)) = self.text.end_line(self.compressor) {
            self.kept.add(deflated + plain / OF_A_PAGE);
        }
    }
}

/// The longest of either cloud, ARNs, have some hundred characters.
const LONGEST_ID: usize = 1 << 10;

/// What a map of ids takes for each, beside its characters.
const AROUND_AN_ID: usize = 64;

/// Lines that compress to nothing have to be served all the same: they count a little.
const OF_A_PAGE: usize = 32;

/// Room for a name of either cloud, and for what is wrong with it.
const LONGEST_TOLD: usize = 300;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_left_out_is_told_without_orders_to_a_terminal_and_in_one_line() {
        let mut observation = Observation::of(&[], "a", Provider::Aws, "r", Show::default());
        observation.skip(&format!("named `\u{1b}[2J\n{}`", "x".repeat(1000)));
        observation.skip("another");
        let told = observation.first_skipped.unwrap();
        assert!(told.starts_with("named ` [2J x"), "{told}");
        assert_eq!((told.len(), observation.skipped), (300, 2));
    }

    #[test]
    fn beyond_a_limit_nothing_more_is_kept() {
        static FAMILY: Family = Family::gauge("x", &["id", "noise"], "A test.");
        static FAMILIES: [&Family; 1] = [&FAMILY];
        let mut observation = Observation::of(&FAMILIES, "a", Provider::Aws, "r", Show::default());
        observation.kept = Kept::up_to(1 << 20);
        let mut most = 0;
        for number in 0..1000_u32 {
            let id = number.to_string();
            if observation.admit("an x", [("id", &id)]).is_some() {
                most = number;
            }
            let noise: String = std::iter::repeat_with(fastrand::alphanumeric)
                .take(30_000)
                .collect();
            let sample = observation.sample(&FAMILY).label("id", &id);
            sample.label("noise", &noise).value(1.0);
        }
        assert!(observation.kept.is_too_much());
        assert!((30..100).contains(&most), "{most}");
        let kept: usize = observation
            .into_texts()
            .iter()
            .map(|text| text.deflated().len())
            .sum();
        assert!(kept < 3 << 19, "{kept}");
    }

    #[test]
    fn ids_that_nothing_has_are_left_out_and_counted() {
        let mut observation = Observation::of(&[], "a", Provider::Aws, "r", Show::default());
        let long = "i".repeat(LONGEST_ID + 1);
        assert_eq!(observation.admit("an x", [("id", &long)]), None);
        assert_eq!((observation.objects, observation.skipped), (0, 1));
        let told = observation.first_skipped.unwrap();
        assert_eq!(told, "an x whose id or name has 1025 bytes");
    }
}
