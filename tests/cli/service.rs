//! What a service manager is told, by `sd_notify(3)`, and what it hands over. The test plays the manager.

use std::os::linux::net::SocketAddrExt as _;
use std::os::unix::net::{SocketAddr, UnixDatagram as Bound};

use tokio::net::UnixDatagram;
use tokio::process::Command;
use tokio::time::timeout;

use crate::demo::Demo;
use crate::parts::{DEADLINE, free_port};
use crate::vigie::{Running, run, vigie as command};

#[tokio::test]
async fn service_manager_is_told_of_start_life_reload_and_end() {
    let folder = tempfile::tempdir().expect("a temporary folder can be made");
    let path = folder.path().join("notify");
    let path = path.to_str().expect("the path is text");
    let outside = format!("vigie-test-{}", std::process::id());
    let abstract_address = SocketAddr::from_abstract_name(&outside).expect("the name is short");
    for (name, address) in [
        (
            path.to_owned(),
            SocketAddr::from_pathname(path).expect("the path is short"),
        ),
        (format!("@{outside}"), abstract_address),
    ] {
        let manager = Manager::listening_on(&address);
        let listen = format!("127.0.0.1:{}", free_port());
        let agent = Running::start(
            demo(&listen)
                .env("NOTIFY_SOCKET", name)
                .env("WATCHDOG_USEC", "100000"),
        );

        let ready = manager.told_of("READY=1").await;
        assert!(
            ready.contains(&format!("STATUS=listening on http://{listen}")),
            "{ready}"
        );
        let healthy = run(&mut command(&["health", "--listen", &listen])).await;
        assert_eq!(healthy.code, Some(0), "what is ready answers: {}", healthy.stderr);
        for _ in 0..4 {
            manager.told_of("WATCHDOG=1").await;
        }
        agent.signal("HUP").await;
        manager.told_of("RELOADING=1").await;
        manager.told_of("READY=1").await;

        let (code, _, said) = agent.end("TERM").await;
        assert_eq!(code, Some(0), "{said}");
        assert!(!said.contains("WARN"), "{said}");
        manager.told_of("STOPPING=1").await;
    }
}

#[tokio::test]
async fn watchdog_of_another_process_gets_no_signs_of_life() {
    let folder = tempfile::tempdir().expect("a temporary folder can be made");
    let path = folder.path().join("notify");
    let manager = Manager::listening_on(&SocketAddr::from_pathname(&path).expect("the path is short"));
    let listen = format!("127.0.0.1:{}", free_port());
    let mut command = demo(&listen);
    command
        .env("NOTIFY_SOCKET", &path)
        .env("WATCHDOG_USEC", "1000")
        .env("WATCHDOG_PID", "1");
    let agent = Running::start(&mut command);

    manager.told_of("READY=1").await;
    let (code, _, said) = agent.end("TERM").await;
    assert_eq!(code, Some(0), "{said}");
    assert_eq!(manager.next().await, "STOPPING=1\nSTATUS=ending");
}

#[tokio::test]
async fn service_manager_that_is_gone_is_told_of_in_the_log() {
    let listen = format!("127.0.0.1:{}", free_port());
    for socket in ["/nowhere/notify", "@vigie-nobody", "not-a-path"] {
        let agent = Running::start(
            demo(&listen)
                .env("NOTIFY_SOCKET", socket)
                .env("WATCHDOG_USEC", "odd"),
        );
        agent
            .wait_to_say("that it listens", |said| {
                said.contains("listening on http").then_some(())
            })
            .await;
        let (code, _, said) = agent.end("TERM").await;
        assert_eq!(code, Some(0), "{said}");
        assert!(
            said.contains(&format!("is not told that vigie runs socket={socket} ")),
            "{said}"
        );
    }
}

/// As `LoadCredential=` leaves it: in a folder of the manager's, readable through an access list whose mask looks like
/// the group's mode.
#[tokio::test]
async fn key_that_a_service_manager_hands_over_is_found_and_draws_no_warning() {
    use std::os::unix::fs::PermissionsExt as _;

    let demo = Demo::start(::vigie::demo::Options::default()).await;
    let settings = demo.settings("", "");
    let beside = settings.with_file_name("credentials");
    let folder = tempfile::tempdir().expect("a temporary folder can be made");
    let handed_over = folder.path().join("credentials");
    std::fs::rename(beside, &handed_over).expect("the key can be moved");
    let set_mode = |mode| {
        std::fs::set_permissions(&handed_over, std::fs::Permissions::from_mode(mode))
            .expect("the mode can be set");
    };
    let once = |credentials_directory: &str| {
        let mut vigie = command(&["once", "--config"]);
        vigie
            .arg(&settings)
            .env("CREDENTIALS_DIRECTORY", credentials_directory);
        vigie
    };
    let folder = folder.path().to_str().expect("the path is text");

    for (mode, warned) in [(0o400, false), (0o440, false), (0o444, true), (0o420, true)] {
        set_mode(mode);
        let run = run(&mut once(folder)).await;
        assert_eq!(run.code, Some(0), "{}", run.stderr);
        assert_eq!(run.stderr.contains("WARN"), warned, "{mode:o}: {}", run.stderr);
    }
    set_mode(0o440);
    let elsewhere = run(&mut once("")).await;
    assert_eq!(elsewhere.code, Some(64), "it is beside the settings no more");
    let by_path = run(command(&[
        "check",
        "--provider",
        "outscale",
        "--region",
        "x",
        "--credentials-file",
    ])
    .arg(&handed_over))
    .await;
    assert_eq!(by_path.code, Some(0), "{}", by_path.stderr);
    assert!(by_path.stderr.contains("mode=\"0440\""), "{}", by_path.stderr);
}

/// The socket of a service manager.
struct Manager(UnixDatagram);

impl Manager {
    fn listening_on(address: &SocketAddr) -> Self {
        let socket = Bound::bind_addr(address).expect("the name is free");
        socket.set_nonblocking(true).expect("a socket need not block");
        Self(UnixDatagram::from_std(socket).expect("tokio takes it"))
    }

    /// The next message.
    async fn next(&self) -> String {
        let mut message = [0; 4096];
        let received = timeout(DEADLINE, self.0.recv(&mut message)).await;
        let length = received.expect("there is a message").expect("the socket works");
        String::from_utf8(message[..length].to_vec()).expect("a message is text")
    }

    /// The next message that says this in its first line.
    async fn told_of(&self, what: &str) -> String {
        loop {
            let message = self.next().await;
            if message.lines().next() == Some(what) {
                return message;
            }
            assert_eq!(message, "WATCHDOG=1", "while waiting for {what}");
        }
    }
}

fn demo(listen: &str) -> Command {
    command(&["demo", "--still", "--instances", "2", "--listen", listen])
}
