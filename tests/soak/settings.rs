//! Settings taken anew: the same ones change nothing, and bad ones leave those in force.

use std::sync::Arc;
use std::time::Duration;
use std::{fs, io};

use fastrand::Rng;
use rustix::process::Signal;
use tokio::time::{Instant, sleep};

use crate::page::Page;
use crate::parts::get;
use crate::scene::{SETTINGS, Scene};

/// Has the settings taken anew now and then, until the future is dropped.
pub(crate) async fn reload(scene: Arc<Scene>, seed: u64) {
    let mut rng = Rng::with_seed(seed ^ 0x5e77_1265);
    loop {
        sleep(Duration::from_secs_f64(5.0 + 20.0 * rng.f64())).await;
        if rng.bool() {
            taken(&scene, &scene.settings, true).await;
            continue;
        }
        let good = &scene.settings;
        let bad = match rng.u8(0..5) {
            0 => good.replace("interval = \"200ms\"", "interval = 5"),
            1 => good.replace("stale_after", "stale_aftr"),
            2 => good.replace("provider = \"aws\"", "provider = \"azure\""),
            3 => good.replace("name = \"keys\"", "name = \"osc\""),
            _ => good.replace("[[account]]", "[[account]"),
        };
        taken(&scene, &bad, false).await;
        sleep(Duration::from_secs_f64(4.0 * rng.f64())).await;
        taken(&scene, good, true).await;
    }
}

/// Has these settings read, and waits until the page says what came of it.
async fn taken(scene: &Scene, settings: &str, are_good: bool) {
    scene.report.count(|figures| {
        if are_good {
            figures.reloads += 1;
        } else {
            figures.refused_reloads += 1;
        }
    });
    let before = last(scene).await;
    write(scene, settings).expect("the settings can be written");
    scene.signal(Signal::HUP);
    let deadline = Instant::now() + Duration::from_secs(20);
    loop {
        let after = last(scene).await;
        // Good ones are dated anew.
        if after.0 == Some(f64::from(u8::from(are_good))) && (!are_good || after.1 > before.1) {
            return;
        }
        if Instant::now() > deadline {
            let told = format!("settings that are good: {are_good}; before {before:?}, after {after:?}");
            return scene.report.violation("settings", &told);
        }
        sleep(Duration::from_millis(100)).await;
    }
}

/// Whether the settings read last are in force, and when those in force were read.
async fn last(scene: &Scene) -> (Option<f64>, Option<f64>) {
    let Ok(text) = get(&format!("{}/metrics", scene.url)).await else {
        return (None, None);
    };
    // The pages are held to their format elsewhere.
    let own = text.lines().filter(|line| line.contains("vigie_config_last_"));
    let page = Page::parse(&own.fold(String::new(), |all, line| all + line + "\n"));
    let value = |name| page.value(name, &[]);
    (
        value("vigie_config_last_reload_successful"),
        value("vigie_config_last_reload_success_timestamp_seconds"),
    )
}

/// In the place of the others at once: nobody reads a half of them.
fn write(scene: &Scene, settings: &str) -> io::Result<()> {
    let fresh = scene.path("fresh");
    fs::write(&fresh, settings)?;
    fs::rename(fresh, scene.path(SETTINGS))
}
