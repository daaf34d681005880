//! Which metrics and labels an expression of `PromQL` names. Whether it is one is for Prometheus to say.

use std::collections::{BTreeMap, BTreeSet};

/// What an expression names.
#[derive(Debug, Default)]
pub(crate) struct Names {
    /// Each metric, with the labels it is matched by.
    pub(crate) metrics: BTreeMap<String, BTreeSet<String>>,
    /// The labels that are grouped by, joined on or carried over.
    pub(crate) labels: BTreeSet<String>,
}

/// A piece of an expression, and where it stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Token<'a> {
    pub(crate) text: &'a str,
    pub(crate) at: usize,
}

impl Names {
    pub(crate) fn of(expression: &str) -> Self {
        let tokens = tokens(expression);
        let mut names = Self::default();
        let mut rest = &tokens[..];
        while let [token, after @ ..] = rest {
            rest = after;
            let next = after.first().map_or("", |next| next.text);
            if !is_name(token.text) || WORDS.contains(&token.text) {
                // A selector without a name would match whatever there is.
                assert_ne!(token.text, "{", "a selector has no name: {expression}");
            } else if GROUPINGS.contains(&token.text) {
                if next == "(" {
                    let (inside, after) = until(")", &after[1..]);
                    names
                        .labels
                        .extend(inside.iter().filter(|inside| is_name(inside.text)).map(owned));
                    rest = after;
                }
            } else if next != "(" && !AGGREGATIONS.contains(&token.text) {
                let labels = names.metrics.entry(token.text.to_owned()).or_default();
                if next == "{" {
                    let (inside, after) = until("}", &after[1..]);
                    labels.extend(inside.iter().filter(|inside| is_name(inside.text)).map(owned));
                    rest = after;
                }
            }
        }
        names
    }
}

/// The pieces of an expression: names, numbers, quoted texts, and operators.
pub(crate) fn tokens(expression: &str) -> Vec<Token<'_>> {
    let (mut tokens, mut rest) = (Vec::new(), expression.trim_start());
    while let Some(first) = rest.chars().next() {
        let length = if first == '#' {
            rest.find('\n').unwrap_or(rest.len())
        } else if of_a_name(first) {
            let ends = |letter| !of_a_name(letter) && letter != '.';
            rest.find(ends).unwrap_or(rest.len())
        } else if matches!(first, '"' | '\'') {
            end_of_text(rest, first)
        } else if COMPARISONS.iter().any(|pair| rest.starts_with(pair)) {
            2
        } else {
            first.len_utf8()
        };
        let (text, after) = rest.split_at(length);
        if first != '#' {
            tokens.push(Token {
                text,
                at: expression.len() - rest.len(),
            });
        }
        rest = after.trim_start();
    }
    tokens
}

fn end_of_text(rest: &str, quote: char) -> usize {
    let mut escaped = false;
    let end = rest.char_indices().skip(1).find(|&(_, letter)| {
        let ends = letter == quote && !escaped;
        escaped = letter == '\\' && !escaped;
        ends
    });
    end.expect("a quoted text ends").0 + 1
}

fn until<'a, 'b>(end: &str, tokens: &'a [Token<'b>]) -> (&'a [Token<'b>], &'a [Token<'b>]) {
    let at = tokens.iter().position(|token| token.text == end);
    let at = at.expect("what is opened is closed");
    (&tokens[..at], &tokens[at + 1..])
}

fn is_name(text: &str) -> bool {
    text.starts_with(|first: char| of_a_name(first) && !first.is_ascii_digit())
}

fn of_a_name(letter: char) -> bool {
    letter.is_ascii_alphanumeric() || letter == '_' || letter == ':'
}

fn owned(token: &Token<'_>) -> String {
    token.text.to_owned()
}

const COMPARISONS: [&str; 6] = ["==", "!=", ">=", "<=", "=~", "!~"];
const GROUPINGS: [&str; 6] = ["by", "without", "on", "ignoring", "group_left", "group_right"];
const WORDS: [&str; 7] = ["and", "or", "unless", "bool", "offset", "NaN", "Inf"];
const AGGREGATIONS: [&str; 9] = [
    "sum", "min", "max", "avg", "count", "group", "topk", "bottomk", "quantile",
];
