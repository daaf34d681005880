use std::collections::BTreeMap;
use std::net::TcpListener;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Mutex, OnceLock, Weak};
use std::time::Duration;

use tempfile::TempDir;

use super::*;
use crate::api::{Credential, Transport, breaker::Breaker};
use crate::resources;

/// A running agent whose settings name a cloud that is not there, and the folder of its files.
struct Fixture {
    running: Running,
    folder: TempDir,
}

const OUTSCALE: &str = "kinds = [\"instances\"]\nendpoints = { ec2 = \"http://127.0.0.1:9\" }\n";

fn account(name: &str, provider: &str, lines: &str) -> String {
    format!("[[account]]\nname = {name:?}\nprovider = {provider:?}\n{lines}\n")
}

/// An OUTSCALE account in these regions, whose key is in this file.
fn outscale(name: &str, regions: &[&str], file: &str) -> String {
    let lines = format!("regions = {regions:?}\ncredentials_file = {file:?}\n{OUTSCALE}");
    account(name, "outscale", &lines)
}

impl Fixture {
    fn start(text: &str) -> Self {
        Self::in_environment(tempfile::tempdir().unwrap(), text, |_| {})
    }

    /// Calls `asked` whenever an account of AWS is put together, with the name of a variable.
    fn in_environment(folder: TempDir, text: &str, asked: impl Fn(&str) + Send + Sync + 'static) -> Self {
        let settings = loaded(&folder, text);
        let variables = move |name: &str| {
            asked(name);
            None
        };
        let agent = Agent::new(&settings, &(Arc::new(variables) as _)).unwrap();
        let running = agent.start();
        Self { running, folder }
    }

    /// The accounts on the page.
    fn shown(&self) -> Vec<String> {
        accounts_on(&self.running.page)
    }

    async fn reload(&mut self, text: &str) {
        let settings = loaded(&self.folder, text);
        self.running.reload(settings).await.unwrap();
    }

    fn credentials(&self) -> Vec<Weak<Credential>> {
        self.running.workshop.keys.known().map(|(key, _)| key).collect()
    }

    fn transports(&self) -> Vec<Weak<Transport>> {
        self.running.workshop.transports.known()
    }

    fn breaker(&self) -> Arc<Breaker> {
        self.running.workshop.keys.known().next().unwrap().1
    }
}

fn accounts_on(page: &Page) -> Vec<String> {
    let watched = page.watched().into_iter();
    watched.map(|watched| watched.account).collect()
}

/// An AWS account with these settings besides.
fn aws(name: &str, lines: &str) -> String {
    let lines = format!(
        "regions = [\"eu-west-1\"]\ncredentials_file = \"key\"\nkinds = [\"instances\"]\n\
         endpoints = {{ ec2 = \"http://127.0.0.1:9\" }}\n{lines}"
    );
    account(name, "aws", &lines)
}

fn certificate() -> String {
    let made = rcgen::generate_simple_self_signed(["localhost".to_owned()]);
    made.unwrap().cert.pem()
}

fn loaded(folder: &TempDir, text: &str) -> Settings {
    let file = folder.path().join("vigie.toml");
    std::fs::write(&file, text).unwrap();
    let settings = config::load(Some(&file), &resources::registry(), &BTreeMap::new()).unwrap();
    for account in &settings.accounts {
        let key = "[default]\naws_access_key_id = TESTKEYEXAMPLE\naws_secret_access_key = canary\n";
        std::fs::write(account.credentials_file.as_ref().unwrap(), key).unwrap();
    }
    settings
}

async fn refused(breaker: &Breaker) -> Duration {
    breaker.pass("eu-west-2", 1).await.unwrap().refused().remaining
}

#[tokio::test(start_paused = true)]
async fn key_of_an_account_that_is_gone_is_let_go() {
    let [kept, gone] = ["kept", "gone"].map(|name| outscale(name, &["eu-west-2"], name));
    let mut fixture = Fixture::start(&kept);
    let first = fixture.credentials();
    fixture.reload(&[kept.as_str(), &gone].concat()).await;
    let both = fixture.credentials();
    assert!(both.len() == 2 && both.iter().all(|credential| credential.strong_count() > 0));

    fixture.reload(&kept).await;

    let left: Vec<_> = both
        .iter()
        .filter(|credential| credential.upgrade().is_some())
        .collect();
    assert!(
        matches!(left[..], [left] if left.ptr_eq(&first[0])),
        "the other's is let go"
    );
    assert_eq!(fixture.credentials().len(), 1);
}

#[tokio::test(start_paused = true)]
async fn what_is_known_of_a_key_outlives_other_settings_of_its_accounts() {
    let mut fixture = Fixture::start(&outscale("prod", &["eu-west-2"], "key"));
    let before = fixture.credentials();
    fixture.reload(&outscale("renamed", &["us-east-2"], "key")).await;
    assert!(fixture.credentials()[0].ptr_eq(&before[0]));
}

#[tokio::test(start_paused = true)]
async fn accounts_share_one_transport_however_often_others_change() {
    let kept = outscale("kept", &["eu-west-2"], "kept");
    let changed = |region| outscale("changed", &[region], "changed");
    let mut fixture = Fixture::start(&[kept.as_str(), &changed("a")].concat());
    let first = fixture.transports();
    for region in ["b", "c", "d"] {
        fixture.reload(&[kept.as_str(), &changed(region)].concat()).await;
        let now = fixture.transports();
        assert!(now.len() == 1 && now[0].ptr_eq(&first[0]), "after {region}");
        assert_eq!(now[0].strong_count(), 2, "each account has it");
    }
    // Nor does it end when the only one that uses it begins anew.
    fixture.reload(&changed("d")).await;
    fixture.reload(&changed("e")).await;
    assert!(fixture.transports()[0].ptr_eq(&first[0]));
}

#[tokio::test(start_paused = true)]
async fn transport_is_another_only_when_its_bundle_is_and_is_let_go_with_its_last_account() {
    let bundle = || {
        let key = rcgen::KeyPair::generate().unwrap();
        let certificate = rcgen::CertificateParams::default().self_signed(&key);
        certificate.unwrap().pem()
    };
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("ca.pem");
    std::fs::write(&path, bundle()).unwrap();
    let with_bundle = |name: &str, region: &str| {
        let lines = format!("ca_bundle = {path:?}\n");
        outscale(name, &[region], name) + &lines
    };
    let plain = outscale("plain", &["eu-west-2"], "plain");
    let texts = |region| {
        [&plain, &with_bundle("kept", "a"), &with_bundle("changed", region)]
            .map(String::as_str)
            .concat()
    };
    let mut fixture = Fixture::start(&texts("a"));
    let before = fixture.transports();
    assert_eq!(before.len(), 2);

    fixture.reload(&texts("b")).await;
    let same = fixture.transports();
    assert!(
        before
            .iter()
            .all(|known| same.iter().any(|now| now.ptr_eq(known)))
    );

    std::fs::write(&path, bundle()).unwrap();
    fixture.reload(&texts("c")).await;
    let now = fixture.transports();
    let mut counts: Vec<_> = now.iter().map(Weak::strong_count).collect();
    counts.sort_unstable();
    assert_eq!(counts, [1, 2], "both take the other bundle, and share it");
    let gone = before.iter().filter(|known| known.strong_count() == 0);
    assert_eq!(gone.count(), 1, "that of the bundle of before");

    fixture.reload(&plain).await;
    assert_eq!(fixture.transports().len(), 1);
    assert!(now.iter().any(|known| known.strong_count() == 0));
}

#[tokio::test(start_paused = true)]
async fn shard_lowers_how_often_this_process_may_be_refused() {
    let account = outscale("prod", &["a", "b", "c", "d"], "key");
    let mut fixture = Fixture::start(&account);
    let breaker = fixture.breaker();
    fixture.reload(&format!("shard = \"0/4\"\n{account}")).await;
    assert_eq!(
        refused(&breaker).await.as_secs(),
        15 * 60,
        "the others may be refused as well"
    );
}

/// The one that stays says nothing new itself.
#[tokio::test(start_paused = true)]
async fn shard_reaches_the_key_of_an_account_that_goes_on() {
    let [kept, moved] = ["kept", "moved"].map(|name| outscale(name, &["eu-west-2"], "key"));
    let mut fixture = Fixture::start(&[kept.as_str(), &moved].concat());
    let breaker = fixture.breaker();
    fixture
        .reload(&["shard = \"0/2\"\n", &kept, &moved].concat())
        .await;
    assert_eq!(fixture.running.accounts.len(), 1);
    assert_eq!(refused(&breaker).await.as_secs(), 15 * 60);
}

#[tokio::test(start_paused = true)]
async fn refusals_of_a_key_count_on_when_its_account_is_gone_for_a_while() {
    let [kept, gone] = ["kept", "gone"].map(|name| outscale(name, &["eu-west-2"], name));
    let mut fixture = Fixture::start(&gone);
    for _ in 0..3 {
        refused(&fixture.breaker()).await;
        tokio::time::advance(Duration::from_secs(60)).await;
    }
    fixture.reload(&kept).await;
    fixture.reload(&gone).await;
    let again = fixture.breaker();
    assert!(
        again.pass("eu-west-2", 1).await.is_err(),
        "a fourth would lock the account"
    );
    fixture.reload(&kept).await;
    tokio::time::advance(Duration::from_secs(15 * 60)).await;
    fixture.reload(&kept).await;
    assert_eq!(fixture.credentials().len(), 1, "nobody counts them any more");
}

/// Reads a request's head, refuses it, and gives the head.
fn refuse(sts: &TcpListener) -> String {
    use std::io::{Read as _, Write as _};

    let (mut stream, _) = sts.accept().unwrap();
    let mut head = [0; 4096];
    let read = stream.read(&mut head).unwrap();
    stream
        .write_all(b"HTTP/1.1 403 Forbidden\r\ncontent-length: 0\r\nconnection: close\r\n\r\n")
        .unwrap();
    String::from_utf8_lossy(&head[..read]).into_owned()
}

#[tokio::test]
async fn other_region_of_sts_is_asked_at_once_though_the_first_refused() {
    let sts = TcpListener::bind("127.0.0.1:0").unwrap();
    let of = |region: &str| {
        let lines = format!(
            "regions = [{region:?}]\ncredentials_file = \"key\"\nkinds = [\"instances\"]\n\
             assume_role = {{ arn = \"arn:aws:iam::123456789012:role/watcher\" }}\n\
             endpoints = {{ ec2 = \"http://127.0.0.1:9\", sts = \"http://{}\" }}",
            sts.local_addr().unwrap()
        );
        account("prod", "aws", &lines)
    };
    let folder = tempfile::tempdir().unwrap();
    let agent = Agent::new(
        &loaded(&folder, &of("eu-west-1")),
        &(Arc::new(|_: &str| None) as _),
    );
    let mut running = agent.unwrap().start();
    let asked = |sts: &TcpListener| {
        let sts = sts.try_clone().unwrap();
        tokio::task::spawn_blocking(move || refuse(&sts))
    };
    let first = asked(&sts).await.unwrap();
    assert!(first.contains("/eu-west-1/sts/aws4_request"), "{first}");

    running.reload(loaded(&folder, &of("us-east-1"))).await.unwrap();

    let second = asked(&sts).await.unwrap();
    assert!(second.contains("/us-east-1/sts/aws4_request"), "{second}");
}

#[tokio::test(start_paused = true)]
async fn account_that_begins_anew_is_watched_all_the_time() {
    let kept = aws("kept", "");
    // Many, so that whoever looks on has the time to.
    let of = |lines: &str| {
        (0..30)
            .map(|number| aws(&format!("anew {number}"), lines))
            .collect()
    };
    let [before, after]: [String; 2] = ["", "tags = [\"Name\"]"].map(of);
    let seen: Arc<Mutex<Vec<usize>>> = Arc::default();
    let page: Arc<OnceLock<Arc<Page>>> = Arc::default();
    let look = {
        let (page, seen) = (Arc::clone(&page), Arc::clone(&seen));
        move || {
            if let Some(page) = page.get() {
                seen.lock().unwrap().push(accounts_on(page).len());
            }
        }
    };
    let folder = tempfile::tempdir().unwrap();
    let looks = look.clone();
    let mut fixture = Fixture::in_environment(folder, &[kept.as_str(), &before].concat(), move |_| looks());
    page.set(Arc::clone(&fixture.running.page)).ok();
    let is_done = Arc::new(AtomicBool::new(false));
    let until = Arc::clone(&is_done);
    let looking = std::thread::spawn(move || {
        while !until.load(Ordering::SeqCst) {
            look();
        }
    });

    fixture.reload(&[kept, after].concat()).await;

    is_done.store(true, Ordering::SeqCst);
    looking.join().unwrap();
    let seen = std::mem::take(&mut *seen.lock().unwrap());
    let all = Some(&31);
    assert_eq!((seen.iter().min(), seen.iter().max()), (all, all));
}

#[tokio::test(start_paused = true)]
async fn file_that_is_spoilt_once_it_was_read_is_as_it_was_read() {
    let folder = tempfile::tempdir().unwrap();
    let bundle = folder.path().join("ca.pem");
    std::fs::write(&bundle, certificate()).unwrap();
    let is_spoilt = Arc::new(AtomicBool::new(false));
    let (path, spoil) = (bundle.clone(), Arc::clone(&is_spoilt));
    let settings = |tag: &str| {
        let reads = format!("tags = [{tag:?}]\nca_bundle = \"ca.pem\"");
        [aws("reads", &reads), aws("other", "")].concat()
    };
    let mut fixture = Fixture::in_environment(folder, &settings("before"), move |name| {
        // Where roles are put on is looked for after the bundle was read.
        if name == "AWS_ENDPOINT_URL_STS" && spoil.load(Ordering::SeqCst) {
            std::fs::write(&path, "half a certificate").unwrap();
        }
    });
    is_spoilt.store(true, Ordering::SeqCst);

    fixture.reload(&settings("after")).await;

    assert_eq!(std::fs::read_to_string(&bundle).unwrap(), "half a certificate");
    assert_eq!(fixture.shown(), ["other", "reads"]);
    let again = loaded(&fixture.folder, &settings("again"));
    let told = format!("{:#}", fixture.running.reload(again).await.unwrap_err());
    assert!(
        told.contains("account `reads`") && told.contains("stay"),
        "{told}"
    );
    assert_eq!(fixture.shown(), ["other", "reads"], "they go on");

    std::fs::write(&bundle, certificate()).unwrap();
    is_spoilt.store(false, Ordering::SeqCst);
    fixture.reload(&settings("again")).await;
    assert_eq!(fixture.running.accounts.len(), 2);
}
