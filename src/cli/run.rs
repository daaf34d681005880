//! `vigie run`: poll and serve until SIGTERM or SIGINT; take the settings anew on SIGHUP.

use std::sync::Arc;

use anyhow::{Context as _, anyhow};
use tokio::net::TcpListener;
use tokio::sync::mpsc;
use tokio::task::JoinSet;
use tracing::{error, info};

use super::Failure;
use super::service::Manager;
use super::signals::Signals;
use crate::agent::{Agent, Running};
use crate::config::Settings;
use crate::credentials;
use crate::repeated::Repeated;
use crate::server::{self, Reload, Web};

/// Where settings come from, and who may ask for them to be taken anew.
pub(super) struct Origin {
    /// The settings as they are written now; nobody, where nothing is written.
    pub(super) load: Option<Load>,
    /// Whether `POST /-/reload` asks for it as SIGHUP does.
    pub(super) lifecycle: bool,
}

/// Reads the settings, which may take as long as a file system does.
pub(super) type Load = Arc<dyn Fn() -> anyhow::Result<Settings> + Send + Sync>;

pub(super) async fn run(settings: &Settings, origin: Origin) -> Result<(), Failure> {
    // From here on none is lost, however long looking for keys takes.
    let mut signals = Signals::listen()?;
    let ready = async {
        // Before anything is asked of a cloud: nobody shall come in whom the file keeps out.
        let web = web(settings).map_err(Failure::usage)?;
        let agent = Agent::new(settings, &credentials::process_variables()).map_err(Failure::usage)?;
        agent.find_keys().await.map_err(Failure::usage)?;
        let listener = bind(settings.listen.as_str()).await.map_err(Failure::usage)?;
        Ok::<_, Failure>((agent, listener, web))
    };
    let (agent, listener, web) = tokio::select! {
        ready = ready => ready?,
        name = signals.told_to_end() => {
            info!(signal = name, "told to stop before the page was served");
            return Ok(());
        }
    };
    serve(agent, listener, web, origin, signals).await
}

/// What the settings' web configuration file says, if they name one.
pub(super) fn web(settings: &Settings) -> Result<Option<Arc<Web>>, server::Error> {
    let web = settings.web_config_file.as_deref().map(Web::load).transpose()?;
    Ok(web.map(Arc::new))
}

pub(super) async fn bind(address: &str) -> anyhow::Result<TcpListener> {
    server::bind(address).await.map_err(|error| {
        anyhow!(
            "cannot listen on {address} ({error}): choose another with `listen` in the settings or `--listen`"
        )
    })
}

/// Polls and serves until told to stop.
pub(super) async fn serve(
    agent: Agent,
    listener: TcpListener,
    web: Option<Arc<Web>>,
    origin: Origin,
    signals: Signals,
) -> Result<(), Failure> {
    let address = listener
        .local_addr()
        .context("asking for the address listened on")?;
    let scheme = if web.as_ref().is_some_and(|web| web.has_tls()) {
        "https"
    } else {
        "http"
    };
    let listening = format!("listening on {scheme}://{address}");
    let manager = Arc::new(Manager::of_this_process());
    let (ask, asked) = mpsc::channel(1);
    let told_to_end = signals.answering({
        let ask = ask.clone();
        // One that waits for its turn already reads what is written by then.
        move || drop(ask.try_send(Reload::unanswered()))
    });
    let shutdown = {
        let manager = Arc::clone(&manager);
        async move {
            let name = told_to_end.await;
            manager.stopping();
            info!(signal = name, "told to stop: ending the scrapes under way first");
        }
    };
    info!(version = env!("CARGO_PKG_VERSION"), "{listening}");
    let page = Arc::clone(&agent.page);
    let sources = Sources {
        load: origin.load,
        web: web.clone(),
    };
    let running = agent.start();
    if let Some(web) = &web {
        running.show_whether_taken(web);
    }
    let signs_of_life = manager.keep_alive().context("keeping the watchdog quiet")?;
    manager.ready(&listening);
    let options = server::Options {
        reloads: origin.lifecycle.then_some(ask),
        web,
        ..server::Options::default()
    };
    // On a task of its own: while settings are read, scrapes are answered, and whoever tells it to end is heard.
    let mut reloads = JoinSet::new();
    reloads.spawn(keep_reloading(running, sources, asked, manager, listening));
    tokio::select! {
        () = server::run_with(listener, page, options, shutdown) => {}
        // All polls ended with it.
        Some(ended) = reloads.join_next() => {
            ended.context("taking other settings broke down, which is a fault of vigie: please report it")?;
        }
    }
    drop((reloads, signs_of_life));
    info!("stopped");
    Ok(())
}

/// What is read anew.
struct Sources {
    load: Option<Load>,
    web: Option<Arc<Web>>,
}

/// Takes the settings anew as often as somebody asks.
async fn keep_reloading(
    mut running: Running,
    sources: Sources,
    mut asked: mpsc::Receiver<Reload>,
    manager: Arc<Manager>,
    listening: String,
) {
    let mut refusals = Repeated::default();
    while let Some(reload) = asked.recv().await {
        manager.reloading();
        reload.answer(reloaded(&mut running, &sources, &mut refusals).await);
        manager.ready(&listening);
    }
    // Nobody can ask any more, and what runs goes on.
    std::future::pending::<()>().await;
}

/// Takes the settings anew, and looks at the web configuration file, which is followed anyway: whoever asks is told of
/// what is wrong with either.
async fn reloaded(
    running: &mut Running,
    sources: &Sources,
    refusals: &mut Repeated<String>,
) -> server::Outcome {
    let settings = settings_taken(running, sources, refusals).await;
    let Some(web) = sources.web.clone() else {
        return settings;
    };
    let looked = tokio::task::spawn_blocking(move || web.reload()).await;
    // What is wrong with it is in the log already.
    let web = match looked.context("reading the web configuration file broke down") {
        Ok(Ok(())) => return settings,
        Ok(Err(refused)) => refused.to_string(),
        Err(error) => format!("{error:#}"),
    };
    Err(match settings {
        Ok(()) => format!("the settings are in force, and of the web configuration what was before: {web}"),
        Err(settings) => format!("{settings}; {web}"),
    })
}

/// Takes the settings anew, and tells what came of it.
async fn settings_taken(
    running: &mut Running,
    sources: &Sources,
    refusals: &mut Repeated<String>,
) -> server::Outcome {
    let Some(load) = sources.load.clone() else {
        info!("there are no settings to be read again");
        return Ok(());
    };
    let in_force = sources.web.clone();
    let loaded = tokio::task::spawn_blocking(move || {
        let settings = load()?;
        // The one in force is followed anyway. Another is taken at the next start, which it must not fail.
        let in_force = in_force.as_ref().map(|web| web.path());
        if settings.web_config_file.as_deref() != in_force {
            web(&settings)?;
        }
        Ok(settings)
    });
    let loaded = loaded.await;
    let outcome = match loaded.context("reading the settings broke down").flatten() {
        Ok(settings) => running.reload(settings).await,
        Err(error) => {
            running.refused();
            Err(error.context("the settings in force stay"))
        }
    };
    match outcome {
        Ok(()) => {
            if let Some(over) = refusals.over() {
                info!(
                    failures = over.failures,
                    seconds = over.lasted.as_secs(),
                    "the settings can be taken again"
                );
            }
            Ok(())
        }
        Err(error) => {
            let told = format!("{error:#}");
            if let Some(count) = refusals.again(told.clone()) {
                error!(count, error = %told, "the settings cannot be taken");
            }
            Err(told)
        }
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;
    use std::io::Write as _;
    use std::time::Duration;

    use super::*;
    use crate::config;
    use crate::resources;

    #[tokio::test]
    async fn settings_that_take_long_to_read_hold_nobody_up() {
        let mut file = tempfile::Builder::new().suffix(".toml").tempfile().unwrap();
        let written = "[[account]]\nname = \"a\"\nprovider = \"outscale\"\nregions = [\"eu-west-2\"]\n";
        file.write_all(written.as_bytes()).unwrap();
        let settings = config::load(Some(file.path()), &resources::registry(), &BTreeMap::new()).unwrap();
        // No key, so nobody is asked.
        let running = Agent::new(&settings, &(Arc::new(|_: &str| None) as credentials::Variables))
            .unwrap()
            .start();

        let (begun, mut begins) = mpsc::unbounded_channel();
        let (release, released) = std::sync::mpsc::channel();
        let released = std::sync::Mutex::new(released);
        let load: Load = Arc::new(move || {
            begun.send("reads").unwrap();
            // All of this test runs on one thread: held up by this, nobody would release it.
            let released = released.lock().unwrap().recv_timeout(Duration::from_secs(10));
            begun.send(released.unwrap_or("held up")).unwrap();
            Err(anyhow!("nothing to be taken"))
        });
        let (ask, asked) = mpsc::channel(1);
        let manager = Arc::new(Manager::of_this_process());
        let mut reloads = JoinSet::new();
        let sources = Sources {
            load: Some(load),
            web: None,
        };
        reloads.spawn(keep_reloading(running, sources, asked, manager, String::new()));
        ask.send(Reload::unanswered()).await.unwrap();
        assert_eq!(begins.recv().await, Some("reads"));
        release.send("released").unwrap();
        assert_eq!(begins.recv().await, Some("released"));
    }
}
