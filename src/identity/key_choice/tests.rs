use super::*;

const NOW: &str = "2026-11-22T12:00:00Z";

fn at(text: &str) -> Timestamp {
    text.parse().unwrap()
}

fn key(id: &str) -> (Key, Option<String>) {
    let key = Key {
        id: id.to_owned(),
        active: true,
        created: Some(at(NOW)),
    };
    (key, None)
}

fn journal(keys_before: &[&str], replaces: Option<&str>) -> Journal {
    Journal {
        user: "watcher_1".to_owned(),
        at: at(NOW),
        keys_before: keys_before.iter().map(|id| (*id).to_owned()).collect(),
        replaces: replaces.map(str::to_owned),
        made: None,
    }
}

fn evidence<'a>(
    keys: &'a [(Key, Option<String>)],
    in_file: Option<&'a str>,
    journal: Option<&'a Journal>,
) -> Evidence<'a> {
    Evidence {
        user: "watcher_1",
        keys,
        out: "/etc/vigie/credentials",
        in_file,
        journal,
    }
}

fn make(replaces: Option<&str>) -> KeyStep {
    KeyStep::Make {
        replaces: replaces.map(str::to_owned),
    }
}

fn finish(replaces: Option<&str>) -> KeyStep {
    KeyStep::Finish {
        replaces: replaces.map(str::to_owned),
    }
}

#[track_caller]
fn assert_refused(choice: &Choice, words: &[&str]) {
    let KeyStep::Refuse(text) = &choice.step else {
        panic!("{choice:?}");
    };
    for word in words {
        assert!(text.contains(word), "{word} is not in: {text}");
    }
    assert!(choice.strays.is_empty());
}

#[test]
fn first_run_makes_a_key_and_the_second_keeps_it() {
    assert_eq!(evidence(&[], None, None).choose(None).step, make(None));
    let keys = [key("A")];
    assert_eq!(evidence(&keys, Some("A"), None).choose(None).step, KeyStep::Keep);
}

#[test]
fn key_that_is_not_in_the_file_is_refused_by_name_until_it_may_be_replaced() {
    let keys = [key("A")];
    let evidence = evidence(&keys, None, None);
    assert_refused(
        &evidence.choose(None),
        &["A (active, made", "--replace-key", "/etc/vigie/credentials"],
    );
    assert_eq!(evidence.choose(Some("A")).step, make(Some("A")));
    assert_refused(&evidence.choose(Some("B")), &["no key B", "which has A"]);
}

#[test]
fn key_of_somebody_else_in_the_file_is_not_overwritten() {
    assert_refused(
        &evidence(&[], Some("ADMIN"), None).choose(None),
        &["holds the key ADMIN", "--profile", "--replace-key ADMIN"],
    );
    assert_eq!(
        evidence(&[], Some("DEAD"), None).choose(Some("DEAD")).step,
        make(None)
    );
}

#[test]
fn second_key_beside_the_one_in_the_file_is_refused_unless_it_is_inactive_or_to_be_replaced() {
    let mut keys = [key("A"), key("B")];
    let refused = evidence(&keys, Some("A"), None).choose(None);
    assert_refused(&refused, &["B (active", "--replace-key"]);
    assert_eq!(
        evidence(&keys, Some("A"), None).choose(Some("B")).step,
        finish(Some("B"))
    );
    keys[1].0.active = false;
    assert_eq!(evidence(&keys, Some("A"), None).choose(None).step, KeyStep::Keep);
}

#[test]
fn inactive_key_in_the_file_is_told_of() {
    let mut keys = [key("A")];
    keys[0].0.active = false;
    assert_refused(
        &evidence(&keys, Some("A"), None).choose(None),
        &["inactive", "--replace-key A"],
    );
    assert_eq!(
        evidence(&keys, Some("A"), None).choose(Some("A")).step,
        make(Some("A"))
    );
}

#[test]
fn key_that_a_cut_off_run_left_without_a_file_goes_and_another_is_made() {
    let journal = journal(&[], None);
    let keys = [key("LOST")];
    let choice = evidence(&keys, None, Some(&journal)).choose(None);
    assert_eq!(
        (choice.strays, choice.step),
        (vec!["LOST".to_owned()], make(None))
    );
}

#[test]
fn key_that_somebody_uses_or_that_is_older_is_no_stray() {
    let journal = journal(&[], None);
    let mut used = [key("A")];
    used[0].1 = Some("2026-11-22 (ec2, eu-west-2)".to_owned());
    let mut old = [key("A")];
    old[0].0.created = Some(at("2026-11-22T11:00:00Z"));
    let two = [key("A"), key("B")];
    for keys in [&used[..], &old[..], &two[..]] {
        assert_refused(
            &evidence(keys, None, Some(&journal)).choose(None),
            &["cut off", "A (active"],
        );
    }
}

#[test]
fn key_that_was_tried_before_the_run_was_cut_off_is_known_by_the_note() {
    let mut rotation = journal(&["A"], Some("A"));
    rotation.made = Some("B".to_owned());
    let mut keys = [key("A"), key("B")];
    keys[1].1 = Some("2026-11-22 (ec2, eu-west-2)".to_owned());
    let choice = evidence(&keys, Some("A"), Some(&rotation)).choose_rotation();
    assert_eq!(
        (choice.strays, choice.step),
        (vec!["B".to_owned()], make(Some("A")))
    );
    keys[1].0.id = "C".to_owned();
    let choice = evidence(&keys, Some("A"), Some(&rotation)).choose_rotation();
    assert_refused(&choice, &["cut off", "C (active"]);
}

#[test]
fn run_for_another_user_that_was_cut_off_is_completed_first() {
    let mut journal = journal(&[], None);
    journal.user = "other".to_owned();
    assert_refused(
        &evidence(&[], None, Some(&journal)).choose(None),
        &["--user other"],
    );
}

#[test]
fn run_that_was_cut_off_behind_the_swap_is_finished() {
    let first = journal(&[], None);
    let keys = [key("NEW")];
    assert_eq!(
        evidence(&keys, Some("NEW"), Some(&first)).choose(None).step,
        finish(None)
    );

    let rotation = journal(&["OLD"], Some("OLD"));
    let keys = [key("OLD"), key("NEW")];
    let cut = evidence(&keys, Some("NEW"), Some(&rotation));
    assert_eq!(cut.choose(None).step, finish(Some("OLD")));
    assert_eq!(cut.choose_rotation().step, finish(Some("OLD")));
    let gone = [key("NEW")];
    assert_eq!(
        evidence(&gone, Some("NEW"), Some(&rotation))
            .choose_rotation()
            .step,
        finish(None)
    );
}

#[test]
fn rotation_replaces_the_key_in_the_file_and_no_other() {
    let keys = [key("A"), key("B")];
    assert_eq!(
        evidence(&keys, Some("A"), None).choose_rotation().step,
        make(Some("A"))
    );
    assert_refused(
        &evidence(&keys, Some("C"), None).choose_rotation(),
        &["holds no key of user", "A (active"],
    );
    assert_refused(
        &evidence(&[], None, None).choose_rotation(),
        &["which has none", "vigie bootstrap"],
    );
}

#[test]
fn rotation_cut_off_before_the_swap_begins_anew_without_the_lost_key() {
    let rotation = journal(&["A"], Some("A"));
    let keys = [key("A"), key("LOST")];
    let choice = evidence(&keys, Some("A"), Some(&rotation)).choose_rotation();
    assert_eq!(
        (choice.strays, choice.step),
        (vec!["LOST".to_owned()], make(Some("A")))
    );
    let choice = evidence(&keys, Some("A"), Some(&rotation)).choose(None);
    assert_eq!(
        (choice.strays, choice.step),
        (vec!["LOST".to_owned()], KeyStep::Keep)
    );
}
