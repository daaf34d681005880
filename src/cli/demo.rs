//! `vigie demo`: a simulated cloud, a Describe-only key of its own making, and the agent on top.

use std::collections::HashMap;
use std::io::Write as _;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use anyhow::Context as _;
use clap::Args;
use secrecy::ExposeSecret as _;
use tokio::net::TcpListener;
use tracing::info;

use super::identity::Progress;
use super::signals::Signals;
use super::{AccountArguments, Failure, Given, PlaceArguments, run};
use crate::agent::Agent;
use crate::config::Address;
use crate::credentials::{Credentials, Source};
use crate::demo::{Cloud, Key, Options};
use crate::identity::policy::Policy;
use crate::identity::{self, Event, Out, Patience, Place, Wish};
use crate::provider::Provider;
use crate::resource::Tags;
use crate::resources::kinds_of;

/// What `vigie demo` takes.
#[derive(Debug, Args)]
pub(super) struct Arguments {
    /// Serve the cloud alone, for other clients.
    #[arg(long)]
    cloud_only: bool,
    /// The cloud to imitate.
    #[arg(long, default_value_t = Provider::Outscale)]
    provider: Provider,
    /// Where the cloud listens; loopback only.
    #[arg(long, default_value = "127.0.0.1:0", value_name = "ADDRESS:PORT")]
    cloud_listen: SocketAddr,
    /// Where the agent serves the page [default: 127.0.0.1:9980, or a free port if that is taken]; not used with `--cloud-only`.
    #[arg(long, env = "VIGIE_LISTEN", value_name = "HOST:PORT")]
    listen: Option<Given<Address>>,
    /// How many instances each region has.
    #[arg(long, default_value_t = 24)]
    instances: usize,
    /// How many load balancers each region has.
    #[arg(long, default_value_t = 5)]
    load_balancers: usize,
    /// How many target groups each region has, with load balancers that are not classic; on AWS only.
    #[arg(long, default_value_t = 4)]
    target_groups: usize,
    /// Decides all that looks like chance.
    #[arg(long, default_value_t = 1)]
    seed: u64,
    /// Let nothing change by itself.
    #[arg(long)]
    still: bool,
}

pub(super) async fn demo(arguments: Arguments) -> Result<(), Failure> {
    let mut signals = Signals::listen()?;
    let (cloud, watched) = tokio::select! {
        started = start(&arguments) => started?,
        _ = signals.told_to_end() => return Ok(()),
    };
    let Some((agent, listener)) = watched else {
        return cloud_only(&cloud, arguments.provider, signals).await;
    };
    let nothing_written = run::Origin {
        load: None,
        lifecycle: false,
    };
    run::serve(agent, listener, None, nothing_written, signals).await
}

/// The cloud, and what is to watch it, unless the cloud alone is wanted.
async fn start(arguments: &Arguments) -> Result<(Cloud, Option<(Agent, TcpListener)>), Failure> {
    if !arguments.cloud_listen.ip().is_loopback() {
        return Err(Failure::usage(anyhow::anyhow!(
            "the demo cloud listens on loopback only: `--cloud-listen` is {}, write 127.0.0.1:{}",
            arguments.cloud_listen,
            arguments.cloud_listen.port()
        )));
    }
    let region = region_of(arguments.provider);
    let listener = TcpListener::bind(arguments.cloud_listen)
        .await
        .with_context(|| {
            format!(
                "cannot listen on {}: choose another with `--cloud-listen`",
                arguments.cloud_listen
            )
        })
        .map_err(Failure::usage)?;
    let options = Options {
        provider: arguments.provider,
        seed: arguments.seed,
        instances: arguments.instances,
        load_balancers: arguments.load_balancers,
        target_groups: arguments.target_groups,
        alive: !arguments.still,
        tick: Duration::from_secs(1),
        regions: vec![region.to_owned()],
        lock_out: arguments.provider.lock_out_after().is_some(),
        ..Options::default()
    };
    let cloud = Cloud::start(options, listener)
        .await
        .context("starting the demo cloud")?;
    let groups = match arguments.provider {
        Provider::Outscale => String::new(),
        Provider::Aws => format!(", {} target groups", arguments.target_groups),
    };
    say(&format!(
        "a simulated {} cloud answers on {} (region {region}, {} instances, {} load balancers{groups})",
        arguments.provider,
        cloud.url(),
        arguments.instances,
        arguments.load_balancers
    ))?;
    if arguments.cloud_only {
        return Ok((cloud, None));
    }
    let key = bootstrapped(&cloud, arguments.provider, region).await?;
    let agent = watching(&cloud, arguments.provider, region, &key)?;
    let listener = match Given::value(arguments.listen.as_ref()) {
        Some(address) => run::bind(address.as_str()).await.map_err(Failure::usage)?,
        None => match run::bind("127.0.0.1:9980").await {
            Ok(listener) => listener,
            Err(_) => run::bind("127.0.0.1:0").await.map_err(Failure::usage)?,
        },
    };
    let address = listener
        .local_addr()
        .context("asking for the address listened on")?;
    say(&format!(
        "vigie polls it with that key every {} s; open",
        POLL_EVERY.as_secs()
    ))?;
    say(&format!(
        "    http://{address}/metrics    what Prometheus scrapes"
    ))?;
    say(&format!(
        "    http://{address}/           what is polled, for people"
    ))?;
    say("for example, what is stopped or out of service:")?;
    say(&format!(
        "    curl -s http://{address}/metrics | grep -E 'state=\"stopped\"}} 1$|backend_healthy.* 0$'"
    ))?;
    say("Ctrl-C ends it")?;
    Ok((cloud, Some((agent, listener))))
}

/// The key that an admin of the cloud gives to vigie, as `vigie bootstrap` makes it; kept in memory alone.
async fn bootstrapped(cloud: &Cloud, provider: Provider, region: &str) -> Result<Credentials, Failure> {
    let Key {
        access_key_id,
        secret_access_key,
    } = cloud.admin_key();
    let admin = Credentials {
        access_key_id,
        secret_access_key,
        session_token: None,
    };
    let place = Place {
        client_certificate: None,
        provider,
        regions: vec![region.to_owned()],
        endpoint_url: Some(cloud.url().parse().context("reading the cloud's URL")?),
        ca_bundle: None,
        requests_per_second: BUDGET,
    };
    let wish = Wish::of(provider, &kinds_of(provider));
    // What is made here is known here at once.
    let patience = Patience {
        first: Duration::ZERO,
        pause: Duration::from_secs(1),
        tries: 3,
        longest: Duration::from_secs(30),
        agreeing: 1,
        is_settled: true,
    };
    let mut made = None;
    let mut give = |key: &Credentials| {
        made = Some(key.clone());
        Ok(())
    };
    let out = Out::Hand {
        name: "memory, for the agent below",
        give: &mut give,
    };
    say("an admin gives vigie its own key, as `vigie bootstrap` does:")?;
    let mut progress = Progress::new();
    let source = Source::fixed(provider, admin, "demo");
    let mut told = |event: Event<'_>| progress.tell(event);
    identity::bootstrap(&place, source, &wish, out, patience, &mut told).await?;
    Ok(made.context("the key was not handed over")?)
}

/// The agent as `vigie run` would have it, with the demo's key in its environment.
fn watching(cloud: &Cloud, provider: Provider, region: &str, key: &Credentials) -> Result<Agent, Failure> {
    let account = AccountArguments {
        config: None,
        place: PlaceArguments {
            provider: Some(Given(Some(provider))),
            regions: vec![Given(Some(region.to_owned()))],
            endpoint_url: Some(Given(Some(cloud.url()))),
        },
        credentials_file: None,
        profile: None,
    };
    let mut settings = account.settings()?;
    settings.interval = POLL_EVERY;
    settings.audit_interval = Some(AUDIT_EVERY);
    for account in &mut settings.accounts {
        "demo".clone_into(&mut account.name);
        account.kinds = kinds_of(provider).iter().map(|kind| kind.name).collect();
        account.requests_per_second = BUDGET;
        account.tags = Tags::All;
    }
    let [id, secret] = variable_names(provider);
    let variables: HashMap<&str, String> = HashMap::from([
        (id, key.access_key_id.clone()),
        (secret, key.secret_access_key.expose_secret().to_owned()),
    ]);
    let agent = Agent::new(
        &settings,
        &(Arc::new(move |name: &str| variables.get(name).cloned()) as _),
    );
    agent.map_err(Failure::from)
}

/// Tells other clients how to come in, and lets them until told to end.
async fn cloud_only(cloud: &Cloud, provider: Provider, signals: Signals) -> Result<(), Failure> {
    let region = region_of(provider);
    let policy = Policy::of_kinds(provider, &kinds_of(provider));
    let actions: Vec<&str> = policy.actions().collect();
    let key = cloud.create_describe_only_user("vigie", &actions);
    say(&format!(
        "it has a user `vigie` who may do this and nothing else: {}",
        actions.join(", ")
    ))?;
    let [id, secret] = variable_names(provider);
    for (who, key) in [
        ("who may only describe", &key),
        ("who may do everything", &cloud.admin_key()),
    ] {
        say(&format!("the key of the user {who}, good nowhere else:"))?;
        say(&format!(
            "    export {id}={} {secret}={}",
            key.access_key_id,
            key.secret_access_key.expose_secret()
        ))?;
    }
    let place = format!(
        "--provider {provider} --region {region} --endpoint-url {}",
        cloud.url()
    );
    say("for example, with the one:")?;
    say(&format!("    vigie once {place} --format table"))?;
    say("or, with the other:")?;
    say(&format!("    vigie bootstrap {place} --out credentials"))?;
    say("Ctrl-C ends it")?;
    signals
        .answering(|| info!("SIGHUP: the cloud stays as it is"))
        .await;
    Ok(())
}

fn region_of(provider: Provider) -> &'static str {
    match provider {
        Provider::Outscale => "eu-west-2",
        Provider::Aws => "eu-west-1",
    }
}

fn variable_names(provider: Provider) -> [&'static str; 2] {
    match provider {
        Provider::Outscale => ["OSC_ACCESS_KEY", "OSC_SECRET_KEY"],
        Provider::Aws => ["AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"],
    }
}

fn say(line: &str) -> Result<(), Failure> {
    Ok(writeln!(std::io::stderr(), "{line}")?)
}

/// Often enough to see the fleet live.
const POLL_EVERY: Duration = Duration::from_secs(2);

/// Once soon after the start is all there is to see.
const AUDIT_EVERY: Duration = Duration::from_secs(60 * 60);

/// Nobody else asks the demo cloud.
const BUDGET: f64 = 50.0;
