//! The identities of the account: made, found, and added up to what each may do.

use std::collections::BTreeMap;
use std::time::Duration;

use jiff::Timestamp;
use tokio::time::Instant;

use super::account::{AccessKey, Group, Inline, Named, Policy, Principal, Rights, User, Version};
use super::policy::{self, Decision, Document};
use super::wire::Refusal;
use super::{ACCOUNT, Key, Options};
use crate::provider::Provider;

/// The whole of it.
#[derive(Debug)]
pub(super) struct Identity {
    pub(super) provider: Provider,
    propagation_delay: Duration,
    keys_per_user: usize,
    rng: fastrand::Rng,
    pub(super) users: BTreeMap<String, User>,
    pub(super) groups: BTreeMap<String, Group>,
    /// By ARN.
    pub(super) policies: BTreeMap<String, Policy>,
    /// By access key id.
    pub(super) keys: BTreeMap<String, AccessKey>,
}

impl Identity {
    /// An account with nothing but the key of its root.
    pub(super) fn new(options: &Options, admin: &Key) -> Self {
        let admin_key = AccessKey {
            secret: admin.secret_access_key.clone(),
            owner: Principal::Root,
            is_active: true,
            created: Timestamp::now(),
            since: Instant::now(),
            last_used: None,
        };
        Self {
            provider: options.provider,
            propagation_delay: options.propagation_delay,
            keys_per_user: options.keys_per_user,
            rng: fastrand::Rng::with_seed(options.seed),
            users: BTreeMap::new(),
            groups: BTreeMap::new(),
            policies: BTreeMap::new(),
            keys: BTreeMap::from([(admin.access_key_id.clone(), admin_key)]),
        }
    }

    /// The key of that id, if it authenticates anyone yet and still.
    pub(super) fn usable_key(&mut self, id: &str, now: Instant) -> Option<&mut AccessKey> {
        self.keys
            .get_mut(id)
            .filter(|key| key.is_active && key.since <= now)
    }

    pub(super) fn arn_of(&self, principal: &Principal) -> String {
        match principal {
            Principal::Root => format!("arn:aws:iam::{ACCOUNT}:root"),
            Principal::User(name) => self
                .users
                .get(name)
                .map_or_else(String::new, |user| user.named.arn.clone()),
        }
    }

    /// Whether a principal may do `action`, by all policies in effect.
    pub(super) fn decide(&self, principal: &Principal, action: &str, now: Instant) -> Decision {
        let Principal::User(name) = principal else {
            return Decision::Allowed;
        };
        let of_groups = self
            .groups
            .values()
            .filter(|group| group.members.get(name).is_some_and(|since| *since <= now))
            .map(|group| &group.rights);
        let own = self.users.get(name).map(|user| &user.rights);
        let documents = of_groups.chain(own).flat_map(|rights| {
            let attached = rights.attached.iter().filter(|(_, since)| **since <= now);
            let managed = attached.filter_map(|(arn, _)| self.policies.get(arn)?.in_force(now));
            let inline = rights.inline.values().filter(|inline| inline.since <= now);
            managed.chain(inline.map(|inline| &inline.document))
        });
        policy::decide(documents, action, self.provider)
    }

    pub(super) fn create_user(&mut self, name: &str, path: &str, now: Timestamp) -> Result<&User, Refusal> {
        let taken = |found: &String| self.same_name(found, name);
        if self.users.keys().any(taken) {
            return Err(exists("User", name));
        }
        let user = User {
            named: self.named("user", name, path, now),
            rights: Rights::default(),
        };
        Ok(self.users.entry(name.to_owned()).or_insert(user))
    }

    pub(super) fn create_group(&mut self, name: &str, path: &str, now: Timestamp) -> Result<&Group, Refusal> {
        let taken = |found: &String| self.same_name(found, name);
        if self.groups.keys().any(taken) {
            return Err(exists("Group", name));
        }
        let group = Group {
            named: self.named("group", name, path, now),
            rights: Rights::default(),
            members: BTreeMap::new(),
        };
        Ok(self.groups.entry(name.to_owned()).or_insert(group))
    }

    pub(super) fn create_policy(
        &mut self,
        name: &str,
        path: &str,
        description: &str,
        text: &str,
        now: Timestamp,
    ) -> Result<&Policy, Refusal> {
        let version = self.version("v1", text, now)?;
        let named = self.named("policy", name, path, now);
        if self.policies.values().any(|policy| policy.named.name == name) {
            return Err(exists("A policy called", name));
        }
        let arn = named.arn.clone();
        let policy = Policy {
            named,
            description: description.to_owned(),
            versions: vec![version],
            default_version: "v1".to_owned(),
            before: None,
            versions_made: 1,
        };
        Ok(self.policies.entry(arn).or_insert(policy))
    }

    pub(super) fn create_policy_version(
        &mut self,
        arn: &str,
        text: &str,
        as_default: bool,
        now: Timestamp,
    ) -> Result<&Version, Refusal> {
        let made = self.policy(arn)?.versions_made + 1;
        let version = self.version(&format!("v{made}"), text, now)?;
        let effect = self.effect();
        let policy = self.policy_mut(arn)?;
        if policy.versions.len() >= MAX_VERSIONS {
            return Err(limit(&format!(
                "A managed policy can have up to {MAX_VERSIONS} versions. \
                 Before you create a new version, you must delete an existing version."
            )));
        }
        policy.versions_made = made;
        let id = version.id.clone();
        policy.versions.push(version);
        if as_default {
            policy.make_default(&id, effect);
        }
        policy
            .versions
            .last()
            .ok_or_else(|| no_such("policy version", &id))
    }

    pub(super) fn set_default_version(&mut self, arn: &str, id: &str) -> Result<(), Refusal> {
        let effect = self.effect();
        let policy = self.policy_mut(arn)?;
        if !policy.versions.iter().any(|version| version.id == id) {
            return Err(no_such("policy version", id));
        }
        policy.make_default(id, effect);
        Ok(())
    }

    pub(super) fn create_access_key(&mut self, owner: &Principal, now: Timestamp) -> Result<Key, Refusal> {
        if let Principal::User(name) = owner {
            self.user(name)?;
        }
        if self.keys.values().filter(|key| key.owner == *owner).count() >= self.keys_per_user {
            return Err(limit(&format!(
                "Cannot exceed quota for AccessKeysPerUser: {}",
                self.keys_per_user
            )));
        }
        // The last four characters are what pages and logs tell keys by.
        let access_key_id = format!("DEMOEXAMPLE{}", self.random(9));
        let secret = format!("{}EXAMPLEKEY", self.random(30).to_lowercase());
        let key = AccessKey {
            secret: secret.clone().into(),
            owner: owner.clone(),
            is_active: true,
            created: now,
            since: self.effect(),
            last_used: None,
        };
        self.keys.insert(access_key_id.clone(), key);
        Ok(Key {
            access_key_id,
            secret_access_key: secret.into(),
        })
    }

    /// A user in a group of the same name, which may do `actions`; its key. All of it in effect at once.
    pub(super) fn create_watcher(&mut self, name: &str, actions: &[&str]) -> Key {
        let document = serde_json::json!({
            "Version": "2012-10-17",
            "Statement": [{"Effect": "Allow", "Action": actions, "Resource": ["*"]}],
        });
        let delay = std::mem::take(&mut self.propagation_delay);
        let key = self.create_watcher_with(name, &document.to_string());
        self.propagation_delay = delay;
        key.unwrap_or_else(|refusal| panic!("creating the user {name}: {}", refusal.message))
    }

    fn create_watcher_with(&mut self, name: &str, document: &str) -> Result<Key, Refusal> {
        let (now, effect) = (Timestamp::now(), self.effect());
        self.create_user(name, "/", now)?;
        self.create_group(name, "/", now)?;
        let arn = self
            .create_policy(name, "/", "", document, now)?
            .named
            .arn
            .clone();
        let group = self.group_mut(name)?;
        group.rights.attached.insert(arn, effect);
        group.members.insert(name.to_owned(), effect);
        self.create_access_key(&Principal::User(name.to_owned()), now)
    }

    /// A document in a user's or a group's own hand.
    pub(super) fn inline(&self, text: &str) -> Result<Inline, Refusal> {
        Ok(Inline {
            text: text.to_owned(),
            document: self.document(text)?,
            since: self.effect(),
        })
    }

    /// When what is done now takes effect.
    pub(super) fn effect(&self) -> Instant {
        Instant::now() + self.propagation_delay
    }

    pub(super) fn user(&self, name: &str) -> Result<&User, Refusal> {
        self.users
            .get(name)
            .ok_or_else(|| no_such("user with name", name))
    }

    pub(super) fn group(&self, name: &str) -> Result<&Group, Refusal> {
        self.groups
            .get(name)
            .ok_or_else(|| no_such("group with name", name))
    }

    pub(super) fn group_mut(&mut self, name: &str) -> Result<&mut Group, Refusal> {
        self.groups
            .get_mut(name)
            .ok_or_else(|| no_such("group with name", name))
    }

    pub(super) fn user_mut(&mut self, name: &str) -> Result<&mut User, Refusal> {
        self.users
            .get_mut(name)
            .ok_or_else(|| no_such("user with name", name))
    }

    pub(super) fn policy(&self, arn: &str) -> Result<&Policy, Refusal> {
        self.policies.get(arn).ok_or_else(|| no_such("policy", arn))
    }

    pub(super) fn policy_mut(&mut self, arn: &str) -> Result<&mut Policy, Refusal> {
        self.policies.get_mut(arn).ok_or_else(|| no_such("policy", arn))
    }

    /// To how many users and groups a policy is attached.
    pub(super) fn attachments(&self, arn: &str) -> usize {
        let users = self.users.values().map(|user| &user.rights);
        let groups = self.groups.values().map(|group| &group.rights);
        users
            .chain(groups)
            .filter(|rights| rights.attached.contains_key(arn))
            .count()
    }

    /// Names of users and groups differ by more than their case on AWS.
    fn same_name(&self, one: &str, other: &str) -> bool {
        match self.provider {
            Provider::Aws => one.eq_ignore_ascii_case(other),
            Provider::Outscale => one == other,
        }
    }

    fn version(&self, id: &str, text: &str, now: Timestamp) -> Result<Version, Refusal> {
        Ok(Version {
            id: id.to_owned(),
            text: text.to_owned(),
            document: self.document(text)?,
            created: now,
        })
    }

    fn document(&self, text: &str) -> Result<Document, Refusal> {
        Document::parse(text, self.provider)
            .map_err(|message| Refusal::new(400, "MalformedPolicyDocument", message))
    }

    fn named(&mut self, sort: &str, name: &str, path: &str, now: Timestamp) -> Named {
        let id = match (self.provider, sort) {
            (Provider::Outscale, _) => self.random(31),
            (Provider::Aws, "user") => format!("AIDA{}", self.random(17)),
            (Provider::Aws, "group") => format!("AGPA{}", self.random(17)),
            (Provider::Aws, _) => format!("ANPA{}", self.random(17)),
        };
        Named {
            name: name.to_owned(),
            path: path.to_owned(),
            id,
            arn: format!("arn:aws:iam::{ACCOUNT}:{sort}{path}{name}"),
            created: now,
        }
    }

    fn random(&mut self, length: usize) -> String {
        let digits = b"ABCDEFGHIJKLMNOPQRSTUVWXYZ234567";
        (0..length)
            .map(|_| char::from(digits[self.rng.usize(..digits.len())]))
            .collect()
    }
}

pub(super) fn no_such(what: &str, name: &str) -> Refusal {
    Refusal::new(404, "NoSuchEntity", format!("The {what} {name} cannot be found."))
}

fn exists(what: &str, name: &str) -> Refusal {
    Refusal::new(
        409,
        "EntityAlreadyExists",
        format!("{what} {name} already exists."),
    )
}

fn limit(message: &str) -> Refusal {
    Refusal::new(409, "LimitExceeded", message)
}

const MAX_VERSIONS: usize = 5;

#[cfg(test)]
mod tests {
    use super::*;

    const ACTION: &str = "ec2:DescribeInstances";
    const DOCUMENT: &str =
        r#"{"Statement":{"Effect":"Allow","Action":"ec2:DescribeInstances","Resource":"*"}}"#;

    fn account(propagation_delay: Duration) -> (Identity, String) {
        let options = Options {
            propagation_delay,
            ..Options::default()
        };
        let admin = Key {
            access_key_id: "DEMOADMIN0000EXAMPLE".to_owned(),
            secret_access_key: "secret".into(),
        };
        let mut identity = Identity::new(&options, &admin);
        let now = Timestamp::now();
        identity.create_user("watcher", "/", now).unwrap();
        identity.create_group("monitoring", "/", now).unwrap();
        let policy = identity
            .create_policy("monitoring", "/", "", DOCUMENT, now)
            .unwrap();
        let arn = policy.named.arn.clone();
        (identity, arn)
    }

    #[tokio::test(start_paused = true)]
    async fn user_may_what_a_group_of_its_may_once_that_is_known_everywhere() {
        let (mut identity, arn) = account(Duration::from_secs(15));
        let user = Principal::User("watcher".to_owned());
        let effect = identity.effect();
        let group = identity.group_mut("monitoring").unwrap();
        group.members.insert("watcher".to_owned(), effect);
        group.rights.attached.insert(arn, effect);
        assert_eq!(
            identity.decide(&user, ACTION, Instant::now()),
            Decision::ImplicitDeny
        );
        tokio::time::advance(Duration::from_secs(15)).await;
        assert_eq!(identity.decide(&user, ACTION, Instant::now()), Decision::Allowed);
        assert_eq!(
            identity.decide(&user, "ec2:StopInstances", Instant::now()),
            Decision::ImplicitDeny
        );
    }

    #[tokio::test(start_paused = true)]
    async fn new_key_is_unknown_until_it_has_spread() {
        let (mut identity, _) = account(Duration::from_secs(15));
        let owner = Principal::User("watcher".to_owned());
        let key = identity.create_access_key(&owner, Timestamp::now()).unwrap();
        assert!(identity.usable_key(&key.access_key_id, Instant::now()).is_none());
        tokio::time::advance(Duration::from_secs(15)).await;
        assert!(identity.usable_key(&key.access_key_id, Instant::now()).is_some());
    }

    #[test]
    fn sixth_version_of_a_policy_is_one_too_many() {
        let (mut identity, arn) = account(Duration::ZERO);
        let now = Timestamp::now();
        for _ in 0..4 {
            identity.create_policy_version(&arn, DOCUMENT, true, now).unwrap();
        }
        let refusal = identity
            .create_policy_version(&arn, DOCUMENT, true, now)
            .unwrap_err();
        assert_eq!(refusal.code, "LimitExceeded");
    }

    #[test]
    fn names_differ_by_more_than_their_case_on_aws_only() {
        let (mut identity, _) = account(Duration::ZERO);
        assert!(identity.create_user("WATCHER", "/", Timestamp::now()).is_ok());
        identity.provider = Provider::Aws;
        assert!(identity.create_user("Watcher", "/", Timestamp::now()).is_err());
    }
}
