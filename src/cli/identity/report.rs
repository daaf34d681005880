//! What a command leaves behind: words for a security reviewer's ticket, or one object for machines.

use std::fmt::Write as _;
use std::io::Write as _;

use serde::Serialize;

use super::progress::Progress;
use crate::cli::{Failure, after_printing};
use crate::identity::plan::{Plan, Step};
use crate::identity::policy::Policy;
use crate::identity::{self, Names, Place, Proof};

/// The object for machines.
#[derive(Serialize)]
struct Report<'a> {
    command: &'a str,
    outcome: &'a str,
    provider: &'a str,
    regions: &'a [String],
    #[serde(skip_serializing_if = "Option::is_none")]
    names: Option<&'a Names>,
    steps: &'a [Step],
    #[serde(skip_serializing_if = "Option::is_none")]
    proof: Option<&'a Proof>,
    #[serde(skip_serializing_if = "Option::is_none")]
    error: Option<String>,
}

/// What a command was about.
pub(super) struct Subject<'a> {
    pub(super) command: &'a str,
    pub(super) place: &'a Place,
    pub(super) names: Option<&'a Names>,
    pub(super) json: bool,
}

impl Subject<'_> {
    /// Ends a command: prints the object, if that was asked for, and gives the error on.
    pub(super) fn end(
        &self,
        progress: &Progress,
        outcome: Result<Option<&Proof>, identity::Error>,
    ) -> Result<(), Failure> {
        let word = match &outcome {
            Ok(_) => "done",
            Err(identity::Error::Refused(_)) => "refused",
            Err(identity::Error::Usage(_)) => "usage",
            Err(identity::Error::Failed(_)) => "failed",
        };
        let error = outcome.as_ref().err().map(|error| format!("{error:#}"));
        let proof = outcome.as_ref().ok().copied().flatten();
        let printed = self.print(word, &progress.steps, proof, error);
        after_printing(printed, outcome.map(drop).map_err(Failure::from))
    }

    /// Prints a plan.
    pub(super) fn end_plan(&self, plan: &Plan) -> std::io::Result<()> {
        let word = if plan.refusals().next().is_some() {
            "refused"
        } else {
            "planned"
        };
        self.print(word, &plan.steps, None, None)
    }

    fn print(
        &self,
        outcome: &str,
        steps: &[Step],
        proof: Option<&Proof>,
        error: Option<String>,
    ) -> std::io::Result<()> {
        if !self.json {
            return Ok(());
        }
        let report = Report {
            command: self.command,
            outcome,
            provider: self.place.provider.name(),
            regions: &self.place.regions,
            names: self.names,
            steps,
            proof,
            error,
        };
        let mut output = std::io::stdout().lock();
        serde_json::to_writer_pretty(&mut output, &report)?;
        output.write_all(b"\n")?;
        output.flush()
    }
}

/// What was proven of a key, for a security reviewer.
pub(super) fn in_words(
    place: &Place,
    user: &str,
    proof: &Proof,
    granted: Option<(&Names, &Policy)>,
) -> String {
    let mut text = format!(
        "Access key {} of user {user}, {} {}, examined by vigie {} at {:.0}\n\n",
        proof.access_key_id,
        place.provider,
        place.regions.join(", "),
        env!("CARGO_PKG_VERSION"),
        proof.at,
    );
    let mut list = |title: &str, actions: &[String]| {
        if !actions.is_empty() {
            // A String takes any text.
            writeln!(text, "{title} ({}):", actions.len()).ok();
            for action in actions {
                writeln!(text, "  {action}").ok();
            }
            text.push('\n');
        }
    };
    let allowed: Vec<String> = proof
        .allowed
        .iter()
        .map(|action| match proof.evidence.get(action) {
            None => action.clone(),
            Some(answer) => format!("{action} (the cloud's answer: {answer})"),
        })
        .collect();
    list("Allowed, as vigie needs it", &allowed);
    list("Tried with this key and denied by the cloud", &proof.denied);
    list("Not to be had from this cloud at all", &proof.absent);
    list(
        "NOT denied by the cloud, and accepted with `--accept` by whoever ran this",
        &proof.accepted,
    );
    text.push_str(
        "The denied calls were real ones of a form that can do nothing: dry runs about ids that no cloud gives out, a load\n\
         balancer's name that nobody can have given, and listings.\n",
    );
    if let Some((names, policy)) = granted {
        writeln!(
            text,
            "\nThe user {} is in the group {} and in no other. The group holds the policy {} and nothing else;\nneither \
             has an inline policy. The policy allows this, on all resources, and nothing else:",
            names.user, names.group, names.policy
        )
        .ok();
        for action in policy.actions() {
            writeln!(text, "  {action}").ok();
        }
    }
    text
}
