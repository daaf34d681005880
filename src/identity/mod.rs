//! The agent's identity at the cloud: made, renewed, removed and examined. The only room that speaks IAM.
//!
//! Nothing that polls can reach a call of this room that changes anything.

pub mod policy;
