//! The dashboards show something: every query names what vigie lists, and has an answer from a real Prometheus that
//! scrapes two demos, one of each cloud.

#[expect(dead_code, reason = "other tests need more of it")]
#[path = "support/listed.rs"]
mod listed;
#[path = "support/parts.rs"]
mod parts;
#[expect(dead_code, reason = "other tests need more of it")]
#[path = "support/prometheus.rs"]
mod prometheus;
#[path = "support/promql.rs"]
mod promql;
#[expect(dead_code, reason = "other tests need more of it")]
#[path = "support/vigie.rs"]
mod vigie;

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::{Path, PathBuf};
use std::time::Duration;

use listed::Listed;
use parts::{command, free_port, part, wait_for};
use prometheus::{Element, Prometheus};
use promql::Names;
use serde_json::Value;
use tokio::time::{Instant, sleep};
use vigie::{Running, vigie};

#[tokio::test]
async fn every_name_in_a_query_is_listed() {
    let listed = Listed::by_vigie().await;
    let mut count = 0;
    for (_, board) in boards() {
        for query in queries(&board).into_iter().chain(annotations(&board)) {
            listed.check(&query.expression, &Names::of(&query.expression));
            count += 1;
        }
        for (metric, label) in variables(&board) {
            let expression = filled(&format!("count by ({label}) ({metric})"));
            listed.check(&expression, &Names::of(&expression));
        }
    }
    assert!(count > 60, "{count}");
}

/// Each query has an answer at some time, with the labels that its panel shows.
#[tokio::test]
async fn no_panel_is_empty_on_the_demo() {
    let demos = [demo("outscale").await, demo("aws").await];
    let [outscale, aws] = [&demos[0].0, &demos[1].0];
    let scrapes = format!(
        "- {{ job_name: vigie, static_configs: [{{ targets: ['127.0.0.1:{outscale}', '127.0.0.1:{aws}'] }}] }}\n"
    );
    let prometheus = Prometheus::start(&scrapes).await;

    let mut open: Vec<Query> = boards().iter().flat_map(|(_, board)| queries(board)).collect();
    for (_, board) in boards() {
        open.extend(annotations(&board).into_iter().map(|query| Query {
            // There was no restart yet; what would tell of one is there.
            expression: query.expression.replace("> 0", ">= 0"),
            ..query
        }));
        open.extend(variables(&board).into_iter().map(|(metric, label)| Query {
            panel: format!("variable {label}"),
            expression: filled(&format!("count by ({label}) ({metric})")),
            labels: [label].into(),
        }));
    }
    let deadline = Instant::now() + LONGEST;
    let mut shown: BTreeMap<String, BTreeSet<String>> = BTreeMap::new();
    let mut answered = Vec::new();
    loop {
        let mut left = Vec::new();
        for query in open {
            let answer = prometheus.query(&query.expression).await;
            let answer = answer.unwrap_or_else(|error| panic!("{query:?}: {error}"));
            let labels: BTreeSet<String> = answer.iter().flat_map(labels_of).collect();
            let is_value = |element: &Element| !element.value().is_nan() || query.may_be_nan();
            let is_answered = answer.iter().any(is_value) && labels.is_superset(&query.labels);
            shown.entry(query.panel.clone()).or_default().extend(labels);
            if is_answered {
                answered.push(query);
            } else {
                left.push(query);
            }
        }
        open = left;
        let missing = missing(&shown);
        // An answer without a column of its table may have come too early: another cloud has more to say.
        let lacks = |query: &Query| missing.iter().any(|(panel, _)| *panel == query.panel);
        open.extend(answered.extract_if(.., |query| lacks(query)));
        if open.is_empty() {
            break;
        }
        assert!(
            Instant::now() < deadline,
            "no answer, or one without a label that is shown: {open:#?}\ncolumns without a value: {missing:#?}"
        );
        sleep(Duration::from_secs(1)).await;
    }
}

#[tokio::test]
async fn dashboards_are_what_the_script_writes() {
    let folder = tempfile::tempdir().expect("a temporary folder can be made");
    let python = part("TEST_PYTHON", "target/python/bin/python");
    let run = command(python)
        .arg(home().join("generate.py"))
        .arg(folder.path())
        .output()
        .await
        .expect("Python starts");
    assert!(run.status.success(), "{}", String::from_utf8_lossy(&run.stderr));
    for (file, _) in boards() {
        let name = file.file_name().expect("a file has a name");
        let written = fs::read_to_string(folder.path().join(name)).expect("the script writes it");
        let kept = fs::read_to_string(&file).expect("it can be read");
        assert!(
            written == kept,
            "{name:?} is not what dashboards/generate.py writes: run it"
        );
    }
}

#[test]
fn panels_are_explained_and_lie_beside_each_other() {
    for (file, board) in boards() {
        let (mut taken, mut ids) = (BTreeSet::new(), BTreeSet::new());
        for panel in list(&board["panels"]) {
            let at = |key: &str| panel["gridPos"][key].as_u64().expect("it is a number");
            assert!(ids.insert(panel["id"].to_string()), "{}: {panel}", file.display());
            for (x, y) in
                (at("x")..at("x") + at("w")).flat_map(|x| (at("y")..at("y") + at("h")).map(move |y| (x, y)))
            {
                assert!(
                    x < 24 && taken.insert((x, y)),
                    "{} lies on another",
                    panel["title"]
                );
            }
            assert!(!text(&panel["title"]).is_empty(), "{panel}");
            if panel["type"] != "row" {
                assert!(text(&panel["description"]).ends_with('.'), "{}", panel["title"]);
                assert_eq!(panel["datasource"]["uid"], "${datasource}", "{}", panel["title"]);
                let unit = &panel["fieldConfig"]["defaults"]["unit"];
                let has_axis = ["stat", "timeseries"].contains(&text(&panel["type"]));
                assert!(!has_axis || unit.is_string(), "{} has no unit", panel["title"]);
            }
        }
    }
}

/// Grafana shows the names of its palette as light and dark need; a colour of our own it would not.
#[test]
fn colours_are_names_of_the_palette() {
    for (file, board) in boards() {
        each(&board, &mut |key, value| {
            if let ("color" | "fixedColor" | "iconColor", Value::String(colour)) = (key, value) {
                assert!(PALETTE.contains(&colour.as_str()), "{}: {colour}", file.display());
            }
        });
    }
}

#[test]
fn links_lead_to_dashboards_and_carry_what_those_ask_for() {
    let boards = boards();
    let mut count = 0;
    for (file, board) in &boards {
        assert_eq!(
            board["links"][0]["tags"],
            board["tags"],
            "{} leads nowhere",
            file.display()
        );
        each(board, &mut |key, value| {
            let Some((uid, parameters)) = Some(value)
                .filter(|_| key == "url")
                .and_then(Value::as_str)
                .and_then(|url| url.strip_prefix("/d/")?.split_once('?'))
            else {
                return;
            };
            let to = boards.iter().find(|(_, board)| board["uid"] == uid);
            let (_, to) = to.unwrap_or_else(|| panic!("there is no dashboard {uid}"));
            let names: BTreeSet<_> = list(&to["templating"]["list"])
                .iter()
                .map(|variable| text(&variable["name"]))
                .collect();
            for carried in parameters
                .split('&')
                .filter_map(|parameter| parameter.strip_prefix("var-"))
            {
                let name = carried.split('=').next().expect("a split has a first part");
                assert!(names.contains(name), "{uid} has no variable {name}");
            }
            count += 1;
        });
    }
    assert!(count > 3, "{count}");
}

/// A query of a panel, its variables filled in.
#[derive(Debug)]
struct Query {
    panel: String,
    expression: String,
    /// The labels that the legend names.
    labels: BTreeSet<String>,
}

impl Query {
    /// A quantile of nothing is not a number; a key that never expires is shown so on purpose.
    fn may_be_nan(&self) -> bool {
        self.expression.contains("* NaN")
    }
}

/// A demo of a cloud, and the port at which its agent answers.
async fn demo(provider: &str) -> (u16, Running) {
    let port = free_port();
    let listen = format!("127.0.0.1:{port}");
    let running = Running::start(&mut vigie(&["demo", "--provider", provider, "--listen", &listen]));
    wait_for("the demo to be ready", async || {
        let ready = parts::get(&format!("http://{listen}/-/ready")).await;
        ready.map_err(|error| format!("{error}\n{}", running.said()))
    })
    .await;
    (port, running)
}

/// The columns of tables that no answer had a label for.
fn missing(shown: &BTreeMap<String, BTreeSet<String>>) -> Vec<(String, String)> {
    let mut missing = Vec::new();
    for (_, board) in boards() {
        for panel in list(&board["panels"]) {
            let name = name_of(&board, panel);
            for step in panel["transformations"].as_array().into_iter().flatten() {
                for column in step["options"]["include"]["names"]
                    .as_array()
                    .into_iter()
                    .flatten()
                {
                    let column = text(column);
                    let is_there = column.starts_with("Value")
                        || OPTIONAL.contains(&column)
                        || shown.get(&name).is_some_and(|labels| labels.contains(column));
                    if !is_there {
                        missing.push((name.clone(), column.to_owned()));
                    }
                }
            }
        }
    }
    missing
}

fn queries(board: &Value) -> Vec<Query> {
    let mut queries = Vec::new();
    for panel in list(&board["panels"]) {
        let targets = panel["targets"].as_array().map_or(&[][..], Vec::as_slice);
        assert!(
            panel["type"] == "row" || !targets.is_empty(),
            "{} asks nothing",
            panel["title"]
        );
        for target in targets {
            let legend = text(&target["legendFormat"]);
            let labels = legend
                .split("{{")
                .skip(1)
                .map(|rest| rest.split("}}").next().expect("a split has a first part"));
            queries.push(Query {
                panel: name_of(board, panel),
                expression: filled(text(&target["expr"])),
                labels: labels
                    .filter(|label| !OPTIONAL.contains(label))
                    .map(str::to_owned)
                    .collect(),
            });
        }
    }
    queries
}

fn annotations(board: &Value) -> Vec<Query> {
    let annotations = list(&board["annotations"]["list"]).iter();
    annotations
        .map(|annotation| Query {
            panel: text(&annotation["name"]).to_owned(),
            expression: filled(text(&annotation["expr"])),
            labels: BTreeSet::new(),
        })
        .collect()
}

/// What variables list the values of: a selector and a label.
fn variables(board: &Value) -> Vec<(String, String)> {
    let variables = list(&board["templating"]["list"]).iter();
    variables
        .filter(|variable| variable["type"] == "query")
        .map(|variable| {
            let query = text(&variable["query"]["query"]);
            let inside = query
                .strip_prefix("label_values(")
                .and_then(|query| query.strip_suffix(')'));
            let (metric, label) = inside
                .and_then(|inside| inside.rsplit_once(", "))
                .expect("it lists values");
            (metric.to_owned(), label.to_owned())
        })
        .collect()
}

fn labels_of(element: &Element) -> Vec<String> {
    element.metric.keys().cloned().collect()
}

/// A query as Grafana would send it, with everything selected.
fn filled(query: &str) -> String {
    let filled = VALUES.iter().fold(query.to_owned(), |query, (name, value)| {
        query.replace(name, value)
    });
    assert!(!filled.contains('$'), "a variable has no value: {filled}");
    filled
}

fn name_of(board: &Value, panel: &Value) -> String {
    format!(
        "{} / {} {}",
        text(&board["title"]),
        text(&panel["title"]),
        panel["id"]
    )
}

fn each(value: &Value, look: &mut dyn FnMut(&str, &Value)) {
    match value {
        Value::Object(fields) => {
            for (key, value) in fields {
                look(key, value);
                each(value, look);
            }
        }
        Value::Array(values) => values.iter().for_each(|value| each(value, look)),
        _ => {}
    }
}

fn boards() -> Vec<(PathBuf, Value)> {
    let mut files: Vec<PathBuf> = fs::read_dir(home())
        .expect("there are dashboards")
        .map(|entry| entry.expect("the folder can be read").path())
        .filter(|file| file.extension().is_some_and(|extension| extension == "json"))
        .collect();
    files.sort();
    assert_eq!(files.len(), 4, "{files:?}");
    files
        .into_iter()
        .map(|file| {
            let text = fs::read_to_string(&file).expect("it can be read");
            let board = serde_json::from_str(&text).expect("it is JSON");
            (file, board)
        })
        .collect()
}

fn home() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("dashboards")
}

fn list(value: &Value) -> &[Value] {
    value.as_array().expect("it is a list")
}

fn text(value: &Value) -> &str {
    value.as_str().unwrap_or_else(|| panic!("it is a text: {value}"))
}

/// Everything is selected; times are as short as the test.
const VALUES: [(&str, &str); 7] = [
    ("$__rate_interval", "30s"),
    ("$__interval", "30s"),
    ("$__range", "1m"),
    ("$account", ".*"),
    ("$region", ".*"),
    ("$load_balancer", ".*"),
    ("$instance_id", ".+"),
];

/// Labels that only some resources of some clouds have.
const OPTIONAL: [&str; 5] = ["target_group", "target", "port", "platform", "revision"];

/// The demo's fleet does everything it can within 40 of its seconds; the rest is for the sake of a busy machine.
const LONGEST: Duration = Duration::from_secs(180);

const PALETTE: [&str; 6] = ["green", "orange", "red", "blue", "purple", "yellow"];
