//! Policy documents: parsed strictly, decided as both clouds decide (an explicit deny wins, silence denies).

use serde_json::Value;

use crate::provider::Provider;

/// A policy document, understood.
#[derive(Debug, Clone)]
pub struct Document {
    statements: Vec<Statement>,
}

#[derive(Debug, Clone)]
struct Statement {
    denies: bool,
    /// `NotAction`: the statement is about every action but these.
    inverted: bool,
    patterns: Vec<String>,
}

/// What a set of documents says about one action.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Decision {
    /// Some statement allows it, and none denies it.
    Allowed,
    /// Some statement denies it, whatever the others say.
    ExplicitDeny,
    /// No statement is about it.
    ImplicitDeny,
}

impl Document {
    /// Reads a document; the error is the message of `MalformedPolicyDocument`.
    pub fn parse(text: &str, provider: Provider) -> Result<Self, String> {
        let document: Value =
            serde_json::from_str(text).map_err(|_| "This policy contains invalid Json".to_owned())?;
        let Value::Object(document) = document else {
            return Err("Syntax errors in policy.".to_owned());
        };
        if let Some(unknown) = document
            .keys()
            .find(|key| !["Version", "Id", "Statement"].contains(&key.as_str()))
        {
            return Err(format!("Syntax error: {unknown} is not an element of a policy."));
        }
        match document.get("Version").map(Value::as_str) {
            Some(Some("2012-10-17")) => {}
            // The grammar of OUTSCALE has no such element; AWS reads its absence as the grammar of 2008.
            None if provider == Provider::Outscale => {}
            _ => return Err("Policy document must be version 2012-10-17 or greater.".to_owned()),
        }
        let statements = match document.get("Statement") {
            Some(Value::Array(statements)) if !statements.is_empty() => statements.as_slice(),
            Some(statement @ Value::Object(_)) => std::slice::from_ref(statement),
            _ => return Err("Syntax errors in policy: there is no Statement.".to_owned()),
        };
        let statements = statements.iter().map(statement).collect::<Result<_, _>>()?;
        Ok(Self { statements })
    }
}

/// Decides on `action` (`ec2:StopInstances`) by all documents together.
pub fn decide<'a>(
    documents: impl IntoIterator<Item = &'a Document>,
    action: &str,
    provider: Provider,
) -> Decision {
    let ignore_case = provider == Provider::Aws;
    let mut decision = Decision::ImplicitDeny;
    for statement in documents.into_iter().flat_map(|document| &document.statements) {
        let named = statement
            .patterns
            .iter()
            .any(|pattern| matches(pattern, action, ignore_case));
        if named == statement.inverted {
            continue;
        }
        if statement.denies {
            return Decision::ExplicitDeny;
        }
        decision = Decision::Allowed;
    }
    decision
}

/// Whether `text` fits `pattern`, in which `*` stands for any text and `?` for any one character.
pub(super) fn matches(pattern: &str, text: &str, ignore_case: bool) -> bool {
    let fold = |character: char| {
        if ignore_case {
            character.to_ascii_lowercase()
        } else {
            character
        }
    };
    let pattern: Vec<char> = pattern.chars().map(fold).collect();
    let text: Vec<char> = text.chars().map(fold).collect();
    // On a mismatch the last `*` takes one character more: linear in practice, never exponential.
    let (mut in_pattern, mut in_text) = (0, 0);
    let mut star: Option<(usize, usize)> = None;
    while in_text < text.len() {
        match pattern.get(in_pattern) {
            Some('*') => {
                star = Some((in_pattern, in_text));
                in_pattern += 1;
            }
            Some(&wanted) if wanted == '?' || wanted == text[in_text] => {
                in_pattern += 1;
                in_text += 1;
            }
            _ => {
                let Some((at, taken)) = star else { return false };
                star = Some((at, taken + 1));
                in_pattern = at + 1;
                in_text = taken + 1;
            }
        }
    }
    pattern[in_pattern..].iter().all(|&rest| rest == '*')
}

fn statement(value: &Value) -> Result<Statement, String> {
    let Value::Object(statement) = value else {
        return Err("Syntax errors in policy: a Statement is not an object.".to_owned());
    };
    let denies = match statement.get("Effect").and_then(Value::as_str) {
        Some("Allow") => false,
        Some("Deny") => true,
        _ => return Err("Syntax errors in policy: Effect is Allow or Deny.".to_owned()),
    };
    let (inverted, actions) = match (statement.get("Action"), statement.get("NotAction")) {
        (Some(actions), None) => (false, actions),
        (None, Some(actions)) => (true, actions),
        _ => return Err("Policy statement must contain actions.".to_owned()),
    };
    let patterns = strings(actions).ok_or("Syntax errors in policy: Action is not a list of texts.")?;
    if let Some(bare) = patterns
        .iter()
        .find(|pattern| *pattern != "*" && !pattern.contains(':'))
    {
        return Err(format!(
            "Actions/Conditions must be prefaced by a vendor, e.g., iam, sdb, ec2, etc.: {bare}"
        ));
    }
    let resources = statement.get("Resource").and_then(strings);
    if resources.is_none_or(|resources| resources.is_empty()) {
        return Err("Policy statement must contain resources.".to_owned());
    }
    Ok(Statement {
        denies,
        inverted,
        patterns,
    })
}

fn strings(value: &Value) -> Option<Vec<String>> {
    match value {
        Value::String(text) => Some(vec![text.clone()]),
        Value::Array(values) => values
            .iter()
            .map(|value| value.as_str().map(str::to_owned))
            .collect(),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn decision(statements: &str, action: &str, provider: Provider) -> Decision {
        let text = format!(r#"{{"Version":"2012-10-17","Statement":{statements}}}"#);
        decide([&Document::parse(&text, provider).unwrap()], action, provider)
    }

    #[test]
    fn silence_denies() {
        let statements = r#"{"Effect":"Allow","Action":"ec2:DescribeInstances","Resource":"*"}"#;
        assert_eq!(
            decision(statements, "ec2:DescribeInstances", Provider::Aws),
            Decision::Allowed
        );
        assert_eq!(
            decision(statements, "ec2:StopInstances", Provider::Aws),
            Decision::ImplicitDeny
        );
    }

    #[test]
    fn explicit_deny_beats_allow() {
        let statements = r#"[{"Effect":"Allow","Action":["*"],"Resource":["*"]},
            {"Effect":"Deny","Action":"ec2:Stop*","Resource":"*"}]"#;
        assert_eq!(
            decision(statements, "ec2:StopInstances", Provider::Aws),
            Decision::ExplicitDeny
        );
        assert_eq!(
            decision(statements, "ec2:StartInstances", Provider::Aws),
            Decision::Allowed
        );
    }

    #[test]
    fn not_action_is_about_all_the_others() {
        let statements = r#"{"Effect":"Allow","NotAction":["iam:*","sts:*"],"Resource":"*"}"#;
        assert_eq!(
            decision(statements, "ec2:StopInstances", Provider::Aws),
            Decision::Allowed
        );
        assert_eq!(
            decision(statements, "iam:ListUsers", Provider::Aws),
            Decision::ImplicitDeny
        );
    }

    #[test]
    fn outscale_minds_the_case_and_aws_does_not() {
        let statements = r#"{"Effect":"Allow","Action":"EC2:describeinstances","Resource":"*"}"#;
        assert_eq!(
            decision(statements, "ec2:DescribeInstances", Provider::Aws),
            Decision::Allowed
        );
        assert_eq!(
            decision(statements, "ec2:DescribeInstances", Provider::Outscale),
            Decision::ImplicitDeny
        );
    }

    #[test]
    fn aws_wants_a_version_and_outscale_does_not() {
        let text = r#"{"Statement":[{"Effect":"Allow","Action":["ec2:Describe*"],"Resource":["*"]}]}"#;
        assert!(Document::parse(text, Provider::Outscale).is_ok());
        assert!(
            Document::parse(text, Provider::Aws)
                .unwrap_err()
                .contains("2012-10-17")
        );
    }

    #[test]
    fn nonsense_is_malformed() {
        for text in [
            "",
            "[]",
            r#"{"Version":"2012-10-17"}"#,
            r#"{"Version":"2012-10-17","Statement":[]}"#,
            r#"{"Version":"2012-10-17","Statement":{"Effect":"allow","Action":"*","Resource":"*"}}"#,
            r#"{"Version":"2012-10-17","Statement":{"Effect":"Allow","Action":"*"}}"#,
            r#"{"Version":"2012-10-17","Statement":{"Effect":"Allow","Resource":"*"}}"#,
            r#"{"Version":"2012-10-17","Statement":{"Effect":"Allow","Action":"Describe*","Resource":"*"}}"#,
        ] {
            assert!(Document::parse(text, Provider::Aws).is_err(), "{text}");
        }
    }

    #[test]
    fn wildcards_match_whole_texts() {
        for (pattern, text, fits) in [
            ("*", "", true),
            ("a*c", "abbc", true),
            ("a*c", "abbcd", false),
            ("a?c", "abc", true),
            ("a?c", "ac", false),
            ("*b*b", "abab", true),
            ("ec2:Describe*", "ec2:DescribeInstances", true),
            ("ec2:Describe", "ec2:DescribeInstances", false),
        ] {
            assert_eq!(matches(pattern, text, false), fits, "{pattern} {text}");
        }
    }
}
