use std::time::Duration;

use tokio::time::Instant;

use super::*;

const MOST: usize = 64;

/// Connections as they are added, oldest first.
#[derive(Default)]
struct Scene {
    members: Vec<Member<usize>>,
    start: Option<Instant>,
}

impl Scene {
    fn with(
        mut self,
        count: usize,
        worth: impl Into<Option<Worth>>,
        client: impl Fn(usize) -> IpAddr,
    ) -> Self {
        let start = *self.start.get_or_insert_with(Instant::now);
        let worth = worth.into();
        for number in 0..count {
            let id = self.members.len();
            let at = start + Duration::from_millis(id.try_into().unwrap());
            self.members.push(Member {
                id,
                client: client(number),
                standing: worth.map(|worth| Standing {
                    worth,
                    since: at,
                    begun: at,
                }),
            });
        }
        self
    }

    fn least_for(self, newcomer: IpAddr) -> Option<usize> {
        let least = Crowd::new(self.members, MOST).least(Some(newcomer));
        least.map(|(id, _)| id)
    }

    fn least(self) -> Option<usize> {
        self.least_for(v4(200)(0))
    }
}

/// Addresses of their own.
fn v4(third: u8) -> impl Fn(usize) -> IpAddr {
    move |number| [10, 0, third, u8::try_from(number).unwrap()].into()
}

/// Some for each address.
fn each(count: usize, third: u8) -> impl Fn(usize) -> IpAddr {
    move |number| v4(third)(number / count)
}

#[test]
fn newcomer_stays_while_others_wait_between_requests() {
    let scene = Scene::default()
        .with(63, Worth::Idle, each(4, 0))
        .with(1, Worth::Newcomer, v4(1));
    // The youngest of those who have most.
    assert_eq!(scene.least(), Some(59));
    // Asking again and again, or taking no answer, holds a place no better.
    for worth in [Worth::Asking, Worth::Slow] {
        let scene = Scene::default()
            .with(63, worth, v4(0))
            .with(1, Worth::Newcomer, v4(1));
        assert_eq!(scene.least(), Some(0), "{worth:?}");
    }
}

#[test]
fn who_had_time_to_ask_and_did_not_is_given_up_first() {
    let scene = Scene::default()
        .with(50, Worth::Idle, each(4, 0))
        .with(6, Worth::Newcomer, v4(1))
        .with(8, Worth::Stranger, v4(2));
    assert_eq!(scene.least(), Some(56));
}

#[test]
fn newcomers_without_end_leave_a_part_to_those_who_were_answered() {
    let scene = |answered: usize| {
        Scene::default()
            .with(answered, Worth::Idle, v4(0))
            .with(MOST - answered, Worth::Newcomer, v4(1))
            .least()
    };
    assert_eq!(scene(MOST / KEPT), Some(MOST / KEPT), "the oldest newcomer");
    assert_eq!(
        scene(MOST / KEPT + 1),
        Some(MOST / KEPT),
        "the youngest that was answered"
    );
}

#[test]
fn newcomer_of_a_rare_address_stays_longer() {
    let scene = Scene::default()
        .with(1, Worth::Newcomer, v4(0))
        .with(63, Worth::Newcomer, each(7, 1));
    assert_eq!(scene.least(), Some(1));
    // What its address has beside is not held against it, if that was answered.
    let scene = Scene::default()
        .with(5, Worth::Idle, |_| v4(0)(0))
        .with(58, Worth::Newcomer, each(2, 1))
        .with(1, Worth::Newcomer, |_| v4(0)(0));
    assert_eq!(scene.least(), Some(5));
}

#[test]
fn who_was_here_before_it_was_crowded_stays() {
    let scene = Scene::default().with(MOST, Worth::Idle, v4(0));
    assert_eq!(scene.least(), Some(MOST - 1));
}

#[test]
fn greedy_address_makes_room_whatever_its_connections_are_worth() {
    let greedy = |_| v4(9)(0);
    let scene = || {
        Scene::default()
            .with(10, Worth::Stranger, v4(0))
            .with(44, Worth::Idle, v4(1))
            .with(10, Worth::Slow, greedy)
    };
    assert_eq!(scene().least(), Some(54));
    // Its own are being answered: it waits.
    let answering = || {
        Scene::default()
            .with(54, Worth::Idle, v4(1))
            .with(10, None, greedy)
    };
    assert_eq!(answering().least_for(greedy(0)), None);
    assert_eq!(answering().least(), Some(53));
}

#[test]
fn networks_of_one_site_count_together() {
    let network = |site: u16| {
        move |number: usize| {
            let network = u16::try_from(number).unwrap();
            Ipv6Addr::new(0x2001, 0xdb8, site, network, 0, 0, 0, 0).into()
        }
    };
    // One newcomer each, and the older one goes; but for a site that has sixteen.
    let scene = |site: fn(usize) -> u16| {
        Scene::default()
            .with(48, Worth::Newcomer, v4(0))
            .with(16, Worth::Newcomer, move |number| network(site(number))(number))
            .least()
    };
    assert_eq!(scene(|_| 1), Some(48));
    assert_eq!(scene(|number| u16::try_from(number).unwrap()), Some(0));
    // One site may not have more than others by having networks.
    let crowd = |count| {
        let members = Scene::default().with(count, Worth::Slow, network(1)).members;
        let crowd = Crowd::new(members, 2048);
        crowd.all.of(network(1)(0)) > crowd.share
    };
    assert!(crowd(1024) && !crowd(FEWEST * FEWEST));
}
