//! Paths in what is told: each is one word, so that it can be copied, and taken out of what others read.

use std::fmt;
use std::path::Path;

/// A path as a shell would want it: with a backslash before each character that ends a word, and with escapes for
/// what is no text.
pub(crate) fn shown(path: &Path) -> Shown<'_> {
    Shown(path)
}

/// See [`shown`].
#[derive(Debug, Clone, Copy)]
pub(crate) struct Shown<'a>(&'a Path);

impl fmt::Display for Shown<'_> {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        use fmt::Write as _;

        for character in self.0.to_string_lossy().chars() {
            if character.is_control() {
                write!(formatter, "\\x{:02x}", u32::from(character))?;
                continue;
            }
            if is_around(character) || character == '\\' {
                formatter.write_char('\\')?;
            }
            formatter.write_char(character)?;
        }
        Ok(())
    }
}

/// Text with nothing in place of the paths in it, where they are absolute or begin with a dot: where a key lies is for
/// the log alone.
pub(crate) fn without_paths(text: &str) -> String {
    let mut shown = String::with_capacity(text.len());
    let mut word = String::new();
    let mut is_escaped = false;
    for character in text.chars() {
        if is_around(character) && !is_escaped {
            push(&mut shown, &word);
            word.clear();
            shown.push(character);
        } else {
            word.push(character);
        }
        is_escaped = character == '\\' && !is_escaped;
    }
    push(&mut shown, &word);
    shown
}

/// Whether a word begins as a path that cannot be taken for something else.
pub(crate) fn begins_as_one(word: &str) -> bool {
    ["/", "./", "../", "~/"]
        .iter()
        .any(|begin| word.starts_with(begin))
}

fn push(shown: &mut String, word: &str) {
    let path = word.trim_end_matches([':', '.']);
    match word.strip_prefix(path) {
        Some(after) if begins_as_one(word) && path.len() > 1 => {
            shown.push('…');
            shown.push_str(after);
        }
        _ => shown.push_str(word),
    }
}

fn is_around(character: char) -> bool {
    character.is_whitespace() || "`'\"()[]{}<>,;=".contains(character)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn paths_are_left_out_and_all_else_stays() {
        for (text, expected) in [
            (
                "cannot read the CA bundle /etc/vigie/ca.pem; is it?",
                "cannot read the CA bundle …; is it?",
            ),
            (
                "settings file /a/b.toml: `x` is \"/c\"",
                "settings file …: `x` is \"…\"",
            ),
            ("(/a), ./b ../c ~/d path=/e", "(…), … … … path=…"),
            (
                "from https://example.org/a/b: 1/2, and/or / …",
                "from https://example.org/a/b: 1/2, and/or / …",
            ),
            (
                "arn:aws:iam::123456789012:user/x",
                "arn:aws:iam::123456789012:user/x",
            ),
            ("", ""),
        ] {
            assert_eq!(without_paths(text), expected);
        }
    }

    #[test]
    fn path_is_left_out_whatever_it_is_made_of() {
        for path in [
            "/srv/my keys/prod",
            "/srv/(old)/key, the first;`x`",
            "/a\\ b/c\\",
            "/tab\tand\u{a0}space\u{1b}[2J\n/key",
            "/clés/'é\"",
        ] {
            let told = format!(
                "the file {} of `client_key` does not exist",
                shown(Path::new(path))
            );
            assert!(!told.chars().any(char::is_control), "{told:?}");
            assert_eq!(
                without_paths(&told),
                "the file … of `client_key` does not exist",
                "{told}"
            );
        }
        assert_eq!(shown(Path::new("/etc/vigie/key")).to_string(), "/etc/vigie/key");
        assert_eq!(shown(Path::new("/a b/key")).to_string(), "/a\\ b/key");
    }
}
