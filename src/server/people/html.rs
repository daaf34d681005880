//! What every part of the page is written with: foreign text that stays text, times, tables.

use std::fmt::{self, Display, Formatter, Write as _};

use jiff::Timestamp;

/// A name from outside: escaped, cut, and kept from turning the direction of what is around it.
pub(super) fn name(text: &str) -> Foreign<'_> {
    Foreign {
        text,
        longest: LONGEST_NAME,
        has_code: false,
    }
}

/// A message, which may quote what is from outside, likewise; what stands between backticks is to be copied.
pub(super) fn message(text: &str) -> Foreign<'_> {
    Foreign {
        text,
        longest: LONGEST_MESSAGE,
        has_code: true,
    }
}

/// Text from outside. Nothing else that is not our own goes into the page.
pub(super) struct Foreign<'a> {
    text: &'a str,
    longest: usize,
    has_code: bool,
}

impl Display for Foreign<'_> {
    fn fmt(&self, formatter: &mut Formatter<'_>) -> fmt::Result {
        formatter.write_str("<bdi>")?;
        let mut characters = self.text.chars();
        let mut in_code = false;
        for character in characters.by_ref().take(self.longest) {
            match character {
                '&' => formatter.write_str("&amp;")?,
                '<' => formatter.write_str("&lt;")?,
                '>' => formatter.write_str("&gt;")?,
                '"' => formatter.write_str("&quot;")?,
                '\'' => formatter.write_str("&#39;")?,
                '`' if self.has_code => {
                    formatter.write_str(if in_code { "</code>" } else { "<code>" })?;
                    in_code = !in_code;
                }
                _ if character.is_control() || turns_direction(character) => formatter.write_char('·')?,
                _ => formatter.write_char(character)?,
            }
        }
        if characters.next().is_some() {
            formatter.write_char('…')?;
        }
        if in_code {
            formatter.write_str("</code>")?;
        }
        formatter.write_str("</bdi>")
    }
}

/// Whether a character only says in which direction others are written: a name can pass for another by it.
fn turns_direction(character: char) -> bool {
    matches!(character, '\u{61c}' | '\u{200e}' | '\u{200f}' | '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}')
}

/// The page as of this time.
#[derive(Clone, Copy)]
pub(super) struct Now(pub(super) Timestamp);

impl Now {
    /// How long ago a time was, and the time.
    pub(super) fn ago(self, at: Timestamp) -> String {
        self.told(at, &format!("{} ago", span(self.seconds_since(at))))
    }

    /// Since when, and for how long.
    pub(super) fn since(self, at: Timestamp) -> String {
        self.told(at, &format!("for {}", span(self.seconds_since(at))))
    }

    /// In how much time, or how long ago.
    pub(super) fn until(self, at: Timestamp) -> String {
        if at < self.0 {
            return self.ago(at);
        }
        self.told(at, &format!("in {}", span(at.duration_since(self.0).as_secs())))
    }

    pub(super) fn seconds_since(self, at: Timestamp) -> i64 {
        self.0.duration_since(at).as_secs()
    }

    fn told(self, at: Timestamp, words: &str) -> String {
        // Of another day than this, the time alone would mislead.
        let is_today = at.strftime("%F").to_string() == self.0.strftime("%F").to_string();
        let shown = at.strftime(if is_today { "%T" } else { "%F %R" });
        format!(
            "<time datetime=\"{}\">{words} <span class=\"clock\">{shown}</span></time>",
            at.strftime("%FT%TZ")
        )
    }
}

/// A length of time in its two largest units.
pub(super) fn span(seconds: i64) -> String {
    // The clock may have been set back.
    let seconds = seconds.max(0);
    let (days, hours, minutes) = (seconds / 86_400, seconds / 3600 % 24, seconds / 60 % 60);
    match (days, hours, minutes) {
        (0, 0, 0) => format!("{seconds} s"),
        (0, 0, _) => format!("{minutes} min {} s", seconds % 60),
        (0, ..) => format!("{hours} h {minutes} min"),
        _ => format!("{days} d {hours} h"),
    }
}

/// How good something is: as a word for everybody, as a sign and a colour for those who see them.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Mark {
    /// Wrong now.
    Bad,
    /// Not as it should be.
    Warning,
    /// Nobody knows yet, or it does not matter.
    Neutral,
    /// As it should be.
    Good,
}

impl Mark {
    /// These words, marked.
    pub(super) fn on(self, words: impl Display) -> String {
        let (class, sign) = match self {
            Self::Bad => ("bad", '✕'),
            Self::Warning => ("warning", '▲'),
            Self::Neutral => ("neutral", '○'),
            Self::Good => ("good", '●'),
        };
        format!("<span class=\"mark {class}\"><span aria-hidden=\"true\">{sign}</span> {words}</span>")
    }
}

/// A column: its title, and whether it holds figures.
pub(super) type Column<'a> = (&'a str, bool);

/// A table that scrolls within itself where it is too wide. `body` is rows, or bodies with rows.
pub(super) fn push_table(page: &mut String, id: &str, caption: &str, columns: &[Column<'_>], body: &str) {
    let mut heads = String::new();
    for (title, is_number) in columns {
        let class = class_of(*is_number);
        push(&mut heads, format_args!("<th scope=\"col\"{class}>{title}</th>"));
    }
    let body = if body.starts_with("<tbody") {
        body.to_owned()
    } else {
        format!("<tbody>{body}</tbody>")
    };
    push(
        page,
        format_args!(
            "<div class=\"scroll {id}\" role=\"region\" aria-labelledby=\"{id}-caption\" tabindex=\"0\">\n<table>\n\
             <caption id=\"{id}-caption\">{caption}</caption>\n<thead><tr>{heads}</tr></thead>\n{body}</table>\n</div>\n"
        ),
    );
}

/// A row: the first cell names it.
pub(super) fn push_row(page: &mut String, columns: &[Column<'_>], cells: &[String]) {
    page.push_str("<tr>");
    for (index, (cell, (_, is_number))) in cells.iter().zip(columns).enumerate() {
        let class = class_of(*is_number);
        if index == 0 {
            push(page, format_args!("<th scope=\"row\"{class}>{cell}</th>"));
        } else {
            push(page, format_args!("<td{class}>{cell}</td>"));
        }
    }
    page.push_str("</tr>\n");
}

/// Says how many rows there are beyond those that are listed.
pub(super) fn push_more(page: &mut String, listed: usize, total: usize, what: &str) {
    if total > listed {
        push(
            page,
            format_args!("<p class=\"more\">and {} more{what}</p>\n", total - listed),
        );
    }
}

pub(super) fn push(page: &mut String, text: fmt::Arguments<'_>) {
    page.write_fmt(text).expect("writing to a String cannot fail");
}

fn class_of(is_number: bool) -> &'static str {
    if is_number { " class=\"figure\"" } else { "" }
}

/// Rows of one list, at most: what a person reads; the page stays small, whatever the fleet.
pub(super) const LIMIT: usize = 50;

/// A tag may have 256 characters, which would hide everything else.
const LONGEST_NAME: usize = 80;

/// Ours are shorter; what a cloud says may be a whole page.
const LONGEST_MESSAGE: usize = 1000;
