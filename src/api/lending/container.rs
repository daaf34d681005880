//! The endpoint of the container that this runs in: ECS, or EKS Pod Identity.
//!
//! <https://docs.aws.amazon.com/sdkref/latest/guide/feature-container-credentials.html>

use std::time::Duration;

use reqwest::Method;

use super::super::{Cause, Reason};
use super::local::Local;
use crate::credentials::{Container, Lease};

/// Asks for a key, again where that may help.
pub(super) async fn ask(local: &Local, container: &Container) -> Result<Lease, Cause> {
    let mut attempt = 1;
    loop {
        let cause = match once(local, container).await {
            Ok(lease) => return Ok(lease),
            Err(cause) => cause,
        };
        let may_pass = matches!(
            cause.reason(),
            Reason::Unreachable | Reason::Timeout | Reason::Throttled
        );
        if attempt >= ATTEMPTS || !may_pass {
            return Err(cause);
        }
        attempt += 1;
        tokio::time::sleep(PAUSE).await;
    }
}

async fn once(local: &Local, container: &Container) -> Result<Lease, Cause> {
    // Read again each time, as it is a file that something keeps fresh.
    let token = container.authorization()?;
    let header = token.as_ref().map(|token| ("authorization", token));
    let answer = local.send(Method::GET, &container.url, header, TIMEOUT).await?;
    if answer.is_success() {
        return answer.lease(&container.url, token.as_ref());
    }
    let hint = match answer.status {
        401 | 403 => ", so it does not take the authorization token: is its file fresh?",
        404 => ", so no role is there for this container: is one assigned to the task or the pod?",
        _ => "",
    };
    Err(answer.refused(&container.url, hint))
}

/// botocore's.
const TIMEOUT: Duration = Duration::from_secs(2);
const ATTEMPTS: u32 = 3;
const PAUSE: Duration = Duration::from_secs(1);
