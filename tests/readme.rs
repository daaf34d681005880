//! README.md holds what it promises: its expressions, its settings, and the list of metrics it points to.

#[path = "support/demo.rs"]
mod demo;
#[path = "support/parts.rs"]
mod parts;
#[path = "support/prometheus.rs"]
mod prometheus;
#[expect(dead_code, reason = "other tests need more of it")]
#[path = "support/vigie.rs"]
mod vigie;

use std::collections::BTreeSet;
use std::fmt::Write as _;
use std::fs;

use ::vigie::demo::{Event, Fault, Options};
use demo::Demo;
use jiff::{SignedDuration, Timestamp};
use parts::{command, get, part, wait_for};
use prometheus::{Element, Prometheus};
use secrecy::ExposeSecret as _;
use tempfile::TempDir;
use vigie::{Run, Running, run, vigie};

const README: &str = include_str!("../README.md");
const METRICS: &str = include_str!("../docs/metrics.md");

#[tokio::test]
async fn promtool_takes_every_expression() {
    let folder = tempfile::tempdir().expect("a temporary folder can be made");
    let rules: Vec<_> = expressions()
        .iter()
        .enumerate()
        .map(|(index, (_, expression))| serde_json::json!({"alert": format!("Rule{index}"), "expr": expression}))
        .collect();
    let count = rules.len();
    // JSON is YAML too.
    let file = folder.path().join("rules.yml");
    let groups = serde_json::json!({"groups": [{"name": "readme", "rules": rules}]});
    fs::write(&file, groups.to_string()).expect("the rules can be written");

    let promtool = command(part("TEST_PROMTOOL", "target/prometheus/promtool"))
        .args(["check", "rules"])
        .arg(file)
        .output()
        .await
        .expect("promtool starts");

    let said = String::from_utf8_lossy(&[promtool.stdout, promtool.stderr].concat()).into_owned();
    assert!(promtool.status.success(), "{said}");
    assert!(said.contains(&format!("{count} rules found")), "{said}");
}

/// An admin who may do what the README lists, and nothing else.
#[tokio::test]
async fn admin_needs_no_more_than_is_listed() {
    let (_, listed) = README
        .split_once("The admin's key needs these actions of `iam:`")
        .expect("the README lists them");
    let (listed, _) = listed.split_once("\n\n").expect("the list ends");
    let actions: Vec<String> = listed
        .split('`')
        .filter(|word| word.chars().next().is_some_and(char::is_uppercase))
        .map(|action| format!("iam:{action}"))
        .collect();
    let actions: Vec<&str> = actions.iter().map(String::as_str).collect();
    let options = Options {
        provider: ::vigie::provider::Provider::Aws,
        regions: vec!["eu-west-1".to_owned()],
        lock_out: false,
        ..Options::default()
    };
    let demo = Demo::start(options).await;
    let admin = demo.cloud.create_describe_only_user("admin", &actions);
    let folder = tempfile::tempdir().expect("a temporary folder can be made");
    let out = folder.path().join("credentials");
    let url = demo.cloud.url();
    let place = [
        "--provider",
        "aws",
        "--region",
        "eu-west-1",
        "--endpoint-url",
        &url,
    ];
    let as_admin = |command: &str| {
        let mut vigie = vigie(&[command]);
        vigie
            .args(place)
            .env("AWS_ACCESS_KEY_ID", &admin.access_key_id)
            .env("AWS_SECRET_ACCESS_KEY", admin.secret_access_key.expose_secret());
        vigie
    };
    let all = ["--describe-all", "--update-policy"];
    for (command, flags, needs_file) in [
        ("bootstrap", &[][..], true),
        ("bootstrap", &all[..], true),
        ("rotate", &["--grace", "0s", "--keep-old", "1s"], true),
        ("teardown", &["--yes"], false),
    ] {
        let mut vigie = as_admin(command);
        vigie.args(flags);
        if needs_file {
            vigie.arg("--out").arg(&out);
        }
        let run = run(&mut vigie).await;
        assert_eq!(run.code, Some(0), "{command}: {}", run.stderr);
    }
    let denied: BTreeSet<_> = demo
        .cloud
        .requests()
        .into_iter()
        .filter(|request| request.access_key_id == admin.access_key_id && request.status == 403)
        .map(|request| request.action)
        .collect();
    assert_eq!(denied, BTreeSet::new());
    let asked: BTreeSet<_> = demo
        .cloud
        .requests()
        .into_iter()
        .map(|request| request.action)
        .collect();
    let unused: Vec<_> = actions
        .iter()
        .filter_map(|action| action.strip_prefix("iam:"))
        .filter(|action| !asked.contains(*action))
        .collect();
    assert_eq!(
        unused,
        Vec::<&str>::new(),
        "what nothing asks for need not be listed"
    );
}

#[tokio::test]
async fn every_metric_of_an_expression_is_listed() {
    let listed = said(&["metrics", "--markdown"]).await;
    let expressions = expressions();
    let mut names = BTreeSet::new();
    for (_, expression) in &expressions {
        for name in names_in(expression) {
            let row = listed
                .lines()
                .find(|row| row.starts_with(&format!("| `{name}` |")));
            assert!(row.is_some(), "`{name}` of `{expression}` is not listed");
            names.insert(name);
        }
    }
    assert!(names.len() > 5, "{names:?}");
}

#[tokio::test]
async fn every_expression_answers_its_question() {
    let scene = Scene::start().await;
    for (question, expression) in expressions() {
        let found = scene.prometheus.wait_until(&expression).await;
        if question == "What is that instance called?" {
            let name = |instance: &Element| instance.metric.get("name").is_some_and(|name| !name.is_empty());
            assert!(found.iter().any(name), "{found:?}");
        }
        if question == "How much of the request budget is used?" {
            let places: BTreeSet<_> = found
                .iter()
                .map(|used| [&*used.metric["account"], &*used.metric["region"]])
                .collect();
            assert_eq!(places, PLACES.into(), "{found:?}");
            assert_eq!(found.len(), PLACES.len(), "a place is there twice: {found:?}");
            let in_budget = |used: &Element| (0.0..1.0).contains(&used.value());
            assert!(found.iter().all(in_budget), "{found:?}");
        }
    }
}

#[tokio::test]
async fn example_of_settings_is_good_and_shows_the_defaults() {
    let example = block("toml");
    let home = Home::new();
    let in_force = home.check(&example).await;
    assert!(
        in_force.contains("\n# Forecast of API calls"),
        "no forecast: {in_force}"
    );

    let (defaults, _) = example
        .split_once("[kinds.")
        .expect("one kind is polled otherwise");
    let needed: String = defaults
        .lines()
        .filter(|line| ["[[account]]", "name", "provider", "regions"].contains(&key_of(line)))
        .fold(String::new(), |text, line| text + line + "\n");
    assert_eq!(needed.lines().count(), 2 * 4, "two accounts: {needed}");
    assert_eq!(home.check(defaults).await, home.check(&needed).await);
}

#[tokio::test]
async fn every_key_of_the_example_that_is_commented_out_is_good() {
    let example = block("toml");
    let (mut whole, mut keys) = (String::new(), Vec::new());
    for line in example.lines() {
        let line = match line.strip_prefix("# ") {
            Some(commented) => {
                keys.push(key_of(commented));
                commented
            }
            None => line,
        };
        writeln!(whole, "{line}").expect("a string takes any text");
    }
    assert!(keys.len() > 5, "{keys:?}");

    let in_force = Home::new().check(&whole).await;

    for key in keys {
        let is_shown = |line: &str| key_of(line) == key || line.contains(&format!(".{key}]"));
        assert!(
            in_force.lines().any(is_shown),
            "`{key}` is not in force:\n{in_force}"
        );
    }
}

#[tokio::test]
async fn list_of_metrics_is_what_vigie_prints() {
    let (_, list) = METRICS.split_once("\n\n| ").expect("a table follows the heading");
    assert_eq!(format!("| {list}"), said(&["metrics", "--markdown"]).await);
}

/// A Prometheus as README.md sets it up, and a `vigie run` in three places, which begins to fail.
struct Scene {
    prometheus: Prometheus,
    _agent: Running,
    _demo: Demo,
}

impl Scene {
    async fn start() -> Self {
        let demo = Demo::start(Options {
            alive: false,
            regions: PLACES[1..]
                .iter()
                .map(|[_, region]| (*region).to_owned())
                .collect(),
            ..Options::default()
        })
        .await;
        // Something to answer every question with.
        let fleet = demo.cloud.fleet();
        let instance = fleet.add_instance();
        fleet.add_load_balancer("down", &[&instance]);
        assert!(fleet.set_backend_state("down", &instance, "OutOfService", "ELB"));
        assert!(
            fleet
                .instances()
                .iter()
                .any(|instance| instance.state == "stopped")
        );
        let event = Event {
            id: "instance-event-1".to_owned(),
            code: "system-maintenance".to_owned(),
            description: "scheduled maintenance".to_owned(),
            not_before: Timestamp::now() + SignedDuration::from_hours(24),
            not_after: None,
            deadline: None,
        };
        assert!(fleet.schedule(&instance, event));
        let url = demo.cloud.url();
        let other = format!(
            "[[account]]\nname = \"other\"\nprovider = \"outscale\"\nregions = [{:?}, {:?}]\n\
             credentials_file = \"credentials\"\nrequests_per_second = 100\nendpoints = {{ ec2 = {url:?}, elb = {url:?} }}",
            PLACES[1][1], PLACES[2][1]
        );
        let settings = demo.settings("listen = \"127.0.0.1:0\"\ninterval = \"1s\"", &other);
        let agent = Running::start(vigie(&["run", "--config"]).arg(settings));
        let address = agent
            .wait_to_say("its address", |said| {
                let (_, address) = said.split_once("listening on http://")?;
                address.split_whitespace().next().map(str::to_owned)
            })
            .await;
        wait_for("the agent to be ready", async || {
            get(&format!("http://{address}/-/ready")).await
        })
        .await;
        // The readings stay; the polls fail from now on.
        demo.cloud.inject("DescribeInstances", Fault::Html200, None);

        let scrapes = block("yaml").replace(LISTEN, &address);
        assert!(scrapes.contains(&address), "{LISTEN} is not scraped: {scrapes}");
        let scrapes = scrapes.strip_prefix("scrape_configs:\n");
        let prometheus = Prometheus::start(scrapes.expect("scrapes and nothing else")).await;
        Self {
            prometheus,
            _agent: agent,
            _demo: demo,
        }
    }
}

/// A folder with the files that the example of settings names.
struct Home {
    folder: TempDir,
}

impl Home {
    fn new() -> Self {
        let folder = tempfile::tempdir().expect("a temporary folder can be made");
        let file = |name: &str, text: &str| {
            fs::write(folder.path().join(name), text).expect("the file can be written");
        };
        file(
            "credentials",
            "[default]\naws_access_key_id = AKIAWATCHER\naws_secret_access_key = unchecked\n",
        );
        file("ca.pem", CERTIFICATE);
        file("web.yml", "");
        Self { folder }
    }

    /// What `vigie check` prints of good settings.
    async fn check(&self, settings: &str) -> String {
        let file = self.folder.path().join("vigie.toml");
        fs::write(&file, settings).expect("the settings can be written");
        let Run { code, stdout, stderr } = run(vigie(&["check", "--config"])
            .arg(file)
            .env("OSC_ACCESS_KEY", "AKIAWATCHER")
            .env("OSC_SECRET_KEY", "unchecked"))
        .await;
        assert_eq!(code, Some(0), "{stderr}\n{settings}");
        stdout
    }
}

/// What `vigie` prints.
async fn said(arguments: &[&str]) -> String {
    let run = run(&mut vigie(arguments)).await;
    assert_eq!(run.code, Some(0), "{}", run.stderr);
    run.stdout
}

/// The questions of README.md, each with an expression that answers it.
fn expressions() -> Vec<(String, String)> {
    let (_, table) = README
        .split_once("| question | expression |\n| --- | --- |\n")
        .expect("there is a table of expressions");
    let mut found = Vec::new();
    for row in table.lines().take_while(|line| line.starts_with('|')) {
        let cells: Vec<&str> = row.trim_matches('|').splitn(2, '|').map(str::trim).collect();
        let [question, expressions] = cells[..] else {
            panic!("not a question and its expression: {row}");
        };
        let quoted: Vec<&str> = expressions.split('`').skip(1).step_by(2).collect();
        assert!(!quoted.is_empty(), "no expression: {row}");
        found.extend(
            quoted
                .iter()
                .map(|expression| (question.to_owned(), (*expression).to_owned())),
        );
    }
    assert!(found.len() > 5, "{found:?}");
    found
}

/// The metrics that an expression names.
fn names_in(expression: &str) -> Vec<&str> {
    let of_a_name = |letter: char| letter.is_ascii_alphanumeric() || letter == '_' || letter == ':';
    expression
        .split(|letter| !of_a_name(letter))
        .filter(|word| word.starts_with("cloud_") || word.starts_with("vigie_"))
        .collect()
}

/// The first block of README.md in a language.
fn block(language: &str) -> String {
    let (_, rest) = README
        .split_once(&format!("\n```{language}\n"))
        .expect("there is such a block");
    let (block, _) = rest.split_once("```\n").expect("the block ends");
    block.to_owned()
}

/// The key of a line of TOML, or the line itself if it has none.
fn key_of(line: &str) -> &str {
    line.split_once('=').map_or(line, |(key, _)| key).trim()
}

/// Account and region.
const PLACES: [[&str; 2]; 3] = [
    ["demo", "eu-west-2"],
    ["other", "eu-west-2"],
    ["other", "us-east-2"],
];

/// Where `vigie run` listens unless told otherwise.
const LISTEN: &str = "127.0.0.1:9980";

/// A self-signed one, valid until 2126; its key is thrown away.
const CERTIFICATE: &str = "\
-----BEGIN CERTIFICATE-----
MIIBgDCCASegAwIBAgIUCDI5dtJVGyQr56xLJ0PvnkRdX0MwCgYIKoZIzj0EAwIw
FTETMBEGA1UEAwwKdmlnaWUgdGVzdDAgFw0yNjExMjIxOTIwMTFaGA8yMTI2MTAy
OTE5MjAxMVowFTETMBEGA1UEAwwKdmlnaWUgdGVzdDBZMBMGByqGSM49AgEGCCqG
SM49AwEHA0IABMpfOB94t+UbRXB5Q7Y9K/9qMHQFX8A7hetfB8/L+ogGV27iSViG
fw3KSGXZu61ZQjUwZTnHs+nRJV+ucfqNrUGjUzBRMB0GA1UdDgQWBBRZLpxUeNAu
zZeQmw/F+rfG01o1QzAfBgNVHSMEGDAWgBRZLpxUeNAuzZeQmw/F+rfG01o1QzAP
BgNVHRMBAf8EBTADAQH/MAoGCCqGSM49BAMCA0cAMEQCIEximm3ue4+f+F+apllJ
Ic9w5JFNO8yOZLVNSVLP5d9bAiB0Dn0uFX4EjEblVLn8T54twwRnMoVbqBCKYgQ+
kPHa+w==
-----END CERTIFICATE-----
";
