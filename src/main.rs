//! The `vigie` command.

use std::io::Write as _;
use std::process::ExitCode;

use clap::Parser as _;
use vigie::cli::{Cli, Failure};

fn main() -> ExitCode {
    let cli = match Cli::try_parse() {
        Ok(cli) => cli,
        Err(usage) => {
            // Nothing can be said about an error stream that is closed.
            usage.print().ok();
            return if usage.use_stderr() {
                ExitCode::from(Failure::USAGE)
            } else {
                ExitCode::SUCCESS
            };
        }
    };
    match cli.run() {
        Ok(()) => ExitCode::SUCCESS,
        Err(failure) => {
            if let Some(error) = failure.told() {
                writeln!(std::io::stderr(), "vigie: {error}").ok();
            }
            ExitCode::from(failure.exit_code)
        }
    }
}
