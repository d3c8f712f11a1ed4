//! The report as a table for the terminal.

use std::fmt::Write;

use super::{NO_GPU, Run};
use crate::validate::measure::show;

/// The report as text, with a line for each check.
pub(crate) fn terminal(run: &Run) -> String {
    let mut text = format!("{}\n", run.title());
    if !run.device.hardware {
        text.push_str(NO_GPU);
        text.push('\n');
    }
    text.push('\n');
    for (name, value) in run.facts() {
        line(&mut text, format_args!("{name:<16} {value}"));
    }
    for check in &run.checks {
        let findings = &check.findings;
        line(&mut text, format_args!(""));
        let verdict = findings.verdict();
        let took = check.took.as_secs_f64();
        line(&mut text, format_args!("{verdict:<8} {:<48} {took:>6.1} s", check.title));
        for why in findings.reasons() {
            line(&mut text, format_args!("         {why}"));
        }
        for figure in &findings.figures {
            line(
                &mut text,
                format_args!("         {:<52} {:>12} {}", figure.name, show(figure.value), figure.unit),
            );
        }
        for table in &findings.tables {
            text.push_str(&aligned(table));
        }
        for note in &findings.notes {
            line(&mut text, format_args!("         {note}"));
        }
    }
    line(&mut text, format_args!("\n{}", run.result()));
    text
}

fn line(text: &mut String, content: std::fmt::Arguments<'_>) {
    // Writing to a string cannot fail.
    let _ = writeln!(text, "{}", content.to_string().trim_end());
}

/// A table with its columns aligned: the first to the left, figures to the right.
fn aligned(table: &crate::validate::finding::Table) -> String {
    let mut widths: Vec<usize> = table.columns.iter().map(|column| column.chars().count()).collect();
    for row in &table.rows {
        for (width, cell) in widths.iter_mut().zip(row) {
            *width = (*width).max(cell.chars().count());
        }
    }
    let mut text = format!("         {}\n", table.title);
    let header = table.columns.iter().map(ToString::to_string).collect();
    for row in std::iter::once(&header).chain(&table.rows) {
        let mut cells = String::new();
        for (i, (cell, width)) in row.iter().zip(&widths).enumerate() {
            // Writing to a string cannot fail.
            let _ = if i == 0 { write!(cells, "{cell:<width$}") } else { write!(cells, "  {cell:>width$}") };
        }
        line(&mut text, format_args!("           {cells}"));
    }
    text
}
