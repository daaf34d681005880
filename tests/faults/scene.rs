//! Two accounts, one of which has an action that meets faults in one of its regions.

use std::collections::BTreeMap;
use std::sync::Arc;

use secrecy::ExposeSecret as _;
use tempfile::TempDir;
use vigie::api::{Action, Service};
use vigie::demo::{Cloud, Event, Key, Options};
use vigie::exposition::Format;
use vigie::provider::Provider;
use vigie::resource::Kind;
use vigie::resources::{self, kinds_of};

use crate::bench::{self, Account, Bench, cloud};
use crate::certificates::Certificates;
use crate::fault::{Fault, Seat, Touched};
use crate::front::{Clouds, Front, Mark};
use crate::page::{Page, Series};
use crate::shown::{self, Place, Poll, polls, reading};

/// What meets the faults.
#[derive(Clone, Copy)]
pub(crate) struct Subject {
    pub(crate) provider: Provider,
    pub(crate) kind: &'static Kind,
    pub(crate) action: &'static Action,
}

impl Subject {
    /// Every action of every kind, of every cloud that has it.
    pub(crate) fn all() -> Vec<Self> {
        let of = |provider: Provider| {
            let finding = &resources::regions::KIND;
            let finds = finding.providers.contains(&provider);
            let kinds = kinds_of(provider).into_iter().chain(finds.then_some(finding));
            kinds.flat_map(move |kind| {
                kind.actions.iter().map(move |action| Self {
                    provider,
                    kind,
                    action,
                })
            })
        };
        Provider::ALL.into_iter().flat_map(of).collect()
    }

    /// Whether it finds the regions rather than what is in them.
    pub(crate) fn is_finding(self) -> bool {
        self.kind.name == resources::regions::KIND.name
    }

    /// Whether the budget of the account allows for a thousand pages within one poll. One action is enough for that.
    pub(crate) fn is_fast(self) -> bool {
        self.provider == Provider::Aws && self.kind.name == "instances"
    }

    pub(crate) fn is_ec2(self) -> bool {
        self.action.service == Service::Ec2
    }

    /// The region where the faults are, and the other one.
    pub(crate) fn regions(self) -> &'static [&'static str] {
        match self.provider {
            Provider::Aws => &["us-east-1", "eu-west-1"],
            Provider::Outscale => &["eu-west-2", "us-east-2"],
        }
    }

    pub(crate) fn place(self) -> Place {
        [HIT, self.regions()[0], self.kind.name].map(str::to_owned)
    }

    /// The kinds that the account with the faults polls: the one they are about, and two to look on.
    fn kinds(self) -> Vec<&'static str> {
        let onlookers = ["instances", "load_balancers"].into_iter();
        let own = (!self.is_finding()).then_some(self.kind.name);
        let onlookers = onlookers.filter(|name| *name != self.kind.name);
        own.into_iter().chain(onlookers).collect()
    }

    /// Whether what is touched takes the polls of this place with it.
    pub(crate) fn is_touched(self, touched: Touched, [account, region, kind]: &Place) -> bool {
        let of_kind = resources::kind(kind).unwrap_or(&resources::regions::KIND);
        let is_here = region == self.regions()[0];
        account == HIT
            && match touched {
                Touched::Kind => is_here && kind == self.kind.name,
                Touched::Endpoint => {
                    let asks_there = |action: &&Action| (action.service == Service::Ec2) == self.is_ec2();
                    of_kind.actions.iter().any(asks_there)
                }
                Touched::Key => is_here || self.provider == Provider::Outscale,
            }
    }
}

/// The clouds, what stands before them, and the agent.
pub(crate) struct Scene {
    pub(crate) subject: Subject,
    pub(crate) bench: Bench,
    pub(crate) key: Key,
    clouds: [Cloud; 3],
    ec2: Front,
    elb: Front,
    accounts: [Account; 2],
    _bundle: TempDir,
}

/// What the page says at one time.
pub(crate) struct Seen {
    pub(crate) page: Page,
    pub(crate) polls: BTreeMap<Place, Poll>,
    /// Of the kind that meets the faults.
    pub(crate) reading: BTreeMap<Series, f64>,
}

impl Scene {
    /// Nothing has been polled yet.
    pub(crate) async fn new(subject: Subject, seat: Seat) -> Self {
        let Subject { provider, .. } = subject;
        let options = |minutes| Options {
            provider,
            instances: 4,
            load_balancers: if subject.kind.name == "load_balancers" {
                2
            } else {
                1
            },
            backends_per_load_balancer: usize::from(!subject.kind.one_call_for_each.is_empty()),
            target_groups: 2,
            lock_out: provider == Provider::Outscale,
            regions: bench::regions(subject.regions()),
            clock_offset: jiff::SignedDuration::from_mins(minutes),
            ..bench::still()
        };
        let clouds = [
            cloud(options(0)).await,
            cloud(options(10)).await,
            cloud(options(-10)).await,
        ];
        // OUTSCALE says of instances' status no more than what is scheduled.
        for cloud in &clouds {
            let fleet = cloud.fleet();
            let event = Event {
                id: "instance-event-0d59937288b749b32".to_owned(),
                code: "system-reboot".to_owned(),
                description: "The instance is scheduled for a reboot".to_owned(),
                not_before: jiff::Timestamp::constant(4_102_444_800, 0),
                not_after: None,
                deadline: None,
            };
            assert!(fleet.schedule(&fleet.instances()[0].id, event));
        }
        // Of one seed, they give the same keys.
        let [key, ..] = clouds.each_ref().map(|cloud| watcher(cloud, provider, "watcher"));
        let other_key = watcher(&clouds[0], provider, "other");
        let [right, ahead, behind] = clouds
            .each_ref()
            .map(|cloud| cloud.url().trim_start_matches("http://").parse().unwrap());
        let addresses = Clouds { right, ahead, behind };
        let bundle = tempfile::tempdir().unwrap();
        let certificates = (seat == Seat::Certificate).then(|| Arc::new(Certificates::new()));
        let mut trust = String::new();
        if let Some(certificates) = &certificates {
            let path = bundle.path().join("ca.pem");
            std::fs::write(&path, &certificates.bundle).unwrap();
            trust = format!("ca_bundle = '{}'\n", path.display());
        }
        let ec2 = Front::new(addresses, certificates.clone());
        let elb = Front::new(addresses, certificates);
        // A thousand pages within the time of a poll, and not.
        let pace = if subject.is_fast() { "20" } else { "0.83" };
        let kinds = subject.kinds();
        let lines = format!("{trust}requests_per_second = {pace}\nkinds = {kinds:?}");
        let regions: &[&str] = if subject.is_finding() {
            &["*"]
        } else {
            subject.regions()
        };
        let hit = Account {
            name: HIT,
            provider,
            regions,
            url: ec2.url(),
            elb_url: Some(elb.url()),
            lines: lines.leak(),
            ..Account::new(&clouds[0], &key)
        };
        let other = Account {
            name: "other",
            provider,
            regions: subject.regions().split_at(1).0,
            lines: format!("kinds = [{:?}]", kinds[0]).leak(),
            ..Account::new(&clouds[0], &other_key)
        };
        let accounts = [hit, other];
        Self {
            subject,
            bench: Bench::new(head(subject), &accounts),
            key,
            clouds,
            ec2,
            elb,
            accounts,
            _bundle: bundle,
        }
    }

    /// Another agent, which finds the endpoint of the faults under a name that nobody has.
    pub(crate) fn nameless(&mut self) {
        // Longer than a label may be: the resolver knows without asking anybody.
        let nowhere = format!("http://{}.invalid", "n".repeat(64));
        let mut accounts = self.accounts.clone();
        if self.subject.is_ec2() {
            accounts[0].url = nowhere;
        } else {
            accounts[0].elb_url = Some(nowhere);
        }
        self.bench = Bench::new(head(self.subject), &accounts);
    }

    /// Gives the running agent the right endpoints.
    pub(crate) async fn named(&mut self) {
        let accounts = self.accounts.clone();
        self.bench.reload(head(self.subject), &accounts).await.unwrap();
    }

    pub(crate) async fn meet(&mut self, fault: Fault) {
        let mark = Mark {
            action: self.subject.action.name,
            is_v2: self.subject.action.service == Service::ElbV2,
            region: self.subject.regions()[0].to_owned(),
        };
        // The clock is wrong for whatever is asked.
        if matches!(fault, Fault::ClockAhead | Fault::ClockBehind) {
            self.onlooker().meet(fault, mark.clone()).await;
        }
        self.front().meet(fault, mark).await;
    }

    pub(crate) fn heal(&mut self) {
        self.ec2.heal();
        self.elb.heal();
    }

    /// What stands before the service of the action.
    pub(crate) fn front(&mut self) -> &mut Front {
        if self.subject.is_ec2() {
            &mut self.ec2
        } else {
            &mut self.elb
        }
    }

    fn onlooker(&mut self) -> &mut Front {
        if self.subject.is_ec2() {
            &mut self.elb
        } else {
            &mut self.ec2
        }
    }

    pub(crate) fn seen(&self) -> Seen {
        let page = Page::parse(&self.what_matters());
        Seen {
            polls: polls(&page),
            reading: reading(&page, self.subject.kind, HIT, self.subject.regions()[0]),
            page,
        }
    }

    /// The page without what no cell is about, which is most of it.
    fn what_matters(&self) -> String {
        let families = self.subject.kind.families.iter().map(|family| family.name);
        let families: Vec<&str> = families.chain(shown::FAMILIES).collect();
        let text = self.bench.text(Format::Text);
        let lines = text.split_inclusive('\n').filter(|line| {
            let name = line.split(['{', ' ']).next();
            line.starts_with("# TYPE ") || name.is_some_and(|name| families.contains(&name))
        });
        lines.collect()
    }

    /// Requests for the action in the region of the faults, as the page counts them.
    pub(crate) fn counted(&self, seen: &Seen) -> usize {
        let action = self.subject.action;
        let region = self.subject.regions()[0];
        shown::requests(&seen.page, HIT, region, action.service.name(), action.name)
    }

    /// How often a key was refused so far, and whether an account was ever locked.
    pub(crate) fn assert_nothing_locked(&self, told: &str) {
        for cloud in &self.clouds {
            assert_eq!(cloud.times_locked_out(), 0, "{told}: the account was locked");
        }
    }

    /// Fails if a secret is in a text.
    pub(crate) fn assert_no_secret(&self, text: &str) {
        let secret = self.key.secret_access_key.expose_secret();
        assert!(!text.contains(secret), "a secret is told: {text}");
    }
}

fn head(subject: Subject) -> &'static str {
    // Regions are found again after ten minutes.
    if subject.is_finding() {
        "interval = \"10m\"\nstale_after = \"25m\""
    } else {
        ""
    }
}

fn watcher(cloud: &Cloud, provider: Provider, name: &str) -> Key {
    let kinds = kinds_of(provider);
    let kinds = kinds.into_iter().chain([&resources::regions::KIND]);
    let actions: Vec<String> = kinds
        .flat_map(|kind| kind.actions)
        .map(|action| action.policy_name())
        .collect();
    let actions: Vec<&str> = actions.iter().map(String::as_str).collect();
    cloud.create_describe_only_user(name, &actions)
}

/// The account whose action meets the faults.
pub(crate) const HIT: &str = "hit";
