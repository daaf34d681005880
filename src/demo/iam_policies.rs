//! IAM of AWS, EIM of OUTSCALE: policies, managed and inline, and who holds them.

use super::account::{Policy, Rights, Version};
use super::call::{Action, Call};
use super::iam::{Outcome, answers, conflict, does, path, time, write_list, write_named};
use super::identity::{Identity, no_such};
use super::wire::Refusal;
use super::xml::Xml;

pub(super) const ACTIONS: &[Action] = &[
    answers("CreatePolicy", create_policy),
    answers("GetPolicy", get_policy),
    answers("ListPolicies", list_policies),
    does("DeletePolicy", delete_policy),
    answers("CreatePolicyVersion", create_policy_version),
    answers("GetPolicyVersion", get_policy_version),
    answers("ListPolicyVersions", list_policy_versions),
    does("SetDefaultPolicyVersion", set_default_policy_version),
    does("DeletePolicyVersion", delete_policy_version),
    does("AttachGroupPolicy", |call, _| attach(call, GROUP)),
    does("AttachUserPolicy", |call, _| attach(call, USER)),
    does("DetachGroupPolicy", |call, _| detach(call, GROUP)),
    does("DetachUserPolicy", |call, _| detach(call, USER)),
    answers("ListAttachedGroupPolicies", |call, xml| {
        list_attached(call, xml, GROUP)
    }),
    answers("ListAttachedUserPolicies", |call, xml| {
        list_attached(call, xml, USER)
    }),
    does("PutGroupPolicy", |call, _| put_inline(call, GROUP)),
    does("PutUserPolicy", |call, _| put_inline(call, USER)),
    answers("GetGroupPolicy", |call, xml| get_inline(call, xml, GROUP)),
    answers("GetUserPolicy", |call, xml| get_inline(call, xml, USER)),
    answers("ListGroupPolicies", |call, xml| list_inline(call, xml, GROUP)),
    answers("ListUserPolicies", |call, xml| list_inline(call, xml, USER)),
    does("DeleteGroupPolicy", |call, _| delete_inline(call, GROUP)),
    does("DeleteUserPolicy", |call, _| delete_inline(call, USER)),
];

/// Whose rights an action is about: the parameter that names the holder tells.
type Holder = &'static str;

const GROUP: Holder = "GroupName";
const USER: Holder = "UserName";

fn create_policy(call: &Call<'_>, xml: &mut Xml) -> Outcome {
    let name = call.parameters.required("PolicyName")?;
    let text = call.parameters.required("PolicyDocument")?;
    let description = call.parameters.value("Description").unwrap_or_default();
    let path = path(call)?;
    let mut identity = call.identity();
    let policy = identity.create_policy(name, path, description, text, call.now)?;
    xml.within("Policy", |xml| write_policy(xml, policy, 0));
    Ok(())
}

fn get_policy(call: &Call<'_>, xml: &mut Xml) -> Outcome {
    let identity = call.identity();
    let arn = call.parameters.required("PolicyArn")?;
    let policy = identity.policy(arn)?;
    xml.within("Policy", |xml| {
        write_policy(xml, policy, identity.attachments(arn));
        if !policy.description.is_empty() {
            xml.text("Description", &policy.description);
        }
    });
    Ok(())
}

fn list_policies(call: &Call<'_>, xml: &mut Xml) -> Outcome {
    let identity = call.identity();
    let only_attached = call.parameters.is_true("OnlyAttached");
    let policies = identity
        .policies
        .iter()
        .map(|(arn, policy)| (policy, identity.attachments(arn)))
        .filter(|(_, attachments)| !only_attached || *attachments > 0);
    write_list(call, xml, "Policies", policies, |xml, (policy, attachments)| {
        write_policy(xml, policy, attachments);
    })
}

fn delete_policy(call: &Call<'_>, _: &mut Xml) -> Outcome {
    let arn = call.parameters.required("PolicyArn")?;
    let mut identity = call.identity();
    if identity.policy(arn)?.versions.len() > 1 {
        return Err(conflict("must delete all versions but the default first"));
    }
    if identity.attachments(arn) > 0 {
        return Err(conflict("must detach the policy first"));
    }
    identity.policies.remove(arn);
    Ok(())
}

fn create_policy_version(call: &Call<'_>, xml: &mut Xml) -> Outcome {
    let arn = call.parameters.required("PolicyArn")?;
    let text = call.parameters.required("PolicyDocument")?;
    let as_default = call.parameters.is_true("SetAsDefault");
    let mut identity = call.identity();
    let version = identity.create_policy_version(arn, text, as_default, call.now)?;
    xml.within("PolicyVersion", |xml| write_version(xml, version, as_default));
    Ok(())
}

fn get_policy_version(call: &Call<'_>, xml: &mut Xml) -> Outcome {
    let identity = call.identity();
    let policy = identity.policy(call.parameters.required("PolicyArn")?)?;
    let id = call.parameters.required("VersionId")?;
    let versions = &policy.versions;
    let version = versions.iter().find(|version| version.id == id);
    let version = version.ok_or_else(|| no_such("policy version", id))?;
    xml.within("PolicyVersion", |xml| {
        xml.text("Document", &encoded(&version.text));
        write_version(xml, version, version.id == policy.default_version);
    });
    Ok(())
}

fn list_policy_versions(call: &Call<'_>, xml: &mut Xml) -> Outcome {
    let identity = call.identity();
    let policy = identity.policy(call.parameters.required("PolicyArn")?)?;
    write_list(call, xml, "Versions", policy.versions.iter(), |xml, version| {
        write_version(xml, version, version.id == policy.default_version);
    })
}

fn set_default_policy_version(call: &Call<'_>, _: &mut Xml) -> Outcome {
    let arn = call.parameters.required("PolicyArn")?;
    let id = call.parameters.required("VersionId")?;
    call.identity().set_default_version(arn, id)
}

fn delete_policy_version(call: &Call<'_>, _: &mut Xml) -> Outcome {
    let id = call.parameters.required("VersionId")?;
    let mut identity = call.identity();
    let policy = identity.policy_mut(call.parameters.required("PolicyArn")?)?;
    if policy.default_version == id {
        return Err(conflict("the default version of a policy stays"));
    }
    let before = policy.versions.len();
    policy.versions.retain(|version| version.id != id);
    if policy.versions.len() == before {
        return Err(no_such("policy version", id));
    }
    Ok(())
}

fn attach(call: &Call<'_>, holder: Holder) -> Outcome {
    let arn = call.parameters.required("PolicyArn")?;
    let mut identity = call.identity();
    identity.policy(arn)?;
    let effect = identity.effect();
    let rights = rights_mut(call, &mut identity, holder)?;
    rights.attached.entry(arn.to_owned()).or_insert(effect);
    Ok(())
}

fn detach(call: &Call<'_>, holder: Holder) -> Outcome {
    let arn = call.parameters.required("PolicyArn")?;
    let mut identity = call.identity();
    let removed = rights_mut(call, &mut identity, holder)?.attached.remove(arn);
    removed.map(drop).ok_or_else(|| no_such("attached policy", arn))
}

fn list_attached(call: &Call<'_>, xml: &mut Xml, holder: Holder) -> Outcome {
    let identity = call.identity();
    let arns = rights(call, &identity, holder)?.attached.keys();
    let policies = arns.filter_map(|arn| identity.policies.get(arn));
    write_list(call, xml, "AttachedPolicies", policies, |xml, policy| {
        xml.text("PolicyName", &policy.named.name);
        xml.text("PolicyArn", &policy.named.arn);
    })
}

fn put_inline(call: &Call<'_>, holder: Holder) -> Outcome {
    let name = call.parameters.required("PolicyName")?;
    let text = call.parameters.required("PolicyDocument")?;
    let mut identity = call.identity();
    let inline = identity.inline(text)?;
    let rights = rights_mut(call, &mut identity, holder)?;
    rights.inline.insert(name.to_owned(), inline);
    Ok(())
}

fn get_inline(call: &Call<'_>, xml: &mut Xml, holder: Holder) -> Outcome {
    let name = call.parameters.required("PolicyName")?;
    let identity = call.identity();
    let inline = rights(call, &identity, holder)?.inline.get(name);
    let inline = inline.ok_or_else(|| no_such("inline policy", name))?;
    xml.text(holder, call.parameters.required(holder)?);
    xml.text("PolicyName", name);
    xml.text("PolicyDocument", &encoded(&inline.text));
    Ok(())
}

fn list_inline(call: &Call<'_>, xml: &mut Xml, holder: Holder) -> Outcome {
    let identity = call.identity();
    let rights = rights(call, &identity, holder)?;
    xml.within("PolicyNames", |xml| {
        for name in rights.inline.keys() {
            xml.text("member", name);
        }
    });
    xml.plain("IsTruncated", false);
    Ok(())
}

fn delete_inline(call: &Call<'_>, holder: Holder) -> Outcome {
    let name = call.parameters.required("PolicyName")?;
    let mut identity = call.identity();
    let removed = rights_mut(call, &mut identity, holder)?.inline.remove(name);
    removed.map(drop).ok_or_else(|| no_such("inline policy", name))
}

fn rights<'a>(call: &Call<'_>, identity: &'a Identity, holder: Holder) -> Result<&'a Rights, Refusal> {
    let name = call.parameters.required(holder)?;
    Ok(match holder {
        GROUP => &identity.group(name)?.rights,
        _ => &identity.user(name)?.rights,
    })
}

fn rights_mut<'a>(
    call: &Call<'_>,
    identity: &'a mut Identity,
    holder: Holder,
) -> Result<&'a mut Rights, Refusal> {
    let name = call.parameters.required(holder)?;
    Ok(match holder {
        GROUP => &mut identity.group_mut(name)?.rights,
        _ => &mut identity.user_mut(name)?.rights,
    })
}

fn write_policy(xml: &mut Xml, policy: &Policy, attachments: usize) {
    write_named(xml, "Policy", &policy.named);
    xml.text("DefaultVersionId", &policy.default_version);
    xml.plain("AttachmentCount", attachments);
    xml.plain("PermissionsBoundaryUsageCount", 0);
    xml.plain("IsAttachable", true);
    let changed = policy
        .versions
        .last()
        .map_or(policy.named.created, |version| version.created);
    xml.text("UpdateDate", &time(changed));
}

fn write_version(xml: &mut Xml, version: &Version, is_default: bool) {
    xml.text("VersionId", &version.id);
    xml.plain("IsDefaultVersion", is_default);
    xml.text("CreateDate", &time(version.created));
}

/// Documents are answered percent-encoded, as RFC 3986 has it.
fn encoded(document: &str) -> String {
    let form: String = form_urlencoded::byte_serialize(document.as_bytes()).collect();
    form.replace('+', "%20").replace('*', "%2A")
}
