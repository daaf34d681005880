//! Where the real parts are, and how they are started, waited for and spoken to.

use std::ffi::OsStr;
use std::net::{Ipv4Addr, TcpListener};
use std::path::{Path, PathBuf};
use std::process::id;
use std::sync::LazyLock;
use std::sync::atomic::{AtomicU16, Ordering};
use std::time::Duration;

use tokio::process::Command;
use tokio::time::{Instant, sleep};

/// A part that `make test` fetched: where the variable says, else where that puts it.
pub(crate) fn part(variable: &str, default: &str) -> PathBuf {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let path = std::env::var_os(variable).map_or_else(|| root.join(default), PathBuf::from);
    assert!(path.exists(), "{} is not there: run `make test`", path.display());
    path
}

/// A command that inherits none of the person's keys, settings or proxies, and ends with the test.
pub(crate) fn command(program: impl AsRef<OsStr>) -> Command {
    let mut command = Command::new(program);
    command
        .env_clear()
        .env("HOME", env!("CARGO_TARGET_TMPDIR"))
        // Tests talk to loopback only.
        .env("AWS_EC2_METADATA_DISABLED", "true")
        .kill_on_drop(true);
    if let Some(path) = std::env::var_os("PATH") {
        command.env("PATH", path);
    }
    command
}

/// A loopback port that nothing listens on, below those the system gives to outgoing connections:
/// it is still free when a part that was killed comes back to it.
pub(crate) fn free_port() -> u16 {
    static NEXT: AtomicU16 = AtomicU16::new(0);
    let start = u16::try_from(id() % 600).expect("a remainder of 600 fits") * 20;
    (0..PORTS)
        .map(|_| FIRST_PORT + (start + NEXT.fetch_add(1, Ordering::Relaxed)) % PORTS)
        .find(|&port| TcpListener::bind((Ipv4Addr::LOCALHOST, port)).is_ok())
        .expect("one loopback port of thousands is free")
}

/// Look until there is something to see; the last reason why not is told when the deadline has passed.
pub(crate) async fn wait_for<T>(what: &str, mut look: impl AsyncFnMut() -> Result<T, String>) -> T {
    let deadline = Instant::now() + DEADLINE;
    loop {
        match look().await {
            Ok(seen) => return seen,
            Err(why) => assert!(
                Instant::now() < deadline,
                "waited {DEADLINE:?} in vain for {what}: {why}"
            ),
        }
        sleep(Duration::from_millis(100)).await;
    }
}

/// The body of a successful GET.
pub(crate) async fn get(url: &str) -> Result<String, String> {
    let answer = async { HTTP.get(url).send().await?.error_for_status()?.text().await };
    answer.await.map_err(|error| format!("{error:?}"))
}

/// Keeps no connection, as each test has a runtime of its own.
pub(crate) static HTTP: LazyLock<reqwest::Client> = LazyLock::new(|| {
    reqwest::Client::builder()
        .no_proxy()
        .pool_max_idle_per_host(0)
        .timeout(Duration::from_secs(30))
        .build()
        .expect("a client of fixed settings can be built")
});

/// Far beyond what anything here takes, for the sake of a busy machine.
pub(crate) const DEADLINE: Duration = Duration::from_secs(60);

const FIRST_PORT: u16 = 18_000;
const PORTS: u16 = 12_000;
