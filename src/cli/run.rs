//! `vigie run`: poll and serve until SIGTERM or SIGINT.

use std::sync::Arc;

use anyhow::{Context as _, anyhow};
use tokio::net::TcpListener;
use tokio::signal::unix::{SignalKind, signal};
use tracing::info;

use super::Failure;
use super::service::Manager;
use crate::agent::Agent;
use crate::config::Settings;
use crate::credentials;
use crate::server;

pub(super) async fn run(settings: &Settings) -> Result<(), Failure> {
    let agent = Agent::new(settings, &credentials::process_variables()).map_err(Failure::usage)?;
    agent.find_keys().await.map_err(Failure::usage)?;
    let listener = bind(settings.listen.as_str()).await.map_err(Failure::usage)?;
    serve(agent, listener).await
}

pub(super) async fn bind(address: &str) -> anyhow::Result<TcpListener> {
    TcpListener::bind(address).await.map_err(|error| {
        anyhow!(
            "cannot listen on {address} ({error}): choose another with `listen` in the settings or `--listen`"
        )
    })
}

/// Polls and serves until told to stop.
pub(super) async fn serve(agent: Agent, listener: TcpListener) -> Result<(), Failure> {
    let address = listener
        .local_addr()
        .context("asking for the address listened on")?;
    let listening = format!("listening on http://{address}");
    let manager = Arc::new(Manager::of_this_process());
    let told_to_end = told_to_end({
        let (manager, listening) = (Arc::clone(&manager), listening.clone());
        move || {
            manager.reloading();
            info!("SIGHUP: settings are read at the start only; keys are read again by themselves");
            manager.ready(&listening);
        }
    })?;
    let shutdown = {
        let manager = Arc::clone(&manager);
        async move {
            let name = told_to_end.await;
            manager.stopping();
            info!("{name}: ending the scrapes under way, then stopping");
        }
    };
    info!(version = env!("CARGO_PKG_VERSION"), "{listening}");
    let page = Arc::clone(&agent.page);
    let polls = agent.start();
    let signs_of_life = manager.keep_alive().context("keeping the watchdog quiet")?;
    manager.ready(&listening);
    server::run(listener, page, shutdown).await.context("serving")?;
    drop((polls, signs_of_life));
    info!("stopped");
    Ok(())
}

/// The signal that ends the process, once it comes; listened for from this call on. On SIGHUP it calls `answer`.
pub(super) fn told_to_end(
    answer: impl Fn() + Send + 'static,
) -> anyhow::Result<impl Future<Output = &'static str> + Send + 'static> {
    let mut terminate = signal(SignalKind::terminate()).context("listening for SIGTERM")?;
    let mut interrupt = signal(SignalKind::interrupt()).context("listening for SIGINT")?;
    let mut hang_up = signal(SignalKind::hangup()).context("listening for SIGHUP")?;
    Ok(async move {
        loop {
            tokio::select! {
                _ = terminate.recv() => return "SIGTERM",
                _ = interrupt.recv() => return "SIGINT",
                _ = hang_up.recv() => answer(),
            }
        }
    })
}
