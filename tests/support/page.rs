//! A strict reader of the text format, version 0.0.4.

use std::collections::{BTreeMap, BTreeSet};
use std::iter::Peekable;
use std::str::Chars;

/// The samples of a page, each under its name and labels.
#[derive(Debug)]
pub(crate) struct Page(BTreeMap<Series, f64>);

#[derive(Clone, Debug, Eq, Ord, PartialEq, PartialOrd)]
pub(crate) struct Series {
    pub(crate) name: String,
    pub(crate) labels: BTreeMap<String, String>,
}

impl Page {
    /// Panics at the first line that Prometheus would refuse, and at a repeated or undeclared family.
    pub(crate) fn parse(text: &str) -> Self {
        assert!(
            text.is_empty() || text.ends_with('\n'),
            "the page ends in the middle of a line"
        );
        let (mut samples, mut families) = (BTreeMap::new(), BTreeSet::new());
        for line in text.lines().filter(|line| !line.is_empty()) {
            if let Some(declaration) = line.strip_prefix("# TYPE ") {
                let family = declaration.split(' ').next().expect("a split has a first part");
                assert!(families.insert(family), "the family is declared again: {line}");
            } else if !line.starts_with('#') {
                let (series, value) = sample(line);
                assert!(
                    declared(&families, &series.name),
                    "no family was declared before: {line}"
                );
                assert!(
                    samples.insert(series, value).is_none(),
                    "the series is on the page again: {line}"
                );
            }
        }
        Self(samples)
    }

    pub(crate) fn samples(&self) -> impl Iterator<Item = (&Series, f64)> {
        self.0.iter().map(|(series, &value)| (series, value))
    }

    pub(crate) fn family(&self, name: &str) -> impl Iterator<Item = (&Series, f64)> {
        self.samples().filter(move |(series, _)| series.name == name)
    }

    /// The value of the one sample of a family that has these labels among its own.
    pub(crate) fn value(&self, name: &str, labels: &[(&str, &str)]) -> Option<f64> {
        let mut found = self.family(name).filter(|(series, _)| {
            labels
                .iter()
                .all(|&(label, value)| series.labels.get(label).is_some_and(|own| own == value))
        });
        let (first, value) = found.next()?;
        assert!(
            found.next().is_none(),
            "{labels:?} are the labels of more samples than {first:?}"
        );
        Some(value)
    }
}

fn declared(families: &BTreeSet<&str>, name: &str) -> bool {
    let of_histogram = ["_bucket", "_sum", "_count"]
        .iter()
        .filter_map(|suffix| name.strip_suffix(suffix));
    families.contains(name) || of_histogram.into_iter().any(|family| families.contains(family))
}

fn sample(line: &str) -> (Series, f64) {
    let mut rest = line.chars().peekable();
    let name = name(&mut rest);
    let labels = if rest.next_if_eq(&'{').is_some() {
        labels(&mut rest, line)
    } else {
        BTreeMap::new()
    };
    assert_eq!(rest.next(), Some(' '), "no space before the value: {line}");
    let value = rest.collect::<String>();
    let value = value.parse().unwrap_or_else(|_| panic!("not a value: {line}"));
    (Series { name, labels }, value)
}

fn labels(rest: &mut Peekable<Chars<'_>>, line: &str) -> BTreeMap<String, String> {
    let mut labels = BTreeMap::new();
    while rest.next_if_eq(&'}').is_none() {
        let label = name(rest);
        assert_eq!(rest.next(), Some('='), "no value for {label}: {line}");
        let value = quoted(rest).unwrap_or_else(|| panic!("a broken value of {label}: {line}"));
        assert!(
            labels.insert(label, value).is_none(),
            "a label is repeated: {line}"
        );
        assert!(
            rest.next_if_eq(&',').is_some() || rest.peek() == Some(&'}'),
            "no end of a label: {line}"
        );
    }
    labels
}

fn name(rest: &mut Peekable<Chars<'_>>) -> String {
    let mut name = String::new();
    while let Some(letter) = rest.next_if(|letter| letter.is_ascii_alphanumeric() || "_:".contains(*letter)) {
        name.push(letter);
    }
    let starts_well = name.starts_with(|first: char| !first.is_ascii_digit());
    assert!(
        starts_well,
        "not a name: {name:?} before {}",
        rest.collect::<String>()
    );
    name
}

fn quoted(rest: &mut Peekable<Chars<'_>>) -> Option<String> {
    let mut value = String::new();
    rest.next_if_eq(&'"')?;
    loop {
        match rest.next()? {
            '"' => return Some(value),
            '\\' => value.push(match rest.next()? {
                'n' => '\n',
                escaped @ ('\\' | '"') => escaped,
                _ => return None,
            }),
            plain => value.push(plain),
        }
    }
}
