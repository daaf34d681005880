//! `teardown`: removes what bootstrap made, and leaves what others share.

use super::bootstrap::admin_of;
use super::error::Error;
use super::iam::{Iam, existing};
use super::key_choice::described;
use super::plan::{Action, Part, Plan, Step, caller};
use super::policy;
use super::survey::{GroupThere, PolicyThere, Survey, UserThere};
use super::{Event, Names, Place, Told};
use crate::api;
use crate::credentials::Source;

/// What teardown would do: reading calls alone.
pub struct Teardown {
    iam: Iam,
    survey: Survey,
    names: Names,
    /// What is removed, and what stays for whose sake.
    pub plan: Plan,
}

impl Teardown {
    /// Looks, and decides what may go.
    pub async fn prepare(place: &Place, admin: Source, names: &Names) -> Result<Self, Error> {
        let iam = admin_of(place, admin).await?;
        let survey = Survey::take(&iam, names).await?;
        let plan = removals(&survey, names);
        let reasons: Vec<_> = plan.refusals().map(|step| step.detail.as_str()).collect();
        if !reasons.is_empty() {
            return Err(Error::Refused(reasons.join("\n")));
        }
        Ok(Self {
            iam,
            survey,
            names: names.clone(),
            plan,
        })
    }

    /// Whether there is anything to remove.
    pub fn is_needed(&self) -> bool {
        self.plan.steps.iter().any(|step| step.action == Action::Remove)
    }

    /// Removes it, in the order that the cloud asks for. Cut off anywhere and run again, it removes the rest.
    pub async fn carry_out(&self, told: &mut Told<'_>) -> Result<(), Error> {
        for step in &self.plan.steps {
            if step.action == Action::Remove {
                // Gone already is as good.
                existing(self.remove(step.part).await)?;
            }
            told(Event::Step(step));
        }
        Ok(())
    }

    async fn remove(&self, part: Part) -> Result<(), api::Error> {
        let Self { iam, names, .. } = self;
        let arn = self.survey.policy_arn().unwrap_or_default();
        match part {
            Part::Key => {
                for (key, _) in self.survey.keys() {
                    iam.delete_key(&names.user, &key.id).await?;
                }
                Ok(())
            }
            Part::Membership => iam.remove_from_group(&names.user, &names.group).await,
            Part::User => iam.delete_user(&names.user).await,
            Part::Attachment => iam.detach(arn, &names.group).await,
            Part::Policy => {
                for version in iam.versions(arn).await? {
                    if !version.is_default {
                        iam.delete_version(arn, &version.id).await?;
                    }
                }
                iam.delete_policy(arn).await
            }
            Part::Group => iam.delete_group(&names.group).await,
            Part::Caller | Part::Rights | Part::Proof => Ok(()),
        }
    }
}

/// What goes and what stays, in the order in which it has to be done.
fn removals(survey: &Survey, names: &Names) -> Plan {
    let mut steps = vec![caller(survey)];
    if let Some(user) = &survey.user {
        user_steps(survey, user, names, &mut steps);
    }
    let others = survey
        .group
        .as_ref()
        .map_or_else(Vec::new, |group| others_in(group, names));
    let attached = survey.is_attached();
    if attached && others.is_empty() {
        let detail = format!("policy {} from group {}", names.policy, names.group);
        steps.push(Step::new(Part::Attachment, Action::Remove, detail));
    }
    if let Some(policy) = &survey.policy {
        steps.push(policy_step(policy, names, attached, !others.is_empty()));
    }
    if survey.group.is_some() {
        steps.push(group_step(names, &others, &survey.held_beside_by_group()));
    }
    Plan { steps }
}

fn group_step(names: &Names, others: &[&str], rest: &[String]) -> Step {
    let group = &names.group;
    let detail = match (others, rest) {
        ([], []) => return Step::new(Part::Group, Action::Remove, group.clone()),
        ([], rest) => format!("{group} stays: it also holds {}", rest.join(", ")),
        ([other], _) => format!("{group} stays: {other} is in it too, and would lose what it allows"),
        (others, _) => format!(
            "{group} stays: {} are in it too, and would lose what it allows",
            others.join(", ")
        ),
    };
    Step::new(Part::Group, Action::Keep, detail)
}

fn user_steps(survey: &Survey, there: &UserThere, names: &Names, steps: &mut Vec<Step>) {
    let user = &names.user;
    let beside = survey.held_beside_by_user(&names.group);
    if !beside.is_empty() {
        let detail = format!(
            "user {user} has more than bootstrap gave it:\n  {}\ntake that away first, or delete the user by hand",
            beside.join("\n  ")
        );
        steps.push(Step::new(Part::User, Action::Refuse, detail));
        return;
    }
    let is_member = there.groups.contains(&names.group);
    if !is_member && !there.keys.is_empty() {
        let detail = format!(
            "user {user} has a key but is not in group {}, so bootstrap did not make it so: name the right group \
             with `--group`, or delete the user by hand",
            names.group
        );
        steps.push(Step::new(Part::User, Action::Refuse, detail));
        return;
    }
    if !there.keys.is_empty() {
        let keys: Vec<_> = there.keys.iter().map(described).collect();
        steps.push(Step::new(Part::Key, Action::Remove, keys.join("; ")));
    }
    if is_member {
        let detail = format!("{user} from group {}", names.group);
        steps.push(Step::new(Part::Membership, Action::Remove, detail));
    }
    steps.push(Step::new(Part::User, Action::Remove, user.clone()));
}

fn policy_step(there: &PolicyThere, names: &Names, attached: bool, is_shared: bool) -> Step {
    let name = &names.policy;
    let others = there
        .managed
        .attachments
        .map(|count| count.saturating_sub(u32::from(attached)) + there.managed.boundaries);
    let why = if !policy::only_describes(&there.document) {
        "it grants more than describing, so bootstrap did not make it so".to_owned()
    } else if attached && is_shared {
        format!("group {} stays and holds it", names.group)
    } else {
        match others {
            Some(0) => {
                let detail = format!("{name} ({})", there.managed.arn);
                return Step::new(Part::Policy, Action::Remove, detail);
            }
            Some(others) => format!("{others} more hold it"),
            None => "the cloud does not say whether others hold it".to_owned(),
        }
    };
    Step::new(Part::Policy, Action::Keep, format!("{name} stays: {why}"))
}

fn others_in<'a>(group: &'a GroupThere, names: &Names) -> Vec<&'a str> {
    let members = group.group.members.iter().map(String::as_str);
    members.filter(|member| *member != names.user).collect()
}

#[cfg(test)]
mod tests;
