//! The settings file and, over it, the environment: text and variables in, one tree of values out.

use std::{collections::BTreeMap, env, io::ErrorKind, path::Path};

use config::{ConfigError, File, FileFormat, Map, Source as _, Value, ValueKind};

use super::error::{Error, Fault, Origin};
use crate::files::{self, Unread};
use crate::yaml;

/// The environment, by name. Only those that start with `VIGIE_` matter here, and where credentials are.
pub type Environment = BTreeMap<String, String>;

/// The variables of this process that settings may come from.
pub fn process_environment() -> Environment {
    env::vars_os()
        .filter_map(|(name, value)| Some((name.into_string().ok()?, value.to_string_lossy().into_owned())))
        .filter(|(name, _)| has_prefix(name, SINGLE) || name == CREDENTIALS_DIRECTORY)
        .collect()
}

/// Where a service manager puts this process's credentials, if it does.
pub(super) fn credentials_folder(variables: &Environment) -> Option<&Path> {
    let folder = variables.get(CREDENTIALS_DIRECTORY).map(Path::new);
    folder.filter(|folder| folder.is_absolute())
}

/// The tree of values that the file holds, with the environment's over them.
pub(super) fn tree(file: Option<&Path>, variables: &Environment) -> Result<Value, Error> {
    refuse_misspelled(variables)?;
    let mut tree: Map<String, Value> = Map::new();
    if let Some(path) = file {
        let text = text(path)?;
        let format = format(path)?;
        let refused = |problem| Error::File {
            path: path.to_owned(),
            problem,
        };
        let excess = (format == FileFormat::Yaml)
            .then(|| yaml::excess(&text))
            .flatten();
        if let Some(excess) = excess {
            return Err(refused(excess.to_owned()));
        }
        let parsed = File::from_str(&text, format).collect();
        tree = parsed.map_err(|error| refused(syntax(&error, &text)))?;
    }
    for (name, value) in variables {
        if has_prefix(name, DOUBLE) {
            let key = name.get(DOUBLE.len()..).unwrap_or_default().to_lowercase();
            set(&mut tree, &key, value);
        }
    }
    Ok(tree.into())
}

/// Sets what a variable says, whatever the file says there.
///
/// `config`'s own way of joining sources takes each name for a path: `x[99999999999]`, in a variable or a file, would
/// be a list of that length.
fn set(table: &mut Map<String, Value>, key: &str, value: &str) {
    let Some((first, rest)) = key.split_once("__") else {
        table.insert(key.to_owned(), value.into());
        return;
    };
    let below = table
        .entry(first.to_owned())
        .or_insert_with(|| ValueKind::Nil.into());
    if !matches!(below.kind, ValueKind::Table(_)) {
        *below = Map::<String, Value>::new().into();
    }
    if let ValueKind::Table(below) = &mut below.kind {
        set(below, rest, value);
    }
}

/// A fault with its origin: the variable that set the key, if one did, or else the file.
pub(super) fn located(fault: Fault, file: Option<&Path>, variables: &Environment) -> Error {
    let name = format!("{DOUBLE}{}", fault.key.replace('.', "__"));
    let below = format!("{name}__");
    let variable = (variables.keys()).find(|set| set.eq_ignore_ascii_case(&name) || has_prefix(set, &below));
    match (variable, file) {
        (Some(variable), _) => Error::Setting {
            origin: Origin::Variable(variable.clone()),
            fault,
        },
        (None, Some(path)) => fault.in_file(path),
        (None, None) => Error::Setting {
            origin: Origin::Flags,
            fault,
        },
    }
}

/// Refuses variables that look like settings and would change nothing.
///
/// Flags have variables of their own (`VIGIE_REGIONS`, `VIGIE_LISTEN`), and Kubernetes sets `VIGIE_PORT`,
/// `VIGIE_SERVICE_HOST` and more for a service called `vigie`: neither are settings.
fn refuse_misspelled(variables: &Environment) -> Result<(), Error> {
    for found in variables.keys() {
        if has_prefix(found, DOUBLE) {
            let key = found.get(DOUBLE.len()..).unwrap_or_default().to_lowercase();
            if key.starts_with("account") {
                let fault = Fault::value(
                    "account",
                    "is set by the environment: write accounts in the settings file",
                );
                return Err(Error::Setting {
                    origin: Origin::Variable(found.clone()),
                    fault,
                });
            }
        } else if has_prefix(found, SINGLE) {
            let key = found.get(SINGLE.len()..).unwrap_or_default().to_lowercase();
            let kind = (key.strip_prefix("kinds_")).and_then(|rest| rest.strip_suffix("_interval"));
            let meant = match kind {
                Some(kind) => format!("kinds__{}__interval", kind.trim_matches('_')),
                None if WITHOUT_A_FLAG.contains(&key.as_str()) => key,
                None => continue,
            };
            return Err(Error::SingleUnderscore {
                found: found.clone(),
                write: format!("{DOUBLE}{}", meant.to_uppercase()),
            });
        }
    }
    Ok(())
}

fn has_prefix(name: &str, prefix: &str) -> bool {
    (name.get(..prefix.len())).is_some_and(|start| start.eq_ignore_ascii_case(prefix))
}

fn format(path: &Path) -> Result<FileFormat, Error> {
    match path.extension().and_then(|extension| extension.to_str()) {
        Some("toml") => Ok(FileFormat::Toml),
        Some("yaml" | "yml") => Ok(FileFormat::Yaml),
        Some("json") => Ok(FileFormat::Json),
        _ => Err(Error::File {
            path: path.to_owned(),
            problem: "is of unknown format: give it a name that ends in .toml, .yaml, .yml or .json"
                .to_owned(),
        }),
    }
}

fn text(path: &Path) -> Result<String, Error> {
    let refused = |problem: String| Error::File {
        path: path.to_owned(),
        problem,
    };
    let read = files::read_text(path, LIMIT);
    // A folder has no suffix to be told of before.
    if !matches!(read, Err(Unread::Failed(_) | Unread::Directory)) {
        format(path)?;
    }
    let text = read.map_err(|unread| {
        refused(match unread {
            Unread::Failed(error) => match error.kind() {
                ErrorKind::NotFound | ErrorKind::NotADirectory => {
                    "does not exist: write it, or correct its name in --config".to_owned()
                }
                kind => format!("cannot be read ({kind}): make it readable to the user that vigie runs as"),
            },
            Unread::Directory => "is a directory: name the file in it".to_owned(),
            Unread::Special => "is not a regular file: write the settings into one".to_owned(),
            Unread::NotText => "is not UTF-8 text: save it as UTF-8".to_owned(),
            Unread::TooLarge { .. } => "is larger than 1 MiB: name the settings file".to_owned(),
        })
    })?;
    Ok(text.strip_prefix(BYTE_ORDER_MARK).unwrap_or(&text).to_owned())
}

/// What is wrong with the file's syntax. Never the line itself, which the parsers like to show: it may be that
/// of a credentials file, named here by mistake.
fn syntax(error: &ConfigError, text: &str) -> String {
    let ConfigError::FileParse { cause, .. } = error else {
        return "cannot be understood: check its syntax".to_owned();
    };
    if let Some(error) = cause.downcast_ref::<toml::de::Error>() {
        let before = error.span().and_then(|span| text.get(..span.start));
        let line = before.map_or(1, |before| before.matches('\n').count() + 1);
        return format!("is not valid TOML (line {line}): {}", error.message());
    }
    if let Some(error) = cause.downcast_ref::<serde_json::Error>() {
        return format!(
            "is not valid JSON (line {}, column {})",
            error.line(),
            error.column()
        );
    }
    // Boxed once more, for a file whose outermost value is no table.
    if cause.is::<Box<ConfigError>>() {
        return "holds no settings at its top level: write keys such as `interval` there".to_owned();
    }
    // What is left is YAML, whose errors end in "at byte 12 line 2 column 5".
    let cause = cause.to_string();
    let place = (cause.rsplit_once(" line ")).map(|(_, place)| place.replace(" column ", ", column "));
    match place {
        Some(place) if place.len() < 30 && place.starts_with(|first: char| first.is_ascii_digit()) => {
            format!("is not valid YAML (line {place})")
        }
        _ => "is not valid YAML".to_owned(),
    }
}

const SINGLE: &str = "VIGIE_";
const DOUBLE: &str = "VIGIE__";
/// What systemd sets for a unit with `LoadCredential=`.
const CREDENTIALS_DIRECTORY: &str = "CREDENTIALS_DIRECTORY";
/// Top-level keys whose name after one underscore is no flag's variable.
const WITHOUT_A_FLAG: [&str; 8] = [
    "interval",
    "stale_after",
    "web_config_file",
    "log_format",
    "audit_interval",
    "shard",
    "account",
    "kinds",
];
const BYTE_ORDER_MARK: char = '\u{feff}';
const LIMIT: u64 = 1024 * 1024;
