//! `vigie run` for a long time against clouds that go wrong at random, scraped all along: every page is compared with
//! what was true, and nothing grows. Run by `make soak`, since it takes as long as it is told to.
//!
//! `SOAK_SECONDS` says how long (3600), `SOAK_SEED` which chance, `SOAK_VIGIE` which program instead of the one built
//! with the test.

#[path = "../support/page.rs"]
mod page;
#[expect(dead_code, reason = "other tests need more of it")]
#[path = "../support/parts.rs"]
mod parts;

mod account;
mod check;
mod reading;
mod report;
mod resources;
mod scene;
mod scrapes;
mod settings;
mod shown;
mod stalls;
mod truth;
mod weather;

use std::time::Duration;

use jiff::Timestamp;
use tokio::task::JoinSet;
use tokio::time::{Instant, sleep, sleep_until};

use report::say;
use scene::Scene;

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn page_stays_true_and_nothing_grows_for_as_long_as_it_runs() {
    let lasts = Duration::from_secs(number("SOAK_SECONDS").unwrap_or(3600));
    let seed = number("SOAK_SEED").unwrap_or_else(|| fastrand::u64(..1_000_000));
    say(&format!(
        "seed {seed}, {} s, {}",
        lasts.as_secs(),
        scene::program()
    ));
    let scene = Scene::start(seed).await;
    let end = Instant::now() + lasts;

    let mut tasks = JoinSet::new();
    for (index, account) in scene.accounts.iter().enumerate() {
        let seed = seed.wrapping_add(100 * index as u64);
        for (nth, region) in (0..).zip(&account.regions) {
            tasks.spawn(truth::live(region.history.clone(), seed.wrapping_add(nth)));
        }
        tasks.spawn(weather::of(scene.clone(), index, seed));
        tasks.spawn(account::keep_requests(account.clone()));
    }
    for client in 0..CLIENTS {
        tasks.spawn(scrapes::scrape(
            scene.clone(),
            client,
            seed.wrapping_add(1000 + client),
        ));
    }
    tasks.spawn(settings::reload(scene.clone(), seed));
    tasks.spawn(stalls::watch(scene.clone()));
    tasks.spawn(resources::sample(scene.clone()));
    tasks.spawn(report::tell_each_minute(scene.clone()));
    tokio::select! {
        () = sleep_until(end) => {}
        Some(ended) = tasks.join_next() => panic!("a part of the soak ended: {ended:?}"),
    }
    tasks.shutdown().await;
    // What is being checked may end.
    sleep(Duration::from_secs(1)).await;
    let violations = scene.finish().await;
    assert_eq!(violations, 0, "violations, the first of which are told above");
}

fn number(variable: &str) -> Option<u64> {
    let text = std::env::var(variable).ok().filter(|text| !text.is_empty())?;
    Some(text.parse().unwrap_or_else(|_| panic!("{variable} is a number")))
}

/// Seconds since 1970, as the page writes them.
fn now() -> f64 {
    Timestamp::now().as_duration().as_secs_f64()
}

const CLIENTS: u64 = 4;
