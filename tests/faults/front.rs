//! What stands between the agent and the cloud: it passes requests on, but for those that meet the fault.

use std::collections::BTreeMap;
use std::io;
use std::net::SocketAddr;
use std::sync::{Arc, Mutex, MutexGuard};
use std::time::Duration;

use tokio::io::{AsyncRead, AsyncReadExt as _, AsyncWrite, AsyncWriteExt as _};
use tokio::net::{TcpListener, TcpSocket, TcpStream};
use tokio::task::JoinSet;
use tokio::time::{Instant, sleep};

use crate::certificates::Certificates;
use crate::fault::Fault;
use crate::spoilt::{answer, answer_of, body, head, kept_open, refusal, spoilt};

/// Where a cloud and its like with other clocks answer.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Clouds {
    pub(crate) right: SocketAddr,
    /// Its clock is ten minutes ahead of ours.
    pub(crate) ahead: SocketAddr,
    /// Its clock is ten minutes behind ours.
    pub(crate) behind: SocketAddr,
}

/// The request that meets the fault.
#[derive(Debug, Clone)]
pub(crate) struct Mark {
    pub(crate) action: &'static str,
    pub(crate) is_v2: bool,
    pub(crate) region: String,
}

/// A request as it came.
#[derive(Debug, Clone)]
pub(crate) struct Asked {
    pub(crate) at: Instant,
    pub(crate) action: String,
    pub(crate) is_ec2: bool,
    is_v2: bool,
    region: String,
    pub(crate) cursor: Option<String>,
    /// The one thing that it is about.
    object: Option<String>,
}

/// One endpoint; it ends with the value.
pub(crate) struct Front {
    pub(crate) address: SocketAddr,
    shared: Arc<Shared>,
    serving: JoinSet<()>,
    /// The port while nobody listens there.
    parked: Option<TcpSocket>,
}

struct Shared {
    clouds: Clouds,
    certificates: Option<Arc<Certificates>>,
    state: Mutex<State>,
}

#[derive(Default)]
struct State {
    fault: Option<Fault>,
    mark: Option<Mark>,
    met: Vec<Asked>,
    /// All for the action, whatever they were about.
    asked: usize,
    /// The first page of the listing that met the fault; the cloud knows nothing of our cursors.
    first_page: Option<String>,
    /// The bytes of the longest answer.
    longest: usize,
}

impl Front {
    pub(crate) fn new(clouds: Clouds, certificates: Option<Arc<Certificates>>) -> Self {
        let listener = socket("127.0.0.1:0".parse().unwrap()).listen(64).unwrap();
        let mut front = Self {
            address: listener.local_addr().unwrap(),
            shared: Arc::new(Shared {
                clouds,
                certificates,
                state: Mutex::default(),
            }),
            serving: JoinSet::new(),
            parked: None,
        };
        front.serve(listener);
        front
    }

    pub(crate) fn url(&self) -> String {
        let scheme = if self.shared.certificates.is_some() {
            "https"
        } else {
            "http"
        };
        format!("{scheme}://{}", self.address)
    }

    /// Lets what bears the mark meet a fault from now on.
    pub(crate) async fn meet(&mut self, fault: Fault, mark: Mark) {
        *self.shared.state() = State {
            fault: Some(fault),
            mark: Some(mark),
            ..State::default()
        };
        if fault == Fault::Refused {
            // Held before it is let go, so that nobody else gets it.
            self.parked = Some(socket(self.address));
            self.serving.shutdown().await;
        }
    }

    /// Ends the fault.
    pub(crate) fn heal(&mut self) {
        self.shared.state().fault = None;
        if let Some(socket) = self.parked.take() {
            let listener = socket.listen(64).unwrap();
            self.serve(listener);
        }
    }

    /// The requests that met the fault.
    pub(crate) fn met(&self) -> Vec<Asked> {
        self.shared.state().met.clone()
    }

    /// How many requests for the marked action came since the fault began.
    pub(crate) fn asked(&self) -> usize {
        self.shared.state().asked
    }

    /// The bytes of the longest answer since the fault began.
    pub(crate) fn longest(&self) -> usize {
        self.shared.state().longest
    }

    fn serve(&mut self, listener: TcpListener) {
        let shared = Arc::clone(&self.shared);
        self.serving.spawn(async move {
            let mut conversations = JoinSet::new();
            loop {
                let (stream, _) = listener.accept().await.unwrap();
                conversations.spawn(converse(stream, Arc::clone(&shared)));
                while conversations.try_join_next().is_some() {}
            }
        });
    }
}

impl Shared {
    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap()
    }

    /// The fault that this request meets, and how many met it before.
    fn meets(&self, asked: &Asked) -> Option<(Fault, usize)> {
        let mut state = self.state();
        let mark = state.mark.as_ref()?;
        if (asked.action.as_str(), asked.is_v2, asked.region.as_str())
            != (mark.action, mark.is_v2, mark.region.as_str())
        {
            return None;
        }
        state.asked += 1;
        let fault = state.fault?;
        // Of many things, one meets it: the first that is asked about.
        if state
            .met
            .first()
            .is_some_and(|first| first.object != asked.object)
        {
            return None;
        }
        let before = state.met.len();
        state.met.push(asked.clone());
        Some((fault, before))
    }

    /// The cloud that hears what is passed on.
    fn cloud(&self) -> SocketAddr {
        match self.state().fault {
            Some(Fault::ClockBehind) => self.clouds.ahead,
            Some(Fault::ClockAhead) => self.clouds.behind,
            _ => self.clouds.right,
        }
    }

    fn sent(&self, bytes: usize) {
        let mut state = self.state();
        state.longest = state.longest.max(bytes);
    }
}

/// One that shares its port with others of ours.
fn socket(address: SocketAddr) -> TcpSocket {
    let socket = TcpSocket::new_v4().unwrap();
    socket.set_reuseport(true).unwrap();
    socket.bind(address).unwrap();
    socket
}

/// How a conversation ends.
enum End {
    Close,
    /// It does not yet: another request may come.
    Another,
    Reset,
}

async fn converse(mut stream: TcpStream, shared: Arc<Shared>) {
    let Some(certificates) = &shared.certificates else {
        // Whoever has hung up in the middle has heard enough.
        loop {
            match reply(&mut stream, &shared).await {
                Ok(End::Another) => {}
                Ok(End::Reset) => return stream.set_zero_linger().unwrap(),
                Ok(End::Close) | Err(_) => return,
            }
        }
    };
    let fault = shared.state().fault;
    if let Ok(mut stream) = certificates.during(fault).accept(stream).await {
        drop(reply(&mut stream, &shared).await);
        drop(stream.shutdown().await);
    }
}

/// Hears one request and answers it.
async fn reply(stream: &mut (impl AsyncRead + AsyncWrite + Unpin), shared: &Shared) -> io::Result<End> {
    let request = Request::read(stream).await?;
    let asked = &request.asked;
    let Some((fault, before)) = shared.meets(asked) else {
        stream
            .write_all(&request.passed_on(shared.cloud()).await?)
            .await?;
        return Ok(End::Close);
    };
    match fault {
        Fault::ResetBefore => return Ok(End::Reset),
        Fault::RetryAfterOnce if before > 0 => {}
        Fault::BadGateway => {
            let html = "<!DOCTYPE html>\n<html><body>\n<h1>502 Bad Gateway</h1><hr>\n";
            stream.write_all(&answer("502 Bad Gateway", "", html)).await?;
            return Ok(End::Close);
        }
        Fault::GigabyteAnnounced => {
            let begin = format!("<{}Response>", asked.action);
            stream
                .write_all(&answer_of("200 OK", "", 1 << 30, &begin))
                .await?;
            return Ok(End::Close);
        }
        Fault::Gigabyte => {
            gigabyte(stream, asked, shared).await?;
            return Ok(End::Close);
        }
        _ => {
            if let Some(refusal) = refusal(fault, asked) {
                stream.write_all(&refusal).await?;
                return Ok(End::Close);
            }
        }
    }
    if asked.cursor.is_some() {
        let first_page = shared.state().first_page.clone().unwrap();
        let page = answer("200 OK", "", &spoilt(fault, asked, &first_page));
        stream.write_all(&kept_open(&page)).await?;
        return Ok(End::Another);
    }
    let passed = request.passed_on(shared.cloud()).await?;
    match fault {
        Fault::ResetInBody => {
            let (half, _) = passed.split_at(passed.len() - body(&passed).len() / 2);
            stream.write_all(half).await?;
            // What is written has to arrive before the end does.
            sleep(Duration::from_millis(10)).await;
            return Ok(End::Reset);
        }
        Fault::Silence => {
            sleep(Duration::from_secs(30)).await;
            stream.write_all(&passed).await?;
        }
        Fault::OneByteASecond => {
            for byte in &passed {
                stream.write_all(&[*byte]).await?;
                sleep(Duration::from_secs(1)).await;
            }
        }
        // A clock is right or wrong for whatever is asked.
        Fault::ClockAhead | Fault::ClockBehind | Fault::RetryAfterOnce => stream.write_all(&passed).await?,
        _ => {
            let first_page = body(&passed);
            let spoilt = spoilt(fault, asked, &first_page);
            shared.state().first_page = Some(first_page);
            stream.write_all(&answer("200 OK", "", &spoilt)).await?;
        }
    }
    Ok(End::Close)
}

/// Well-formed items, until nobody reads on.
async fn gigabyte(stream: &mut (impl AsyncWrite + Unpin), asked: &Asked, shared: &Shared) -> io::Result<()> {
    let item = "<item><instanceId>i-00000000</instanceId><note>there is always one more</note></item>";
    let chunk = item.repeat((256 << 10) / item.len());
    let mut sent = 0;
    stream.write_all(head("200 OK", "").as_bytes()).await?;
    let begin = format!("<{}Response><reservationSet>", asked.action);
    stream.write_all(begin.as_bytes()).await?;
    while sent < 1 << 30 {
        stream.write_all(chunk.as_bytes()).await?;
        sent += chunk.len();
        shared.sent(sent);
    }
    Ok(())
}

struct Request {
    head: String,
    body: Vec<u8>,
    asked: Asked,
}

impl Request {
    async fn read(stream: &mut (impl AsyncRead + Unpin)) -> io::Result<Self> {
        let mut bytes = Vec::new();
        let end = loop {
            if let Some(end) = bytes.windows(4).position(|window| window == b"\r\n\r\n") {
                break end + 4;
            }
            if stream.read_buf(&mut bytes).await? == 0 {
                return Err(io::ErrorKind::UnexpectedEof.into());
            }
        };
        let mut body = bytes.split_off(end);
        let head = String::from_utf8(bytes).unwrap();
        let header = |name: &str| {
            let mut lines = head.lines().filter_map(|line| line.split_once(": "));
            lines.find_map(|(own, value)| own.eq_ignore_ascii_case(name).then_some(value))
        };
        let length: usize = header("content-length").unwrap().parse().unwrap();
        while body.len() < length {
            if stream.read_buf(&mut body).await? == 0 {
                return Err(io::ErrorKind::UnexpectedEof.into());
            }
        }
        // What is not signed has no scope: a web identity is no key.
        let scope: Vec<&str> = header("authorization").unwrap_or_default().split('/').collect();
        let parameters: BTreeMap<_, _> = form_urlencoded::parse(&body).into_owned().collect();
        let first = |names: &[&str]| names.iter().find_map(|name| parameters.get(*name).cloned());
        let version = &parameters["Version"];
        let asked = Asked {
            at: Instant::now(),
            action: parameters["Action"].clone(),
            is_ec2: version == "2016-11-15" || version == "2016-09-15",
            is_v2: version == "2015-12-01",
            region: scope.get(2).copied().unwrap_or_default().to_owned(),
            cursor: first(&["NextToken", "Marker"]),
            object: first(&["LoadBalancerName", "LoadBalancerArn", "TargetGroupArn"]),
        };
        Ok(Self { head, body, asked })
    }

    /// What the cloud answers.
    async fn passed_on(&self, cloud: SocketAddr) -> io::Result<Vec<u8>> {
        let mut stream = TcpStream::connect(cloud).await?;
        let head = self.head.trim_end();
        let request = [
            format!("{head}\r\nConnection: close\r\n\r\n").as_bytes(),
            &self.body,
        ]
        .concat();
        stream.write_all(&request).await?;
        let mut answer = Vec::new();
        stream.read_to_end(&mut answer).await?;
        Ok(answer)
    }
}
