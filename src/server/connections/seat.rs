//! What one connection is doing, and until when it may.

use std::sync::{Mutex, MutexGuard, PoisonError};

use tokio::task::AbortHandle;
use tokio::time::Instant;

use super::Limits;

/// A connection, as those see it who have to make room.
pub(super) struct Seat {
    limits: Limits,
    state: Mutex<State>,
}

struct State {
    phase: Phase,
    since: Instant,
    /// When the connection was taken, or TLS was agreed on.
    begun: Instant,
    /// Whether the request that is being answered was let through to a route.
    is_let_in: bool,
    /// Whether it has been answered by a route before: whoever has no password stays a stranger.
    is_known: bool,
    /// Whether more was to be sent than the client takes.
    is_blocked: bool,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Phase {
    /// Nothing has come of its first request yet; with TLS, it is not agreed on.
    New,
    /// A request has begun to come.
    Head,
    /// The request is there, and its answer is made or sent.
    Answering,
    /// The whole answer is on its way.
    Answered,
    /// Between two requests.
    Idle,
}

/// What a connection is, for those who choose the one to give up.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Standing {
    pub(super) worth: Worth,
    pub(super) since: Instant,
    pub(super) begun: Instant,
}

/// How readily a connection is given up for another: the least first.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Worth {
    /// No route ever answered it, and it has had time to ask.
    Stranger,
    /// It is so new that its first request may be on its way.
    Newcomer,
    /// It waits between requests.
    Idle,
    /// It asks again.
    Asking,
    /// It does not take its answer, or has waited for it for long.
    Slow,
}

impl Seat {
    pub(super) fn new(limits: Limits) -> Self {
        let now = Instant::now();
        Self {
            limits,
            state: Mutex::new(State {
                phase: Phase::New,
                since: now,
                begun: now,
                is_let_in: false,
                is_known: false,
                is_blocked: false,
            }),
        }
    }

    /// Something came from the client.
    pub(super) fn heard(&self) {
        let mut state = self.state();
        match state.phase {
            // The time of a first request counts from the start, so that dribbling gains none.
            Phase::New => state.phase = Phase::Head,
            Phase::Idle => state.enter(Phase::Head),
            Phase::Head | Phase::Answering | Phase::Answered => {}
        }
    }

    /// TLS is agreed on; the time for a request begins.
    pub(super) fn agreed(&self) {
        let mut state = self.state();
        state.enter(Phase::New);
        state.begun = state.since;
    }

    /// A request is whole.
    pub(super) fn asked(&self) {
        let mut state = self.state();
        state.is_let_in = false;
        if state.phase == Phase::Answered {
            // Asked before the answer of before is taken: to ask on and on gains no time.
            state.phase = Phase::Answering;
        } else {
            state.enter(Phase::Answering);
        }
    }

    /// The request goes on to a route.
    pub(super) fn let_in(&self) {
        self.state().is_let_in = true;
    }

    /// The answer is whole, and waits to be taken.
    pub(super) fn answered(&self) {
        let mut state = self.state();
        if state.phase == Phase::Answering {
            // The time goes on: to take it is part of it.
            state.phase = Phase::Answered;
        }
    }

    /// More is to be sent than the client takes, or that is over.
    pub(super) fn blocked(&self, is_blocked: bool) {
        self.state().is_blocked = is_blocked;
    }

    /// All that was to be sent is sent.
    pub(super) fn sent(&self) {
        let mut state = self.state();
        state.is_blocked = false;
        if state.phase == Phase::Answered {
            state.enter(Phase::Idle);
            state.is_known |= state.is_let_in;
        }
    }

    /// When it is cut off, unless it gets further by then.
    pub(super) fn deadline(&self) -> Instant {
        let state = self.state();
        state.since
            + match state.phase {
                Phase::New | Phase::Head => self.limits.head,
                Phase::Answering | Phase::Answered => self.limits.answer,
                Phase::Idle => self.limits.idle,
            }
    }

    /// Whether no answer is lost by closing it.
    pub(super) fn is_quiet(&self) -> bool {
        matches!(self.state().phase, Phase::New | Phase::Head | Phase::Idle)
    }

    /// What it is; nothing, if it must stay.
    pub(super) fn standing(&self) -> Option<Standing> {
        self.state().standing(self.limits)
    }

    /// Ends its task, if it is still worth what it was: a request that has begun meanwhile is answered.
    pub(super) fn give_up(&self, seen: Standing, task: &AbortHandle) -> bool {
        let state = self.state();
        let is_as_seen = state.standing(self.limits) == Some(seen);
        if is_as_seen {
            task.abort();
        }
        is_as_seen
    }

    fn state(&self) -> MutexGuard<'_, State> {
        // Each change is one assignment or two: a panic leaves nothing half done.
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl State {
    fn enter(&mut self, phase: Phase) {
        self.phase = phase;
        self.since = Instant::now();
    }

    fn standing(&self, limits: Limits) -> Option<Standing> {
        let worth = match self.phase {
            Phase::New | Phase::Head if !self.is_known && self.begun.elapsed() < limits.grace => {
                Worth::Newcomer
            }
            Phase::New | Phase::Head | Phase::Idle if !self.is_known => Worth::Stranger,
            Phase::Idle => Worth::Idle,
            Phase::New | Phase::Head => Worth::Asking,
            Phase::Answering | Phase::Answered
                if self.is_blocked || self.since.elapsed() >= limits.patience =>
            {
                Worth::Slow
            }
            Phase::Answering | Phase::Answered => return None,
        };
        Some(Standing {
            worth,
            since: self.since,
            begun: self.begun,
        })
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    fn seat() -> Seat {
        Seat::new(Limits::default())
    }

    fn worth(seat: &Seat) -> Option<Worth> {
        seat.standing().map(|standing| standing.worth)
    }

    async fn pass(seconds: u64) {
        tokio::time::advance(Duration::from_secs(seconds)).await;
    }

    #[tokio::test(start_paused = true)]
    async fn dribbling_gains_no_time() {
        let limits = Limits::default();
        let dribbling = seat();
        let start = Instant::now();
        for _ in 0..5 {
            dribbling.heard();
            pass(1).await;
        }
        assert_eq!(dribbling.deadline(), start + limits.head);

        // Nor does it between requests.
        dribbling.asked();
        dribbling.answered();
        dribbling.sent();
        pass(60).await;
        let begun = Instant::now();
        for _ in 0..5 {
            dribbling.heard();
            pass(1).await;
        }
        assert_eq!(dribbling.deadline(), begun + limits.head);
    }

    #[tokio::test(start_paused = true)]
    async fn answer_has_its_time_until_it_is_taken() {
        let limits = Limits::default();
        let slow = seat();
        slow.heard();
        slow.asked();
        let asked = Instant::now();
        pass(5).await;
        slow.sent();
        slow.answered();
        assert_eq!(slow.deadline(), asked + limits.answer);
        assert!(!slow.is_quiet());
        slow.sent();
        assert_eq!(slow.deadline(), Instant::now() + limits.idle);
        assert!(slow.is_quiet());
    }

    #[tokio::test(start_paused = true)]
    async fn who_never_asked_is_given_up_first_and_who_is_answered_last() {
        let [stranger, idle, asking, answering, blocked] = [(); 5].map(|()| seat());
        assert_eq!(worth(&stranger), Some(Worth::Newcomer));
        for seat in [&idle, &asking, &answering, &blocked] {
            seat.heard();
            seat.asked();
            seat.let_in();
        }
        blocked.blocked(true);
        assert_eq!(worth(&answering), None);
        assert_eq!(worth(&blocked), Some(Worth::Slow));
        blocked.blocked(false);
        assert_eq!(worth(&blocked), None);
        for seat in [&idle, &asking] {
            seat.answered();
            seat.sent();
        }
        asking.heard();
        pass(Limits::default().patience.as_secs()).await;
        let worth = [&stranger, &idle, &asking, &answering].map(worth);
        assert_eq!(
            worth,
            [Worth::Stranger, Worth::Idle, Worth::Asking, Worth::Slow].map(Some)
        );
        assert!(worth.is_sorted());
    }

    #[tokio::test(start_paused = true)]
    async fn time_to_ask_begins_with_the_connection_and_again_with_tls() {
        let grace = Limits::default().grace;
        let new = seat();
        new.heard();
        assert_eq!(worth(&new), Some(Worth::Newcomer));
        tokio::time::advance(grace).await;
        assert_eq!(worth(&new), Some(Worth::Stranger));
        new.agreed();
        assert_eq!(worth(&new), Some(Worth::Newcomer));
        // What comes of a request gains none.
        tokio::time::advance(grace).await;
        new.heard();
        assert_eq!(worth(&new), Some(Worth::Stranger));
    }

    #[tokio::test(start_paused = true)]
    async fn who_was_never_let_in_stays_a_stranger() {
        let refused = seat();
        for _ in 0..2 {
            refused.heard();
            refused.asked();
            refused.answered();
            refused.sent();
            assert_eq!(worth(&refused), Some(Worth::Stranger));
        }
        refused.asked();
        refused.let_in();
        refused.answered();
        refused.sent();
        assert_eq!(worth(&refused), Some(Worth::Idle));
    }

    #[tokio::test(start_paused = true)]
    async fn asking_on_without_taking_answers_gains_no_time() {
        let limits = Limits::default();
        let greedy = seat();
        greedy.heard();
        let asked = Instant::now();
        for _ in 0..5 {
            greedy.asked();
            greedy.answered();
            greedy.blocked(true);
            pass(1).await;
        }
        assert_eq!(greedy.deadline(), asked + limits.answer);
        let standing = greedy.standing().unwrap();
        assert_eq!((standing.worth, standing.since), (Worth::Slow, asked));
    }

    #[tokio::test(start_paused = true)]
    async fn no_answer_is_lost_with_a_head_that_has_begun() {
        let dribbling = seat();
        dribbling.heard();
        assert!(dribbling.is_quiet());
        dribbling.asked();
        assert!(!dribbling.is_quiet());
    }

    #[tokio::test]
    async fn request_that_begins_while_its_seat_is_chosen_is_answered() {
        let task = tokio::spawn(std::future::pending::<()>());
        let chosen = seat();
        let seen = chosen.standing().unwrap();
        chosen.heard();
        chosen.asked();
        assert!(!chosen.give_up(seen, &task.abort_handle()));
        chosen.answered();
        chosen.sent();
        let seen = chosen.standing().unwrap();
        assert!(chosen.give_up(seen, &task.abort_handle()));
        assert!(task.await.unwrap_err().is_cancelled());
    }
}
