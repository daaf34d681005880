//! What a reading says beside its samples, in a form that other rooms can compute with.

use std::borrow::Cow;
use std::collections::HashMap;

/// What one kind found out that is of use to others. Most kinds have nothing to add.
#[derive(Debug, Default)]
pub struct Facts {
    /// Every instance that was listed; `None` from kinds that list none.
    pub instances: Option<Instances>,
    /// The backends of load balancers that are instances.
    pub backends: Vec<BackendGroup>,
    /// The regions that are enabled.
    pub regions: Vec<String>,
}

/// Instances as they were listed, those included that settings leave off the page.
#[derive(Debug)]
pub struct Instances {
    /// The state of each, by id; empty where the cloud does not say it.
    pub states: HashMap<String, Cow<'static, str>>,
    /// Whether the cloud was asked for all of them, and named each: if not, one that is missing says nothing.
    pub is_whole: bool,
}

impl Default for Instances {
    fn default() -> Self {
        Self {
            states: HashMap::new(),
            is_whole: true,
        }
    }
}

/// The instances registered in one place behind one load balancer.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct BackendGroup {
    /// The labels of the place: `load_balancer`, `type` and, where there is one, `target_group`.
    pub labels: Vec<(&'static str, String)>,
    /// Each registered instance.
    pub backends: Vec<BackendInstance>,
}

/// One instance behind a load balancer.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct BackendInstance {
    /// The instance.
    pub instance_id: String,
    /// The port that it is registered with, where the place has one for each.
    pub port: Option<String>,
}
