//! What holds for every kind, and what the tests of each need.

use std::collections::{HashMap, HashSet};

use super::*;
use crate::api::Effect;
use crate::api::xml::{self, Reader};
use crate::metric::Family;
use crate::resource::{Observation, Show, StateSeries};

/// How a kind reads one page.
type ReadPage = fn(&mut Reader<'_>, &mut Observation) -> Result<Option<String>, xml::Error>;

/// What a kind makes of an answer, with the current state alone.
pub(super) fn observed(kind: &Kind, read_page: ReadPage, document: &str) -> Observation {
    let show = Show {
        states: StateSeries::Current,
        ..Show::default()
    };
    let mut observation = Observation::new(kind, "a", Provider::Aws, "r", show);
    read(&mut observation, kind, read_page, document).unwrap();
    observation
}

/// Reads one more page.
pub(super) fn read(
    observation: &mut Observation,
    kind: &Kind,
    read_page: ReadPage,
    document: &str,
) -> Result<Option<String>, xml::Error> {
    let root = format!("{}Response", kind.actions[0].name);
    Reader::open(document, &root)?.whole(None, |page| read_page(page, observation))
}

/// The samples of each family, as they are shown.
pub(super) fn plain(observation: Observation) -> Vec<String> {
    let texts = observation.into_texts().into_iter();
    texts.map(|text| text.chunks().collect()).collect()
}

/// The lines of an observation without what is the same in all of them.
pub(super) fn lines(observation: Observation) -> Vec<String> {
    let texts = plain(observation).concat();
    let short = texts
        .lines()
        .map(|line| line.replace(r#"{account="a",region="r","#, "{"));
    short.collect()
}

#[test]
fn every_action_only_describes() {
    for kind in KINDS {
        for action in kind.actions {
            assert_eq!(action.effect, Effect::Describes, "{}", action.name);
            assert!(
                action.name.starts_with("Describe"),
                "{} calls {}",
                kind.name,
                action.name
            );
        }
    }
}

#[test]
fn a_family_is_declared_once_and_every_kind_has_another_name() {
    let mut families: HashMap<&str, &'static Family> = HashMap::new();
    let mut names = HashSet::new();
    for kind in KINDS {
        assert!(names.insert(kind.name));
        let mut own = HashSet::new();
        for family in kind.families {
            assert!(own.insert(family.name), "{} is there twice", family.name);
            let declared = families.insert(family.name, family);
            assert!(
                declared.is_none_or(|declared| std::ptr::eq(declared, *family)),
                "{} is declared twice",
                family.name
            );
        }
    }
}

#[test]
fn every_cloud_has_its_own_kinds() {
    let names = |provider| {
        kinds_of(provider)
            .iter()
            .map(|kind| kind.name)
            .collect::<Vec<_>>()
    };
    assert_eq!(names(Provider::Aws), KINDS.map(|kind| kind.name));
    assert!(names(Provider::Outscale).contains(&"volumes"));
    assert!(!names(Provider::Outscale).contains(&"volume_status"));
}
