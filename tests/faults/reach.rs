//! Which rooms have a way to an action that changes something, as their source says.

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};

use crate::promises::root;

/// Who may send an action that changes something, or looks as if, has to make it, or to name one that is made.
#[test]
fn only_the_room_of_identities_can_change_anything() {
    let makers = [
        "Action::changing(",
        "Action::probing(",
        "effect:Effect::Changes",
        "effect:Effect::Probes",
    ];
    let is_maker = |code: &str| {
        let written = without_spaces(code);
        makers.iter().any(|maker| written.contains(maker))
    };
    let rooms = code();
    let mut made_in = rooms
        .iter()
        .filter(|(_, code)| is_maker(code))
        .map(|(file, _)| file);
    assert!(
        made_in.clone().any(|file| file.starts_with("src/identity/")),
        "{made_in:?}"
    );
    let elsewhere = made_in.find(|file| !file.starts_with("src/identity/") && *file != "src/api/mod.rs");
    assert_eq!(elsewhere, None);
}

/// All that runs without being told to change something; but for the agent's audit.
#[test]
fn whatever_polls_has_no_way_there() {
    let polling = [
        "src/resource",
        "src/poller",
        "src/reading",
        "src/joined",
        "src/server",
        "src/exposition",
        "src/agent",
    ];
    let mut asked = 0;
    for room in polling {
        let files = of_room(room);
        assert!(!files.is_empty(), "{room} is not there");
        for (file, code) in files {
            let written = without_spaces(&code);
            assert_eq!(
                sent(&written, &["order"]).first(),
                None,
                "{file} orders what is only described"
            );
            for action in sent(&written, &["ask", "list"]) {
                asked += 1;
                assert!(action.starts_with("&DESCRIBE_"), "{file} asks for {action}");
            }
            // The agent starts audits, and shows what they find.
            let may_use: &[&str] = match room {
                "src/agent" => &["self", "Audit", "Auditor", "FAMILIES", "Metrics"],
                _ => &[],
            };
            for name in names_in(&written, "identity") {
                assert!(
                    may_use.contains(&name.as_str()),
                    "{file} uses {name} of identities"
                );
            }
        }
    }
    assert!(asked > 10, "calls are written in another way: {asked}");
}

#[test]
fn audit_only_probes() {
    let files = of_room("src/identity/audit")
        .into_iter()
        .chain(of_room("src/identity/probe"));
    let mut ordered = Vec::new();
    for (file, code) in files {
        let written = without_spaces(&code);
        for maker in ["Action::changing(", "Effect::Changes"] {
            assert!(!written.contains(maker), "{file} makes what changes something");
        }
        assert_eq!(sent(&written, &["ask", "list"]).first(), None, "{file}");
        ordered.extend(sent(&written, &["order"]).into_iter().map(str::to_owned));
        // Of its own room, nothing that speaks for an admin.
        for name in names_in(&written, "super") {
            let own = ["audit", "probe"];
            assert!(own.contains(&name.as_str()), "{file} uses {name} of its room");
        }
        assert_eq!(names_in(&written, "identity").first(), None, "{file}");
    }
    assert_eq!(ordered, ["&probe.action"]);
}

#[test]
fn code_is_read_to_its_end_but_for_the_module_of_tests() {
    let text = "fn a() {}\n\n#[cfg(test)]\nfn known() {}\n\nfn b() {\n    x\n}\n\n#[cfg(test)]\npub(super) mod tests {\n    fn c() \
                {\n    }\n}\n\nfn d() {}\n";
    let code = without_tests(text);
    let read = ["fn a", "fn known", "fn b", "fn d"];
    assert!(read.iter().all(|name| code.contains(name)), "{code}");
    assert!(!code.contains("fn c"), "{code}");
    let code = without_tests("fn a() {}\n\n#[cfg(test)]\nmod tests;\n\nfn b() {}\n");
    assert!(code.contains("fn a") && code.contains("fn b"), "{code}");

    let written = without_spaces(
        "use crate::identity::{\n    self, audit::{Excess, x}, Audit,\n};\nuse identity::iam::Iam;\nuse x::{identity as other};\n\
         web_identity::find();\nclient\n    .order(\n        &CREATE_USER,\n        &[],\n    );\nClient::ask(client, &GET);\n\
         client.list(&LIST, &[]);\nlists.list()",
    );
    assert_eq!(
        names_in(&written, "identity"),
        ["self", "audit", "Audit", "iam", "other"]
    );
    assert_eq!(sent(&written, &["order"]), ["&CREATE_USER"]);
    assert_eq!(sent(&written, &["ask", "list"]), ["client", "&LIST"]);
}

/// Every file of the library in those folders and files whose path begins so, by its path, without its tests.
fn of_room(room: &str) -> BTreeMap<String, String> {
    let mut files = code();
    files.retain(|file, _| file.starts_with(room));
    files
}

fn code() -> BTreeMap<String, String> {
    let mut files = Vec::new();
    sources(&root().join("src"), &mut files);
    assert!(files.len() > 100, "{files:?}");
    let read = |file: PathBuf| {
        let code = without_tests(&fs::read_to_string(&file).unwrap());
        let file = file.strip_prefix(root()).unwrap().to_str().unwrap();
        (file.to_owned(), code)
    };
    files.into_iter().map(read).collect()
}

/// A file's text but for its module of tests, wherever that stands: what else is for tests alone is read like the rest.
fn without_tests(text: &str) -> String {
    const MARK: &str = "#[cfg(test)]\n";
    let mut read = String::new();
    for (number, part) in text.split(MARK).enumerate() {
        let first = part.lines().next().unwrap_or_default();
        let end = match first.split_once("mod tests") {
            Some((_, ";")) => ";\n",
            Some((_, " {")) => "\n}\n",
            _ => "",
        };
        let behind = part.split_once(end).filter(|_| number > 0);
        read.push_str(behind.map_or(part, |(_, behind)| behind));
    }
    read
}

/// As one line in which nothing is wrapped, and no two words touch.
fn without_spaces(code: &str) -> String {
    let mut written = String::new();
    let mut is_apart = false;
    let code = code.lines().filter(|line| !line.trim_start().starts_with("//"));
    for letter in code.flat_map(|line| line.chars().chain(['\n'])) {
        if letter.is_whitespace() {
            is_apart = true;
            continue;
        }
        if is_apart && is_of_a_word(letter) && written.ends_with(is_of_a_word) {
            written.push(' ');
        }
        is_apart = false;
        written.push(letter);
    }
    written
}

fn is_of_a_word(letter: char) -> bool {
    letter.is_alphanumeric() || letter == '_'
}

/// The first argument of every call of a client in one of these manners.
fn sent<'a>(written: &'a str, manners: &[&str]) -> Vec<&'a str> {
    let calls = manners
        .iter()
        .flat_map(|manner| [format!(".{manner}("), format!("Client::{manner}(")]);
    let behind = calls.flat_map(|call| written.split(&call).skip(1).collect::<Vec<_>>());
    let first = behind.map(|behind| behind.split([',', ')']).next().unwrap());
    // What is called without anything is no client.
    first.filter(|argument| !argument.is_empty()).collect()
}

/// What is named of this room, with what the room is called otherwise.
fn names_in(written: &str, room: &str) -> Vec<String> {
    let mut names = Vec::new();
    let mut parts = written.split(room);
    let mut before = parts.next().unwrap();
    for behind in parts {
        let is_the_room = !before.ends_with(is_of_a_word);
        before = behind;
        if !is_the_room {
            continue;
        }
        if let Some(list) = behind.strip_prefix("::{") {
            names.extend(listed(list));
        } else if let Some(name) = behind.strip_prefix("::") {
            names.push(first_name(name));
        } else if let Some(other) = behind.strip_prefix(" as ") {
            names.push(first_name(other));
        }
    }
    names
}

/// The first names of what stands between commas, up to the brace that ends the list.
fn listed(list: &str) -> Vec<String> {
    let (mut names, mut name, mut depth) = (Vec::new(), String::new(), 0);
    for letter in list.chars() {
        match letter {
            '{' => depth += 1,
            '}' if depth > 0 => depth -= 1,
            ',' | '}' if depth == 0 => {
                names.push(first_name(&std::mem::take(&mut name)));
                if letter == '}' {
                    break;
                }
            }
            _ if depth == 0 => name.push(letter),
            _ => {}
        }
    }
    names.push(first_name(&name));
    names.retain(|name| !name.is_empty());
    names
}

/// `Audit` of `Audit`, `iam` of `iam::Iam`, and all of `self as other`.
fn first_name(text: &str) -> String {
    let is_of_it = |letter: &char| is_of_a_word(*letter) || [' ', '*'].contains(letter);
    text.chars().take_while(is_of_it).collect()
}

fn sources(folder: &Path, files: &mut Vec<PathBuf>) {
    for entry in fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        let is_of_tests = path.file_stem().is_some_and(|stem| stem == "tests");
        if path.is_dir() && !is_of_tests {
            sources(&path, files);
        } else if path.extension().is_some_and(|extension| extension == "rs") && !is_of_tests {
            files.push(path);
        }
    }
}
