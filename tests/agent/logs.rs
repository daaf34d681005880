//! The log: one line for each event, with the names that are documented, and no flood.

use std::collections::BTreeMap;
use std::fs;
use std::io;
use std::path::Path;
use std::sync::{Arc, Mutex};

use serde_json::{Map, Value};
use tracing::subscriber::DefaultGuard;
use vigie::cli::log;
use vigie::config::LogFormat;
use vigie::demo::{Cloud, Fault, Options};
use vigie::provider::Provider;

use crate::bench::{
    Account, Bench, CANARY, certificate, cloud, pass, still, still_aws, watcher, with_wrong_secret,
};

type Line = Map<String, Value>;

/// What is logged on this thread while it stands.
struct Log {
    written: Arc<Mutex<Vec<u8>>>,
    _guard: DefaultGuard,
}

struct Writer(Arc<Mutex<Vec<u8>>>);

impl io::Write for Writer {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.0.lock().unwrap().write(bytes)
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

impl Log {
    fn start() -> Self {
        let written: Arc<Mutex<Vec<u8>>> = Arc::default();
        let to = Arc::clone(&written);
        let writer = move || Writer(Arc::clone(&to));
        let lines = log::lines(LogFormat::Json, "warn,vigie=info".parse().unwrap(), false, writer);
        Self {
            written,
            _guard: tracing::subscriber::set_default(lines),
        }
    }

    /// The lines since the last time, each of which is as it is documented.
    fn lines(&self) -> Vec<Line> {
        let bytes = std::mem::take(&mut *self.written.lock().unwrap());
        let text = String::from_utf8(bytes).unwrap();
        assert!(!text.contains(CANARY), "a secret is in the log");
        let events = documented();
        let lines = text.lines().map(|line| serde_json::from_str(line).unwrap());
        lines.inspect(|line| check(line, &events)).collect()
    }

    /// The lines with this message, since the last time.
    fn of(&self, message: &str) -> Vec<Line> {
        let lines = self.lines().into_iter();
        lines.filter(|line| line["message"] == message).collect()
    }
}

/// By the message, up to where it differs: level and fields, as `docs/logs.md` has them.
fn documented() -> BTreeMap<String, (String, Vec<String>)> {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("docs/logs.md");
    let text = fs::read_to_string(path).unwrap();
    let rows = text.lines().filter(|line| line.starts_with("| `"));
    let events: BTreeMap<_, _> = rows
        .map(|row| {
            let cells: Vec<&str> = row.trim_matches('|').split(" | ").map(str::trim).collect();
            let message = cells[0].trim_matches('`').split('…').next().unwrap();
            let fields = cells[2]
                .split_whitespace()
                .map(|field| field.trim_matches('`').to_owned());
            (message.to_owned(), (cells[1].to_owned(), fields.collect()))
        })
        .collect();
    assert!(events.len() > 40, "{events:?}");
    events
}

fn check(line: &Line, events: &BTreeMap<String, (String, Vec<String>)>) {
    let message = line["message"].as_str().unwrap();
    let event = events
        .iter()
        .find(|(known, _)| message.starts_with(known.as_str()));
    let (_, (level, fields)) = event.unwrap_or_else(|| panic!("docs/logs.md lacks {line:?}"));
    assert_eq!(line["level"], level.as_str(), "{line:?}");
    let of_all = ["timestamp", "level", "message"];
    for name in line.keys().filter(|name| !of_all.contains(&name.as_str())) {
        assert!(
            fields.contains(name),
            "docs/logs.md lacks the field {name} of {line:?}"
        );
    }
    line["timestamp"]
        .as_str()
        .unwrap()
        .parse::<jiff::Timestamp>()
        .unwrap();
}

fn texts<const N: usize>(line: &Line, names: [&str; N]) -> [String; N] {
    names.map(|name| match line.get(name) {
        Some(Value::String(text)) => text.clone(),
        Some(other) => other.to_string(),
        None => String::new(),
    })
}

async fn running(cloud: &Cloud, head: &str, kinds: &'static str) -> Bench {
    let account = Account {
        lines: kinds,
        ..Account::new(cloud, &watcher(cloud))
    };
    let mut bench = Bench::new(head, &[account]);
    bench.start();
    pass(5).await;
    bench
}

const INSTANCES: &str = "kinds = [\"instances\"]";
const FAILS: &str = "polling fails; the last reading stays until it is too old";

#[tokio::test(start_paused = true)]
async fn failure_that_goes_on_is_one_line_in_ten_minutes() {
    let cloud = cloud(still()).await;
    let log = Log::start();
    let _bench = running(&cloud, "", INSTANCES).await;
    assert!(log.of(FAILS).is_empty());

    cloud.inject("DescribeInstances", Fault::Html200, None);
    pass(35 * 60).await;
    let failing: Vec<_> = (log.of(FAILS).iter())
        .map(|line| texts(line, ["account", "region", "kind", "reason", "count"]).join(" "))
        .collect();
    let line = |count: u32| format!("prod eu-west-2 instances malformed {count}");
    assert_eq!(failing, [line(1), line(10), line(10), line(10)]);

    // Another reason is told at once.
    cloud.clear_faults();
    cloud.inject("DescribeInstances", Fault::Status(404), None);
    pass(60).await;
    let [line] = &log.of(FAILS)[..] else {
        panic!("one line")
    };
    assert_eq!(texts(line, ["reason", "count"]), ["other", "1"]);

    cloud.clear_faults();
    pass(60).await;
    let [over] = &log.of("polling succeeds again")[..] else {
        panic!("one line")
    };
    assert_eq!(texts(over, ["failures", "objects"]), ["36", "24"]);
    let lasted = over["seconds"].as_u64().unwrap();
    assert!((35 * 60..37 * 60).contains(&lasted), "{over:?}");
    pass(20 * 60).await;
    assert!(log.lines().is_empty());
}

#[tokio::test(start_paused = true)]
async fn reading_that_leaves_the_page_is_told_once() {
    let cloud = cloud(still()).await;
    let log = Log::start();
    let _bench = running(&cloud, "", INSTANCES).await;
    for _ in 0..2 {
        cloud.inject("DescribeInstances", Fault::Html200, None);
        pass(15 * 60).await;
        let gone = log.of("the last reading is too old: it has left the page");
        assert_eq!(gone.len(), 1, "{gone:?}");
        cloud.clear_faults();
        pass(60).await;
    }
}

#[tokio::test(start_paused = true)]
async fn poll_whose_reading_is_too_old_before_the_next_is_told() {
    let cloud = cloud(still()).await;
    let log = Log::start();
    let _bench = running(&cloud, "stale_after = \"65s\"", INSTANCES).await;
    let is_slow = |line: &Line| {
        let message = line["message"].as_str().unwrap();
        message.starts_with("a poll takes so long")
    };
    let slow = || log.lines().into_iter().filter(is_slow).collect::<Vec<_>>();
    pass(5 * 60).await;
    assert!(slow().is_empty());
    let late = std::time::Duration::from_secs(10);
    cloud.inject("DescribeInstances", Fault::Delay(late), None);
    pass(5 * 60).await;
    let told = slow();
    assert_eq!(told.len(), 1, "{told:?}");
    assert!(told[0]["seconds"].as_f64().unwrap() >= 10.0, "{told:?}");
    cloud.clear_faults();
    pass(3 * 60).await;
    let over: Vec<Line> = (log.lines().into_iter())
        .filter(|line| line["message"] == "polls are quick enough again")
        .collect();
    assert_eq!(over.len(), 1, "{over:?}");
    assert!(over[0]["failures"].as_u64().unwrap() >= 3, "{over:?}");
}

#[tokio::test(start_paused = true)]
async fn odd_object_and_a_refused_key_are_told_now_and_then() {
    let cloud = cloud(still()).await;
    let log = Log::start();
    let bench = running(&cloud, "", INSTANCES).await;
    cloud
        .fleet()
        .add_raw_instance("<item><instanceId>i-odd&#27;[2J</instanceId></item>");
    pass(21 * 60).await;
    let odd = log.of("objects that cannot be understood are left out; the others are shown");
    let counts: Vec<_> = odd.iter().map(|line| line["count"].as_u64().unwrap()).collect();
    assert_eq!(counts, [1, 10, 10]);

    let key = cloud.create_describe_only_user("another", &["ec2:DescribeInstances"]);
    bench.change_key("prod", &with_wrong_secret(&key));
    pass(3 * 3600).await;
    let lines = log.lines();
    let refused = lines.iter().filter(|line| {
        let message = line["message"].as_str().unwrap();
        message.starts_with("the cloud refuses the key")
    });
    let told: Vec<_> = refused
        .map(|line| ["refusals", "next_try_seconds"].map(|name| line[name].as_u64().unwrap()))
        .collect();
    // The breaker tries three times a minute apart, and then more and more seldom.
    assert!(matches!(told[..2], [[1, 59..=60], [3, 899..=900]]), "{told:?}");
    bench.change_key("prod", &key);
    pass(3600).await;
    assert_eq!(log.of("the cloud takes the key again").len(), 1);
}

#[tokio::test(start_paused = true)]
async fn instance_that_changes_its_state_is_a_line_with_its_reason() {
    let cloud = cloud(still()).await;
    let fleet = cloud.fleet();
    let ids: Vec<String> = (fleet.instances().iter())
        .filter(|instance| instance.state == "running")
        .map(|instance| instance.id.clone())
        .collect();
    let log = Log::start();
    let _bench = running(&cloud, "stale_after = \"5m\"", INSTANCES).await;
    assert!(log.of("state changed").is_empty(), "a first reading says nothing");

    fleet.set_state(&ids[0], "stopped");
    fleet.remove(&ids[1]);
    let new = fleet.add_instance();
    pass(60).await;
    let changed: Vec<_> = (log.of("state changed").iter())
        .map(|line| texts(line, ["instance_id", "from", "to", "reason", "stale"]))
        .collect();
    let line = |id: &str, from: &str, to: &str, reason: &str| [id, from, to, reason, ""].map(str::to_owned);
    let reason = "Client.UserInitiatedShutdown";
    assert_eq!(
        changed,
        [
            line(&ids[0], "running", "stopped", reason),
            line(&new, "absent", "running", ""),
            line(&ids[1], "running", "absent", "")
        ]
    );

    // What happened while nobody could look is told against the last reading, and how old that was.
    cloud.inject("DescribeInstances", Fault::Status(404), None);
    fleet.set_state(&ids[0], "running");
    pass(600).await;
    assert!(log.of("state changed").is_empty());
    cloud.clear_faults();
    pass(60).await;
    let [line] = &log.of("state changed")[..] else {
        panic!("one line")
    };
    assert_eq!(
        texts(
            line,
            ["account", "region", "kind", "instance_id", "from", "to", "stale"]
        ),
        [
            "prod",
            "eu-west-2",
            "instances",
            &ids[0],
            "stopped",
            "running",
            "true"
        ]
    );
    let since: jiff::Timestamp = line["since"].as_str().unwrap().parse().unwrap();
    assert!(since <= jiff::Timestamp::now());
    pass(600).await;
    assert!(log.lines().is_empty());
}

#[tokio::test(start_paused = true)]
async fn instance_that_cannot_be_understood_is_unknown_and_not_gone() {
    let cloud = cloud(still()).await;
    let fleet = cloud.fleet();
    let id = fleet.instances()[0].id.clone();
    let log = Log::start();
    let _bench = running(&cloud, "", INSTANCES).await;
    let was = fleet.instance(&id).unwrap().state;
    fleet.set_state(&id, "");
    pass(60).await;
    fleet.set_state(&id, "stopped");
    pass(60).await;
    let changed: Vec<_> = (log.of("state changed").iter())
        .map(|line| texts(line, ["instance_id", "from", "to"]).join(" "))
        .collect();
    assert_eq!(
        changed,
        [format!("{id} {was} unknown"), format!("{id} unknown stopped")]
    );
}

#[tokio::test(start_paused = true)]
async fn fleet_that_changes_at_once_is_a_hundred_lines_and_one() {
    let options = Options {
        instances: 2000,
        load_balancers: 0,
        ..still()
    };
    let cloud = cloud(options).await;
    let fleet = cloud.fleet();
    let log = Log::start();
    let _bench = running(&cloud, "", INSTANCES).await;
    let instances = fleet.instances();
    for instance in &instances {
        fleet.set_state(
            &instance.id,
            if instance.state == "stopped" {
                "running"
            } else {
                "stopped"
            },
        );
    }
    pass(60).await;
    let lines = log.lines();
    let of = |message: &str| {
        lines
            .iter()
            .filter(|line| line["message"] == message)
            .collect::<Vec<_>>()
    };
    assert_eq!(of("state changed").len(), 100);
    let [further] = of("further states changed, which are not told one by one")[..] else {
        panic!("one line")
    };
    assert_eq!(further["count"], 1900);
}

#[tokio::test(start_paused = true)]
async fn backend_that_changes_its_state_is_a_line_with_its_place() {
    let cloud = cloud(still()).await;
    let fleet = cloud.fleet();
    let balancer = fleet.load_balancers()[0].name.clone();
    let (backend, _) = fleet.backend_health(&balancer)[0].clone();
    fleet.set_backend_state(&balancer, &backend, "InService", "N/A");
    let log = Log::start();
    let _bench = running(&cloud, "", "kinds = [\"load_balancers\"]").await;
    fleet.set_backend_state(&balancer, &backend, "OutOfService", "ELB");
    pass(60).await;
    let [line] = &log.of("state changed")[..] else {
        panic!("one line")
    };
    let names = [
        "kind",
        "load_balancer",
        "type",
        "instance_id",
        "from",
        "to",
        "reason",
    ];
    assert_eq!(
        texts(line, names),
        [
            "load_balancers",
            &balancer,
            "classic",
            &backend,
            "InService",
            "OutOfService",
            "ELB"
        ]
    );
}

#[tokio::test(start_paused = true)]
async fn target_of_a_group_that_vanishes_is_a_line_with_its_port() {
    let options = Options {
        tick: std::time::Duration::from_secs(1),
        ..still_aws()
    };
    let cloud = cloud(options).await;
    let fleet = cloud.fleet();
    let log = Log::start();
    let account = Account {
        provider: Provider::Aws,
        lines: "kinds = [\"target_groups\"]",
        ..Account::new(&cloud, &cloud.admin_key())
    };
    let mut bench = Bench::one(account);
    bench.start();
    pass(5).await;
    let page = bench.shown();
    let (series, _) = (page.family("cloud_load_balancer_backend_state_info"))
        .find(|(series, _)| series.labels.contains_key("instance_id"))
        .unwrap();
    let labels = &series.labels;
    let (id, state) = (labels["instance_id"].clone(), labels["state"].clone());
    fleet.remove(&id);
    pass(60).await;
    let lines = log.of("state changed");
    let gone = lines.iter().find(|line| line["instance_id"] == id.as_str());
    let gone = gone.unwrap_or_else(|| panic!("{lines:?}"));
    let told = texts(gone, ["kind", "target_group", "port", "from", "to"]);
    assert_eq!(
        told,
        [
            "target_groups",
            &labels["target_group"],
            &labels["port"],
            &state,
            "absent"
        ]
    );
}

#[tokio::test(start_paused = true)]
async fn what_settings_only_warn_of_is_told_once_and_not_by_each_reload() {
    const READABLE: &str = "others can read this file, which holds a secret: run `chmod 600` on it";
    let of_shards = |lines: &[Line]| {
        let lines = lines.iter().filter_map(|line| line["message"].as_str());
        lines
            .filter(|message| message.starts_with("so many shards use this key"))
            .count()
    };
    let cloud = cloud(still()).await;
    let key = watcher(&cloud);
    let of = |name, lines| Account {
        name,
        lines,
        regions: &[
            "eu-west-2",
            "us-east-2",
            "ap-northeast-1",
            "us-west-1",
            "cloudgouv-eu-west-1",
        ],
        key_file: Some("key"),
        ..Account::new(&cloud, &key)
    };
    let log = Log::start();
    let mut bench = Bench::new("shard = \"0/4\"", &[of("one", "")]);
    assert_eq!(of_shards(&log.lines()), 1);
    bench.start();
    bench.write("client.pem", &certificate());
    let showing = "client_certificate = \"client.pem\"";
    let both = [of("one", showing), of("two", showing)];

    bench.reload("shard = \"0/4\"", &both).await.unwrap();
    let lines = log.lines();
    let readable = lines.iter().filter(|line| line["message"] == READABLE);
    assert_eq!((readable.count(), of_shards(&lines)), (1, 0), "{lines:?}");

    bench.reload("shard = \"0/4\"", &both).await.unwrap();
    bench
        .reload("shard = \"0/4\"\ninterval = \"30s\"", &both)
        .await
        .unwrap();
    let lines = log.lines();
    let told: Vec<_> = lines.iter().filter(|line| line["level"] == "WARN").collect();
    assert!(told.is_empty(), "{told:?}");

    bench.write("client.pem", &certificate());
    bench.reload("shard = \"0/5\"", &both).await.unwrap();
    let lines = log.lines();
    let readable = lines.iter().filter(|line| line["message"] == READABLE);
    assert_eq!((readable.count(), of_shards(&lines)), (1, 1), "{lines:?}");
}
