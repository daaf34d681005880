//! `shard`: which of several processes this is.

use std::fmt;

use serde::{Serialize, Serializer};
use sha2::{Digest as _, Sha256};

use super::values::{Text, shortened};

/// One of several processes with the same settings, each of which polls its part of the accounts' regions.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Shard {
    /// Which one, from 0.
    pub index: u32,
    /// Of how many.
    pub total: u32,
}

impl Shard {
    /// Whether a region that the settings name is this one's: they are dealt out in the order they are named.
    pub fn has_number(self, number: usize) -> bool {
        u32::try_from(number).is_ok_and(|number| number % self.total == self.index)
    }

    /// Whether a region that the cloud named is this one's: that has to come out the same in every process, whatever
    /// each of them found before.
    pub fn has_region(self, account: &str, region: &str) -> bool {
        let digest = Sha256::new()
            .chain_update(account.as_bytes())
            .chain_update([0])
            .chain_update(region.as_bytes())
            .finalize();
        let number = digest
            .iter()
            .take(4)
            .fold(0, |number: u32, byte| number << 8 | u32::from(*byte));
        number % self.total == self.index
    }
}

impl fmt::Display for Shard {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "{}/{}", self.index, self.total)
    }
}

impl Serialize for Shard {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl Text for Shard {
    const EXPECTED: &str = "an ordinal and a total, such as \"0/4\"";

    fn parse(text: &str) -> Result<Self, String> {
        let refused = |why: &str| Err(format!("is {:?}{why}: write {}", shortened(text), Self::EXPECTED));
        let number = |digits: &str| -> Option<u32> {
            let is_plain = digits.bytes().all(|byte| byte.is_ascii_digit());
            digits.parse().ok().filter(|_| is_plain)
        };
        let numbers = text
            .split_once('/')
            .and_then(|(index, total)| Some((number(index)?, number(total)?)));
        match numbers {
            None => refused(""),
            Some((_, total)) if total == 0 || total > MOST => {
                refused(&format!(", whose total is not from 1 to {MOST}"))
            }
            Some((index, total)) if index >= total => refused(", whose ordinal is not below its total"),
            Some((index, total)) => Ok(Self { index, total }),
        }
    }
}

/// Nobody has so many regions and accounts; more is a slip of the pen.
const MOST: u32 = 1000;
