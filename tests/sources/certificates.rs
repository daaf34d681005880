//! A cloud that asks for a client certificate, as OUTSCALE's API access rules can.

use std::path::Path;

use tempfile::TempDir;
use tokio::process::{Child, Command};

use crate::moto::python;
use crate::page::Page;
use crate::parts::{command, free_port, wait_for};
use crate::vigie::{Run, run, vigie};

/// The cloud, and the folder with its certificates; both end with the value.
struct Cloud {
    port: u16,
    folder: TempDir,
    _process: Child,
}

fn script(folder: &Path) -> Command {
    let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/boto3/certificates.py");
    let mut python = command(python());
    python.arg("-B").arg(script).arg(folder);
    python
}

impl Cloud {
    async fn start() -> Self {
        let (port, folder) = (free_port(), tempfile::tempdir().unwrap());
        let made = script(folder.path()).output().await.unwrap();
        assert!(made.status.success(), "{}", String::from_utf8_lossy(&made.stderr));
        let log = std::fs::File::create(folder.path().join("log")).unwrap();
        let process = script(folder.path())
            .arg(port.to_string())
            .stderr(log)
            .spawn()
            .unwrap();
        let cloud = Self {
            port,
            folder,
            _process: process,
        };
        wait_for("the cloud to listen", async || {
            let connected = tokio::net::TcpStream::connect(("127.0.0.1", port)).await;
            connected.map(drop).map_err(|error| error.to_string())
        })
        .await;
        let both = [cloud.read("client.pem"), cloud.read("client.key")].concat();
        cloud.write("both.pem", &both);
        cloud
    }

    fn read(&self, name: &str) -> String {
        std::fs::read_to_string(self.folder.path().join(name)).unwrap()
    }

    fn write(&self, name: &str, text: &str) {
        use std::os::unix::fs::PermissionsExt as _;
        let path = self.folder.path().join(name);
        std::fs::create_dir_all(path.parent().unwrap()).unwrap();
        std::fs::write(&path, text).unwrap();
        std::fs::set_permissions(path, std::fs::Permissions::from_mode(0o600)).unwrap();
    }

    /// `once` of one account with these lines, the folder for a home.
    async fn once(&self, lines: &str, variables: &[(&str, &str)]) -> Run {
        let settings = format!(
            "[[account]]\nname = \"prod\"\nprovider = \"outscale\"\nregions = [\"eu-west-2\"]\nkinds = [\"instances\"]\n\
             endpoints = {{ ec2 = \"https://127.0.0.1:{}\" }}\nca_bundle = \"ca.pem\"\n{lines}\n",
            self.port
        );
        self.write("vigie.toml", &settings);
        let mut once = vigie(&["once", "--config", "vigie.toml"]);
        once.current_dir(self.folder.path())
            .env("HOME", self.folder.path())
            .env("OSC_ACCESS_KEY", "TESTKEYEXAMPLE")
            .env("OSC_SECRET_KEY", "canary")
            .envs(variables.iter().copied());
        run(&mut once).await
    }

    async fn takes(&self, lines: &str, variables: &[(&str, &str)]) {
        let run = self.once(lines, variables).await;
        assert_eq!(
            (run.code, run.stderr.as_str()),
            (Some(0), ""),
            "{lines} {variables:?}"
        );
        let page = Page::parse(&run.stdout);
        assert_eq!(
            page.value("cloud_instance_info", &[("instance_id", "i-1")]),
            Some(1.0)
        );
    }

    async fn refuses(&self, lines: &str, code: i32, told: &[&str]) {
        let run = self.once(lines, &[]).await;
        assert_eq!(run.code, Some(code), "{lines}: {}", run.stderr);
        for told in told {
            assert!(
                run.stderr.contains(told),
                "{told} is not told of {lines}: {}",
                run.stderr
            );
        }
        assert!(!run.stderr.contains("PRIVATE KEY-----\n"), "{}", run.stderr);
    }
}

#[tokio::test]
async fn certificate_is_shown_wherever_it_is_named() {
    let cloud = Cloud::start().await;
    let pair = "client_certificate = \"client.pem\"\nclient_key = \"client.key\"";
    cloud.takes(pair, &[]).await;
    cloud.takes("client_certificate = \"both.pem\"", &[]).await;
    // A key of its own counts for more than what else is in the certificate's file.
    let (certificate, strange) = (cloud.read("client.pem"), cloud.read("stranger.key"));
    cloud.write("odd.pem", &format!("{strange}{certificate}"));
    cloud
        .takes(
            "client_certificate = \"odd.pem\"\nclient_key = \"client.key\"",
            &[],
        )
        .await;

    let home = |name: &str| cloud.folder.path().join(name).display().to_string();
    let variables = [
        ("OSC_X509_CLIENT_CERT", home("client.pem")),
        ("OSC_X509_CLIENT_KEY", home("client.key")),
    ];
    let variables = variables.each_ref().map(|(name, value)| (*name, value.as_str()));
    cloud.takes("", &variables).await;

    let profile = r#"{"default": {"x509_client_cert": "~/client.pem", "x509_client_key": "~/client.key"}}"#;
    cloud.write(".osc/config.json", profile);
    cloud.takes("", &[]).await;
}

#[tokio::test]
async fn certificate_that_is_of_no_use_is_told_by_its_file() {
    let cloud = Cloud::start().await;
    // The alert tells of it once the handshake is over, or the connection is just gone.
    cloud
        .refuses("", 1, &["(unreachable)", "no answer from 127.0.0.1"])
        .await;
    let strange = "client_certificate = \"stranger.pem\"\nclient_key = \"stranger.key\"";
    cloud.refuses(strange, 1, &["(unreachable)"]).await;
    let cases: [(&str, &[&str]); 5] = [
        (
            "client_certificate = \"client.pem\"\nclient_key = \"stranger.key\"",
            &[
                "client.pem and ",
                "stranger.key",
                "do certificate and key belong together?",
            ],
        ),
        (
            "client_certificate = \"client.pem\"",
            &["client.pem holds no PRIVATE KEY in PEM form"],
        ),
        (
            "client_key = \"client.key\"",
            &["`client_key` is there without `client_certificate`"],
        ),
        (
            "client_certificate = \"vigie.toml\"",
            &["vigie.toml holds no CERTIFICATE in PEM form"],
        ),
        (
            "client_certificate = \"absent.pem\"",
            &["absent.pem of `client_certificate` does not exist"],
        ),
    ];
    for (lines, told) in cases {
        cloud.refuses(lines, 64, told).await;
    }
}
