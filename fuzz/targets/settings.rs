//! Settings files in each of three formats, with a few variables of the environment over them.
#![no_main]

use std::collections::BTreeMap;

use libfuzzer_sys::fuzz_target;
use vigie::config::load;
use vigie::resources::registry;
use vigie_fuzz::{Folder, parts};

std::thread_local! {
    static FOLDER: Folder = Folder::new();
}

fuzz_target!(|input: &[u8]| {
    let [picked, input @ ..] = input else { return };
    let [text, name, value] = parts(input);
    let mut variables = BTreeMap::new();
    if let (Ok(name), Ok(value)) = (str::from_utf8(name), str::from_utf8(value))
        && !name.is_empty()
        && name.len() < 64
    {
        variables.insert(format!("VIGIE__{name}"), value.to_owned());
    }
    FOLDER.with(|folder| {
        let name = ["v.toml", "v.yaml", "v.json"][usize::from(picked % 3)];
        let path = folder.write(name, text);
        match load(Some(&path), &registry(), &variables) {
            Err(error) => assert!(!error.to_string().is_empty()),
            Ok(settings) => {
                // What `check` prints is the same settings.
                let printed = settings.to_toml();
                let again = folder.write("again.toml", printed.as_bytes());
                let again = load(Some(&again), &registry(), &BTreeMap::new())
                    .unwrap_or_else(|error| panic!("{error}\n{printed}"));
                assert_eq!(again, settings, "{printed}");
            }
        }
    });
});
