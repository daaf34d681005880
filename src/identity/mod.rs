//! The agent's identity at the cloud: made, renewed, removed and examined. The only room that speaks IAM.
//!
//! [`bootstrap`] looks, decides what is to be done or refused ([`plan`](mod@plan)) and does it, step by step, until
//! what is there is what was wanted. A run that is cut off anywhere is completed by the next one. Nothing that polls
//! can reach a call of this room that changes anything.

pub mod answers;
pub mod audit;
mod auditor;
mod bootstrap;
mod error;
mod iam;
mod iam_policies;
mod key_choice;
pub mod key_file;
mod keys;
mod place;
pub mod plan;
pub mod policy;
pub mod probe;
mod proof;
mod rotate;
mod survey;
mod teardown;

use std::time::Duration;

use serde::Serialize;

use crate::provider::Provider;
use crate::resource::Kind;
pub use audit::{Audit, Outcome};
pub use auditor::{Auditor, FAMILIES, Metrics};
pub use bootstrap::{bootstrap, plan};
pub use error::Error;
pub use keys::{Out, REQUEST_TIME, Retirement};
pub use place::Place;
use policy::Policy;
pub use proof::{Patience, Proof};
pub use rotate::{Rotation, rotate};
pub use teardown::Teardown;

/// What the parts of the identity are called.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Names {
    /// The user that the key belongs to.
    pub user: String,
    /// The group that the user is in.
    pub group: String,
    /// The managed policy that the group holds.
    pub policy: String,
    /// The path of all three.
    pub path: String,
}

/// What they are called when nobody says otherwise.
impl Default for Names {
    fn default() -> Self {
        Self {
            user: "watcher_1".to_owned(),
            group: "monitoring".to_owned(),
            policy: "monitoring".to_owned(),
            path: "/".to_owned(),
        }
    }
}

/// What bootstrap is asked for.
#[derive(Clone)]
pub struct Wish {
    /// What to call everything.
    pub names: Names,
    /// The kinds that the key is for: what is tried with it in the end.
    pub kinds: Vec<&'static Kind>,
    /// What the policy grants.
    pub policy: Policy,
    /// Whether a policy that grants something else may be changed.
    pub update_policy: bool,
    /// The actions that need not be denied for the proof, on a cloud that looks for the thing before it looks at the
    /// permission.
    pub accept: Vec<String>,
    /// The ids of keys to replace by a new one.
    pub replace_keys: Vec<String>,
    /// How long a key that is replaced goes on working; otherwise as long as a request takes, where somebody may still
    /// use it, or not at all.
    pub grace: Option<Duration>,
    /// How long it is then kept, inactive.
    pub keep_old: Option<Duration>,
}

impl Wish {
    /// An identity for these kinds under the usual names, with nothing changed, replaced or let pass.
    pub fn of(provider: Provider, kinds: &[&'static Kind]) -> Self {
        Self {
            names: Names::default(),
            kinds: kinds.to_vec(),
            policy: Policy::of_kinds(provider, kinds),
            update_policy: false,
            accept: Vec::new(),
            replace_keys: Vec::new(),
            grace: None,
            keep_old: None,
        }
    }
}

/// What happens on the way, for whoever watches.
#[derive(Debug, Clone, Copy)]
pub enum Event<'a> {
    /// A step was done, or there was nothing to do for it.
    Step(&'a plan::Step),
    /// Nothing happens for some time.
    Waiting {
        /// What is waited for.
        what: &'a str,
        /// How long.
        time: Duration,
    },
    /// Something worth knowing.
    Note(&'a str),
}

/// Lets some time pass, and says so.
async fn wait(what: &str, time: Duration, told: &mut Told<'_>) {
    if !time.is_zero() {
        told(Event::Waiting { what, time });
        tokio::time::sleep(time).await;
    }
}

/// Whoever watches.
pub type Told<'a> = dyn FnMut(Event<'_>) + Send + 'a;
