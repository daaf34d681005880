//! The rules for Prometheus hold what they promise: promtool takes them, their tests notice when one is broken, and
//! each alert is explained.

#[path = "support/listed.rs"]
mod listed;
#[expect(dead_code, reason = "other tests need more of it")]
#[path = "support/parts.rs"]
mod parts;
#[path = "support/promql.rs"]
mod promql;
#[expect(dead_code, reason = "other tests need more of it")]
#[path = "support/vigie.rs"]
mod vigie;

use std::collections::BTreeSet;
use std::ffi::OsStr;
use std::fs;
use std::path::{Path, PathBuf};

use config::{Config, File, FileFormat};
use futures_util::{StreamExt as _, stream};
use listed::Listed;
use parts::{command, part};
use promql::{Names, tokens};
use serde::{Deserialize, Serialize, de::DeserializeOwned};
use serde_json::Value;
use tempfile::TempDir;

#[tokio::test]
async fn promtool_takes_the_configuration_and_the_rules() {
    let folder = home();
    let (succeeded, said) = promtool(&["check", "config"], [folder.join("prometheus.yml")]).await;
    assert!(succeeded, "{said}");
    assert!(said.contains("2 rule files found"), "{said}");
    let (succeeded, said) = promtool(&["check", "rules"], files("rules")).await;
    assert!(succeeded, "{said}");
}

#[tokio::test]
async fn every_test_of_the_rules_passes() {
    let (succeeded, said) = promtool(&["test", "rules"], files("tests")).await;
    assert!(succeeded, "{said}");
}

#[tokio::test]
async fn every_name_in_a_rule_is_listed() {
    let mut listed = Listed::by_vigie().await;
    let mut alerts = Vec::new();
    for rule in rules().iter().flat_map(|(_, groups)| groups.rules()) {
        let names = names(rule);
        if let Some(record) = &rule.record {
            // One reads what it wrote before.
            let names = Names {
                metrics: names
                    .metrics
                    .into_iter()
                    .filter(|(name, _)| name != record)
                    .collect(),
                ..names
            };
            let labels = listed.check(&rule.expr, &names);
            listed.record(record, labels);
        } else {
            alerts.push((rule.expr.clone(), names));
        }
    }
    for (expression, names) in &alerts {
        listed.check(expression, names);
    }
}

#[test]
fn every_alert_is_explained_and_tells_where() {
    let runbook = fs::read_to_string(home().join("RUNBOOK.md")).expect("there is a runbook");
    for alert in alerts() {
        let (name, text) = (alert.name(), |key: &str| alert.annotations[key].as_str());
        let section = runbook.split_once(&format!("\n## {name}\n"));
        let section = section
            .unwrap_or_else(|| panic!("the runbook has no section {name}"))
            .1;
        let section = section.split("\n## ").next().expect("a split has a first part");
        assert!(
            section.contains("```promql\n"),
            "nothing tells how to look: {name}"
        );
        assert!(section.len() > 200, "too short to help: {name}");
        assert_eq!(
            text("runbook_url"),
            Some(&*format!("RUNBOOK.md#{}", name.to_lowercase()))
        );
        for said in ["summary", "description"] {
            let said = text(said).expect("it is a text");
            assert!(said.contains("$labels."), "{name} does not tell where: {said}");
        }
        assert!(alert.labels.get("severity").is_some(), "{name}");
    }
    let explained = runbook
        .lines()
        .filter(|line| line.starts_with("## Cloud") || line.starts_with("## Vigie"))
        .count();
    assert_eq!(explained, alerts().len(), "a section is about no alert");
}

#[tokio::test]
async fn every_query_of_the_runbook_names_what_is_there() {
    let mut listed = Listed::by_vigie().await;
    for rule in rules().iter().flat_map(|(_, groups)| groups.rules()) {
        if let Some(record) = &rule.record {
            listed.record(record, BTreeSet::new());
        }
    }
    let runbook = fs::read_to_string(home().join("RUNBOOK.md")).expect("there is a runbook");
    let queries: Vec<&str> = runbook
        .split("```promql\n")
        .skip(1)
        .map(|query| query.split("```").next().expect("a split has a first part"))
        .collect();
    for query in &queries {
        listed.check(query, &Names::of(query));
    }
    assert!(queries.len() > alerts().len(), "{queries:?}");
    check(queries.into_iter()).await;
}

#[test]
fn every_alert_is_tested_to_fire_and_not_to_and_while_the_agent_is_blind() {
    for alert in alerts() {
        let name = alert.name();
        let tests = read::<Tests>(&tests_of(name)).tests;
        let of = |what: &str| {
            let start = format!("{name} {what}");
            let found: Vec<_> = tests
                .iter()
                .filter(|test| test.name.starts_with(&start))
                .collect();
            assert!(!found.is_empty(), "nothing tests that {start}");
            found
                .into_iter()
                .flat_map(|test| &test.alert_rule_test)
                .map(|test| {
                    assert_eq!(test.alertname, name);
                    test.exp_alerts.len()
                })
                .collect::<Vec<_>>()
        };
        assert!(of("fires").iter().any(|&count| count > 0), "{name}");
        assert!(of("does not fire").contains(&0), "{name}");
        if name.starts_with("Cloud") {
            let stays = of("of a blind agent does not resolve");
            assert!(stays.iter().filter(|&&count| count > 0).count() > 1, "{name}");
            assert_eq!(of("of a blind agent is not raised").last(), Some(&0), "{name}");
        }
    }
}

/// Each alert, broken in each way that leaves it an expression: its own tests notice.
#[tokio::test]
async fn broken_expression_fails_the_tests() {
    let mutants: Vec<(String, String)> = alerts()
        .iter()
        .flat_map(|alert| {
            let name = alert.name().to_owned();
            mutants(&alert.expr)
                .into_iter()
                .map(move |mutant| (name.clone(), mutant))
        })
        .collect();
    assert!(mutants.len() > 5 * alerts().len(), "{mutants:#?}");
    check(mutants.iter().map(|(_, mutant)| &**mutant)).await;
    let survivors: Vec<_> = stream::iter(mutants)
        .map(async |(name, mutant)| {
            let survives = broken(&name, &mutant).passes_its_tests(&name).await;
            survives.then_some((name, mutant))
        })
        .buffer_unordered(2)
        .filter_map(async |survivor| survivor)
        .collect()
        .await;
    assert!(survivors.is_empty(), "no test notices: {survivors:#?}");
}

/// Panics unless all of these are expressions.
async fn check(expressions: impl Iterator<Item = &str>) {
    let rules: Vec<_> = expressions
        .enumerate()
        .map(|(index, expression)| serde_json::json!({"record": format!("expression{index}"), "expr": expression}))
        .collect();
    let file = tempfile::NamedTempFile::new().expect("a temporary file can be made");
    let groups = serde_json::json!({"groups": [{"name": "expressions", "rules": rules}]});
    fs::write(file.path(), groups.to_string()).expect("the rules can be written");
    let (succeeded, said) = promtool(&["check", "rules"], [file.path()]).await;
    assert!(succeeded, "{said}");
}

/// A copy of the tests, with the rules that one alert needs.
struct Copy(TempDir);

/// A copy in which an alert has another expression.
fn broken(alert: &str, expression: &str) -> Copy {
    let copy = Copy(tempfile::tempdir().expect("a temporary folder can be made"));
    for folder in ["rules", "tests"] {
        fs::create_dir(copy.0.path().join(folder)).expect("a folder can be made");
    }
    for (file, mut groups) in rules() {
        for group in &mut groups.groups {
            // Other alerts would be computed in vain.
            group
                .rules
                .retain(|rule| rule.record.is_some() || rule.alert.as_deref() == Some(alert));
            for rule in &mut group.rules {
                if rule.alert.is_some() {
                    expression.clone_into(&mut rule.expr);
                }
            }
        }
        let name = file.file_name().expect("a file has a name");
        let text = serde_json::to_string(&groups).expect("rules can be written");
        // JSON is YAML too.
        fs::write(copy.0.path().join("rules").join(name), text).expect("the rules can be written");
    }
    let from = tests_of(alert);
    fs::copy(&from, copy.tests(alert)).expect("the tests can be copied");
    copy
}

impl Copy {
    fn tests(&self, alert: &str) -> PathBuf {
        let file = tests_of(alert);
        let name = file.file_name().expect("a file has a name");
        self.0.path().join("tests").join(name)
    }

    async fn passes_its_tests(&self, alert: &str) -> bool {
        promtool(&["test", "rules"], [self.tests(alert)]).await.0
    }
}

/// What an expression may be broken into: always, never, without one of its alternatives, or compared otherwise.
fn mutants(expression: &str) -> Vec<String> {
    let mut mutants = vec!["vector(1)".to_owned(), "vector(1) > 1".to_owned()];
    let (mut depth, mut ends) = (0, Vec::new());
    let tokens = tokens(expression);
    for (index, token) in tokens.iter().enumerate() {
        let next = tokens.get(index + 1).map_or("", |next| next.text);
        let other = match token.text {
            "==" => "!=",
            ">" => "<",
            "<" => ">",
            "and" if next == "on" => "unless",
            "unless" if next == "on" => "and",
            "(" | "{" | "[" => {
                depth += 1;
                continue;
            }
            ")" | "}" | "]" => {
                depth -= 1;
                continue;
            }
            "or" if depth == 0 => {
                // The labels of `or on (…)` go with it.
                let labels = tokens[index..].iter().position(|token| token.text == ")");
                let after = if next == "on" {
                    labels.expect("it is closed") + 1
                } else {
                    1
                };
                ends.push((token.at, tokens[index + after].at));
                continue;
            }
            _ => continue,
        };
        mutants.push(replaced(expression, token.at, token.at + token.text.len(), other));
    }
    for (index, &(or, after)) in ends.iter().enumerate() {
        let next = ends.get(index + 1).map_or(expression.len(), |next| next.0);
        mutants.push(replaced(expression, or, next, ""));
        if index == 0 {
            mutants.push(replaced(expression, 0, after, ""));
        }
    }
    mutants
}

/// A text with another in place of a part.
fn replaced(text: &str, from: usize, to: usize, other: &str) -> String {
    let ((before, _), (_, after)) = (text.split_at(from), text.split_at(to));
    format!("{before}{other}{after}")
}

/// A file of rules.
#[derive(Debug, Deserialize, Serialize)]
struct Groups {
    groups: Vec<Group>,
}

#[derive(Debug, Deserialize, Serialize)]
struct Group {
    name: String,
    rules: Vec<Rule>,
}

#[derive(Debug, Clone, Deserialize, Serialize)]
#[serde(deny_unknown_fields)]
struct Rule {
    #[serde(skip_serializing_if = "Option::is_none")]
    alert: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    record: Option<String>,
    expr: String,
    #[serde(rename = "for", skip_serializing_if = "Option::is_none")]
    wait: Option<String>,
    #[serde(default, skip_serializing_if = "Value::is_null")]
    labels: Value,
    #[serde(default, skip_serializing_if = "Value::is_null")]
    annotations: Value,
}

/// A file of tests.
#[derive(Debug, Deserialize)]
struct Tests {
    tests: Vec<Test>,
}

#[derive(Debug, Deserialize)]
struct Test {
    name: String,
    alert_rule_test: Vec<AlertTest>,
}

#[derive(Debug, Deserialize)]
struct AlertTest {
    alertname: String,
    exp_alerts: Vec<Value>,
}

impl Groups {
    fn rules(&self) -> impl Iterator<Item = &Rule> {
        self.groups.iter().flat_map(|group| &group.rules)
    }
}

impl Rule {
    fn name(&self) -> &str {
        self.alert.as_deref().expect("it is an alert")
    }
}

/// What a rule names; `ALERTS` has whatever labels its alert has.
fn names(rule: &Rule) -> Names {
    let mut names = Names::of(&rule.expr);
    names.metrics.remove("ALERTS");
    names
}

fn rules() -> Vec<(PathBuf, Groups)> {
    let mut files = files("rules");
    // What is recorded first is used by the others.
    files.sort_by_key(|file| file.file_stem() != Some(OsStr::new("recording")));
    files
        .into_iter()
        .map(|file| {
            let groups = read(&file);
            (file, groups)
        })
        .collect()
}

fn alerts() -> Vec<Rule> {
    let rules = rules();
    let alerts = rules.iter().flat_map(|(_, groups)| groups.rules());
    alerts.filter(|rule| rule.alert.is_some()).cloned().collect()
}

/// The tests of an alert: `CloudInstanceStopped` has `cloud-instance-stopped.yml`.
fn tests_of(alert: &str) -> PathBuf {
    let mut name = String::new();
    for letter in alert.chars() {
        if letter.is_ascii_uppercase() && !name.is_empty() {
            name.push('-');
        }
        name.push(letter.to_ascii_lowercase());
    }
    home().join("tests").join(format!("{name}.yml"))
}

/// A YAML file, by the reader that the settings have.
fn read<T: DeserializeOwned>(file: &Path) -> T {
    let text = fs::read_to_string(file).unwrap_or_else(|error| panic!("{}: {error}", file.display()));
    let read = Config::builder()
        .add_source(File::from_str(&text, FileFormat::Yaml))
        .build();
    read.and_then(Config::try_deserialize)
        .unwrap_or_else(|error| panic!("{}: {error}", file.display()))
}

fn files(folder: &str) -> Vec<PathBuf> {
    let entries = fs::read_dir(home().join(folder)).expect("there is such a folder");
    let mut files: Vec<_> = entries
        .map(|entry| entry.expect("the folder can be read").path())
        .collect();
    files.sort();
    files
}

fn home() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("deploy/prometheus")
}

/// Whether promtool is content, and what it said.
async fn promtool(arguments: &[&str], files: impl IntoIterator<Item = impl AsRef<Path>>) -> (bool, String) {
    let mut promtool = command(part("TEST_PROMTOOL", "target/prometheus/promtool"));
    promtool.args(arguments);
    for file in files {
        promtool.arg(file.as_ref());
    }
    let output = promtool.output().await.expect("promtool starts");
    let said = String::from_utf8_lossy(&[output.stdout, output.stderr].concat()).into_owned();
    (output.status.success(), said)
}
