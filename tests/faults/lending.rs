//! The cells of the two actions that lend a key: an agent that has none yet asks for it, meets the fault, and asks again
//! once that is over. Beside it is an account with a key of its own.

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::fs;
use std::net::SocketAddr;
use std::sync::Arc;

use jiff::{SignedDuration, Timestamp};
use secrecy::ExposeSecret as _;
use tempfile::TempDir;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::{TcpListener, TcpStream};
use tokio::task::JoinSet;
use vigie::agent::Agent;
use vigie::config::{self, Settings};
use vigie::credentials::Variables;
use vigie::demo::{Cloud, Key, Options};
use vigie::exposition::{Format, Part};
use vigie::resources;

use crate::bench::{cloud, pass, regions, still_aws, watcher};
use crate::certificates::Certificates;
use crate::fault::{Fault, Outcome, Seat};
use crate::front::{Clouds, Front, Mark};
use crate::matrix::assert_bounded;
use crate::page::Page;
use crate::report;
use crate::scene::HIT;
use crate::shown::{self, polls};

/// What lends a key.
#[derive(Clone, Copy, PartialEq)]
enum Lending {
    AssumeRole,
    WebIdentity,
}

impl Lending {
    fn action(self) -> &'static str {
        match self {
            Self::AssumeRole => "AssumeRole",
            Self::WebIdentity => "AssumeRoleWithWebIdentity",
        }
    }

    /// The reason of the poll that has no key then, if it fails, and the requests; nothing where the fault is one of
    /// lists. By hand, from the rules of `src/api/retry.rs`.
    fn expected(self, fault: Fault) -> Option<(Outcome, usize)> {
        let fails = |reason, calls| Some((Outcome::Fails(reason), calls));
        match fault {
            Fault::Refused
            | Fault::NoName
            | Fault::WrongName
            | Fault::UnknownIssuer
            | Fault::Expired
            | Fault::ResetBefore
            | Fault::ResetInBody
            | Fault::BadGateway => fails("unreachable", 3),
            Fault::Silence | Fault::OneByteASecond => fails("timeout", 3),
            Fault::InternalError => fails("other", 3),
            Fault::ThrottleStorm | Fault::RetryAfterAlways | Fault::Throttling => fails("throttled", 3),
            Fault::RetryAfterOnce => Some((Outcome::Survives, 2)),
            // Whoever may not have a key has none.
            Fault::Unauthorized | Fault::ExpiredToken | Fault::Denied => fails("auth", 1),
            // Only what is signed has a time.
            Fault::ClockBehind | Fault::ClockAhead => {
                let calls = if self == Self::AssumeRole { 2 } else { 1 };
                Some((Outcome::Survives, calls))
            }
            Fault::Truncated
            | Fault::WrongRoot
            | Fault::Html
            | Fault::GigabyteAnnounced
            | Fault::Gigabyte
            | Fault::Deep => fails("malformed", 1),
            Fault::Entities => Some((Outcome::Survives, 1)),
            Fault::EndlessPages | Fault::RepeatedToken | Fault::EmptyPage | Fault::Duplicates => None,
        }
    }
}

type Cell = (Fault, Outcome, usize);

#[test]
fn every_action_that_lends_a_key_meets_every_fault_as_it_has_to() {
    let both = [Lending::AssumeRole, Lending::WebIdentity];
    let tables = std::thread::scope(|scope| {
        both.map(|lending| {
            scope.spawn(move || {
                let runtime = tokio::runtime::Builder::new_current_thread()
                    .enable_all()
                    .start_paused(true)
                    .build()
                    .unwrap();
                (lending, runtime.block_on(run(lending)))
            })
        })
        .map(|thread| {
            thread
                .join()
                .expect("a fault is met as it must not be: see above")
        })
    });
    let count: usize = tables.iter().map(|(_, cells)| cells.len()).sum();
    assert_eq!(count, 2 * (Fault::ALL.len() - 4));
    report::is_fresh("lending", &table(&tables));
}

/// Whoever mends what is trusted has the key at once, under another path as well as under the same.
#[tokio::test(start_paused = true)]
async fn other_bundle_reaches_whoever_lends_the_key_with_a_reload() {
    let scene = Scene::new(Lending::AssumeRole).await;
    let front = Front::new(scene.clouds, Some(Arc::clone(&scene.certificates)));
    let write = |name: &str, text: &str| fs::write(scene.folder.path().join(name), text).unwrap();
    let another = Certificates::new().bundle;
    for mended in ["bundle.pem", "another.pem"] {
        write("bundle.pem", &another);
        let settings = |bundle| scene.settings(&front.url(), bundle);
        let agent = Agent::new(&settings("bundle.pem"), &(Arc::new(|_: &str| None) as _)).unwrap();
        let page = Arc::clone(&agent.page);
        let success = || {
            let text = page.assemble(Format::Text, false, &Part::default());
            let text = String::from_utf8(text.chunks().collect::<Vec<_>>().concat()).unwrap();
            polls(&Page::parse(&text))[&[HIT, REGION, "instances"].map(str::to_owned)].success
        };
        let mut running = agent.start();
        pass(5).await;
        assert_eq!(success(), Some(0.0));

        write(mended, &scene.certificates.bundle);
        running.reload(settings(mended)).await.unwrap();

        pass(5).await;
        assert_eq!(success(), Some(1.0), "{mended}");
    }
}

fn table(tables: &[(Lending, Vec<Cell>)]) -> String {
    let mut text = String::from("\n");
    for (lending, cells) in tables {
        write!(text, "\n### a key on loan: sts {}\n\n", lending.action()).unwrap();
        text.push_str("| fault | the poll | calls |\n| --- | --- | --- |\n");
        for (fault, outcome, calls) in cells {
            writeln!(text, "| {} | {outcome} | {calls} |", fault.name()).unwrap();
        }
    }
    text.push('\n');
    text
}

async fn run(lending: Lending) -> Vec<Cell> {
    let scene = Scene::new(lending).await;
    let mut cells = Vec::new();
    for fault in Fault::ALL {
        if let Some((outcome, calls)) = lending.expected(fault) {
            scene.cell(fault, outcome, calls).await;
            cells.push((fault, outcome, calls));
        }
    }
    cells
}

struct Scene {
    lending: Lending,
    cloud: Cloud,
    clouds: Clouds,
    certificates: Arc<Certificates>,
    folder: TempDir,
    /// Nobody may read them.
    secrets: Vec<String>,
    _lenders: JoinSet<()>,
}

impl Scene {
    async fn new(lending: Lending) -> Self {
        let cloud = cloud(Options {
            regions: regions(&[REGION]),
            ..still_aws()
        })
        .await;
        let lent = watcher(&cloud);
        let mut lenders = JoinSet::new();
        let clouds = Clouds {
            right: lender(0, &lent, &mut lenders).await,
            ahead: lender(10, &lent, &mut lenders).await,
            behind: lender(-10, &lent, &mut lenders).await,
        };
        let certificates = Arc::new(Certificates::new());
        let folder = tempfile::tempdir().unwrap();
        let write = |name: &str, text: &str| fs::write(folder.path().join(name), text).unwrap();
        let file = |id: &str, secret: &str| {
            format!("[default]\naws_access_key_id = {id}\naws_secret_access_key = {secret}\n")
        };
        let other = cloud.create_describe_only_user("other", &["ec2:DescribeInstances"]);
        write("base", &file("TESTBASEEXAMPLE", BASE_SECRET));
        write(
            "other",
            &file(&other.access_key_id, other.secret_access_key.expose_secret()),
        );
        write("token", IDENTITY);
        write("ca.pem", &certificates.bundle);
        let secrets = [
            BASE_SECRET,
            IDENTITY,
            SESSION,
            lent.secret_access_key.expose_secret(),
        ];
        Self {
            lending,
            secrets: secrets.map(str::to_owned).to_vec(),
            cloud,
            clouds,
            certificates,
            folder,
            _lenders: lenders,
        }
    }

    async fn cell(&self, fault: Fault, outcome: Outcome, calls: usize) {
        let told = format!("{}: {}", self.lending.action(), fault.name());
        let certificates = (fault.seat() == Seat::Certificate).then(|| Arc::clone(&self.certificates));
        let mut front = Front::new(self.clouds, certificates);
        let right = front.url();
        let nowhere = format!("http://{}.invalid", "n".repeat(64));
        let agent = self.agent(if fault == Fault::NoName { &nowhere } else { &right });
        let mark = Mark {
            action: self.lending.action(),
            is_v2: false,
            region: if self.lending == Lending::AssumeRole {
                REGION
            } else {
                ""
            }
            .to_owned(),
        };
        front.meet(fault, mark).await;

        let failures = match outcome {
            Outcome::Survives => 0.0,
            Outcome::Fails(_) => 1.0,
        };
        self.poll(&agent, outcome, failures, calls, &told).await;
        if fault.seat() == Seat::Answer && fault != Fault::Refused {
            assert_eq!(front.asked(), calls, "{told}: counted and come");
        }
        assert_bounded(&front, fault, &told);
        // Nobody is asked again at once, whatever polls in between.
        self.poll(&agent, outcome, 2.0 * failures, calls, &told).await;

        front.heal();
        pass(A_MINUTE).await;
        let agent = if fault == Fault::NoName {
            self.agent(&right)
        } else {
            agent
        };
        let failed = agent.once().await;
        let explained: Vec<&str> = failed.iter().map(|failed| failed.explained.as_str()).collect();
        assert!(failed.is_empty(), "{told}: it does not recover: {explained:?}");
    }

    /// Polls both accounts once: the one that needs a key fares so, the other well.
    async fn poll(&self, agent: &Agent, outcome: Outcome, failures: f64, calls: usize, told: &str) {
        let failed = agent.once().await;
        for failed in &failed {
            self.assert_no_secret(&failed.explained, told);
        }
        let text = agent.page.assemble(Format::Text, false, &Part::default());
        let text = String::from_utf8(text.chunks().collect::<Vec<_>>().concat()).unwrap();
        self.assert_no_secret(&text, told);
        let page = Page::parse(&text);
        let polls = polls(&page);
        let of = |account: &str| &polls[&[account, REGION, "instances"].map(str::to_owned)];
        let explained: Vec<&str> = failed.iter().map(|failed| failed.explained.as_str()).collect();
        for (account, reason) in [
            (
                HIT,
                match outcome {
                    Outcome::Survives => "",
                    Outcome::Fails(reason) => reason,
                },
            ),
            ("other", ""),
        ] {
            let poll = of(account);
            let success = f64::from(u8::from(reason.is_empty()));
            assert_eq!(poll.success, Some(success), "{told}: {account}: {explained:?}");
            for (own, count) in &poll.failures {
                let expected = if own == reason { failures } else { 0.0 };
                assert!(
                    (count - expected).abs() < 0.1,
                    "{told}: {account}: {own} {count} {explained:?}"
                );
            }
        }
        let counted = shown::requests(&page, HIT, REGION, "sts", self.lending.action());
        assert_eq!(counted, calls, "{told}: {explained:?}");
    }

    /// One that has asked nobody yet.
    fn agent(&self, sts: &str) -> Agent {
        let token = self.folder.path().join("token").display().to_string();
        let variables: Variables = Arc::new(move |name| match name {
            "AWS_ROLE_ARN" => Some(ROLE.to_owned()),
            "AWS_WEB_IDENTITY_TOKEN_FILE" => Some(token.clone()),
            _ => None,
        });
        Agent::new(&self.settings(sts, "ca.pem"), &variables).unwrap()
    }

    fn settings(&self, sts: &str, bundle: &str) -> Settings {
        let ec2 = self.cloud.url();
        let account = |name: &str, lines: &str| {
            format!(
                "[[account]]\nname = {name:?}\nprovider = \"aws\"\nregions = [{REGION:?}]\nkinds = [\"instances\"]\n\
                 ca_bundle = {bundle:?}\nendpoints = {{ ec2 = {ec2:?}, sts = {sts:?} }}\n{lines}\n"
            )
        };
        let hit = match self.lending {
            Lending::AssumeRole => {
                &format!("credentials_file = \"base\"\nassume_role = {{ arn = {ROLE:?} }}")
            }
            Lending::WebIdentity => "",
        };
        let text = [
            account(HIT, hit),
            account("other", "credentials_file = \"other\""),
        ]
        .concat();
        let path = self.folder.path().join("vigie.toml");
        fs::write(&path, text).unwrap();
        config::load(Some(&path), &resources::registry(), &BTreeMap::new()).unwrap()
    }

    fn assert_no_secret(&self, text: &str, told: &str) {
        for secret in &self.secrets {
            assert!(!text.contains(secret), "{told}: a secret is told: {text}");
        }
    }
}

/// An STS whose clock is so many minutes ahead, and which takes signatures of five minutes: the strictest there is.
async fn lender(minutes: i64, key: &Key, lenders: &mut JoinSet<()>) -> SocketAddr {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    let ahead = SignedDuration::from_mins(minutes);
    let key = key.clone();
    lenders.spawn(async move {
        loop {
            let (stream, _) = listener.accept().await.unwrap();
            lend(stream, ahead, &key).await;
        }
    });
    address
}

async fn lend(mut stream: TcpStream, ahead: SignedDuration, key: &Key) {
    let mut request = Vec::new();
    let text = loop {
        if stream.read_buf(&mut request).await.unwrap() == 0 {
            return;
        }
        let text = String::from_utf8_lossy(&request).into_owned();
        if text.contains("Version=2011-06-15") {
            break text;
        }
    };
    let action = ["AssumeRoleWithWebIdentity", "AssumeRole"]
        .into_iter()
        .find(|action| text.contains(&format!("Action={action}")))
        .unwrap();
    let now = Timestamp::now() + ahead;
    let signed = text.lines().find_map(|line| line.strip_prefix("x-amz-date: "));
    let is_late = signed.is_some_and(|signed| {
        let signed = jiff::civil::DateTime::strptime("%Y%m%dT%H%M%SZ", signed.trim()).unwrap();
        let signed = signed.to_zoned(jiff::tz::TimeZone::UTC).unwrap().timestamp();
        signed.duration_since(now).abs() > SignedDuration::from_mins(5)
    });
    let (status, body) = if is_late {
        let error = "<Code>SignatureDoesNotMatch</Code><Message>Signature expired: it is now earlier than then</Message>";
        (
            "403 Forbidden",
            format!("<ErrorResponse><Error>{error}</Error></ErrorResponse>"),
        )
    } else {
        let body = format!(
            "<{action}Response><{action}Result><Credentials><AccessKeyId>{}</AccessKeyId><SecretAccessKey>{}\
             </SecretAccessKey><SessionToken>{SESSION}</SessionToken><Expiration>{}</Expiration></Credentials>\
             </{action}Result></{action}Response>",
            key.access_key_id,
            key.secret_access_key.expose_secret(),
            now + SignedDuration::from_hours(1),
        );
        ("200 OK", body)
    };
    let date = now.strftime("%a, %d %b %Y %H:%M:%S GMT");
    let answer = format!(
        "HTTP/1.1 {status}\r\nDate: {date}\r\nContent-Length: {}\r\nConnection: close\r\n\r\n{body}",
        body.len()
    );
    // Whoever has hung up has heard enough. What is left of the request is read, for else the answer may be lost with it.
    stream.write_all(answer.as_bytes()).await.ok();
    stream.shutdown().await.ok();
    stream.read_to_end(&mut request).await.ok();
}

const REGION: &str = "us-east-1";
const ROLE: &str = "arn:aws:iam::123456789012:role/watcher";
const BASE_SECRET: &str = "canary-base-secret";
const IDENTITY: &str = "canary.identity.token";
const SESSION: &str = "canary-session-token";

/// In seconds: whoever refused is asked again after that.
const A_MINUTE: u64 = 61;
