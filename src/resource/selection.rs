//! Which instances an account's settings are about.

/// Which instances are listed, and which of those are shown.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Selection {
    /// The API's own filters, by name, each with the values that do: sent to the cloud.
    pub filters: Vec<(String, Vec<String>)>,
    /// An instance is kept if it meets every one of these; all are, if there is none.
    pub keep: Vec<TagRule>,
    /// An instance is dropped if it meets one of these, whatever else it meets.
    pub drop: Vec<TagRule>,
}

/// Values that a tag may have.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TagRule {
    /// The tag.
    pub key: String,
    /// The values that do; `*` is any.
    pub values: Vec<String>,
}

impl Selection {
    /// Whether an instance with these tags is shown.
    pub fn keeps(&self, tags: &[(String, String)]) -> bool {
        self.keep.iter().all(|rule| rule.is_met_by(tags))
            && !self.drop.iter().any(|rule| rule.is_met_by(tags))
    }

    /// The filters as parameters of the EC2 query protocol: `Filter.1.Name`, `Filter.1.Value.1`, …
    pub fn filter_parameters(&self) -> Vec<(String, String)> {
        let mut parameters = Vec::new();
        for (index, (name, values)) in self.filters.iter().enumerate() {
            let filter = format!("Filter.{}", index + 1);
            parameters.push((format!("{filter}.Name"), name.clone()));
            for (index, value) in values.iter().enumerate() {
                parameters.push((format!("{filter}.Value.{}", index + 1), value.clone()));
            }
        }
        parameters
    }
}

impl TagRule {
    fn is_met_by(&self, tags: &[(String, String)]) -> bool {
        tags.iter().any(|(key, value)| {
            *key == self.key && self.values.iter().any(|wanted| wanted == ANY || wanted == value)
        })
    }
}

/// Whatever the value is, as long as the tag is there.
const ANY: &str = "*";

#[cfg(test)]
mod tests {
    use super::*;

    fn rules(rules: &[(&str, &[&str])]) -> Vec<TagRule> {
        let rule = |(key, values): &(&str, &[&str])| TagRule {
            key: (*key).to_owned(),
            values: values.iter().map(|value| (*value).to_owned()).collect(),
        };
        rules.iter().map(rule).collect()
    }

    fn tags(tags: &[(&str, &str)]) -> Vec<(String, String)> {
        let owned = |(key, value): &(&str, &str)| ((*key).to_owned(), (*value).to_owned());
        tags.iter().map(owned).collect()
    }

    #[test]
    fn kept_is_what_meets_every_rule_and_dropped_what_meets_one() {
        let selection = Selection {
            keep: rules(&[("env", &["prod", "staging"]), ("team", &["*"])]),
            drop: rules(&[("role", &["batch"]), ("scratch", &["*"])]),
            ..Selection::default()
        };
        let cases: [(&[(&str, &str)], bool); 6] = [
            (&[("env", "prod"), ("team", "")], true),
            (&[("env", "staging"), ("team", "a"), ("role", "web")], true),
            (&[("env", "prod")], false),
            (&[("env", "PROD"), ("team", "a")], false),
            (&[("env", "prod"), ("team", "a"), ("role", "batch")], false),
            (&[("env", "prod"), ("team", "a"), ("scratch", "x")], false),
        ];
        for (given, kept) in cases {
            assert_eq!(selection.keeps(&tags(given)), kept, "{given:?}");
        }
        assert!(Selection::default().keeps(&[]));
    }

    #[test]
    fn filters_are_numbered_as_the_query_protocol_wants_them() {
        let selection = Selection {
            filters: vec![
                ("tag:env".to_owned(), vec!["prod".to_owned(), "*".to_owned()]),
                ("vpc-id".to_owned(), vec!["vpc-1".to_owned()]),
            ],
            ..Selection::default()
        };
        let expected = tags(&[
            ("Filter.1.Name", "tag:env"),
            ("Filter.1.Value.1", "prod"),
            ("Filter.1.Value.2", "*"),
            ("Filter.2.Name", "vpc-id"),
            ("Filter.2.Value.1", "vpc-1"),
        ]);
        assert_eq!(selection.filter_parameters(), expected);
    }
}
