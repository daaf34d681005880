//! `tests/FAULTS.md`: what people write stands in it as it is, and what is generated between two marks.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write as _;
use std::fs;
use std::path::Path;
use std::sync::Mutex;

use vigie::provider::Provider;

use crate::fault::{Fault, Outcome};
use crate::matrix::Cell;
use crate::scene::Subject;

/// Fails if this section of the report is not this text; writes it there, if that is asked for.
pub(crate) fn is_fresh(section: &str, generated: &str) {
    // Each test writes its own section into the whole.
    static ONE_AFTER_THE_OTHER: Mutex<()> = Mutex::new(());
    let _turn = ONE_AFTER_THE_OTHER.lock().unwrap();
    let file = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/FAULTS.md");
    let (begin, end) = (
        format!("<!-- {section}: begin -->"),
        format!("<!-- {section}: end -->"),
    );
    let text = fs::read_to_string(&file).unwrap();
    let (before, rest) = text.split_once(&begin).expect("the section begins somewhere");
    let (now, behind) = rest.split_once(&end).expect("the section ends somewhere");
    if std::env::var_os("UPDATE_FAULTS").is_some() {
        fs::write(&file, format!("{before}{begin}{generated}{end}{behind}")).unwrap();
        return;
    }
    let old = now
        .lines()
        .zip(generated.lines())
        .find(|(is, should)| is != should);
    assert!(
        now == generated,
        "tests/FAULTS.md is old ({old:?}): UPDATE_FAULTS=1 cargo test --test faults"
    );
}

/// A table for each action, a row for each fault.
pub(crate) fn matrix(cells: &[Cell]) -> String {
    let actions: BTreeSet<(&str, &str)> = cells
        .iter()
        .map(|cell| (cell.kind, cell.action.as_str()))
        .collect();
    let mut text = format!(
        "\n\n{} cells: {} faults upon {} actions of two clouds, each of which was tried and is as it says.\n",
        cells.len(),
        Fault::ALL.len(),
        actions.len()
    );
    // In the order of the code, which is that of importance.
    let mut told = BTreeSet::new();
    for Subject { kind, action, .. } in Subject::all() {
        let action = format!("{} {}", action.service.name(), action.name);
        if told.insert((kind.name, action.clone())) {
            table(&mut text, kind.name, &action, cells);
        }
    }
    text.push('\n');
    text
}

fn table(text: &mut String, kind: &str, action: &str, cells: &[Cell]) {
    let of_action = cells
        .iter()
        .filter(|cell| (cell.kind, cell.action.as_str()) == (kind, action));
    let mut rows: BTreeMap<&str, BTreeMap<&str, &Cell>> = BTreeMap::new();
    for cell in of_action {
        rows.entry(cell.fault.name())
            .or_default()
            .insert(cell.provider, cell);
    }
    write!(text, "\n### {kind}: {action}\n\n").unwrap();
    text.push_str("| fault | cloud | the poll | the last reading | calls | fails with it |\n");
    text.push_str("| --- | --- | --- | --- | --- | --- |\n");
    for fault in Fault::ALL {
        let by_cloud = &rows[fault.name()];
        let both: Vec<(&str, String)> = Provider::ALL
            .into_iter()
            .filter_map(|provider| Some((provider.name(), row(by_cloud.get(provider.name())?))))
            .collect();
        let is_same = both.iter().all(|(_, row)| *row == both[0].1);
        let shown = if is_same { &both[..1] } else { &both[..] };
        for (cloud, row) in shown {
            let cloud = if is_same && both.len() > 1 { "both" } else { cloud };
            writeln!(text, "| {} | {cloud} | {row} |", fault.name()).unwrap();
        }
    }
}

fn row(cell: &Cell) -> String {
    let expected = &cell.expected;
    let (fewest, most) = (expected.calls.start(), expected.calls.end());
    let calls = if fewest == most {
        fewest.to_string()
    } else {
        format!("{fewest} to {most}")
    };
    let touched = match expected.outcome {
        Outcome::Survives => "nothing".to_owned(),
        Outcome::Fails(_) => expected.touched.to_string(),
    };
    format!("{} | {} | {calls} | {touched}", expected.outcome, cell.reading)
}
