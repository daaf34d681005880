//! A client that signs by hand, and the clouds it talks to.

use std::time::Duration;

use jiff::{SignedDuration, Timestamp};
use reqwest::header::{AUTHORIZATION, CONTENT_TYPE, HeaderMap};
use tokio::net::TcpListener;
use vigie::demo::{Cloud, Key, Options};
use vigie::provider::Provider;
use vigie::sigv4::{self, Request, Scope};

/// How a request is signed; the default is as it should be.
pub(crate) struct Client {
    pub(crate) http: reqwest::Client,
    pub(crate) url: String,
    pub(crate) key: Key,
    pub(crate) service: &'static str,
    pub(crate) region: &'static str,
    /// How far this client's clock is ahead.
    pub(crate) ahead: SignedDuration,
    pub(crate) is_get: bool,
    /// Sent instead of what was signed.
    pub(crate) tampered: Option<&'static str>,
}

impl Client {
    pub(crate) fn new(cloud: &Cloud, key: Key, service: &'static str) -> Self {
        Self {
            http: reqwest::Client::builder()
                .timeout(Duration::from_secs(20))
                .build()
                .unwrap(),
            url: cloud.url(),
            key,
            service,
            region: "eu-west-2",
            ahead: SignedDuration::ZERO,
            is_get: false,
            tampered: None,
        }
    }

    pub(crate) fn admin(cloud: &Cloud, service: &'static str) -> Self {
        Self::new(cloud, cloud.admin_key(), service)
    }

    pub(crate) async fn send(
        &self,
        action: &str,
        parameters: &[(&str, &str)],
    ) -> reqwest::Result<reqwest::Response> {
        let form = form_urlencoded::Serializer::new(String::new())
            .append_pair("Action", action)
            .extend_pairs(parameters)
            .finish()
            // A signed query has its spaces as %20.
            .replace('+', "%20");
        let amz_date = sigv4::amz_date(Timestamp::now() + self.ahead);
        let host = self.url.strip_prefix("http://").unwrap();
        let content_type = "application/x-www-form-urlencoded; charset=utf-8";
        let headers = [
            ("content-type", content_type),
            ("host", host),
            ("x-amz-date", amz_date.as_str()),
        ];
        let request = Request {
            method: if self.is_get { "GET" } else { "POST" },
            path: "/",
            query: if self.is_get { &form } else { "" },
            headers: &headers,
            body: if self.is_get { b"" } else { form.as_bytes() },
        };
        let scope = Scope {
            date: amz_date.get(..8).unwrap(),
            region: self.region,
            service: self.service,
        };
        let key = &self.key;
        let authorization = sigv4::sign(
            &request,
            &key.access_key_id,
            &key.secret_access_key,
            &scope,
            &amz_date,
        );
        let sent = self.tampered.map_or_else(|| form.clone(), str::to_owned);
        let request = if self.is_get {
            self.http.get(format!("{}/?{sent}", self.url))
        } else {
            self.http.post(&self.url).body(sent)
        };
        request
            .header(CONTENT_TYPE, content_type)
            .header("x-amz-date", &amz_date)
            .header(AUTHORIZATION, authorization)
            .send()
            .await
    }

    pub(crate) async fn call(&self, action: &str, parameters: &[(&str, &str)]) -> Reply {
        let response = self.send(action, parameters).await.unwrap();
        Reply {
            status: response.status().as_u16(),
            headers: response.headers().clone(),
            body: response.text().await.unwrap(),
        }
    }
}

pub(crate) struct Reply {
    pub(crate) status: u16,
    pub(crate) headers: HeaderMap,
    pub(crate) body: String,
}

impl Reply {
    /// The texts of all elements of a name, in order.
    pub(crate) fn all(&self, name: &str) -> Vec<&str> {
        let (open, close) = (format!("<{name}>"), format!("</{name}>"));
        self.body
            .split(&open)
            .skip(1)
            .filter_map(|rest| rest.split_once(&close))
            .map(|(text, _)| text)
            .collect()
    }

    pub(crate) fn one(&self, name: &str) -> &str {
        self.all(name).first().copied().unwrap_or_default()
    }

    /// Status and code, as a refusal.
    pub(crate) fn refusal(&self) -> (u16, &str) {
        (self.status, self.one("Code"))
    }
}

pub(crate) async fn cloud(options: Options) -> Cloud {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    Cloud::start(options, listener).await.unwrap()
}

/// OUTSCALE's manners and a fleet that holds still.
pub(crate) fn still() -> Options {
    Options {
        alive: false,
        ..Options::default()
    }
}

pub(crate) fn still_aws() -> Options {
    Options {
        provider: Provider::Aws,
        ..still()
    }
}

pub(crate) fn ids(cloud: &Cloud) -> Vec<String> {
    let instances = cloud.fleet().instances();
    instances.into_iter().map(|instance| instance.id).collect()
}
