//! A key in a file of variables, such as systemd's `EnvironmentFile`: read strictly, changed where it stands.

use std::ops::Range;

use secrecy::{ExposeSecret as _, SecretString, zeroize::Zeroizing};

use super::{
    edit::{Edit, joined, line_around, line_end, missing_line_end, span},
    error::Refusal,
};
use crate::{
    credentials::{Credentials, Fault, chain::Chain, format::may_be_in_a_key},
    provider::Provider,
};

/// A file that holds nothing but this key.
pub(super) fn fresh(provider: Provider, credentials: &Credentials) -> Zeroizing<String> {
    let chain = Chain::of(provider);
    joined(&[
        &assignment(chain.id, &credentials.access_key_id, "\n"),
        &assignment(chain.secret, credentials.secret_access_key.expose_secret(), "\n"),
    ])
}

/// The key that stands there. Variables without a value are as good as none.
pub(super) fn read(text: &str, provider: Provider) -> Result<Option<Credentials>, Refusal> {
    let chain = Chain::of(provider);
    let variables = variables(text)?;
    let value = |name| -> Result<_, Fault> {
        match found(&variables, name)? {
            Some(variable) if !variable.value.is_empty() => variable.key_part(name).map(Some),
            _ => Ok(None),
        }
    };
    let half = |present, missing| {
        let place = PLACE.to_owned();
        Err(Refusal::Content(Fault::Half {
            present,
            missing,
            place,
        }))
    };
    let (id, secret) = match (value(chain.id)?, value(chain.secret)?) {
        (Some(id), Some(secret)) => (id, secret),
        (None, None) => return Ok(None),
        (Some(_), None) => return half(chain.id, chain.secret),
        (None, Some(_)) => return half(chain.secret, chain.id),
    };
    let mut session_token = None;
    for name in chain.tokens {
        session_token = session_token.or(value(name)?);
    }
    Ok(Some(Credentials {
        access_key_id: id.to_owned(),
        secret_access_key: SecretString::from(secret),
        session_token: session_token.map(SecretString::from),
    }))
}

/// What puts the key in, into a text that was understood.
pub(super) fn edits(text: &str, provider: Provider, credentials: &Credentials) -> Result<Vec<Edit>, Refusal> {
    let chain = Chain::of(provider);
    let variables = variables(text)?;
    let end = line_end(text);
    let mut edits = Vec::new();
    let mut appended = Vec::new();
    for (name, value) in [
        (chain.id, credentials.access_key_id.as_str()),
        (chain.secret, credentials.secret_access_key.expose_secret()),
    ] {
        match found(&variables, name)? {
            Some(variable) => edits.push(Edit::replace(span(text, variable.value), value)),
            None => appended.push(assignment(name, value, end)),
        }
    }
    if !appended.is_empty() {
        let mut parts = vec![missing_line_end(text)];
        parts.extend(appended.iter().map(|line| line.as_str()));
        edits.push(Edit::insert(text.len(), &parts));
    }
    for variable in &variables {
        if chain.tokens.contains(&variable.name) {
            edits.push(Edit::remove(variable.line.clone()));
        }
    }
    Ok(edits)
}

/// `NAME=value` on a line.
struct Variable<'a> {
    name: &'a str,
    /// Without its quotes.
    value: &'a str,
    line: Range<usize>,
}

impl<'a> Variable<'a> {
    /// The value, if every reader of such files would take it as it stands.
    fn key_part(&self, name: &'static str) -> Result<&'a str, Fault> {
        if may_be_in_a_key(self.value) && !self.value.contains(['\'', '"', '\\', '$', '`']) {
            return Ok(self.value);
        }
        Err(Fault::Characters {
            key: name,
            place: PLACE.to_owned(),
        })
    }
}

/// Each variable. What goes over several lines is refused: a part of it could pass for a variable.
fn variables(text: &str) -> Result<Vec<Variable<'_>>, Refusal> {
    let mut variables = Vec::new();
    for (index, line) in text.lines().enumerate() {
        let refused = Refusal::EnvLine { line: index + 1 };
        let stripped = line.trim();
        if stripped.ends_with('\\') {
            return Err(refused);
        }
        if stripped.is_empty() || stripped.starts_with(['#', ';']) {
            continue;
        }
        let assignment = stripped.strip_prefix("export ").unwrap_or(stripped);
        let (name, value) = match assignment.split_once('=') {
            Some((name, value)) if is_name(name.trim()) && closes(value) => (name.trim(), value.trim()),
            _ => return Err(refused),
        };
        let inner = |quote| value.strip_prefix(quote)?.strip_suffix(quote);
        variables.push(Variable {
            name,
            value: inner('"').or_else(|| inner('\'')).unwrap_or(value),
            line: line_around(text, span(text, line).start),
        });
    }
    Ok(variables)
}

fn found<'a, 'b>(variables: &'a [Variable<'b>], name: &str) -> Result<Option<&'a Variable<'b>>, Fault> {
    let mut named = variables.iter().filter(|variable| variable.name == name);
    match (named.next(), named.next()) {
        (_, Some(_)) => {
            let what = format!("`{name}`");
            Err(Fault::Twice { what })
        }
        (found, None) => Ok(found),
    }
}

/// Whether every quote that is opened at the start of a value, or after another, is closed on the line.
fn closes(value: &str) -> bool {
    let mut rest = value.trim_start();
    while let Some(quote @ ('"' | '\'')) = rest.chars().next() {
        let mut escaped = false;
        let end = rest.char_indices().skip(1).find(|&(_, character)| {
            let closing = character == quote && !escaped;
            escaped = character == '\\' && quote == '"' && !escaped;
            closing
        });
        let Some((end, _)) = end else {
            return false;
        };
        rest = rest.split_at(end + 1).1.trim_start();
    }
    true
}

/// Whether a variable can be called this.
pub(super) fn is_name(name: &str) -> bool {
    !name.starts_with(|first: char| first.is_ascii_digit())
        && !name.is_empty()
        && name
            .bytes()
            .all(|byte| byte.is_ascii_alphanumeric() || byte == b'_')
}

fn assignment(name: &str, value: &str, end: &str) -> Zeroizing<String> {
    joined(&[name, "=", value, end])
}

const PLACE: &str = "in it";

#[cfg(test)]
mod tests;
