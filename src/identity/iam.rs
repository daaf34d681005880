//! IAM of AWS, EIM of OUTSCALE: the calls on users, groups and keys, and who is calling.
//!
//! <https://docs.aws.amazon.com/IAM/latest/APIReference/API_Operations.html>, <https://docs.outscale.com/eim>.
//! ARNs are taken as the cloud gives them and never built.

use jiff::Timestamp;
use secrecy::{SecretString, zeroize::Zeroizing};

use super::answers::{self, each, fields, within};
use super::place::in_time;
use crate::api::xml::{self, Reader};
use crate::api::{Action, Client, Error, Paging, Service, code};
use crate::credentials::Credentials;
use crate::provider::Provider;

/// Speaks IAM with an admin's key.
#[derive(Debug, Clone)]
pub struct Iam {
    client: Client,
}

/// A user.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct User {
    /// Its name, as the cloud spells it.
    pub name: String,
    /// Its ARN.
    pub arn: String,
}

/// A group and who is in it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Group {
    /// Its ARN.
    pub arn: String,
    /// The names of its users.
    pub members: Vec<String>,
}

/// An access key, without its secret.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Key {
    /// Its id.
    pub id: String,
    /// Whether it authenticates anyone.
    pub active: bool,
    /// When it was made, if the cloud says so.
    pub created: Option<Timestamp>,
}

/// When a key was used last, as far as the cloud says.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum LastUse {
    /// Never.
    Never,
    /// Then, in words.
    At(String),
    /// The cloud does not say.
    Untold,
}

impl Iam {
    /// Through a client whose key may administer identities.
    pub fn new(client: Client) -> Self {
        Self { client }
    }

    /// The cloud.
    pub fn provider(&self) -> Provider {
        self.client.account().provider
    }

    /// The cloud's clock minus ours, in seconds, as far as the admin's calls have told.
    pub fn skew(&self) -> i64 {
        self.client.account().skew()
    }

    /// The ARN of whoever the key belongs to. OUTSCALE has no STS; there, the caller is the user that is not named.
    pub async fn caller(&self) -> Result<String, Error> {
        match self.client.account().provider {
            Provider::Aws => {
                let [arn] = self
                    .ask(&GET_CALLER_IDENTITY, &[], |reader| fields(reader, ["Arn"]))
                    .await?;
                Ok(arn)
            }
            Provider::Outscale => {
                let [arn] = self
                    .ask(&GET_USER, &[], |reader| within(reader, "User", ["Arn"]))
                    .await?;
                Ok(arn)
            }
        }
    }

    /// A user, if there is one of this name.
    pub async fn user(&self, name: &str) -> Result<Option<User>, Error> {
        let read = |reader: &mut Reader<'_>| within(reader, "User", ["UserName", "Arn"]);
        let found = self.ask(&GET_USER, &[("UserName", name)], read).await;
        let user = |[name, arn]: [String; 2]| User { name, arn };
        existing(found.map(user))
    }

    /// A group and its members, if there is one of this name.
    pub async fn group(&self, name: &str) -> Result<Option<Group>, Error> {
        let mut arn = String::new();
        let mut members = Vec::new();
        let listed = self
            .list(&GET_GROUP, &[("GroupName", name)], "Users", |reader, element| {
                match element {
                    "Group" => [arn] = fields(reader, ["Arn"])?,
                    "Users" => members.extend(each(reader, ["UserName"])?.into_iter().flatten()),
                    _ => reader.skip()?,
                }
                Ok(())
            })
            .await;
        existing(listed.map(|()| Group { arn, members }))
    }

    /// The names of the groups that a user is in.
    pub async fn groups_of(&self, user: &str) -> Result<Vec<String>, Error> {
        let names = self
            .all(
                &LIST_GROUPS_FOR_USER,
                &[("UserName", user)],
                "Groups",
                ["GroupName"],
            )
            .await?;
        Ok(names.into_iter().flatten().collect())
    }

    /// The keys of a user.
    pub async fn keys_of(&self, user: &str) -> Result<Vec<Key>, Error> {
        let names = ["AccessKeyId", "Status", "CreateDate"];
        let keys = self
            .all(
                &LIST_ACCESS_KEYS,
                &[("UserName", user)],
                "AccessKeyMetadata",
                names,
            )
            .await?;
        let key = |[id, status, created]: [String; 3]| Key {
            id,
            active: status.eq_ignore_ascii_case("active"),
            created: time(&created),
        };
        Ok(keys.into_iter().map(key).collect())
    }

    /// When a key was used last.
    pub async fn last_used(&self, key_id: &str) -> LastUse {
        let names = ["LastUsedDate", "ServiceName", "Region"];
        let read = |reader: &mut Reader<'_>| within(reader, "AccessKeyLastUsed", names);
        let found = self
            .ask(&GET_ACCESS_KEY_LAST_USED, &[("AccessKeyId", key_id)], read)
            .await;
        match found {
            Ok([date, ..]) if date.is_empty() => LastUse::Never,
            Ok([date, service, region]) => LastUse::At(format!("{date} ({service}, {region})")),
            // OUTSCALE may have no such call, and an admin need not be allowed it.
            Err(_) => LastUse::Untold,
        }
    }

    /// Makes a user.
    pub async fn create_user(&self, name: &str, path: &str) -> Result<(), Error> {
        self.order(&CREATE_USER, &[("UserName", name), ("Path", path)])
            .await
    }

    /// Makes a group.
    pub async fn create_group(&self, name: &str, path: &str) -> Result<(), Error> {
        self.order(&CREATE_GROUP, &[("GroupName", name), ("Path", path)])
            .await
    }

    /// Puts a user into a group.
    pub async fn add_to_group(&self, user: &str, group: &str) -> Result<(), Error> {
        self.order(&ADD_USER_TO_GROUP, &[("GroupName", group), ("UserName", user)])
            .await
    }

    /// Takes a user out of a group.
    pub async fn remove_from_group(&self, user: &str, group: &str) -> Result<(), Error> {
        self.order(
            &REMOVE_USER_FROM_GROUP,
            &[("GroupName", group), ("UserName", user)],
        )
        .await
    }

    /// Makes a key: the only answer that ever holds its secret. `UserName` in it is not read: OUTSCALE puts an ORN
    /// there.
    pub async fn create_key(&self, user: &str) -> Result<Credentials, Error> {
        let read = |reader: &mut Reader<'_>| {
            let (mut id, mut secret) = (String::new(), SecretString::default());
            reader.each("AccessKey", |key| {
                while let Some(child) = key.child()? {
                    match child {
                        "AccessKeyId" => id = key.text()?.into_owned(),
                        "SecretAccessKey" => {
                            secret = SecretString::from(Zeroizing::new(key.text()?.into_owned()).as_str());
                        }
                        _ => key.skip()?,
                    }
                }
                Ok(())
            })?;
            xml::require(!id.is_empty(), "AccessKeyId")?;
            xml::require(
                !secrecy::ExposeSecret::expose_secret(&secret).is_empty(),
                "SecretAccessKey",
            )?;
            Ok((id, secret))
        };
        let (access_key_id, secret_access_key) =
            self.ask(&CREATE_ACCESS_KEY, &[("UserName", user)], read).await?;
        Ok(Credentials {
            access_key_id,
            secret_access_key,
            session_token: None,
        })
    }

    /// Makes a key inactive.
    pub async fn deactivate_key(&self, user: &str, id: &str) -> Result<(), Error> {
        let parameters = [("UserName", user), ("AccessKeyId", id), ("Status", "Inactive")];
        self.order(&UPDATE_ACCESS_KEY, &parameters).await
    }

    /// Deletes a key; one that is gone is as good.
    pub async fn delete_key(&self, user: &str, id: &str) -> Result<(), Error> {
        let parameters = [("UserName", user), ("AccessKeyId", id)];
        existing(self.order(&DELETE_ACCESS_KEY, &parameters).await).map(drop)
    }

    /// Deletes a user.
    pub async fn delete_user(&self, name: &str) -> Result<(), Error> {
        self.order(&DELETE_USER, &[("UserName", name)]).await
    }

    /// Deletes a group.
    pub async fn delete_group(&self, name: &str) -> Result<(), Error> {
        self.order(&DELETE_GROUP, &[("GroupName", name)]).await
    }

    pub(super) async fn ask<T>(
        &self,
        action: &'static Action,
        parameters: &[(&str, &str)],
        read: impl FnOnce(&mut Reader<'_>) -> Result<T, xml::Error>,
    ) -> Result<T, Error> {
        in_time(&self.client).ask(action, parameters, read).await
    }

    pub(super) async fn order(
        &self,
        action: &'static Action,
        parameters: &[(&str, &str)],
    ) -> Result<(), Error> {
        in_time(&self.client).order(action, parameters).await
    }

    /// Every page of a listing; `read` takes one element of its result, of which this one has to be there.
    async fn list(
        &self,
        action: &'static Action,
        parameters: &[(&str, &str)],
        list: &str,
        mut read: impl FnMut(&mut Reader<'_>, &str) -> Result<(), xml::Error>,
    ) -> Result<(), Error> {
        let page = |reader: &mut Reader<'_>| answers::page(reader, list, &mut read);
        in_time(&self.client).list(action, parameters, page).await
    }

    /// These fields of every member of one list.
    pub(super) async fn all<const N: usize>(
        &self,
        action: &'static Action,
        parameters: &[(&str, &str)],
        list: &str,
        names: [&str; N],
    ) -> Result<Vec<[String; N]>, Error> {
        let mut members = Vec::new();
        let read = |reader: &mut Reader<'_>, element: &str| {
            if element != list {
                return reader.skip();
            }
            members.extend(each(reader, names)?);
            Ok(())
        };
        self.list(action, parameters, list, read).await?;
        Ok(members)
    }

    /// The texts of every member of one list.
    pub(super) async fn texts(
        &self,
        action: &'static Action,
        parameters: &[(&str, &str)],
        list: &str,
    ) -> Result<Vec<String>, Error> {
        let mut members = Vec::new();
        let read = |reader: &mut Reader<'_>, element: &str| {
            if element != list {
                return reader.skip();
            }
            reader.each("member", |member| {
                members.push(member.text()?.into_owned());
                Ok(())
            })
        };
        self.list(action, parameters, list, read).await?;
        Ok(members)
    }
}

/// What was asked for, if it exists.
pub(super) fn existing<T>(outcome: Result<T, Error>) -> Result<Option<T>, Error> {
    match outcome {
        Ok(found) => Ok(Some(found)),
        Err(error) if error.says(code::NO_SUCH_ENTITY) => Ok(None),
        Err(error) => Err(error),
    }
}

/// Both clouds' times, as [`xml::timestamp`] reads them.
pub(super) fn time(text: &str) -> Option<Timestamp> {
    let seconds = xml::timestamp(text)?;
    #[expect(
        clippy::cast_possible_truncation,
        reason = "seconds since the epoch are far from the edge of i64"
    )]
    Timestamp::from_second(seconds as i64).ok()
}

/// IAM's listings take up to a thousand; what is asked for here are a handful, but there may be many policies.
pub(super) const fn listing(name: &'static str) -> Action {
    Action::describing(Service::Iam, name).paged(Paging {
        size_parameter: "MaxItems",
        size: 1000,
        cursor_parameter: "Marker",
        cursor_element: "Marker",
    })
}

static GET_CALLER_IDENTITY: Action = Action::describing(Service::Sts, "GetCallerIdentity");
static GET_USER: Action = Action::describing(Service::Iam, "GetUser");
static GET_GROUP: Action = listing("GetGroup");
static LIST_GROUPS_FOR_USER: Action = listing("ListGroupsForUser");
static LIST_ACCESS_KEYS: Action = listing("ListAccessKeys");
static GET_ACCESS_KEY_LAST_USED: Action = Action::describing(Service::Iam, "GetAccessKeyLastUsed");
static CREATE_USER: Action = Action::changing(Service::Iam, "CreateUser");
static CREATE_GROUP: Action = Action::changing(Service::Iam, "CreateGroup");
static ADD_USER_TO_GROUP: Action = Action::changing(Service::Iam, "AddUserToGroup");
static REMOVE_USER_FROM_GROUP: Action = Action::changing(Service::Iam, "RemoveUserFromGroup");
static CREATE_ACCESS_KEY: Action = Action::changing(Service::Iam, "CreateAccessKey");
static UPDATE_ACCESS_KEY: Action = Action::changing(Service::Iam, "UpdateAccessKey");
static DELETE_ACCESS_KEY: Action = Action::changing(Service::Iam, "DeleteAccessKey");
static DELETE_USER: Action = Action::changing(Service::Iam, "DeleteUser");
static DELETE_GROUP: Action = Action::changing(Service::Iam, "DeleteGroup");
