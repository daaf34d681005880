//! Writes XML straight into a `String`: ten thousand instances are listed in measurements.

use std::fmt::{Display, Write as _};

/// An answer in the making.
pub(super) struct Xml {
    text: String,
    /// AWS indents its answers, OUTSCALE does not; a reader must not care.
    indented: bool,
    depth: usize,
}

impl Xml {
    pub(super) fn new(indented: bool) -> Self {
        Self {
            text: String::from(r#"<?xml version="1.0" encoding="UTF-8"?>"#),
            indented,
            depth: 0,
        }
    }

    pub(super) fn into_text(self) -> String {
        self.text
    }

    /// The element all others are in, with the namespace of its service.
    pub(super) fn root(&mut self, name: &str, namespace: Option<&str>, inside: impl FnOnce(&mut Self)) {
        self.line();
        self.text.push('<');
        self.text.push_str(name);
        if let Some(namespace) = namespace {
            self.text.push_str(r#" xmlns=""#);
            self.text.push_str(namespace);
            self.text.push('"');
        }
        self.text.push('>');
        self.inside(name, inside);
    }

    /// An element that holds elements.
    pub(super) fn within(&mut self, name: &str, inside: impl FnOnce(&mut Self)) {
        self.line();
        self.tag("<", name, ">");
        self.inside(name, inside);
    }

    /// An element that holds text.
    pub(super) fn text(&mut self, name: &str, value: &str) {
        self.line();
        self.tag("<", name, ">");
        self.push_escaped(value);
        self.tag("</", name, ">");
    }

    /// An element that holds a number, a truth value, or anything else that needs no escaping.
    pub(super) fn plain(&mut self, name: &str, value: impl Display) {
        self.line();
        self.tag("<", name, ">");
        write!(self.text, "{value}").expect("writing to a String cannot fail");
        self.tag("</", name, ">");
    }

    /// An element with nothing in it.
    pub(super) fn empty(&mut self, name: &str) {
        self.line();
        self.tag("<", name, "/>");
    }

    /// A list: `name` around one `item` for each of `values`.
    pub(super) fn list<T>(
        &mut self,
        name: &str,
        item: &str,
        values: impl IntoIterator<Item = T>,
        mut each: impl FnMut(&mut Self, T),
    ) {
        let mut values = values.into_iter().peekable();
        if values.peek().is_none() {
            return self.empty(name);
        }
        self.within(name, |xml| {
            for value in values {
                xml.within(item, |xml| each(xml, value));
            }
        });
    }

    /// Text that is XML already, put in as it is.
    pub(super) fn verbatim(&mut self, xml: &str) {
        self.line();
        self.text.push_str(xml);
    }

    fn inside(&mut self, name: &str, inside: impl FnOnce(&mut Self)) {
        self.depth += 1;
        inside(self);
        self.depth -= 1;
        self.line();
        self.tag("</", name, ">");
    }

    fn line(&mut self) {
        if self.indented {
            self.text.push('\n');
            for _ in 0..self.depth {
                self.text.push_str("  ");
            }
        }
    }

    fn tag(&mut self, open: &str, name: &str, close: &str) {
        self.text.push_str(open);
        self.text.push_str(name);
        self.text.push_str(close);
    }

    fn push_escaped(&mut self, value: &str) {
        for character in value.chars() {
            match character {
                '&' => self.text.push_str("&amp;"),
                '<' => self.text.push_str("&lt;"),
                '>' => self.text.push_str("&gt;"),
                '"' => self.text.push_str("&quot;"),
                // A bare line end would be normalised away by the reader.
                '\n' => self.text.push_str("&#10;"),
                '\r' => self.text.push_str("&#13;"),
                character => self.text.push(character),
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn text_is_escaped_and_an_empty_list_closes_itself() {
        let mut xml = Xml::new(false);
        xml.root("A", Some("urn:x"), |xml| {
            xml.text("b", "<\"&\n>");
            xml.list("set", "item", [1, 2], |xml, number| xml.plain("n", number));
            xml.list("none", "item", std::iter::empty::<u8>(), |_, _| {});
        });
        assert_eq!(
            xml.into_text(),
            r#"<?xml version="1.0" encoding="UTF-8"?><A xmlns="urn:x"><b>&lt;&quot;&amp;&#10;&gt;</b><set><item><n>1</n></item><item><n>2</n></item></set><none/></A>"#
        );
    }

    #[test]
    fn indentation_follows_the_depth() {
        let mut xml = Xml::new(true);
        xml.root("A", None, |xml| xml.within("b", |xml| xml.plain("c", true)));
        assert_eq!(
            xml.into_text().split_once('\n').unwrap().1,
            "<A>\n  <b>\n    <c>true</c>\n  </b>\n</A>"
        );
    }
}
