//! The policy document: derived from the kinds, so that it cannot drift from what the agent calls.

use std::collections::BTreeSet;

use serde::Serialize;
use serde_json::Value;
use similar::TextDiff;

use crate::provider::Provider;
use crate::resource::Kind;

/// What the agent's key is to be allowed, and nothing else.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Policy {
    provider: Provider,
    /// As policies write them, sorted: `ec2:DescribeInstances`.
    actions: BTreeSet<String>,
}

/// How a document that is there compares to the one wanted.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Comparison {
    /// They grant the same.
    Same,
    /// They do not; line by line, what is there with `-` and what is wanted with `+`.
    Differs(String),
}

impl Policy {
    /// Exactly the actions of these kinds.
    pub fn of_kinds(provider: Provider, kinds: &[&Kind]) -> Self {
        let actions = kinds.iter().flat_map(|kind| kind.actions);
        Self {
            provider,
            actions: actions.map(|action| action.policy_name()).collect(),
        }
    }

    /// Everything that describes, so that later kinds need no new policy.
    pub fn describe_all(provider: Provider) -> Self {
        Self {
            provider,
            actions: DESCRIBES.map(|prefix| format!("{prefix}*")).into(),
        }
    }

    /// The actions, sorted.
    pub fn actions(&self) -> impl Iterator<Item = &str> {
        self.actions.iter().map(String::as_str)
    }

    /// The document on several lines, for people.
    pub fn pretty(&self) -> String {
        serde_json::to_string_pretty(&self.document()).unwrap_or_default()
    }

    /// The document on one line, for the API, which limits its size.
    pub fn text(&self) -> String {
        serde_json::to_string(&self.document()).unwrap_or_default()
    }

    /// Compares a document at the cloud to this one, by what they grant.
    pub fn compare(&self, there: &str) -> Comparison {
        let parsed: Option<Value> = serde_json::from_str(there).ok();
        if parsed.as_ref().and_then(granted).as_ref() == Some(&self.actions) {
            return Comparison::Same;
        }
        let there = parsed
            .and_then(|parsed| serde_json::to_string_pretty(&parsed).ok())
            .unwrap_or_else(|| there.to_owned());
        let wanted: Value = serde_json::from_str(&self.text()).unwrap_or_default();
        // Both with the keys sorted, so that only what differs shows.
        let wanted = serde_json::to_string_pretty(&wanted).unwrap_or_default();
        let (there, wanted) = (there + "\n", wanted + "\n");
        let diff = TextDiff::from_lines(&there, &wanted);
        Comparison::Differs(diff.unified_diff().context_radius(1).to_string())
    }

    fn document(&self) -> Document<'_> {
        Document {
            version: match self.provider {
                Provider::Aws => Some("2012-10-17"),
                Provider::Outscale => None,
            },
            statement: [Statement {
                effect: "Allow",
                action: &self.actions,
                resource: ["*"],
            }],
        }
    }
}

/// Whether a document grants nothing but describing, as every document of ours does.
pub fn only_describes(document: &str) -> bool {
    let granted = serde_json::from_str(document).ok().as_ref().and_then(granted);
    granted.is_some_and(|actions| {
        actions
            .iter()
            .all(|action| DESCRIBES.iter().any(|prefix| action.starts_with(prefix)))
    })
}

/// A document as IAM gives it: AWS percent-encodes it (RFC 3986), others may not.
pub fn decoded(document: &str) -> String {
    if document.trim_start().starts_with('{') {
        return document.to_owned();
    }
    // A form decoder takes `+` for a space, which RFC 3986 does not.
    let literal_plus = document.replace('+', "%2B");
    let pair = format!("d={literal_plus}");
    form_urlencoded::parse(pair.as_bytes())
        .next()
        .map(|(_, decoded)| decoded.into_owned())
        .unwrap_or_default()
}

/// The actions that a document allows on everything, if that is all that it says.
fn granted(document: &Value) -> Option<BTreeSet<String>> {
    let statements = match document.get("Statement")? {
        Value::Array(statements) => statements.as_slice(),
        statement => std::slice::from_ref(statement),
    };
    let mut granted = BTreeSet::new();
    for statement in statements {
        let statement = statement.as_object()?;
        let known = |key: &String| ["Sid", "Effect", "Action", "Resource"].contains(&key.as_str());
        let is_plain = statement.keys().all(known)
            && statement.get("Effect")? == "Allow"
            && texts(statement.get("Resource")?)? == ["*"];
        if !is_plain {
            return None;
        }
        granted.extend(texts(statement.get("Action")?)?.into_iter().map(str::to_owned));
    }
    Some(granted)
}

/// A text, or a list of them.
fn texts(value: &Value) -> Option<Vec<&str>> {
    match value {
        Value::String(text) => Some(vec![text]),
        Value::Array(values) => values.iter().map(Value::as_str).collect(),
        _ => None,
    }
}

/// AWS wants `Version`, and first: one reader is known that failed with it last. OUTSCALE's grammar has none.
#[derive(Serialize)]
#[serde(rename_all = "PascalCase")]
struct Document<'a> {
    #[serde(skip_serializing_if = "Option::is_none")]
    version: Option<&'static str>,
    statement: [Statement<'a>; 1],
}

#[derive(Serialize)]
#[serde(rename_all = "PascalCase")]
struct Statement<'a> {
    effect: &'static str,
    action: &'a BTreeSet<String>,
    /// Describing knows no single resources, on either cloud.
    resource: [&'static str; 1],
}

/// What every action that describes begins with.
const DESCRIBES: [&str; 2] = ["ec2:Describe", "elasticloadbalancing:Describe"];

#[cfg(test)]
mod tests {
    use super::*;
    use crate::resources::KINDS;

    #[test]
    fn policy_holds_exactly_the_actions_of_the_kinds() {
        let policy = Policy::of_kinds(Provider::Outscale, &KINDS[..1]);
        assert_eq!(
            policy.text(),
            r#"{"Statement":[{"Effect":"Allow","Action":["ec2:DescribeInstances"],"Resource":["*"]}]}"#
        );
        // Two services of one prefix have an action of one name: it is granted once.
        let all: BTreeSet<_> = KINDS
            .iter()
            .flat_map(|kind| kind.actions)
            .map(|action| action.policy_name())
            .collect();
        let policy = Policy::of_kinds(Provider::Aws, &KINDS);
        assert!(policy.actions().eq(all.iter()));
    }

    #[test]
    fn version_comes_first_on_aws_and_is_left_out_on_outscale() {
        let text = |provider| Policy::describe_all(provider).text();
        assert_eq!(
            text(Provider::Aws),
            "{\"Version\":\"2012-10-17\",\"Statement\":[{\"Effect\":\"Allow\",\"Action\":[\"ec2:Describe*\",\
             \"elasticloadbalancing:Describe*\"],\"Resource\":[\"*\"]}]}"
        );
        assert!(!text(Provider::Outscale).contains("Version"));
    }

    #[test]
    fn documents_that_grant_the_same_are_the_same_however_they_are_written() {
        let policy = Policy::of_kinds(Provider::Aws, &KINDS);
        let actions: Vec<_> = policy.actions().map(str::to_owned).collect();
        let split = serde_json::json!({"Id": "x", "Statement": [
            {"Sid": "One", "Action": actions[0], "Resource": "*", "Effect": "Allow"},
            {"Effect": "Allow", "Resource": ["*"], "Action": &actions[1..]},
        ]});
        assert_eq!(policy.compare(&split.to_string()), Comparison::Same);
        assert_eq!(policy.compare(&policy.pretty()), Comparison::Same);
    }

    #[test]
    fn one_action_more_or_less_or_a_deny_or_a_condition_differs_and_shows() {
        let policy = Policy::of_kinds(Provider::Aws, &KINDS[..1]);
        let with = |action: &str, rest: &str| {
            format!(
                r#"{{"Version":"2012-10-17","Statement":[{{"Effect":"Allow","Action":{action},"Resource":["*"]{rest}}}]}}"#
            )
        };
        let describe = r#"["ec2:DescribeInstances"]"#;
        let differing = [
            with(r#"["ec2:DescribeInstances","ec2:StopInstances"]"#, ""),
            with("[]", ""),
            with(
                describe,
                r#","Condition":{"Bool":{"aws:SecureTransport":"true"}}"#,
            ),
            with(describe, "").replace("Allow", "Deny"),
            with(describe, "").replace("Action", "NotAction"),
            with(describe, "").replace("[\"*\"]", "[\"arn:aws:ec2:::x\"]"),
            "not json".to_owned(),
        ];
        for document in differing {
            let Comparison::Differs(diff) = policy.compare(&document) else {
                panic!("{document} passes for the same");
            };
            assert!(diff.contains("\n-"), "{diff}");
        }
        let Comparison::Differs(diff) =
            policy.compare(&with(r#"["ec2:DescribeInstances","ec2:StopInstances"]"#, ""))
        else {
            panic!("it differs");
        };
        assert!(diff.contains("-        \"ec2:StopInstances\""), "{diff}");
        assert!(!diff.contains("Version"), "{diff}");
    }

    #[test]
    fn a_document_is_read_encoded_or_not() {
        let raw = r#"{"a": "b+c%20*"}"#;
        assert_eq!(decoded(raw), raw);
        assert_eq!(decoded("%7B%22a%22%3A%20%22b+c%2520%2A%22%7D"), raw);
    }

    #[test]
    fn only_a_document_that_describes_is_ours_to_remove() {
        for provider in Provider::ALL {
            assert!(only_describes(&Policy::of_kinds(provider, &KINDS).text()));
            assert!(only_describes(&Policy::describe_all(provider).text()));
        }
        for action in ["ec2:*", "ec2:StopInstances", "iam:Describe*", "*"] {
            let document =
                format!(r#"{{"Statement":{{"Effect":"Allow","Action":"{action}","Resource":"*"}}}}"#);
            assert!(!only_describes(&document), "{action}");
        }
        assert!(!only_describes("{}"));
    }
}
