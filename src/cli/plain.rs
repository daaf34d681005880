//! Text that is of others' making in part, for a person: what would break a line, or give a terminal orders, is written
//! as an escape.

use std::fmt::{self, Display, Formatter, Write};

/// Controls, other ends of a line, and what turns the direction of a text.
pub(super) fn is_odd(character: char) -> bool {
    character.is_control()
        || matches!(
            character,
            '\u{61c}' | '\u{200e}' | '\u{200f}' | '\u{2028}'..='\u{202e}' | '\u{2066}'..='\u{2069}'
        )
}

/// The same in lines, which have ends of their own.
fn is_odd_in_lines(character: char) -> bool {
    character != '\n' && is_odd(character)
}

/// Shows lines, without what is odd in them.
pub(super) struct Plain<T>(pub(super) T);

impl<T: Display> Display for Plain<T> {
    fn fmt(&self, formatter: &mut Formatter<'_>) -> fmt::Result {
        write!(Escapes::new(formatter, is_odd_in_lines), "{}", self.0)
    }
}

/// Passes text on, with escapes for all that is odd.
pub(super) struct Escapes<'a, W> {
    writer: &'a mut W,
    is_odd: fn(char) -> bool,
}

impl<'a, W> Escapes<'a, W> {
    pub(super) fn new(writer: &'a mut W, is_odd: fn(char) -> bool) -> Self {
        Self { writer, is_odd }
    }
}

impl<W: Write> Write for Escapes<'_, W> {
    fn write_str(&mut self, text: &str) -> fmt::Result {
        let mut rest = text;
        while let Some((at, odd)) = rest
            .char_indices()
            .find(|(_, character)| (self.is_odd)(*character))
        {
            let (plain, behind) = rest.split_at(at);
            self.writer.write_str(plain)?;
            write!(self.writer, "{}", odd.escape_default())?;
            rest = behind.strip_prefix(odd).unwrap_or_default();
        }
        self.writer.write_str(rest)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lines_stay_and_orders_to_a_terminal_do_not() {
        let told = Plain("one\n\u{1b}[2Jtwo\u{202e}\u{61c}\r\u{9b}é").to_string();
        assert_eq!(
            told,
            r"one
\u{1b}[2Jtwo\u{202e}\u{61c}\r\u{9b}é"
        );
    }
}
