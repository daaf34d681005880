//! Pages of a listing, and the tokens that ask for the next.

use super::faults::Twist;
use super::region::mix;

/// Where a page begins. Its token is opaque to clients and checked when it comes back.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Cursor {
    /// From 1, so that faults can be put on the nth page.
    pub(super) page: u32,
    /// The first serial that may be on it: items that vanish between two pages shift nothing.
    serial: u64,
}

impl Cursor {
    pub(super) const FIRST: Self = Self { page: 1, serial: 0 };

    pub(super) fn parse(token: &str) -> Option<Self> {
        let part = |range| token.get(range);
        let page = u32::from_str_radix(part(0..8)?, 16).ok()?;
        let serial = u64::from_str_radix(part(8..24)?, 16).ok()?;
        let cursor = Self { page, serial };
        (cursor.token() == token).then_some(cursor)
    }

    fn token(self) -> String {
        let check = mix(self.serial ^ mix(u64::from(self.page))) & 0xffff_ffff;
        format!("{:08x}{:016x}{check:08x}", self.page, self.serial)
    }
}

/// One page.
#[derive(Debug)]
pub(super) struct Page<T> {
    pub(super) items: Vec<T>,
    pub(super) next: Next,
}

/// What a page says of the next one.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Next {
    /// Nothing: this is the last.
    Absent,
    /// An element without text, which a client must read as its absence.
    Empty,
    /// How to ask for it.
    Token(String),
}

/// Cuts the page at `cursor` out of all items, which come with their serials and in the order of these.
pub(super) fn page<T: Clone>(
    items: impl Iterator<Item = (u64, T)>,
    cursor: Cursor,
    size: Option<usize>,
    twist: Option<Twist>,
) -> Page<T> {
    let token = |serial| {
        let next = Cursor {
            page: cursor.page + 1,
            serial,
        };
        Next::Token(next.token())
    };
    if twist == Some(Twist::EmptyPage) && cursor.page == 2 {
        return Page {
            items: Vec::new(),
            next: token(cursor.serial),
        };
    }
    let mut rest = items.skip_while(|(serial, _)| *serial < cursor.serial);
    let mut items: Vec<T> = rest
        .by_ref()
        .take(size.unwrap_or(usize::MAX))
        .map(|(_, item)| item)
        .collect();
    if twist == Some(Twist::DuplicateItems) {
        items = items.into_iter().flat_map(|item| [item.clone(), item]).collect();
    }
    let next = match (rest.next(), twist) {
        (_, Some(Twist::RepeatToken)) if cursor != Cursor::FIRST => Next::Token(cursor.token()),
        (Some((serial, _)), _) => token(serial),
        (None, Some(Twist::RepeatToken)) => token(0),
        (None, Some(Twist::EmptyToken)) => Next::Empty,
        (None, _) => Next::Absent,
    };
    Page { items, next }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn listing() -> impl Iterator<Item = (u64, u64)> {
        (0..10).map(|serial| (serial, serial))
    }

    fn cursor(next: &Next) -> Cursor {
        let Next::Token(token) = next else {
            panic!("no token")
        };
        Cursor::parse(token).unwrap()
    }

    #[test]
    fn pages_follow_each_other_to_the_end() {
        let first = page(listing(), Cursor::FIRST, Some(4), None);
        assert_eq!(first.items, [0, 1, 2, 3]);
        let second = page(listing(), cursor(&first.next), Some(4), None);
        assert_eq!(second.items, [4, 5, 6, 7]);
        let third = page(listing(), cursor(&second.next), Some(4), None);
        assert_eq!(third.items, [8, 9]);
        assert_eq!(third.next, Next::Absent);
    }

    #[test]
    fn item_that_vanished_shifts_nothing() {
        let first = page(listing(), Cursor::FIRST, Some(4), None);
        let fewer = listing().filter(|(serial, _)| *serial != 1 && *serial != 4);
        assert_eq!(
            page(fewer, cursor(&first.next), Some(4), None).items,
            [5, 6, 7, 8]
        );
    }

    #[test]
    fn token_of_another_hand_is_no_cursor() {
        assert_eq!(Cursor::parse("ff"), None);
        assert_eq!(Cursor::parse(&"0".repeat(32)), None);
        assert_eq!(Cursor::parse("ééééééééééééééééé"), None);
    }

    #[test]
    fn repeated_token_asks_for_its_own_page_for_ever() {
        let first = page(listing(), Cursor::FIRST, Some(4), Some(Twist::RepeatToken));
        let second = page(listing(), cursor(&first.next), Some(4), Some(Twist::RepeatToken));
        assert_eq!(second.next, first.next);
    }

    #[test]
    fn empty_page_loses_nothing() {
        let twist = Some(Twist::EmptyPage);
        let first = page(listing(), Cursor::FIRST, Some(6), twist);
        let second = page(listing(), cursor(&first.next), Some(6), twist);
        assert!(second.items.is_empty());
        let third = page(listing(), cursor(&second.next), Some(6), twist);
        assert_eq!(third.items, [6, 7, 8, 9]);
    }
}
