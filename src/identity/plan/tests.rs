use super::super::iam::{Group, User};
use super::super::iam_policies::Managed;
use super::super::survey::{GroupThere, PolicyThere, UserThere};
use super::*;
use crate::provider::Provider;
use crate::resources::KINDS;

fn wish() -> Wish {
    Wish::of(Provider::Aws, &KINDS)
}

/// Something that somebody else did.
pub(in crate::identity) type Change = fn(&mut UserThere, &mut GroupThere);

/// Everything as bootstrap leaves it.
pub(in crate::identity) fn made() -> Survey {
    let arn = |what: &str| format!("arn:aws:iam::123456789012:{what}");
    Survey {
        caller: Some(arn("user/admin")),
        group: Some(GroupThere {
            group: Group {
                arn: arn("group/monitoring"),
                members: vec!["watcher_1".to_owned()],
            },
            attached: vec![["monitoring".to_owned(), arn("policy/monitoring")]],
            inline: Vec::new(),
        }),
        policy: Some(PolicyThere {
            managed: Managed {
                name: "monitoring".to_owned(),
                arn: arn("policy/monitoring"),
                default_version: "v1".to_owned(),
                attachments: Some(1),
                boundaries: 0,
            },
            document: wish().policy.text(),
        }),
        user: Some(UserThere {
            user: User {
                name: "watcher_1".to_owned(),
                arn: arn("user/watcher_1"),
            },
            groups: vec!["monitoring".to_owned()],
            attached: Vec::new(),
            inline: Vec::new(),
            keys: Vec::new(),
        }),
    }
}

fn actions(survey: &Survey) -> Vec<Action> {
    let plan = Plan::new(survey, &wish());
    plan.steps.iter().map(|step| step.action).collect()
}

#[track_caller]
fn refusal(survey: &Survey, wish: &Wish, words: &[&str]) {
    let plan = Plan::new(survey, wish);
    let refusals: Vec<_> = plan.refusals().map(|step| step.detail.clone()).collect();
    let [refusal] = refusals.as_slice() else {
        panic!("there is one refusal: {refusals:?}");
    };
    for word in words {
        assert!(refusal.contains(word), "{word} is not in: {refusal}");
    }
}

#[test]
fn of_nothing_five_parts_are_made_and_the_key_is_the_sixth() {
    let created = actions(&Survey::default())
        .into_iter()
        .filter(|action| *action == Action::Create)
        .count();
    assert_eq!(created, 5);
}

#[test]
fn what_is_as_it_should_be_is_left_alone() {
    assert!(actions(&made()).iter().all(|action| *action == Action::Keep));
}

#[test]
fn what_is_half_there_is_completed() {
    let mut half = made();
    half.user = None;
    if let Some(group) = &mut half.group {
        group.attached.clear();
        group.group.members.clear();
    }
    let plan = Plan::new(&half, &wish());
    let created = [Part::Attachment, Part::User, Part::Membership];
    for part in [
        Part::Group,
        Part::Policy,
        Part::Attachment,
        Part::User,
        Part::Membership,
    ] {
        let is_created = plan.of(part) == Action::Create;
        assert_eq!(is_created, created.contains(&part), "{part:?}");
    }
}

#[test]
fn other_policy_is_refused_with_what_differs_until_it_may_be_changed() {
    let mut other = made();
    if let Some(policy) = &mut other.policy {
        policy.document = policy.document.replace("ec2:DescribeInstances", "ec2:*");
        policy.managed.attachments = Some(3);
    }
    let mut wish = wish();
    refusal(
        &other,
        &wish,
        &[
            "-        \"ec2:*\"",
            "--update-policy",
            "for all 3 that hold it",
            "--policy",
        ],
    );
    wish.update_policy = true;
    assert_eq!(Plan::new(&other, &wish).of(Part::Policy), Action::Change);
}

#[test]
fn whatever_else_grants_the_user_something_is_refused_by_name() {
    let grant = |change: Change| {
        let mut survey = made();
        if let (Some(user), Some(group)) = (&mut survey.user, &mut survey.group) {
            change(user, group);
        }
        survey
    };
    let cases: [(Change, &str); 5] = [
        (
            |user, _| user.inline.push("Inline".to_owned()),
            "user watcher_1: inline policy Inline",
        ),
        (
            |user, _| user.attached.push(["Own".to_owned(), "arn:own".to_owned()]),
            "user watcher_1: policy Own (arn:own)",
        ),
        (
            |user, _| user.groups.push("admins".to_owned()),
            "user watcher_1: membership in group admins",
        ),
        (
            |_, group| group.attached.push(["Wide".to_owned(), "arn:wide".to_owned()]),
            "group monitoring: policy Wide (arn:wide)",
        ),
        (
            |_, group| group.inline.push("Inline".to_owned()),
            "group monitoring: inline policy Inline",
        ),
    ];
    for (change, words) in cases {
        refusal(&grant(change), &wish(), &[words, "--user"]);
    }
}

#[test]
fn user_cannot_limit_itself() {
    let mut own = made();
    own.caller = own.user.as_ref().map(|user| user.user.arn.clone());
    refusal(&own, &wish(), &["the very user", "admin's key"]);
}

#[test]
fn others_in_the_group_are_told_of() {
    let mut shared = made();
    if let Some(group) = &mut shared.group {
        group.group.members.push("grafana".to_owned());
    }
    let plan = Plan::new(&shared, &wish());
    assert!(
        plan.steps
            .iter()
            .any(|step| step.detail.contains("which also has grafana"))
    );
    assert_eq!(plan.refusals().count(), 0);
}
