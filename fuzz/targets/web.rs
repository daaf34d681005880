//! Web configuration files, with a certificate and a key that they may name.
#![no_main]

use libfuzzer_sys::fuzz_target;
use vigie::server::Web;
use vigie_fuzz::{Folder, parts};

std::thread_local! {
    static FOLDER: Folder = Folder::new();
}

fuzz_target!(|input: &[u8]| {
    let [written, certificate, key] = parts(input);
    FOLDER.with(|folder| {
        folder.write("cert.pem", certificate);
        folder.write("key.pem", key);
        let path = folder.write("web.yml", written);
        match Web::load(&path) {
            Ok(web) => {
                web.has_tls();
                web.told();
            }
            Err(error) => {
                let told = error.to_string();
                assert!(!told.is_empty());
                // A hash is told by no error, unless it stands where the path of a file does.
                assert!(told.contains("_file") || !told.contains("$FUZZEXAMPLE"), "{told}");
            }
        }
    });
});
