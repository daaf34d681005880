//! How log lines are written: one for each event, whatever it holds.

use std::fmt::{self, Write};
use std::io::{self, IsTerminal as _};

use tracing::field::Field;
use tracing::{Level, Metadata, Subscriber, enabled, error, warn};
use tracing_subscriber::field::MakeExt as _;
use tracing_subscriber::filter::{LevelFilter, Targets};
use tracing_subscriber::fmt::MakeWriter;
use tracing_subscriber::fmt::format::{Writer, debug_fn};
use tracing_subscriber::layer::SubscriberExt as _;
use tracing_subscriber::util::SubscriberInitExt as _;

use super::plain::{Escapes, is_odd};
use crate::config::LogFormat;

/// Log lines go to stderr. `VIGIE_LOG` filters them, as `debug` or `vigie::api=debug,info`.
pub(super) fn start(format: LogFormat, level: &str) {
    let usual = || filter("", level).expect("our own filters are in order");
    let (filter, fault) = match filter(&std::env::var(LOG_VARIABLE).unwrap_or_default(), level) {
        Ok(filter) => (filter, None),
        Err(fault) => (usual(), Some(fault)),
    };
    let no_colour = std::env::var_os("NO_COLOR").is_some_and(|value| !value.is_empty());
    let ansi = io::stderr().is_terminal() && !no_colour;
    lines(format, filter, ansi, io::stderr).init();
    log_panics();
    if let Some(error) = fault {
        warn!(
            error,
            "VIGIE_LOG is ignored: write `debug`, or `vigie::api=debug,info`"
        );
    }
}

/// What is wanted: a level for all, and levels for modules, over the usual ones where none is for all. A word that is no
/// level would be taken for a module, and all else be silenced.
fn filter(wanted: &str, level: &str) -> Result<Targets, String> {
    let wanted: Vec<&str> = (wanted.split(',').map(str::trim))
        .filter(|directive| !directive.is_empty())
        .collect();
    let mut directives = vec![format!("warn,vigie={level}")];
    for word in wanted.iter().filter(|directive| !directive.contains('=')) {
        if word.parse::<LevelFilter>().is_err() {
            return Err(format!(
                "{word:?} is no level: there are off, error, warn, info, debug and trace"
            ));
        }
        directives.clear();
    }
    directives.extend(wanted.into_iter().map(str::to_owned));
    let all = directives.join(",");
    all.parse().map_err(|fault| format!("{all:?}: {fault}"))
}

/// A fault of ours is an event like any other: one line. Whoever asks for a backtrace gets Rust's own words beside it.
fn log_panics() {
    let usual = std::panic::take_hook();
    std::panic::set_hook(Box::new(move |panic| {
        let is_logged = enabled!(Level::ERROR);
        if is_logged {
            let payload = panic.payload();
            let text = payload.downcast_ref::<&str>().copied();
            let error = text.or_else(|| payload.downcast_ref().map(String::as_str));
            let place = panic.location().map(ToString::to_string);
            error!(error, place, "a fault of vigie: please report it");
        }
        if !is_logged || std::env::var_os("RUST_BACKTRACE").is_some() {
            usual(panic);
        }
    }));
}

/// Log lines in a format, written to `writer`; the text in colour if `ansi`.
pub fn lines<W>(
    format: LogFormat,
    filter: Targets,
    ansi: bool,
    writer: W,
) -> Box<dyn Subscriber + Send + Sync>
where
    W: for<'w> MakeWriter<'w> + Send + Sync + 'static,
{
    // Without the module: a backend's `target` is a field of ours, and no two may share a name.
    let log = tracing_subscriber::fmt()
        .with_max_level(LevelFilter::TRACE)
        .with_writer(writer)
        // A line that cannot be written is lost. Told on the same stream, that would be a panic, and the panic's own
        // line the end of the process.
        .log_internal_errors(false)
        .with_target(false);
    match format {
        LogFormat::Text => Box::new(
            log.with_ansi(ansi)
                .fmt_fields(debug_fn(write_field).delimited(" "))
                .finish()
                .with(filter),
        ),
        LogFormat::Json => Box::new(
            log.json()
                .flatten_event(true)
                .map_writer(Escaping)
                .finish()
                .with(filter),
        ),
    }
}

/// The message as such, every other field as `name=value`. Much of it is of others' making: what would break the line,
/// or give a terminal orders, is written as an escape.
fn write_field(writer: &mut Writer<'_>, field: &Field, value: &dyn fmt::Debug) -> fmt::Result {
    if field.name() == "message" {
        return write!(Escapes::new(writer, is_odd), "{value:?}");
    }
    if writer.has_ansi_escapes() {
        write!(writer, "\u{1b}[3m{}\u{1b}[0m\u{1b}[2m=\u{1b}[0m", field.name())?;
    } else {
        write!(writer, "{}=", field.name())?;
    }
    write!(Escapes::new(writer, is_odd), "{value:?}")
}

/// Makes writers that pass JSON on, with JSON's escapes for what is no text and may stand in a string of it all the same.
struct Escaping<W>(W);

impl<'w, W: MakeWriter<'w>> MakeWriter<'w> for Escaping<W> {
    type Writer = Escaped<W::Writer>;

    fn make_writer(&'w self) -> Self::Writer {
        Escaped(self.0.make_writer())
    }

    fn make_writer_for(&'w self, event: &Metadata<'_>) -> Self::Writer {
        Escaped(self.0.make_writer_for(event))
    }
}

/// Such a writer. What it is given at once is text that is whole.
pub(super) struct Escaped<W>(pub(super) W);

impl<W: io::Write> io::Write for Escaped<W> {
    fn write(&mut self, line: &[u8]) -> io::Result<usize> {
        let all = String::from_utf8_lossy(line);
        // The end of the line is the only control that is not within a string.
        let text = all.strip_suffix('\n').unwrap_or(&all);
        if text.chars().any(is_odd) {
            let mut escaped = String::with_capacity(all.len());
            for character in text.chars() {
                if is_odd(character) {
                    // None of them needs more than four digits.
                    write!(escaped, "\\u{:04x}", u32::from(character)).map_err(io::Error::other)?;
                } else {
                    escaped.push(character);
                }
            }
            if text.len() < all.len() {
                escaped.push('\n');
            }
            self.0.write_all(escaped.as_bytes())?;
        } else {
            self.0.write_all(line)?;
        }
        Ok(line.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        self.0.flush()
    }
}

const LOG_VARIABLE: &str = "VIGIE_LOG";

#[cfg(test)]
mod tests {
    use std::sync::{Arc, Mutex};

    use tracing::info;

    use super::*;

    #[test]
    fn slip_in_a_filter_silences_nothing() {
        for slip in ["inof", "verbos,vigie=debug", "warn,vigie=verbos", "debug info"] {
            assert!(filter(slip, "info").is_err(), "{slip}");
        }
        let shows =
            |wanted: &str, target: &str, level| filter(wanted, "info").unwrap().would_enable(target, &level);
        for (wanted, target, level, expected) in [
            ("", "vigie::poller", Level::INFO, true),
            ("", "vigie::poller", Level::DEBUG, false),
            ("", "hyper", Level::INFO, false),
            ("debug,", "hyper", Level::DEBUG, true),
            ("warn", "vigie::poller", Level::INFO, false),
            (
                "vigie::poller::changes=warn",
                "vigie::poller::changes",
                Level::INFO,
                false,
            ),
            ("vigie::poller::changes=warn", "vigie::poller", Level::INFO, true),
            ("vigie=debug", "vigie::api", Level::DEBUG, true),
            ("vigie=debug", "hyper", Level::WARN, true),
            (" off, vigie::api=trace", "vigie::api", Level::TRACE, true),
        ] {
            assert_eq!(
                shows(wanted, target, level),
                expected,
                "{wanted:?} {target} {level}"
            );
        }
    }

    /// What is written of one event that holds all that is hostile.
    fn written(format: LogFormat, ansi: bool) -> String {
        let log: Arc<Mutex<Vec<u8>>> = Arc::default();
        let writer = Arc::clone(&log);
        let writer = move || Writing(Arc::clone(&writer));
        let lines = lines(format, Targets::new().with_default(Level::INFO), ansi, writer);
        let hostile = "a\n2026-01-01 ERROR b\r\u{1b}[2J\u{9b}31m\u{7}\u{202e}\u{2028}\"}é";
        tracing::subscriber::with_default(lines, || {
            info!(text = hostile, shown = %hostile, debugged = ?Some(hostile), number = 3, "message {hostile}");
        });
        let bytes = log.lock().unwrap().clone();
        String::from_utf8(bytes).unwrap()
    }

    struct Writing(Arc<Mutex<Vec<u8>>>);

    impl io::Write for Writing {
        fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
            self.0.lock().unwrap().extend_from_slice(bytes);
            Ok(bytes.len())
        }

        fn flush(&mut self) -> io::Result<()> {
            Ok(())
        }
    }

    #[test]
    fn event_is_one_line_of_text_whatever_it_holds() {
        let line = written(LogFormat::Text, false);
        let text = line.strip_suffix('\n').unwrap();
        assert!(!text.chars().any(is_odd), "{text:?}");
        let message = r#"message a\n2026-01-01 ERROR b\r\u{1b}[2J\u{9b}31m\u{7}\u{202e}\u{2028}"}é"#;
        assert!(text.contains(message), "{text}");
        assert!(
            text.contains(" shown=a\\n2026") && text.ends_with(" number=3"),
            "{text}"
        );
    }

    #[test]
    fn colours_are_ours_alone() {
        let line = written(LogFormat::Text, true);
        assert!(line.contains("\u{1b}[3mnumber\u{1b}[0m"), "{line:?}");
        assert!(
            !line.contains("\u{1b}[2J") && line.lines().count() == 1,
            "{line:?}"
        );
    }

    #[test]
    fn event_is_one_object_of_json_whatever_it_holds() {
        let line = written(LogFormat::Json, false);
        assert_eq!(line.lines().count(), 1, "{line}");
        assert!(!line.trim_end().chars().any(is_odd), "{line:?}");
        let object: serde_json::Map<String, serde_json::Value> = serde_json::from_str(&line).unwrap();
        assert!(
            object["text"]
                .as_str()
                .unwrap()
                .contains("\u{9b}31m\u{7}\u{202e}\u{2028}"),
            "{line}"
        );
        let mut names: Vec<_> = object.keys().map(String::as_str).collect();
        names.sort_unstable();
        assert_eq!(
            names,
            [
                "debugged",
                "level",
                "message",
                "number",
                "shown",
                "text",
                "timestamp"
            ]
        );
        assert_eq!(object["text"], object["shown"]);
    }
}
