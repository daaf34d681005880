//! What the service manager that started this process is told, if one did: `sd_notify(3)`.
//!
//! The protocol is one datagram for each message. The crates for it know no abstract sockets, which containers use.

use std::env;
use std::ffi::OsStr;
use std::io;
use std::os::unix::ffi::OsStrExt as _;
use std::os::unix::net::{SocketAddr, UnixDatagram};
use std::time::Duration;

use tokio::task::JoinSet;
use tokio::time::{MissedTickBehavior, interval};
use tracing::{debug, warn};

/// The service manager, or nobody.
pub(super) struct Manager {
    socket: Option<UnixDatagram>,
    /// How long it waits for a sign of life before it ends this process.
    patience: Option<Duration>,
}

impl Manager {
    /// As the environment says.
    pub(super) fn of_this_process() -> Self {
        let socket = env::var_os("NOTIFY_SOCKET").filter(|name| !name.is_empty());
        let socket = socket.and_then(|name| match connected(&name) {
            Ok(socket) => Some(socket),
            Err(error) => {
                warn!(
                    socket = %name.display(),
                    %error,
                    "the service manager is not told that vigie runs"
                );
                None
            }
        });
        let number = |name| env::var(name).ok()?.parse::<u64>().ok();
        let is_for_us = number("WATCHDOG_PID").is_none_or(|id| id == u64::from(std::process::id()));
        let patience = number("WATCHDOG_USEC").filter(|&time| time > 0 && is_for_us);
        Self {
            socket,
            patience: patience.map(Duration::from_micros),
        }
    }

    /// Everything is up; `status` says what that means.
    pub(super) fn ready(&self, status: &str) {
        self.tell(&format!("READY=1\nSTATUS={status}"));
    }

    /// The settings are being read again, until [`Self::ready`] says otherwise.
    pub(super) fn reloading(&self) {
        self.tell("RELOADING=1");
    }

    /// The process is ending.
    pub(super) fn stopping(&self) {
        self.tell("STOPPING=1\nSTATUS=ending");
    }

    /// Gives signs of life, from a task like any other: a runtime that hangs gives none.
    pub(super) fn keep_alive(&self) -> io::Result<JoinSet<()>> {
        let mut signs = JoinSet::new();
        let (Some(socket), Some(patience)) = (&self.socket, self.patience) else {
            return Ok(signs);
        };
        let socket = socket.try_clone()?;
        // As sd_watchdog_enabled(3) has it: late by as much again is still in time.
        let mut ticks = interval(patience / 2);
        ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
        signs.spawn(async move {
            loop {
                ticks.tick().await;
                send(&socket, "WATCHDOG=1");
            }
        });
        Ok(signs)
    }

    fn tell(&self, message: &str) {
        if let Some(socket) = &self.socket {
            send(socket, message);
        }
    }
}

/// A service manager that does not listen is no reason to stop.
fn send(socket: &UnixDatagram, message: &str) {
    if let Err(error) = socket.send(message.as_bytes()) {
        debug!(text = message, %error, "the service manager was not told");
    }
}

fn connected(name: &OsStr) -> io::Result<UnixDatagram> {
    let socket = UnixDatagram::unbound()?;
    // A manager that does not read must not hold the runtime.
    socket.set_nonblocking(true)?;
    socket.connect_addr(&address(name)?)?;
    Ok(socket)
}

/// A path, or a name that begins with `@` for the zero byte of a socket outside the file system.
fn address(name: &OsStr) -> io::Result<SocketAddr> {
    match name.as_bytes() {
        #[cfg(target_os = "linux")]
        [b'@', name @ ..] => <SocketAddr as std::os::linux::net::SocketAddrExt>::from_abstract_name(name),
        _ => SocketAddr::from_pathname(name),
    }
}
