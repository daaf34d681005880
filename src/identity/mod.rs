//! The agent's identity at the cloud: made, renewed, removed and examined. The only room that speaks IAM.
//!
//! [`bootstrap`] looks ([`survey`]), decides what is to be done or refused ([`plan`]) and does it, step by step, until
//! what is there is what was wanted. A run that is cut off anywhere is completed by the next one. Nothing that polls
//! can reach a call of this room that changes anything.

mod iam;
mod iam_policies;
pub mod key_file;
mod place;
pub mod plan;
pub mod policy;
pub mod probe;
pub mod survey;

use serde::Serialize;

use crate::resource::Kind;
pub use iam::Iam;
pub use place::Place;
use policy::Policy;

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
    /// The id of a key to replace by a new one.
    pub replace_key: Option<String>,
}
