//! What was secret, taken out of what others say.
//!
//! Whoever is sent a token may repeat a part of it, or write it another way. So text is compared with a secret by the
//! letters and digits alone, whatever their case, and [`PIECE`] characters in common are enough.

use std::collections::{BTreeSet, HashSet};
use std::hash::{BuildHasher as _, RandomState};

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use secrecy::zeroize::Zeroizing;
use secrecy::{ExposeSecret as _, SecretString};

/// Takes these secrets out of text. It holds what no secret can be read from.
pub(crate) struct Redaction {
    hasher: RandomState,
    pieces: HashSet<u64>,
    /// How many letters they have.
    lengths: BTreeSet<usize>,
}

impl Redaction {
    /// For these secrets.
    pub(crate) fn of<'a>(secrets: impl IntoIterator<Item = &'a SecretString>) -> Self {
        let mut redaction = Self {
            hasher: RandomState::new(),
            pieces: HashSet::new(),
            lengths: BTreeSet::new(),
        };
        for secret in secrets {
            redaction.add(secret.expose_secret());
        }
        redaction
    }

    fn add(&mut self, secret: &str) {
        self.add_pieces(secret, PIECE);
        // Where the secret begins within the three bytes that four characters stand for.
        for (before, tainted) in [(0, 0), (1, 2), (2, 3)] {
            let mut bytes = Zeroizing::new(vec![0; before]);
            bytes.extend_from_slice(secret.as_bytes());
            let written = Zeroizing::new(STANDARD.encode(bytes.as_slice()));
            let written = written.get(tainted..).unwrap_or_default();
            self.add_pieces(written.trim_end_matches('='), PIECE_IN_BASE64);
        }
        let digit = |half: u8| char::from_digit(u32::from(half), 16).unwrap_or_default();
        let digits = secret.bytes().flat_map(|byte| [byte >> 4, byte & 15].map(digit));
        let mut written = Zeroizing::new(String::with_capacity(secret.len() * 2));
        written.extend(digits);
        self.add_pieces(&written, PIECE_IN_HEX);
    }

    /// Every piece of so many characters, or all of it if it is shorter.
    fn add_pieces(&mut self, written: &str, piece: usize) {
        let letters = letters(written);
        let bytes: Zeroizing<Vec<u8>> = Zeroizing::new(letters.iter().map(|letter| letter.byte).collect());
        let (mut first, mut behind) = (0, 0);
        for begin in 0..=written.len().saturating_sub(piece) {
            while letters.get(first).is_some_and(|letter| letter.begin < begin) {
                first += 1;
            }
            while letters
                .get(behind)
                .is_some_and(|letter| letter.end <= begin + piece)
            {
                behind += 1;
            }
            // What is mostly signs needs more of it, not to be found everywhere.
            let end = behind.max(first + LEAST).min(bytes.len());
            let letters = bytes.get(first..end).unwrap_or_default();
            if letters.len() >= LEAST || (first == 0 && !letters.is_empty()) {
                self.lengths.insert(letters.len());
                self.pieces.insert(self.hasher.hash_one(letters));
            }
        }
    }

    /// The text without what it has of them.
    pub(crate) fn clean(&self, text: String) -> String {
        let letters = letters(&text);
        let bytes: Zeroizing<Vec<u8>> = Zeroizing::new(letters.iter().map(|letter| letter.byte).collect());
        // The letters of the text that are in pieces, those that touch each other as one.
        let mut found: Vec<std::ops::Range<usize>> = Vec::new();
        for first in 0..letters.len() {
            let length = self.lengths.iter().rev().find(|length| {
                let piece = bytes.get(first..first + **length);
                piece.is_some_and(|piece| self.pieces.contains(&self.hasher.hash_one(piece)))
            });
            let Some(length) = length else { continue };
            match found.last_mut() {
                Some(before) if first <= before.end => before.end = before.end.max(first + length),
                _ => found.push(first..first + length),
            }
        }
        if found.is_empty() {
            return text;
        }
        let mut cleaned = String::with_capacity(text.len());
        let mut told = 0;
        for range in found {
            cleaned.push_str(text.get(told..letters[range.start].begin).unwrap_or_default());
            cleaned.push_str("[REDACTED]");
            told = letters[range.end - 1].end;
        }
        cleaned.push_str(text.get(told..).unwrap_or_default());
        cleaned
    }
}

/// A letter or digit, and where it is written.
struct Letter {
    /// In lower case.
    byte: u8,
    begin: usize,
    end: usize,
}

/// The letters and digits of a text, with those that are written as `%41`, `\u0041`, `\x41` or `&#65;`.
fn letters(text: &str) -> Vec<Letter> {
    let bytes = text.as_bytes();
    let mut letters = Vec::new();
    let mut begin = 0;
    while let Some((&first, rest)) = bytes.get(begin..).and_then(<[u8]>::split_first) {
        let written = match first {
            b'%' => percent(rest),
            b'\\' => escape(rest),
            b'&' => reference(rest),
            _ => None,
        };
        let (byte, length) = written.unwrap_or((first, 0));
        let end = begin + 1 + length;
        if byte.is_ascii_alphanumeric() {
            let byte = byte.to_ascii_lowercase();
            letters.push(Letter { byte, begin, end });
        }
        begin = end;
    }
    letters
}

/// What stands behind `%`, which may itself be written so, again and again.
fn percent(rest: &[u8]) -> Option<(u8, usize)> {
    let mut at = 0;
    while rest.get(at..).is_some_and(|rest| rest.starts_with(b"25"))
        && hex(rest.get(at + 2..at + 4)).is_some()
    {
        at += 2;
    }
    Some((hex(rest.get(at..at + 2))?, at + 2))
}

/// What stands behind `\`.
fn escape(rest: &[u8]) -> Option<(u8, usize)> {
    match rest.first()? {
        b'u' if rest.starts_with(b"u00") => Some((hex(rest.get(3..5))?, 5)),
        b'x' => Some((hex(rest.get(1..3))?, 3)),
        b'n' | b'r' | b't' => Some((b' ', 1)),
        _ => None,
    }
}

/// What stands behind `&`, its semicolon included.
fn reference(rest: &[u8]) -> Option<(u8, usize)> {
    let length = rest
        .iter()
        .take(LONGEST_REFERENCE)
        .position(|byte| *byte == b';')?;
    let name = std::str::from_utf8(rest.get(..length)?).ok()?;
    let number = match name.strip_prefix('#') {
        Some(number) => match number.strip_prefix(['x', 'X']) {
            Some(number) => u32::from_str_radix(number, 16).ok()?,
            None => number.parse().ok()?,
        },
        None if name.bytes().all(|byte| byte.is_ascii_alphabetic()) => u32::from(b'&'),
        None => return None,
    };
    Some((u8::try_from(number).unwrap_or(b'&'), length + 1))
}

fn hex(digits: Option<&[u8]>) -> Option<u8> {
    let digits = digits?;
    if !digits.iter().all(u8::is_ascii_hexdigit) {
        return None;
    }
    u8::from_str_radix(std::str::from_utf8(digits).ok()?, 16).ok()
}

/// Of a key of random characters, so many are 48 bits: they leave the rest unknown, and are in no sentence by chance.
const PIECE: usize = 8;

/// Eight bytes of the secret at least.
const PIECE_IN_BASE64: usize = 11;
const PIECE_IN_HEX: usize = 16;

/// Of a secret with signs in it, as base64 has them.
const LEAST: usize = 5;

/// `#x0000041;`
const LONGEST_REFERENCE: usize = 12;

#[cfg(test)]
mod tests {
    use base64::engine::general_purpose::URL_SAFE;

    use super::*;

    const TOKEN: &str = "FwoGZXIvYXdzEXAMPLEtK9zQw4Lm7Np2Rt5V/x8Yb1Dc3+Fg6Hj0Ks/Zx+Cv=BnQpWoEiRuTy102938";

    fn cleaned(text: &str) -> String {
        let secrets = [SecretString::from(TOKEN), SecretString::from("short")];
        Redaction::of(&secrets).clean(text.to_owned())
    }

    /// The token, with each of its letters written in another way.
    fn each(written: impl Fn(char) -> String) -> String {
        TOKEN.chars().map(written).collect::<Vec<_>>().concat()
    }

    /// Whether there is a piece of the token, or of one of its writings, in the text.
    fn is_told(text: &str) -> bool {
        let hex = each(|letter| format!("{:02X}", u32::from(letter)));
        let pieces = |written: &str, length: usize| {
            let windows = written.as_bytes().windows(length);
            let mut windows = windows.map(|piece| String::from_utf8(piece.to_vec()).unwrap());
            windows.any(|piece| text.contains(&piece) || text.contains(&piece.to_lowercase()))
        };
        pieces(TOKEN, 8) || pieces(&STANDARD.encode(TOKEN), 12) || pieces(&hex, 16)
    }

    #[test]
    fn token_is_taken_out_however_it_is_written() {
        let quoted: String = form_urlencoded::byte_serialize(TOKEN.as_bytes()).collect();
        let references = each(|letter| format!("&#{};", u32::from(letter)));
        let escaped = each(|letter| format!("\\u{:04x}", u32::from(letter)));
        let hex = each(|letter| format!("{:02X}", u32::from(letter)));
        let writings = [
            TOKEN.to_owned(),
            TOKEN.to_uppercase(),
            TOKEN.replace('/', "\\/"),
            TOKEN.replace('/', "&#x2F;").replace('+', "&plus;"),
            TOKEN.replace('2', " \n\t2"),
            TOKEN.replace('2', "\\n2"),
            TOKEN.replace('Q', "\u{200b}é-Q"),
            quoted.replace('%', "%25"),
            quoted.to_lowercase(),
            quoted,
            references,
            escaped,
            hex,
            STANDARD.encode(TOKEN),
            STANDARD.encode(format!("a{TOKEN}")),
            STANDARD.encode(format!("ab{TOKEN}!")),
            URL_SAFE.encode(format!("{{\"token\": \"{TOKEN}\"}}")),
        ];
        for written in writings {
            let text = format!("no such token `{written}`, is it yours?");
            let told = cleaned(&text);
            assert!(told.contains("[REDACTED]"), "{told}");
            assert!(
                told.starts_with("no such token `") && told.ends_with("is it yours?"),
                "{told}"
            );
            assert!(!is_told(&told), "{told}");
            // Of what stands around it, a letter or two may be like its own.
            assert!(told.len() < 90, "{told}");
        }
    }

    #[test]
    fn any_piece_of_eight_characters_is_taken_out() {
        for begin in 0..=TOKEN.len() - 8 {
            let piece = TOKEN.get(begin..begin + 8).unwrap();
            let told = cleaned(&format!("got <{piece}> (cut)"));
            assert!(!told.contains(piece), "{piece}: {told}");
            // A letter beside it may happen to go on as the token does.
            assert!(told.contains("[REDACTED]"), "{told}");
        }
        let base64 = STANDARD.encode(TOKEN).replace('=', "");
        for begin in 0..=base64.len() - 12 {
            let told = cleaned(base64.get(begin..begin + 12).unwrap());
            assert!(told.contains("[REDACTED]"), "{told}");
        }
    }

    #[test]
    fn what_has_no_piece_of_it_stays_as_it_is() {
        for text in [
            "",
            "AWS was not able to validate the provided access credentials",
            "FwoGZXI tK9zQw 5V/x8",
            "100% of &c; a\\b \\u12 %zz &#; &#x; é%",
            "é\u{1F600}",
        ] {
            assert_eq!(cleaned(text), text);
        }
        assert_eq!(Redaction::of([]).clean(TOKEN.to_owned()), TOKEN);
        assert_eq!(
            Redaction::of(&[SecretString::from("")]).clean("a".to_owned()),
            "a"
        );
    }

    #[test]
    fn pieces_apart_are_taken_out_each_and_a_short_secret_whole() {
        let told = cleaned("FwoGZXIvYXdz and Zx+Cv=BnQp é is short");
        assert_eq!(told, "[REDACTED] and [REDACTED] é is [REDACTED]");
    }
}
