//! `filters`, `keep` and `drop`: which instances an account is about.

use std::collections::BTreeMap;

use serde::ser::SerializeMap as _;
use serde::{Deserialize, Serializer};

use super::error::Fault;
use super::values::{Text, Written};
use crate::resource::{Selection, TagRule};

/// A table of names, each with the values that do.
pub(super) type WrittenSelection = BTreeMap<String, Values>;

/// Values of a filter or a tag, each once.
#[derive(Debug, Deserialize)]
#[serde(transparent)]
pub(super) struct Values(Vec<Written<Value>>);

/// One of them. An empty value is one that a tag may have.
#[derive(Debug, Clone)]
struct Value(String);

impl Text for Value {
    const EXPECTED: &str = "a list of values in quotes, such as [\"prod\"]";

    fn parse(text: &str) -> Result<Self, String> {
        Ok(Self(text.to_owned()))
    }
}

pub(super) fn read(
    filters: Option<WrittenSelection>,
    keep: Option<WrittenSelection>,
    drop: Option<WrittenSelection>,
) -> Result<Selection, Fault> {
    let filters = named("filters", filters)?;
    if filters.len() > MOST_FILTERS || filters.iter().any(|(_, values)| values.len() > MOST_VALUES) {
        return Err(Fault::value(
            "filters",
            format!(
                "holds more than {MOST_FILTERS} filters, or one of more than {MOST_VALUES} values, which no cloud takes"
            ),
        ));
    }
    let rules = |key, written| {
        let named = named(key, written)?.into_iter();
        Ok(named.map(|(key, values)| TagRule { key, values }).collect())
    };
    Ok(Selection {
        filters,
        keep: rules("keep", keep)?,
        drop: rules("drop", drop)?,
    })
}

fn named(key: &str, written: Option<WrittenSelection>) -> Result<Vec<(String, Vec<String>)>, Fault> {
    let named = written
        .unwrap_or_default()
        .into_iter()
        .map(|(name, Values(values))| {
            if name.trim().is_empty() {
                return Err(Fault::value(
                    key,
                    "has an entry without a name: write one, such as env",
                ));
            }
            if values.is_empty() {
                let sentence =
                    "is an empty list, so that nothing would ever be shown: write the values that do";
                return Err(Fault::value(format!("{key}.{name}"), sentence));
            }
            let values = values.into_iter().map(|Written(Value(value))| value);
            Ok((name, values.collect()))
        });
    named.collect()
}

/// As settings write it.
pub(super) fn serialize<S: Serializer>(selection: &Selection, serializer: S) -> Result<S::Ok, S::Error> {
    let table = |rules: &[TagRule]| -> BTreeMap<String, Vec<String>> {
        (rules.iter())
            .map(|rule| (rule.key.clone(), rule.values.clone()))
            .collect()
    };
    let filters: BTreeMap<String, Vec<String>> = selection.filters.iter().cloned().collect();
    let tables = [
        ("filters", filters),
        ("keep", table(&selection.keep)),
        ("drop", table(&selection.drop)),
    ];
    let mut map = serializer.serialize_map(None)?;
    for (name, table) in tables.iter().filter(|(_, table)| !table.is_empty()) {
        map.serialize_entry(name, table)?;
    }
    map.end()
}

/// What EC2 takes: 50 filters in a request, 200 values in a filter.
const MOST_FILTERS: usize = 50;
const MOST_VALUES: usize = 200;
