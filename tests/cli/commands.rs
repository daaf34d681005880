//! What commands print that need no cloud: help, version, metrics, the settings in force.

use std::collections::BTreeMap;
use std::process::Stdio;

use ::vigie::demo::Options;
use secrecy::ExposeSecret as _;

use crate::demo::Demo;
use crate::page::Page;
use crate::vigie::{run, vigie};

const COMMANDS: [&str; 12] = [
    "run",
    "once",
    "bootstrap",
    "rotate",
    "teardown",
    "audit",
    "check",
    "metrics",
    "health",
    "demo",
    "man",
    "completions",
];

#[tokio::test]
async fn help_of_every_command_ends_with_an_example() {
    for command in COMMANDS {
        let run = run(&mut vigie(&[command, "--help"])).await;

        assert_eq!((run.code, run.stderr.as_str()), (Some(0), ""), "{command}");
        let (_, example) = run.stdout.rsplit_once("Example:\n").expect("there is an example");
        for line in example.lines() {
            assert!(
                line.starts_with(&format!("  vigie {command}")),
                "{command}: {line}"
            );
        }
    }
    let run = run(&mut vigie(&["--help"])).await;
    assert_eq!(run.code, Some(0));
    assert!(run.stdout.ends_with("\n  vigie demo\n"), "{}", run.stdout);
    for command in COMMANDS {
        assert!(run.stdout.contains(&format!("\n  {command} ")), "{}", run.stdout);
    }
}

#[tokio::test]
async fn version_is_that_of_the_package() {
    let run = run(&mut vigie(&["--version"])).await;
    assert_eq!(run.code, Some(0));
    assert_eq!(run.stdout, concat!("vigie ", env!("CARGO_PKG_VERSION"), "\n"));
}

/// A family as `vigie metrics` lists it.
#[derive(Debug, PartialEq)]
struct Listed {
    kind: String,
    labels: Vec<String>,
    help: String,
}

#[tokio::test]
async fn metrics_lists_the_same_as_text_and_as_markdown() {
    let (plain, markdown) = (listed().await, listed_as_markdown().await);
    assert!(plain.len() > 30, "{plain:?}");
    assert_eq!(plain, markdown);
}

#[tokio::test]
async fn listed_metrics_follow_the_naming_of_prometheus() {
    for (name, Listed { kind, labels, help }) in listed().await {
        let good = |name: &str| {
            let letters = |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit() || byte == b'_';
            name.bytes().all(letters)
                && !name.contains("__")
                && name.starts_with(|c: char| c.is_ascii_lowercase())
        };
        assert!(good(&name), "{name}");
        assert_eq!(kind == "counter", name.ends_with("_total"), "{name} is a {kind}");
        let units = [
            "_milliseconds",
            "_minutes",
            "_hours",
            "_ms",
            "_count",
            "_sum",
            "_bucket",
            "_created",
        ];
        assert!(!units.iter().any(|suffix| name.ends_with(suffix)), "{name}");
        assert!(
            !name.contains("timestamp") || name.ends_with("_timestamp_seconds"),
            "{name}"
        );
        assert!(
            ["gauge", "counter", "histogram"].contains(&kind.as_str()),
            "{name}: {kind}"
        );
        for label in &labels {
            assert!(good(label.replace("<name>", "x").as_str()), "{name}: {label}");
            assert!(
                !["le", "quantile", "job", "instance"].contains(&label.as_str()),
                "{name}: {label}"
            );
        }
        assert!(help.ends_with('.'), "{name}: {help}");
        if name.starts_with("cloud_") {
            assert_eq!(&labels[..2], ["account", "region"], "{name}");
        }
    }
}

#[tokio::test]
async fn everything_on_a_page_of_the_demo_is_listed() {
    let demo = Demo::start(::vigie::demo::Options::default()).await;
    let page = run(vigie(&["once", "--config"]).arg(demo.settings("", "tags = [\"*\"]"))).await;
    assert_eq!(page.code, Some(0), "{}", page.stderr);
    let listed = listed().await;

    let kinds: BTreeMap<&str, &str> = page
        .stdout
        .lines()
        .filter_map(|line| line.strip_prefix("# TYPE ")?.split_once(' '))
        .collect();
    assert!(kinds.contains_key("cloud_instance_state") && kinds.contains_key("vigie_poll_success"));
    for (name, kind) in &kinds {
        assert_eq!(
            listed.get(*name).map(|listed| listed.kind.as_str()),
            Some(*kind),
            "{name}"
        );
    }
    for (series, _) in Page::parse(&page.stdout).samples() {
        let of_histogram = ["_bucket", "_sum", "_count"].into_iter();
        let family = of_histogram.filter_map(|suffix| series.name.strip_suffix(suffix));
        let family = family
            .chain([series.name.as_str()])
            .find_map(|name| listed.get(name));
        let family = family.unwrap_or_else(|| panic!("{} is not listed", series.name));
        for label in series.labels.keys() {
            let known = family.labels.contains(label)
                || (label.starts_with("tag_") && family.labels.contains(&"tag_<name>".to_owned()))
                || (label == "le" && family.kind == "histogram");
            assert!(known, "{series:?} has a label that is not listed");
        }
    }
}

#[tokio::test]
async fn settings_that_check_prints_load_again() {
    let demo = Demo::start(::vigie::demo::Options::default()).await;
    let head = "interval = \"90s\"\nlog_format = \"json\"";
    let tail = "tags = [\"env\", \"ünïcode \\\"quoted\\\"\"]\nstate_series = \"current\"\n[kinds.instances]\ninterval = \"2m\"";
    let printed = run(vigie(&["check", "--config"]).arg(demo.settings(head, tail))).await;
    assert_eq!((printed.code, printed.stderr.as_str()), (Some(0), ""));
    assert!(
        !printed
            .stdout
            .contains(demo.key.secret_access_key.expose_secret()),
        "the secret is told"
    );
    let forecast = "#   demo eu-west-2 instances: 1 a poll, 30 an hour; 1 more a poll for every further 1000 that \
                    DescribeInstances lists\n";
    assert!(printed.stdout.contains(forecast), "{}", printed.stdout);

    let home = tempfile::tempdir().expect("a temporary folder can be made");
    let file = home.path().join("again.toml");
    std::fs::write(&file, &printed.stdout).expect("the settings can be written");
    let mut again = vigie(&["check", "--config"]);
    let again = run(again.arg(&file)).await;

    assert_eq!((again.code, again.stderr.as_str()), (Some(0), ""));
    assert_eq!(again.stdout, printed.stdout);
}

async fn listed() -> BTreeMap<String, Listed> {
    let run = run(&mut vigie(&["metrics"])).await;
    assert_eq!((run.code, run.stderr.as_str()), (Some(0), ""));
    let mut families = BTreeMap::new();
    let mut lines = run.stdout.lines().peekable();
    while let Some(head) = lines.next() {
        let (name, kind) = head.split_once(" (").expect("a name and a type");
        let labels = lines.next_if(|line| line.starts_with("  labels: "));
        let labels = labels.map_or_else(Vec::new, |line| {
            let names = line.trim_start_matches("  labels: ").split(", ");
            names.map(str::to_owned).collect()
        });
        let help = lines.next().expect("a help").trim_start().to_owned();
        let kind = kind.trim_end_matches(')').to_owned();
        let before = families.insert(name.to_owned(), Listed { kind, labels, help });
        assert_eq!(before, None, "{name} is listed twice");
    }
    families
}

async fn listed_as_markdown() -> BTreeMap<String, Listed> {
    let run = run(&mut vigie(&["metrics", "--markdown"])).await;
    assert_eq!((run.code, run.stderr.as_str()), (Some(0), ""));
    let rows = run.stdout.lines().skip(2).map(|row| {
        let cells: Vec<&str> = row.trim_matches('|').split(" | ").map(str::trim).collect();
        let [name, kind, labels, help] = cells[..] else {
            panic!("not four cells: {row}")
        };
        let labels = labels.split(", ").filter(|label| !label.is_empty());
        let listed = Listed {
            kind: kind.to_owned(),
            labels: labels.map(|label| label.trim_matches('`').to_owned()).collect(),
            help: help.to_owned(),
        };
        (name.trim_matches('`').to_owned(), listed)
    });
    rows.collect()
}

#[tokio::test]
async fn manual_pages_and_completions_know_every_command() {
    let page = run(&mut vigie(&["man"])).await;
    assert_eq!((page.code, page.stderr.as_str()), (Some(0), ""));
    assert!(page.stdout.contains(".TH vigie 1"), "{}", page.stdout);
    let folder = tempfile::tempdir().expect("a temporary folder can be made");
    let written = run(vigie(&["man", "--out"]).arg(folder.path())).await;
    assert_eq!(written.code, Some(0), "{}", written.stderr);
    for command in COMMANDS {
        let page = folder.path().join(format!("vigie-{command}.1"));
        let page = std::fs::read_to_string(page).expect("every command has a page");
        assert!(page.contains(&format!(".TH vigie-{command} 1")), "{page}");
    }
    for shell in ["bash", "zsh", "fish"] {
        let script = run(&mut vigie(&["completions", shell])).await;
        assert_eq!(script.code, Some(0), "{}", script.stderr);
        for command in COMMANDS {
            assert!(script.stdout.contains(command), "{shell} does not know {command}");
        }
    }
    let nowhere = run(&mut vigie(&["man", "--out", "/nowhere/at/all"])).await;
    assert_eq!(nowhere.code, Some(1));
    assert!(
        nowhere.stderr.contains("is it a directory?"),
        "{}",
        nowhere.stderr
    );
    assert_eq!(run(&mut vigie(&["completions", "tcl"])).await.code, Some(64));
}

/// A disk that is full, or a collector of logs that is gone, is no reason to end.
#[tokio::test]
async fn log_that_cannot_be_written_ends_nothing() {
    let demo = Demo::start(Options::default()).await;
    let settings = demo.settings("", "kinds = [\"instances\"]");
    let full = std::fs::File::options()
        .write(true)
        .open("/dev/full")
        .expect("it is there");
    let mut vigie = vigie(&["once", "--config"]);
    vigie.arg(settings).env("VIGIE_LOG", "debug").stderr(full);
    // `output` would read the error stream in its place.
    let once = vigie.stdout(Stdio::piped()).spawn().expect("it starts");
    let output = once.wait_with_output().await.expect("it ends");
    assert_eq!(output.status.code(), Some(0), "{output:?}");
    assert!(String::from_utf8_lossy(&output.stdout).contains("cloud_instance_state"));
}
