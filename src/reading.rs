//! A reading: the latest whole observation of one kind, rendered once and compressed once.

mod line;

use jiff::Timestamp;
use tokio::time::Instant;

use crate::metric::Family;
use crate::resource::{Facts, Observation, Targets, TargetsWriter};
use crate::text::Text;
pub use line::Line;
pub(crate) use line::unquoted;

/// All samples of one kind in one account and region, as of one poll.
#[derive(Debug)]
pub struct Reading {
    /// When the poll began: what is shown is at least as new as this.
    pub at: Timestamp,
    /// The same on the clock that nobody sets.
    pub begun: Instant,
    /// When the poll ended, on that clock.
    pub ended: Instant,
    /// Resources in it.
    pub objects: usize,
    /// Resources left out, since they could not be understood.
    pub skipped: usize,
    /// What the first of them was.
    pub first_skipped: Option<String>,
    /// The families, in the order the kind lists them.
    families: &'static [&'static Family],
    /// The rendered samples of each.
    pub texts: Vec<Text>,
    /// What other rooms may compute with.
    pub facts: Facts,
    /// The instances as targets, if the poll was to write them.
    pub targets: Option<Targets>,
}

impl Reading {
    /// The reading that an observation, begun at this time, gave.
    pub fn new(mut observation: Observation, at: Timestamp, begun: Instant) -> Self {
        Self {
            at,
            begun,
            ended: Instant::now(),
            facts: std::mem::take(&mut observation.facts),
            targets: observation.targets.take().map(TargetsWriter::finish),
            objects: observation.objects,
            skipped: observation.skipped,
            first_skipped: observation.first_skipped.clone(),
            families: observation.families(),
            texts: observation.into_texts(),
        }
    }

    /// Whether it is too old to be shown, by either clock: one stands still while the machine sleeps, the other
    /// may be set.
    pub fn is_older_than(&self, limit: std::time::Duration) -> bool {
        let by_the_wall = Timestamp::now().duration_since(self.at);
        self.begun.elapsed() > limit
            || by_the_wall
                .try_into()
                .is_ok_and(|age: std::time::Duration| age > limit)
    }

    /// The samples of a family; `None` if the kind does not write it.
    pub fn text(&self, family: &'static Family) -> Option<&Text> {
        let index = self.families.iter().position(|own| std::ptr::eq(*own, family));
        index.and_then(|index| self.texts.get(index))
    }

    /// What `read` makes of the samples of a family; nothing if the kind does not write it.
    pub fn samples<T>(
        &self,
        family: &'static Family,
        read: impl Fn(&Line<'_>) -> T,
    ) -> impl Iterator<Item = T> {
        let chunks = self.text(family).into_iter().flat_map(Text::chunks);
        chunks.flat_map(move |chunk| {
            let lines = chunk.lines().filter_map(Line::parse);
            lines.map(|line| read(&line)).collect::<Vec<T>>()
        })
    }
}
