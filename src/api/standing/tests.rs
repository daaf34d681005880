use super::*;

fn key(generation: u64, id: &str, secret: &str) -> Current {
    let credentials = Credentials {
        access_key_id: id.to_owned(),
        secret_access_key: secret.into(),
        session_token: None,
    };
    Current {
        generation,
        ..Current::new(credentials, "file", None)
    }
}

fn places<const N: usize>() -> [Place; N] {
    let standings = Arc::default();
    [(); N].map(|()| Place::new(&standings, Breaker::new(Some(4)), 2))
}

async fn refuse(place: &Place, key: &Current) -> u32 {
    let (standing, number) = place.of(key);
    standing
        .breaker
        .pass("a", number)
        .await
        .unwrap()
        .refused()
        .strikes
}

fn is_one(first: &Place, second: &Place) -> bool {
    Arc::ptr_eq(&first.standing(), &second.standing())
}

#[tokio::test(start_paused = true)]
async fn one_key_in_two_places_stands_as_one() {
    let [first, second, other] = places();
    let old = key(1, "OLD", "EXAMPLE");
    assert_eq!(refuse(&first, &old).await, 1);
    let (standing, number) = second.of(&key(7, "OLD", "EXAMPLE"));
    assert!(is_one(&first, &second));
    assert!(standing.breaker.pass("a", number).await.is_err());
    assert_eq!(refuse(&other, &key(1, "OTHER", "EXAMPLE")).await, 1);
    assert!(!is_one(&first, &other));
}

#[tokio::test(start_paused = true)]
async fn wrong_secret_of_one_place_holds_no_other_back() {
    let [right, wrong] = places();
    let good = key(1, "SAME", "EXAMPLE");
    let (standing, number) = right.of(&good);
    assert!(standing.breaker.pass("a", number).await.unwrap().accepted());
    refuse(&wrong, &key(1, "SAME", "EXAMPLE-WITH-A-SLIP")).await;
    let (standing, number) = right.of(&good);
    assert!(standing.breaker.pass("a", number).await.unwrap().accepted());
}

#[tokio::test(start_paused = true)]
async fn refusals_of_before_are_not_forgotten_where_two_become_one() {
    let [first, second] = places();
    for id in ["X", "Y"] {
        assert!(refuse(&first, &key(if id == "X" { 1 } else { 2 }, id, "EXAMPLE")).await > 0);
    }
    second.of(&key(1, "NEW", "EXAMPLE"));
    first.of(&key(3, "NEW", "EXAMPLE"));
    assert!(is_one(&first, &second));
    tokio::time::advance(std::time::Duration::from_secs(61)).await;
    assert_eq!(refuse(&second, &key(1, "NEW", "EXAMPLE")).await, 3);
}

#[test]
fn key_of_one_place_leaves_the_others_theirs_until_they_follow() {
    let [first, second] = places();
    for place in [&first, &second] {
        place.of(&key(1, "OLD", "EXAMPLE"));
    }
    let (_, number) = first.of(&key(2, "NEW", "EXAMPLE"));
    assert!(!is_one(&first, &second));
    let (_, same) = second.of(&key(5, "NEW", "EXAMPLE"));
    assert!(is_one(&first, &second));
    assert_eq!(number, same);
}

#[test]
fn later_key_of_one_place_has_a_greater_number_and_an_older_one_none() {
    let [place] = places();
    let first = place.of(&key(1, "OLD", "EXAMPLE"));
    let corrected = place.of(&key(2, "OLD", "EXAMPLE-2"));
    let new = place.of(&key(3, "NEW", "EXAMPLE"));
    let back = place.of(&key(4, "OLD", "EXAMPLE"));
    assert_eq!([first.1, corrected.1, new.1, back.1], [1, 2, 3, 4]);
    assert!(Arc::ptr_eq(&first.0, &back.0));
    assert_eq!(place.of(&key(3, "NEW", "EXAMPLE")).1, 0);
}

#[test]
fn what_nobody_holds_is_let_go() {
    let [first, second] = places();
    first.of(&key(1, "OLD", "EXAMPLE"));
    let old = Arc::downgrade(&first.standing());
    drop(first);
    assert!(old.upgrade().is_none());
    second.of(&key(1, "NEW", "EXAMPLE"));
    assert_eq!(locked(&second.standings.0).len(), 1);
}
