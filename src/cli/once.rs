//! `vigie once`: poll every kind once, print what was found, exit 1 if anything failed.

use std::io::{IsTerminal as _, Write as _};

use clap::ValueEnum;
use serde_json::json;

use super::log::Escaped;
use super::plain::Plain;
use super::{Failure, after_printing, table};
use crate::agent::{Agent, Failed};
use crate::api::Reason;
use crate::config::Settings;
use crate::credentials;
use crate::exposition::{self, Page, Part};
use crate::reading::Line;
use crate::text::Text;

/// How `vigie once` prints.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(super) enum Format {
    /// The page, in Prometheus' text format.
    Prometheus,
    /// One object: `polls` and `samples`.
    Json,
    /// Tables for people.
    Table,
}

pub(super) async fn once(settings: &Settings, format: Format) -> Result<(), Failure> {
    let mut agent = Agent::new(settings, &credentials::process_variables()).map_err(Failure::usage)?;
    agent.find_keys().await.map_err(Failure::usage)?;
    let failures = agent.poll_once().await;
    let printed = print(&agent.page, &failures, format);
    for watched in agent.page.watched() {
        if let Some(reading) = watched.status().reading.filter(|reading| reading.skipped > 0) {
            writeln!(
                std::io::stderr(),
                "vigie: {} of account {} in {}: {} could not be understood and were left out, the first: {}",
                watched.kind.name,
                watched.account,
                watched.region,
                reading.skipped,
                Plain(reading.first_skipped.as_deref().unwrap_or_default())
            )?;
        }
    }
    after_printing(printed, told(&failures))
}

/// Tells the person which polls failed, and how the command ends for it.
pub(super) fn told(failures: &[Failed]) -> Result<(), Failure> {
    for failed in failures {
        let Failed {
            account,
            region,
            kind,
            error,
            explained,
        } = failed;
        writeln!(
            std::io::stderr(),
            "vigie: {kind} of account {account} in {region} ({}): {}",
            error.reason().name(),
            Plain(explained),
        )?;
    }
    if failures.is_empty() {
        return Ok(());
    }
    if failures
        .iter()
        .any(|failed| failed.error.reason() == Reason::Auth)
    {
        writeln!(
            std::io::stderr(),
            "vigie: a key was refused, and this command does not try it again: find out why before you run it again, since \
             refusals in a row may lock the account"
        )?;
    }
    Err(Failure {
        exit_code: 1,
        error: None,
    })
}

fn print(page: &Page, failures: &[Failed], format: Format) -> std::io::Result<()> {
    let stdout = std::io::stdout();
    // Programs get what was read, byte for byte; a terminal would obey what stands in a name.
    let is_terminal = stdout.is_terminal();
    let mut output = std::io::BufWriter::new(stdout.lock());
    match format {
        Format::Prometheus => {
            let assembled = page.assemble(exposition::Format::Text, false, &Part::default());
            for chunk in assembled.chunks() {
                if is_terminal {
                    write!(output, "{}", Plain(String::from_utf8_lossy(&chunk)))?;
                } else {
                    output.write_all(&chunk)?;
                }
            }
        }
        Format::Json => {
            let object = as_json(page, failures);
            if is_terminal {
                serde_json::to_writer_pretty(Escaped(&mut output), &object)?;
            } else {
                serde_json::to_writer_pretty(&mut output, &object)?;
            }
            output.write_all(b"\n")?;
        }
        Format::Table => output.write_all(table::render(page).as_bytes())?,
    }
    output.flush()
}

fn as_json(page: &Page, failures: &[Failed]) -> serde_json::Value {
    let mut samples = Vec::new();
    for reading in page.all_readings(&Part::default()) {
        for lines in reading.texts.iter().flat_map(Text::chunks) {
            samples.extend(lines.lines().filter_map(Line::parse).map(|line| {
                let labels: serde_json::Map<String, serde_json::Value> = line
                    .labels()
                    .map(|(name, value)| (name.to_owned(), value.into()))
                    .collect();
                json!({ "name": line.name, "labels": labels, "value": line.value })
            }));
        }
    }
    let polls: Vec<serde_json::Value> = page
        .watched()
        .iter()
        .map(|watched| {
            let failed = failures.iter().find(|failed| {
                (failed.kind, &failed.account, &failed.region)
                    == (watched.kind.name, &watched.account, &watched.region)
            });
            let reading = page.reading(watched);
            json!({
                "account": watched.account,
                "region": watched.region,
                "kind": watched.kind.name,
                "success": failed.is_none(),
                "objects": reading.as_ref().map(|reading| reading.objects),
                "skipped_objects": reading.as_ref().map(|reading| reading.skipped),
                "reason": failed.map(|failed| failed.error.reason().name()),
                "error": failed.map(|failed| &failed.explained),
            })
        })
        .collect();
    json!({ "polls": polls, "samples": samples })
}
