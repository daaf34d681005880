//! What is told while a command works: a line for each step; a spinner and the time left while it waits, on a
//! terminal, and a plain line elsewhere.

use std::fmt::Write as _;
use std::io::{IsTerminal as _, Write as _};
use std::time::Duration;

use indicatif::{ProgressBar, ProgressState, ProgressStyle};

use crate::cli::plain::Plain;
use crate::identity::Event;
use crate::identity::plan::{Action, Step};

/// Tells, and remembers what was done.
pub(in crate::cli) struct Progress {
    is_terminal: bool,
    spinner: Option<ProgressBar>,
    pub(super) steps: Vec<Step>,
}

impl Progress {
    pub(in crate::cli) fn new() -> Self {
        Self {
            is_terminal: std::io::stderr().is_terminal(),
            spinner: None,
            steps: Vec::new(),
        }
    }

    pub(in crate::cli) fn tell(&mut self, event: Event<'_>) {
        if let Some(spinner) = self.spinner.take() {
            spinner.finish_and_clear();
        }
        match event {
            Event::Step(step) => {
                say(&line(done(step.action), step));
                self.steps.push(step.clone());
            }
            Event::Note(note) => say(&format!("  {note}")),
            Event::Waiting { what, time } if self.is_terminal => self.spinner = spin(what, time),
            Event::Waiting { what, time } => {
                say(&format!("  waiting {} s for {what}", time.as_secs().max(1)));
            }
        }
    }
}

/// A spinner that counts down, redrawn by a thread of its own.
fn spin(what: &str, time: Duration) -> Option<ProgressBar> {
    let left = move |state: &ProgressState, text: &mut dyn std::fmt::Write| {
        let left = time.saturating_sub(state.elapsed());
        // A terminal that takes no more text is no reason to stop.
        write!(text, "{}", left.as_secs() + u64::from(left.subsec_nanos() > 0)).ok();
    };
    let style = ProgressStyle::with_template("{spinner} waiting for {msg}: {left} s left").ok()?;
    let spinner = ProgressBar::new_spinner()
        .with_style(style.with_key("left", left))
        .with_message(what.to_owned());
    spinner.enable_steady_tick(Duration::from_millis(100));
    Some(spinner)
}

/// A step as a line, the further lines of its detail below it.
pub(super) fn line(action: &str, step: &Step) -> String {
    let mut lines = step.detail.lines();
    let mut text = format!(
        "  {action:<8} {:<11} {}",
        step.part.name(),
        lines.next().unwrap_or_default()
    );
    for more in lines {
        // A String takes any text.
        write!(text, "\n{:24}{more}", "").ok();
    }
    text
}

/// What was done, in one word.
fn done(action: Action) -> &'static str {
    match action {
        Action::Keep => "ok",
        Action::Create => "created",
        Action::Change => "changed",
        Action::Remove => "removed",
        Action::Refuse => "refused",
    }
}

/// For people. That nobody listens any more is no reason to stop half-way.
pub(super) fn say(line: &str) {
    writeln!(std::io::stderr(), "{}", Plain(line)).ok();
}
