//! The agent's own metrics as lines of either format, and the heads of all families.

use std::fmt::Write as _;

use prometheus::proto::{Metric, MetricFamily, MetricType};

use super::{Format, Part};
use crate::metric;

pub(super) fn push_head(page: &mut String, name: &str, help: &str, kind: &str, format: Format) {
    // OpenMetrics names a counter without the suffix of its sample.
    let name = match format {
        Format::OpenMetrics if kind == "counter" => name.strip_suffix("_total").unwrap_or(name),
        _ => name,
    };
    page.push_str("# HELP ");
    page.push_str(name);
    page.push(' ');
    match format {
        Format::OpenMetrics => metric::push_label_value(page, help),
        Format::Text => page.push_str(&help.replace('\\', "\\\\").replace('\n', "\\n")),
    }
    page.push_str("\n# TYPE ");
    page.push_str(name);
    page.push(' ');
    page.push_str(kind);
    page.push('\n');
}

pub(super) fn push_family(page: &mut String, family: &MetricFamily, format: Format, part: &Part) {
    let of_part = |metric: &&Metric| {
        let labels = metric.get_label().iter();
        part.shows_own(labels.map(|label| (label.name(), label.value())))
    };
    let mut metrics = family.get_metric().iter().filter(of_part).peekable();
    if metrics.peek().is_none() {
        return;
    }
    let (name, kind) = (family.name(), family.get_field_type());
    push_head(page, name, family.help(), type_name(kind), format);
    for metric in metrics {
        match kind {
            MetricType::HISTOGRAM => push_histogram(page, name, metric),
            MetricType::COUNTER => push_sample(page, name, metric, None, metric.get_counter().get_value()),
            _ => push_sample(page, name, metric, None, metric.get_gauge().get_value()),
        }
    }
}

pub(super) fn push_histogram(page: &mut String, name: &str, metric: &Metric) {
    let histogram = metric.get_histogram();
    let count = histogram.get_sample_count() as f64;
    let bucket = format!("{name}_bucket");
    for step in histogram.get_bucket() {
        let mut bound = String::new();
        metric::push_value(&mut bound, step.upper_bound());
        // OpenMetrics wants a float here; text takes either, and a series must not change with the format.
        if !bound.contains(['.', 'I']) {
            bound.push_str(".0");
        }
        push_sample(
            page,
            &bucket,
            metric,
            Some(("le", &bound)),
            step.cumulative_count() as f64,
        );
    }
    push_sample(page, &bucket, metric, Some(("le", "+Inf")), count);
    push_sample(
        page,
        &format!("{name}_sum"),
        metric,
        None,
        histogram.get_sample_sum(),
    );
    push_sample(page, &format!("{name}_count"), metric, None, count);
}

pub(super) fn push_sample(
    page: &mut String,
    name: &str,
    metric: &Metric,
    extra: Option<(&str, &str)>,
    value: f64,
) {
    page.push_str(name);
    let labels = metric
        .get_label()
        .iter()
        .map(|label| (label.name(), label.value()));
    let mut separator = '{';
    for (name, value) in labels.chain(extra) {
        write!(page, "{separator}{name}=\"").expect("writing to a String cannot fail");
        metric::push_label_value(page, value);
        page.push('"');
        separator = ',';
    }
    page.push_str(if separator == ',' { "} " } else { " " });
    metric::push_value(page, value);
    page.push('\n');
}

pub(super) fn type_name(kind: MetricType) -> &'static str {
    match kind {
        MetricType::COUNTER => "counter",
        MetricType::HISTOGRAM => "histogram",
        MetricType::GAUGE => "gauge",
        _ => "unknown",
    }
}

#[cfg(test)]
mod tests {
    use prometheus::Registry;

    use super::*;
    use crate::metric::Family;

    #[test]
    fn own_metrics_are_written_in_both_formats() {
        static EVENTS: Family = Family::counter("x_events_total", &["a"], "Events with a \\ in the help.");
        static TIMES: Family = Family::histogram("x_seconds", &[], "Times.");
        static NONE: Family = Family::counter("x_none_total", &["a"], "Without a sample.");
        let registry = Registry::new();
        EVENTS
            .int_counter_vec(&registry)
            .unwrap()
            .with_label_values(&["q\"\n"])
            .inc();
        TIMES
            .histogram_vec(&registry, &[0.5, 1.0])
            .unwrap()
            .with_label_values::<&str>(&[])
            .observe(0.7);
        NONE.int_counter_vec(&registry).unwrap();
        let rendered = |format| {
            let mut page = String::new();
            registry
                .gather()
                .iter()
                .for_each(|family| push_family(&mut page, family, format, &Part::default()));
            page
        };
        let text = [
            r"# HELP x_events_total Events with a \\ in the help.",
            "# TYPE x_events_total counter",
            r#"x_events_total{a="q\"\n"} 1"#,
            "# HELP x_seconds Times.",
            "# TYPE x_seconds histogram",
            r#"x_seconds_bucket{le="0.5"} 0"#,
            r#"x_seconds_bucket{le="1.0"} 1"#,
            r#"x_seconds_bucket{le="+Inf"} 1"#,
            "x_seconds_sum 0.7",
            "x_seconds_count 1\n",
        ]
        .join("\n");
        assert_eq!(rendered(Format::Text), text);
        let open_metrics = text
            .replace("HELP x_events_total", "HELP x_events")
            .replace("TYPE x_events_total", "TYPE x_events");
        assert_eq!(rendered(Format::OpenMetrics), open_metrics);
    }
}
