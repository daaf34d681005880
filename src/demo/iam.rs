//! IAM of AWS, EIM of OUTSCALE: users, groups and keys; and the one action of STS.

use std::borrow::Cow;

use jiff::Timestamp;

use super::ACCOUNT;
use super::account::{AccessKey, Group, Named, Principal, User};
use super::call::{Action, Call, Handler};
use super::ec2::write_next;
use super::identity::{Identity, no_such};
use super::paging::{self, Next};
use super::wire::Refusal;
use super::xml::Xml;

pub(super) type Outcome = Result<(), Refusal>;

/// Users, groups and keys; `iam_policies` has the rest.
pub(super) const ACTIONS: &[Action] = &[
    answers("CreateUser", create_user),
    answers("GetUser", get_user),
    answers("ListUsers", list_users),
    does("DeleteUser", delete_user),
    answers("CreateGroup", create_group),
    answers("GetGroup", get_group),
    answers("ListGroups", list_groups),
    answers("ListGroupsForUser", list_groups_for_user),
    does("DeleteGroup", delete_group),
    does("AddUserToGroup", add_user_to_group),
    does("RemoveUserFromGroup", remove_user_from_group),
    answers("CreateAccessKey", create_access_key),
    answers("ListAccessKeys", list_access_keys),
    answers("GetAccessKeyLastUsed", get_access_key_last_used),
    does("UpdateAccessKey", update_access_key),
    does("DeleteAccessKey", delete_access_key),
];

pub(super) const STS_ACTIONS: &[Action] = &[answers("GetCallerIdentity", get_caller_identity)];

pub(super) const fn answers(name: &'static str, handler: Handler) -> Action {
    Action {
        name,
        handler,
        has_result: true,
    }
}

/// An action that answers with no more than the id of the request.
pub(super) const fn does(name: &'static str, handler: Handler) -> Action {
    Action {
        name,
        handler,
        has_result: false,
    }
}

fn create_user(call: &Call<'_>, xml: &mut Xml) -> Outcome {
    let (name, path) = (call.parameters.required("UserName")?, path(call)?);
    let mut identity = call.identity();
    let user = identity.create_user(name, path, call.now)?;
    xml.within("User", |xml| write_user(xml, user));
    Ok(())
}

fn create_access_key(call: &Call<'_>, xml: &mut Xml) -> Outcome {
    let owner = asked_or_caller(call);
    let key = call.identity().create_access_key(&owner, call.now)?;
    let secret = secrecy::ExposeSecret::expose_secret(&key.secret_access_key);
    xml.within("AccessKey", |xml| {
        xml.text("UserName", &owner_name(&owner, call));
        xml.text("AccessKeyId", &key.access_key_id);
        xml.text("Status", "Active");
        xml.text("SecretAccessKey", secret);
        xml.text("CreateDate", &time(call.now));
    });
    Ok(())
}

fn get_user(call: &Call<'_>, xml: &mut Xml) -> Outcome {
    let identity = call.identity();
    match asked_or_caller(call) {
        Principal::Root => xml.within("User", |xml| {
            xml.text("UserId", ACCOUNT);
            xml.text("Arn", &identity.arn_of(&Principal::Root));
            xml.text("CreateDate", &time(call.now));
        }),
        Principal::User(name) => {
            let user = identity.user(&name)?;
            xml.within("User", |xml| write_user(xml, user));
        }
    }
    Ok(())
}

fn list_users(call: &Call<'_>, xml: &mut Xml) -> Outcome {
    let identity = call.identity();
    write_list(call, xml, "Users", identity.users.values(), write_user)
}

fn delete_user(call: &Call<'_>, _: &mut Xml) -> Outcome {
    let name = call.parameters.required("UserName")?;
    let mut identity = call.identity();
    let rights = &identity.user(name)?.rights;
    let owner = Principal::User(name.to_owned());
    if identity.keys.values().any(|key| key.owner == owner) {
        return Err(conflict("must delete access keys first"));
    }
    if !rights.attached.is_empty() || !rights.inline.is_empty() {
        return Err(conflict("must detach all policies first"));
    }
    if identity
        .groups
        .values()
        .any(|group| group.members.contains_key(name))
    {
        return Err(conflict("must remove users from group first"));
    }
    identity.users.remove(name);
    Ok(())
}

fn create_group(call: &Call<'_>, xml: &mut Xml) -> Outcome {
    let (name, path) = (call.parameters.required("GroupName")?, path(call)?);
    let mut identity = call.identity();
    let group = identity.create_group(name, path, call.now)?;
    xml.within("Group", |xml| write_group(xml, group));
    Ok(())
}

fn get_group(call: &Call<'_>, xml: &mut Xml) -> Outcome {
    let identity = call.identity();
    let group = identity.group(call.parameters.required("GroupName")?)?;
    xml.within("Group", |xml| write_group(xml, group));
    let members = group.members.keys().filter_map(|name| identity.users.get(name));
    write_list(call, xml, "Users", members, write_user)
}

fn list_groups(call: &Call<'_>, xml: &mut Xml) -> Outcome {
    let identity = call.identity();
    write_list(call, xml, "Groups", identity.groups.values(), write_group)
}

fn list_groups_for_user(call: &Call<'_>, xml: &mut Xml) -> Outcome {
    let name = call.parameters.required("UserName")?;
    let identity = call.identity();
    identity.user(name)?;
    let groups = identity.groups.values();
    let of_user = groups.filter(|group| group.members.contains_key(name));
    write_list(call, xml, "Groups", of_user, write_group)
}

fn delete_group(call: &Call<'_>, _: &mut Xml) -> Outcome {
    let name = call.parameters.required("GroupName")?;
    let mut identity = call.identity();
    let group = identity.group(name)?;
    if !group.members.is_empty() {
        return Err(conflict("must remove users from group first"));
    }
    if !group.rights.attached.is_empty() || !group.rights.inline.is_empty() {
        return Err(conflict("must detach all policies first"));
    }
    identity.groups.remove(name);
    Ok(())
}

fn list_access_keys(call: &Call<'_>, xml: &mut Xml) -> Outcome {
    let owner = asked_or_caller(call);
    let identity = call.identity();
    if let Principal::User(name) = &owner {
        identity.user(name)?;
    }
    let keys = identity.keys.iter().filter(|(_, key)| key.owner == owner);
    write_list(call, xml, "AccessKeyMetadata", keys, |xml, (id, key)| {
        xml.text("UserName", &owner_name(&owner, call));
        xml.text("AccessKeyId", id);
        xml.text("Status", if key.is_active { "Active" } else { "Inactive" });
        xml.text("CreateDate", &time(key.created));
    })
}

fn add_user_to_group(call: &Call<'_>, _: &mut Xml) -> Outcome {
    let user = call.parameters.required("UserName")?;
    let mut identity = call.identity();
    identity.user(user)?;
    let effect = identity.effect();
    let group = identity.group_mut(call.parameters.required("GroupName")?)?;
    group.members.entry(user.to_owned()).or_insert(effect);
    Ok(())
}

fn remove_user_from_group(call: &Call<'_>, _: &mut Xml) -> Outcome {
    let user = call.parameters.required("UserName")?;
    let mut identity = call.identity();
    identity.user(user)?;
    let group = identity.group_mut(call.parameters.required("GroupName")?)?;
    match group.members.remove(user) {
        Some(_) => Ok(()),
        None => Err(no_such("user in the group with name", user)),
    }
}

fn get_access_key_last_used(call: &Call<'_>, xml: &mut Xml) -> Outcome {
    let id = call.parameters.required("AccessKeyId")?;
    let identity = call.identity();
    let key = identity
        .keys
        .get(id)
        .ok_or_else(|| no_such("Access Key with id", id))?;
    xml.text("UserName", &owner_name(&key.owner, call));
    xml.within("AccessKeyLastUsed", |xml| {
        let (service, region) = match &key.last_used {
            Some((at, service, region)) => {
                xml.text("LastUsedDate", &time(*at));
                (*service, region.as_str())
            }
            None => ("N/A", "N/A"),
        };
        xml.text("ServiceName", service);
        xml.text("Region", region);
    });
    Ok(())
}

fn update_access_key(call: &Call<'_>, _: &mut Xml) -> Outcome {
    let is_active = match call.parameters.required("Status")? {
        "Active" => true,
        "Inactive" => false,
        other => {
            return Err(Refusal::new(
                400,
                "ValidationError",
                format!("Value '{other}' at 'status' failed to satisfy constraint"),
            ));
        }
    };
    let mut identity = call.identity();
    key_of_owner(call, &mut identity)?.is_active = is_active;
    Ok(())
}

fn delete_access_key(call: &Call<'_>, _: &mut Xml) -> Outcome {
    let mut identity = call.identity();
    key_of_owner(call, &mut identity)?;
    identity.keys.remove(call.parameters.required("AccessKeyId")?);
    Ok(())
}

fn get_caller_identity(call: &Call<'_>, xml: &mut Xml) -> Outcome {
    let identity = call.identity();
    let id = match call.principal {
        Principal::Root => ACCOUNT,
        Principal::User(name) => &identity.user(name)?.named.id,
    };
    xml.text("Arn", &identity.arn_of(call.principal));
    xml.text("UserId", id);
    xml.text("Account", ACCOUNT);
    Ok(())
}

/// The user named in the request, or else whoever sent it.
fn asked_or_caller(call: &Call<'_>) -> Principal {
    call.parameters
        .value("UserName")
        .map_or_else(|| call.principal.clone(), |name| Principal::User(name.to_owned()))
}

fn key_of_owner<'a>(call: &Call<'_>, identity: &'a mut Identity) -> Result<&'a mut AccessKey, Refusal> {
    let id = call.parameters.required("AccessKeyId")?;
    let owner = asked_or_caller(call);
    let key = identity.keys.get_mut(id).filter(|key| key.owner == owner);
    key.ok_or_else(|| no_such("Access Key with id", id))
}

pub(super) fn path<'a>(call: &'a Call<'_>) -> Result<&'a str, Refusal> {
    let path = call.parameters.value("Path").unwrap_or("/");
    if path.starts_with('/') && path.ends_with('/') {
        return Ok(path);
    }
    Err(Refusal::new(
        400,
        "ValidationError",
        "The specified value for path is invalid. It must begin and end with /",
    ))
}

/// A list as this service pages it: short pages, `IsTruncated`, and a marker while there is more.
pub(super) fn write_list<T: Clone>(
    call: &Call<'_>,
    xml: &mut Xml,
    name: &str,
    items: impl Iterator<Item = T>,
    each: impl FnMut(&mut Xml, T),
) -> Outcome {
    let size = call.parameters.number("MaxItems")?.unwrap_or(100).clamp(1, 1000);
    let cursor = call.cursor("Marker")?;
    let page = paging::page((0..).zip(items), cursor, Some(size), call.twist);
    xml.list(name, "member", page.items, each);
    xml.plain("IsTruncated", page.next != Next::Absent);
    write_next(xml, "Marker", page.next);
    Ok(())
}

pub(super) fn conflict(what: &str) -> Refusal {
    Refusal::new(409, "DeleteConflict", format!("Cannot delete entity, {what}."))
}

/// OUTSCALE answers with an ORN where AWS has the name.
fn owner_name<'a>(owner: &'a Principal, call: &Call<'_>) -> Cow<'a, str> {
    match owner {
        Principal::Root => Cow::Borrowed("root"),
        Principal::User(name) if call.is_outscale() => {
            Cow::Owned(format!("orn:ows:idauth::{ACCOUNT}:user/{name}"))
        }
        Principal::User(name) => Cow::Borrowed(name),
    }
}

pub(super) fn write_named(xml: &mut Xml, sort: &str, named: &Named) {
    xml.text("Path", &named.path);
    xml.text(&format!("{sort}Name"), &named.name);
    xml.text(&format!("{sort}Id"), &named.id);
    xml.text("Arn", &named.arn);
    xml.text("CreateDate", &time(named.created));
}

fn write_user(xml: &mut Xml, user: &User) {
    write_named(xml, "User", &user.named);
}

fn write_group(xml: &mut Xml, group: &Group) {
    write_named(xml, "Group", &group.named);
}

pub(super) fn time(at: Timestamp) -> String {
    at.strftime("%Y-%m-%dT%H:%M:%SZ").to_string()
}
