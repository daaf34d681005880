//! What hands out keys, on loopback: an instance's metadata, a container's endpoint, and an STS that is written down.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, MutexGuard};

use axum::Router;
use axum::body::{Body, Bytes};
use axum::extract::State;
use axum::http::{HeaderMap, Method, Response, Uri};
use serde_json::json;
use tokio::net::TcpListener;
use tokio::task::JoinSet;

use crate::parts::HTTP;
use crate::scene::Session;

/// A request as it came.
pub(crate) struct Asked {
    pub(crate) method: Method,
    pub(crate) path: String,
    pub(crate) headers: HeaderMap,
    pub(crate) body: String,
}

/// What it is answered; `None` is silence for ever.
pub(crate) type Answer = Option<(u16, String)>;

type Script = dyn FnMut(&Asked) -> Answer + Send;

impl Asked {
    /// The id of the key that signed it.
    pub(crate) fn signed_by(&self) -> Option<String> {
        let authorization = self.headers.get("authorization")?.to_str().ok()?;
        let (_, credential) = authorization.split_once("Credential=")?;
        Some(credential.split('/').next()?.to_owned())
    }
}

/// A server whose every answer the test writes.
pub(crate) struct Scripted {
    pub(crate) url: String,
    state: Arc<Mutex<Told>>,
    _server: JoinSet<()>,
}

struct Told {
    script: Box<Script>,
    asked: Vec<String>,
}

impl Scripted {
    pub(crate) async fn start(script: impl FnMut(&Asked) -> Answer + Send + 'static) -> Self {
        let state = Arc::new(Mutex::new(Told {
            script: Box::new(script),
            asked: Vec::new(),
        }));
        let routes = Router::new().fallback(answer).with_state(Arc::clone(&state));
        let (url, server) = serve(routes).await;
        Self {
            url,
            state,
            _server: server,
        }
    }

    /// The requests so far, by method and path.
    pub(crate) fn asked(&self) -> Vec<String> {
        self.state().asked.clone()
    }

    /// Goes on with another script.
    pub(crate) fn goes_on(&self, script: impl FnMut(&Asked) -> Answer + Send + 'static) {
        self.state().script = Box::new(script);
    }

    fn state(&self) -> MutexGuard<'_, Told> {
        self.state.lock().unwrap()
    }
}

async fn answer(
    State(state): State<Arc<Mutex<Told>>>,
    method: Method,
    uri: Uri,
    headers: HeaderMap,
    body: Bytes,
) -> Response<Body> {
    let asked = Asked {
        method,
        path: uri.path().to_owned(),
        headers,
        body: String::from_utf8_lossy(&body).into_owned(),
    };
    let answer = {
        let mut told = state.lock().unwrap();
        told.asked.push(format!("{} {}", asked.method, asked.path));
        (told.script)(&asked)
    };
    let Some((status, body)) = answer else {
        return std::future::pending().await;
    };
    Response::builder().status(status).body(body.into()).unwrap()
}

async fn serve(routes: Router) -> (String, JoinSet<()>) {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("http://{}", listener.local_addr().unwrap());
    let mut server = JoinSet::new();
    server.spawn(async move { axum::serve(listener, routes).await.unwrap() });
    (url, server)
}

/// An instance's metadata as AWS documents it: version 2, with a token that it made itself.
pub(crate) fn metadata(
    mut lend: impl FnMut() -> serde_json::Value + Send + 'static,
) -> impl FnMut(&Asked) -> Answer + Send + 'static {
    const TOKEN: &str = "canary-metadata-token";
    move |asked| {
        let header = |name| asked.headers.get(name).and_then(|value| value.to_str().ok());
        let page = "/latest/meta-data/iam/security-credentials/";
        Some(match (asked.method.as_str(), asked.path.as_str()) {
            ("PUT", "/latest/api/token") => match header("x-aws-ec2-metadata-token-ttl-seconds") {
                Some("21600") => (200, TOKEN.to_owned()),
                _ => (400, "Bad Request".to_owned()),
            },
            ("GET", _) if header("x-aws-ec2-metadata-token") != Some(TOKEN) => {
                (401, "Unauthorized".to_owned())
            }
            ("GET", path) if path == page => (200, "watcher-role".to_owned()),
            ("GET", path) if path == format!("{page}watcher-role") => (200, lend().to_string()),
            _ => (404, "Not Found".to_owned()),
        })
    }
}

/// A session as an instance or a container gets it.
pub(crate) fn lent(session: &Session) -> serde_json::Value {
    json!({
        "Code": "Success",
        "Type": "AWS-HMAC",
        "AccessKeyId": session.access_key,
        "SecretAccessKey": session.secret_key,
        "Token": session.token,
        "Expiration": session.expiration,
    })
}

/// An STS before moto's that keeps what it is asked, and answers the same question with the same key.
///
/// moto refuses what is not signed, which a web identity is not: that passes as if nothing was checked yet.
pub(crate) struct Sts {
    pub(crate) url: String,
    state: Arc<Kept>,
    _server: JoinSet<()>,
}

struct Kept {
    moto: String,
    asked: Mutex<Vec<Form>>,
    answers: tokio::sync::Mutex<BTreeMap<String, (u16, String)>>,
}

/// What was asked, and whether it was signed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Form {
    pub(crate) parameters: BTreeMap<String, String>,
    pub(crate) signed_by: Option<String>,
}

impl Sts {
    pub(crate) async fn before(moto: String) -> Self {
        let state = Arc::new(Kept {
            moto,
            asked: Mutex::default(),
            answers: tokio::sync::Mutex::default(),
        });
        let routes = Router::new().fallback(pass_on).with_state(Arc::clone(&state));
        let (url, server) = serve(routes).await;
        Self {
            url,
            state,
            _server: server,
        }
    }

    pub(crate) fn asked(&self) -> Vec<Form> {
        self.state.asked.lock().unwrap().clone()
    }
}

async fn pass_on(State(kept): State<Arc<Kept>>, headers: HeaderMap, body: Bytes) -> Response<Body> {
    let parameters: BTreeMap<String, String> = form_urlencoded::parse(&body).into_owned().collect();
    let asked = Asked {
        method: Method::POST,
        path: "/".to_owned(),
        headers: headers.clone(),
        body: String::new(),
    };
    let form = Form {
        parameters,
        signed_by: asked.signed_by(),
    };
    kept.asked.lock().unwrap().push(form.clone());
    let mut answers = kept.answers.lock().await;
    let question = format!("{form:?}");
    if !answers.contains_key(&question) {
        if form.signed_by.is_none() {
            let order = HTTP.post(format!("{}/moto-api/reset-auth", kept.moto)).body("1");
            order.send().await.unwrap();
        }
        // With the host that was signed.
        let asked = HTTP
            .post(&kept.moto)
            .headers(headers)
            .body(body)
            .send()
            .await
            .unwrap();
        let answer = (asked.status().as_u16(), asked.text().await.unwrap());
        answers.insert(question.clone(), answer);
    }
    let (status, body) = answers[&question].clone();
    Response::builder().status(status).body(body.into()).unwrap()
}
