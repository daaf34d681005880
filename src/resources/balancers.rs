//! What every sort of load balancer shows alike, classic or not: the families that their kinds share, and how each
//! of many load balancers is asked about.
//!
//! Not a kind: the one place where two kinds may write into the same family, told apart by the label `type`.

use std::borrow::Cow;
use std::sync::atomic::{AtomicBool, Ordering};

use futures_util::{StreamExt as _, future, stream};
use tracing::debug;

use crate::api::code::Codes;
use crate::api::xml::{self, Reader};
use crate::api::{Client, Error};
use crate::metric::Family;
use crate::resource::Observation;

// cloud_load_balancer_info{account="prod",region="eu-west-2",load_balancer="web",type="classic",scheme="internet-facing"} 1
pub(super) static INFO: Family = Family::gauge(
    "cloud_load_balancer_info",
    &[
        "account",
        "region",
        "load_balancer",
        "type",
        "scheme",
        "dns_name",
        "vpc_id",
    ],
    "Facts about the load balancer; what the cloud does not say is left out.",
);

// cloud_load_balancer_created_timestamp_seconds{account="prod",region="eu-west-2",load_balancer="web",type="classic"} 1732290000
pub(super) static CREATED: Family = Family::gauge(
    "cloud_load_balancer_created_timestamp_seconds",
    &["account", "region", "load_balancer", "type"],
    "When the load balancer was created.",
);

// cloud_load_balancer_listener_info{account="prod",region="eu-west-2",load_balancer="web",type="classic",protocol="HTTPS",port="443",instance_protocol="HTTP",instance_port="8080"} 1
pub(super) static LISTENER: Family = Family::gauge(
    "cloud_load_balancer_listener_info",
    &[
        "account",
        "region",
        "load_balancer",
        "type",
        "protocol",
        "port",
        "instance_protocol",
        "instance_port",
    ],
    "What the load balancer listens on and, where it is classic, where that leads.",
);

// cloud_load_balancer_backends{account="prod",region="eu-west-2",load_balancer="web",type="classic"} 3
pub(crate) static BACKENDS: Family = Family::gauge(
    "cloud_load_balancer_backends",
    &["account", "region", "load_balancer", "type", "target_group"],
    "Backends whose health the load balancer reports.",
);

// cloud_load_balancer_healthy_backends{account="prod",region="eu-west-2",load_balancer="web",type="classic"} 2
pub(crate) static HEALTHY_BACKENDS: Family = Family::gauge(
    "cloud_load_balancer_healthy_backends",
    &["account", "region", "load_balancer", "type", "target_group"],
    "Backends in service.",
);

// cloud_load_balancer_without_healthy_backend{account="prod",region="eu-west-2",load_balancer="web",type="classic"} 0
pub(crate) static WITHOUT_HEALTHY_BACKEND: Family = Family::gauge(
    "cloud_load_balancer_without_healthy_backend",
    &["account", "region", "load_balancer", "type"],
    "1 while not one backend of the load balancer, in whatever target group, is in service; also while it has none. \
     Left out where the cloud does not say: without a target group, while health checks are off, or of a backend without \
     a state.",
);

// cloud_load_balancer_backend_healthy{account="prod",region="eu-west-2",load_balancer="web",type="classic",instance_id="i-0a1b2c3d"} 0
pub(crate) static BACKEND_HEALTHY: Family = Family::gauge(
    "cloud_load_balancer_backend_healthy",
    &[
        "account",
        "region",
        "load_balancer",
        "type",
        "target_group",
        "port",
        "instance_id",
        "target",
    ],
    "1 while the backend is in service, 0 in every other state.",
);

// cloud_load_balancer_backend_state_info{account="prod",region="eu-west-2",load_balancer="web",type="classic",instance_id="i-0a1b2c3d",state="OutOfService",reason="ELB"} 1
pub(crate) static BACKEND_STATE: Family = Family::gauge(
    "cloud_load_balancer_backend_state_info",
    &[
        "account",
        "region",
        "load_balancer",
        "type",
        "target_group",
        "port",
        "instance_id",
        "target",
        "state",
        "reason",
    ],
    "The backend's state and its cause, in the cloud's words.",
);

/// A backend as shown: the labels that name it, and its health in the cloud's words.
pub(crate) struct Backend<'a> {
    /// Those that name it in its place: `instance_id` or `target`, and `port` where there is one for each.
    pub(crate) labels: &'a [(&'a str, &'a str)],
    pub(crate) state: &'a str,
    pub(crate) reason: &'a str,
    pub(crate) is_healthy: bool,
}

/// Shows the backends of one place, which these labels name, and how many of them are in service.
pub(crate) fn write_backends(
    observation: &mut Observation,
    place: &[(&str, &str)],
    backends: &[Backend<'_>],
) {
    let healthy = backends.iter().filter(|backend| backend.is_healthy).count();
    observation
        .sample(&BACKENDS)
        .labels(place)
        .value(backends.len() as f64);
    observation
        .sample(&HEALTHY_BACKENDS)
        .labels(place)
        .value(healthy as f64);
    for backend in backends {
        observation
            .sample(&BACKEND_HEALTHY)
            .labels(place)
            .labels(backend.labels)
            .value(if backend.is_healthy { 1.0 } else { 0.0 });
        observation
            .sample(&BACKEND_STATE)
            .labels(place)
            .labels(backend.labels)
            .label("state", backend.state)
            .label("reason", backend.reason)
            .value(1.0);
    }
}

/// Asks about each of these things, a few at a time, and hands on the answers in their order; a thing that has
/// vanished gives none.
///
/// After a failure no further call begins, but those under way are heard: the cloud counts them, as requests and
/// perhaps as refusals of the key.
pub(super) async fn ask_each<T, A, F>(
    things: impl IntoIterator<Item = T>,
    ask: impl Fn(T) -> F,
    mut answered: impl FnMut(A),
) -> Result<(), Error>
where
    F: Future<Output = Result<Option<A>, Error>>,
{
    let failed = AtomicBool::new(false);
    let mut answers = stream::iter(things)
        .take_while(|_| future::ready(!failed.load(Ordering::Relaxed)))
        .map(|thing| {
            let answer = ask(thing);
            async {
                let answer = answer.await;
                failed.fetch_or(answer.is_err(), Ordering::Relaxed);
                answer
            }
        })
        .buffered(CALLS_AT_ONCE);
    let mut outcome = Ok(());
    while let Some(answer) = answers.next().await {
        match answer {
            Ok(Some(answer)) => answered(answer),
            // It vanished between the list and its turn.
            Ok(None) => {}
            Err(error) => outcome = outcome.and(Err(error)),
        }
    }
    outcome
}

/// An answer about one thing; `None` if it is refused by one of these codes, which say that there is no such thing
/// any more.
pub(super) fn unless_gone<A>(
    answer: Result<A, Error>,
    codes: Codes,
    client: &Client,
    name: &str,
) -> Result<Option<A>, Error> {
    match answer {
        Ok(answer) => Ok(Some(answer)),
        Err(error) if error.says(codes) => {
            debug!(
                account = client.account().name,
                region = client.region(),
                action = error.action.name,
                name,
                "vanished between the list and the question about it"
            );
            Ok(None)
        }
        Err(error) => Err(error),
    }
}

/// Reads one page of a listing, whose members stand in this list, and gives its `NextMarker`.
pub(super) fn read_page<'a>(
    xml: &mut Reader<'a>,
    list: &str,
    mut read: impl FnMut(&mut Reader<'a>) -> Result<(), xml::Error>,
) -> Result<Option<String>, xml::Error> {
    let mut next = Cow::default();
    let mut has_list = false;
    while let Some(name) = xml.child()? {
        match name {
            "NextMarker" => xml.fill(&mut next)?,
            name if name == list => {
                has_list = true;
                xml.each("member", &mut read)?;
            }
            _ => xml.skip()?,
        }
    }
    xml::require(has_list, list)?;
    Ok(Some(next.into_owned()))
}

/// The text of the element just entered, into a field that is still empty, as [`Reader::fill`] does.
pub(super) fn fill(field: &mut String, xml: &mut Reader<'_>) -> Result<(), xml::Error> {
    let text = xml.text()?;
    if field.is_empty() {
        text.trim().clone_into(field);
    }
    Ok(())
}

/// Calls under way at once, at most: the request budget is what bounds their rate.
const CALLS_AT_ONCE: usize = 5;
