//! The landing page: what is polled, how it goes, where the metrics are.

use std::fmt::Write as _;

use jiff::Timestamp;

use crate::exposition::Page;

/// The page as of now: plain HTML, everything foreign escaped.
pub(super) fn render(page: &Page) -> String {
    let mut rows = String::new();
    for watched in page.watched() {
        let status = watched.status();
        let shown = page.reading(&watched);
        let (state, objects) = match (&status.failure, &shown) {
            (None, Some(reading)) => ("fresh".to_owned(), reading.objects.to_string()),
            (None, None) if status.tried => ("too old".to_owned(), String::new()),
            (None, None) => ("not polled yet".to_owned(), String::new()),
            (Some(failure), Some(reading)) => (
                format!("failing: {}", failure.explained),
                reading.objects.to_string(),
            ),
            (Some(failure), None) => (
                format!("failing, nothing shown: {}", failure.explained),
                String::new(),
            ),
        };
        let age = status.reading.as_ref().map_or_else(String::new, |reading| {
            format!("{} s", Timestamp::now().duration_since(reading.at).as_secs())
        });
        writeln!(
            rows,
            "<tr><td>{}<td>{}<td>{}<td>{}<td>{}<td>{}</tr>",
            escaped(&watched.account),
            escaped(&watched.region),
            watched.kind.name,
            objects,
            age,
            escaped(&state),
        )
        .expect("writing to a String cannot fail");
    }
    format!(
        "<!DOCTYPE html>\n<html lang=\"en\">\n<meta charset=\"utf-8\">\n\
         <meta name=\"viewport\" content=\"width=device-width\">\n<title>vigie</title>\n\
         <style>body{{font-family:sans-serif;margin:2em}}td,th{{text-align:left;padding:.2em 1em .2em 0}}</style>\n\
         <h1>vigie {}</h1>\n\
         <p>The state of instances and load balancers, for Prometheus: <a href=\"/metrics\">/metrics</a>. \
         Health: <a href=\"/-/healthy\">/-/healthy</a>, <a href=\"/-/ready\">/-/ready</a>.</p>\n\
         <table>\n<tr><th>account<th>region<th>kind<th>objects<th>age<th>state</tr>\n{rows}</table>\n</html>\n",
        env!("CARGO_PKG_VERSION"),
    )
}

fn escaped(text: &str) -> String {
    text.replace('&', "&amp;")
        .replace('<', "&lt;")
        .replace('>', "&gt;")
        .replace('"', "&quot;")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn foreign_text_cannot_become_markup() {
        assert_eq!(escaped("<a href=\"x\">&"), "&lt;a href=&quot;x&quot;&gt;&amp;");
    }
}
