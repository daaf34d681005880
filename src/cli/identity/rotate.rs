//! `vigie rotate`: a new key without a gap.

use std::io::Write as _;
use std::path::PathBuf;

use anyhow::anyhow;
use clap::Args;

use super::admin::AdminArguments;
use super::progress::Progress;
use super::report::{Subject, in_words};
use super::{FileArguments, KindArguments, RetirementArguments, check_name};
use crate::cli::Failure;
use crate::identity::{self, Event, Names, Patience, REQUEST_TIME, Retirement, Rotation};

/// What `vigie rotate` takes.
#[derive(Debug, Args)]
pub(in crate::cli) struct Arguments {
    #[command(flatten)]
    admin: AdminArguments,
    /// The file with the key that is to be replaced.
    #[arg(long, value_name = "FILE")]
    out: PathBuf,
    #[command(flatten)]
    file: FileArguments,
    /// The user that the key belongs to.
    #[arg(long, value_name = "NAME", default_value_t = Names::default().user)]
    user: String,
    #[command(flatten)]
    kinds: KindArguments,
    #[command(flatten)]
    retirement: RetirementArguments,
    /// Delete this key of the user first, where it has as many as it may.
    #[arg(long, value_name = "ID")]
    delete_key: Option<String>,
    /// Print one object on stdout, for machines.
    #[arg(long)]
    json: bool,
}

pub(in crate::cli) async fn rotate(arguments: Arguments) -> Result<(), Failure> {
    let provider = arguments.admin.provider()?;
    let kinds = arguments.kinds.kinds(provider)?;
    let accept = arguments.kinds.accepted(provider)?;
    check_name("--user", &arguments.user, 64)?;
    if arguments.out.as_os_str() == "-" {
        return Err(Failure::usage(anyhow!(
            "`--out` names the file in which the key is replaced; for a key on stdout, write \
             `vigie bootstrap --out - --replace-key ID`"
        )));
    }
    let place = arguments.admin.place()?;
    let subject = Subject {
        command: "rotate",
        place: &place,
        names: None,
        json: arguments.json,
    };
    let mut progress = Progress::new();
    let file = match arguments.file.open(&arguments.out, provider) {
        Ok(file) => file,
        Err(error) => return subject.end(&progress, Err(error)),
    };
    let source = arguments.admin.source(provider)?;
    let rotation = Rotation {
        user: &arguments.user,
        kinds: &kinds,
        accept: &accept,
        delete_first: arguments.delete_key.as_deref(),
        retirement: Retirement {
            grace: arguments.retirement.grace().unwrap_or(REQUEST_TIME),
            keep: arguments.retirement.keep_old(),
        },
        patience: Patience::of(provider),
    };
    let mut told = |event: Event<'_>| progress.tell(event);
    match identity::rotate(&place, source, &rotation, &file, &mut told).await {
        Ok(proof) => {
            if !arguments.json {
                write!(
                    std::io::stdout(),
                    "{}",
                    in_words(&place, &arguments.user, &proof, None)
                )?;
            }
            subject.end(&progress, Ok(Some(&proof)))
        }
        Err(error) => subject.end(&progress, Err(error)),
    }
}
