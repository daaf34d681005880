//! `vigie health`: is the agent on this machine healthy? For containers, which have no other program to ask with.

mod tls;

use std::fmt::Write as _;
use std::net::SocketAddr;
use std::time::Duration;

use anyhow::{Context as _, anyhow};
use reqwest::Url;
use tokio::io::{AsyncRead, AsyncReadExt as _, AsyncWrite, AsyncWriteExt as _};
use tokio::net::{TcpStream, lookup_host};
use tokio::time::timeout;

use super::{Failure, Given, ListenArgument};
use crate::config::Address;

pub(super) async fn health(url: Option<Url>, listen: &ListenArgument) -> Result<(), Failure> {
    let url = match url {
        Some(url) => url,
        None => usual_url(&Given::value(listen.listen.as_ref()).unwrap_or_default())?,
    };
    if !["http", "https"].contains(&url.scheme()) {
        return Err(Failure::usage(anyhow!(
            "`--url` is for HTTP on this machine: write http://127.0.0.1:9980/-/healthy"
        )));
    }
    let asking = || format!("asking {}", without_password(&url));
    let sign = match timeout(LIMIT, asked(&url)).await {
        Ok(sign) => sign.with_context(asking)?,
        Err(_) => Err(anyhow!("no answer within {} s", LIMIT.as_secs())).with_context(asking)?,
    };
    match sign {
        // Whoever asks for a password or a certificate, or for patience, lives; health has none to show.
        Sign::Status(200 | 401 | 429) | Sign::WantsCertificate => Ok(()),
        Sign::Status(status) => {
            let answers = Err(anyhow!("it answers with status {status}"));
            Ok(answers.with_context(asking)?)
        }
    }
}

/// What came of asking.
#[derive(Debug, PartialEq, Eq)]
enum Sign {
    Status(u16),
    /// TLS was agreed on but for a certificate of the client's.
    WantsCertificate,
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

/// What answers. It is asked in plain HTTP, and over TLS where that is what it wants: nobody has to say so.
async fn asked(url: &Url) -> anyhow::Result<Sign> {
    if url.scheme() == "http" {
        let answer = exchanged(connected(url).await?, url).await?;
        if !(answer.as_bytes().starts_with(NO_TLS) && answer.contains(WANTS_TLS)) {
            return read(&answer);
        }
    }
    let host = url.host_str().unwrap_or_default();
    let answer = async { exchanged(tls::agreed(connected(url).await?, host).await?, url).await };
    match answer.await {
        Ok(answer) => read(&answer),
        Err(error) if tls::wants_a_certificate(&error) => Ok(Sign::WantsCertificate),
        Err(error) => Err(error),
    }
}

fn read(answer: &str) -> anyhow::Result<Sign> {
    let status = answer.get(..STATUS_LINE).and_then(status);
    let status = status.ok_or_else(|| anyhow!("what answers does not speak HTTP"))?;
    Ok(Sign::Status(status))
}

async fn connected(url: &Url) -> anyhow::Result<TcpStream> {
    let (host, port) = (url.host_str().unwrap_or_default(), url.port_or_known_default());
    // Without the brackets of IPv6. What looks it up may take longer than the limit, and must not hold it up.
    let host = host.trim_start_matches('[').trim_end_matches(']');
    let addresses = lookup_host((host, port.unwrap_or_default())).await;
    let addresses: Vec<SocketAddr> = addresses.context("looking up the host")?.collect();
    Ok(TcpStream::connect(&addresses[..]).await?)
}

/// The beginning of the answer. Written out, since a client for clouds would want certificates to trust first.
async fn exchanged(mut stream: impl AsyncRead + AsyncWrite + Unpin, url: &Url) -> anyhow::Result<String> {
    let host = url.host_str().unwrap_or_default();
    let mut request = format!("GET {}", url.path());
    if let Some(query) = url.query() {
        write!(request, "?{query}").expect("writing to a String cannot fail");
    }
    write!(request, " HTTP/1.1\r\nHost: {host}\r\nConnection: close\r\n\r\n")
        .expect("writing to a String cannot fail");
    let written = async {
        stream.write_all(request.as_bytes()).await?;
        stream.flush().await
    };
    // Whoever refuses may close before all is written, and says why all the same.
    let written = written.await;
    let mut answer = Vec::new();
    let mut stream = stream.take(ENOUGH);
    loop {
        match stream.read_buf(&mut answer).await {
            Ok(0) => break,
            Ok(_) if answer.len() < STATUS_LINE || answer.starts_with(NO_TLS) => {}
            Ok(_) => break,
            Err(_) if answer.len() >= STATUS_LINE => break,
            Err(error) => return Err(error.into()),
        }
    }
    if answer.is_empty() {
        written?;
    }
    Ok(String::from_utf8_lossy(&answer).into_owned())
}

/// The status of `HTTP/1.1 200`.
fn status(line: &str) -> Option<u16> {
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

/// As long as `HTTP/1.1 200`.
const STATUS_LINE: usize = 12;

/// More than any answer to this question.
const ENOUGH: u64 = 4096;

/// What a port for TLS says to plain HTTP; Go's words, which are vigie's too.
const NO_TLS: &[u8] = b"HTTP/1.0 400 ";
const WANTS_TLS: &str = "Client sent an HTTP request to an HTTPS server";

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
        assert_eq!(status("HTTP/1.1 200"), Some(200));
        assert_eq!(status("HTTP/1.0 503"), Some(503));
        for other in [
            "SSH-2.0-Open",
            "HTTP/1.1 2",
            "",
            "\u{fffd}\u{fffd}",
            "HTTP/1.1 20x",
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
