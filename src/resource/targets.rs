//! Instances as targets of a scrape, compressed as they are written: they are asked for once a minute, and would
//! else take as much memory as the page.

use std::io::{BufRead as _, BufReader, Write as _};
use std::net::IpAddr;

use flate2::Compression;
use flate2::read::DeflateDecoder;
use flate2::write::DeflateEncoder;

/// Targets in the making: one line for each. Takes memory once there is one.
#[derive(Debug, Default)]
pub struct TargetsWriter(Option<DeflateEncoder<Vec<u8>>>);

/// The targets of one reading.
#[derive(Debug, Default)]
pub struct Targets(Vec<u8>);

/// One target.
#[derive(Debug, PartialEq, Eq)]
pub struct Target {
    /// Where it is reached from within its network.
    pub private: Option<IpAddr>,
    /// Where it is reached from everywhere.
    pub public: Option<IpAddr>,
    /// Its labels, as one JSON object.
    pub labels: String,
}

impl TargetsWriter {
    /// Adds a target, and gives by how many bytes that makes it longer. What is no address is none. Of labels with one
    /// name, the last holds.
    #[expect(clippy::missing_panics_doc, reason = "writing to a Vec cannot fail")]
    pub fn push(&mut self, private: &str, public: &str, labels: &[(&str, &str)]) -> usize {
        let address = |text: &str| {
            let address: Option<IpAddr> = text.trim().parse().ok();
            address.map_or_else(String::new, |address| address.to_string())
        };
        let object: serde_json::Map<String, serde_json::Value> = labels
            .iter()
            .map(|(name, value)| ((*name).to_owned(), (*value).into()))
            .collect();
        // JSON holds neither tabs nor line ends as such.
        let line = format!(
            "{}\t{}\t{}\n",
            address(private),
            address(public),
            serde_json::Value::Object(object)
        );
        let encoder = || DeflateEncoder::new(Vec::new(), Compression::fast());
        let encoder = self.0.get_or_insert_with(encoder);
        let before = encoder.total_out();
        let written = encoder.write_all(line.as_bytes());
        written.expect("writing to a Vec cannot fail");
        usize::try_from(encoder.total_out() - before).unwrap_or(usize::MAX)
    }

    /// All that was written.
    #[expect(clippy::missing_panics_doc, reason = "writing to a Vec cannot fail")]
    pub fn finish(self) -> Targets {
        let Some(encoder) = self.0 else {
            return Targets::default();
        };
        let mut bytes = encoder.finish().expect("writing to a Vec cannot fail");
        bytes.shrink_to_fit();
        Targets(bytes)
    }
}

impl Targets {
    /// The targets, in the order written.
    pub fn iter(&self) -> impl Iterator<Item = Target> {
        let lines = BufReader::new(DeflateDecoder::new(self.0.as_slice())).lines();
        lines.map_while(Result::ok).filter_map(|line| {
            let mut fields = line.splitn(3, '\t');
            Some(Target {
                private: fields.next()?.parse().ok(),
                public: fields.next()?.parse().ok(),
                labels: fields.next()?.to_owned(),
            })
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn targets_come_back_as_they_were_written() {
        let mut writer = TargetsWriter::default();
        writer.push(
            " 10.0.0.1",
            "",
            &[("a", "1"), ("b", "tab\tline\n\"é\""), ("a", "2")],
        );
        writer.push("not\tan address", "2001:db8::1", &[]);
        let targets: Vec<Target> = writer.finish().iter().collect();
        assert_eq!(targets[0].private, Some("10.0.0.1".parse().unwrap()));
        assert_eq!(targets[0].public, None);
        assert_eq!(targets[0].labels, r#"{"a":"2","b":"tab\tline\n\"é\""}"#);
        assert_eq!(targets[1].private, None);
        assert_eq!(targets[1].public, Some("2001:db8::1".parse().unwrap()));
        assert_eq!(targets.len(), 2);
        assert_eq!(Targets::default().iter().count(), 0);
    }
}
