//! SIGTERM, SIGINT and SIGHUP while the network is waited for. To the first process of a container: the image's test.

use std::fs::{self, Permissions};
use std::os::unix::fs::PermissionsExt as _;

use tempfile::TempDir;
use tokio::net::{TcpListener, TcpStream};
use tokio::time::timeout;

use crate::parts::DEADLINE;
use crate::vigie::{Running, vigie};

/// Somebody who takes connections and says nothing.
struct Silent {
    listener: TcpListener,
    url: String,
}

impl Silent {
    async fn listen() -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port");
        let address = listener.local_addr().expect("an address");
        Self {
            listener,
            url: format!("http://{address}"),
        }
    }

    /// Whoever comes first; by then it listens for signals.
    async fn asked(&self) -> TcpStream {
        let (connection, _) = timeout(DEADLINE, self.listener.accept())
            .await
            .expect("somebody asks")
            .expect("a connection");
        connection
    }
}

/// `vigie run` with a key for one account, of a cloud that is away, and the instance's metadata to be asked for another's.
struct Looking {
    folder: TempDir,
    metadata: Silent,
    agent: Running,
    asked: TcpStream,
}

impl Looking {
    async fn start() -> Self {
        let metadata = Silent::listen().await;
        let folder = tempfile::tempdir().expect("a temporary folder can be made");
        let credentials = folder.path().join("credentials");
        let key = "[default]\naws_access_key_id = AKIAIOSFODNN7EXAMPLE\naws_secret_access_key = EXAMPLE\n";
        fs::write(&credentials, key).expect("the key can be written");
        fs::set_permissions(&credentials, Permissions::from_mode(0o600)).expect("its mode can be set");
        let account = "provider = \"aws\"\nregions = [\"eu-west-1\"]\n\
                       endpoints = { ec2 = \"http://127.0.0.1:1\", elb = \"http://127.0.0.1:1\" }\n";
        let settings = folder.path().join("vigie.toml");
        let text = format!(
            "listen = \"127.0.0.1:0\"\n[[account]]\nname = \"kept\"\ncredentials_file = \"credentials\"\n{account}\
             [[account]]\nname = \"lent\"\n{account}"
        );
        fs::write(&settings, text).expect("the settings can be written");
        let mut run = vigie(&["run", "--config"]);
        run.arg(&settings)
            .env("AWS_EC2_METADATA_DISABLED", "false")
            .env("AWS_EC2_METADATA_SERVICE_ENDPOINT", &metadata.url);
        let agent = Running::start(&mut run);
        let asked = metadata.asked().await;
        Self {
            folder,
            metadata,
            agent,
            asked,
        }
    }
}

#[tokio::test]
async fn run_that_looks_for_a_key_ends_well_when_told_to() {
    for (signal, name) in [("TERM", "SIGTERM"), ("INT", "SIGINT")] {
        let looking = Looking::start().await;
        let (code, _, said) = looking.agent.end(signal).await;
        assert_eq!(code, Some(0), "{said}");
        assert!(said.contains(name) && !said.contains("listening on"), "{said}");
    }
}

#[tokio::test]
async fn sighup_while_a_key_is_looked_for_is_answered_once_the_page_is_served() {
    let looking = Looking::start().await;
    fs::write(looking.folder.path().join("vigie.toml"), "interval = 5\n")
        .expect("the settings can be written");
    looking.agent.signal("HUP").await;
    // Nobody lends a key there any more.
    drop((looking.asked, looking.metadata));
    let refused = "the settings cannot be taken";
    let agent = looking.agent;
    agent
        .wait_to_say(refused, |said| said.contains(refused).then_some(()))
        .await;
    let (code, _, said) = agent.end("TERM").await;
    assert_eq!(code, Some(0), "{said}");
    assert!(said.contains("listening on"), "{said}");
}
