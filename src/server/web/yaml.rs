//! Reads YAML strictly, as exporter-toolkit does: a key that is not known is an error, and so is one that is there
//! twice. No error repeats a value, since most of what is written here is secret; and what was read is wiped once it has
//! been taken.

use super::document::{self, Value};

/// What is wrong, as a sentence that goes on after the name of the file.
pub(super) type Read<T> = Result<T, String>;

/// The keys of one table, each of which is taken once.
pub(super) struct Table {
    name: String,
    left: Vec<(String, Value)>,
}

/// The table that a file is; an empty file is an empty one.
pub(super) fn document(text: &str) -> Read<Table> {
    Table::of(String::new(), document::read(text)?)
}

impl Table {
    fn of(name: String, value: Value) -> Read<Self> {
        let entries = match value {
            Value::Table(entries) => entries,
            Value::Null => Vec::new(),
            _ if name.is_empty() => {
                return Err("is no table: write keys such as `tls_server_config`".to_owned());
            }
            value => return Err(no_table(&name, value.text().unwrap_or_default())),
        };
        let place = if name.is_empty() {
            String::new()
        } else {
            format!("`{name}` ")
        };
        let keys = entries.into_iter().map(|(key, value)| match key.text() {
            Some(key) => Ok((key.to_owned(), value)),
            None => Err(format!("{place}has a name that is no text")),
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
        Some(value).filter(|value| !matches!(value, Value::Null))
    }

    /// A table below this one; empty where there is none.
    pub(super) fn table(&mut self, key: &str) -> Read<Self> {
        let value = self.take(key).unwrap_or(Value::Null);
        Self::of(self.path(key), value)
    }

    /// Text, which an empty value is none of.
    pub(super) fn text(&mut self, key: &str) -> Read<Option<String>> {
        let Some(value) = self.take(key) else {
            return Ok(None);
        };
        let text = text_of(&value).ok_or_else(|| format!("`{}` is no text", self.path(key)))?;
        Ok(Some(text).filter(|text| !text.is_empty()))
    }

    /// A list of texts.
    pub(super) fn texts(&mut self, key: &str) -> Read<Option<Vec<String>>> {
        let Some(value) = self.take(key) else {
            return Ok(None);
        };
        let listed = match &value {
            Value::List(values) => values.iter().map(text_of).collect::<Option<Vec<_>>>(),
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
        let word = text_of(&value).unwrap_or_default().to_ascii_lowercase();
        match word.as_str() {
            "true" | "yes" | "on" | "y" => Ok(Some(true)),
            "false" | "no" | "off" | "n" => Ok(Some(false)),
            _ => Err(format!("`{}` is neither true nor false", self.path(key))),
        }
    }

    /// What is written there, of any name: as it is, or as secrets.
    pub(super) fn every_text<T: From<String>>(self) -> Read<Vec<(String, T)>> {
        let name = self.name;
        let texts = self.left.into_iter().map(|(key, value)| match &value {
            Value::Null => Ok((key, String::new().into())),
            value => text_of(value)
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

/// A copy that is as large as what is in it: one that shrinks to become a secret may leave a second behind.
fn text_of(value: &Value) -> Option<String> {
    value.text().map(str::to_owned)
}
