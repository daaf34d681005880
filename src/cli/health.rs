//! `vigie health`: is the agent on this machine healthy? For containers, which have no other program to ask with.

use std::fmt::Write as _;
use std::time::Duration;

use anyhow::{Context as _, anyhow, bail};
use reqwest::Url;
use tokio::net::TcpStream;
use tokio::time::timeout;

use super::{Failure, Given, ListenArgument};
use crate::config::Address;

pub(super) async fn health(url: Option<Url>, listen: &ListenArgument) -> Result<(), Failure> {
    let url = match url {
        Some(url) => url,
        None => usual_url(&Given::value(listen.listen.as_ref()).unwrap_or_default())?,
    };
    if url.scheme() != "http" {
        return Err(Failure::usage(anyhow!(
            "`--url` is for plain HTTP on this machine: write http://127.0.0.1:9980/-/healthy"
        )));
    }
    let asking = || format!("asking {}", without_password(&url));
    let status = match timeout(LIMIT, asked(&url)).await {
        Ok(answer) => answer.with_context(asking)?,
        Err(_) => Err(anyhow!("no answer within {} s", LIMIT.as_secs())).with_context(asking)?,
    };
    if status != 200 {
        Err(anyhow!("it answers with status {status}")).with_context(asking)?;
    }
    Ok(())
}

/// Where an agent that listens there is asked. What listens on every address listens on loopback too.
fn usual_url(listen: &Address) -> Result<Url, Failure> {
    let address = listen.as_str();
    let address = match address.rsplit_once(':') {
        Some(("0.0.0.0", port)) => format!("127.0.0.1:{port}"),
        Some(("[::]", port)) => format!("[::1]:{port}"),
        _ => address.to_owned(),
    };
    let url = format!("http://{address}/-/healthy");
    url.parse::<Url>().map_err(|error| {
        Failure::usage(anyhow!(
            "`--listen` (or VIGIE_LISTEN) is {listen}, which no URL can hold ({error}): name what to ask with `--url`"
        ))
    })
}

/// The status of the answer. Written out, since a client for clouds would want certificates to trust first.
async fn asked(url: &Url) -> anyhow::Result<u16> {
    let addresses = url.socket_addrs(|| None).context("looking up the host")?;
    let stream = TcpStream::connect(&addresses[..]).await?;
    let host = url.host_str().unwrap_or_default();
    let mut request = format!("GET {}", url.path());
    if let Some(query) = url.query() {
        write!(request, "?{query}").expect("writing to a String cannot fail");
    }
    write!(request, " HTTP/1.1\r\nHost: {host}\r\nConnection: close\r\n\r\n")
        .expect("writing to a String cannot fail");
    stream.writable().await?;
    // A new connection takes some kilobytes at once.
    if stream.try_write(request.as_bytes())? < request.len() {
        bail!("the connection does not take the request");
    }
    let mut answer = [0; STATUS_LINE];
    let mut length = 0;
    while let Some(room) = answer.get_mut(length..).filter(|room| !room.is_empty()) {
        stream.readable().await?;
        match stream.try_read(room) {
            Ok(0) => break,
            Ok(more) => length += more,
            Err(error) if error.kind() == std::io::ErrorKind::WouldBlock => {}
            Err(error) => return Err(error.into()),
        }
    }
    status(&answer).ok_or_else(|| anyhow!("what answers does not speak HTTP"))
}

/// The status of `HTTP/1.1 200`.
fn status(answer: &[u8]) -> Option<u16> {
    let line = str::from_utf8(answer).ok()?;
    let (version, status) = line.split_once(' ')?;
    if !version.starts_with("HTTP/1.") {
        return None;
    }
    status.parse().ok()
}

fn without_password(url: &Url) -> String {
    let mut shown = url.clone();
    // Neither can fail for a URL with a host, which http URLs have.
    shown.set_password(None).ok();
    shown.set_username("").ok();
    shown.into()
}

/// What loopback needs is milliseconds; container engines wait for longer than this.
const LIMIT: Duration = Duration::from_secs(3);

/// As long as `HTTP/1.1 200`, after which nothing matters.
const STATUS_LINE: usize = 12;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn agent_on_every_address_is_asked_on_loopback() {
        for (listen, url) in [
            ("127.0.0.1:9980", "http://127.0.0.1:9980/-/healthy"),
            ("0.0.0.0:1", "http://127.0.0.1:1/-/healthy"),
            ("[::]:9980", "http://[::1]:9980/-/healthy"),
            ("10.0.0.7:9980", "http://10.0.0.7:9980/-/healthy"),
            ("localhost:80", "http://localhost/-/healthy"),
        ] {
            let listen = listen.parse().unwrap();
            assert_eq!(usual_url(&listen).unwrap().as_str(), url);
        }
    }

    #[test]
    fn status_is_that_of_http() {
        assert_eq!(status(b"HTTP/1.1 200"), Some(200));
        assert_eq!(status(b"HTTP/1.0 503"), Some(503));
        for other in [
            &b"SSH-2.0-Open"[..],
            b"HTTP/1.1 2",
            b"",
            b"\xff\xff",
            b"HTTP/1.1 20x",
        ] {
            assert_eq!(status(other).filter(|status| *status >= 100), None, "{other:?}");
        }
    }

    #[test]
    fn address_that_no_url_can_hold_is_refused() {
        for listen in ["256.1.1.1:80", "1.2.3.4.5:80", "xn--a:80"] {
            let refused = usual_url(&listen.parse().unwrap()).unwrap_err();
            assert_eq!(refused.exit_code, Failure::USAGE, "{listen}");
        }
    }
}
