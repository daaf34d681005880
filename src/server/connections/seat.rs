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

/// How readily a connection is given up for another: the least first.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Worth {
    /// No route ever answered it.
    Stranger,
    /// It waits between requests.
    Idle,
    /// It asks again.
    Asking,
    /// It does not take its answer, or has waited for it for long.
    Slow,
}

impl Seat {
    pub(super) fn new(limits: Limits) -> Self {
        Self {
            limits,
            state: Mutex::new(State {
                phase: Phase::New,
                since: Instant::now(),
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
        self.state().enter(Phase::New);
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

    /// What it is worth, and since when; nothing, if it must stay.
    pub(super) fn worth(&self) -> Option<(Worth, Instant)> {
        self.state().worth(self.limits)
    }

    /// Ends its task, if it is still worth what it was: a request that has begun meanwhile is answered.
    pub(super) fn give_up(&self, seen: (Worth, Instant), task: &AbortHandle) -> bool {
        let state = self.state();
        let is_as_seen = state.worth(self.limits) == Some(seen);
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

    fn worth(&self, limits: Limits) -> Option<(Worth, Instant)> {
        let worth = match self.phase {
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
        Some((worth, self.since))
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    fn seat() -> Seat {
        Seat::new(Limits::default())
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
        for seat in [&idle, &asking, &answering, &blocked] {
            seat.heard();
            seat.asked();
            seat.let_in();
        }
        blocked.blocked(true);
        assert_eq!(answering.worth(), None);
        assert_eq!(blocked.worth().map(|(worth, _)| worth), Some(Worth::Slow));
        blocked.blocked(false);
        assert_eq!(blocked.worth(), None);
        for seat in [&idle, &asking] {
            seat.answered();
            seat.sent();
        }
        asking.heard();
        pass(Limits::default().patience.as_secs()).await;
        let worth = [&stranger, &idle, &asking, &answering].map(|seat| seat.worth().map(|(worth, _)| worth));
        assert_eq!(
            worth,
            [Worth::Stranger, Worth::Idle, Worth::Asking, Worth::Slow].map(Some)
        );
        assert!(worth.is_sorted());
    }
    #[tokio::test(start_paused = true)]
    async fn who_was_never_let_in_stays_a_stranger() {
        let refused = seat();
        for _ in 0..2 {
            refused.heard();
            refused.asked();
            refused.answered();
            refused.sent();
            assert_eq!(refused.worth().map(|(worth, _)| worth), Some(Worth::Stranger));
        }
        refused.asked();
        refused.let_in();
        refused.answered();
        refused.sent();
        assert_eq!(refused.worth().map(|(worth, _)| worth), Some(Worth::Idle));
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
        assert_eq!(greedy.worth(), Some((Worth::Slow, asked)));
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
        let seen = chosen.worth().unwrap();
        chosen.heard();
        chosen.asked();
        assert!(!chosen.give_up(seen, &task.abort_handle()));
        chosen.answered();
        chosen.sent();
        let seen = chosen.worth().unwrap();
        assert!(chosen.give_up(seen, &task.abort_handle()));
        assert!(task.await.unwrap_err().is_cancelled());
    }
}
