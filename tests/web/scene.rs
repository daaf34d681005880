//! A page within the test, served as a web configuration file says.

use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use tempfile::TempDir;
use tokio::sync::oneshot;
use tokio::task::JoinHandle;
use vigie::exposition::Page;
use vigie::server::{self, Limits, Options, Web};

use crate::certificates;

/// A folder with certificates of all sorts, and the web configuration file.
pub(crate) struct Folder(TempDir);

impl Folder {
    pub(crate) fn new() -> Self {
        let folder = tempfile::tempdir().expect("the test has its folder and its port");
        certificates::write_all(folder.path());
        Self(folder)
    }

    pub(crate) fn path(&self) -> &Path {
        self.0.path()
    }

    /// The web configuration file, with this in it.
    pub(crate) fn web(&self, text: &str) -> PathBuf {
        let path = self.path().join("web.yml");
        // Moved into place, as whoever renews something does it: never half there.
        let written = self.path().join("web.yml.new");
        std::fs::write(&written, text).expect("the test has its folder and its port");
        std::fs::rename(&written, &path).expect("the test has its folder and its port");
        path
    }

    pub(crate) fn read(&self, name: &str) -> String {
        std::fs::read_to_string(self.path().join(name)).expect("the test has its folder and its port")
    }
}

/// A server of an empty page; it ends with the value.
pub(crate) struct Scene {
    pub(crate) address: SocketAddr,
    pub(crate) end: oneshot::Sender<()>,
    pub(crate) server: JoinHandle<()>,
}

impl Scene {
    pub(crate) async fn serve(web: Option<&Path>, limits: Limits) -> Self {
        let web = web.map(|path| Arc::new(Web::load(path).expect("the test has its folder and its port")));
        let listener = server::bind("127.0.0.1:0")
            .await
            .expect("the test has its folder and its port");
        let address = listener
            .local_addr()
            .expect("the test has its folder and its port");
        let page = Page::new(::prometheus::Registry::new(), Duration::from_secs(60))
            .expect("the test has its folder and its port");
        let (end, ended) = oneshot::channel::<()>();
        let ended = async move { ended.await.unwrap_or_default() };
        let options = Options {
            web,
            limits,
            ..Options::default()
        };
        let server = tokio::spawn(server::run_with(listener, Arc::new(page), options, ended));
        Self { address, end, server }
    }
}

/// The hash of a password, as cheap as bcrypt has it.
pub(crate) fn hash(password: &str) -> String {
    bcrypt::hash(password, 4).expect("the test has its folder and its port")
}
