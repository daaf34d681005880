//! A real exporter on exporter-toolkit: Debian's node exporter, with everything off that it measures.

use std::net::{Ipv4Addr, SocketAddr};
use std::path::Path;
use std::process::Stdio;

use tokio::io::AsyncReadExt as _;
use tokio::process::Child;
use tokio::time::timeout;

use crate::parts::{DEADLINE, command, free_port, part};

/// A running exporter; it dies with the value.
pub(crate) struct Exporter {
    pub(crate) address: SocketAddr,
    _process: Child,
}

impl Exporter {
    /// Run with a web configuration file until it listens; what it said, where it refuses to.
    pub(crate) async fn start(web: &Path) -> Result<Self, String> {
        let address = SocketAddr::from((Ipv4Addr::LOCALHOST, free_port()));
        let mut process = command(part(
            "TEST_NODE_EXPORTER",
            "target/exporter/prometheus-node-exporter",
        ))
        .arg("--collector.disable-defaults")
        .arg("--web.disable-exporter-metrics")
        .arg(format!("--web.listen-address={address}"))
        .arg(format!("--web.config.file={}", web.display()))
        .stdout(Stdio::null())
        .stderr(Stdio::piped())
        .spawn()
        .expect("the exporter starts");
        let mut said = process.stderr.take().expect("it is a pipe");
        let listens = async {
            let mut all = Vec::new();
            let mut some = [0; 4096];
            // Said once the file is good, and it listens already.
            while !String::from_utf8_lossy(&all).contains("TLS is ") {
                match said.read(&mut some).await.expect("it can be read") {
                    0 => return Err(String::from_utf8_lossy(&all).into_owned()),
                    length => all.extend_from_slice(&some[..length]),
                }
            }
            Ok(())
        };
        timeout(DEADLINE, listens).await.expect("it listens or ends")?;
        // Nobody looks at what it says from now on, and it must not wait for that.
        tokio::spawn(async move { tokio::io::copy(&mut said, &mut tokio::io::sink()).await });
        Ok(Self {
            address,
            _process: process,
        })
    }
}
