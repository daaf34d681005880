//! A running agent, and how it takes other settings: what is unchanged goes on as if nothing had happened.

use std::sync::Arc;
use std::time::Duration;

use tracing::{info, warn};

use super::plan::Workshop;
use super::warnings::Warnings;
use super::watch::{self, Audits, Tasks};
use super::{Agent, Part, Watch, parts};
use crate::api::Contents;
use crate::config::{self, Settings, Shard};
use crate::exposition::Page;
use crate::server::Web;

/// Everything that runs. It ends when it is dropped.
pub struct Running {
    page: Arc<Page>,
    workshop: Workshop,
    settings: Settings,
    config_metrics: config::Metrics,
    accounts: Vec<Kept>,
}

/// The tasks of one account, and what they follow from.
struct Kept {
    basis: Basis,
    tasks: Tasks,
}

/// All of the settings that an account's tasks follow from.
#[derive(PartialEq)]
struct Basis {
    account: config::Account,
    regions: Vec<String>,
    /// Which of the regions are its own that it finds.
    shard: Option<Shard>,
    intervals: Vec<Duration>,
    stale_after: Duration,
    audit_interval: Option<Duration>,
    /// What is in the files of certificates.
    contents: Contents,
}

impl Basis {
    fn of(settings: &Settings, part: &Part<'_>, watch: &Watch) -> Self {
        let kinds = part.account.kinds.iter();
        Self {
            account: part.account.clone(),
            regions: part.regions.clone(),
            shard: settings.shard.filter(|_| part.account.regions.is_every()),
            intervals: kinds
                .map(|kind| settings.interval_of(kind))
                .chain([settings.interval])
                .collect(),
            stale_after: settings.stale_after,
            audit_interval: settings.audit_interval,
            contents: watch.plan.account.contents().clone(),
        }
    }
}

impl Running {
    pub(super) fn start(agent: Agent) -> Self {
        let Agent {
            page,
            accounts,
            workshop,
            settings,
            config_metrics,
        } = agent;
        let bases = bases(&settings, &accounts);
        let mut running = Self {
            page,
            workshop,
            settings,
            config_metrics,
            accounts: Vec::new(),
        };
        running.warn_of_an_idle_shard();
        running.begin(bases.into_iter().zip(accounts).collect());
        running
    }

    /// Takes other settings. Accounts that they say nothing new of keep their readings and go on; the others end, and
    /// begin anew. If one cannot be put together, or none has a place for its key, all goes on as it was.
    ///
    /// Nobody sees the page without an account that is in the settings of before and in these.
    pub async fn reload(&mut self, settings: Settings) -> anyhow::Result<()> {
        // All that can fail comes before anything is ended, and what is read here is taken.
        let trial = Agent::trial(
            &settings,
            self.workshop.variables(),
            self.workshop.transports.again(),
        );
        let parts = parts(&settings);
        let taken = trial.and_then(|trial| {
            // Of those without one, their polls tell.
            trial.without_keys()?;
            // These know of refusals, as those of the trial do not. Of keys that are shared by too many that one tells.
            let mut untold = Warnings::default();
            let keys = &mut self.workshop.keys;
            let credentials = (parts.iter())
                .map(|part| keys.credential(&settings, part.account, &mut untold))
                .collect::<anyhow::Result<Vec<_>>>()?;
            Ok((trial, credentials, keys.adopt(&settings)?))
        });
        let (trial, credentials, keys_in_use) = match taken {
            Ok(taken) => taken,
            Err(error) => {
                self.refused();
                return Err(error.context("the settings in force stay"));
            }
        };
        self.warn_of_what_waits_for_a_restart(&settings);
        trial.workshop.warnings.tell_beyond(&self.workshop.warnings);
        let bases = bases(&settings, &trial.accounts);
        let (kept, ended): (Vec<Kept>, Vec<Kept>) = std::mem::take(&mut self.accounts)
            .into_iter()
            .partition(|kept| bases.contains(&kept.basis));
        let gone: Vec<String> = ended
            .iter()
            .map(|ended| ended.basis.account.name.clone())
            .collect();
        for ended in ended {
            ended.tasks.end().await;
        }
        self.workshop.begin_anew(trial.workshop);

        let is_new = |basis: &Basis| !kept.iter().any(|kept| kept.basis == *basis);
        let tried = bases.into_iter().zip(trial.accounts).zip(credentials);
        let mut begun = Vec::new();
        for ((basis, tried), credential) in tried.filter(|((basis, _), _)| is_new(basis)) {
            let draft = tried.plan.draft;
            // Just before its own series are there again.
            self.workshop.forget(draft.name());
            begun.push((basis, Watch::of(&self.workshop, &settings, draft, credential)));
        }
        self.page.replace(
            &gone,
            begun.iter().flat_map(|(_, account)| account.watched()),
            begun.iter().flat_map(|(_, account)| account.joined()),
            settings.stale_after,
        );
        let is_begun = |name: &String| begun.iter().any(|(basis, _)| basis.account.name == *name);
        for account in gone.iter().filter(|account| !is_begun(account)) {
            self.workshop.forget(account);
        }
        info!(
            unchanged = kept.len(),
            ended = gone.len(),
            begun = begun.len(),
            "other settings are in force"
        );
        self.accounts = kept;
        self.settings = settings;
        self.begin(begun);
        drop(keys_in_use);
        self.workshop.keys.forget_unused();
        self.workshop.transports.forget_unused();
        self.warn_of_an_idle_shard();
        self.config_metrics.loaded();
        Ok(())
    }

    /// Says on the page, from now on, whether the web configuration file can be taken.
    pub fn show_whether_taken(&self, web: &Web) {
        let metrics = self.config_metrics.clone();
        web.tell(move |is_taken| metrics.web(is_taken));
    }

    /// Says on the page that settings could not be taken.
    pub fn refused(&self) {
        self.config_metrics.refused();
    }

    fn begin(&mut self, accounts: Vec<(Basis, Watch)>) {
        let regions = accounts.iter().flat_map(|(_, account)| &account.regions);
        let mut delays = watch::splay(regions, self.settings.interval).into_iter();
        for (basis, account) in accounts {
            let delays = delays.by_ref().take(account.regions.len()).collect();
            let audits = Audits {
                interval: basis.audit_interval,
            };
            self.accounts.push(Kept {
                basis,
                tasks: watch::start(account, &self.page, delays, audits),
            });
        }
    }

    fn warn_of_an_idle_shard(&self) {
        if let Some(shard) = self.settings.shard
            && parts(&self.settings).is_empty()
        {
            warn!(
                %shard,
                "this shard has nothing to poll: there are fewer regions of accounts than shards"
            );
        }
    }

    fn warn_of_what_waits_for_a_restart(&self, settings: &Settings) {
        let changed = [
            ("listen", self.settings.listen != settings.listen),
            (
                "web_config_file",
                self.settings.web_config_file != settings.web_config_file,
            ),
            ("log_format", self.settings.log_format != settings.log_format),
        ];
        for (setting, _) in changed.into_iter().filter(|(_, changed)| *changed) {
            warn!(setting, "this setting is taken at the next start");
        }
    }
}

/// What the tasks of each account follow from.
fn bases(settings: &Settings, accounts: &[Watch]) -> Vec<Basis> {
    (parts(settings).iter().zip(accounts))
        .map(|(part, account)| Basis::of(settings, part, account))
        .collect()
}

#[cfg(test)]
mod tests;
