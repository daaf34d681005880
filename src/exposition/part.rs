//! A part of the page: one that is too large for one scrape is split over several, by account, region and kind.

use std::collections::BTreeSet;

/// Which part of the page is asked for: all, by default.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Part {
    /// The accounts; all, if there is none.
    pub accounts: BTreeSet<String>,
    /// The regions; all, if there is none.
    pub regions: BTreeSet<String>,
    /// The kinds; all, if there is none.
    pub kinds: BTreeSet<String>,
}

impl Part {
    /// Whether the readings of this kind, in this region of this account, are in it.
    pub fn shows(&self, account: &str, region: &str, kind: &str) -> bool {
        holds(&self.accounts, account) && holds(&self.regions, region) && holds(&self.kinds, kind)
    }

    /// Whether a sample of the agent's own is in it: all are but those about another account, region or kind.
    pub fn shows_own<'a>(&self, mut labels: impl Iterator<Item = (&'a str, &'a str)>) -> bool {
        labels.all(|(name, value)| match name {
            "account" => holds(&self.accounts, value),
            "region" => holds(&self.regions, value),
            "kind" => holds(&self.kinds, value),
            _ => true,
        })
    }
}

fn holds(wanted: &BTreeSet<String>, value: &str) -> bool {
    wanted.is_empty() || wanted.contains(value)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_part_is_what_all_that_is_named_has_in_common() {
        let part = Part {
            accounts: ["a", "b"].map(str::to_owned).into(),
            kinds: ["instances".to_owned()].into(),
            ..Part::default()
        };
        assert!(part.shows("b", "anywhere", "instances"));
        assert!(!part.shows("c", "anywhere", "instances"));
        assert!(!part.shows("a", "anywhere", "volumes"));
        assert!(Part::default().shows("c", "anywhere", "volumes"));
    }

    #[test]
    fn own_samples_are_left_out_only_if_they_are_about_something_else() {
        let part = Part {
            regions: ["r".to_owned()].into(),
            ..Part::default()
        };
        for (labels, shown) in [
            (vec![("region", "r"), ("kind", "instances")], true),
            (vec![("region", "s")], false),
            (vec![("account", "a")], true),
            (vec![], true),
        ] {
            assert_eq!(part.shows_own(labels.iter().copied()), shown, "{labels:?}");
        }
    }
}
