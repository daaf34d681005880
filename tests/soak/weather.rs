//! What goes wrong at the clouds, at random, and when it did.

use std::collections::VecDeque;
use std::future;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use fastrand::Rng;
use tokio::time::sleep;
use vigie::demo::Fault;
use vigie::resource::Kind;

use crate::account::Account;
use crate::now;
use crate::scene::{KEYS, Scene, VISITOR};

/// One thing that went wrong, from before it was let loose until after it was ended.
#[derive(Debug, Clone)]
pub(crate) struct Trouble {
    pub(crate) since: f64,
    /// When it certainly was in force.
    pub(crate) sure: f64,
    pub(crate) until: f64,
    /// When it certainly was not in force any more has come, but until this it was.
    pub(crate) surely_until: f64,
    /// All, if there is none.
    region: Option<&'static str>,
    /// All, if there is none.
    action: Option<&'static str>,
    /// Whether no call can succeed meanwhile.
    pub(crate) is_total: bool,
    /// What it is, for people.
    pub(crate) what: String,
}

impl Trouble {
    fn new(region: Option<&'static str>, action: Option<&'static str>, is_total: bool, what: String) -> Self {
        Self {
            since: f64::INFINITY,
            sure: f64::INFINITY,
            until: f64::INFINITY,
            surely_until: f64::INFINITY,
            region,
            action,
            is_total,
            what,
        }
    }

    /// The settings say nothing of the account.
    pub(crate) fn absence() -> Self {
        Self::new(None, None, true, "it is not in the settings".to_owned())
    }

    /// The settings say something else of the account, which begins anew.
    pub(crate) fn change() -> Self {
        Self::new(None, None, false, "its settings change".to_owned())
    }

    fn meets(&self, region: &str, kind: &Kind) -> bool {
        self.region.is_none_or(|own| own == region)
            && self
                .action
                .is_none_or(|own| kind.actions.iter().any(|action| action.name == own))
    }
}

/// All troubles of an account lately.
#[derive(Debug, Default)]
pub(crate) struct Weather(Mutex<VecDeque<Trouble>>);

impl Weather {
    /// What one kind met at some moment between two.
    pub(crate) fn between(&self, from: f64, to: f64, region: &str, kind: &Kind) -> Vec<Trouble> {
        let troubles = self.troubles();
        let met = troubles
            .iter()
            .filter(|trouble| trouble.since <= to && trouble.until >= from && trouble.meets(region, kind));
        met.cloned().collect()
    }

    /// Whether nothing at all was wrong from one moment to another.
    pub(crate) fn is_calm(&self, from: f64, to: f64) -> bool {
        let troubles = self.troubles();
        troubles
            .iter()
            .all(|trouble| trouble.since > to || trouble.until < from)
    }

    /// Whether nothing could succeed from one moment to another.
    pub(crate) fn is_hopeless(&self, from: f64, to: f64) -> bool {
        let troubles = self.troubles();
        troubles
            .iter()
            .any(|trouble| trouble.is_total && trouble.sure <= from && trouble.surely_until >= to)
    }

    /// When the last of those troubles began that were over by then.
    pub(crate) fn last_over(&self, by: f64) -> Option<f64> {
        let troubles = self.troubles();
        let over = troubles.iter().rfind(|trouble| trouble.until <= by);
        over.map(|trouble| trouble.since)
    }

    /// One comes that is alone in this weather until it is over.
    pub(crate) fn comes(&self, trouble: Trouble) {
        let since = now();
        self.troubles().push_back(Trouble { since, ..trouble });
    }

    pub(crate) fn is_in_force(&self) {
        self.mark(1, |trouble, now| trouble.sure = now);
    }

    pub(crate) fn ends(&self) {
        self.mark(1, |trouble, now| trouble.surely_until = now);
    }

    pub(crate) fn is_over(&self) {
        self.mark(1, |trouble, now| trouble.until = now);
        self.forget();
    }

    fn forget(&self) {
        let oldest = now() - REMEMBERED;
        let mut all = self.troubles();
        while all.front().is_some_and(|trouble| trouble.until < oldest) {
            all.pop_front();
        }
    }

    /// Notes the present moment at so many of the newest.
    fn mark(&self, count: usize, note: impl Fn(&mut Trouble, f64)) {
        let now = now();
        for trouble in self.troubles().iter_mut().rev().take(count) {
            note(trouble, now);
        }
    }

    /// Lets these loose together, for so long.
    async fn last(&self, troubles: Vec<Trouble>, begin: impl FnOnce(), lasts: Duration, end: impl FnOnce()) {
        let (since, count) = (now(), troubles.len());
        self.troubles()
            .extend(troubles.into_iter().map(|trouble| Trouble { since, ..trouble }));
        begin();
        self.mark(count, |trouble, now| trouble.sure = now);
        sleep(lasts).await;
        self.mark(count, |trouble, now| trouble.surely_until = now);
        end();
        self.mark(count, |trouble, now| trouble.until = now);
        self.forget();
    }

    fn troubles(&self) -> MutexGuard<'_, VecDeque<Trouble>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Makes the weather of an account until the future is dropped.
pub(crate) async fn of(scene: Arc<Scene>, index: usize, seed: u64) {
    let account = scene.accounts[index].clone();
    let mut rng = Rng::with_seed(seed ^ 0x77ea_7e12);
    if account.name == VISITOR {
        return future::pending().await;
    }
    loop {
        if account.name == KEYS {
            // After a refusal long enough for the next try to be accepted: three in a row hold the key back for a quarter
            // of an hour, as they should.
            sleep(Duration::from_secs_f64(75.0 + 105.0 * rng.f64())).await;
            refuse_key(&scene, &account, &mut rng).await;
        } else {
            let calm = if rng.u8(0..5) == 0 { 15.0 } else { 6.0 };
            sleep(Duration::from_secs_f64(0.5 + calm * rng.f64())).await;
            storm(&scene, &account, &mut rng).await;
        }
    }
}

async fn storm(scene: &Scene, account: &Account, rng: &mut Rng) {
    let mut actions = account.actions();
    rng.shuffle(&mut actions);
    actions.dedup();
    let many = rng.usize(1..4);
    let mut on: Vec<Option<&'static str>> = actions.into_iter().take(many).map(Some).collect();
    if rng.u8(0..4) == 0 {
        on = vec![None];
    }
    // An action that is met twice would meet the first alone.
    on.sort_unstable();
    on.dedup();
    let mut injected = Vec::new();
    let troubles = on.into_iter().map(|action| {
        let (fault, is_total) = some_fault(rng);
        let times = (rng.u8(0..4) == 0).then(|| rng.u32(1..12));
        let region = rng.choice(&account.regions).map(|region| region.name);
        let region = region.filter(|_| rng.bool());
        let fault = match region {
            Some(region) => Fault::InRegion(region.to_owned(), Box::new(fault)),
            None => fault,
        };
        let what = format!("{} {fault:?} {times:?}", action.unwrap_or("*"));
        injected.push((action.unwrap_or("*"), fault, times));
        Trouble::new(region, action, is_total && times.is_none(), what)
    });
    let troubles: Vec<Trouble> = troubles.collect();
    scene
        .report
        .count(|figures| figures.faults += troubles.len() as u64);
    let begin = || {
        for (action, fault, times) in injected {
            account.cloud.inject(action, fault, times);
        }
    };
    // Longer than readings are shown, now and then.
    let lasts = Duration::from_secs_f64(if rng.u8(0..3) == 0 {
        3.0 + 7.0 * rng.f64()
    } else {
        0.3 + 2.5 * rng.f64()
    });
    account
        .weather
        .last(troubles, begin, lasts, || account.cloud.clear_faults())
        .await;
}

/// A fault, and whether nothing gets past it.
fn some_fault(rng: &mut Rng) -> (Fault, bool) {
    let error = |status, code: &str| Fault::Error {
        status,
        code: code.to_owned(),
        message: "so it is".to_owned(),
    };
    match rng.u8(0..24) {
        0 | 1 => (Fault::Throttle { retry_after: None }, true),
        2 => (
            Fault::Throttle {
                retry_after: Some(rng.u32(0..3)),
            },
            true,
        ),
        3 => (Fault::Status(500), true),
        4 => (Fault::Status(503), true),
        5 => (error(500, "InternalError"), true),
        6 => (error(403, "UnauthorizedOperation"), true),
        7 => (Fault::Empty(502), true),
        8 => (Fault::Hang, true),
        9 => (Fault::CutAfter(rng.usize(0..400)), true),
        10 => (Fault::Close, true),
        11 => (Fault::Truncated, true),
        12 => (Fault::WrongRoot, true),
        13 => (Fault::Html200, true),
        14 => (Fault::Json200, true),
        15 => (Fault::DeepNesting(20_000), true),
        16 => (Fault::Enormous(3_000_000), true),
        17 => (Fault::DuplicateItems, false),
        // Not `RepeatToken`: there the second page lists everything anew, as of another moment.
        18 => (Fault::EmptyToken, false),
        19 => (Fault::DripBytes(Duration::from_millis(1)), false),
        20 => (Fault::Delay(Duration::from_millis(rng.u64(3000..9000))), true),
        _ => (Fault::Delay(Duration::from_millis(rng.u64(20..1700))), false),
    }
}

/// The key is good for nothing for a while, which the agent notices, and forgets a minute after its last try.
async fn refuse_key(scene: &Scene, account: &Account, rng: &mut Rng) {
    scene.report.count(|figures| figures.keys_refused += 1);
    let id = &account.key.access_key_id;
    let trouble = Trouble::new(None, None, true, "the key is refused".to_owned());
    let (begin, end) = (
        || assert!(account.cloud.deactivate_key(id)),
        || assert!(account.cloud.activate_key(id)),
    );
    // A third refusal would be followed by a quarter of an hour.
    let lasts = Duration::from_secs_f64(1.0 + 99.0 * rng.f64() * rng.f64());
    account.weather.last(vec![trouble], begin, lasts, end).await;
}

/// In seconds.
const REMEMBERED: f64 = 120.0;
