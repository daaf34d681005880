//! What a client takes: the text format and the coding, from its headers (RFC 9110, 12.5).

use std::collections::HashMap;

use crate::exposition::Format;

/// The best format for an `Accept` header: what it wants most among what there is; text without one.
pub(super) fn format(accept: &str) -> Format {
    let mut best = (0.0, Format::Text);
    for (range, parameters) in ranges(accept) {
        let format = match range.as_str() {
            "application/openmetrics-text" => {
                if parameters
                    .get("version")
                    .is_some_and(|version| version != "1.0.0")
                {
                    continue;
                }
                Format::OpenMetrics
            }
            "text/plain" | "text/*" | "*/*" => Format::Text,
            _ => continue,
        };
        let quality = quality(&parameters);
        if quality > best.0 {
            best = (quality, format);
        }
    }
    best.1
}

/// Whether an `Accept-Encoding` header takes gzip, by either of its names (RFC 9110, 8.4.1.3).
pub(super) fn takes_gzip(accept_encoding: &str) -> bool {
    ranges(accept_encoding)
        .iter()
        .find(|(coding, _)| matches!(coding.as_str(), "gzip" | "x-gzip"))
        .is_some_and(|(_, parameters)| quality(parameters) > 0.0)
}

/// The items of a header's list, each with its parameters, names in lower case (RFC 9110, 12.4).
fn ranges(header: &str) -> Vec<(String, HashMap<String, String>)> {
    header
        .split(',')
        .map(|item| {
            let mut parts = item.split(';').map(str::trim);
            let range = parts.next().unwrap_or_default().to_ascii_lowercase();
            let parameters = parts
                .filter_map(|part| part.split_once('='))
                .map(|(name, value)| {
                    (
                        name.trim().to_ascii_lowercase(),
                        value.trim().trim_matches('"').to_owned(),
                    )
                })
                .collect();
            (range, parameters)
        })
        .collect()
}

fn quality(parameters: &HashMap<String, String>) -> f64 {
    parameters
        .get("q")
        .map_or(1.0, |quality| quality.parse().unwrap_or(0.0))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_wanted_format_is_served() {
        let prometheus = "application/openmetrics-text;version=1.0.0,application/openmetrics-text;version=0.0.1;\
                          q=0.75,text/plain;version=0.0.4;q=0.5,*/*;q=0.1";
        let cases = [
            (prometheus, Format::OpenMetrics),
            ("", Format::Text),
            ("*/*", Format::Text),
            ("text/html,application/xhtml+xml,*/*;q=0.8", Format::Text),
            ("application/openmetrics-text", Format::OpenMetrics),
            (
                "application/openmetrics-text; version=\"1.0.0\"; escaping=allow-utf-8;q=0.6,text/plain;q=0.5",
                Format::OpenMetrics,
            ),
            (
                "application/openmetrics-text;version=2.0.0,text/plain;q=0.1",
                Format::Text,
            ),
            (
                "application/openmetrics-text;q=0.2,text/plain;q=0.9",
                Format::Text,
            ),
            ("application/openmetrics-text;q=broken", Format::Text),
        ];
        for (accept, expected) in cases {
            assert_eq!(format(accept), expected, "{accept}");
        }
    }

    #[test]
    fn gzip_is_sent_only_to_those_who_take_it() {
        for (header, expected) in [
            ("gzip", true),
            ("deflate, GZIP;q=0.5", true),
            ("gzip;q=0", false),
            ("", false),
            ("br", false),
            ("br, X-Gzip", true),
            ("x-gzip;q=0", false),
        ] {
            assert_eq!(takes_gzip(header), expected, "{header}");
        }
    }
}
