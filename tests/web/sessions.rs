//! Sessions of TLS that a client goes on with.

use std::path::Path;
use std::sync::Arc;

use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;
use tokio_rustls::TlsConnector;
use tokio_rustls::rustls::pki_types::pem::PemObject as _;
use tokio_rustls::rustls::pki_types::{CertificateDer, PrivateKeyDer};
use tokio_rustls::rustls::version::{TLS12, TLS13};
use tokio_rustls::rustls::{ClientConfig, HandshakeKind, RootCertStore, SupportedProtocolVersion};
use vigie::server::Limits;

use crate::scene::{Folder, Scene};

fn client(folder: &Path, version: &'static SupportedProtocolVersion) -> TlsConnector {
    let certificate = |name: &str| CertificateDer::from_pem_file(folder.join(name)).expect("it is there");
    let mut roots = RootCertStore::empty();
    roots.add(certificate("server.crt")).expect("it can be trusted");
    let key = PrivateKeyDer::from_pem_file(folder.join("right.key")).expect("it is there");
    let config = ClientConfig::builder_with_protocol_versions(&[version])
        .with_root_certificates(roots)
        .with_client_auth_cert(vec![certificate("right.crt")], key)
        .expect("they are a pair");
    TlsConnector::from(Arc::new(config))
}

async fn ask(client: &TlsConnector, scene: &Scene) -> Option<HandshakeKind> {
    let stream = TcpStream::connect(scene.address).await.expect("it listens");
    let name = scene.address.ip().into();
    let mut stream = client.connect(name, stream).await.expect("TLS is agreed on");
    let request = "GET /-/healthy HTTP/1.1\r\nhost: x\r\nconnection: close\r\n\r\n";
    stream.write_all(request.as_bytes()).await.expect("it is open");
    let mut answer = String::new();
    stream.read_to_string(&mut answer).await.expect("it ends");
    assert!(answer.starts_with("HTTP/1.1 200 "), "{answer}");
    stream.get_ref().1.handshake_kind()
}

#[tokio::test]
async fn certificate_of_a_client_is_looked_at_for_every_connection() {
    let folder = Folder::new();
    let tls = "tls_server_config:\n  cert_file: server.crt\n  key_file: server.key\n";
    let verified = "  client_auth_type: RequireAndVerifyClientCert\n  client_ca_file: clients.crt\n";
    for (more, second) in [("", HandshakeKind::Resumed), (verified, HandshakeKind::Full)] {
        let scene = Scene::serve(Some(&folder.web(&format!("{tls}{more}"))), Limits::default()).await;
        for version in [&TLS12, &TLS13] {
            let client = client(folder.path(), version);
            assert_eq!(ask(&client, &scene).await, Some(HandshakeKind::Full));
            assert_eq!(ask(&client, &scene).await, Some(second), "{version:?} {more}");
        }
    }
}
