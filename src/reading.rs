//! A reading: the latest whole observation of one kind, rendered once and compressed once.

mod line;

use std::sync::OnceLock;

use bytes::Bytes;
use flate2::{Compress, Compression, Crc, FlushCompress};
use jiff::Timestamp;
use tokio::time::Instant;

use crate::metric::Family;
use crate::resource::{Facts, Observation, Targets, TargetsWriter};
pub use line::Line;

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
    /// The rendered samples of each family, in the order the kind lists them.
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
            texts: observation.into_texts().into_iter().map(Text::new).collect(),
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

    /// The samples of a family, read back; none if the kind does not write it.
    pub fn lines<'a>(&'a self, family: &'static Family) -> impl Iterator<Item = Line<'a>> {
        let is_of_family = move |text: &&Text| {
            let labels = text.plain.strip_prefix(family.name.as_bytes());
            labels.is_some_and(|labels| labels.starts_with(b"{"))
        };
        let texts = self.texts.iter().filter(is_of_family);
        let texts = texts.filter_map(|text| str::from_utf8(&text.plain).ok());
        texts.flat_map(str::lines).filter_map(Line::parse)
    }

    /// Compresses now what the first scrape would have to compress.
    pub fn compress(&self) {
        for text in &self.texts {
            text.deflated();
        }
    }
}

/// Rendered lines, and the same compressed.
#[derive(Debug)]
pub struct Text {
    /// The lines.
    pub plain: Bytes,
    deflated: OnceLock<Deflated>,
}

/// A piece of a deflate stream that can stand behind any other: byte-aligned, without reference to what
/// is before it, not the last.
#[derive(Debug)]
pub struct Deflated {
    /// The compressed bytes.
    pub bytes: Bytes,
    /// The checksum and the length of the plain bytes.
    pub checksum: Crc,
}

impl Text {
    /// Lines as they will be shown.
    pub fn new(plain: String) -> Self {
        Self {
            plain: plain.into(),
            deflated: OnceLock::new(),
        }
    }

    /// The compressed form, made at the first call.
    pub fn deflated(&self) -> &Deflated {
        self.deflated.get_or_init(|| Deflated::from(&self.plain))
    }
}

impl Deflated {
    fn from(plain: &[u8]) -> Self {
        let mut checksum = Crc::new();
        checksum.update(plain);
        // The fastest level: it is paid for each reading, and the lines repeat enough for any level.
        let mut compress = Compress::new(Compression::fast(), false);
        let mut bytes = Vec::with_capacity(plain.len() / 8 + 64);
        loop {
            let rest = usize::try_from(compress.total_in())
                .ok()
                .and_then(|done| plain.get(done..))
                .unwrap_or_default();
            let compressed = compress.compress_vec(rest, &mut bytes, FlushCompress::Sync);
            // Space left over means that all is in, flush included; memory is the only input that can fail.
            if compressed.is_err() || bytes.len() < bytes.capacity() {
                break;
            }
            bytes.reserve(bytes.len() / 2 + 64);
        }
        bytes.shrink_to_fit();
        Self {
            bytes: bytes.into(),
            checksum,
        }
    }
}
