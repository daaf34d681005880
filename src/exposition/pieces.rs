//! A page being put together: pieces that stand one behind the other, as text or as one gzip member.

use bytes::Bytes;
use flate2::Crc;

use super::Assembled;
use crate::reading::Text;

/// A page being put together.
pub(super) struct Pieces {
    done: Vec<Bytes>,
    /// Lines that are rendered for this page alone.
    pub(super) pending: String,
    /// The checksum of all so far, where the page is compressed.
    checksum: Option<Crc>,
}

impl Pieces {
    pub(super) fn new(gzip: bool) -> Self {
        let mut pieces = Self {
            done: Vec::new(),
            pending: String::new(),
            checksum: None,
        };
        if gzip {
            // RFC 1952: deflate, no flags, no time, no extra, unknown system.
            pieces
                .done
                .push(Bytes::from_static(&[0x1f, 0x8b, 8, 0, 0, 0, 0, 0, 0, 0xff]));
            pieces.checksum = Some(Crc::new());
        }
        pieces
    }

    pub(super) fn push(&mut self, text: &Text) {
        self.flush();
        self.append(text);
    }

    fn flush(&mut self) {
        if !self.pending.is_empty() {
            let text = Text::new(std::mem::take(&mut self.pending));
            self.append(&text);
        }
    }

    fn append(&mut self, text: &Text) {
        match &mut self.checksum {
            Some(checksum) => {
                let deflated = text.deflated();
                checksum.combine(&deflated.checksum);
                self.done.push(deflated.bytes.clone());
            }
            None => self.done.push(text.plain.clone()),
        }
    }

    pub(super) fn finish(mut self) -> Assembled {
        self.flush();
        if let Some(checksum) = &self.checksum {
            // An empty last block, then checksum and length.
            let mut end = vec![0x03, 0x00];
            end.extend_from_slice(&checksum.sum().to_le_bytes());
            end.extend_from_slice(&checksum.amount().to_le_bytes());
            self.done.push(end.into());
        }
        let length = self.done.iter().map(Bytes::len).sum();
        Assembled {
            pieces: self.done,
            length,
        }
    }
}

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
            let mut expected = "# head\n".to_owned();
            pieces.pending.push_str("# head\n");
            for text in texts {
                expected.push_str(&text);
                pieces.push(&Text::new(text));
            }
            let assembled = pieces.finish().pieces.concat();
            // The strict reader: one member, nothing behind it, checksum and length right.
            let mut reader = flate2::bufread::GzDecoder::new(assembled.as_slice());
            let mut plain = String::new();
            reader.read_to_string(&mut plain).unwrap();
            assert_eq!(plain, expected);
            assert!(reader.into_inner().is_empty());
        }
    }
}
