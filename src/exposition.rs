//! The page: every fresh reading and the agent's own metrics, in one of two text formats.
//!
//! Readings are rendered and compressed when they are made; a scrape puts the pieces one behind the other and
//! renders nothing but the agent's own few hundred lines.
//!
//! Formats: <https://prometheus.io/docs/instrumenting/exposition_formats/> (text 0.0.4) and
//! <https://github.com/prometheus/OpenMetrics/blob/v1.0.0/specification/OpenMetrics.md>.

use std::collections::{BTreeMap, HashSet};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, LazyLock, PoisonError, RwLock, Weak};
use std::time::Duration;

use bytes::Bytes;
use prometheus::Registry;
use prometheus::core::Collector as _;
use prometheus::process_collector::ProcessCollector;
use prometheus::proto::MetricType;

use crate::joined::{self, Joined};
use crate::metric::Family;
use crate::poller::Watched;
use crate::reading::Reading;
use crate::resources::KINDS;
use crate::text::{Compressor, Text};

mod last;
mod own;
mod part;
mod pieces;

use last::{Asked, Last};
use own::{push_family, push_head, type_name};
pub use part::Part;
use pieces::{Piece, Pieces};

/// The agent's own family here.
pub static FAMILIES: [&Family; 1] = [&BUILD_INFO];

static BUILD_INFO: Family = Family::gauge(
    "vigie_build_info",
    &["version", "revision"],
    "The version that runs.",
);

/// The text format of a page.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Format {
    /// Prometheus' text format 0.0.4.
    Text,
    /// OpenMetrics 1.0.
    OpenMetrics,
}

impl Format {
    /// The value of `Content-Type`.
    pub fn content_type(self) -> &'static str {
        match self {
            Self::Text => "text/plain; version=0.0.4; charset=utf-8",
            Self::OpenMetrics => "application/openmetrics-text; version=1.0.0; charset=utf-8",
        }
    }
}

/// Everything that is shown.
pub struct Page {
    registry: Registry,
    shown: RwLock<Arc<Shown>>,
    /// Whether every poll has ended once.
    was_ready: AtomicBool,
    last: Last,
}

/// Where readings come from.
#[derive(Clone)]
struct Shown {
    /// The age at which a reading is not shown any more.
    stale_after: Duration,
    watched: Vec<Watched>,
    joined: Vec<Arc<Joined>>,
}

/// A page put together, to be sent some at a time. Cloned cheaply.
#[derive(Debug, Clone)]
pub struct Assembled {
    pieces: Vec<Piece>,
    /// The length of all of it, in bytes.
    pub length: usize,
}

impl Assembled {
    /// What is to be sent, one after the other. What a page without compression holds is inflated as it is asked for.
    pub fn chunks(self) -> impl Iterator<Item = Bytes> + Send + use<> {
        self.pieces.into_iter().flat_map(Piece::chunks)
    }
}

impl Page {
    /// A page that shows nothing yet. A reading older than `stale_after` is never shown.
    pub fn new(registry: Registry, stale_after: Duration) -> Result<Self, prometheus::Error> {
        let revision = option_env!("VIGIE_REVISION").unwrap_or("unknown");
        BUILD_INFO
            .int_gauge_vec(&registry)?
            .with_label_values(&[env!("CARGO_PKG_VERSION"), revision])
            .set(1);
        registry.register(Box::new(ProcessCollector::for_self()))?;
        Ok(Self {
            registry,
            was_ready: AtomicBool::new(false),
            last: Last::default(),
            shown: RwLock::new(Arc::new(Shown {
                stale_after,
                watched: Vec::new(),
                joined: Vec::new(),
            })),
        })
    }

    /// What the agent's own families are registered in.
    pub(crate) fn registry(&self) -> &Registry {
        &self.registry
    }

    /// Shows the readings of further polls, and what they say together.
    pub fn add(
        &self,
        watched: impl IntoIterator<Item = Watched>,
        joined: impl IntoIterator<Item = Arc<Joined>>,
    ) {
        self.change(|shown| {
            shown.watched.extend(watched);
            shown.joined.extend(joined);
        });
    }

    /// Shows nothing more of one region of an account.
    pub fn remove(&self, account: &str, region: &str) {
        self.change(|shown| {
            shown
                .watched
                .retain(|watched| (watched.account.as_str(), watched.region.as_str()) != (account, region));
            shown
                .joined
                .retain(|joined| (joined.account.as_str(), joined.region.as_str()) != (account, region));
        });
    }

    /// Shows nothing more of what there is of some accounts, and further polls; from now on no reading that is older than
    /// `stale_after`. Nobody sees one without the other: an account in both is there all the time.
    pub fn replace(
        &self,
        gone: &[String],
        watched: impl IntoIterator<Item = Watched>,
        joined: impl IntoIterator<Item = Arc<Joined>>,
        stale_after: Duration,
    ) {
        let gone: HashSet<&String> = gone.iter().collect();
        let watched: Vec<Watched> = watched.into_iter().collect();
        let joined: Vec<Arc<Joined>> = joined.into_iter().collect();
        self.change(|shown| {
            shown.watched.retain(|watched| !gone.contains(&watched.account));
            shown.joined.retain(|joined| !gone.contains(&joined.account));
            shown.watched.extend(watched);
            shown.joined.extend(joined);
            shown.stale_after = stale_after;
        });
    }

    /// What is watched, for the pages that people read.
    pub fn watched(&self) -> Vec<Watched> {
        self.shown().watched.clone()
    }

    /// Whether every poll has ended once. What is polled besides later on changes nothing about that.
    pub fn is_ready(&self) -> bool {
        if !self.was_ready.load(Ordering::Relaxed) {
            let is_ready = self.shown().watched.iter().all(|watched| watched.status().tried);
            self.was_ready.store(is_ready, Ordering::Relaxed);
        }
        self.was_ready.load(Ordering::Relaxed)
    }

    /// The reading to be shown for a poll: the last one, unless it is too old.
    pub fn reading(&self, watched: &Watched) -> Option<Arc<Reading>> {
        watched.status().reading.filter(|reading| self.is_fresh(reading))
    }

    /// Every reading to be shown of a part, what they say together included.
    pub fn all_readings(&self, part: &Part) -> Vec<Arc<Reading>> {
        let readings = self.readings(part).into_iter();
        readings.map(|(_, reading)| reading).collect()
    }

    fn is_fresh(&self, reading: &Reading) -> bool {
        !reading.is_older_than(self.shown().stale_after)
    }

    fn shown(&self) -> Arc<Shown> {
        Arc::clone(&self.shown.read().unwrap_or_else(PoisonError::into_inner))
    }

    fn change(&self, change: impl FnOnce(&mut Shown)) {
        let mut shown = self.shown.write().unwrap_or_else(PoisonError::into_inner);
        change(Arc::make_mut(&mut shown));
    }

    /// This part of the page, compressed by gzip. To scrapes within a few milliseconds the agent's own figures are the
    /// same; readings are always those of now.
    pub fn compressed(&self, format: Format, part: &Part) -> Assembled {
        let of = |readings: &[(Origin, Arc<Reading>)]| -> Vec<Weak<Reading>> {
            let readings = readings.iter();
            readings.map(|(_, reading)| Arc::downgrade(reading)).collect()
        };
        let asked = Asked {
            format,
            part: part.clone(),
        };
        let put_together = || {
            let (readings, assembled) = self.put_together(format, true, part);
            (of(&readings), assembled)
        };
        self.last
            .or_put_together(asked, || of(&self.readings(part)), put_together)
    }

    /// This part of the page as of now.
    pub fn assemble(&self, format: Format, gzip: bool, part: &Part) -> Assembled {
        self.put_together(format, gzip, part).1
    }

    fn put_together(
        &self,
        format: Format,
        gzip: bool,
        part: &Part,
    ) -> (Vec<(Origin, Arc<Reading>)>, Assembled) {
        let mut pieces = Pieces::new(gzip);
        // Before the readings: one that is published meanwhile is then newer than its age says, never older.
        let own = self.registry.gather();
        let readings = self.readings(part);
        for Placed { head, places, .. } in FAMILIES_OF_READINGS.iter() {
            let mut is_headed = false;
            for (origin, index) in places {
                let of_origin = readings.iter().filter(|(from, _)| from == origin);
                let texts = of_origin.filter_map(|(_, reading)| reading.texts.get(*index));
                for text in texts.filter(|text| !text.is_empty()) {
                    if !is_headed {
                        pieces.push(&head[format as usize]);
                        is_headed = true;
                    }
                    pieces.push(text);
                }
            }
        }
        let mut lines = String::new();
        for family in &own {
            push_family(&mut lines, family, format, part);
        }
        if format == Format::OpenMetrics {
            lines.push_str("# EOF\n");
        }
        pieces.push_lines(lines);
        (readings, pieces.finish())
    }

    /// The samples of one of the agent's own families, with their labels.
    pub fn own_samples(&self, family: &str) -> Vec<(BTreeMap<String, String>, f64)> {
        let gathered = self.registry.gather();
        let Some(family) = gathered.iter().find(|own| own.name() == family) else {
            return Vec::new();
        };
        let metrics = family.get_metric().iter();
        metrics
            .map(|metric| {
                let labels = metric.get_label().iter();
                let labels = labels.map(|label| (label.name().to_owned(), label.value().to_owned()));
                let value = match family.get_field_type() {
                    MetricType::COUNTER => metric.get_counter().get_value(),
                    _ => metric.get_gauge().get_value(),
                };
                (labels.collect(), value)
            })
            .collect()
    }

    /// The readings to be shown, and whose families each of them holds.
    fn readings(&self, part: &Part) -> Vec<(Origin, Arc<Reading>)> {
        let shown = self.shown();
        let polled = shown.watched.iter().filter_map(|watched| {
            let kind = watched.kind.name;
            let is_shown = part.shows(&watched.account, &watched.region, kind);
            Some((Origin::Kind(kind), self.reading(watched).filter(|_| is_shown)?))
        });
        let joined = shown.joined.iter().flat_map(|joined| {
            let shown = move |kind: &str| part.shows(&joined.account, &joined.region, kind);
            let readings = joined.readings().into_iter().filter(move |(kind, _)| shown(kind));
            readings.map(|(_, reading)| (Origin::Joined, reading))
        });
        polled
            .chain(joined.filter(|(_, reading)| self.is_fresh(reading)))
            .collect()
    }
}

/// What made a reading.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Origin {
    /// Polling a kind of this name.
    Kind(&'static str),
    /// Two readings.
    Joined,
}

/// A family, and in which readings it stands at which place.
struct Placed {
    family: &'static Family,
    /// What stands above its samples, in either format.
    head: [Text; 2],
    places: Vec<(Origin, usize)>,
}

/// Every family that readings can hold, once: a page may not repeat a family, and two kinds may share one.
static FAMILIES_OF_READINGS: LazyLock<Vec<Placed>> = LazyLock::new(|| {
    let of_kinds = KINDS
        .into_iter()
        .map(|kind| (Origin::Kind(kind.name), kind.families));
    let mut compressor = Compressor::default();
    let mut listed: Vec<Placed> = Vec::new();
    for (origin, families) in of_kinds.chain([(Origin::Joined, &joined::FAMILIES[..])]) {
        for (index, family) in families.iter().enumerate() {
            let place = (origin, index);
            match listed
                .iter_mut()
                .find(|placed| std::ptr::eq(placed.family, *family))
            {
                Some(placed) => placed.places.push(place),
                None => listed.push(Placed {
                    family,
                    head: [Format::Text, Format::OpenMetrics].map(|format| {
                        let mut head = String::new();
                        push_head(&mut head, family.name, family.help, family.kind.name(), format);
                        Text::new(head, &mut compressor)
                    }),
                    places: vec![place],
                }),
            }
        }
    }
    listed
});

/// Every family that can be on the page: the kinds', the agent's own, the process's.
pub fn families(own: &[&'static Family]) -> Vec<FamilyDescription> {
    let readings = FAMILIES_OF_READINGS.iter().map(|placed| placed.family);
    let described = readings
        .chain(own.iter().copied())
        .map(|family| FamilyDescription {
            name: family.name.to_owned(),
            kind: family.kind.name(),
            labels: family.labels,
            help: family.help.to_owned(),
        });
    let process = ProcessCollector::for_self().collect();
    let process = process.iter().map(|family| FamilyDescription {
        name: family.name().to_owned(),
        kind: type_name(family.get_field_type()),
        labels: &[],
        help: family.help().to_owned(),
    });
    described.chain(process).collect()
}

/// A family as `vigie metrics` lists it.
#[derive(Debug)]
pub struct FamilyDescription {
    /// The name on the page.
    pub name: String,
    /// The type on the page.
    pub kind: &'static str,
    /// The label names.
    pub labels: &'static [&'static str],
    /// One sentence.
    pub help: String,
}

#[cfg(test)]
mod tests;
