use super::super::iam::{Key, LastUse};
use super::super::plan::tests::{Change, made};
use super::*;

/// What becomes of each part.
fn parts(survey: &Survey) -> Vec<(Part, Action)> {
    let plan = removals(survey, &Names::default());
    let parts = plan.steps.iter().filter(|step| step.part != Part::Caller);
    parts.map(|step| (step.part, step.action)).collect()
}

fn changed(change: Change) -> Survey {
    let mut survey = with_a_key();
    if let (Some(user), Some(group)) = (&mut survey.user, &mut survey.group) {
        change(user, group);
    }
    survey
}

fn with_a_key() -> Survey {
    let mut survey = made();
    if let Some(user) = &mut survey.user {
        let key = Key {
            id: "AKIAIOSFODNN7EXAMPLE".to_owned(),
            active: true,
            created: None,
        };
        user.keys.push((key, LastUse::Untold));
    }
    survey
}

#[test]
fn all_that_bootstrap_made_goes_in_the_order_the_cloud_asks_for() {
    let removed = [
        Part::Key,
        Part::Membership,
        Part::User,
        Part::Attachment,
        Part::Policy,
        Part::Group,
    ];
    assert_eq!(parts(&with_a_key()), removed.map(|part| (part, Action::Remove)));
    assert_eq!(parts(&Survey::default()), []);
}

#[test]
fn group_with_another_member_stays_with_its_policy() {
    let shared = changed(|_, group| group.group.members.push("grafana".to_owned()));
    let expected = [
        (Part::Key, Action::Remove),
        (Part::Membership, Action::Remove),
        (Part::User, Action::Remove),
        (Part::Policy, Action::Keep),
        (Part::Group, Action::Keep),
    ];
    assert_eq!(parts(&shared), expected);
    let plan = removals(&shared, &Names::default());
    assert!(
        plan.steps
            .iter()
            .any(|step| step.detail.contains("grafana is in it too"))
    );
}

#[test]
fn group_that_holds_something_else_stays_without_the_policy() {
    let other = changed(|_, group| group.attached.push(["Wide".to_owned(), "arn:wide".to_owned()]));
    let plan = removals(&other, &Names::default());
    assert_eq!(plan.of(Part::Attachment), Action::Remove);
    assert_eq!(plan.of(Part::Policy), Action::Remove);
    assert_eq!(plan.of(Part::Group), Action::Keep);
}

#[test]
fn policy_that_others_hold_or_that_grants_more_stays() {
    let mut held = with_a_key();
    let mut wide = with_a_key();
    if let (Some(held), Some(wide)) = (&mut held.policy, &mut wide.policy) {
        held.managed.attachments = Some(2);
        wide.document = wide.document.replace("ec2:DescribeInstances", "ec2:*");
    }
    for survey in [held, wide] {
        let plan = removals(&survey, &Names::default());
        assert_eq!(plan.of(Part::Policy), Action::Keep);
        assert_eq!(plan.of(Part::Group), Action::Remove);
    }
}

#[test]
fn user_that_has_more_than_bootstrap_gave_it_is_for_a_person_to_decide() {
    let cases: [Change; 4] = [
        |user, _| user.inline.push("Inline".to_owned()),
        |user, _| user.attached.push(["Own".to_owned(), "arn:own".to_owned()]),
        |user, _| user.groups.push("admins".to_owned()),
        |user, _| user.groups.clear(),
    ];
    for change in cases {
        let plan = removals(&changed(change), &Names::default());
        assert_eq!(plan.of(Part::User), Action::Refuse);
    }
}

#[test]
fn rest_of_a_run_that_was_cut_off_goes() {
    let mut rest = made();
    rest.user = None;
    if let Some(group) = &mut rest.group {
        group.group.members.clear();
        group.attached.clear();
    }
    if let Some(policy) = &mut rest.policy {
        policy.managed.attachments = Some(0);
    }
    assert_eq!(
        parts(&rest),
        [(Part::Policy, Action::Remove), (Part::Group, Action::Remove)]
    );
}
