use super::*;

const NOW: &str = "2026-11-22T12:00:00Z";

fn at(text: &str) -> Timestamp {
    text.parse().unwrap()
}

fn key(id: &str) -> (Key, LastUse) {
    let key = Key {
        id: id.to_owned(),
        active: true,
        created: Some(at(NOW)),
    };
    (key, LastUse::Never)
}

fn journal(keys_before: &[&str], replaces: &[&str]) -> Journal {
    Journal {
        user: "watcher_1".to_owned(),
        at: at(NOW),
        keys_before: owned(keys_before),
        replaces: owned(replaces),
        made: None,
    }
}

fn evidence<'a>(
    keys: &'a [(Key, LastUse)],
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

fn make(replaces: &[&str]) -> KeyStep {
    KeyStep::Make {
        replaces: owned(replaces),
    }
}

fn finish(replaces: &[&str]) -> KeyStep {
    KeyStep::Finish {
        replaces: owned(replaces),
    }
}

fn owned(ids: &[&str]) -> Vec<String> {
    ids.iter().map(|id| (*id).to_owned()).collect()
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
    assert_eq!(evidence(&[], None, None).choose(&[]).step, make(&[]));
    let keys = [key("A")];
    assert_eq!(evidence(&keys, Some("A"), None).choose(&[]).step, KeyStep::Keep);
}

#[test]
fn key_that_is_not_in_the_file_is_refused_by_name_until_it_may_be_replaced() {
    let keys = [key("A")];
    let evidence = evidence(&keys, None, None);
    assert_refused(
        &evidence.choose(&[]),
        &["A (active, made", "--replace-key", "/etc/vigie/credentials"],
    );
    assert_eq!(evidence.choose(&owned(&["A"])).step, make(&["A"]));
    assert_refused(&evidence.choose(&owned(&["B"])), &["no key B", "which has A"]);
}

#[test]
fn key_of_somebody_else_in_the_file_is_not_overwritten() {
    assert_refused(
        &evidence(&[], Some("ADMIN"), None).choose(&[]),
        &["holds the key ADMIN", "--profile", "--replace-key ADMIN"],
    );
    assert_eq!(
        evidence(&[], Some("DEAD"), None).choose(&owned(&["DEAD"])).step,
        make(&[])
    );
}

#[test]
fn second_key_beside_the_one_in_the_file_is_refused_unless_it_is_inactive_or_to_be_replaced() {
    let mut keys = [key("A"), key("B")];
    let refused = evidence(&keys, Some("A"), None).choose(&[]);
    assert_refused(&refused, &["B (active", "--replace-key"]);
    assert_eq!(
        evidence(&keys, Some("A"), None).choose(&owned(&["B"])).step,
        finish(&["B"])
    );
    keys[1].0.active = false;
    assert_eq!(evidence(&keys, Some("A"), None).choose(&[]).step, KeyStep::Keep);
}

#[test]
fn inactive_key_in_the_file_is_told_of() {
    let mut keys = [key("A")];
    keys[0].0.active = false;
    assert_refused(
        &evidence(&keys, Some("A"), None).choose(&[]),
        &["inactive", "--replace-key A"],
    );
    assert_eq!(
        evidence(&keys, Some("A"), None).choose(&owned(&["A"])).step,
        make(&["A"])
    );
}

#[test]
fn key_that_a_cut_off_run_left_without_a_file_goes_and_another_is_made() {
    let journal = journal(&[], &[]);
    let keys = [key("LOST")];
    let choice = evidence(&keys, None, Some(&journal)).choose(&[]);
    assert_eq!((choice.strays, choice.step), (vec!["LOST".to_owned()], make(&[])));
}

#[test]
fn key_that_somebody_uses_or_that_is_older_is_no_stray() {
    let journal = journal(&[], &[]);
    let mut used = [key("A")];
    used[0].1 = LastUse::At("2026-11-22 (ec2, eu-west-2)".to_owned());
    let mut old = [key("A")];
    old[0].0.created = Some(at("2026-11-22T11:00:00Z"));
    let two = [key("A"), key("B")];
    for keys in [&used[..], &old[..], &two[..]] {
        assert_refused(
            &evidence(keys, None, Some(&journal)).choose(&[]),
            &["cut off", "A (active"],
        );
    }
}

#[test]
fn key_that_was_tried_before_the_run_was_cut_off_is_known_by_the_note() {
    let mut rotation = journal(&["A"], &["A"]);
    rotation.made = Some("B".to_owned());
    let mut keys = [key("A"), key("B")];
    keys[1].1 = LastUse::At("2026-11-22 (ec2, eu-west-2)".to_owned());
    let choice = evidence(&keys, Some("A"), Some(&rotation)).choose_rotation();
    assert_eq!((choice.strays, choice.step), (vec!["B".to_owned()], make(&["A"])));
    keys[1].0.id = "C".to_owned();
    let choice = evidence(&keys, Some("A"), Some(&rotation)).choose_rotation();
    assert_refused(&choice, &["cut off", "C (active"]);
}

#[test]
fn key_of_which_the_cloud_does_not_say_enough_is_no_stray() {
    let journal = journal(&[], &[]);
    let mut untold = [key("A")];
    untold[0].1 = LastUse::Untold;
    let mut undated = [key("A")];
    undated[0].0.created = None;
    let mut later = [key("A")];
    later[0].0.created = Some(at("2026-11-22T13:00:00Z"));
    for keys in [&untold, &undated, &later] {
        let cut = evidence(keys, None, Some(&journal));
        assert_refused(&cut.choose(&[]), &["cut off", "A (active", "--replace-key"]);
        let told = cut.choose(&owned(&["A"]));
        assert_eq!((told.strays, told.step), (Vec::new(), make(&["A"])));
    }
}

#[test]
fn several_keys_are_replaced_at_once_when_each_is_named() {
    let keys = [key("A"), key("B")];
    let both = evidence(&keys, None, None);
    assert_refused(&both.choose(&owned(&["A"])), &["B (active", "once for each"]);
    assert_eq!(both.choose(&owned(&["A", "B"])).step, make(&["A", "B"]));
}

#[test]
fn key_that_was_replaced_already_is_not_missed() {
    let keys = [key("NEW")];
    let done = evidence(&keys, Some("NEW"), None);
    assert_eq!(done.choose(&owned(&["OLD"])).step, KeyStep::Keep);
    let rotation = journal(&["OLD"], &["OLD"]);
    let cut = evidence(&keys, Some("NEW"), Some(&rotation));
    assert_eq!(cut.choose(&owned(&["OLD"])).step, finish(&[]));
}

#[test]
fn key_that_is_not_listed_yet_is_waited_for_a_moment() {
    let journal = journal(&["A"], &["A"]);
    let keys = [key("A"), key("B")];
    let soon = at("2026-11-22T12:00:05Z");
    let unlisted = evidence(&keys[..1], Some("A"), Some(&journal));
    assert!(unlisted.may_lack_a_key(soon));
    assert!(!unlisted.may_lack_a_key(at("2026-11-22T12:01:00Z")));
    assert!(!evidence(&keys, Some("A"), Some(&journal)).may_lack_a_key(soon));
    assert!(!evidence(&keys[..1], Some("A"), None).may_lack_a_key(soon));
}

#[test]
fn run_for_another_user_that_was_cut_off_is_completed_first() {
    let mut journal = journal(&[], &[]);
    journal.user = "other".to_owned();
    assert_refused(
        &evidence(&[], None, Some(&journal)).choose(&[]),
        &["--user other"],
    );
}

#[test]
fn run_that_was_cut_off_behind_the_swap_is_finished() {
    let first = journal(&[], &[]);
    let keys = [key("NEW")];
    assert_eq!(
        evidence(&keys, Some("NEW"), Some(&first)).choose(&[]).step,
        finish(&[])
    );

    let rotation = journal(&["OLD"], &["OLD"]);
    let keys = [key("OLD"), key("NEW")];
    let cut = evidence(&keys, Some("NEW"), Some(&rotation));
    assert_eq!(cut.choose(&[]).step, finish(&["OLD"]));
    assert_eq!(cut.choose_rotation().step, finish(&["OLD"]));
    let gone = [key("NEW")];
    assert_eq!(
        evidence(&gone, Some("NEW"), Some(&rotation))
            .choose_rotation()
            .step,
        finish(&[])
    );
}

#[test]
fn rotation_replaces_the_key_in_the_file_and_no_other() {
    let keys = [key("A"), key("B")];
    assert_eq!(
        evidence(&keys, Some("A"), None).choose_rotation().step,
        make(&["A"])
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
    let rotation = journal(&["A"], &["A"]);
    let keys = [key("A"), key("LOST")];
    let choice = evidence(&keys, Some("A"), Some(&rotation)).choose_rotation();
    assert_eq!(
        (choice.strays, choice.step),
        (vec!["LOST".to_owned()], make(&["A"]))
    );
    let choice = evidence(&keys, Some("A"), Some(&rotation)).choose(&[]);
    assert_eq!(
        (choice.strays, choice.step),
        (vec!["LOST".to_owned()], KeyStep::Keep)
    );
}
