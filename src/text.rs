//! Lines of the page, compressed as they are written: those of ten thousand instances take half a megabyte, and not
//! eleven.
//!
//! What is kept are pieces of a deflate stream (RFC 1951) that can stand behind any other: byte-aligned, without
//! reference to what is before them, none of them the last. A compressed page is such pieces, one behind the other.

use std::collections::HashSet;
use std::sync::Arc;

use bytes::Bytes;
use flate2::{Compress, Compression, Crc, Decompress, FlushCompress, FlushDecompress};

/// Whole lines, compressed. Cloned cheaply.
#[derive(Debug, Clone, Default)]
pub struct Text(Arc<Sealed>);

#[derive(Debug, Default)]
struct Sealed {
    deflated: Bytes,
    chunks: Vec<Chunk>,
    checksum: Crc,
}

/// Lines being written.
#[derive(Debug, Default)]
pub struct TextWriter {
    /// The lines since the last chunk, and the one that is not ended yet.
    pub open: String,
    deflated: Vec<u8>,
    chunks: Vec<Chunk>,
    checksum: Crc,
}

/// What compresses, made when there is something to compress: its tables are larger than most texts.
#[derive(Debug, Default)]
pub struct Compressor(Option<Compress>);

/// Lines that are inflated together: their lengths.
#[derive(Debug, Clone, Copy)]
struct Chunk {
    deflated: usize,
    plain: usize,
}

impl Text {
    /// Lines that are there already.
    pub fn new(lines: String, compressor: &mut Compressor) -> Self {
        let writer = TextWriter {
            open: lines,
            ..TextWriter::default()
        };
        writer.finish(compressor)
    }

    /// Whether there is no line.
    pub fn is_empty(&self) -> bool {
        self.0.chunks.is_empty()
    }

    /// The length of the lines, in bytes.
    pub fn length(&self) -> usize {
        self.0.chunks.iter().map(|chunk| chunk.plain).sum()
    }

    /// The lines compressed.
    pub fn deflated(&self) -> &Bytes {
        &self.0.deflated
    }

    /// The checksum and the length of the lines, as gzip wants them.
    pub fn checksum(&self) -> &Crc {
        &self.0.checksum
    }

    /// The lines as they were written, some at a time.
    pub fn chunks(&self) -> impl Iterator<Item = String> + Send + use<> {
        self.deflated_chunks().map(inflating())
    }

    /// The same without what `other` has, too: chunks of the same lines are the same bytes. Some lines of what is left
    /// may be in both.
    pub fn chunks_unlike(&self, other: &Self) -> impl Iterator<Item = String> + use<> {
        let there: HashSet<Bytes> = other.deflated_chunks().map(|(deflated, _)| deflated).collect();
        let unlike = self
            .deflated_chunks()
            .filter(move |(deflated, _)| !there.contains(deflated));
        unlike.map(inflating())
    }

    /// The bytes of each chunk, and the length of its lines.
    fn deflated_chunks(&self) -> impl Iterator<Item = (Bytes, usize)> + Send + use<> {
        let (sealed, mut rest) = (Arc::clone(&self.0), self.0.deflated.clone());
        (0..sealed.chunks.len()).map(move |index| {
            let Chunk { deflated, plain } = sealed.chunks[index];
            (rest.split_to(deflated), plain)
        })
    }
}

/// Inflates one chunk after another.
fn inflating() -> impl FnMut((Bytes, usize)) -> String + Send {
    let mut inflate = Decompress::new(false);
    move |(deflated, plain)| {
        inflate.reset(false);
        let mut lines = Vec::with_capacity(plain);
        inflate
            .decompress_vec(&deflated, &mut lines, FlushDecompress::Sync)
            .expect("what was compressed here can be inflated");
        String::from_utf8(lines).expect("what was compressed here was text")
    }
}

impl TextWriter {
    /// Ends the line. Gives the bytes of the chunk that this ends, as lines and compressed.
    pub fn end_line(&mut self, compressor: &mut Compressor) -> Option<(usize, usize)> {
        self.open.push('\n');
        (self.open.len() >= CHUNK).then(|| self.seal(compressor))
    }

    /// Forgets the line that is being written, and those that were not compressed yet.
    pub fn forget(&mut self) {
        self.open = String::new();
    }

    /// All that was written.
    pub fn finish(mut self, compressor: &mut Compressor) -> Text {
        if !self.open.is_empty() {
            self.seal(compressor);
        }
        self.deflated.shrink_to_fit();
        Text(Arc::new(Sealed {
            deflated: self.deflated.into(),
            chunks: self.chunks,
            checksum: self.checksum,
        }))
    }

    fn seal(&mut self, compressor: &mut Compressor) -> (usize, usize) {
        let before = self.deflated.len();
        compressor.append(&self.open, &mut self.deflated);
        let (plain, deflated) = (self.open.len(), self.deflated.len() - before);
        self.chunks.push(Chunk { deflated, plain });
        let mut checksum = Crc::new();
        checksum.update(self.open.as_bytes());
        self.checksum.combine(&checksum);
        self.open.clear();
        (plain, deflated)
    }
}

impl Compressor {
    fn append(&mut self, plain: &str, deflated: &mut Vec<u8>) {
        // The fastest level: it is paid for each reading, and the lines repeat enough for any level.
        let compress = self
            .0
            .get_or_insert_with(|| Compress::new(Compression::fast(), false));
        compress.reset();
        let room = plain.len() / 8 + 64;
        loop {
            deflated.reserve(room);
            let rest = usize::try_from(compress.total_in())
                .ok()
                .and_then(|done| plain.as_bytes().get(done..))
                .unwrap_or_default();
            compress
                .compress_vec(rest, deflated, FlushCompress::Sync)
                .expect("deflate takes any bytes");
            // Space left over means that all is in, flush included.
            if deflated.len() < deflated.capacity() {
                break;
            }
        }
    }
}

/// Four times deflate's window, so that starting anew costs little; small enough to be inflated between two waits.
const CHUNK: usize = 128 << 10;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lines_come_back_as_they_were_written() {
        let mut compressor = Compressor::default();
        let mut writer = TextWriter::default();
        let mut expected = String::new();
        for number in 0..10_000_u32 {
            let line = format!("cloud_x{{id=\"{}\"}} é", number.wrapping_mul(2_654_435_761));
            writer.open.push_str(&line);
            writer.end_line(&mut compressor);
            expected.push_str(&line);
            expected.push('\n');
        }
        let text = writer.finish(&mut compressor);
        let chunks: Vec<String> = text.chunks().collect();
        assert!(chunks.len() > 1);
        assert!(chunks.iter().all(|chunk| chunk.ends_with('\n')));
        assert_eq!(chunks.concat(), expected);
        assert_eq!(text.length(), expected.len());
        assert_eq!(text.checksum().amount() as usize, expected.len());
    }

    #[test]
    fn nothing_is_written_for_nothing() {
        let text = TextWriter::default().finish(&mut Compressor::default());
        assert!(text.is_empty() && text.deflated().is_empty());
        assert_eq!(text.chunks().count(), 0);
    }

    #[test]
    fn what_cannot_be_compressed_is_kept_too() {
        let noise: String = std::iter::repeat_with(|| fastrand::char(..))
            .take(300_000)
            .collect();
        let text = Text::new(noise.clone(), &mut Compressor::default());
        assert_eq!(text.chunks().collect::<String>(), noise);
    }
}
