//! Tags, as the cloud sends them and as labels.

use std::collections::HashMap;

use super::Tags;
use crate::api::xml::{self, Reader};

/// Reads the `tagSet` just entered: keys and values, in the cloud's order.
pub fn read_tags(xml: &mut Reader<'_>) -> Result<Vec<(String, String)>, xml::Error> {
    let mut tags = Vec::new();
    xml.each("item", |item| {
        let (mut key, mut value) = (String::new(), String::new());
        while let Some(name) = item.child()? {
            match name {
                "key" => key = item.text()?.into_owned(),
                "value" => value = item.text()?.into_owned(),
                _ => item.skip()?,
            }
        }
        tags.push((key, value));
        Ok(())
    })?;
    Ok(tags)
}

/// What people call the object: its tag `Name`; empty if it has none.
pub fn name_of(tags: &[(String, String)]) -> &str {
    let named = tags.iter().find(|(key, _)| key == "Name");
    named.map_or("", |(_, value)| value.as_str())
}

/// The labels that an object's tags become: `tag_<name>`, with what a label name cannot hold as `_`.
///
/// Tags that become one name are told apart by `_conflict1`, `_conflict2`, …, in the order of their keys, so that
/// none is lost and no label stands twice.
pub fn tag_labels(tags: &[(String, String)], wanted: &Tags) -> Vec<(String, String)> {
    let mut tags: Vec<&(String, String)> = tags.iter().filter(|(key, _)| wanted.want(key)).collect();
    tags.sort();
    tags.dedup_by(|later, earlier| later.0 == earlier.0);
    let names: Vec<String> = (tags.iter())
        .map(|(key, _)| "tag_".chars().chain(label_characters(key)).collect())
        .collect();
    let mut uses: HashMap<&str, usize> = HashMap::new();
    for name in &names {
        *uses.entry(name).or_default() += 1;
    }
    let mut next: HashMap<&str, usize> = HashMap::new();
    let mut labels: Vec<(String, String)> = Vec::with_capacity(tags.len());
    for (name, (_, value)) in names.iter().zip(&tags) {
        let mut label = name.clone();
        if uses.get(name.as_str()).is_some_and(|uses| *uses > 1) {
            let number = next.entry(name).or_default();
            // A tag may be called `x_conflict1` of its own.
            loop {
                *number += 1;
                label = format!("{name}_conflict{number}");
                if !uses.contains_key(label.as_str()) {
                    break;
                }
            }
        }
        labels.push((label, value.clone()));
    }
    labels
}

/// The characters of a text that a label name can hold, `_` in place of each other one.
pub fn label_characters(text: &str) -> impl Iterator<Item = char> {
    text.chars().map(|character| {
        if character.is_ascii_alphanumeric() {
            character
        } else {
            '_'
        }
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn labels(tags: &[(&str, &str)]) -> Vec<(String, String)> {
        let tags: Vec<_> = tags
            .iter()
            .map(|(key, value)| ((*key).to_owned(), (*value).to_owned()))
            .collect();
        tag_labels(&tags, &Tags::All)
    }

    fn owned(labels: &[(&str, &str)]) -> Vec<(String, String)> {
        labels
            .iter()
            .map(|(name, value)| ((*name).to_owned(), (*value).to_owned()))
            .collect()
    }

    #[test]
    fn tags_that_collide_are_numbered_in_the_order_of_their_keys() {
        assert_eq!(
            labels(&[("team_a", "2"), ("team-a", "1"), ("env", "prod")]),
            owned(&[
                ("tag_env", "prod"),
                ("tag_team_a_conflict1", "1"),
                ("tag_team_a_conflict2", "2")
            ])
        );
    }

    #[test]
    fn a_tag_that_looks_like_a_numbered_one_keeps_its_name() {
        assert_eq!(
            labels(&[
                ("x", "1"),
                ("X", "0"),
                ("a-", "2"),
                ("a+", "3"),
                ("a__conflict1", "4")
            ]),
            owned(&[
                ("tag_X", "0"),
                ("tag_a__conflict2", "3"),
                ("tag_a__conflict3", "2"),
                ("tag_a__conflict1", "4"),
                ("tag_x", "1"),
            ])
        );
    }

    #[test]
    fn a_tag_named_like_a_label_of_ours_is_another_label() {
        assert_eq!(
            labels(&[("instance_id", "x"), ("__name__", "y"), ("", "z"), ("é", "w")]),
            owned(&[
                ("tag_", "z"),
                ("tag___name__", "y"),
                ("tag_instance_id", "x"),
                ("tag__", "w")
            ])
        );
    }

    #[test]
    fn only_listed_tags_are_shown() {
        let tags = owned(&[("env", "prod"), ("secret", "s")]);
        let listed = Tags::Listed(vec!["env".into(), "absent".into()]);
        assert_eq!(tag_labels(&tags, &listed), owned(&[("tag_env", "prod")]));
        assert!(tag_labels(&tags, &Tags::None).is_empty());
    }
}
