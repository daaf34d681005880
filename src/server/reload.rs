//! `POST /-/reload`: asks whoever runs the agent to take its settings anew. Only where that is allowed.

use axum::http::{HeaderMap, StatusCode, header};
use tokio::sync::{mpsc, oneshot};

use crate::paths::without_paths;

/// What came of it: nothing, or why the settings in force stay.
pub type Outcome = Result<(), String>;

/// Somebody asks for the settings to be taken anew.
#[derive(Debug)]
pub struct Reload {
    answer: Option<oneshot::Sender<Outcome>>,
}

impl Reload {
    /// Asked by someone who waits for no answer.
    pub fn unanswered() -> Self {
        Self { answer: None }
    }

    /// Says what came of it.
    pub fn answer(self, outcome: Outcome) {
        if let Some(answer) = self.answer {
            // Whoever asked may be gone.
            answer.send(outcome).ok();
        }
    }
}

/// The answer where it is not allowed.
pub(super) const IS_OFF: &str = "settings are not taken anew this way: start `vigie run` with --enable-lifecycle, or send \
                                 it SIGHUP\n";

pub(super) async fn ask(headers: HeaderMap, reloads: mpsc::Sender<Reload>) -> (StatusCode, String) {
    if is_of_another_site(&headers) {
        return (StatusCode::FORBIDDEN, OF_ANOTHER_SITE.to_owned());
    }
    let (answer, answered) = oneshot::channel();
    let reload = Reload { answer: Some(answer) };
    if reloads.send(reload).await.is_err() {
        return (StatusCode::SERVICE_UNAVAILABLE, "vigie is ending\n".to_owned());
    }
    match answered.await {
        Ok(Ok(())) => (StatusCode::OK, "the settings are in force\n".to_owned()),
        Ok(Err(why)) => (
            StatusCode::INTERNAL_SERVER_ERROR,
            format!("{}\n", without_paths(&why)),
        ),
        Err(_) => (StatusCode::SERVICE_UNAVAILABLE, "vigie is ending\n".to_owned()),
    }
}

/// Whether a page of another site has a browser ask, which needs nobody's consent: by what browsers say of themselves.
fn is_of_another_site(headers: &HeaderMap) -> bool {
    let of_another = |site: &header::HeaderValue| site != "same-origin" && site != "none";
    let host = headers.get(header::HOST).map(header::HeaderValue::as_bytes);
    let is_own = |origin: &header::HeaderValue| {
        let own = origin.to_str().ok().and_then(|origin| origin.split_once("://"));
        own.zip(host)
            .is_some_and(|((_, own), host)| host.eq_ignore_ascii_case(own.as_bytes()))
    };
    headers.get_all(SEC_FETCH_SITE).iter().any(of_another)
        || !headers.get_all(header::ORIGIN).iter().all(is_own)
}

const SEC_FETCH_SITE: &str = "sec-fetch-site";

const OF_ANOTHER_SITE: &str =
    "a page of another site does not have settings taken anew: ask without a browser, as curl does\n";

#[cfg(test)]
mod tests {
    use axum::http::HeaderValue;

    use super::*;

    #[test]
    fn browser_asks_only_for_a_page_of_this_very_host() {
        for (said, refused) in [
            (&[][..], false),
            (&[("sec-fetch-site", "same-origin")], false),
            (&[("sec-fetch-site", "none")], false),
            (&[("sec-fetch-site", "same-site")], true),
            (&[("sec-fetch-site", "cross-site")], true),
            (&[("sec-fetch-site", "")], true),
            (
                &[("sec-fetch-site", "none"), ("sec-fetch-site", "cross-site")],
                true,
            ),
            (&[("origin", "http://LocalHost:9980")], false),
            (&[("origin", "https://localhost:9980")], false),
            (&[("origin", "http://localhost:9981")], true),
            (&[("origin", "http://localhost")], true),
            (&[("origin", "http://evil.example")], true),
            (&[("origin", "http://localhost:9980.evil.example")], true),
            (&[("origin", "null")], true),
            (&[("origin", "")], true),
            (
                &[
                    ("sec-fetch-site", "same-origin"),
                    ("origin", "http://evil.example"),
                ],
                true,
            ),
        ] {
            let mut headers =
                HeaderMap::from_iter([(header::HOST, HeaderValue::from_static("localhost:9980"))]);
            for (name, value) in said {
                headers.append(*name, HeaderValue::from_static(value));
            }
            assert_eq!(is_of_another_site(&headers), refused, "{said:?}");
        }
        let nowhere = HeaderMap::from_iter([(header::ORIGIN, HeaderValue::from_static("http://a"))]);
        assert!(is_of_another_site(&nowhere), "no host is asked");
    }
}
