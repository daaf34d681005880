//! From what is there and what is wanted to the steps between, or to the reasons why a person must decide. Pure.

use serde::Serialize;

use super::policy::Comparison;
use super::survey::Survey;
use super::{Names, Wish};

/// Every step on the way, in order.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize)]
pub struct Plan {
    /// The steps.
    pub steps: Vec<Step>,
}

/// One step: what is or was done about one part of the identity.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Step {
    /// The part it is about.
    pub part: Part,
    /// What is to be done about it.
    pub action: Action,
    /// In words.
    pub detail: String,
}

/// A part of the identity.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Part {
    /// Who asks.
    Caller,
    /// The group.
    Group,
    /// The policy.
    Policy,
    /// That the group holds the policy.
    Attachment,
    /// The user.
    User,
    /// That the user is in the group.
    Membership,
    /// That nothing else grants the user anything.
    Rights,
    /// The access key and its file.
    Key,
    /// The proof that the key may do what it should and nothing else.
    Proof,
}

/// What is to be done.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Action {
    /// Nothing: it is as it should be.
    Keep,
    /// It is made.
    Create,
    /// It is changed.
    Change,
    /// It is removed.
    Remove,
    /// Nothing before a person has decided.
    Refuse,
}

impl Part {
    /// As reports name it.
    pub fn name(self) -> &'static str {
        match self {
            Self::Caller => "caller",
            Self::Group => "group",
            Self::Policy => "policy",
            Self::Attachment => "attachment",
            Self::User => "user",
            Self::Membership => "membership",
            Self::Rights => "rights",
            Self::Key => "key",
            Self::Proof => "proof",
        }
    }
}

impl Action {
    /// As plans name it.
    pub fn name(self) -> &'static str {
        match self {
            Self::Keep => "keep",
            Self::Create => "create",
            Self::Change => "change",
            Self::Remove => "remove",
            Self::Refuse => "refuse",
        }
    }
}

impl Step {
    /// A step.
    pub fn new(part: Part, action: Action, detail: impl Into<String>) -> Self {
        Self {
            part,
            action,
            detail: detail.into(),
        }
    }
}

impl Plan {
    /// The steps to everything but the key, which depends on the file too.
    pub fn new(survey: &Survey, wish: &Wish) -> Self {
        let names = &wish.names;
        let mut steps = vec![caller(survey)];
        let mut add = |part, action, detail: String| steps.push(Step::new(part, action, detail));

        match &survey.group {
            None => add(Part::Group, Action::Create, names.group.clone()),
            Some(there) => add(Part::Group, Action::Keep, named(&names.group, &there.group.arn)),
        }
        let policy = policy(survey, wish);
        add(Part::Policy, policy.0, policy.1);
        let attached = survey.is_attached();
        add(
            Part::Attachment,
            if attached { Action::Keep } else { Action::Create },
            format!(
                "policy {} to group {}{}",
                names.policy,
                names.group,
                also_in(survey, wish)
            ),
        );
        match &survey.user {
            None => add(Part::User, Action::Create, names.user.clone()),
            Some(there) => add(Part::User, Action::Keep, named(&names.user, &there.user.arn)),
        }
        let is_member = survey
            .user
            .as_ref()
            .is_some_and(|user| user.groups.contains(&names.group));
        add(
            Part::Membership,
            if is_member { Action::Keep } else { Action::Create },
            format!("{} in group {}", names.user, names.group),
        );
        steps.push(rights(survey, wish));
        Self { steps }
    }

    /// The reasons why a person must decide.
    pub fn refusals(&self) -> impl Iterator<Item = &Step> {
        self.steps.iter().filter(|step| step.action == Action::Refuse)
    }

    /// What is to be done about a part.
    #[cfg(test)]
    pub(super) fn of(&self, part: Part) -> Action {
        let step = self.steps.iter().find(|step| step.part == part);
        step.map_or(Action::Keep, |step| step.action)
    }
}

/// Who asks: never the user that is asked about.
pub(super) fn caller(survey: &Survey) -> Step {
    let detail = match &survey.caller {
        Some(arn) => format!("you are {arn}"),
        None => "the cloud does not say who you are".to_owned(),
    };
    let own = survey.user.as_ref().map(|user| &user.user.arn);
    if survey.caller.is_some() && own == survey.caller.as_ref() {
        let detail = format!("{detail}, the very user that is to be limited: come with an admin's key");
        return Step::new(Part::Caller, Action::Refuse, detail);
    }
    Step::new(Part::Caller, Action::Keep, detail)
}

fn named(name: &str, arn: &str) -> String {
    format!("{name} ({arn})")
}

fn policy(survey: &Survey, wish: &Wish) -> (Action, String) {
    let name = &wish.names.policy;
    let Some(there) = &survey.policy else {
        let actions: Vec<_> = wish.policy.actions().collect();
        return (
            Action::Create,
            format!("{name}, which allows {}", actions.join(", ")),
        );
    };
    let id = format!(
        "{name} ({}, {})",
        there.managed.arn, there.managed.default_version
    );
    let holders = match there.managed.attachments {
        Some(count) if count > 1 => format!(", for all {count} that hold it"),
        _ => String::new(),
    };
    match wish.policy.compare(&there.document) {
        Comparison::Same => (Action::Keep, id),
        Comparison::Differs(diff) if wish.update_policy => (
            Action::Change,
            format!("{id} gets a new version{holders} (- was there, + is wanted):\n{diff}"),
        ),
        Comparison::Differs(diff) => {
            let detail = format!(
                "{id} grants something else (- is there, + is wanted):\n{diff}`--update-policy` changes it{holders}; or \
                 choose another name with `--policy`"
            );
            (Action::Refuse, detail)
        }
    }
}

/// The others in the group, who get what it grants.
fn also_in(survey: &Survey, wish: &Wish) -> String {
    let members = survey.group.iter().flat_map(|there| &there.group.members);
    let others: Vec<_> = members
        .filter(|member| **member != wish.names.user)
        .map(String::as_str)
        .collect();
    if others.is_empty() {
        return String::new();
    }
    format!(
        ", which also has {}: they are allowed the same",
        others.join(", ")
    )
}

/// Whether something else grants the user anything.
fn rights(survey: &Survey, wish: &Wish) -> Step {
    let Names { user, group, .. } = &wish.names;
    let of_user = survey.held_beside_by_user(group);
    let of_group = survey.held_beside_by_group();
    let others: Vec<_> = (of_user.into_iter().map(|right| format!("user {user}: {right}")))
        .chain(
            of_group
                .into_iter()
                .map(|right| format!("group {group}: {right}")),
        )
        .collect();
    if others.is_empty() {
        return Step::new(
            Part::Rights,
            Action::Keep,
            format!("nothing else grants {user} anything"),
        );
    }
    let detail = format!(
        "{user} would be allowed more than the policy says:\n  {}\ntake that away, or choose other names with `--user` \
         and `--group`",
        others.join("\n  ")
    );
    Step::new(Part::Rights, Action::Refuse, detail)
}

#[cfg(test)]
pub(super) mod tests;
