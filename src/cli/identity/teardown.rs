//! `vigie teardown`: what bootstrap made, removed.

use std::io::{BufRead as _, IsTerminal as _, Write as _};

use clap::Args;

use super::NameArguments;
use super::admin::AdminArguments;
use super::progress::{Progress, line, say};
use super::report::Subject;
use crate::cli::Failure;
use crate::identity::{self, Event};

/// What `vigie teardown` takes.
#[derive(Debug, Args)]
pub(in crate::cli) struct Arguments {
    #[command(flatten)]
    admin: AdminArguments,
    #[command(flatten)]
    names: NameArguments,
    /// Do not ask.
    #[arg(long)]
    yes: bool,
    /// Print one object on stdout, for machines.
    #[arg(long)]
    json: bool,
}

pub(in crate::cli) async fn teardown(arguments: Arguments) -> Result<(), Failure> {
    let provider = arguments.admin.provider()?;
    let place = arguments.admin.place()?;
    let names = arguments.names.names()?;
    let source = arguments.admin.source(provider)?;
    let subject = Subject {
        command: "teardown",
        place: &place,
        names: Some(&names),
        json: arguments.json,
    };
    let mut progress = Progress::new();
    let teardown = match identity::Teardown::prepare(&place, source, &names).await {
        Ok(teardown) => teardown,
        Err(error) => return subject.end(&progress, Err(error)),
    };
    if !teardown.is_needed() {
        for step in &teardown.plan.steps {
            progress.tell(Event::Step(step));
        }
        say(&format!(
            "  there is nothing to remove: no user {}, nothing that was made for it",
            names.user
        ));
        return subject.end(&progress, Ok(None));
    }
    if !arguments.yes {
        for step in &teardown.plan.steps {
            say(&line(step.action.name(), step));
        }
        if let Err(refusal) = ask() {
            return subject.end(&progress, Err(refusal));
        }
    }
    let outcome = teardown
        .carry_out(&mut |event: Event<'_>| progress.tell(event))
        .await;
    if outcome.is_ok() {
        say("  a file that holds a key of this user holds a dead one now: delete it");
    }
    subject.end(&progress, outcome.map(|()| None))
}

/// Whether a person agrees, who has to be there.
fn ask() -> Result<(), identity::Error> {
    let refused = |words: &str| Err(identity::Error::Refused(words.to_owned()));
    if !std::io::stdin().is_terminal() {
        return refused("nothing was removed: there is nobody to ask, so `--yes` has to say it");
    }
    let mut question = std::io::stderr();
    write!(question, "Remove all this? [y/N] ").ok();
    question.flush().ok();
    let mut answer = String::new();
    let read = std::io::stdin().lock().read_line(&mut answer);
    if read.is_ok() && ["y", "yes"].contains(&answer.trim().to_lowercase().as_str()) {
        return Ok(());
    }
    refused("nothing was removed")
}
