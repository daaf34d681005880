//! A key in a Kubernetes Secret that holds a credentials file. Only the manifest that we write is understood.

use secrecy::zeroize::Zeroizing;

use super::{
    edit::{Edit, joined, span, without_bom},
    error::Refusal,
    ini,
};
use crate::credentials::Credentials;

/// A manifest that holds nothing but this key.
pub(super) fn fresh(profile: &str, credentials: &Credentials) -> Zeroizing<String> {
    let credentials = ini::fresh(profile, credentials);
    joined(&[HEAD, &indented(&credentials, "    ", true)])
}

/// What puts the key into the manifest's credentials file.
pub(super) fn edits(text: &str, profile: &str, credentials: &Credentials) -> Result<Vec<Edit>, Refusal> {
    let block = Block::of(text)?;
    let edits = ini::edits(&block.text, profile, credentials).into_iter();
    Ok(edits.map(|edit| block.outside(&edit)).collect())
}

/// The credentials file in a manifest.
pub(super) struct Block<'a> {
    /// Without its indentation.
    pub(super) text: Zeroizing<String>,
    indentation: &'a str,
    lines: Vec<Place>,
    /// Where it ends in the manifest.
    end: usize,
}

/// Where a line of the block is.
struct Place {
    /// In the block.
    inside: usize,
    /// In the manifest.
    outside: usize,
    /// Of indentation.
    stripped: usize,
}

impl<'a> Block<'a> {
    pub(super) fn of(text: &'a str) -> Result<Self, Refusal> {
        let mut seen = Vec::new();
        let mut lines = text.split_inclusive('\n').enumerate().peekable();
        let mut found = None;
        while let Some((index, line)) = lines.next() {
            let refused = Refusal::Manifest { line: index + 1 };
            let line = if index == 0 { without_bom(line) } else { line };
            let content = line.trim();
            if content.is_empty() || content.starts_with('#') || (content == "---" && seen.is_empty()) {
                continue;
            }
            let depth = depth(line);
            if depth > 0 {
                match seen.last() {
                    Some(&"metadata") => continue,
                    Some(&"stringData") if found.is_none() && content == "credentials: |" => {}
                    _ => return Err(refused),
                }
                let mut block = Vec::new();
                while let Some((_, line)) =
                    lines.next_if(|(_, line)| line.trim().is_empty() || self::depth(line) > depth)
                {
                    block.push(line);
                }
                found = Some(Self::of_lines(text, &block).ok_or(refused)?);
                continue;
            }
            let (key, value) = content.split_once(':').unwrap_or_default();
            let is_ours = match key {
                "metadata" => true,
                _ => MEMBERS.contains(&(key, value.trim())),
            };
            if !is_ours || seen.contains(&key) {
                return Err(refused);
            }
            seen.push(key);
        }
        let whole = ["apiVersion", "kind", "metadata"]
            .iter()
            .all(|key| seen.contains(key));
        found.filter(|_| whole).ok_or_else(|| Refusal::Manifest {
            line: text.lines().count(),
        })
    }

    /// The block of these lines; none if they say nothing, or one is less indented than the first.
    fn of_lines(text: &str, lines: &[&'a str]) -> Option<Self> {
        let first = lines.iter().find(|line| !line.trim().is_empty())?;
        let (indentation, _) = first.split_at(depth(first));
        let room = lines.iter().map(|line| line.len()).sum();
        let mut block = Self {
            text: Zeroizing::new(String::with_capacity(room)),
            indentation,
            lines: Vec::new(),
            end: span(text, lines.last()?).end,
        };
        for line in lines {
            let depth = depth(line);
            if depth < indentation.len() && !line.trim().is_empty() {
                return None;
            }
            let stripped = depth.min(indentation.len());
            block.lines.push(Place {
                inside: block.text.len(),
                outside: span(text, line).start,
                stripped,
            });
            block.text.push_str(line.split_at(stripped).1);
        }
        Some(block)
    }

    /// A change of the block as one of the manifest.
    fn outside(&self, edit: &Edit) -> Edit {
        let at_line_start = edit.range.start == 0 || self.text.as_bytes()[edit.range.start - 1] == b'\n';
        Edit {
            range: self.place(edit.range.start)..self.place(edit.range.end),
            new: indented(&edit.new, self.indentation, at_line_start),
        }
    }

    /// A place in the block as one in the manifest: the start of a line is that of its indentation.
    fn place(&self, inside: usize) -> usize {
        if inside == self.text.len() && self.text.ends_with('\n') {
            return self.end;
        }
        let line = self.lines.iter().rfind(|line| line.inside <= inside);
        line.map_or(self.end, |line| match inside - line.inside {
            0 => line.outside,
            column => line.outside + line.stripped + column,
        })
    }
}

/// The text with each line indented that says something, the first only if it starts there.
fn indented(text: &str, indentation: &str, at_line_start: bool) -> Zeroizing<String> {
    let mut parts = Vec::new();
    for (index, line) in text.split_inclusive('\n').enumerate() {
        if !line.trim().is_empty() && (index > 0 || at_line_start) {
            parts.push(indentation);
        }
        parts.push(line);
    }
    joined(&parts)
}

fn depth(line: &str) -> usize {
    line.len() - line.trim_start_matches(' ').len()
}

/// At the top, beside the metadata.
const MEMBERS: [(&str, &str); 4] = [
    ("apiVersion", "v1"),
    ("kind", "Secret"),
    ("type", "Opaque"),
    ("stringData", ""),
];

const HEAD: &str = "\
apiVersion: v1
kind: Secret
metadata:
  name: vigie-credentials
type: Opaque
stringData:
  credentials: |
";

#[cfg(test)]
mod tests;
