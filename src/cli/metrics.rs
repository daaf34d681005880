//! `vigie metrics`: what can be on the page, from the same declarations that put it there.

use std::io::Write as _;

use super::Failure;
use crate::agent::own_families;
use crate::exposition;

pub(super) fn metrics(markdown: bool) -> Result<(), Failure> {
    let mut output = std::io::BufWriter::new(std::io::stdout().lock());
    if markdown {
        writeln!(
            output,
            "| metric | type | labels | help |\n| --- | --- | --- | --- |"
        )?;
    }
    for family in exposition::families(&own_families()) {
        if markdown {
            let labels: Vec<String> = family.labels.iter().map(|label| format!("`{label}`")).collect();
            let help = family.help.replace('|', "\\|");
            writeln!(
                output,
                "| `{}` | {} | {} | {help} |",
                family.name,
                family.kind,
                labels.join(", ").replace('|', "\\|")
            )?;
        } else {
            writeln!(output, "{} ({})", family.name, family.kind)?;
            if !family.labels.is_empty() {
                writeln!(output, "  labels: {}", family.labels.join(", "))?;
            }
            writeln!(output, "  {}", family.help)?;
        }
    }
    output.flush()?;
    Ok(())
}
