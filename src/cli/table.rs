//! Readings as tables for people, made from the same lines that Prometheus reads.

use std::collections::BTreeMap;
use std::fmt::Write as _;

use super::plain::is_odd;
use crate::exposition::Page;
use crate::poller::Watched;
use crate::reading::{Line, Reading};
use crate::resource::{Column, Table};
use crate::text::Text;

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
    for lines in reading.texts.iter().flat_map(Text::chunks) {
        for line in lines.lines().filter_map(Line::parse) {
            let key: Option<Vec<String>> = table
                .key
                .iter()
                .map(|label| line.label(label).map(|value| shown(&value)))
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
                            *cell = shown(&value);
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
    let mut rest = value.chars();
    let mut cell: String = (rest.by_ref().take(WIDEST))
        .map(|character| if is_odd(character) { '·' } else { character })
        .collect();
    if rest.next().is_some() {
        cell.push('…');
    }
    cell
}

/// More than the longest name of a host takes that a cloud gives, and less than a formatter's padding can be.
const WIDEST: usize = 256;

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
    fn name_of_any_length_fits_into_its_column() {
        let name = shown(&"é\u{1b}\u{202e}".repeat(100_000));
        assert_eq!(name.chars().count(), WIDEST + 1);
        let table = aligned(&[
            vec![name.clone(), "i-1".to_owned()],
            vec!["x".to_owned(), "i-2".to_owned()],
        ]);
        assert!(
            table.starts_with(&format!("{name}  i-1\n")) && table.ends_with("  i-2\n"),
            "{table}"
        );
        assert!(!table.contains(['\u{1b}', '\u{202e}']));
    }
}
