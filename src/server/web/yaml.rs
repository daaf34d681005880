//! Reads YAML strictly, as exporter-toolkit does: a key that is not known is an error, and so is one that is there
//! twice. No error repeats a value, since most of what is written here is secret; and what was read is wiped once it has
//! been taken.

use std::mem;

use secrecy::zeroize::Zeroize as _;
use yaml_rust2::{Yaml, YamlLoader};

use crate::yaml::excess;

/// What is wrong, as a sentence that goes on after the name of the file.
pub(super) type Read<T> = Result<T, String>;

/// The keys of one table, each of which is taken once.
pub(super) struct Table {
    name: String,
    left: Vec<(String, Value)>,
}

/// A value, whose texts are wiped with it.
struct Value(Yaml);

/// The table that a file is; an empty file is an empty one.
pub(super) fn document(text: &str) -> Read<Table> {
    // A mark of the order of bytes, as editors put it there.
    let text = text.strip_prefix('\u{feff}').unwrap_or(text);
    let is_odd = |character: char| character.is_control() && !"\t\n\r\u{85}".contains(character);
    if text.contains(is_odd) {
        return Err("holds a control character: write it as text".to_owned());
    }
    if let Some(excess) = excess(text) {
        return Err(excess.to_owned());
    }
    let documents = YamlLoader::load_from_str(text).map_err(|error| {
        let place = error.marker();
        format!(
            "is not valid YAML (line {}, column {})",
            place.line(),
            place.col() + 1
        )
    })?;
    let mut documents: Vec<Value> = documents.into_iter().map(Value).collect();
    // What follows a second `---` would not be read by exporter-toolkit either, and nobody would notice.
    if documents.len() > 1 {
        return Err("holds more than one document: write one".to_owned());
    }
    let document = documents.pop().unwrap_or(Value(Yaml::Null));
    Table::of(String::new(), document)
}

impl Table {
    fn of(name: String, mut value: Value) -> Read<Self> {
        let entries = match &mut value.0 {
            Yaml::Hash(entries) => mem::take(entries),
            Yaml::Null => {
                return Ok(Self {
                    name,
                    left: Vec::new(),
                });
            }
            _ if name.is_empty() => {
                return Err("is no table: write keys such as `tls_server_config`".to_owned());
            }
            Yaml::String(text) => return Err(no_table(&name, text)),
            _ => return Err(no_table(&name, "")),
        };
        let place = if name.is_empty() {
            String::new()
        } else {
            format!("`{name}` ")
        };
        // All of them first, so that those after a bad name are wiped too.
        let entries = entries.into_iter().map(|(key, value)| (Value(key), Value(value)));
        let entries: Vec<_> = entries.collect();
        let keys = entries.into_iter().map(|(mut key, value)| match &mut key.0 {
            Yaml::String(key) => Ok((mem::take(key), value)),
            // `007` would be the name `7`, and `True` the name `true`.
            Yaml::Integer(_) | Yaml::Real(_) | Yaml::Boolean(_) => Err(format!(
                "{place}has a name that YAML reads as a number or as true or false: put it in quotes"
            )),
            _ => Err(format!("{place}has a name that is no text")),
        });
        let left = keys.collect::<Read<_>>()?;
        Ok(Self { name, left })
    }

    pub(super) fn is_empty(&self) -> bool {
        self.left.is_empty()
    }

    /// The name of a key, from the outermost table on.
    pub(super) fn path(&self, key: &str) -> String {
        if self.name.is_empty() {
            key.to_owned()
        } else {
            format!("{}.{key}", self.name)
        }
    }

    fn take(&mut self, key: &str) -> Option<Value> {
        let index = self.left.iter().position(|(name, _)| name == key)?;
        let (_, value) = self.left.remove(index);
        Some(value).filter(|value| !value.0.is_null())
    }

    /// A table below this one; empty where there is none.
    pub(super) fn table(&mut self, key: &str) -> Read<Self> {
        let value = self.take(key).unwrap_or(Value(Yaml::Null));
        Self::of(self.path(key), value)
    }

    /// Text, which an empty value is none of.
    pub(super) fn text(&mut self, key: &str) -> Read<Option<String>> {
        let Some(value) = self.take(key) else {
            return Ok(None);
        };
        let text = scalar(&value.0).ok_or_else(|| format!("`{}` is no text", self.path(key)))?;
        Ok(Some(text).filter(|text| !text.is_empty()))
    }

    /// A list of texts.
    pub(super) fn texts(&mut self, key: &str) -> Read<Option<Vec<String>>> {
        let Some(value) = self.take(key) else {
            return Ok(None);
        };
        let listed = match &value.0 {
            Yaml::Array(values) => values.iter().map(scalar).collect::<Option<Vec<_>>>(),
            _ => None,
        };
        match listed {
            Some(listed) => Ok(Some(listed)),
            None => Err(format!(
                "`{}` is no list of texts: write it as in `[one, another]`",
                self.path(key)
            )),
        }
    }

    /// Yes or no.
    pub(super) fn boolean(&mut self, key: &str) -> Read<Option<bool>> {
        let Some(value) = self.take(key) else {
            return Ok(None);
        };
        // The words of YAML 1.1, which exporter-toolkit's reader takes.
        let word = scalar(&value.0).unwrap_or_default().to_ascii_lowercase();
        match word.as_str() {
            "true" | "yes" | "on" | "y" => Ok(Some(true)),
            "false" | "no" | "off" | "n" => Ok(Some(false)),
            _ => Err(format!("`{}` is neither true nor false", self.path(key))),
        }
    }

    /// What is written there, of any name: as it is, or as secrets.
    pub(super) fn every_text<T: From<String>>(self) -> Read<Vec<(String, T)>> {
        let name = self.name;
        let texts = self.left.into_iter().map(|(key, value)| match &value.0 {
            Yaml::Null => Ok((key, String::new().into())),
            value => scalar(value)
                .map(|text| (key, text.into()))
                .ok_or_else(|| format!("`{name}` has a value that is no text")),
        });
        texts.collect()
    }

    /// Refuses what nobody took.
    pub(super) fn end(self, known: &[&str]) -> Read<()> {
        match self.left.first() {
            None => Ok(()),
            Some((key, _)) if known.contains(&key.as_str()) => Ok(()),
            Some((key, _)) => Err(format!(
                "has the unknown key `{}`: there are {}",
                self.path(told(key)),
                known.join(", ")
            )),
        }
    }
}

/// Says that something is no table. What stands there instead may be a name and a secret, without what parts the two.
fn no_table(name: &str, instead: &str) -> String {
    match instead.split_once(':') {
        Some((key, _)) if !key.is_empty() && told(key) == key => {
            format!("`{name}` is no table: write `{key}: …`, with a space after the colon")
        }
        _ => format!("`{name}` is no table: write keys and values below it"),
    }
}

/// A name as it may be told. What looks like none may be a value in the wrong place, such as a hash before its user.
pub(super) fn told(name: &str) -> &str {
    let is_plain = |character: char| character.is_alphanumeric() || "_-.@ ".contains(character);
    // Base64 comes in longer lines.
    if name.chars().all(is_plain) && name.chars().count() <= 48 {
        name
    } else {
        "…"
    }
}

impl Drop for Value {
    fn drop(&mut self) {
        wipe(&mut self.0);
    }
}

/// No deeper than a document may be nested.
fn wipe(value: &mut Yaml) {
    match value {
        Yaml::String(text) | Yaml::Real(text) => text.zeroize(),
        Yaml::Array(values) => values.iter_mut().for_each(wipe),
        Yaml::Hash(entries) => {
            for (mut key, mut value) in mem::take(entries) {
                wipe(&mut key);
                wipe(&mut value);
            }
        }
        _ => {}
    }
}

/// A copy that is as large as what is in it: one that shrinks to become a secret may leave a second behind.
fn scalar(value: &Yaml) -> Option<String> {
    match value {
        Yaml::String(text) | Yaml::Real(text) => Some(text.clone()),
        Yaml::Integer(number) => Some(number.to_string()),
        Yaml::Boolean(value) => Some(value.to_string()),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn wiped_value_has_no_text_left_at_any_depth() {
        let text = "[SecretEXAMPLE, {SecretEXAMPLE: [1.5, SecretEXAMPLE]}, [[SecretEXAMPLE]]]";
        let mut documents = YamlLoader::load_from_str(text).unwrap();
        assert!(format!("{documents:?}").contains("SecretEXAMPLE"));
        documents.iter_mut().for_each(wipe);
        let left = format!("{documents:?}");
        assert!(!left.contains("Secret") && !left.contains("1.5"), "{left}");
    }
}
