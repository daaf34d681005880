//! Settings taken anew: the same ones change nothing, bad ones leave those in force, others let an account come, go or
//! begin anew.

use std::sync::Arc;
use std::time::Duration;
use std::{fs, io};

use fastrand::Rng;
use rustix::process::Signal;
use tokio::time::{Instant, sleep};

use crate::account::Account;
use crate::page::Page;
use crate::parts::get;
use crate::scene::{CHANGING, SETTINGS, STALE_AFTER, Scene, VISITOR};
use crate::weather::Trouble;

/// What the settings say at present.
#[derive(Debug, Default, Clone)]
pub(crate) struct Form {
    /// The regions of the visitor, while it is here.
    visitor: Option<String>,
    has_tags: bool,
}

impl Form {
    /// How long readings are shown never changes.
    pub(crate) fn settings(&self, address: &str, accounts: &[Arc<Account>]) -> String {
        let head = format!("listen = {address:?}\ninterval = \"200ms\"\nstale_after = \"{STALE_AFTER}s\"\n");
        let sections = accounts.iter().filter_map(|account| match account.name {
            VISITOR => Some(account.settings(self.visitor.as_ref()?, &[])),
            CHANGING if self.has_tags => Some(account.settings(&account.listed(), &["Name"])),
            _ => Some(account.settings(&account.listed(), &[])),
        });
        sections.fold(head, |all, section| all + &section)
    }

    fn of(&self, scene: &Scene) -> String {
        self.settings(&scene.address, &scene.accounts)
    }
}

/// Has the settings taken anew now and then, until the future is dropped.
pub(crate) async fn reload(scene: Arc<Scene>, seed: u64) {
    let mut rng = Rng::with_seed(seed ^ 0x5e77_1265);
    let mut form = Form::default();
    for round in 0.. {
        sleep(Duration::from_secs_f64(5.0 + 20.0 * rng.f64())).await;
        // Short runs see it all, too.
        match if round < 4 { round } else { rng.u8(0..6) } {
            0 | 1 => visit(&scene, &mut form, &mut rng).await,
            2 => change(&scene, &mut form).await,
            3 => taken(&scene, &form.of(&scene), true).await,
            _ => spoil(&scene, &form, &mut rng).await,
        }
    }
}

/// The visitor comes, or goes.
async fn visit(scene: &Scene, form: &mut Form, rng: &mut Rng) {
    let visitor = scene.account(VISITOR);
    let comes = form.visitor.is_none();
    form.visitor = comes.then(|| {
        if rng.bool() {
            EVERY.to_owned()
        } else {
            visitor.listed()
        }
    });
    let changes = &visitor.changes;
    if comes {
        changes.ends();
    } else {
        changes.comes(Trouble::absence());
    }
    taken(scene, &form.of(scene), true).await;
    if comes {
        changes.is_over();
    } else {
        changes.is_in_force();
    }
    scene
        .report
        .count(|figures| figures.changes[usize::from(!comes)] += 1);
}

/// One account begins anew with other settings.
async fn change(scene: &Scene, form: &mut Form) {
    form.has_tags = !form.has_tags;
    let changes = &scene.account(CHANGING).changes;
    changes.comes(Trouble::change());
    taken(scene, &form.of(scene), true).await;
    changes.is_over();
    scene.report.count(|figures| figures.changes[2] += 1);
}

/// Bad ones, and then those in force.
async fn spoil(scene: &Scene, form: &Form, rng: &mut Rng) {
    let good = form.of(scene);
    let bad = match rng.u8(0..5) {
        0 => good.replace("interval = \"200ms\"", "interval = 5"),
        1 => good.replace("stale_after", "stale_aftr"),
        2 => good.replace("provider = \"aws\"", "provider = \"azure\""),
        3 => good.replace("name = \"keys\"", "name = \"osc\""),
        _ => good.replace("[[account]]", "[[account]"),
    };
    taken(scene, &bad, false).await;
    sleep(Duration::from_secs_f64(4.0 * rng.f64())).await;
    taken(scene, &good, true).await;
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

/// Every region, which the cloud is asked for.
const EVERY: &str = "[\"*\"]";
