use secrecy::SecretString;

use jiff::SignedDuration;

use super::*;
use crate::credentials::Credentials;

const TAKEN: Timestamp = Timestamp::UNIX_EPOCH;

fn held(seconds: Option<i64>) -> Held {
    let credentials = Credentials {
        access_key_id: "AKIDEXAMPLE".to_owned(),
        secret_access_key: SecretString::from("canary"),
        session_token: Some(SecretString::from("canary")),
    };
    let expires = seconds.map(|seconds| TAKEN + SignedDuration::from_secs(seconds));
    Held {
        current: Current::new(credentials, "test", expires),
        taken: TAKEN,
    }
}

#[test]
fn key_is_renewed_a_quarter_of_an_hour_ahead_or_at_half_its_time() {
    let cases = [
        // An hour.
        (3600, 2699, Due::Later),
        (3600, 2700, Due::Soon),
        (3600, 3579, Due::Soon),
        (3600, 3580, Due::Now),
        (3600, 3600, Due::Over),
        (3600, 9999, Due::Over),
        // The shortest that AWS lends.
        (900, 449, Due::Later),
        (900, 450, Due::Soon),
        (900, 880, Due::Now),
        // One that was old already when it came.
        (80, 39, Due::Later),
        (80, 40, Due::Soon),
        (80, 70, Due::Now),
        (80, 80, Due::Over),
    ];
    for (whole, after, due) in cases {
        let now = TAKEN + SignedDuration::from_secs(after);
        assert_eq!(held(Some(whole)).due(now), due, "{whole} after {after}");
    }
    assert_eq!(held(None).due(Timestamp::MAX), Due::Later);
}

#[test]
fn whoever_refuses_is_asked_less_and_less_often() {
    let waits = |is_a_refusal, left| {
        let waits = (1..=6).map(|count| wait(is_a_refusal, count, left).as_secs());
        waits.collect::<Vec<_>>()
    };
    assert_eq!(waits(true, None), [60, 120, 240, 480, 900, 900]);
    assert_eq!(waits(false, None), [10, 20, 40, 60, 60, 60]);
    let left = |seconds| Some(Duration::from_secs(seconds));
    assert_eq!(wait(false, 1, left(800)), Duration::from_secs(60));
    assert_eq!(wait(false, 9, left(30)), Duration::from_secs(15));
    assert_eq!(wait(false, 9, left(1)), Duration::from_secs(1));
    assert_eq!(wait(true, 1, left(30)), Duration::from_secs(60));
}

#[test]
fn same_key_lent_again_keeps_its_generation_and_another_never_takes_an_old_one() {
    let mut loan = Loan::default();
    let lease = |id: &str| Lease {
        credentials: Credentials {
            access_key_id: id.to_owned(),
            secret_access_key: SecretString::from("canary"),
            session_token: None,
        },
        expires: Some(Timestamp::MAX),
    };
    let mut generation = |id| {
        loan.take(lease(id), "imds", TAKEN, "prod");
        loan.held.as_ref().unwrap().current.generation
    };
    assert_eq!(
        [generation("A"), generation("A"), generation("B"), generation("A")],
        [1, 1, 2, 3]
    );
    loan.held = None;
    loan.take(lease("C"), "imds", TAKEN, "prod");
    assert_eq!(loan.held.as_ref().unwrap().current.generation, 4);
    assert!(!format!("{loan:?}").contains("canary"));
}
