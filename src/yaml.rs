//! What a YAML file may be before it is read whole: the parser takes elements in elements in elements until its stack
//! ends, and copies what an alias stands for, aliases in it included.

use std::collections::HashMap;

use secrecy::zeroize::Zeroize as _;
use yaml_rust2::parser::{Event, Parser};

/// What is too much in this text, as the end of a sentence that begins with its name. Broken syntax is not told here.
pub(crate) fn excess(text: &str) -> Option<&'static str> {
    let mut parser = Parser::new_from_str(text);
    // What is open: the anchor, and the values so far.
    let mut open: Vec<(usize, usize)> = Vec::new();
    let mut anchored: HashMap<usize, usize> = HashMap::new();
    let mut total = 0_usize;
    loop {
        let (anchor, size) = match parser.next_token().ok()?.0 {
            Event::StreamEnd => return None,
            Event::SequenceStart(anchor, _) | Event::MappingStart(anchor, _) => {
                if open.len() == DEPTH_LIMIT {
                    return Some("is nested too deep: write it flat");
                }
                open.push((anchor, 1));
                continue;
            }
            Event::SequenceEnd | Event::MappingEnd => open.pop()?,
            Event::Scalar(mut text, _, anchor, _) => {
                // It may be a secret; what is read of it is read again.
                text.zeroize();
                (anchor, 1)
            }
            Event::Alias(anchor) => (0, anchored.get(&anchor).copied().unwrap_or(1)),
            _ => continue,
        };
        if anchor > 0 {
            anchored.insert(anchor, size);
            // The parser keeps a copy.
            total = total.saturating_add(size);
        }
        match open.last_mut() {
            Some((_, above)) => *above = above.saturating_add(size),
            None => total = total.saturating_add(size),
        }
        let sizes = open.iter().map(|(_, size)| *size);
        if sizes.fold(total, usize::saturating_add) > VALUES_LIMIT {
            return Some("holds more than a million values, aliases resolved: write less");
        }
    }
}

/// Files here are 5 deep.
const DEPTH_LIMIT: usize = 64;

/// What a file of 1 MiB can hold without aliases; some hundred megabytes.
const VALUES_LIMIT: usize = 1 << 20;

#[cfg(test)]
mod tests {
    use std::fmt::Write as _;

    use super::*;

    #[test]
    fn nesting_and_aliases_have_limits_before_the_parser_meets_them() {
        let deep = "- ".repeat(500_000);
        assert!(excess(&deep).is_some_and(|told| told.contains("nested")));
        let mut bomb = "a0: &a0 [x, x, x, x, x, x, x, x]\n".to_owned();
        for level in 1..30 {
            let alias = format!("*a{}", level - 1);
            let aliases = [alias.as_str(); 8].join(", ");
            writeln!(bomb, "a{level}: &a{level} [{aliases}]").unwrap();
        }
        assert!(excess(&bomb).is_some_and(|told| told.contains("aliases")));
    }

    #[test]
    fn what_people_write_is_not_too_much() {
        for text in [
            "",
            "a: [b, {c: d}]",
            "a: &a {b: c}\nd: *a\ne: *a\n",
            "a: *unknown",
            "a: [",
            "---\na\n---\nb",
        ] {
            assert_eq!(excess(text), None, "{text}");
        }
        assert_eq!(excess(&"a: [1, 2, 3]\n".repeat(80_000)), None);
    }
}
