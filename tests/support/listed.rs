//! The metrics that `vigie metrics` lists, and whether an expression names others.

use std::collections::{BTreeMap, BTreeSet};

use crate::promql::Names;
use crate::vigie::{run, vigie};

/// Each metric with its labels.
pub(crate) struct Listed(BTreeMap<String, BTreeSet<String>>);

impl Listed {
    pub(crate) async fn by_vigie() -> Self {
        let said = run(&mut vigie(&["metrics"])).await;
        assert_eq!(said.code, Some(0), "{}", said.stderr);
        let mut listed = BTreeMap::new();
        let mut lines = said.stdout.lines().peekable();
        while let Some(line) = lines.next() {
            let Some((name, kind)) = line.split_once(" (").filter(|_| !line.starts_with(' ')) else {
                continue;
            };
            let labels = lines
                .peek()
                .and_then(|line| line.strip_prefix("  labels: "))
                .unwrap_or_default();
            let mut labels: BTreeSet<String> = labels
                .split(", ")
                .filter(|label| !label.is_empty())
                .map(str::to_owned)
                .collect();
            // What a scrape adds.
            labels.extend(["job", "instance"].map(str::to_owned));
            if kind == "histogram)" {
                for suffix in ["_sum", "_count"] {
                    listed.insert(format!("{name}{suffix}"), labels.clone());
                }
                labels.insert("le".to_owned());
                listed.insert(format!("{name}_bucket"), labels);
            } else {
                listed.insert(name.to_owned(), labels);
            }
        }
        assert!(listed.len() > 50, "{:?}", listed.keys());
        listed.insert("up".to_owned(), ["job", "instance"].map(str::to_owned).into());
        Self(listed)
    }

    /// Takes one more, which is computed from others.
    pub(crate) fn record(&mut self, name: &str, labels: BTreeSet<String>) {
        assert!(
            self.0.insert(name.to_owned(), labels).is_none(),
            "{name} is there twice"
        );
    }

    /// Panics at the first name in an expression that is not listed; the labels that its metrics have.
    pub(crate) fn check(&self, expression: &str, names: &Names) -> BTreeSet<String> {
        let mut known = BTreeSet::new();
        for (metric, matched) in &names.metrics {
            let labels = self.0.get(metric);
            let labels = labels.unwrap_or_else(|| panic!("no metric is named `{metric}`: {expression}"));
            for label in matched {
                assert!(
                    has(labels, label),
                    "`{metric}` has no label `{label}`: {expression}"
                );
            }
            known.extend(labels.iter().cloned());
        }
        for label in &names.labels {
            assert!(
                has(&known, label),
                "no metric there has the label `{label}`: {expression}"
            );
        }
        known
    }
}

/// The names of tags are their owner's.
fn has(labels: &BTreeSet<String>, label: &str) -> bool {
    labels.contains(label) || (label.starts_with("tag_") && labels.contains("tag_<name>"))
}
