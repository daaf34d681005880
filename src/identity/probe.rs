//! What a key may do beyond describing, found out by calls that can do nothing.
//!
//! A probe is harmless even where the cloud ignores `DryRun`: whatever it would change is named by an id that no
//! cloud gives out, or by a name that nobody can have given. What is not denied counts as allowed: a cloud that looks
//! for the thing before it looks at the permission is wronged by that, and nobody is lulled.

use std::sync::LazyLock;

use serde::Serialize;

use crate::api::{Action, Cause, Client, Error, Reason, Service, code};
use crate::provider::Provider;

/// A call that tells whether a key may do something, and does nothing.
#[derive(Debug)]
pub struct Probe {
    /// What is called.
    pub action: Action,
    providers: &'static [Provider],
    parameters: &'static [(&'static str, Value)],
}

/// What a parameter says.
#[derive(Debug, Clone, Copy)]
enum Value {
    Text(&'static str),
    /// The id of no thing of this sort: an instance is `i`.
    NoId(&'static str),
    /// A name that nobody gave to anything.
    NoName,
}

/// What one probe found.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Finding {
    /// The action as policies write it: `ec2:StopInstances`.
    pub action: String,
    /// Whether the key may do it.
    pub verdict: Verdict,
}

/// Whether a key may do something.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Verdict {
    /// The cloud itself denied it.
    Denied,
    /// The cloud has no such action, so that nobody may do it.
    Absent,
    /// The cloud did not deny it; what it said instead.
    Allowed(String),
    /// The cloud did not say; why.
    Unknown(String),
}

/// Every probe that makes sense at a provider.
pub fn probes(provider: Provider) -> Vec<&'static Probe> {
    let of_provider = |probe: &&Probe| probe.providers.contains(&provider);
    PROBES.iter().filter(of_provider).collect()
}

/// Sends these probes one after the other, by the client's deadline and within its budget.
///
/// A key that the cloud refuses, or that may not be tried, ends it at once: that is the error. Whatever else goes
/// wrong is a verdict.
pub async fn examine(client: &Client, probes: &[&'static Probe]) -> Result<Vec<Finding>, Error> {
    let mut findings = Vec::new();
    let mut silent: Vec<Service> = Vec::new();
    for probe in probes {
        let service = probe.action.service;
        let verdict = if silent.contains(&service) {
            let name = service.policy_prefix();
            Verdict::Unknown(format!("not sent: the probe of `{name}` before it had no answer"))
        } else {
            let parameters = probe.parameters(client.account().provider);
            let parameters: Vec<(&str, &str)> = parameters
                .iter()
                .map(|(name, value)| (*name, value.as_str()))
                .collect();
            match client.order(&probe.action, &parameters).await {
                Ok(()) => Verdict::Allowed("the call succeeded".to_owned()),
                Err(error) => match verdict(&error.cause) {
                    Some(verdict) => {
                        // Each had its attempts, and minutes for them; the next would have no better luck.
                        let is_silent =
                            matches!(error.cause, Cause::Unreachable { .. } | Cause::Timeout { .. });
                        silent.extend(is_silent.then_some(service));
                        verdict
                    }
                    None => return Err(error),
                },
            }
        };
        findings.push(Finding {
            action: probe.action.policy_name(),
            verdict,
        });
    }
    Ok(findings)
}

/// What a failed probe says about the permission; `None` if it says that the key is not taken at all.
pub(super) fn verdict(cause: &Cause) -> Option<Verdict> {
    Some(match cause {
        Cause::Answer(answer) => match answer.reason() {
            Reason::Auth | Reason::Clock => return None,
            Reason::Denied if answer.has_code => Verdict::Denied,
            Reason::Other if answer.says(code::NO_SUCH_ACTION) => Verdict::Absent,
            // A fault of the cloud's own says nothing, and 403 with a code that nobody knows no more than that.
            Reason::Other if answer.has_code && answer.status < 500 && answer.status != 403 => {
                Verdict::Allowed(answer.code.clone())
            }
            _ => Verdict::Unknown(answer.to_string()),
        },
        Cause::Credentials(_)
        | Cause::NoKey(_)
        | Cause::Unlent { .. }
        | Cause::Locked { .. }
        | Cause::Unsendable { .. } => return None,
        Cause::NoTime { .. }
        | Cause::NoEndpoint { .. }
        | Cause::Unreachable { .. }
        | Cause::Timeout { .. }
        | Cause::Malformed { .. }
        | Cause::Endless { .. }
        | Cause::TooMuch => Verdict::Unknown(cause.to_string()),
    })
}

impl Probe {
    fn parameters(&self, provider: Provider) -> Vec<(&'static str, String)> {
        let written = |value: &Value| match *value {
            Value::Text(text) => text.to_owned(),
            // Both clouds count in hexadecimal, and neither begins at nought.
            Value::NoId(prefix) => match provider {
                Provider::Aws => format!("{prefix}-{:017x}", 0),
                Provider::Outscale => format!("{prefix}-{:08x}", 0),
            },
            Value::NoName => NO_NAME.clone(),
        };
        let parameters = self.parameters.iter();
        parameters.map(|(name, value)| (*name, written(value))).collect()
    }
}

/// Made anew by each process, so that nobody can have made a thing of this name. Both clouds take 32 letters, digits
/// and hyphens for the name of a load balancer.
static NO_NAME: LazyLock<String> = LazyLock::new(|| format!("vigie-audit-{:016x}", fastrand::u64(..)));

const BOTH: &[Provider] = &[Provider::Outscale, Provider::Aws];

const DRY_RUN: (&str, Value) = ("DryRun", Value::Text("true"));

const NO_INSTANCE: (&str, Value) = ("InstanceId", Value::NoId("i"));

const NO_LOAD_BALANCER: (&str, Value) = ("LoadBalancerName", Value::NoName);

/// What an intruder would do first: stop, destroy, copy, open a door, look for other keys. Each request is complete,
/// since a cloud may look at its form before it looks at the permission.
static PROBES: [Probe; 20] = [
    ec2("StopInstances", &[DRY_RUN, ("InstanceId.1", Value::NoId("i"))]),
    ec2("StartInstances", &[DRY_RUN, ("InstanceId.1", Value::NoId("i"))]),
    ec2("RebootInstances", &[DRY_RUN, ("InstanceId.1", Value::NoId("i"))]),
    ec2(
        "TerminateInstances",
        &[DRY_RUN, ("InstanceId.1", Value::NoId("i"))],
    ),
    // An image that is not there, in a subnet that is not there.
    ec2(
        "RunInstances",
        &[
            DRY_RUN,
            ("ImageId", Value::NoId("ami")),
            ("SubnetId", Value::NoId("subnet")),
            ("MinCount", Value::Text("1")),
            ("MaxCount", Value::Text("1")),
        ],
    ),
    // Protects from being terminated.
    ec2(
        "ModifyInstanceAttribute",
        &[
            DRY_RUN,
            NO_INSTANCE,
            ("DisableApiTermination.Value", Value::Text("true")),
        ],
    ),
    ec2(
        "CreateTags",
        &[
            DRY_RUN,
            ("ResourceId.1", Value::NoId("i")),
            ("Tag.1.Key", Value::NoName),
            ("Tag.1.Value", Value::NoName),
        ],
    ),
    ec2("CreateImage", &[DRY_RUN, NO_INSTANCE, ("Name", Value::NoName)]),
    ec2("CreateSnapshot", &[DRY_RUN, ("VolumeId", Value::NoId("vol"))]),
    ec2("DeleteVolume", &[DRY_RUN, ("VolumeId", Value::NoId("vol"))]),
    ec2("DeleteSnapshot", &[DRY_RUN, ("SnapshotId", Value::NoId("snap"))]),
    // From an address that is reserved for documentation (RFC 5737).
    ec2(
        "AuthorizeSecurityGroupIngress",
        &[
            DRY_RUN,
            ("GroupId", Value::NoId("sg")),
            ("IpPermissions.1.IpProtocol", Value::Text("tcp")),
            ("IpPermissions.1.FromPort", Value::Text("22")),
            ("IpPermissions.1.ToPort", Value::Text("22")),
            ("IpPermissions.1.IpRanges.1.CidrIp", Value::Text("192.0.2.1/32")),
        ],
    ),
    elb(
        "RegisterInstancesWithLoadBalancer",
        &[
            NO_LOAD_BALANCER,
            ("Instances.member.1.InstanceId", Value::NoId("i")),
        ],
    ),
    elb(
        "DeregisterInstancesFromLoadBalancer",
        &[
            NO_LOAD_BALANCER,
            ("Instances.member.1.InstanceId", Value::NoId("i")),
        ],
    ),
    // AWS says of one that is not there that it was deleted.
    elb("DeleteLoadBalancer", &[NO_LOAD_BALANCER]),
    iam("ListUsers", BOTH, &[]),
    iam("ListGroups", BOTH, &[]),
    iam("ListPolicies", BOTH, &[]),
    // Of the key's own user: AWS allows nobody that unasked, and who may is often let make keys too.
    iam("ListAccessKeys", &[Provider::Aws], &[]),
    // Whether OUTSCALE lets each user see its own keys is unproven; those of another it does not.
    iam(
        "ListAccessKeys",
        &[Provider::Outscale],
        &[("UserName", Value::NoName)],
    ),
];

const fn ec2(name: &'static str, parameters: &'static [(&'static str, Value)]) -> Probe {
    Probe {
        action: Action::probing(Service::Ec2, name),
        providers: BOTH,
        parameters,
    }
}

const fn elb(name: &'static str, parameters: &'static [(&'static str, Value)]) -> Probe {
    Probe {
        action: Action::probing(Service::Elb, name),
        providers: BOTH,
        parameters,
    }
}

const fn iam(
    name: &'static str,
    providers: &'static [Provider],
    parameters: &'static [(&'static str, Value)],
) -> Probe {
    Probe {
        action: Action::probing(Service::Iam, name),
        providers,
        parameters,
    }
}

#[cfg(test)]
mod tests;
