//! How much memory a poll keeps of what it is told.
//!
//! An answer has a limit, and so has the number of pages; but a thousand answers of the longest kind are 64 GB.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

/// What one poll keeps, counted by whoever keeps it. Cloned cheaply; clones count together.
#[derive(Debug, Clone)]
pub struct Kept {
    bytes: Arc<AtomicUsize>,
    limit: usize,
}

impl Kept {
    /// Nothing yet, and so many bytes at most.
    pub fn up_to(limit: usize) -> Self {
        Self {
            bytes: Arc::default(),
            limit,
        }
    }

    /// Counts what is kept from now on.
    pub fn add(&self, bytes: usize) {
        self.bytes.fetch_add(bytes, Ordering::Relaxed);
    }

    /// Whether it is more than a poll may keep: from then on nothing is, and the poll fails.
    pub fn is_too_much(&self) -> bool {
        self.bytes.load(Ordering::Relaxed) > self.limit
    }
}

impl Default for Kept {
    fn default() -> Self {
        Self::up_to(LIMIT)
    }
}

/// The default. A hundred thousand instances take a fifth of it, with their states, ids and targets; there is room
/// for a kilobyte more of tags of each that cannot be compressed.
pub(super) const LIMIT: usize = 128 << 20;
