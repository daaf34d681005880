//! A sample of a reading, read back from its line: for what people look at.

use std::borrow::Cow;

/// One sample, as we wrote it.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Line<'a> {
    /// The family.
    pub name: &'a str,
    /// The labels as they stand between the braces.
    pub labels: &'a str,
    /// The value.
    pub value: f64,
}

impl<'a> Line<'a> {
    /// Reads a line of our own writing; comments and blank lines give `None`. Labels are looked at only when asked for:
    /// of a hundred thousand lines, few matter.
    pub fn parse(line: &'a str) -> Option<Self> {
        let (name, rest) = line
            .split_once('{')
            .filter(|(name, _)| !name.contains(['#', ' ']))?;
        // A label may hold the same two characters, but no value does.
        let (labels, value) = rest.rsplit_once("} ")?;
        let value = value.parse().ok()?;
        Some(Self { name, labels, value })
    }

    /// The labels, in their order.
    pub fn labels(&self) -> impl Iterator<Item = (&'a str, Cow<'a, str>)> + use<'a> {
        let mut rest = self.labels;
        std::iter::from_fn(move || {
            let (label, quoted) = rest.split_once("=\"")?;
            let (value, behind) = unquoted(quoted)?;
            rest = behind;
            Some((label.trim_start_matches(','), value))
        })
    }

    /// The value of a label, if the sample has it.
    pub fn label(&self, name: &str) -> Option<Cow<'a, str>> {
        self.labels()
            .find(|(label, _)| *label == name)
            .map(|(_, value)| value)
    }
}

/// The value up to its closing quote, and what stands behind that.
pub(crate) fn unquoted(quoted: &str) -> Option<(Cow<'_, str>, &str)> {
    let end = quoted.find(['"', '\\'])?;
    let (plain, rest) = quoted.split_at(end);
    if let Some(behind) = rest.strip_prefix('"') {
        return Some((Cow::Borrowed(plain), behind));
    }
    let mut value = plain.to_owned();
    let mut characters = rest.char_indices();
    while let Some((at, character)) = characters.next() {
        match character {
            '"' => return Some((Cow::Owned(value), rest.get(at + 1..)?)),
            '\\' => match characters.next()?.1 {
                'n' => value.push('\n'),
                escaped => value.push(escaped),
            },
            _ => value.push(character),
        }
    }
    None
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_line_of_ours_is_read_back() {
        let line = Line::parse(r#"x{a="q\"\\\n,} 2",b="é",c=""} 1.5"#).unwrap();
        assert_eq!((line.name, line.value), ("x", 1.5));
        let labels: Vec<_> = line.labels().collect();
        assert_eq!(
            labels,
            [("a", "q\"\\\n,} 2".into()), ("b", "é".into()), ("c", "".into())]
        );
        assert_eq!(line.label("b").as_deref(), Some("é"));
        assert_eq!(line.label("d"), None);
    }

    #[test]
    fn what_is_no_sample_is_none() {
        for odd in ["# HELP x{ y", "", "x 1", "x{a=\"} 1", "x{a=\"b\"} one"] {
            let line = Line::parse(odd);
            assert!(line.is_none_or(|line| line.labels().next().is_none()), "{odd}");
        }
    }
}
