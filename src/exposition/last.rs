//! The page as it was last put together: of scrapes that come one upon the other, the next is sent the same.

use std::sync::{Mutex, PoisonError, Weak};
use std::time::Duration;

use super::{Assembled, Format, Part};
use crate::reading::Reading;

/// What is asked for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Asked {
    pub(super) format: Format,
    pub(super) part: Part,
}

/// The compressed page that was put together last.
#[derive(Debug, Default)]
pub(super) struct Last(Mutex<Option<Kept>>);

#[derive(Debug)]
struct Kept {
    asked: Asked,
    /// The clock of the machine: a test that lets time stand still still changes what the agent counts.
    #[expect(
        clippy::disallowed_types,
        reason = "what the agent counts changes by the real clock"
    )]
    at: std::time::Instant,
    /// The readings on it. They are not kept for its sake.
    readings: Vec<Weak<Reading>>,
    page: Assembled,
}

impl Last {
    /// The page, if the same is asked for at once and the same readings are to be shown; else a new one.
    pub(super) fn or_put_together(
        &self,
        asked: Asked,
        readings: impl Fn() -> Vec<Weak<Reading>>,
        put_together: impl FnOnce() -> (Vec<Weak<Reading>>, Assembled),
    ) -> Assembled {
        let mut last = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(kept) = last.as_ref()
            && kept.asked == asked
            && kept.at.elapsed() < AT_ONCE
            && is_same(&kept.readings, &readings())
        {
            return kept.page.clone();
        }
        #[expect(
            clippy::disallowed_types,
            reason = "what the agent counts changes by the real clock"
        )]
        let at = std::time::Instant::now();
        let (readings, page) = put_together();
        *last = Some(Kept {
            asked,
            at,
            readings,
            page: page.clone(),
        });
        page
    }
}

fn is_same(before: &[Weak<Reading>], now: &[Weak<Reading>]) -> bool {
    before.len() == now.len()
        && before
            .iter()
            .zip(now)
            .all(|(one, other)| Weak::ptr_eq(one, other))
}

/// Shorter than anything that a scraper can tell apart; long enough that a storm of scrapes costs what it sends and not
/// what it asks for.
const AT_ONCE: Duration = Duration::from_millis(5);
