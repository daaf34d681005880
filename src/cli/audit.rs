//! `vigie audit`: what can this key do beyond describing? In words that can be pasted into a ticket.

use std::fmt::Write as _;
use std::io::Write as _;

use super::plain::Plain;
use super::{Failure, after_printing};
use crate::agent::Agent;
use crate::config::Settings;
use crate::credentials;
use crate::identity::audit::{Excess, Settled, Unknown};
use crate::identity::{Audit, Outcome};

pub(super) async fn audit(settings: &Settings, json: bool) -> Result<(), Failure> {
    let mut agent = Agent::auditing(settings, &credentials::process_variables()).map_err(Failure::usage)?;
    agent.find_keys().await.map_err(Failure::usage)?;
    let unfound = agent.find_regions().await;
    let audits = agent.audit().await;
    let printed = print(&audits, json);
    for audit in &audits {
        for refused in &audit.refused {
            // Nothing can be said about an error stream that is closed.
            writeln!(
                std::io::stderr(),
                "vigie: audit of account {} in {} ({}): {}",
                audit.account,
                refused.region,
                refused.reason,
                Plain(&refused.error)
            )
            .ok();
        }
    }
    for failed in &unfound {
        writeln!(
            std::io::stderr(),
            "vigie: the regions of account {} ({}): {}",
            failed.account,
            failed.error.reason().name(),
            Plain(&failed.explained)
        )
        .ok();
    }
    let is = |outcome| audits.iter().any(|audit| audit.outcome == outcome);
    let outcome = match (is(Outcome::Excess), is(Outcome::Unknown) || !unfound.is_empty()) {
        (false, false) => Ok(()),
        (is_excess, _) => Err(Failure {
            exit_code: if is_excess { 1 } else { 2 },
            error: None,
        }),
    };
    let found_nothing = outcome.is_ok();
    after_printing(printed, outcome).map_err(|failure| match failure.exit_code {
        // 1 would say that something was found.
        1 if found_nothing => Failure {
            exit_code: 2,
            ..failure
        },
        _ => failure,
    })
}

fn print(audits: &[Audit], json: bool) -> std::io::Result<()> {
    let mut output = std::io::stdout().lock();
    if json {
        serde_json::to_writer_pretty(&mut output, &serde_json::json!({ "audits": audits }))?;
        output.write_all(b"\n")?;
    } else {
        let texts: Vec<String> = audits.iter().map(described).collect();
        output.write_all(texts.join("\n").as_bytes())?;
    }
    output.flush()
}

fn described(audit: &Audit) -> String {
    let mut text = String::new();
    write_to(&mut text, audit).expect("writing to a String cannot fail");
    text
}

fn write_to(text: &mut String, audit: &Audit) -> std::fmt::Result {
    let Audit {
        account, provider, ..
    } = audit;
    let at = audit.at.strftime("%Y-%m-%d %H:%M:%S UTC");
    writeln!(text, "What may this key do beyond describing?\n")?;
    writeln!(
        text,
        "account:  {account} ({provider}: {})",
        audit.regions.join(", ")
    )?;
    writeln!(
        text,
        "key:      {}",
        match (&audit.access_key_suffix, &audit.key_from) {
            (Some(key), Some(from)) => format!("…{key} ({from})"),
            _ => "none".to_owned(),
        }
    )?;
    writeln!(text, "examined: {at}, by vigie {}", env!("CARGO_PKG_VERSION"))?;
    writeln!(
        text,
        "how:      {} calls that can do no harm: changes to EC2 as dry runs about ids that do not exist, changes to a load \
         balancer\n          whose name nobody gave, lists of identities; what the cloud does not deny counts as allowed",
        audit.tried.len()
    )?;
    if !audit.excess.is_empty() {
        writeln!(text, "\nThe key may do this:")?;
        for Excess {
            action,
            regions,
            evidence,
        } in &audit.excess
        {
            writeln!(
                text,
                "  {action} in {}: {}",
                regions.join(", "),
                evidence.join(", ")
            )?;
        }
    }
    if !(audit.unknown.is_empty() && audit.refused.is_empty()) {
        writeln!(text, "\nThis could not be told:")?;
        for refused in &audit.refused {
            writeln!(text, "  anything in {}: {}", refused.region, refused.error)?;
        }
        for Unknown { action, region, why } in &audit.unknown {
            writeln!(text, "  {action} in {region}: {why}")?;
        }
    }
    write_settled(text, "The cloud denied this:", &audit.denied)?;
    write_settled(text, "The cloud does not have this:", &audit.absent)?;
    let (excess, tried) = (audit.excess.len(), audit.tried.len());
    match audit.outcome {
        Outcome::Nothing => writeln!(text, "\nResult: the key may do nothing of what was tried."),
        Outcome::Unknown => writeln!(
            text,
            "\nResult: nothing was found, but not everything could be told."
        ),
        Outcome::Excess => writeln!(
            text,
            "\nResult: the key may do {excess} of the {tried} things tried.\n\
             Advice: watch with a key that may not: `vigie bootstrap --provider {provider} --region {} --out FILE` makes \
             one. Or take\nthese rights from the user of this key, and look for what else grants them.",
            audit.regions.first().map_or("REGION", String::as_str)
        ),
    }
}

fn write_settled(text: &mut String, head: &str, settled: &[Settled]) -> std::fmt::Result {
    if settled.is_empty() {
        return Ok(());
    }
    writeln!(text, "\n{head}")?;
    for Settled { action, regions } in settled {
        writeln!(text, "  {action} in {}", regions.join(", "))?;
    }
    Ok(())
}
