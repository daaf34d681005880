//! A page being put together: pieces that stand one behind the other, as text or as one gzip member.

use bytes::Bytes;
use flate2::Crc;

use super::Assembled;
use crate::text::{Compressor, Text};

/// A page being put together.
pub(super) struct Pieces {
    done: Vec<Piece>,
    /// Small pieces, to be sent as one.
    small: Vec<u8>,
    length: usize,
    /// The checksum of all so far, where the page is compressed.
    checksum: Option<Crc>,
}

/// What stands on a page.
#[derive(Debug, Clone)]
pub(super) enum Piece {
    /// Bytes as they are sent.
    Ready(Bytes),
    /// Lines that are inflated when they are sent.
    Lines(Text),
}

impl Pieces {
    pub(super) fn new(gzip: bool) -> Self {
        let mut pieces = Self {
            done: Vec::new(),
            small: Vec::new(),
            length: 0,
            checksum: None,
        };
        if gzip {
            // RFC 1952: deflate, no flags, no time, no extra, unknown system.
            let head = Bytes::from_static(&[0x1f, 0x8b, 8, 0, 0, 0, 0, 0, 0, 0xff]);
            pieces.push_bytes(&head);
            pieces.checksum = Some(Crc::new());
        }
        pieces
    }

    pub(super) fn push(&mut self, text: &Text) {
        if let Some(checksum) = &mut self.checksum {
            checksum.combine(text.checksum());
            self.push_bytes(text.deflated());
        } else {
            self.length += text.length();
            self.flush();
            self.done.push(Piece::Lines(text.clone()));
        }
    }

    /// Lines of this page alone.
    pub(super) fn push_lines(&mut self, lines: String) {
        if self.checksum.is_some() {
            self.push(&Text::new(lines, &mut Compressor::default()));
        } else {
            self.push_bytes(&lines.into());
        }
    }

    pub(super) fn finish(mut self) -> Assembled {
        if let Some(checksum) = self.checksum.take() {
            // An empty last block, then checksum and length.
            let mut end = vec![0x03, 0x00];
            end.extend_from_slice(&checksum.sum().to_le_bytes());
            end.extend_from_slice(&checksum.amount().to_le_bytes());
            self.push_bytes(&end.into());
        }
        self.flush();
        Assembled {
            pieces: self.done,
            length: self.length,
        }
    }

    /// What is large is shared with the reading that holds it, however many are sent it.
    fn push_bytes(&mut self, bytes: &Bytes) {
        self.length += bytes.len();
        if bytes.len() < SMALL {
            self.small.extend_from_slice(bytes);
        } else {
            self.flush();
            self.done.push(Piece::Ready(bytes.clone()));
        }
    }

    fn flush(&mut self) {
        if !self.small.is_empty() {
            let small = std::mem::take(&mut self.small);
            self.done.push(Piece::Ready(small.into()));
        }
    }
}

impl Piece {
    /// What is sent, some at a time.
    pub(super) fn chunks(self) -> impl Iterator<Item = Bytes> + Send {
        let (ready, lines) = match self {
            Self::Ready(bytes) => (Some(bytes), None),
            Self::Lines(text) => (None, Some(text)),
        };
        let inflated = lines.into_iter().flat_map(|text| text.chunks());
        ready.into_iter().chain(inflated.map(Bytes::from))
    }
}

/// What is copied sooner than it is sent by itself.
const SMALL: usize = 8 << 10;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn compressed_pieces_make_one_valid_stream() {
        use std::io::Read as _;

        let long = "cloud_instance_state{instance_id=\"i-1\"} 1\n".repeat(50_000);
        for texts in [
            vec![],
            vec![String::new()],
            vec!["a\n".to_owned(), long.clone(), "b".repeat(70_000)],
        ] {
            let mut pieces = Pieces::new(true);
            let mut compressor = Compressor::default();
            for text in &texts {
                pieces.push(&Text::new(text.clone(), &mut compressor));
            }
            let page = pieces.finish();
            let length = page.length;
            let assembled = page.chunks().collect::<Vec<Bytes>>().concat();
            assert_eq!(assembled.len(), length);
            // The strict reader: one member, nothing behind it, checksum and length right.
            let mut reader = flate2::bufread::GzDecoder::new(assembled.as_slice());
            let mut plain = String::new();
            reader.read_to_string(&mut plain).unwrap();
            assert_eq!(plain, texts.concat());
            assert!(reader.into_inner().is_empty());
        }
    }
}
