//! What a metric is: its name, type, labels and help, declared once by the room that owns it.
//!
//! The same declaration registers the agent's own metrics, heads the samples on the page and fills
//! `vigie metrics`.

use std::collections::HashMap;
use std::fmt::Write as _;

use prometheus::core::{Collector, MetricVec, MetricVecBuilder};
use prometheus::proto::LabelPair;
use prometheus::{
    CounterVec, Gauge, GaugeVec, HistogramOpts, HistogramVec, IntCounterVec, IntGauge, IntGaugeVec, Opts,
    Registry,
};
use serde::Serialize;

/// A metric family: all samples of one name.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
pub struct Family {
    /// The name on the page, `_total` included.
    pub name: &'static str,
    /// The type on the page.
    #[serde(rename = "type")]
    pub kind: FamilyType,
    /// The label names; those that a sample may lack are among them.
    pub labels: &'static [&'static str],
    /// One sentence for the person who reads the page.
    pub help: &'static str,
}

/// The types that vigie exposes. States and facts are gauges, as kube-state-metrics has them.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum FamilyType {
    /// A value that goes up and down; 0 or 1 for states, 1 for facts.
    Gauge,
    /// A value that only grows while the process lives.
    Counter,
    /// Observations in cumulative buckets.
    Histogram,
}

impl FamilyType {
    /// The word in the `# TYPE` line.
    pub fn name(self) -> &'static str {
        match self {
            Self::Gauge => "gauge",
            Self::Counter => "counter",
            Self::Histogram => "histogram",
        }
    }
}

impl Family {
    /// A gauge.
    pub const fn gauge(name: &'static str, labels: &'static [&'static str], help: &'static str) -> Self {
        Self {
            name,
            kind: FamilyType::Gauge,
            labels,
            help,
        }
    }

    /// A counter; its name ends in `_total`.
    pub const fn counter(name: &'static str, labels: &'static [&'static str], help: &'static str) -> Self {
        Self {
            name,
            kind: FamilyType::Counter,
            labels,
            help,
        }
    }

    /// A histogram.
    pub const fn histogram(name: &'static str, labels: &'static [&'static str], help: &'static str) -> Self {
        Self {
            name,
            kind: FamilyType::Histogram,
            labels,
            help,
        }
    }

    /// Registers this family as a gauge without labels.
    pub fn int_gauge(&self, registry: &Registry) -> Result<IntGauge, prometheus::Error> {
        register(registry, IntGauge::with_opts(self.opts())?)
    }

    /// Registers this family as a gauge of fractions without labels.
    pub fn float_gauge(&self, registry: &Registry) -> Result<Gauge, prometheus::Error> {
        register(registry, Gauge::with_opts(self.opts())?)
    }

    /// Registers this family as a gauge of whole numbers.
    pub fn int_gauge_vec(&self, registry: &Registry) -> Result<IntGaugeVec, prometheus::Error> {
        register(registry, IntGaugeVec::new(self.opts(), self.labels)?)
    }

    /// Registers this family as a gauge.
    pub fn gauge_vec(&self, registry: &Registry) -> Result<GaugeVec, prometheus::Error> {
        register(registry, GaugeVec::new(self.opts(), self.labels)?)
    }

    /// Registers this family as a counter of events.
    pub fn int_counter_vec(&self, registry: &Registry) -> Result<IntCounterVec, prometheus::Error> {
        register(registry, IntCounterVec::new(self.opts(), self.labels)?)
    }

    /// Registers this family as a counter of seconds.
    pub fn counter_vec(&self, registry: &Registry) -> Result<CounterVec, prometheus::Error> {
        register(registry, CounterVec::new(self.opts(), self.labels)?)
    }

    /// Registers this family as a histogram with these upper bounds.
    pub fn histogram_vec(
        &self,
        registry: &Registry,
        buckets: &[f64],
    ) -> Result<HistogramVec, prometheus::Error> {
        let options = HistogramOpts::from(self.opts()).buckets(buckets.to_vec());
        register(registry, HistogramVec::new(options, self.labels)?)
    }

    fn opts(&self) -> Opts {
        Opts::new(self.name, self.help)
    }
}

fn register<C: Collector + Clone + 'static>(
    registry: &Registry,
    collector: C,
) -> Result<C, prometheus::Error> {
    registry.register(Box::new(collector.clone()))?;
    Ok(collector)
}

/// Takes every series off the page that has all of these labels.
pub fn forget<B: MetricVecBuilder>(series: &MetricVec<B>, of: &[(&str, &str)]) {
    let is_of = |labels: &[LabelPair]| {
        of.iter().all(|(name, value)| {
            labels
                .iter()
                .any(|pair| pair.name() == *name && pair.value() == *value)
        })
    };
    for family in series.collect() {
        for metric in family.get_metric() {
            let labels = metric.get_label();
            if is_of(labels) {
                let labels: HashMap<&str, &str> =
                    labels.iter().map(|pair| (pair.name(), pair.value())).collect();
                // It was there a moment ago; if it is not any more, that is as well.
                drop(series.remove(&labels));
            }
        }
    }
}

/// Writes a label value's characters, escaped as both text formats want them.
pub fn push_label_value(text: &mut String, value: &str) {
    let mut rest = value;
    // Byte by byte: next to no value has one of these, and no part of a longer character looks like one.
    while let Some(at) = rest.bytes().position(|byte| matches!(byte, b'\\' | b'"' | b'\n')) {
        let (clean, tail) = rest.split_at(at);
        text.push_str(clean);
        text.push_str(match tail.as_bytes().first() {
            Some(b'\n') => "\\n",
            Some(b'"') => "\\\"",
            _ => "\\\\",
        });
        rest = tail.get(1..).unwrap_or_default();
    }
    text.push_str(rest);
}

/// Writes a sample value as both text formats read it.
pub fn push_value(text: &mut String, value: f64) {
    // Most samples are one of these two; writing a float takes far longer.
    if value.to_bits() == 0_f64.to_bits() {
        text.push('0');
    } else if value.to_bits() == 1_f64.to_bits() {
        text.push('1');
    } else if value.is_nan() {
        text.push_str("NaN");
    } else if value.is_infinite() {
        text.push_str(if value > 0.0 { "+Inf" } else { "-Inf" });
    } else {
        write!(text, "{value}").expect("writing to a String cannot fail");
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn label_values_are_escaped_once() {
        let mut text = String::new();
        push_label_value(&mut text, "a\\b\"c\nd\u{1F980}\r");
        assert_eq!(text, "a\\\\b\\\"c\\nd\u{1F980}\r");
    }

    #[test]
    fn values_have_no_exponent_and_name_the_infinities() {
        let mut text = String::new();
        for value in [0.0, 1.0, -0.0, 1_732_290_000.0, 0.25, f64::INFINITY, f64::NAN] {
            push_value(&mut text, value);
            text.push(' ');
        }
        assert_eq!(text, "0 1 -0 1732290000 0.25 +Inf NaN ");
    }
}
