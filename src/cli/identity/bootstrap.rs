//! `vigie bootstrap`: the limited identity, once.

use std::io::{IsTerminal as _, Write as _};
use std::os::fd::AsFd;
use std::path::{Path, PathBuf};

use anyhow::anyhow;
use clap::Args;
use rustix::fs::{FileType, fstat, stat};

use super::admin::AdminArguments;
use super::progress::{Progress, line, say};
use super::report::{Subject, in_words};
use super::{FileArguments, KindArguments, NameArguments, RetirementArguments};
use crate::cli::{Failure, after_printing};
use crate::credentials::Credentials;
use crate::identity::key_file::{self, Format};
use crate::identity::plan::Plan;
use crate::identity::policy::Policy;
use crate::identity::{self, Event, Out, Patience, Place, Wish};

/// What `vigie bootstrap` takes.
#[derive(Debug, Args)]
#[expect(clippy::struct_excessive_bools, reason = "each is a flag")]
pub(in crate::cli) struct Arguments {
    #[command(flatten)]
    admin: AdminArguments,
    /// The file that the key is written to, in a directory that is there; `-` for stdout.
    #[arg(long, value_name = "FILE")]
    out: Option<PathBuf>,
    #[command(flatten)]
    file: FileArguments,
    #[command(flatten)]
    names: NameArguments,
    #[command(flatten)]
    kinds: KindArguments,
    /// Allow everything that describes, so that later kinds need no new policy.
    #[arg(long)]
    describe_all: bool,
    /// Change a policy of this name that grants something else.
    #[arg(long)]
    update_policy: bool,
    /// Make a new key in place of this one, which is deleted once the new one is proven; more than one by repeating it.
    #[arg(long = "replace-key", value_name = "ID")]
    replace_keys: Vec<String>,
    #[command(flatten)]
    retirement: RetirementArguments,
    /// Only look, and print what would be done.
    #[arg(long)]
    plan: bool,
    /// Print the policy document and nothing else; needs no key and no network.
    #[arg(long, conflicts_with_all = ["plan", "json"])]
    print_policy: bool,
    /// Print one object on stdout, for machines.
    #[arg(long)]
    json: bool,
}

pub(in crate::cli) async fn bootstrap(arguments: Arguments) -> Result<(), Failure> {
    let provider = arguments.admin.provider()?;
    let kinds = arguments.kinds.kinds(provider)?;
    let policy = if arguments.describe_all {
        Policy::describe_all(provider)
    } else {
        Policy::of_kinds(provider, &kinds)
    };
    if arguments.print_policy {
        writeln!(std::io::stdout(), "{}", policy.pretty())?;
        return Ok(());
    }
    let place = arguments.admin.place()?;
    let wish = Wish {
        names: arguments.names.names()?,
        kinds,
        policy,
        update_policy: arguments.update_policy,
        accept: arguments.kinds.accepted(provider)?,
        replace_keys: arguments.replace_keys,
        grace: arguments.retirement.grace(),
        keep_old: arguments.retirement.keep_old(),
    };
    let to_stdout = arguments.out.as_deref().is_some_and(|out| out.as_os_str() == "-");
    let (profile, format) = (arguments.file.profile.clone(), arguments.file.format);
    let mut give = |key: &Credentials| {
        let text = key_file::render(format.unwrap_or(Format::Ini), provider, &profile, key);
        let mut output = std::io::stdout().lock();
        output.write_all(text.as_bytes())?;
        output.flush()
    };
    let subject = Subject {
        command: "bootstrap",
        place: &place,
        names: Some(&wish.names),
        json: arguments.json,
    };
    let out = match &arguments.out {
        None if arguments.plan => Out::Hand {
            name: "the file that `--out` will name",
            give: &mut give,
        },
        None => {
            return Err(Failure::usage(anyhow!(
                "`--out` is missing: name the file that the key is written to, such as /etc/vigie/credentials"
            )));
        }
        Some(_) if to_stdout => {
            refuse_stdout(arguments.json, arguments.plan)?;
            let accepted = format.unwrap_or(Format::Ini).accepts(&profile);
            accepted.map_err(identity::Error::from)?;
            Out::Hand {
                name: "stdout",
                give: &mut give,
            }
        }
        Some(path) => match arguments.file.open(path, provider) {
            Ok(file) => Out::File(file),
            Err(error) => return subject.end(&Progress::new(), Err(error)),
        },
    };
    let source = arguments.admin.source(provider)?;
    if arguments.plan {
        return match identity::plan(&place, source, &wish, &out).await {
            Ok(plan) => print_plan(&subject, &plan),
            Err(error) => subject.end(&Progress::new(), Err(error)),
        };
    }
    let mut progress = Progress::new();
    let mut told = |event: Event<'_>| progress.tell(event);
    let patience = Patience::of(provider);
    let outcome = identity::bootstrap(&place, source, &wish, out, patience, &mut told).await;
    let proof = match outcome {
        Ok(proof) => proof,
        Err(error) => return subject.end(&progress, Err(error)),
    };
    if let Some(path) = arguments.out.as_ref().filter(|_| !to_stdout) {
        say(&next_step(&place, path, &profile, format));
    }
    let words = in_words(
        &place,
        &wish.names.user,
        &proof,
        Some((&wish.names, &wish.policy)),
    );
    if to_stdout {
        say(&words);
    } else if !arguments.json {
        write!(std::io::stdout(), "{words}")?;
    }
    subject.end(&progress, Ok(Some(&proof)))
}

/// How the key is used from here.
fn next_step(place: &Place, path: &Path, profile: &str, format: Option<Format>) -> String {
    let path = path.display();
    match format {
        Some(Format::Env) => {
            format!("  next: give {path} to the agent as its environment (systemd: `EnvironmentFile={path}`)")
        }
        Some(Format::K8sSecret) => {
            format!(
                "  next: `kubectl apply -f {path}`, mount the Secret, and name its file `credentials` to the agent"
            )
        }
        _ => {
            let profile = match profile {
                "default" => String::new(),
                profile => format!(" --profile {profile}"),
            };
            let regions = place.regions.join(",");
            let provider = place.provider;
            // Without it the key would be shown to the real cloud, which does not know it.
            let endpoint = place
                .endpoint_url
                .as_ref()
                .map(|url| format!(" --endpoint-url {url}"))
                .unwrap_or_default();
            format!(
                "  next: vigie once --provider {provider} --region {regions}{endpoint} --credentials-file {path}{profile} --format table"
            )
        }
    }
}

/// A secret is shown to nobody who looks over a shoulder, and no key is made that nobody gets.
fn refuse_stdout(json: bool, plan: bool) -> Result<(), Failure> {
    if json && !plan {
        return Err(Failure::usage(anyhow!(
            "`--json` and `--out -` both want stdout: write the key to a file"
        )));
    }
    if std::io::stdout().is_terminal() && !plan {
        return Err(Failure::usage(anyhow!(
            "`--out -` would show the secret on this terminal: pipe it to where it belongs"
        )));
    }
    if is_lost(std::io::stdout()) && !plan {
        return Err(Failure::usage(anyhow!(
            "`--out -` would lose the key, as stdout is closed or leads to {NULL}: pipe it to where it belongs"
        )));
    }
    Ok(())
}

/// Whether what is written there is gone. It is where stdout was closed as well: Rust puts the null device in its place
/// before a program begins.
fn is_lost(output: impl AsFd) -> bool {
    let (Ok(output), Ok(null)) = (fstat(output), stat(NULL)) else {
        return false;
    };
    FileType::from_raw_mode(output.st_mode).is_char_device() && output.st_rdev == null.st_rdev
}

fn print_plan(subject: &Subject<'_>, plan: &Plan) -> Result<(), Failure> {
    let print = || {
        subject.end_plan(plan)?;
        if subject.json {
            return Ok(());
        }
        let mut output = std::io::stdout().lock();
        for step in &plan.steps {
            writeln!(output, "{}", line(step.action.name(), step))?;
        }
        output.flush()
    };
    let refused = || Failure {
        exit_code: Failure::REFUSED,
        error: None,
    };
    let outcome = plan.refusals().next().map_or(Ok(()), |_| Err(refused()));
    after_printing(print(), outcome)
}

const NULL: &str = "/dev/null";
