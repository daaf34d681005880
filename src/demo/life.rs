//! How a fleet lives: what one tick changes, decided by seed and tick number alone.

use jiff::{SignedDuration, Timestamp};

use super::fleet::{Check, Event, Health};
use super::region::{Region, mix};
use crate::provider::Provider;

impl Region {
    /// One tick: what was planned happens, and now and then something new is planned.
    pub(super) fn tick(&mut self, now: Timestamp) {
        self.ticks += 1;
        let mut rng = fastrand::Rng::with_seed(mix(self.seed ^ mix(self.ticks)));
        self.follow_plans(now);
        self.let_targets_live();
        if self.ticks % 3 == 1
            && let Some(id) = self.some_running(&mut rng)
        {
            let back = rng.u64(4..9);
            self.plan(
                &id,
                "stopping",
                now,
                &[(1, "stopped"), (back, "pending"), (back + 1, "running")],
            );
        }
        if self.ticks % 7 == 4
            && let Some(id) = self.some_running(&mut rng)
        {
            self.plan(&id, "shutting-down", now, &[(1, "terminated"), (12, "")]);
        }
        if self.ticks % 11 == 6
            && let Some(id) = self.some_running(&mut rng)
        {
            self.fail(&id, now);
        }
        let living = self
            .instances()
            .filter(|instance| !["shutting-down", "terminated"].contains(&instance.state.as_str()))
            .count();
        if self.ticks % 7 == 5 && living < self.wanted {
            let id = self.launch(Some(now));
            self.plan(&id, "pending", now, &[(1, "running")]);
            self.replace_lost_backends(&id);
        }
        if self.ticks % 9 == 2 {
            self.let_checks_fail(now, &mut rng);
        }
        self.let_events_pass();
        if self.ticks % 40 == 3
            && let Some(id) = self.some_running(&mut rng)
        {
            self.schedule_maintenance(&id, now, &mut rng);
        }
        self.let_backends_fail(&mut rng);
        self.let_holdings_live(now, &mut rng);
    }

    /// What was scheduled is over after a while, is still listed for some time, and is then forgotten.
    fn let_events_pass(&mut self) {
        let scheduled: Vec<String> = self
            .instances()
            .filter(|instance| !instance.events.is_empty())
            .map(|instance| instance.id.clone())
            .collect();
        for id in scheduled {
            let phase = self.ticks % 40;
            match (phase, self.instance_mut(&id)) {
                (23, Some(instance)) => {
                    for event in &mut instance.events {
                        event.description = format!("[Completed] {}", event.description);
                    }
                }
                (33, Some(instance)) => instance
                    .events
                    .retain(|event| !event.description.starts_with("[Completed]")),
                _ => {}
            }
        }
    }

    /// The checks that failed pass again, and one of another instance fails.
    fn let_checks_fail(&mut self, now: Timestamp, rng: &mut fastrand::Rng) {
        let impaired: Vec<String> = self
            .instances()
            .filter(|instance| !instance.impaired.is_empty())
            .map(|instance| instance.id.clone())
            .collect();
        for id in impaired {
            if let Some(instance) = self.instance_mut(&id) {
                instance.impaired.clear();
            }
        }
        let check = if rng.bool() {
            Check::System
        } else {
            Check::Instance
        };
        if let Some(id) = self.some_running(rng)
            && let Some(instance) = self.instance_mut(&id)
        {
            instance.impaired.push((check, now));
        }
    }

    fn schedule_maintenance(&mut self, id: &str, now: Timestamp, rng: &mut fastrand::Rng) {
        // As OUTSCALE announces its maintenance: two weeks ahead.
        let not_before = now + SignedDuration::from_hours(14 * 24);
        let event = Event {
            id: format!("instance-event-{:017x}", rng.u64(..)),
            code: "system-reboot".to_owned(),
            description: "scheduled reboot".to_owned(),
            not_before,
            not_after: Some(not_before + SignedDuration::from_hours(3)),
            deadline: None,
        };
        if let Some(instance) = self.instance_mut(id) {
            instance.events.push(event);
        }
    }

    /// Enters `state` and plans what follows, in ticks from now.
    pub(super) fn plan(&mut self, id: &str, state: &str, now: Timestamp, next: &[(u64, &'static str)]) {
        self.set_state(id, state, Some(now));
        let ticks = self.ticks;
        if let Some(instance) = self.instance_mut(id) {
            instance.plan = next
                .iter()
                .map(|&(after, state)| (ticks + after, state))
                .collect();
        }
    }

    fn fail(&mut self, id: &str, now: Timestamp) {
        match self.provider {
            Provider::Outscale => self.plan(
                id,
                "quarantine",
                now,
                &[(5, "stopped"), (6, "pending"), (7, "running")],
            ),
            Provider::Aws => {
                self.plan(id, "stopped", now, &[(5, "pending"), (6, "running")]);
                if let Some(instance) = self.instance_mut(id) {
                    let code = "Server.InternalError";
                    instance.state_reason =
                        Some((code.to_owned(), format!("{code}: Internal error on launch")));
                }
            }
        }
    }

    fn follow_plans(&mut self, now: Timestamp) {
        let due: Vec<(String, &'static str)> = self
            .instances()
            .filter_map(|instance| {
                let &(at, state) = instance.plan.front()?;
                (at <= self.ticks).then(|| (instance.id.clone(), state))
            })
            .collect();
        for (id, state) in due {
            if state.is_empty() {
                self.remove(&id);
                continue;
            }
            let mut plan = self
                .instance(&id)
                .map(|instance| instance.plan.clone())
                .unwrap_or_default();
            plan.pop_front();
            // A reason stays through "terminated" and "stopped"; it is the same one.
            let reason = self
                .instance(&id)
                .and_then(|instance| instance.state_reason.clone());
            let launched = self.instance(&id).map(|instance| instance.launched);
            self.set_state(&id, state, Some(now));
            if let Some(instance) = self.instance_mut(&id) {
                instance.plan = plan;
                if instance.state_reason.is_some() && reason.is_some() {
                    instance.state_reason = reason;
                }
                if let (Some(launched), true) = (launched, state != "pending") {
                    instance.launched = launched;
                }
            }
        }
    }

    /// A running instance without plans; none while a quarter of the fleet is down already.
    fn some_running(&self, rng: &mut fastrand::Rng) -> Option<String> {
        let running: Vec<&str> = self
            .instances()
            .filter(|instance| instance.state == "running" && instance.plan.is_empty())
            .map(|instance| instance.id.as_str())
            .collect();
        if running.len() * 4 < self.wanted * 3 && running.len() < self.wanted.saturating_sub(2) {
            return None;
        }
        rng.choice(running).map(str::to_owned)
    }

    /// An instance that comes takes the place of those that went.
    fn replace_lost_backends(&mut self, id: &str) {
        let lost: Vec<String> = self
            .instances()
            .filter(|instance| instance.state == "terminated")
            .map(|instance| instance.id.clone())
            .collect();
        for balancer in self.load_balancers.values_mut() {
            let before = balancer.backends.len();
            balancer.backends.retain(|backend| !lost.contains(backend));
            if balancer.backends.len() < before {
                balancer.backends.push(id.to_owned());
            }
        }
    }

    fn let_backends_fail(&mut self, rng: &mut fastrand::Rng) {
        let ticks = self.ticks;
        for balancer in self.load_balancers.values_mut() {
            balancer
                .forced
                .retain(|_, (_, until)| until.is_none_or(|until| ticks < until));
        }
        if ticks % TOTAL_FAILURE_EVERY == TOTAL_FAILURE_AT
            && let Some(balancer) = self.load_balancers.values_mut().next()
        {
            for backend in balancer.backends.clone() {
                let entry = (failed_checks(), Some(ticks + TOTAL_FAILURE_LASTS));
                balancer.forced.entry(backend).or_insert(entry);
            }
        }
        let failing = self
            .load_balancers
            .values()
            .flat_map(|balancer| balancer.forced.values())
            .count();
        // One at least fails at any time, so that there is always something to see.
        if failing == 0 || ticks.is_multiple_of(5) {
            let candidates: Vec<(String, String)> = self
                .load_balancers
                .values()
                .flat_map(|balancer| {
                    let running = |id: &&String| {
                        self.instance(id)
                            .is_some_and(|instance| instance.state == "running")
                    };
                    let free = |id: &&String| !balancer.forced.contains_key(*id);
                    let pair = |id: &String| (balancer.name.clone(), id.clone());
                    balancer.backends.iter().filter(free).filter(running).map(pair)
                })
                .collect();
            if let Some((name, id)) = rng.choice(candidates)
                && let Some(balancer) = self.load_balancers.get_mut(&name)
            {
                balancer
                    .forced
                    .insert(id, (failed_checks(), Some(ticks + rng.u64(3..9))));
            }
        }
    }
}

fn failed_checks() -> Health {
    Health::new(
        "OutOfService",
        "ELB",
        "Instance has failed at least the UnhealthyThreshold number of health checks consecutively.",
    )
}

const TOTAL_FAILURE_EVERY: u64 = 30;
const TOTAL_FAILURE_AT: u64 = 12;
const TOTAL_FAILURE_LASTS: u64 = 6;

#[cfg(test)]
mod tests {
    use std::collections::HashSet;

    use super::*;
    use crate::demo::{Instance, Options};

    fn region(options: &Options) -> Region {
        Region::new("eu-west-2", options)
    }

    fn at() -> Timestamp {
        Timestamp::constant(1_750_000_000, 0)
    }

    #[test]
    fn same_seed_lives_the_same_life() {
        let options = Options::default();
        let (mut one, mut two) = (region(&options), region(&options));
        for _ in 0..60 {
            one.tick(at());
            two.tick(at());
        }
        assert!(one.instances().eq(two.instances()));
        assert_eq!(one.load_balancers, two.load_balancers);
    }

    #[test]
    fn every_state_is_seen_and_the_fleet_keeps_its_size() {
        for provider in [Provider::Outscale, Provider::Aws] {
            let options = Options {
                provider,
                ..Options::default()
            };
            let mut region = region(&options);
            let mut seen = HashSet::new();
            let mut ids = HashSet::new();
            for _ in 0..200 {
                region.tick(at());
                for instance in region.instances() {
                    seen.insert(instance.state.clone());
                    ids.insert(instance.id.clone());
                }
                let count = region.instances().count();
                assert!((20..=30).contains(&count), "{count}");
            }
            let mut wanted = vec![
                "pending",
                "running",
                "shutting-down",
                "terminated",
                "stopping",
                "stopped",
            ];
            if provider == Provider::Outscale {
                wanted.push("quarantine");
            }
            for state in wanted {
                assert!(seen.contains(state), "{state}");
            }
            assert!(ids.len() > 30, "new instances come");
        }
    }

    #[test]
    fn some_backend_is_always_unhealthy_and_once_all_of_one_balancer() {
        let mut region = region(&Options::default());
        let mut all_failed = false;
        for tick in 1..=100 {
            region.tick(at());
            let mut unhealthy = 0;
            for balancer in region.load_balancers.values() {
                let health: Vec<Health> = balancer
                    .backends
                    .iter()
                    .filter_map(|id| region.health(balancer, id))
                    .collect();
                let failed = health.iter().filter(|health| health.state != "InService").count();
                unhealthy += failed;
                all_failed |= failed > 0 && failed == health.len();
            }
            assert!(unhealthy > 0, "tick {tick}");
        }
        assert!(all_failed);
    }

    #[test]
    fn checks_fail_and_maintenance_is_announced() {
        let mut region = region(&Options::default());
        for _ in 0..3 {
            region.tick(at());
        }
        let count = |counted: fn(&Instance) -> bool| region.instances().filter(|one| counted(one)).count();
        assert_eq!(count(|instance| !instance.impaired.is_empty()), 1);
        assert_eq!(count(|instance| !instance.events.is_empty()), 1);
    }

    #[test]
    fn what_was_scheduled_is_completed_and_then_forgotten() {
        let mut region = region(&Options::default());
        let mut seen = Vec::new();
        for _ in 0..40 {
            region.tick(at());
            let events = region.instances().flat_map(|instance| &instance.events);
            seen.push(events.map(|event| event.description.clone()).next());
        }
        seen.dedup();
        let text = |text: &str| Some(text.to_owned());
        let (before, after) = (text("scheduled reboot"), text("[Completed] scheduled reboot"));
        assert_eq!(seen, [None, before, after, None]);
    }

    #[test]
    fn change_by_hand_outlasts_the_life() {
        let mut region = region(&Options::default());
        let id = region.instances().next().unwrap().id.clone();
        region.set_state(&id, "hibernating", None);
        for _ in 0..50 {
            region.tick(at());
        }
        assert_eq!(region.instance(&id).unwrap().state, "hibernating");
    }
}
