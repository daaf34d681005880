//! Keeps files of this machine out of answers: where a key lies is for its log alone.

/// Text with nothing in place of the paths in it: of what begins with a slash, to the next space or sign around it.
pub(super) fn without_paths(text: &str) -> String {
    let mut shown = String::with_capacity(text.len());
    let mut rest = text;
    while let Some(end) = rest.find(is_around) {
        let (word, more) = rest.split_at(end);
        let around = more.chars().next().map_or(0, char::len_utf8);
        let (around, more) = more.split_at(around);
        push(&mut shown, word);
        shown.push_str(around);
        rest = more;
    }
    push(&mut shown, rest);
    shown
}

fn push(shown: &mut String, word: &str) {
    let of_a_path = ["/", "./", "../", "~/"]
        .iter()
        .any(|begin| word.starts_with(begin));
    let path = word.trim_end_matches([':', '.']);
    match word.strip_prefix(path) {
        Some(after) if of_a_path && path.len() > 1 => {
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
}
