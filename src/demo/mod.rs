//! A small cloud on loopback, for tests and for `vigie demo`: it checks every signature, applies the policies,
//! lets its fleet live, and goes wrong on request.
//!
//! It speaks the Query APIs of OUTSCALE or of AWS well enough for their usual clients. Everything is decided by
//! a seed; nothing leaves the machine.

mod account;
mod authentication;
mod balancing;
mod call;
mod changes;
mod ec2;
mod elb;
mod elbv2;
mod faults;
mod fleet;
mod holdings;
mod iam;
mod iam_policies;
mod identity;
mod instance_status;
mod instance_xml;
mod life;
mod listing;
mod lockout;
mod network;
mod paging;
pub mod policy;
mod region;
mod server;
mod volumes;
mod wire;
mod xml;

use std::collections::BTreeMap;
use std::io;
use std::net::SocketAddr;
use std::sync::{Arc, PoisonError};
use std::time::Duration;

use jiff::{SignedDuration, Timestamp};
use secrecy::SecretString;
use tokio::net::TcpListener;
use tokio::task::JoinHandle;
use tokio::time::{Instant, MissedTickBehavior};
use tokio_util::sync::{CancellationToken, DropGuard};

pub use balancing::{LoadBalancerV2, Target, TargetGroup, TargetHealth};
pub use faults::Fault;
pub use fleet::{Check, Event, Fleet, Health, Instance, LoadBalancer};
pub use holdings::{Address, Attachment, Subnet, Volume};
use server::Shared;

use crate::provider::Provider;

/// How the times of instances are written.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Times {
    /// `…000Z`, as every client reads them.
    Rfc3339,
    /// On every other instance `…000+0000`, as OUTSCALE writes them too; the discovery of Prometheus gives up there.
    Mixed,
}

/// What cloud it shall be.
#[derive(Debug, Clone)]
pub struct Options {
    /// Whose manners it has.
    pub provider: Provider,
    /// Decides everything that looks like chance.
    pub seed: u64,
    /// How many instances each region has.
    pub instances: usize,
    /// How many load balancers each region has.
    pub load_balancers: usize,
    /// How many instances are behind each load balancer.
    pub backends_per_load_balancer: usize,
    /// How many target groups each region has, with the load balancers in front of them; on AWS only.
    pub target_groups: usize,
    /// Whether the fleet changes by itself.
    pub alive: bool,
    /// How often it does.
    pub tick: Duration,
    /// The regions it has; requests for others are refused.
    pub regions: Vec<String>,
    /// How long new keys, memberships, attachments and policy versions take to be known.
    pub propagation_delay: Duration,
    /// Whether failed authentications lock the account, as on OUTSCALE.
    pub lock_out: bool,
    /// How many keys a user may have: 10 on OUTSCALE, 2 on AWS.
    pub keys_per_user: usize,
    /// How far the cloud's clock, and with it the `Date` header, is off.
    pub clock_offset: SignedDuration,
    /// How the times of instances are written.
    pub times: Times,
    /// Whether `MaxResults` and `PageSize` are refused, and everything is one page.
    pub refuses_paging: bool,
}

impl Default for Options {
    fn default() -> Self {
        Self {
            provider: Provider::Outscale,
            seed: 1,
            instances: 24,
            load_balancers: 5,
            backends_per_load_balancer: 3,
            target_groups: 4,
            alive: true,
            tick: Duration::from_secs(2),
            regions: vec!["eu-west-2".to_owned()],
            propagation_delay: Duration::ZERO,
            lock_out: true,
            keys_per_user: 10,
            clock_offset: SignedDuration::ZERO,
            times: Times::Rfc3339,
            refuses_paging: false,
        }
    }
}

/// An access key of the demo cloud, good nowhere else.
#[derive(Debug, Clone)]
pub struct Key {
    /// Its id.
    pub access_key_id: String,
    /// Its secret.
    pub secret_access_key: SecretString,
}

/// One request the cloud has answered, or given up answering.
#[derive(Debug, Clone)]
pub struct Request {
    /// When it arrived, on the clock of the runtime.
    pub at: Instant,
    /// When it arrived, on the clock of the machine.
    pub time: Timestamp,
    /// The service name in its scope, as signed; empty when unsigned.
    pub service: String,
    /// The region in its scope, as signed.
    pub region: String,
    /// The key it was signed with.
    pub access_key_id: String,
    /// The action it asked for.
    pub action: String,
    /// All its parameters.
    pub parameters: BTreeMap<String, String>,
    /// The status of the answer.
    pub status: u16,
    /// The code of the refusal, when it was one.
    pub error_code: Option<String>,
}

impl Request {
    /// A parameter, when it was sent.
    pub fn parameter(&self, name: &str) -> Option<&str> {
        self.parameters.get(name).map(String::as_str)
    }
}

/// A running cloud. It stops when it is dropped.
#[derive(Debug)]
pub struct Cloud {
    shared: Arc<Shared>,
    address: SocketAddr,
    stop: CancellationToken,
    tasks: Vec<JoinHandle<()>>,
    _stops_when_dropped: DropGuard,
}

impl Cloud {
    /// Serves in the background on a listener, which has to be one of loopback.
    #[expect(
        clippy::unused_async,
        reason = "it spawns, so it has to be called where there is a runtime to await it"
    )]
    pub async fn start(options: Options, listener: TcpListener) -> io::Result<Self> {
        let address = listener.local_addr()?;
        if !address.ip().is_loopback() {
            return Err(io::Error::new(
                io::ErrorKind::InvalidInput,
                format!("the demo cloud serves on loopback only, not on {address}"),
            ));
        }
        if options.regions.is_empty() {
            return Err(io::Error::new(
                io::ErrorKind::InvalidInput,
                "the demo cloud needs a region",
            ));
        }
        let stop = CancellationToken::new();
        let shared = Arc::new(Shared::new(options, &admin_key(), stop.clone()));
        let mut tasks = vec![tokio::spawn(server::serve(
            Arc::clone(&shared),
            listener,
            stop.clone(),
        ))];
        if shared.options.alive {
            tasks.push(tokio::spawn(live(Arc::clone(&shared), stop.clone())));
        }
        Ok(Self {
            shared,
            address,
            stop: stop.clone(),
            tasks,
            _stops_when_dropped: stop.drop_guard(),
        })
    }

    /// Where all its services answer.
    pub fn url(&self) -> String {
        format!("http://{}", self.address)
    }

    /// The key of the account's root.
    pub fn admin_key(&self) -> Key {
        admin_key()
    }

    /// Makes a user that a policy of its group allows `actions`; its key.
    ///
    /// Takes effect at once, whatever the propagation delay.
    ///
    /// # Panics
    ///
    /// When there is a user or a group of that name already.
    pub fn create_describe_only_user(&self, name: &str, actions: &[&str]) -> Key {
        let mut identity = self.shared.identity();
        identity.create_watcher(name, actions)
    }

    /// The fleet of the first region.
    pub fn fleet(&self) -> Fleet {
        self.shared.first_fleet().clone()
    }

    /// The fleet of a region.
    pub fn fleet_of(&self, region: &str) -> Option<Fleet> {
        self.shared.fleet_of(region).cloned()
    }

    /// Lets an action, or with `*` every action, meet a fault so many times, or until the faults are cleared.
    pub fn inject(&self, action: &str, fault: Fault, times: Option<u32>) {
        self.shared.faults().inject(action, fault, times);
    }

    /// Spoils the answer to the nth request from now (from 1), whatever it asks for, be it denied or refused. What it
    /// asks for has been done. Of faults that are a refusal or change what is done, nothing comes.
    pub fn inject_at(&self, nth: u32, fault: Fault) {
        self.shared.faults().inject_at(nth, fault);
    }

    /// Ends all faults.
    pub fn clear_faults(&self) {
        self.shared.faults().clear();
    }

    /// The requests answered so far, the last ten thousand of them.
    pub fn requests(&self) -> Vec<Request> {
        self.shared.requests().iter().cloned().collect()
    }

    /// The requests answered since this was called last, the last ten thousand of them: they leave the record.
    pub fn take_requests(&self) -> Vec<Request> {
        std::mem::take(&mut *self.shared.requests()).into()
    }

    /// Begins the record of requests anew.
    pub fn forget_requests(&self) {
        self.shared.requests().clear();
    }

    /// How often the account has been locked.
    pub fn times_locked_out(&self) -> u64 {
        self.shared
            .lockout
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .locks()
    }

    /// Makes a key inactive; false when there is none.
    pub fn deactivate_key(&self, access_key_id: &str) -> bool {
        self.set_active(access_key_id, false)
    }

    /// Makes a key active again.
    pub fn activate_key(&self, access_key_id: &str) -> bool {
        self.set_active(access_key_id, true)
    }

    /// Deletes a key.
    pub fn revoke_key(&self, access_key_id: &str) -> bool {
        self.shared.identity().keys.remove(access_key_id).is_some()
    }

    /// Stops serving and waits until that is so.
    pub async fn shut_down(self) {
        self.stop.cancel();
        for mut task in self.tasks {
            let ended = tokio::time::timeout(Duration::from_secs(5), &mut task).await;
            if ended.is_err() {
                task.abort();
            }
        }
    }

    fn set_active(&self, access_key_id: &str, is_active: bool) -> bool {
        let mut identity = self.shared.identity();
        let key = identity.keys.get_mut(access_key_id);
        key.map(|key| key.is_active = is_active).is_some()
    }
}

async fn live(shared: Arc<Shared>, stop: CancellationToken) {
    let mut ticks = tokio::time::interval(shared.options.tick.max(Duration::from_millis(1)));
    ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
    // The first tick of an interval comes at once; the fleet begins as it was made.
    ticks.tick().await;
    loop {
        tokio::select! {
            _ = ticks.tick() => {}
            () = stop.cancelled() => return,
        }
        for fleet in shared.fleets() {
            fleet.tick();
        }
    }
}

fn admin_key() -> Key {
    Key {
        access_key_id: "DEMOADMIN0000EXAMPLE".to_owned(),
        secret_access_key: "demo/admin/good/nowhere/else/EXAMPLEKEY0".into(),
    }
}

/// The one account there is.
const ACCOUNT: &str = "123456789012";
