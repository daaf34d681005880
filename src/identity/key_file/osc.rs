//! A key in OUTSCALE's `config.json`: changed where it stands. The rest is not written anew, and stays as it is.

use std::{fmt, ops::Range};

use secrecy::{ExposeSecret as _, zeroize::Zeroizing};
use serde::de::{Deserializer as _, MapAccess, Visitor};
use serde_json::value::RawValue;

use super::edit::{Edit, joined, line_end, span, without_bom};
use crate::credentials::{
    Credentials, Fault,
    format::{ID, OSC, SECRET},
};

/// A file that holds nothing but this key.
pub(super) fn fresh(profile: &str, credentials: &Credentials) -> Zeroizing<String> {
    joined(&["{", &member_on_lines(profile, credentials, "\n", "  "), "\n}\n"])
}

/// What puts the key into its profile, in a text that the reader understood.
pub(super) fn edits(text: &str, profile: &str, credentials: &Credentials) -> Result<Vec<Edit>, Fault> {
    let file = Object::of(text, without_bom(text).trim())?;
    let Some(place) = file.member(profile)? else {
        return Ok(vec![file.with_profile(text, profile, credentials)]);
    };
    let there = Object::of(text, text.get(place).unwrap_or_default())?;
    let id = quoted(&credentials.access_key_id);
    let secret = quoted(credentials.secret_access_key.expose_secret());
    let mut edits = Vec::new();
    let mut missing = Vec::new();
    for (name, value) in [(OSC[ID], &id), (OSC[SECRET], &secret)] {
        match there.member(name)? {
            Some(place) => edits.push(Edit::replace(place, value)),
            None => missing.push((name, value.as_str())),
        }
    }
    edits.extend(there.with(&missing));
    Ok(edits)
}

/// Whether the profile or a member of it is there twice, and the setting by which it logs in otherwise, if it does.
pub(super) fn elsewhere(text: &str, profile: &str) -> Result<Option<&'static str>, Fault> {
    let file = Object::of(text, without_bom(text).trim())?;
    let Some(place) = file.member(profile)? else {
        return Ok(None);
    };
    let there = Object::of(text, text.get(place).unwrap_or_default())?;
    Ok((ELSEWHERE.into_iter()).find(|setting| there.members.iter().any(|member| member.name == *setting)))
}

/// Where the members of an object stand in the text.
struct Object<'a> {
    /// Between the braces.
    inside: Range<usize>,
    /// Between the opening brace and the first member.
    before_first: &'a str,
    members: Vec<Member>,
}

struct Member {
    name: String,
    value: Range<usize>,
}

impl<'a> Object<'a> {
    fn of(text: &'a str, object: &'a str) -> Result<Self, Fault> {
        let at = span(text, object);
        let mut json = serde_json::Deserializer::from_str(object);
        let raw = json
            .deserialize_map(Members)
            .map_err(|error| Fault::InvalidJson {
                line: error.line(),
                column: error.column(),
            })?;
        let inside = at.start + 1..at.end - 1;
        let first = raw
            .first()
            .map_or(inside.end, |(key, _)| span(text, key.get()).start);
        let members = raw.into_iter().map(|(key, value)| {
            let name = serde_json::from_str(key.get()).unwrap_or_default();
            let value = span(text, value.get());
            Member { name, value }
        });
        Ok(Self {
            before_first: text.get(inside.start..first).unwrap_or_default(),
            inside,
            members: members.collect(),
        })
    }

    fn member(&self, name: &str) -> Result<Option<Range<usize>>, Fault> {
        let mut named = self.members.iter().filter(|member| member.name == name);
        match (named.next(), named.next()) {
            (_, Some(_)) => {
                let what = format!("`{name}`");
                Err(Fault::Twice { what })
            }
            (found, None) => Ok(found.map(|member| member.value.clone())),
        }
    }

    /// Adds members, laid out as those that are there.
    fn with(&self, new: &[(&str, &str)]) -> Option<Edit> {
        let end = self.members.last().map(|member| member.value.end);
        let apart = if end.is_some() { self.before_first } else { "" };
        let mut parts = Vec::new();
        for (index, (name, value)) in new.iter().enumerate() {
            if end.is_some() || index > 0 {
                parts.push(",");
            }
            parts.push(if end.is_none() && index > 0 { " " } else { apart });
            parts.extend(["\"", *name, "\": ", *value]);
        }
        (!new.is_empty()).then(|| Edit::insert(end.unwrap_or(self.inside.start), &parts))
    }

    /// Adds a profile, laid out as those that are there.
    fn with_profile(&self, text: &str, profile: &str, credentials: &Credentials) -> Edit {
        let end = line_end(text);
        let Some(last) = self.members.last() else {
            return Edit {
                range: self.inside.clone(),
                new: joined(&[&member_on_lines(profile, credentials, end, "  "), end]),
            };
        };
        if let Some((_, indentation)) = self.before_first.rsplit_once('\n') {
            let member = member_on_lines(profile, credentials, end, indentation);
            return Edit::insert(last.value.end, &[",", &member]);
        }
        let name = quoted(profile);
        let value = profile_value(credentials, "", "", " ");
        Edit::insert(last.value.end, &[",", self.before_first, &name, ": ", &value])
    }
}

/// The members of an object as they are written.
struct Members;

impl<'de> Visitor<'de> for Members {
    type Value = Vec<(&'de RawValue, &'de RawValue)>;

    fn expecting(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("an object")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Self::Value, A::Error> {
        let mut members = Vec::new();
        while let Some(member) = map.next_entry()? {
            members.push(member);
        }
        Ok(members)
    }
}

/// A line end, and the profile with each of its members on a line of its own.
fn member_on_lines(
    profile: &str,
    credentials: &Credentials,
    end: &str,
    indentation: &str,
) -> Zeroizing<String> {
    let step = if indentation.is_empty() { "  " } else { indentation };
    let deeper = format!("{end}{indentation}{step}");
    let closing = format!("{end}{indentation}");
    let value = profile_value(credentials, &deeper, &closing, &deeper);
    joined(&[end, indentation, &quoted(profile), ": ", &value])
}

fn profile_value(
    credentials: &Credentials,
    before_first: &str,
    after_last: &str,
    between: &str,
) -> Zeroizing<String> {
    joined(&[
        "{",
        before_first,
        "\"",
        OSC[ID],
        "\": ",
        &quoted(&credentials.access_key_id),
        ",",
        between,
        "\"",
        OSC[SECRET],
        "\": ",
        &quoted(credentials.secret_access_key.expose_secret()),
        after_last,
        "}",
    ])
}

/// A JSON string. Control characters are in neither a key nor a profile's name.
fn quoted(value: &str) -> Zeroizing<String> {
    let mut parts = vec!["\""];
    for part in value.split_inclusive(['"', '\\']) {
        if let Some(plain) = part.strip_suffix('"') {
            parts.extend([plain, "\\\""]);
        } else if let Some(plain) = part.strip_suffix('\\') {
            parts.extend([plain, "\\\\"]);
        } else {
            parts.push(part);
        }
    }
    parts.push("\"");
    joined(&parts)
}

/// The login of a person, which OUTSCALE's tools take instead of a key.
const ELSEWHERE: [&str; 2] = ["login", "password"];

#[cfg(test)]
mod tests;
