//! `vigie man` and `vigie completions`: from the same definitions as `--help`.

use std::io::Write as _;
use std::path::Path;

use anyhow::Context as _;
use clap::CommandFactory as _;
use clap_complete::Shell;

use super::{Cli, Failure};

/// Prints the manual page, or writes that of every command into a directory.
pub(super) fn manual(out: Option<&Path>) -> Result<(), Failure> {
    let command = Cli::command();
    let Some(folder) = out else {
        let mut page = Vec::new();
        clap_mangen::Man::new(command).render(&mut page)?;
        return Ok(std::io::stdout().write_all(&page)?);
    };
    let written = clap_mangen::generate_to(command, folder);
    written.with_context(|| {
        format!(
            "writing manual pages into {}: is it a directory?",
            folder.display()
        )
    })?;
    Ok(())
}

/// Prints what a shell takes to complete commands and flags.
pub(super) fn completions(shell: Shell) -> Result<(), Failure> {
    // The generator would panic where nobody reads on.
    let mut script = Vec::new();
    clap_complete::generate(shell, &mut Cli::command(), "vigie", &mut script);
    Ok(std::io::stdout().write_all(&script)?)
}
