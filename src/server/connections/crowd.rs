//! Which connection makes room for the next, where all are taken.
//!
//! Whoever asks for the page may come anew, and must then be heard; what waits between two requests may be closed, since
//! its client opens another at no loss. So newcomers come before connections that were answered, but for some of these:
//! otherwise whoever brings newcomers without end would close every connection of the others.

use std::cmp::{Ordering, Reverse};
use std::collections::HashMap;
use std::net::{IpAddr, Ipv6Addr};

use super::FEWEST;
use super::seat::{Standing, Worth};

/// A connection among the others.
pub(super) struct Member<I> {
    pub(super) id: I,
    /// Whose it is, an address or a network of them.
    pub(super) client: IpAddr,
    /// Nothing, if it must stay.
    pub(super) standing: Option<Standing>,
}

/// All connections, when there may be no more of them.
pub(super) struct Crowd<I> {
    members: Vec<Member<I>>,
    /// How many there are of each.
    all: Counts,
    /// The same of those that no route has answered yet: who is kept waiting is not to be held against who was answered.
    unanswered: Counts,
    /// What one client may have.
    share: usize,
    /// Whether those that were answered are so many that they make room for newcomers.
    answered_make_room: bool,
}

impl<I: Copy> Crowd<I> {
    pub(super) fn new(members: Vec<Member<I>>, most: usize) -> Self {
        let all = Counts::among(members.iter().map(|member| member.client));
        let unanswered = members.iter().filter(|member| {
            member
                .standing
                .is_some_and(|standing| is_unanswered(standing.worth))
        });
        let unanswered = Counts::among(unanswered.map(|member| member.client));
        let answered = members.iter().filter_map(|member| member.standing);
        let answered = answered.filter(|standing| !is_unanswered(standing.worth)).count();
        Self {
            share: fair_share(most, all.clients.len()),
            answered_make_room: answered > most / KEPT,
            members,
            all,
            unanswered,
        }
    }

    /// The one to give up for a newcomer, if there is one. While somebody has more than a fair share, it is one of whoever
    /// has most: otherwise one address could drive out all others, by connections that are worth more than theirs.
    pub(super) fn least(&self, newcomer: Option<IpAddr>) -> Option<(I, Standing)> {
        let standing = |member: &Member<I>| Some((member.client, member.id, member.standing?));
        let is_greedy = |client: IpAddr| self.all.of(client) > self.share;
        let greedy = self.members.iter().filter(|member| is_greedy(member.client));
        let least_of_greediest = greedy.filter_map(standing).min_by(|one, other| {
            let count = |of: &(IpAddr, I, Standing)| Reverse(self.all.of(of.0));
            count(one)
                .cmp(&count(other))
                .then_with(|| self.compare(one, other))
        });
        if let Some((_, id, standing)) = least_of_greediest {
            return Some((id, standing));
        }
        // All of theirs are being answered: they wait, and others do not make room for them.
        if newcomer.is_some_and(is_greedy) {
            return None;
        }
        let all = self.members.iter().filter_map(standing);
        let least = all.min_by(|one, other| self.compare(one, other));
        least.map(|(_, id, standing)| (id, standing))
    }

    /// The less is given up sooner: who is worth less; of them who has more; and of them the oldest. Of those between two
    /// requests it is the youngest: whoever was here before it was crowded stays.
    fn compare(&self, one: &(IpAddr, I, Standing), other: &(IpAddr, I, Standing)) -> Ordering {
        let rank = |of: &(IpAddr, I, Standing)| {
            let counts = if is_unanswered(of.2.worth) {
                &self.unanswered
            } else {
                &self.all
            };
            let makes_room_last = self.answered_make_room && of.2.worth == Worth::Newcomer;
            (makes_room_last, of.2.worth, Reverse(counts.of(of.0)))
        };
        rank(one).cmp(&rank(other)).then_with(|| {
            if one.2.worth == Worth::Idle {
                other.2.begun.cmp(&one.2.begun)
            } else {
                one.2.since.cmp(&other.2.since)
            }
        })
    }
}

/// How many each client has.
struct Counts {
    clients: HashMap<IpAddr, usize>,
    networks: HashMap<IpAddr, usize>,
}

impl Counts {
    fn among(clients: impl Iterator<Item = IpAddr>) -> Self {
        let mut counts = Self {
            clients: HashMap::new(),
            networks: HashMap::new(),
        };
        for client in clients {
            *counts.clients.entry(client).or_default() += 1;
            if let Some(site) = site(client) {
                *counts.networks.entry(site).or_default() += 1;
            }
        }
        counts
    }

    /// Its own, or its part of what its site has, whichever is more.
    fn of(&self, client: IpAddr) -> usize {
        let own = self.clients.get(&client).copied().unwrap_or_default();
        let site = site(client).and_then(|site| self.networks.get(&site));
        own.max(site.copied().unwrap_or_default() / FEWEST)
    }
}

/// A site has a /48 of IPv6, with 65,536 networks in it. One that uses eight of them at once is nothing strange.
fn site(client: IpAddr) -> Option<IpAddr> {
    let IpAddr::V6(address) = client else {
        return None;
    };
    let [a, b, c, ..] = address.segments();
    Some(Ipv6Addr::new(a, b, c, 0, 0, 0, 0, 0).into())
}

fn is_unanswered(worth: Worth) -> bool {
    matches!(worth, Worth::Stranger | Worth::Newcomer)
}

/// How many connections one client may have before it is the one to make room.
fn fair_share(most: usize, clients: usize) -> usize {
    most.checked_div(clients).unwrap_or(most).max(FEWEST)
}

/// One in so many places is kept for connections that were answered: far more than there are scrapers, and few enough that
/// newcomers have time to ask, be there ever so many.
const KEPT: usize = 8;

#[cfg(test)]
mod tests;
