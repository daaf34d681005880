//! `POST /-/reload`: asks whoever runs the agent to take its settings anew. Only where that is allowed.

use axum::http::StatusCode;
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

pub(super) async fn ask(reloads: mpsc::Sender<Reload>) -> (StatusCode, String) {
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
