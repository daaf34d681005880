use super::*;

async fn advance(seconds: u64) {
    tokio::time::advance(Duration::from_secs(seconds)).await;
}

#[tokio::test(start_paused = true)]
async fn three_tries_a_minute_apart_then_the_waits_outlast_any_lock() {
    let breaker = Breaker::new(Some(4));
    let mut waits = Vec::new();
    for _ in 0..6 {
        let wait = breaker.pass("r", 1).await.unwrap().refused().remaining.as_secs();
        assert!(breaker.pass("r", 1).await.is_err());
        advance(wait - 1).await;
        assert!(breaker.pass("r", 1).await.is_err());
        advance(1).await;
        waits.push(wait);
    }
    assert_eq!(waits, [60, 60, 900, 1800, 3600, 3600]);
}

#[tokio::test(start_paused = true)]
async fn an_unproven_key_is_tried_in_one_place_at_a_time() {
    let breaker = Breaker::new(Some(4));
    let mut first = breaker.pass("a", 1).await.unwrap();
    let second = tokio::time::timeout(Duration::from_secs(5), breaker.pass("b", 1)).await;
    assert!(
        second.is_err(),
        "the second request waits for the first one's verdict"
    );
    first.refused();
    drop(first);
    assert!(breaker.pass("b", 1).await.is_err());
}

#[tokio::test(start_paused = true)]
async fn a_proven_key_is_used_in_many_places_at_once() {
    let breaker = Breaker::new(Some(4));
    breaker.pass("a", 1).await.unwrap().accepted();
    let _one = breaker.pass("a", 1).await.unwrap();
    let _two = breaker.pass("b", 1).await.unwrap();
}

#[tokio::test(start_paused = true)]
async fn a_new_key_is_tried_at_once_but_not_as_the_fourth_in_a_row() {
    let breaker = Breaker::new(Some(4));
    for generation in 1..=3 {
        breaker.pass("a", generation).await.unwrap().refused();
    }
    assert!(
        breaker.pass("a", 4).await.is_err(),
        "a fourth refusal would lock the account"
    );
    advance(900).await;
    breaker.pass("a", 4).await.unwrap().accepted();
    assert!(breaker.pass("a", 4).await.is_ok());
}

#[tokio::test(start_paused = true)]
async fn a_new_key_waits_no_longer_than_a_lock_could_last() {
    let breaker = Breaker::new(Some(4));
    for _ in 0..9 {
        let wait = breaker.pass("a", 1).await.unwrap().refused().remaining;
        assert!(breaker.pass("a", 2).await.is_err() || wait == FIRST_WAIT);
        advance(wait.as_secs()).await;
    }
    breaker.pass("a", 1).await.unwrap().refused();
    advance(899).await;
    assert!(breaker.pass("a", 2).await.is_err());
    advance(1).await;
    assert!(breaker.pass("a", 1).await.is_err(), "the old key waits an hour");
    assert!(breaker.pass("a", 2).await.is_ok());
}

#[tokio::test(start_paused = true)]
async fn a_late_refusal_of_the_old_key_does_not_stop_the_new_one_for_long() {
    let breaker = Breaker::new(None);
    breaker.pass("a", 1).await.unwrap().accepted();
    let mut old = breaker.pass("a", 1).await.unwrap();
    breaker.pass("a", 2).await.unwrap().accepted();
    old.refused();
    assert!(
        breaker.pass("a", 2).await.is_ok(),
        "the refusal was the other key's"
    );
}

#[tokio::test(start_paused = true)]
async fn one_region_that_refuses_does_not_stop_the_others_where_nothing_locks() {
    let breaker = Breaker::new(None);
    breaker.pass("open", 1).await.unwrap().accepted();
    breaker.pass("closed", 1).await.unwrap().refused();
    assert!(breaker.pass("closed", 1).await.is_err());
    assert!(breaker.pass("open", 1).await.is_ok());
}

#[tokio::test(start_paused = true)]
async fn a_region_that_refuses_first_leaves_the_next_try_to_another() {
    let breaker = Breaker::new(None);
    breaker.pass("closed", 1).await.unwrap().refused();
    assert!(
        breaker.pass("open", 1).await.is_err(),
        "a refusal stops every call with the key"
    );
    advance(60).await;
    assert!(breaker.pass("closed", 1).await.is_err());
    breaker.pass("open", 1).await.unwrap().accepted();
    advance(60).await;
    assert!(breaker.pass("closed", 1).await.is_ok());
}

#[tokio::test(start_paused = true)]
async fn the_only_region_is_tried_again_after_a_minute() {
    let breaker = Breaker::new(None);
    breaker.pass("only", 1).await.unwrap().refused();
    advance(60).await;
    assert!(breaker.pass("only", 1).await.is_ok());
}

#[tokio::test(start_paused = true)]
async fn an_answer_older_than_a_refusal_proves_nothing() {
    let breaker = Breaker::new(Some(4));
    breaker.pass("a", 1).await.unwrap().accepted();
    let slow = breaker.pass("a", 1).await.unwrap();
    breaker.pass("a", 1).await.unwrap().refused();
    assert!(!slow.accepted());
    assert!(breaker.pass("a", 1).await.is_err());
}

#[tokio::test(start_paused = true)]
async fn an_answer_to_the_old_key_proves_nothing_of_the_new_one() {
    let breaker = Breaker::new(Some(4));
    breaker.pass("a", 1).await.unwrap().accepted();
    let old = breaker.pass("a", 1).await.unwrap();
    let new = breaker.pass("a", 2).await.unwrap();
    assert!(!old.accepted());
    assert!(new.accepted());
}

#[tokio::test(start_paused = true)]
async fn a_region_that_accepts_does_not_forgive_the_refusals_of_another() {
    let breaker = Breaker::new(Some(4));
    let mut waits = Vec::new();
    for _ in 0..4 {
        let wait = breaker.pass("bad", 1).await.unwrap().refused().remaining;
        waits.push(wait.as_secs());
        tokio::time::advance(Duration::from_secs(60)).await;
        if breaker.pass("good", 1).await.is_ok_and(|pass| pass.accepted()) {
            tokio::time::advance(wait.saturating_sub(Duration::from_secs(60))).await;
        } else {
            tokio::time::advance(wait).await;
        }
    }
    assert_eq!(waits, [60, 60, 900, 1800]);
}

#[tokio::test(start_paused = true)]
async fn a_wrong_clock_earns_one_more_try_unless_that_could_lock() {
    let breaker = Breaker::new(Some(4));
    for (expected, wait) in [(true, 60), (true, 60), (false, 900)] {
        assert_eq!(
            breaker
                .pass("a", 1)
                .await
                .unwrap()
                .refused_for_the_clock()
                .is_ok(),
            expected
        );
        advance(wait).await;
    }
    breaker.pass("a", 1).await.unwrap().accepted();
    let mut proven = breaker.pass("a", 1).await.unwrap();
    assert_eq!(proven.refused_for_the_clock(), Ok(Again::InTurn));
}

/// A breaker of a key that was accepted, and so many requests under way with it.
async fn proven(breaker: &Breaker, under_way: usize) -> Vec<Pass<'_>> {
    breaker.pass("a", 1).await.unwrap().accepted();
    let mut passes = Vec::new();
    for _ in 0..under_way {
        passes.push(breaker.pass("a", 1).await.unwrap());
    }
    passes
}

#[tokio::test(start_paused = true)]
async fn refusals_for_the_clock_are_of_a_row_that_locks_though_the_key_was_proven() {
    let breaker = Breaker::new(Some(4));
    let [mut one] = proven(&breaker, 1).await.try_into().unwrap();
    assert_eq!(one.refused_for_the_clock(), Ok(Again::InTurn));
    drop(one);
    assert_eq!(breaker.pass("a", 1).await.unwrap().refused().strikes, 2);
    advance(60).await;

    // As many as there is room for: of them, one goes on alone, and would be the third.
    let [mut first, mut second] = proven(&breaker, 2).await.try_into().unwrap();
    assert_eq!(first.refused_for_the_clock(), Ok(Again::InTurn));
    drop(first);
    let mut again = breaker.pass("a", 1).await.unwrap();
    assert_eq!(second.refused_for_the_clock(), Ok(Again::InTurn));
    drop(second);
    let locked = again.refused();
    assert_eq!((locked.strikes, locked.remaining.as_secs()), (3, 900));
    drop(again);

    // One process of two has a single one, and no more.
    let breaker = Breaker::new(Some(2));
    let [mut only] = proven(&breaker, 1).await.try_into().unwrap();
    let locked = only.refused_for_the_clock().unwrap_err();
    assert_eq!((locked.strikes, locked.remaining.as_secs()), (1, 900));

    // Nothing locks elsewhere.
    let breaker = Breaker::new(None);
    for mut pass in proven(&breaker, 3).await {
        assert_eq!(pass.refused_for_the_clock(), Ok(Again::AtOnce));
    }
}

#[tokio::test(start_paused = true)]
async fn a_proven_key_that_is_taken_with_the_right_time_is_proven_again() {
    let breaker = Breaker::new(Some(4));
    let [mut first, mut second] = proven(&breaker, 2).await.try_into().unwrap();
    let waited = breaker.pass("a", 1).await.unwrap();
    assert_eq!(first.refused_for_the_clock(), Ok(Again::InTurn));
    assert_eq!(waited.holds(), Ok(false), "it is to wait for its turn");
    drop((first, waited));
    let again = breaker.pass("a", 1).await.unwrap();
    assert_eq!(second.refused_for_the_clock(), Ok(Again::InTurn));
    drop(second);
    assert!(again.accepted());
    drop(again);
    assert_eq!(proven(&breaker, 2).await[0].holds(), Ok(true));
}

#[tokio::test(start_paused = true)]
async fn a_request_that_was_given_up_may_have_been_refused() {
    let breaker = Breaker::new(Some(4));
    let mut untried = breaker.pass("a", 1).await.unwrap();
    untried.sent();
    drop(untried);
    assert_eq!(breaker.pass("a", 1).await.unwrap_err().remaining.as_secs(), 60);
    advance(60).await;

    let [mut given_up, mut answered, mut refused] = proven(&breaker, 3).await.try_into().unwrap();
    given_up.sent();
    answered.sent();
    answered.heard();
    drop((given_up, answered));
    assert_eq!(refused.refused().strikes, 2);
}

#[tokio::test(start_paused = true)]
async fn a_region_that_nobody_asks_in_any_more_is_not_waited_for() {
    let breaker = Breaker::new(Some(4));
    breaker.pass("kept", 1).await.unwrap().refused();
    breaker.pass("removed", 1).await.unwrap_err();
    advance(60).await;
    breaker.pass("kept", 1).await.unwrap_err();
    breaker.forget("removed");
    assert!(breaker.pass("kept", 1).await.is_ok());
}

#[tokio::test(start_paused = true)]
async fn after_a_refusal_the_turn_goes_round_the_regions() {
    for lock_out_after in [None, Some(4)] {
        let breaker = Breaker::new(lock_out_after);
        let mut tried = Vec::new();
        // All ask at the same time, the same one always first. The third try and later ones are further apart.
        for _ in 0..90 {
            for region in ["closed", "shut", "open"] {
                if let Ok(mut pass) = breaker.pass(region, 1).await {
                    pass.refused();
                    tried.push(region);
                }
            }
            advance(60).await;
        }
        let round = ["closed", "shut", "open"];
        assert!(tried.len() > round.len(), "{tried:?}");
        assert!(
            tried.iter().eq(round.iter().cycle().take(tried.len())),
            "{tried:?}"
        );
    }
}

#[tokio::test(start_paused = true)]
async fn a_region_that_is_held_back_itself_is_not_waited_for() {
    let breaker = Breaker::new(None);
    breaker.pass("open", 1).await.unwrap().accepted();
    for _ in 0..4 {
        breaker.pass("closed", 1).await.unwrap().refused();
        advance(900).await;
    }
    assert!(breaker.pass("closed", 1).await.is_err());
    breaker.pass("open", 1).await.unwrap().refused();
    advance(60).await;
    assert!(breaker.pass("closed", 1).await.is_err());
    assert!(breaker.pass("open", 1).await.is_ok());
}

#[tokio::test(start_paused = true)]
async fn what_is_under_way_counts_before_a_new_key_is_tried() {
    let breaker = Breaker::new(Some(4));
    breaker.pass("a", 1).await.unwrap().accepted();
    let mut refused = breaker.pass("a", 1).await.unwrap();
    let others = [
        breaker.pass("a", 1).await.unwrap(),
        breaker.pass("a", 1).await.unwrap(),
    ];
    refused.refused();
    drop(refused);
    assert!(
        breaker.pass("a", 2).await.is_err(),
        "two more refusals may be on their way"
    );
    drop(others);
    assert!(breaker.pass("a", 2).await.is_ok());
}

#[tokio::test(start_paused = true)]
async fn leave_given_before_a_refusal_does_not_outlive_the_wait() {
    let breaker = Breaker::new(Some(4));
    breaker.pass("a", 1).await.unwrap().accepted();
    let slow = breaker.pass("a", 1).await.unwrap();
    breaker.pass("a", 1).await.unwrap().refused();
    advance(60).await;
    assert_eq!(slow.holds(), Ok(false));
}

#[tokio::test(start_paused = true)]
async fn silence_is_no_reason_to_wait_longer_and_longer() {
    let breaker = Breaker::new(Some(4));
    let mut waits = Vec::new();
    for _ in 0..5 {
        let wait = breaker.pass("a", 1).await.unwrap().unheard().unwrap().remaining;
        waits.push(wait.as_secs());
        tokio::time::advance(wait).await;
    }
    assert_eq!(waits, [60, 60, 660, 660, 660]);
    assert!(Breaker::new(None).pass("a", 1).await.unwrap().unheard().is_none());
}

#[tokio::test(start_paused = true)]
async fn lost_answers_to_a_proven_key_count_with_the_next_refusal() {
    let breaker = Breaker::new(Some(4));
    breaker.pass("a", 1).await.unwrap().accepted();
    for _ in 0..2 {
        assert!(breaker.pass("a", 1).await.unwrap().unheard().is_none());
    }
    let locked = breaker.pass("a", 1).await.unwrap().refused();
    assert_eq!((locked.strikes, locked.remaining.as_secs()), (3, 900));
}

#[tokio::test(start_paused = true)]
async fn row_that_other_processes_may_lengthen_waits_longer_from_then_on() {
    let breaker = Breaker::new(Some(4));
    breaker.pass("r", 1).await.unwrap().refused();
    advance(60).await;
    assert!(breaker.pass("r", 1).await.is_ok(), "three may happen");
    breaker.locks_after(Some(2));
    assert!(
        breaker.pass("r", 1).await.is_err(),
        "the next may be the second of each"
    );
    advance(LONG_WAIT.as_secs() - 61).await;
    assert!(breaker.pass("r", 1).await.is_err());
    advance(1).await;
    let wait = breaker.pass("r", 1).await.unwrap().refused().remaining;
    assert_eq!(wait, LONG_WAIT * 2, "it goes on from where it was");
    breaker.locks_after(Some(4));
    assert!(
        breaker.pass("r", 1).await.is_err(),
        "fewer processes shorten nothing"
    );
}

#[tokio::test(start_paused = true)]
async fn change_of_the_limit_leaves_a_proven_key_proven() {
    let breaker = Breaker::new(Some(4));
    breaker.pass("a", 1).await.unwrap().accepted();
    breaker.locks_after(Some(1));
    let _one = breaker.pass("a", 1).await.unwrap();
    assert!(breaker.pass("b", 1).await.is_ok(), "it needs no turn");
}

#[tokio::test(start_paused = true)]
async fn refusals_count_on_for_a_key_that_is_found_where_another_was() {
    let first = Breaker::new(Some(4));
    assert!(!first.has_strikes());
    for _ in 0..3 {
        first.pass("r", 1).await.unwrap().refused();
        advance(60).await;
    }
    assert!(first.has_strikes());
    let second = Breaker::after(Some(4), &first);
    assert!(second.pass("r", 1).await.is_err(), "it would be the fourth");
    advance(LONG_WAIT.as_secs() - 60).await;
    assert!(!first.has_strikes());
    let accepted = second.pass("r", 1).await.unwrap().accepted();
    assert!(accepted);
    assert!(!second.has_strikes());
}
