//! Changes to a text that leave every other byte of it alone, and no copy of a secret in memory given back.

use std::ops::Range;

use secrecy::zeroize::Zeroizing;

/// One change.
pub(super) struct Edit {
    /// What goes.
    pub(super) range: Range<usize>,
    /// What comes in its place.
    pub(super) new: Zeroizing<String>,
}

impl Edit {
    pub(super) fn replace(range: Range<usize>, new: &str) -> Self {
        Self {
            range,
            new: joined(&[new]),
        }
    }

    pub(super) fn insert(at: usize, parts: &[&str]) -> Self {
        Self {
            range: at..at,
            new: joined(parts),
        }
    }

    pub(super) fn remove(range: Range<usize>) -> Self {
        Self::replace(range, "")
    }
}

/// The text with the changes made, which may not overlap.
pub(super) fn apply(text: &str, mut edits: Vec<Edit>) -> Zeroizing<String> {
    edits.sort_by_key(|edit| edit.range.start);
    let more: usize = edits.iter().map(|edit| edit.new.len()).sum();
    let mut edited = Zeroizing::new(String::with_capacity(text.len() + more));
    let mut rest = text;
    for edit in edits {
        let (kept, tail) = rest.split_at(edit.range.start - (text.len() - rest.len()));
        edited.push_str(kept);
        edited.push_str(&edit.new);
        rest = tail.split_at(edit.range.len()).1;
    }
    edited.push_str(rest);
    edited
}

/// The parts one after the other, in one allocation: a buffer that grows leaves copies of the secret behind.
pub(super) fn joined(parts: &[&str]) -> Zeroizing<String> {
    let mut whole = Zeroizing::new(String::with_capacity(parts.iter().map(|part| part.len()).sum()));
    for part in parts {
        whole.push_str(part);
    }
    whole
}

/// Where a part of the text stands in it.
pub(super) fn span(text: &str, part: &str) -> Range<usize> {
    let start = part.as_ptr().addr() - text.as_ptr().addr();
    start..start + part.len()
}

/// The whole line around a place, with its end.
pub(super) fn line_around(text: &str, at: usize) -> Range<usize> {
    let (before, after) = text.split_at(at);
    let start = before.rfind('\n').map_or(0, |end| end + 1);
    let end = after.find('\n').map_or(text.len(), |end| at + end + 1);
    start..end
}

/// How the text ends its lines.
pub(super) fn line_end(text: &str) -> &'static str {
    match text.split_once('\n') {
        Some((first, _)) if first.ends_with('\r') => "\r\n",
        _ => "\n",
    }
}

/// What must come before a new last line: nothing, or the line end that the text lacks.
pub(super) fn missing_line_end(text: &str) -> &'static str {
    if text.is_empty() || text.ends_with('\n') || text == BOM {
        ""
    } else {
        line_end(text)
    }
}

/// The text without a mark that some editors put at its start.
pub(super) fn without_bom(text: &str) -> &str {
    text.strip_prefix(BOM).unwrap_or(text)
}

const BOM: &str = "\u{feff}";

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn edits_are_made_in_the_order_of_the_text() {
        let edits = vec![
            Edit::remove(4..6),
            Edit::insert(2, &["x", "y"]),
            Edit::replace(0..1, "éé"),
            Edit::insert(8, &["!"]),
        ];
        assert_eq!(*apply("01234567", edits), "éé1xy2367!");
        assert_eq!(*apply("as it was", Vec::new()), "as it was");
    }

    #[test]
    fn nothing_grows_while_a_secret_is_put_together() {
        assert_eq!(joined(&["ab", "", "cde"]).capacity(), 5);
        assert_eq!(apply("ab", vec![Edit::insert(1, &["x"])]).capacity(), 3);
    }

    #[test]
    fn lines_are_found_with_their_ends() {
        let text = "one\r\ntwo\nthree";
        assert_eq!(line_around(text, 0), 0..5);
        assert_eq!(line_around(text, 5), 5..9);
        assert_eq!(line_around(text, text.len()), 9..14);
        assert_eq!(line_end(text), "\r\n");
        assert_eq!(line_end("one"), "\n");
        assert_eq!(missing_line_end("a\r\nb"), "\r\n");
        assert_eq!(missing_line_end("a\n"), "");
        assert_eq!(missing_line_end("\u{feff}"), "");
    }
}
