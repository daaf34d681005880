//! A key is one key, whatever its file is called, when it is replaced, and whatever the clock says.

use std::time::Duration;

use vigie::demo::Key;

use crate::bench::{Account, Bench, cloud, pass, still, unknown_key, watcher, with_wrong_secret};
use crate::scripted::{Answer, Scripted};

#[tokio::test(start_paused = true)]
async fn key_under_several_names_is_refused_as_one() {
    let cloud = Scripted::start(|_| Answer::refusal()).await;
    let account = |name, key_file, lines| Account {
        name,
        key_file: Some(key_file),
        lines,
        ..cloud.account()
    };
    let mut bench = Bench::new(
        "interval = \"15s\"",
        &[
            account("plain", "key", ""),
            account("profile", "key", "profile = \"default\""),
            account("around", "./key", ""),
            account("copy", "copy", ""),
        ],
    );
    let failed = bench.once().await;
    assert_eq!(failed.len(), 8, "{failed:?}");
    assert_eq!(cloud.refusals(), 1);

    bench.start();
    pass(1800).await;
    assert!(cloud.longest_row() <= 3, "{}", cloud.longest_row());
}

#[tokio::test(start_paused = true)]
async fn key_that_gets_another_name_by_a_reload_keeps_its_refusals() {
    let cloud = Scripted::start(|_| Answer::refusal()).await;
    let account = |key_file| Account {
        key_file: Some(key_file),
        ..cloud.account()
    };
    let mut bench = Bench::one(account("key"));
    bench.start();
    pass(5).await;
    for key_file in ["./key", "copy", "key", "copy"] {
        bench.reload("", &[account(key_file)]).await.unwrap();
        pass(5).await;
    }
    assert_eq!(cloud.refusals(), 1);
}

#[tokio::test(start_paused = true)]
async fn key_taken_away_while_the_clock_is_off_is_refused_three_times() {
    let cloud = Scripted::start(Answer::one_instance).await;
    let mut bench = Bench::new("interval = \"15s\"", &[cloud.account()]);
    bench.start();
    pass(60).await;
    assert!(cloud.refusals() == 0 && !cloud.asked().is_empty());

    cloud.sets_its_clock(600);
    cloud.goes_on(|_| Answer::refusal().after(Duration::from_millis(50)));
    pass(600).await;
    assert!((2..=3).contains(&cloud.refusals()), "{}", cloud.refusals());
    let page = bench.shown();
    let locked = page.family("vigie_auth_locked_until_timestamp_seconds");
    assert_eq!(locked.count(), 1, "it is told");
}

#[tokio::test(start_paused = true)]
async fn call_that_waits_while_the_key_is_replaced_uses_the_new_one() {
    let new = Key {
        access_key_id: "EVERYBODYKNOWSTHIS00".to_owned(),
        ..unknown_key()
    };
    let cloud = Scripted::start(Answer::one_instance).await;
    let account = |name, regions| Account {
        name,
        regions,
        key_file: Some("key"),
        ..cloud.account()
    };
    let bench = Bench::new("", &[account("a", &["eu-west-2"]), account("b", &["eu-west-2"])]);
    bench.succeeds().await;

    // Two of four calls are under way, and the others wait for them.
    cloud.goes_on(|asked| Answer::one_instance(asked).after(Duration::from_secs(10)));
    let replaced = async {
        pass(2).await;
        bench.change_key("key", &new);
        pass(1).await;
        let known = new.access_key_id.clone();
        cloud.goes_on(move |asked| {
            if asked.key == known {
                Answer::one_instance(asked)
            } else {
                Answer::refusal()
            }
        });
    };
    let (failed, ()) = tokio::join!(bench.once(), replaced);
    assert_eq!(failed, []);
    assert_eq!(cloud.refusals(), 0);
    assert_eq!(cloud.asked().len(), 8);
}

#[tokio::test(start_paused = true)]
async fn account_with_a_slip_in_its_secret_holds_no_other_back() {
    let cloud = cloud(still()).await;
    let key = watcher(&cloud);
    let account = |name, key| Account {
        name,
        ..Account::new(&cloud, key)
    };
    let wrong = with_wrong_secret(&key);
    let mut bench = Bench::new("", &[account("right", &key), account("wrong", &wrong)]);
    bench.start();
    for _ in 0..30 {
        pass(60).await;
        let page = bench.shown();
        let polled = |account| {
            let labels = [("account", account), ("kind", "instances")];
            page.value("vigie_poll_success", &labels)
        };
        assert_eq!((polled("right"), polled("wrong")), (Some(1.0), Some(0.0)));
    }
}
