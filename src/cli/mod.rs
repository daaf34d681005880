//! The commands: each parses, calls the rooms below and speaks to the person.
//!
//! Text for people goes to stderr, data to stdout.

mod audit;
mod check;
mod demo;
mod dumps;
mod health;
mod identity;
pub mod log;
mod manual;
mod measured;
mod metrics;
mod once;
mod plain;
mod run;
mod service;
mod signals;
mod table;

use std::path::PathBuf;
use std::str::FromStr;
use std::sync::Arc;

use anyhow::Context as _;
use clap::{Args, Parser, Subcommand};
use reqwest::Url;
use tokio::runtime::Runtime;
use tracing::warn;

use self::plain::Plain;
use crate::config::{self, Address, LogFormat, OneAccount, Settings};
use crate::provider::Provider;
use crate::resources;

/// The state of instances and load balancers of EC2-compatible clouds, for Prometheus.
///
/// With a key that may only describe, vigie polls OUTSCALE (FCU, LBU) and AWS (EC2, ELB).
#[derive(Debug, Parser)]
#[command(version, after_help = "Try it without an account:\n  vigie demo")]
pub struct Cli {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Poll and serve until told to stop.
    #[command(after_help = "Example:\n  vigie run --config /etc/vigie/vigie.toml")]
    Run {
        #[command(flatten)]
        account: AccountArguments,
        #[command(flatten)]
        listen: ListenArgument,
        /// Let `POST /-/reload` ask for the settings to be taken anew, as SIGHUP does.
        #[arg(long)]
        enable_lifecycle: bool,
    },
    /// Poll every kind once and print what was found.
    #[command(after_help = "Example:\n  vigie once --provider outscale --region eu-west-2 --format table")]
    Once {
        #[command(flatten)]
        account: AccountArguments,
        /// How to print it.
        #[arg(long, value_enum, default_value_t = once::Format::Prometheus)]
        format: once::Format,
    },
    /// Give the agent its own key, which may only describe: group, policy, user and key, made once by an admin.
    #[command(after_help = BOOTSTRAP_HELP)]
    Bootstrap(Box<identity::Bootstrap>),
    /// Put a new key in place of the one in a file, without a gap.
    #[command(
        after_help = "Example:\n  vigie rotate --provider outscale --region eu-west-2 --out /etc/vigie/credentials"
    )]
    Rotate(Box<identity::Rotate>),
    /// Remove what bootstrap made.
    #[command(after_help = "Example:\n  vigie teardown --provider outscale --region eu-west-2")]
    Teardown(Box<identity::Teardown>),
    /// Examine what the key may do beyond describing, by calls that can do no harm.
    ///
    /// Exit code: 0 nothing, 1 something, 2 could not tell.
    #[command(after_help = "Example:\n  vigie audit --provider outscale --region eu-west-2")]
    Audit {
        #[command(flatten)]
        account: AccountArguments,
        /// As one object, `audits`.
        #[arg(long)]
        json: bool,
    },
    /// Validate the settings, print them as they are in force, forecast the calls.
    #[command(after_help = "Example:\n  vigie check --config /etc/vigie/vigie.toml --live")]
    Check {
        #[command(flatten)]
        account: AccountArguments,
        #[command(flatten)]
        listen: ListenArgument,
        /// Poll everything once too, and tell what that took and what the page comes to.
        #[arg(long)]
        live: bool,
    },
    /// List every metric: name, type, labels, help.
    #[command(after_help = "Example:\n  vigie metrics --markdown > METRICS.md")]
    Metrics {
        /// As a table for documentation.
        #[arg(long)]
        markdown: bool,
    },
    /// Print the manual page, or write that of every command into a directory.
    #[command(after_help = "Example:\n  vigie man --out /usr/local/share/man/man1")]
    Man {
        /// The directory.
        #[arg(long, value_name = "DIRECTORY")]
        out: Option<PathBuf>,
    },
    /// Print what a shell takes to complete commands and flags.
    #[command(after_help = "Example:\n  vigie completions bash > /etc/bash_completion.d/vigie")]
    Completions {
        /// The shell.
        shell: clap_complete::Shell,
    },
    /// Ask the agent on this machine whether it is healthy, as container engines do.
    ///
    /// Exit code: 0 healthy, 1 not.
    #[command(after_help = "Example:\n  vigie health --url http://127.0.0.1:9980/-/healthy")]
    Health {
        /// What to ask [default: where `--listen` says, as the agent itself takes it].
        #[arg(long, value_name = "URL")]
        url: Option<Url>,
        #[command(flatten)]
        listen: ListenArgument,
    },
    /// Start a simulated cloud and watch it: no account needed.
    #[command(
        after_help = "Example:\n  vigie demo\n  vigie demo --cloud-only --provider aws --cloud-listen 127.0.0.1:5000"
    )]
    Demo(demo::Arguments),
}

fn no_provider() -> Failure {
    Failure::usage(anyhow::anyhow!(
        "`--provider` is missing: write `--provider outscale` or `--provider aws`"
    ))
}

/// Which account is meant: a settings file, or one account by flags.
#[derive(Debug, Args)]
struct AccountArguments {
    /// The settings file: TOML, YAML or JSON.
    #[arg(long, env = "VIGIE_CONFIG", value_name = "FILE")]
    config: Option<Given<PathBuf>>,
    #[command(flatten)]
    place: PlaceArguments,
    /// Where the key is, if not in the provider's usual places: environment, files, and on AWS a role, a container, an
    /// instance.
    #[arg(long, env = "VIGIE_CREDENTIALS_FILE", value_name = "FILE")]
    credentials_file: Option<Given<PathBuf>>,
    /// The profile of the key, in that file or in the provider's usual ones.
    #[arg(long, env = "VIGIE_PROFILE", value_name = "NAME")]
    profile: Option<Given<String>>,
}

/// Where a cloud is, without a settings file.
#[derive(Debug, Args)]
struct PlaceArguments {
    /// The cloud: `outscale` or `aws`.
    #[arg(long, env = "VIGIE_PROVIDER", value_name = "PROVIDER")]
    provider: Option<Given<Provider>>,
    /// The region; more than one by repeating it, or with commas.
    #[arg(
        long = "region",
        env = "VIGIE_REGIONS",
        value_delimiter = ',',
        value_name = "REGION"
    )]
    regions: Vec<Given<String>>,
    /// One URL for all services, in place of the provider's own.
    #[arg(long, env = "VIGIE_ENDPOINT_URL", value_name = "URL")]
    endpoint_url: Option<Given<String>>,
}

impl PlaceArguments {
    fn provider(&self) -> Option<Provider> {
        Given::value(self.provider.as_ref())
    }

    fn regions(&self) -> Vec<String> {
        self.regions
            .iter()
            .filter_map(|region| region.0.clone())
            .collect()
    }

    fn endpoint_url(&self) -> Option<String> {
        Given::value(self.endpoint_url.as_ref())
    }
}

/// Where the page is served, if not where the settings say.
#[derive(Debug, Args)]
struct ListenArgument {
    /// Where to serve the page [default: 127.0.0.1:9980].
    #[arg(long, env = "VIGIE_LISTEN", value_name = "HOST:PORT")]
    listen: Option<Given<Address>>,
}

/// What a flag or its variable gives. A variable that is set to nothing, as compose files do, gives nothing.
#[derive(Debug, Clone)]
struct Given<T>(Option<T>);

impl<T: Clone> Given<T> {
    fn value(flag: Option<&Self>) -> Option<T> {
        flag.and_then(|given| given.0.clone())
    }
}

impl<T: FromStr> FromStr for Given<T> {
    type Err = T::Err;

    fn from_str(text: &str) -> Result<Self, T::Err> {
        Ok(Self(if text.is_empty() {
            None
        } else {
            Some(text.parse()?)
        }))
    }
}

/// How a command ends when it does not end well.
#[derive(Debug)]
pub struct Failure {
    /// What the process exits with.
    pub exit_code: u8,
    /// What to tell the person, unless it was told.
    pub error: Option<anyhow::Error>,
}

impl Failure {
    /// Bad settings or arguments: `EX_USAGE` of sysexits.
    pub const USAGE: u8 = 64;

    /// A person must decide.
    pub const REFUSED: u8 = 3;

    /// What to tell the person, as text that a terminal may show.
    pub fn told(&self) -> Option<String> {
        let error = self.error.as_ref()?;
        Some(Plain(format_args!("{error:#}")).to_string())
    }

    /// The error itself.
    fn into_error(self) -> anyhow::Error {
        let untold = || anyhow::anyhow!("it was told already");
        self.error.unwrap_or_else(untold)
    }

    fn usage(error: impl Into<anyhow::Error>) -> Self {
        Self {
            exit_code: Self::USAGE,
            error: Some(error.into()),
        }
    }
}

/// What is not the settings' fault.
impl From<anyhow::Error> for Failure {
    fn from(error: anyhow::Error) -> Self {
        Self {
            exit_code: 1,
            error: Some(error),
        }
    }
}

/// How a command ends that has printed. That nobody reads it any more makes nothing better than it was.
fn after_printing(printed: std::io::Result<()>, outcome: Result<(), Failure>) -> Result<(), Failure> {
    match printed {
        Err(error) if outcome.is_ok() => Err(error.into()),
        _ => outcome,
    }
}

/// Output that nobody reads any more, as behind `| head`, is no failure.
impl From<std::io::Error> for Failure {
    fn from(error: std::io::Error) -> Self {
        if error.kind() == std::io::ErrorKind::BrokenPipe {
            return Self {
                exit_code: 0,
                error: None,
            };
        }
        anyhow::Error::from(error).context("writing the output").into()
    }
}

impl Cli {
    /// Does what was asked for.
    pub fn run(self) -> Result<(), Failure> {
        let dumped = dumps::forbid().err();
        let start_log = |format, level| {
            log::start(format, level);
            if let Some(error) = &dumped {
                warn!(%error, "core dumps cannot be forbidden: a crash may write keys to the disk");
            }
        };
        match self.command {
            Command::Run {
                account,
                listen,
                enable_lifecycle,
            } => {
                let load = move || {
                    let mut settings = account.settings()?;
                    settings.listen = Given::value(listen.listen.as_ref()).unwrap_or(settings.listen);
                    Ok(settings)
                };
                let settings: Settings = load()?;
                start_log(settings.log_format, "info");
                let origin = run::Origin {
                    load: Some(Arc::new(move || load().map_err(Failure::into_error))),
                    lifecycle: enable_lifecycle,
                };
                block_on(runtime()?, run::run(&settings, origin))
            }
            Command::Once { account, format } => {
                let settings = account.settings()?;
                start_log(settings.log_format, COMMAND_LOG);
                wait_for(once::once(&settings, format))
            }
            Command::Bootstrap(arguments) => {
                start_log(LogFormat::Text, COMMAND_LOG);
                wait_for(identity::bootstrap(*arguments))
            }
            Command::Rotate(arguments) => {
                start_log(LogFormat::Text, COMMAND_LOG);
                wait_for(identity::rotate(*arguments))
            }
            Command::Teardown(arguments) => {
                start_log(LogFormat::Text, COMMAND_LOG);
                wait_for(identity::teardown(*arguments))
            }
            Command::Audit { account, json } => {
                let settings = account.settings()?;
                // What could not be told is part of what is printed.
                start_log(settings.log_format, COMMAND_LOG);
                wait_for(audit::audit(&settings, json))
            }
            Command::Check {
                account,
                listen,
                live,
            } => {
                let mut settings = account.settings()?;
                settings.listen = Given::value(listen.listen.as_ref()).unwrap_or(settings.listen);
                start_log(settings.log_format, "warn");
                wait_for(check::check(&settings, live))
            }
            Command::Metrics { markdown } => metrics::metrics(markdown),
            Command::Man { out } => manual::manual(out.as_deref()),
            Command::Completions { shell } => manual::completions(shell),
            Command::Health { url, listen } => wait_for(health::health(url, &listen)),
            Command::Demo(arguments) => {
                start_log(LogFormat::Text, "info");
                block_on(runtime()?, demo::demo(arguments))
            }
        }
    }
}

impl AccountArguments {
    fn settings(&self) -> Result<Settings, Failure> {
        let registry = resources::registry();
        let variables = config::process_environment();
        if let Some(file) = Given::value(self.config.as_ref()) {
            self.nothing_beside_a_file()?;
            return config::load(Some(&file), &registry, &variables).map_err(Failure::usage);
        }
        let Some(provider) = self.place.provider() else {
            if !self.place.regions().is_empty() {
                return Err(no_provider());
            }
            return Err(Failure::usage(anyhow::anyhow!(
                "no account to poll: write `--config FILE` (or set VIGIE_CONFIG), or `--provider outscale --region \
                 eu-west-2` (VIGIE_PROVIDER, VIGIE_REGIONS); `vigie demo` needs neither"
            )));
        };
        let one = OneAccount {
            provider,
            regions: self.place.regions(),
            credentials_file: Given::value(self.credentials_file.as_ref()),
            profile: Given::value(self.profile.as_ref()),
            endpoint_url: self.place.endpoint_url(),
        };
        config::load_one(&one, &registry, &variables).map_err(Failure::usage)
    }

    /// A flag that a settings file would silently win over is an error.
    fn nothing_beside_a_file(&self) -> Result<(), Failure> {
        let given = [
            ("--provider", self.place.provider().is_some()),
            ("--region", !self.place.regions().is_empty()),
            (
                "--credentials-file",
                Given::value(self.credentials_file.as_ref()).is_some(),
            ),
            ("--profile", Given::value(self.profile.as_ref()).is_some()),
            ("--endpoint-url", self.place.endpoint_url().is_some()),
        ];
        match given.into_iter().find(|(_, given)| *given) {
            Some((flag, _)) => Err(Failure::usage(anyhow::anyhow!(
                "`{flag}` (or its VIGIE_ variable) describes an account without a settings file: leave it out, \
                 or write it into the file's [[account]]"
            ))),
            None => Ok(()),
        }
    }
}

/// Runs a command that ends by itself, unless a signal ends it.
fn wait_for(command: impl Future<Output = Result<(), Failure>>) -> Result<(), Failure> {
    let runtime = runtime()?;
    signals::end_even_the_first_process(&runtime)?;
    block_on(runtime, command)
}

fn runtime() -> anyhow::Result<Runtime> {
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build();
    runtime.context("starting the runtime")
}

/// Runs a command to its end, on threads of its own.
fn block_on(runtime: Runtime, command: impl Future<Output = Result<(), Failure>>) -> Result<(), Failure> {
    let outcome = runtime.block_on(command);
    // Looking up a name blocks a thread, for minutes if nobody answers: nothing waits for that any more.
    runtime.shutdown_background();
    outcome
}

/// What fails in a command that ends is told at its end, once.
const COMMAND_LOG: &str = "warn,vigie::api::attempt=error";

const BOOTSTRAP_HELP: &str =
    "The admin's key is read from the provider's usual environment and files, from a \
profile of them, or from a file or stdin; never from an argument, and it is kept nowhere.

Exit: 0 done, or done before; 1 failed; 3 refused, a person must decide; 64 bad arguments.

Example:
  vigie bootstrap --provider outscale --region eu-west-2 --out /etc/vigie/credentials
  vigie bootstrap --provider aws --print-policy";
