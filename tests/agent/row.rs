//! Whatever is said, whenever and by whom: never a fourth refusal in a row.

use std::time::Duration;

use crate::bench::{Account, Bench, pass};
use jiff::SignedDuration;

use crate::page::Page;
use crate::scripted::{Answer, Asked, Scripted};

const HOUR: u64 = 3600;
/// Polled often, so that nothing but the agent's patience spaces the tries.
const OFTEN: &str = "interval = \"15s\"";
const LOCKED_UNTIL: &str = "vigie_auth_locked_until_timestamp_seconds";

/// Three tries within minutes and more later: the key is neither hammered nor given up.
fn assert_patient(cloud: &Scripted) {
    assert!(cloud.longest_row() <= 3, "{:?}", cloud.asked());
    let tries = cloud.asked().len();
    assert!((4..10).contains(&tries), "{tries} tries in an hour");
}

/// All of so many, with none left out.
fn assert_every_poll_succeeds(page: &Page, polls: usize) {
    let polled: Vec<_> = page.family("vigie_poll_success").collect();
    assert_eq!(polled.len(), polls, "{polled:?}");
    assert!(polled.iter().all(|(_, success)| *success > 0.0), "{polled:?}");
}

#[tokio::test(start_paused = true)]
async fn acceptance_that_is_late_forgets_no_refusal_that_came_after_it() {
    let cloud = Scripted::start(Answer::one_instance).await;
    let bench = Bench::one(cloud.account());
    bench.succeeds().await;
    // Accepted before the other is refused, and told after it.
    cloud.goes_on(|asked| match asked.action.as_str() {
        "DescribeInstances" => Answer::one_instance(asked).after(Duration::from_millis(500)),
        _ => Answer::refusal().after(Duration::from_millis(100)),
    });
    let (poll, error) = bench.fails().await;
    assert_eq!(poll, "prod eu-west-2 load_balancers: auth", "{error}");
    let order = &cloud.asked()[2..];
    assert_eq!(order, ["DescribeInstances", "DescribeLoadBalancers"]);

    cloud.goes_on(|_| Answer::refusal());
    for _ in 0..59 {
        assert_eq!(bench.once().await.len(), 2);
        pass(61).await;
    }

    assert_patient(&cloud);
}

#[tokio::test(start_paused = true)]
async fn accounts_with_one_key_file_are_refused_as_one() {
    let cloud = Scripted::start(|_| Answer::refusal()).await;
    let account = |name, regions| Account {
        name,
        regions,
        key_file: Some("key"),
        ..cloud.account()
    };
    let accounts = [
        account("a", &["eu-west-2"]),
        account("b", &["eu-west-2"]),
        account("c", &["us-east-2", "cloudgouv-eu-west-1"]),
    ];
    let mut bench = Bench::new(OFTEN, &accounts);
    let failed = bench.once().await;
    assert_eq!(failed.len(), 8);
    assert!(
        failed.iter().all(|(poll, _)| poll.ends_with(": auth")),
        "{failed:?}"
    );
    assert_eq!(cloud.refusals(), 1, "one refusal is one for all of them");

    bench.start();
    pass(HOUR).await;

    assert_patient(&cloud);
    assert_eq!(
        bench.shown().family(LOCKED_UNTIL).count(),
        3,
        "each says why it is blind"
    );
    cloud.goes_on(Answer::one_instance);
    pass(HOUR + 120).await;
    let page = bench.shown();
    assert_eq!(page.family(LOCKED_UNTIL).count(), 0);
    assert_every_poll_succeeds(&page, 8);
}

/// What an example of a credentials file has in the place of a key.
#[tokio::test(start_paused = true)]
async fn placeholder_is_refused_though_its_words_are_those_of_the_refusal() {
    let cloud = Scripted::start(|_| Answer::refusal_as(403, "InvalidAccessKeyId")).await;
    let mut account = cloud.account();
    account.key.secret_access_key = "YOUR_SECRET_ACCESS_KEY".into();
    let mut bench = Bench::new(OFTEN, &[account]);
    let (poll, error) = bench.once().await.remove(0);
    assert_eq!(poll, "prod eu-west-2 instances: auth", "{error}");
    assert!(error.contains("InvalidAccessKeyId"), "{error}");

    bench.start();
    pass(HOUR).await;

    assert_patient(&cloud);
}

#[tokio::test(start_paused = true)]
async fn wrong_key_with_a_wrong_clock_is_tried_no_more_often_than_a_wrong_key() {
    // The cloud's clock minus this machine's, a minute each.
    let cases: [&[i64]; 5] = [
        &[600],
        &[600, 0],
        &[0, 600],
        &[600, -600],
        &[0, 600, 1200, 600, 0, -600],
    ];
    for clocks in cases {
        for regions in [&["eu-west-2"][..], &["eu-west-2", "us-east-2"]] {
            let cloud = Scripted::start(|_| Answer::refusal()).await;
            let mut bench = Bench::new(
                OFTEN,
                &[Account {
                    regions,
                    ..cloud.account()
                }],
            );
            cloud.sets_its_clock(clocks[0]);
            bench.start();
            for clock in clocks.iter().cycle().take(60) {
                cloud.sets_its_clock(*clock);
                pass(60).await;
            }
            assert_patient(&cloud);
        }
    }
}

#[tokio::test(start_paused = true)]
async fn what_a_captive_portal_says_proves_no_key() {
    const HTML: &str = "<html><body>sign in</body></html>";
    for (status, body) in [
        (200, HTML),
        (200, ""),
        (403, ""),
        (403, HTML),
        (404, HTML),
        (302, ""),
        (511, HTML),
    ] {
        // Every second answer is the portal's.
        let mut is_portal = true;
        let cloud = Scripted::start(move |_| {
            is_portal = !is_portal;
            if is_portal {
                Answer::from_between(status, body)
            } else {
                Answer::refusal()
            }
        })
        .await;
        let mut bench = Bench::new(OFTEN, &[cloud.account()]);
        bench.start();
        pass(HOUR).await;
        assert_patient(&cloud);
    }
}

#[tokio::test(start_paused = true)]
async fn refusal_that_came_too_late_to_be_heard_counts() {
    let cloud = Scripted::start(|_| Answer::refusal().after(Duration::from_secs(25))).await;
    let mut bench = Bench::new(OFTEN, &[cloud.account()]);
    let (poll, error) = bench.once().await.remove(0);
    assert_eq!(poll, "prod eu-west-2 instances: timeout", "{error}");
    assert_eq!(
        cloud.refusals(),
        1,
        "silence upon an untried key is not tried again"
    );

    bench.start();
    pass(HOUR).await;

    assert_patient(&cloud);
}

#[tokio::test(start_paused = true)]
async fn wrong_date_of_something_in_between_holds_a_good_key_back_for_a_minute_and_no_longer() {
    let far = SignedDuration::from_hours(-3);
    let judged = |asked: &Asked| {
        if asked.ahead.abs() > SignedDuration::from_mins(5) {
            Answer::refusal()
        } else {
            Answer::one_instance(asked)
        }
    };
    for is_proven in [true, false] {
        let cloud = Scripted::start(judged).await;
        let mut bench = Bench::new(OFTEN, &[cloud.account()]);
        let lie_once = || {
            let mut lies = true;
            cloud.goes_on(move |asked| {
                if std::mem::replace(&mut lies, false) {
                    Answer::from_between(401, "<html>no</html>").dated(far)
                } else {
                    judged(asked)
                }
            });
        };
        if !is_proven {
            lie_once();
        }
        bench.start();
        pass(60).await;
        if is_proven {
            lie_once();
        }
        pass(5 * 60).await;
        assert!(cloud.refusals() <= 2, "{}", cloud.refusals());
        let page = bench.shown();
        assert_every_poll_succeeds(&page, 2);
    }
}
