//! The tables of docs/misuse.md.

use haproxy_vertex::watch::Signal;

use crate::Outcome;
use crate::attacks::ATTACKS;
use crate::traffic::{KINDS, Kind};

/// A line of a table.
fn row(cells: impl IntoIterator<Item = String>) -> String {
    let cells: Vec<_> = cells.into_iter().collect();
    format!("| {} |", cells.join(" | "))
}

/// How often each signal was told: of 1,000 calls of each kind, and in all.
pub(crate) fn honest(outcome: &Outcome) -> Vec<String> {
    let line = |name: String, cell: &dyn Fn(u32, u32) -> String, told: &dyn Fn(Kind) -> u32| {
        let cells = KINDS.iter().map(|kind| cell(told(*kind), outcome.calls[kind]));
        let (all, calls) =
            (KINDS.iter().map(|kind| told(*kind)).sum(), outcome.calls.values().sum());
        row([name].into_iter().chain(cells).chain([cell(all, calls), format!("{all}")]))
    };
    let rate = |told: u32, calls: u32| match told {
        0 => "0".to_owned(),
        _ => format!("{:.3}", f64::from(told) * 1000.0 / f64::from(calls)),
    };
    let count = |map: Option<&u32>| map.copied().unwrap_or_default();
    let mut rows: Vec<_> = Signal::ALL
        .iter()
        .map(|signal| {
            let told = |kind| count(outcome.told.get(&(*signal, kind)));
            line(format!("`{}`", signal.name()), &rate, &told)
        })
        .collect();
    let both = "`new_network` and `new_client` within an hour".to_owned();
    rows.push(line(both, &rate, &|kind| count(outcome.both.get(&kind))));
    rows.push(line("calls".into(), &|told, _| told.to_string(), &|kind| outcome.calls[&kind]));
    rows
}

/// Of how many principals of each kind an attack was told, and by what: by each signal, of how many
/// of the 40 and at which call (the median).
pub(crate) fn attacked(outcome: &Outcome) -> Vec<String> {
    let attack_row = |attack| {
        let ones: Vec<_> = outcome.attacks.iter().filter(|one| one.attack == attack).collect();
        let of = KINDS.iter().map(|kind| {
            let of_kind = ones.iter().filter(|one| one.kind == *kind);
            let told = of_kind.clone().filter(|one| !one.told.is_empty()).count();
            format!("{told}/{}", of_kind.count())
        });
        let by = Signal::ALL.iter().filter_map(|signal| {
            let mut calls: Vec<_> = ones.iter().filter_map(|one| one.told.get(signal)).collect();
            calls.sort();
            let median = calls.get(calls.len() / 2)?;
            Some(format!("`{}` {}, call {median}", signal.name(), calls.len()))
        });
        let by = by.collect::<Vec<_>>().join("; ");
        row([attack.what()].into_iter().chain(of).chain([by]))
    };
    ATTACKS.map(attack_row).to_vec()
}

/// Whether `text` has each row: the same words, and numbers that differ by a quarter or by three at
/// most, as tags collide now and then and logarithms differ between machines.
///
/// # Errors
/// The first row that it lacks.
pub(crate) fn same<'t>(text: &str, table: &'t [String]) -> Result<(), &'t String> {
    let lacks = |row: &&String| !text.lines().any(|line| alike(line, row));
    table.iter().find(lacks).map_or(Ok(()), Err)
}

fn alike(one: &str, other: &str) -> bool {
    let separators = [' ', '/', ',', ';'];
    let words = |line: &str| line.split(separators).map(str::to_owned).collect::<Vec<_>>();
    let (one, other) = (words(one), words(other));
    one.len() == other.len() && one.iter().zip(&other).all(|(one, other)| close(one, other))
}

fn close(one: &str, other: &str) -> bool {
    let (Ok(one_number), Ok(other_number)) = (one.parse::<f64>(), other.parse::<f64>()) else {
        return one == other;
    };
    // Fractions are rates of 1,000 calls.
    let few = if one.contains('.') { 0.003 } else { 3.0 };
    (one_number - other_number).abs() <= few + one_number.max(other_number) / 4.0
}
