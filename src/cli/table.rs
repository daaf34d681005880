//! Readings as tables for people, made from the same lines that Prometheus reads.

use std::collections::BTreeMap;
use std::fmt::Write as _;

use crate::exposition::Page;
use crate::poller::Watched;
use crate::reading::Reading;
use crate::resource::{Column, Table};

/// One sample of a page.
#[derive(Debug, PartialEq)]
pub(super) struct Line<'a> {
    pub(super) name: &'a str,
    pub(super) labels: Vec<(&'a str, String)>,
    pub(super) value: f64,
}

impl<'a> Line<'a> {
    /// Reads a line of our own writing; comments and blank lines give `None`.
    pub(super) fn parse(line: &'a str) -> Option<Self> {
        let (name, rest) = line
            .split_once('{')
            .filter(|(name, _)| !name.contains(['#', ' ']))?;
        let mut labels = Vec::new();
        let mut rest = rest;
        while let Some((label, quoted)) = rest.split_once("=\"") {
            let (value, behind) = unquoted(quoted)?;
            labels.push((label.trim_start_matches(','), value));
            rest = behind;
            if rest.starts_with('}') {
                break;
            }
        }
        let value = rest.strip_prefix("} ")?.parse().ok()?;
        Some(Self { name, labels, value })
    }

    fn label(&self, name: &str) -> Option<&str> {
        self.labels
            .iter()
            .find(|(label, _)| *label == name)
            .map(|(_, value)| value.as_str())
    }
}

/// The value up to its closing quote, and what stands behind that.
fn unquoted(quoted: &str) -> Option<(String, &str)> {
    let mut value = String::new();
    let mut characters = quoted.char_indices();
    while let Some((at, character)) = characters.next() {
        match character {
            '"' => return Some((value, quoted.get(at + 1..)?)),
            '\\' => match characters.next()?.1 {
                'n' => value.push('\n'),
                escaped => value.push(escaped),
            },
            _ => value.push(character),
        }
    }
    None
}

/// Every table of every kind that is watched, one after the other.
pub(super) fn render(page: &Page) -> String {
    let mut output = String::new();
    for watched in &page.watched() {
        let Watched {
            account,
            region,
            kind,
            ..
        } = watched;
        let Some(reading) = page.reading(watched) else {
            push(
                &mut output,
                &format!(
                    "{} of {account} in {region}: not read, see the error\n\n",
                    kind.name
                ),
            );
            continue;
        };
        push(
            &mut output,
            &format!("{} of {account} in {region}: {}\n", kind.name, reading.objects),
        );
        for table in kind.tables {
            push(&mut output, &one(table, &reading));
            output.push('\n');
        }
    }
    output
}

fn push(output: &mut String, text: &str) {
    output.push_str(text);
}

fn one(table: &Table, reading: &Reading) -> String {
    let mut rows: BTreeMap<Vec<String>, Vec<String>> = BTreeMap::new();
    for text in &reading.texts {
        let lines = String::from_utf8_lossy(&text.plain);
        for line in lines.lines().filter_map(Line::parse) {
            let key: Option<Vec<String>> = table
                .key
                .iter()
                .map(|label| line.label(label).map(shown))
                .collect();
            let Some(key) = key else { continue };
            let row = rows
                .entry(key)
                .or_insert_with(|| vec![String::new(); table.columns.len()]);
            for (cell, column) in row.iter_mut().zip(table.columns) {
                match column {
                    // An attachment has a state too, which is not that of its volume.
                    Column::Label(label) if line.value != 0.0 && cell.is_empty() => {
                        if let Some(value) = line.label(label) {
                            *cell = shown(value);
                        }
                    }
                    Column::Value(_, family) if family.name == line.name => *cell = line.value.to_string(),
                    Column::Label(_) | Column::Value(..) => {}
                }
            }
        }
    }
    let titles = table.key.iter().map(|label| (*label).to_owned());
    let titles = titles.chain(table.columns.iter().map(|column| match column {
        Column::Label(title) | Column::Value(title, _) => (*title).to_owned(),
    }));
    let mut lines: Vec<Vec<String>> = vec![titles.collect()];
    lines.extend(rows.into_iter().map(|(key, row)| [key, row].concat()));
    aligned(&lines)
}

/// What a terminal may show: a tag can hold anything.
fn shown(value: &str) -> String {
    value
        .chars()
        .map(|character| if character.is_control() { '·' } else { character })
        .collect()
}

fn aligned(lines: &[Vec<String>]) -> String {
    let mut widths = vec![0; lines.first().map_or(0, Vec::len)];
    for line in lines {
        for (width, cell) in widths.iter_mut().zip(line) {
            *width = (*width).max(cell.chars().count());
        }
    }
    let mut text = String::new();
    for line in lines {
        let mut row = String::new();
        for (cell, width) in line.iter().zip(&widths) {
            write!(row, "{cell:width$}  ").expect("writing to a String cannot fail");
        }
        text.push_str(row.trim_end());
        text.push('\n');
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_line_of_ours_is_read_back() {
        let line = Line::parse(r#"x{a="q\"\\\n,}",b="é"} 1.5"#).unwrap();
        let labels = vec![("a", "q\"\\\n,}".to_owned()), ("b", "é".to_owned())];
        assert_eq!(
            line,
            Line {
                name: "x",
                labels,
                value: 1.5
            }
        );
        assert_eq!(Line::parse("# HELP x{ y"), None);
        assert_eq!(Line::parse(""), None);
    }
}
