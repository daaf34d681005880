//! What the targets share: how an input is cut up, what every observation must hold, and where files are written.

use std::collections::HashSet;
use std::path::{Path, PathBuf};

use tempfile::TempDir;
use vigie::reading::Line;
use vigie::resource::Observation;

/// The parts of an input, which a byte that no UTF-8 holds keeps apart; empty ones where there are fewer.
pub fn parts<const N: usize>(input: &[u8]) -> [&[u8]; N] {
    let mut parts = input.splitn(N, |byte| *byte == SEPARATOR);
    std::array::from_fn(|_| parts.next().unwrap_or_default())
}

/// The same as texts, if they are some.
pub fn texts<const N: usize>(input: &[u8]) -> Option<[&str; N]> {
    let texts = parts::<N>(input).map(std::str::from_utf8);
    texts
        .iter()
        .all(Result::is_ok)
        .then(|| texts.map(Result::unwrap_or_default))
}

/// Every line must be a sample of one of the kind's families, with legal labels, none twice; no series twice.
pub fn check(observation: Observation) {
    let families: Vec<&str> = observation.families().iter().map(|family| family.name).collect();
    let mut series = HashSet::new();
    for (name, text) in families.into_iter().zip(observation.into_texts()) {
        let page: String = text.chunks().collect();
        assert!(page.is_empty() || page.ends_with('\n'), "{page:?}");
        for line in page.split_terminator('\n') {
            let sample = Line::parse(line).unwrap_or_else(|| panic!("no sample: {line:?}"));
            assert_eq!(sample.name, name);
            let mut labels: Vec<(&str, String)> = sample
                .labels()
                .map(|(label, value)| (label, value.into_owned()))
                .collect();
            assert_eq!(written(name, &labels, line), line, "labels were lost or changed");
            labels.sort();
            assert!(
                labels.windows(2).all(|pair| pair[0].0 != pair[1].0),
                "a label stands twice: {line:?}"
            );
            assert!(labels.iter().all(|(label, _)| is_label(label)), "{line:?}");
            let labels: Vec<(String, String)> = labels
                .into_iter()
                .map(|(label, value)| (label.to_owned(), value))
                .collect();
            assert!(series.insert((name, labels)), "a series stands twice: {line:?}");
        }
    }
}

/// The line that says this, in other words than the crate's.
fn written(name: &str, labels: &[(&str, String)], line: &str) -> String {
    let escaped = |value: &str| {
        value
            .replace('\\', "\\\\")
            .replace('"', "\\\"")
            .replace('\n', "\\n")
    };
    let labels: Vec<String> = labels
        .iter()
        .map(|(label, value)| format!("{label}=\"{}\"", escaped(value)))
        .collect();
    let value = line.rsplit(' ').next().unwrap_or_default();
    format!("{name}{{{}}} {value}", labels.join(","))
}

fn is_label(name: &str) -> bool {
    let mut bytes = name.bytes();
    bytes
        .next()
        .is_some_and(|first| first.is_ascii_alphabetic() || first == b'_')
        && bytes.all(|byte| byte.is_ascii_alphanumeric() || byte == b'_')
}

/// A folder in memory, where there is one: a disk would be what is tried out.
pub struct Folder(TempDir);

impl Folder {
    pub fn new() -> Self {
        let memory = Path::new("/dev/shm");
        let folder = if memory.is_dir() {
            tempfile::tempdir_in(memory)
        } else {
            tempfile::tempdir()
        };
        Self(folder.expect("a folder can be made"))
    }

    /// A file of this name that holds these bytes.
    pub fn write(&self, name: &str, bytes: &[u8]) -> PathBuf {
        let path = self.0.path().join(name);
        std::fs::write(&path, bytes).expect("a file can be written");
        path
    }

    pub fn path(&self, name: &str) -> PathBuf {
        self.0.path().join(name)
    }
}

impl Default for Folder {
    fn default() -> Self {
        Self::new()
    }
}

const SEPARATOR: u8 = 0xff;
