//! The report as Markdown, with the plots as files beside it.

use std::fmt::Write;

use super::{NO_GPU, Run};
use crate::validate::finding::Table;
use crate::validate::measure::show;

/// The report as a Markdown document.
pub(crate) fn markdown(run: &Run) -> String {
    let mut text = format!("# {}\n\n", run.title());
    if !run.device.hardware {
        put(&mut text, format_args!("**{NO_GPU}**\n\n"));
    }
    put(&mut text, format_args!("{}.\n\n| | |\n|---|---|\n", run.result()));
    for (name, value) in run.facts() {
        put(&mut text, format_args!("| {name} | {} |\n", cell(&value)));
    }
    text.push_str("\n| check | verdict | seconds | why |\n|---|---|---:|---|\n");
    for check in &run.checks {
        let verdict = check.findings.verdict();
        put(
            &mut text,
            format_args!(
                "| {} | {verdict} | {:.1} | {} |\n",
                cell(check.title),
                check.took.as_secs_f64(),
                cell(&check.findings.why())
            ),
        );
    }
    for check in &run.checks {
        let findings = &check.findings;
        put(&mut text, format_args!("\n## {}: {}\n\n{}\n", check.title, findings.verdict(), check.about));
        for why in findings.reasons() {
            put(&mut text, format_args!("\n**{}**\n", cell(&why)));
        }
        if !findings.figures.is_empty() {
            text.push_str("\n| figure | value | unit |\n|---|---:|---|\n");
            for figure in &findings.figures {
                put(
                    &mut text,
                    format_args!("| {} | {} | {} |\n", cell(&figure.name), show(figure.value), figure.unit),
                );
            }
        }
        for shown in &findings.tables {
            table(&mut text, shown);
        }
        for note in &findings.notes {
            put(&mut text, format_args!("\n{note}\n"));
        }
        for chart in &findings.charts {
            put(&mut text, format_args!("\n![{}]({}.svg)\n", chart.title, chart.file));
        }
    }
    text
}

fn table(text: &mut String, table: &Table) {
    put(text, format_args!("\n{}:\n\n", table.title));
    put(text, format_args!("| {} |\n", table.columns.join(" | ")));
    let rules = std::iter::once("---").chain(std::iter::repeat("---:")).take(table.columns.len());
    put(text, format_args!("|{}|\n", rules.collect::<Vec<_>>().join("|")));
    for row in &table.rows {
        put(
            text,
            format_args!("| {} |\n", row.iter().map(|value| cell(value)).collect::<Vec<_>>().join(" | ")),
        );
    }
}

/// Text that does not end its cell.
fn cell(text: &str) -> String {
    text.replace('|', "\\|").replace('\n', " ")
}

fn put(text: &mut String, content: std::fmt::Arguments<'_>) {
    // Writing to a string cannot fail.
    let _ = text.write_fmt(content);
}

#[cfg(test)]
mod tests {
    use super::super::tests::sample;
    use super::*;

    #[test]
    fn tables_have_as_many_cells_in_every_row() {
        let text = markdown(&sample(false));
        let mut columns = None;
        for line in text.lines() {
            if line.starts_with('|') {
                let cells = line.replace("\\|", "").matches('|').count();
                assert_eq!(*columns.get_or_insert(cells), cells, "{line}");
            } else {
                columns = None;
            }
        }
        assert!(text.contains("2\\|3") && text.contains("![The lines](lines.svg)"), "{text}");
    }
}
