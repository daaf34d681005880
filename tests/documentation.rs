//! The documents hold what they promise: every setting has its row, links lead somewhere, commands and flags are there.

#[expect(dead_code, reason = "other tests need more of it")]
#[path = "support/parts.rs"]
mod parts;
#[expect(dead_code, reason = "other tests need more of it")]
#[path = "support/vigie.rs"]
mod vigie;

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::{Path, PathBuf};

use vigie::{run, vigie};

const SECURITY: &str = include_str!("../SECURITY.md");
const SETTINGS: &str = include_str!("../docs/settings.md");

#[tokio::test]
async fn every_setting_has_a_row_and_every_row_a_setting() {
    let role = "assume_role = { arn = \"arn:aws:iam::123456789012:role/watcher\", zzz = 1 }";
    for (heading, settings) in [
        ("## At the top", "zzz = 1".to_owned()),
        ("## An account", format!("{ACCOUNT}zzz = 1")),
        (
            "### Roles",
            format!("{}{role}", ACCOUNT.replace("outscale", "aws")),
        ),
    ] {
        let known = known_keys(&settings).await;
        assert!(known.len() > 3, "{heading}: {known:?}");
        assert_eq!(rows_below(heading), known, "{heading}");
    }
}

#[tokio::test]
async fn every_variable_of_the_page_of_settings_is_read() {
    let variables: Vec<(&str, &str)> = SETTINGS
        .lines()
        .filter_map(|row| row.strip_prefix("| `VIGIE__")?.split_once('`'))
        .filter_map(|(variable, _)| variable.split_once('='))
        .collect();
    assert!(variables.len() > 5, "{variables:?}");
    let mut check = vigie(&["check", "--config"]);
    let folder = tempfile::tempdir().expect("a temporary folder can be made");
    let file = folder.path().join("vigie.toml");
    fs::write(&file, ACCOUNT).expect("the settings can be written");
    check
        .arg(file)
        .env("OSC_ACCESS_KEY", "AKIAWATCHER")
        .env("OSC_SECRET_KEY", "unchecked");
    for (name, value) in &variables {
        check.env(format!("VIGIE__{name}"), value);
    }

    let checked = run(&mut check).await;

    assert_eq!(checked.code, Some(0), "{}", checked.stderr);
    for (name, value) in variables {
        let shown = format!(" = \"{value}\"\n");
        assert!(
            checked.stdout.contains(&shown),
            "`{name}` is not in force:\n{}",
            checked.stdout
        );
    }
}

#[test]
fn every_link_between_documents_leads_somewhere() {
    let documents = documents();
    let headings: BTreeMap<PathBuf, BTreeSet<String>> = documents
        .iter()
        .map(|(path, text)| (real(path), anchors(text)))
        .collect();
    let mut count = 0;
    for (path, text) in &documents {
        for link in links(text) {
            let (file, anchor) = link.split_once('#').unwrap_or((link.as_str(), ""));
            let folder = path.parent().expect("a file is in a folder");
            let target = if file.is_empty() {
                path.clone()
            } else {
                folder.join(file)
            };
            assert!(target.exists(), "{}: nothing is at `{link}`", path.display());
            if !anchor.is_empty() {
                let there = headings.get(&real(&target)).expect("a document has headings");
                assert!(
                    there.contains(anchor),
                    "{}: no heading for `{link}`: {there:?}",
                    path.display()
                );
            }
            count += 1;
        }
    }
    assert!(count > 30, "{count}");
}

#[test]
fn every_test_that_the_page_on_security_names_is_there() {
    let sources: String = files()
        .iter()
        .filter(|path| path.extension().is_some_and(|extension| extension == "rs"))
        .map(|path| fs::read_to_string(path).expect("a source is UTF-8"))
        .collect();
    let mut count = 0;
    for name in SECURITY.split('`').skip(1).step_by(2) {
        let is_name = name
            .chars()
            .all(|letter| letter.is_ascii_lowercase() || letter == '_');
        // No setting has as many words.
        if is_name && name.matches('_').count() >= 4 {
            assert!(
                sources.contains(&format!("fn {name}(")),
                "SECURITY.md: there is no test `{name}`"
            );
            count += 1;
        }
    }
    assert!(count > 10, "{count}");
}

#[tokio::test]
async fn every_command_line_has_flags_that_there_are() {
    let documents = documents();
    let lines: Vec<(&Path, String)> = documents
        .iter()
        .flat_map(|(path, text)| {
            command_lines(text)
                .into_iter()
                .map(move |line| (path.as_path(), line))
        })
        .collect();
    let commands: BTreeSet<&str> = lines.iter().map(|(_, line)| command_of(line)).collect();
    let mut helps = BTreeMap::new();
    for command in commands {
        helps.insert(command, words_of_help(command).await);
    }

    let mut count = 0;
    for (path, line) in &lines {
        let help = &helps[command_of(line)];
        for word in line.split_whitespace().filter(|word| word.starts_with('-')) {
            let flag = word.split_once('=').map_or(word, |(flag, _)| flag);
            assert!(
                help.contains(flag),
                "{}: `{line}`: there is no {flag}",
                path.display()
            );
            count += 1;
        }
    }
    assert!(count > 30, "{count}");
}

/// The keys that `vigie check` says are known where it finds `zzz`.
async fn known_keys(settings: &str) -> BTreeSet<String> {
    let folder = tempfile::tempdir().expect("a temporary folder can be made");
    let file = folder.path().join("vigie.toml");
    fs::write(&file, settings).expect("the settings can be written");
    let refused = run(vigie(&["check", "--config"]).arg(file)).await;
    assert_eq!(refused.code, Some(64), "{}", refused.stderr);
    let (_, known) = refused
        .stderr
        .split_once("the keys known there are ")
        .expect("it says which keys are known");
    known.split('`').skip(1).step_by(2).map(str::to_owned).collect()
}

/// What the rows of the tables below a heading of the page of settings are about.
fn rows_below(heading: &str) -> BTreeSet<String> {
    let (_, section) = SETTINGS
        .split_once(&format!("\n{heading}\n"))
        .expect("there is such a heading");
    let section = section.split("\n#").next().unwrap_or(section);
    section
        .lines()
        .filter_map(|row| row.strip_prefix("| `")?.split_once("` |"))
        .map(|(key, _)| key.to_owned())
        .collect()
}

/// What a scanner for leaked keys would find, and what a person could take for one.
fn looks_like_a_key(text: &str) -> Option<&str> {
    let words = text.split(|letter: char| !letter.is_ascii_alphanumeric() && !"/+=".contains(letter));
    let mut words = words
        .flat_map(|word| word.split('='))
        .filter(|word| !word.contains("EXAMPLE"));
    words.find(|word| {
        let is_id = word.len() == 20
            && ["AKIA", "ASIA"].iter().any(|prefix| word.starts_with(prefix))
            && word
                .bytes()
                .all(|byte| byte.is_ascii_uppercase() || byte.is_ascii_digit());
        let has = |is_of: fn(&u8) -> bool| word.as_bytes().iter().any(is_of);
        // A secret is 40 letters of base64: unlike a hash, and unlike words of a test or a path.
        let is_secret = word.len() == 40
            && word.bytes().filter(u8::is_ascii_digit).count() > 2
            && has(u8::is_ascii_uppercase)
            && has(u8::is_ascii_lowercase);
        is_id || is_secret
    })
}

#[test]
fn nothing_in_the_repository_looks_like_a_real_key() {
    // Put together here, so that this file holds none either.
    let id = ["AKIA", "IOSFODNN7ABCDEFG"].concat();
    let secret = ["wJalrXUtnFEMI/K7MDENG", "+bPxRfiCY2zz44zzKEY"].concat();
    for leaked in [
        format!("id = {id}\n"),
        format!("\"key\": \"{secret}\""),
        format!("AWSSecretKey={secret}"),
    ] {
        assert!(looks_like_a_key(&leaked).is_some(), "{leaked}");
    }
    let mut looked_at = 0;
    for path in files() {
        let Ok(text) = fs::read_to_string(&path) else {
            continue;
        };
        looked_at += 1;
        let found = text.lines().find_map(looks_like_a_key);
        assert_eq!(found, None, "{} holds what looks like a key", path.display());
        // The BEGIN of a private key alone is what parsers are tried with; a body behind it is a key.
        let body = text
            .split("PRIVATE KEY-----\n")
            .nth(1)
            .and_then(|rest| rest.lines().next());
        assert!(
            body.is_none_or(|body| body.len() < 60),
            "{} holds a private key",
            path.display()
        );
    }
    assert!(looked_at > 300, "{looked_at}");
}

/// Every document of the repository, with its text.
fn documents() -> Vec<(PathBuf, String)> {
    let is_document = |path: &Path| path.extension().is_some_and(|extension| extension == "md");
    let paths = files().into_iter().filter(|path| is_document(path));
    let found: Vec<_> = paths
        .map(|path| {
            let text = fs::read_to_string(&path).expect("a document is UTF-8");
            (path, text)
        })
        .collect();
    assert!(found.len() > 8, "{}", found.len());
    found
}

/// Every file of the repository.
fn files() -> Vec<PathBuf> {
    let mut found = Vec::new();
    let mut folders = vec![PathBuf::from(env!("CARGO_MANIFEST_DIR"))];
    while let Some(folder) = folders.pop() {
        for entry in fs::read_dir(folder).expect("the repository can be read") {
            let path = entry.expect("the repository can be read").path();
            let name = path.file_name().unwrap_or_default().to_string_lossy();
            // What is hidden or built is nobody's to read.
            if name.starts_with('.') || name == "target" {
                continue;
            }
            if path.is_dir() {
                folders.push(path);
            } else {
                found.push(path);
            }
        }
    }
    found
}

/// What stands outside blocks of code, and what stands in those that are for a shell.
fn prose_and_shell(text: &str) -> (String, String) {
    let (mut prose, mut shell) = (String::new(), String::new());
    let mut language = None;
    for line in text.lines() {
        match (line.trim_start().strip_prefix("```"), language) {
            (Some(opened), None) => language = Some(opened),
            (Some(_), Some(_)) => language = None,
            (None, Some("sh")) => push_line(&mut shell, line),
            (None, Some(_)) => {}
            (None, None) => push_line(&mut prose, line),
        }
    }
    (prose, shell)
}

fn push_line(text: &mut String, line: &str) {
    text.push_str(line);
    text.push('\n');
}

/// Where a document's links lead, but for those out of the repository.
fn links(text: &str) -> Vec<String> {
    let (prose, _) = prose_and_shell(text);
    let outside_code: String = prose.split('`').step_by(2).collect();
    outside_code
        .split("](")
        .skip(1)
        .filter_map(|rest| rest.split_once(')'))
        .map(|(link, _)| link.to_owned())
        .filter(|link| !link.contains("://"))
        .collect()
}

/// The anchors of a document's headings, as GitHub makes them.
fn anchors(text: &str) -> BTreeSet<String> {
    let (prose, _) = prose_and_shell(text);
    let headings = prose.lines().filter(|line| line.starts_with('#'));
    headings
        .map(|line| {
            let heading = line.trim_start_matches('#').trim().to_lowercase();
            let kept = heading
                .chars()
                .filter(|letter| letter.is_alphanumeric() || " -_".contains(*letter));
            kept.collect::<String>().replace(' ', "-")
        })
        .collect()
}

/// The command lines of vigie in a document: those of its blocks for a shell, and those within a line.
fn command_lines(text: &str) -> Vec<String> {
    let (prose, shell) = prose_and_shell(text);
    let of_shell = shell.replace("\\\n", " ");
    let of_shell = of_shell
        .lines()
        .flat_map(|line| line.split(['|', ';', '&', '#']))
        .map(|part| part.trim().trim_start_matches("sudo --preserve-env ").to_owned());
    let of_prose = prose
        .split('`')
        .skip(1)
        .step_by(2)
        .map(|code| code.split_whitespace().collect::<Vec<_>>().join(" "));
    of_shell
        .chain(of_prose)
        .filter(|line| line.starts_with("vigie "))
        .collect()
}

/// The command of a line, or nothing where only flags follow.
fn command_of(line: &str) -> &str {
    let word = line.split_whitespace().nth(1).unwrap_or_default();
    if word.starts_with('-') { "" } else { word }
}

/// Every word of a command's help, flags among them.
async fn words_of_help(command: &str) -> BTreeSet<String> {
    let arguments = [command, "--help"];
    let asked: Vec<&str> = arguments.into_iter().filter(|word| !word.is_empty()).collect();
    let help = run(&mut vigie(&asked)).await;
    assert_eq!(help.code, Some(0), "`vigie {command}`: {}", help.stderr);
    help.stdout.split([' ', '\n', ',']).map(str::to_owned).collect()
}

/// A path that is the same however one came there.
fn real(path: &Path) -> PathBuf {
    path.canonicalize().expect("the path is there")
}

const ACCOUNT: &str = "[[account]]\nname = \"a\"\nprovider = \"outscale\"\nregions = [\"eu-west-2\"]\n";
