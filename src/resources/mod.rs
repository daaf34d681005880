//! One file for each kind, and the list of them. Kinds never import each other.

mod balancers;
pub mod instances;
pub mod load_balancers;
pub mod regions;
pub mod target_groups;

use crate::provider::Provider;
use crate::resource::Kind;

/// Every kind: settings accept it, the poller runs it, the documentation lists its metrics.
pub static KINDS: [&Kind; 3] = [&instances::KIND, &load_balancers::KIND, &target_groups::KIND];

/// The kinds that a cloud has.
pub fn kinds_of(provider: Provider) -> Vec<&'static Kind> {
    let has = |kind: &&Kind| kind.providers.contains(&provider);
    KINDS.into_iter().filter(has).collect()
}

/// The kind of this name.
pub fn kind(name: &str) -> Option<&'static Kind> {
    KINDS.into_iter().find(|kind| kind.name == name)
}

#[cfg(test)]
mod tests {
    use std::collections::{HashMap, HashSet};

    use super::*;
    use crate::api::Effect;
    use crate::metric::Family;

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
}
