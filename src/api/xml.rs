//! Reading answers: a cursor over one XML document that knows local names only.
//!
//! It walks down with the caller, copies nothing and passes over what is not asked for. Namespaces,
//! attributes and the order of elements mean nothing here: both clouds change them. The name of the root
//! is checked, since any other XML would read as an empty fleet.

use std::borrow::Cow;

use jiff::Timestamp;
use quick_xml::Reader as Events;
use quick_xml::errors::IllFormedError;
use quick_xml::events::{BytesRef, BytesStart, Event};

/// Why a document could not be read, in words of our own: what is in it may be secret.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Error {
    /// Not XML, or cut short.
    #[error("broken XML at byte {at}: {detail}")]
    Broken {
        /// Offset in the answer.
        at: u64,
        /// What is wrong there.
        detail: &'static str,
    },
    /// XML, but another document.
    #[error("its root element is {}", .found.as_ref().map_or_else(|| "none of an API".to_owned(), |name| format!("<{name}>")))]
    Root {
        /// The name of the root, if it looks like one: it is of the other side's making.
        found: Option<String>,
    },
    /// The right document, with its result missing.
    #[error("it has no <{expected}>")]
    NoResult {
        /// The element that holds the result.
        expected: String,
    },
    /// A page that is not the last, and does not say what asks for the next.
    #[error("it says that more follows, and has no <{expected}> to ask for that with")]
    NoCursor {
        /// The element that holds the cursor.
        expected: &'static str,
    },
    /// Elements in elements in elements.
    #[error("its elements are nested more than {DEPTH_LIMIT} deep")]
    Deep,
    /// More of something than there can be.
    #[error("it lists {found} {what}, where {most} would be very many")]
    TooMany {
        /// What is listed.
        what: &'static str,
        /// How many.
        found: usize,
        /// How many may be.
        most: usize,
    },
}

/// A cursor over one document.
///
/// After [`Reader::child`] gave a name, the caller takes that element with [`Reader::text`], passes it with
/// [`Reader::skip`], or walks into it with a loop of its own over `child` until that gives `None`.
#[derive(Debug)]
pub struct Reader<'a> {
    events: Events<&'a [u8]>,
    current: BytesStart<'a>,
    depth: usize,
}

impl<'a> Reader<'a> {
    /// Opens a document and enters its root, which must have this local name.
    pub fn open(document: &'a str, root: &str) -> Result<Self, Error> {
        let mut events = Events::from_str(document);
        events.config_mut().expand_empty_elements = true;
        let mut reader = Self {
            events,
            current: BytesStart::new(""),
            depth: 0,
        };
        match reader.child()? {
            Some(found) if found == root => Ok(reader),
            Some(found) => Err(Error::Root {
                found: looks_like_a_name(found).then(|| found.to_owned()),
            }),
            None => Err(reader.broken("there is no element in it")),
        }
    }

    /// Reads the result, which is all of the root or one child of it, and makes sure that the document is
    /// whole to its end.
    pub fn whole<T>(
        mut self,
        result: Option<&str>,
        read: impl FnOnce(&mut Self) -> Result<T, Error>,
    ) -> Result<T, Error> {
        if let Some(expected) = result {
            loop {
                match self.child()? {
                    Some(found) if found == expected => break,
                    Some(_) => self.skip()?,
                    None => {
                        return Err(Error::NoResult {
                            expected: expected.to_owned(),
                        });
                    }
                }
            }
        }
        let value = read(&mut self)?;
        while self.depth > 0 {
            self.skip()?;
        }
        while self.child()?.is_some() {
            self.skip()?;
        }
        Ok(value)
    }

    /// Enters the next child of the element the cursor is in and gives its local name; at the end of the
    /// element, leaves it and gives `None`.
    pub fn child(&mut self) -> Result<Option<&str>, Error> {
        loop {
            match self.event()? {
                Event::Start(start) => {
                    self.depth += 1;
                    if self.depth > DEPTH_LIMIT {
                        return Err(Error::Deep);
                    }
                    self.current = start;
                    return Ok(Some(self.current.local_name().into_inner()));
                }
                Event::End(_) => {
                    self.depth = self.depth.saturating_sub(1);
                    return Ok(None);
                }
                Event::Eof => return self.end().map(|()| None),
                _ => {}
            }
        }
    }

    /// The text of the element just entered, and leaves it. Elements inside it are passed over.
    pub fn text(&mut self) -> Result<Cow<'a, str>, Error> {
        let mut text = Cow::Borrowed("");
        loop {
            match self.event()? {
                Event::Text(piece) => append(&mut text, piece.into_inner()),
                Event::CData(piece) => append(&mut text, piece.into_inner()),
                Event::GeneralRef(reference) => {
                    text.to_mut()
                        .push(resolve(&reference).unwrap_or(char::REPLACEMENT_CHARACTER));
                }
                Event::Start(_) => {
                    self.depth += 1;
                    self.skip()?;
                }
                Event::End(_) => {
                    self.depth = self.depth.saturating_sub(1);
                    return Ok(text);
                }
                Event::Eof => return self.end().map(|()| text),
                _ => {}
            }
        }
    }

    /// Passes over the element just entered and all in it.
    pub fn skip(&mut self) -> Result<(), Error> {
        let outside = self.depth.saturating_sub(1);
        loop {
            match self.event()? {
                Event::Start(_) if self.depth >= DEPTH_LIMIT => return Err(Error::Deep),
                Event::Start(_) => self.depth += 1,
                Event::End(_) => {
                    self.depth = self.depth.saturating_sub(1);
                    if self.depth == outside {
                        return Ok(());
                    }
                }
                Event::Eof => return self.end(),
                _ => {}
            }
        }
    }

    /// The text of the element just entered, into a field that is still empty: of an element that stands
    /// twice, the first that says something holds.
    pub fn fill(&mut self, field: &mut Cow<'a, str>) -> Result<(), Error> {
        let text = self.text()?;
        if field.is_empty() {
            *field = text;
        }
        Ok(())
    }

    /// The text of one child of the element just entered, likewise.
    pub fn field(&mut self, wanted: &str, field: &mut Cow<'a, str>) -> Result<(), Error> {
        self.each(wanted, |child| child.fill(field))
    }

    /// Reads each child of this name of the element just entered; `read` leaves the child.
    pub fn each(
        &mut self,
        wanted: &str,
        mut read: impl FnMut(&mut Self) -> Result<(), Error>,
    ) -> Result<(), Error> {
        while let Some(name) = self.child()? {
            if name == wanted { read(self)? } else { self.skip()? }
        }
        Ok(())
    }

    /// Reads an answer of EC2 that is one list, each `item` of it with `read`, and gives its `nextToken`.
    pub fn items(
        &mut self,
        set: &str,
        mut read: impl FnMut(&mut Self) -> Result<(), Error>,
    ) -> Result<Option<String>, Error> {
        let mut next = Cow::default();
        let mut has_set = false;
        while let Some(name) = self.child()? {
            if name == set {
                has_set = true;
                self.each("item", &mut read)?;
            } else if name == "nextToken" {
                self.fill(&mut next)?;
            } else {
                self.skip()?;
            }
        }
        require(has_set, set)?;
        Ok(Some(next.into_owned()))
    }

    fn event(&mut self) -> Result<Event<'a>, Error> {
        self.events.read_event().map_err(|error| Error::Broken {
            at: self.events.error_position(),
            detail: fault(&error),
        })
    }

    /// The end of the document is right only outside the root.
    fn end(&self) -> Result<(), Error> {
        if self.depth == 0 {
            Ok(())
        } else {
            Err(self.broken("it ends in the middle"))
        }
    }

    fn broken(&self, detail: &'static str) -> Error {
        Error::Broken {
            at: self.events.buffer_position(),
            detail,
        }
    }
}

/// What the parser found, without the names that it repeats.
fn fault(error: &quick_xml::Error) -> &'static str {
    match error {
        quick_xml::Error::Syntax(_) => "a tag, comment or declaration is not closed",
        quick_xml::Error::IllFormed(IllFormedError::UnclosedReference) => "a reference is not closed",
        quick_xml::Error::IllFormed(
            IllFormedError::MismatchedEndTag { .. }
            | IllFormedError::UnmatchedEndTag(_)
            | IllFormedError::MissingEndTag(_),
        ) => "an end tag is not the one of its element",
        _ => "it is not well-formed",
    }
}

/// Whether a name may be one of an API's, or of any document that people write.
fn looks_like_a_name(name: &str) -> bool {
    name.len() <= LONGEST_NAME && name.bytes().all(|byte| byte.is_ascii_alphanumeric())
}

/// Fails where a list is missing that both clouds send even when it is empty: its absence is no empty list.
pub fn require(found: bool, expected: &str) -> Result<(), Error> {
    if found {
        return Ok(());
    }
    Err(Error::NoResult {
        expected: expected.to_owned(),
    })
}

/// A time of either cloud, in seconds since the epoch: RFC 3339, or with `+0000` in place of `Z`.
pub fn timestamp(text: &str) -> Option<f64> {
    let text = text.trim();
    let parsed = match text.strip_suffix("+0000") {
        Some(utc) => format!("{utc}Z").parse::<Timestamp>(),
        None => text.parse(),
    };
    parsed.ok().map(|time| time.as_duration().as_secs_f64())
}

/// A whole number of either cloud, as a value.
pub fn number(text: &str) -> Option<f64> {
    text.trim().parse::<u64>().ok().map(|number| number as f64)
}

fn append<'a>(text: &mut Cow<'a, str>, piece: Cow<'a, str>) {
    if text.is_empty() {
        *text = piece;
    } else {
        text.to_mut().push_str(&piece);
    }
}

/// The character behind `&amp;` or `&#233;`; entities that a document declares itself are not looked up.
pub(super) fn resolve(reference: &BytesRef<'_>) -> Option<char> {
    if reference.is_char_ref() {
        return reference.resolve_char_ref().ok().flatten();
    }
    quick_xml::escape::resolve_xml_entity(reference).and_then(|text| text.chars().next())
}

/// The longest names of AWS' answers have about fifty letters.
const LONGEST_NAME: usize = 64;

/// A description of an instance is 8 deep; a deeper document is not one.
const DEPTH_LIMIT: usize = 64;

#[cfg(test)]
mod tests {
    use super::*;

    fn names_and_texts(document: &str) -> Result<Vec<(String, String)>, Error> {
        let mut reader = Reader::open(document, "Root")?;
        let mut found = Vec::new();
        while let Some(name) = reader.child()? {
            let name = name.to_owned();
            found.push((name, reader.text()?.into_owned()));
        }
        Ok(found)
    }

    #[test]
    fn namespaces_prefixes_attributes_and_declarations_mean_nothing() {
        let document = "<?xml version=\"1.0\"?>\n<?xml version=\"1.0\"?><x:Root xmlns:x=\"urn:a\">\
                        <!-- c --><x:a b=\"&quot;\">1</x:a><empty/><blank></blank></x:Root>\n";
        let expected =
            [("a", "1"), ("empty", ""), ("blank", "")].map(|(name, text)| (name.to_owned(), text.to_owned()));
        assert_eq!(names_and_texts(document).unwrap(), expected);
    }

    #[test]
    fn text_is_whole_with_entities_cdata_and_comments_in_it() {
        let document = "<Root><a>x &amp; &#233;<!-- no --><![CDATA[<y>]]> &own;<b>inner</b>!</a></Root>";
        assert_eq!(names_and_texts(document).unwrap()[0].1, "x & é<y> \u{FFFD}!");
    }

    #[test]
    fn another_root_is_another_document() {
        let error = Reader::open("<html><body/></html>", "Root").unwrap_err();
        assert_eq!(error.to_string(), "its root element is <html>");
        assert!(matches!(Reader::open("  ", "Root"), Err(Error::Broken { .. })));
        assert!(matches!(
            Reader::open("{\"a\": 1}", "Root"),
            Err(Error::Broken { .. })
        ));
    }

    #[test]
    fn nothing_of_a_document_is_in_what_is_told_of_it_but_a_plausible_name_of_its_root() {
        for document in [
            "canary",
            "<Root></canary>",
            "<Root><canary></Root>",
            "<Root><!--canary",
            "<Root>&canary",
            "<Root canary",
            "<canary+/>",
            "<canary.canary.canary/>",
            &format!("<{}/>", "canary".repeat(11)),
        ] {
            let error = names_and_texts(document).unwrap_err();
            assert!(!format!("{error} {error:?}").contains("canary"), "{error}");
        }
    }

    #[test]
    fn a_cut_document_is_broken_wherever_it_is_cut() {
        let document = "<Root><a>1</a><b><c>2</c></b></Root>";
        for end in 1..document.len() {
            let cut = document.get(..end).unwrap();
            assert!(names_and_texts(cut).is_err(), "{cut}");
        }
        assert!(names_and_texts(document).is_ok());
    }

    #[test]
    fn nesting_has_a_limit_in_every_way_of_reading() {
        let deep = format!("<Root>{}{}</Root>", "<a>".repeat(10_000), "</a>".repeat(10_000));
        assert_eq!(names_and_texts(&deep), Err(Error::Deep));
        let mut reader = Reader::open(&deep, "Root").unwrap();
        reader.child().unwrap();
        assert_eq!(reader.skip(), Err(Error::Deep));
    }

    #[test]
    fn times_come_in_two_shapes() {
        assert_eq!(timestamp("2018-02-08T00:51:38.866Z"), Some(1_518_051_098.866));
        assert_eq!(
            timestamp("2010-10-01T12:34:56.789+0000"),
            timestamp("2010-10-01T12:34:56.789Z")
        );
        assert_eq!(timestamp("2024-01-01T00:00:00+01:00"), Some(1_704_063_600.0));
        assert_eq!(timestamp("yesterday"), None);
        assert_eq!(timestamp(""), None);
    }

    #[test]
    fn only_whole_numbers_are_numbers() {
        assert_eq!(number(" 16000 "), Some(16000.0));
        for unsaid in ["", "-1", "1.5", "inf", "NaN", "many", "99999999999999999999"] {
            assert_eq!(number(unsaid), None, "{unsaid}");
        }
    }

    #[test]
    fn list_is_read_with_its_token_and_its_absence_is_no_empty_list() {
        let items = |document: &str| {
            let mut texts = Vec::new();
            let next = Reader::open(document, "Root")?.items("set", |item| {
                texts.push(item.text()?.into_owned());
                Ok(())
            })?;
            Ok((texts, next))
        };
        let two = "<Root><a/><set><item>1</item><b/><item>2</item></set><nextToken>n</nextToken></Root>";
        let read = (vec!["1".to_owned(), "2".to_owned()], Some("n".to_owned()));
        assert_eq!(items(two), Ok(read));
        assert_eq!(items("<Root><set/></Root>"), Ok((vec![], Some(String::new()))));
        let expected = "set".to_owned();
        assert_eq!(items("<Root><a/></Root>"), Err(Error::NoResult { expected }));
    }

    #[test]
    fn skip_passes_over_elements_of_the_same_name() {
        let mut reader = Reader::open("<Root><a><a/><a>1</a></a><b/></Root>", "Root").unwrap();
        reader.child().unwrap();
        reader.skip().unwrap();
        assert_eq!(reader.child().unwrap(), Some("b"));
    }
}
