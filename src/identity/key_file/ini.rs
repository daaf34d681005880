//! A key in the INI of the AWS tools, and in the account-key file of 2011: where it stands, and how it is changed.

use std::ops::Range;

use secrecy::{ExposeSecret as _, zeroize::Zeroizing};

use super::edit::{Edit, joined, line_around, line_end, missing_line_end, span, without_bom};
use crate::credentials::{
    Credentials,
    format::{ACCOUNT_KEY, ID, INI, Line, SECRET, Spelling, TOKEN, TOKEN_ALIAS, lines},
};

/// A file that holds nothing but this key.
pub(super) fn fresh(profile: &str, credentials: &Credentials) -> Zeroizing<String> {
    joined(&["[", profile, "]\n", &entries("", " = ", &INI, credentials, "\n")])
}

/// An account-key file that holds nothing but this key.
pub(super) fn fresh_account_key(credentials: &Credentials) -> Zeroizing<String> {
    entries("", "=", &ACCOUNT_KEY, credentials, "\n")
}

/// What puts the key into its profile, in a text that the reader understood.
pub(super) fn edits(text: &str, profile: &str, credentials: &Credentials) -> Vec<Edit> {
    let layout = Layout::of(text, Some(profile), &INI);
    if let Some(edits) = layout.replaced(credentials) {
        return edits;
    }
    let end = line_end(text);
    let Some(below_header) = layout.below_header else {
        let apart = if without_bom(text).trim().is_empty() {
            ""
        } else {
            end
        };
        let header = [missing_line_end(text), apart, "[", profile, "]", end];
        let entries = entries("", " = ", &INI, credentials, end);
        return vec![Edit::insert(
            text.len(),
            &[&header[..], &[entries.as_str()]].concat(),
        )];
    };
    // As deep as the line below: were it less, that line would go on with the secret.
    let entries = entries(layout.indentation, " = ", &INI, credentials, end);
    let (above, _) = text.split_at(below_header);
    let mut edits = vec![Edit::insert(
        below_header,
        &[missing_line_end(above), entries.as_str()],
    )];
    edits.extend(layout.tokens.into_iter().map(Edit::remove));
    edits
}

/// What puts the key into an account-key file, in a text that the reader understood.
pub(super) fn account_key_edits(text: &str, credentials: &Credentials) -> Vec<Edit> {
    let layout = Layout::of(text, None, &ACCOUNT_KEY);
    layout.replaced(credentials).unwrap_or_else(|| {
        let entries = entries("", "=", &ACCOUNT_KEY, credentials, line_end(text));
        vec![Edit::insert(text.len(), &[missing_line_end(text), &entries])]
    })
}

/// The setting by which a profile gets its key from elsewhere, if it does.
pub(super) fn elsewhere(text: &str, profile: &str) -> Option<&'static str> {
    Layout::of(text, Some(profile), &INI).elsewhere
}

/// What stands where in one profile, or above all of them.
#[derive(Default)]
struct Layout<'a> {
    below_header: Option<usize>,
    /// Of the first line below the header that says something.
    indentation: &'a str,
    /// The access key id and the secret.
    values: [Option<Range<usize>>; 2],
    /// The lines of session tokens.
    tokens: Vec<Range<usize>>,
    elsewhere: Option<&'static str>,
}

impl<'a> Layout<'a> {
    fn of(text: &'a str, profile: Option<&str>, spelling: &Spelling) -> Self {
        let mut layout = Self::default();
        let mut inside = profile.is_none();
        let mut header_above = false;
        for (_, line) in lines(without_bom(text)) {
            let Some(Line::Section(part) | Line::Entry(_, part)) = line else {
                continue;
            };
            let whole = line_around(text, span(text, part).start);
            if header_above {
                let line = text.get(whole.clone()).unwrap_or_default();
                let (indentation, _) = line.split_at(line.len() - line.trim_start().len());
                layout.indentation = indentation;
            }
            header_above = false;
            match line {
                Some(Line::Section(name)) => {
                    inside = profile == Some(name);
                    if inside {
                        layout.below_header = Some(whole.end);
                        header_above = true;
                    }
                }
                Some(Line::Entry(key, value)) if inside => {
                    layout.enter(&key, span(text, value.trim()), whole, spelling);
                }
                _ => {}
            }
        }
        layout
    }

    fn enter(&mut self, key: &str, value: Range<usize>, whole: Range<usize>, spelling: &Spelling) {
        let is = |name: &str| key.eq_ignore_ascii_case(name);
        if is(spelling[ID]) {
            self.values[ID] = Some(value);
        } else if is(spelling[SECRET]) {
            self.values[SECRET] = Some(value);
        } else if is(spelling[TOKEN]) || is(TOKEN_ALIAS) {
            self.tokens.push(whole);
        } else if let Some(setting) = ELSEWHERE.iter().find(|setting| is(setting)) {
            self.elsewhere = Some(setting);
        }
    }

    /// The key's own lines changed, if it has some. A session token of the old key goes: with it, no other works.
    fn replaced(&self, credentials: &Credentials) -> Option<Vec<Edit>> {
        let [Some(id), Some(secret)] = &self.values else {
            return None;
        };
        let mut edits = vec![
            Edit::replace(id.clone(), &credentials.access_key_id),
            Edit::replace(secret.clone(), credentials.secret_access_key.expose_secret()),
        ];
        edits.extend(self.tokens.iter().cloned().map(Edit::remove));
        Some(edits)
    }
}

fn entries(
    indentation: &str,
    equals: &str,
    spelling: &Spelling,
    credentials: &Credentials,
    end: &str,
) -> Zeroizing<String> {
    joined(&[
        indentation,
        spelling[ID],
        equals,
        &credentials.access_key_id,
        end,
        indentation,
        spelling[SECRET],
        equals,
        credentials.secret_access_key.expose_secret(),
        end,
    ])
}

/// Settings of botocore's other providers of credentials.
const ELSEWHERE: [&str; 11] = [
    "role_arn",
    "source_profile",
    "credential_source",
    "credential_process",
    "web_identity_token_file",
    "login_session",
    "sso_session",
    "sso_start_url",
    "sso_account_id",
    "sso_role_name",
    "sso_region",
];

#[cfg(test)]
mod tests;
