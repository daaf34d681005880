//! A document of YAML as it is written: `010` is those three characters and neither 10 nor 8, which is what
//! exporter-toolkit, whose every value has a type, reads where it wants text.

use std::collections::HashMap;

use secrecy::zeroize::Zeroizing;
use yaml_rust2::parser::{Event, MarkedEventReceiver, Parser, Tag};
use yaml_rust2::scanner::{Marker, TScalarStyle};

use super::yaml::{Read, told};
use crate::yaml::excess;

/// A value, whose texts are wiped with it.
#[derive(Clone)]
pub(super) enum Value {
    Null,
    Text(Zeroizing<String>),
    List(Vec<Self>),
    Table(Vec<(Self, Self)>),
    /// What no file of this format has.
    Odd,
}

/// The value that a file is.
pub(super) fn read(text: &str) -> Read<Value> {
    // A mark of the order of bytes, as editors put it there.
    let text = text.strip_prefix('\u{feff}').unwrap_or(text);
    let is_odd = |character: char| character.is_control() && !"\t\n\r\u{85}".contains(character);
    if text.contains(is_odd) {
        return Err("holds a control character: write it as text".to_owned());
    }
    if let Some(excess) = excess(text) {
        return Err(excess.to_owned());
    }
    let mut loader = Loader::default();
    Parser::new_from_str(text)
        .load(&mut loader, true)
        .map_err(|error| {
            let place = error.marker();
            format!(
                "is not valid YAML (line {}, column {})",
                place.line(),
                place.col() + 1
            )
        })?;
    if let Some(fault) = loader.fault {
        return Err(fault);
    }
    // What follows a second `---` would not be read by exporter-toolkit either, and nobody would notice.
    if loader.documents > 1 {
        return Err("holds more than one document: write one".to_owned());
    }
    Ok(loader.whole.unwrap_or(Value::Null))
}

/// Puts together what the parser finds.
#[derive(Default)]
struct Loader {
    documents: usize,
    whole: Option<Value>,
    open: Vec<Open>,
    anchored: HashMap<usize, Value>,
    fault: Option<String>,
}

/// A list or a table whose end is not there yet.
struct Open {
    anchor: usize,
    value: Value,
    /// Of a table, the name whose value comes next.
    name: Option<Value>,
}

impl MarkedEventReceiver for Loader {
    fn on_event(&mut self, event: Event, place: Marker) {
        match event {
            Event::DocumentStart => self.documents += 1,
            Event::SequenceStart(anchor, _) => self.open(anchor, Value::List(Vec::new())),
            Event::MappingStart(anchor, _) => self.open(anchor, Value::Table(Vec::new())),
            Event::SequenceEnd | Event::MappingEnd => {
                if let Some(Open { anchor, value, .. }) = self.open.pop() {
                    self.refuse_twice(&value, place);
                    self.add(anchor, value);
                }
            }
            Event::Scalar(text, style, anchor, tag) => {
                self.add(anchor, scalar(Zeroizing::new(text), style, tag.as_ref()));
            }
            Event::Alias(anchor) => {
                // Not there yet within what it stands for.
                let value = self.anchored.get(&anchor).cloned().unwrap_or(Value::Odd);
                self.add(0, value);
            }
            Event::Nothing | Event::StreamStart | Event::StreamEnd | Event::DocumentEnd => {}
        }
    }
}

impl Loader {
    fn open(&mut self, anchor: usize, value: Value) {
        let name = None;
        self.open.push(Open { anchor, value, name });
    }

    fn add(&mut self, anchor: usize, value: Value) {
        // The parser counts from one.
        if anchor > 0 {
            self.anchored.insert(anchor, value.clone());
        }
        let Some(Open {
            value: above, name, ..
        }) = self.open.last_mut()
        else {
            self.whole = Some(value);
            return;
        };
        match above {
            Value::List(values) => values.push(value),
            Value::Table(entries) => match name.take() {
                Some(name) => entries.push((name, value)),
                None => *name = Some(value),
            },
            _ => {}
        }
    }

    fn refuse_twice(&mut self, table: &Value, end: Marker) {
        let Value::Table(entries) = table else {
            return;
        };
        let names = entries.iter().filter_map(|(name, _)| name.text());
        let mut names: Vec<&str> = names.collect();
        names.sort_unstable();
        let mut pairs = names.iter().zip(names.iter().skip(1));
        if let Some((name, _)) = pairs.find(|(one, other)| one == other) {
            let told = format!(
                "names `{}` twice in a table that ends in line {}",
                told(name),
                end.line()
            );
            self.fault.get_or_insert(told);
        }
    }
}

impl Value {
    /// The text that it is, if it is one.
    pub(super) fn text(&self) -> Option<&str> {
        match self {
            Self::Text(text) => Some(text),
            _ => None,
        }
    }
}

fn scalar(text: Zeroizing<String>, style: TScalarStyle, tag: Option<&Tag>) -> Value {
    let is_plain = style == TScalarStyle::Plain;
    match tag {
        None if is_plain && NULL.contains(&text.as_str()) => Value::Null,
        Some(tag) if tag.handle == CORE && !TEXTS.contains(&tag.suffix.as_str()) => Value::Odd,
        _ => Value::Text(text),
    }
}

/// What stands for nothing where it is not in quotes.
const NULL: [&str; 5] = ["", "~", "null", "Null", "NULL"];

/// What a tag of YAML's own begins with.
const CORE: &str = "tag:yaml.org,2002:";

/// Whichever of these a text is tagged as, it is taken as it is written; and so are tags of others.
const TEXTS: [&str; 4] = ["str", "int", "float", "bool"];

#[cfg(test)]
mod tests {
    use super::*;

    /// What a value says, for comparison.
    fn said(value: &Value) -> String {
        match value {
            Value::Null => "null".to_owned(),
            Value::Text(text) => format!("{:?}", text.as_str()),
            Value::List(values) => format!("[{}]", values.iter().map(said).collect::<Vec<_>>().join(", ")),
            Value::Table(entries) => {
                let entries = entries
                    .iter()
                    .map(|(name, value)| format!("{}: {}", said(name), said(value)));
                format!("{{{}}}", entries.collect::<Vec<_>>().join(", "))
            }
            Value::Odd => "odd".to_owned(),
        }
    }

    #[test]
    fn scalars_are_as_they_are_written() {
        for (text, expected) in [
            ("010", "\"010\""),
            ("0x10", "\"0x10\""),
            ("+1", "\"+1\""),
            ("1.50", "\"1.50\""),
            ("1_000", "\"1_000\""),
            ("True", "\"True\""),
            ("!!int 010", "\"010\""),
            ("!!str ~", "\"~\""),
            ("!!binary aGk=", "odd"),
            ("!own x", "\"x\""),
            ("~", "null"),
            ("Null", "null"),
            ("'null'", "\"null\""),
            ("''", "\"\""),
            ("", "null"),
            (
                "[1, [a, ~], {007: b}]",
                "[\"1\", [\"a\", null], {\"007\": \"b\"}]",
            ),
            (
                "a: &x [1, &y 2]\nb: *x\nc: *y",
                "{\"a\": [\"1\", \"2\"], \"b\": [\"1\", \"2\"], \"c\": \"2\"}",
            ),
            ("a: &x [*x]", "{\"a\": [odd]}"),
        ] {
            let read = read(text).map(|value| said(&value));
            assert_eq!(read.as_deref(), Ok(expected), "{text}");
        }
    }
}
