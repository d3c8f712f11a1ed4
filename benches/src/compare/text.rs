//! The comparison as Markdown, from the JSON that the tables gave: all of it for the book, its first figures for the README.

use std::fmt::Write as _;
use std::path::Path;

use serde_json::Value;

use crate::Outcome;

/// The tables in Markdown, for the book.
pub(crate) fn markdown(report: &Value) -> String {
    let none = Vec::new();
    let mut text = format!(
        "{}, {}, {} rounds{}; load average {}.\n",
        report["place"].as_str().unwrap_or_default(),
        report["commit"].as_str().unwrap_or_default(),
        report["rounds"],
        form(report),
        report["load_average"].as_str().unwrap_or_default(),
    );
    for table in report["tables"].as_array().unwrap_or(&none) {
        let rows = table["rows"].as_array().unwrap_or(&none);
        let figures = rows.first().and_then(|row| row["figures"].as_object());
        let figures: Vec<&String> = figures.map_or_else(Vec::new, |figures| figures.keys().collect());
        let (workload, unit) = (&table["workload"], &table["unit"]);
        // Writing to a text does not fail.
        let _ = write!(text, "\n**{}**", workload.as_str().unwrap_or_default());
        let _ = write!(text, " ({})\n\n| |", unit.as_str().unwrap_or_default());
        for figure in &figures {
            let _ = write!(text, " {figure} | least to most | to the best peer |");
        }
        let _ = write!(text, "\n|---|{}\n", "--:|--:|--:|".repeat(figures.len()));
        for row in rows {
            let name = row["name"].as_str().unwrap_or_default();
            let _ = match row["side"].as_str() {
                Some("ours") => write!(text, "| **{name}** |"),
                Some("peer") => write!(text, "| {name} |"),
                _ => write!(text, "| *limit:* {name} |"),
            };
            for figure in &figures {
                let value = &row["figures"][*figure];
                let number = |name: &str| value[name].as_f64().map_or("-".to_owned(), |n| format!("{n:.2}"));
                let [median, least, most, ratio] = ["median", "least", "most", "to_best_peer"].map(number);
                let _ = write!(text, " {median} | {least} to {most} | {ratio} |");
            }
            text.push('\n');
        }
    }
    text
}

/// What to say of the short form.
fn form(report: &Value) -> &'static str {
    if report["short"].as_bool() == Some(true) { " of a tenth of the work" } else { "" }
}

/// A row of one side with its first figure's median.
fn rows<'a>(table: &'a Value, side: &str) -> Vec<(&'a str, f64)> {
    let rows = table["rows"].as_array().map_or(&[][..], Vec::as_slice).iter();
    rows.filter(|row| row["side"] == side)
        .filter_map(|row| {
            let figure = row["figures"].as_object()?.values().next()?;
            Some((row["name"].as_str()?, figure["median"].as_f64()?))
        })
        .collect()
}

/// The best of some rows.
fn best<'a>(rows: &[(&'a str, f64)], more_is_better: bool) -> Option<(&'a str, f64)> {
    let better = |a: &f64, b: &f64| if more_is_better { a.total_cmp(b) } else { b.total_cmp(a) };
    rows.iter().copied().max_by(|a, b| better(&a.1, &b.1))
}

/// A line for each workload that has peers: our default configuration, the best of `ractor` and `kameo`, the best of all.
fn summary(report: &Value) -> String {
    let none = Vec::new();
    let mut text = format!(
        "{}, {}, {} rounds{}, load average {}:\n\n",
        report["place"].as_str().unwrap_or_default(),
        report["commit"].as_str().unwrap_or_default(),
        report["rounds"],
        form(report),
        report["load_average"].as_str().unwrap_or_default(),
    );
    text.push_str("| | | gpu-actor | the better of ractor and kameo | the best of all four peers |\n|---|---|--:|--:|--:|\n");
    for table in report["tables"].as_array().unwrap_or(&none) {
        let more = table["more_is_better"].as_bool() == Some(true);
        let peers = rows(table, "peer");
        let two: Vec<_> = peers
            .iter()
            .copied()
            .filter(|row| row.0.starts_with("ractor") || row.0.starts_with("kameo"))
            .collect();
        let (Some(ours), Some(first), Some(two)) =
            (rows(table, "ours").first().copied(), best(&peers, more), best(&two, more))
        else {
            continue;
        };
        let name = table["workload"].as_str().unwrap_or_default();
        let unit = table["unit"].as_str().unwrap_or_default();
        let figures = table["rows"][0]["figures"].as_object();
        let figure = figures.and_then(|figures| figures.keys().next()).map_or("", String::as_str);
        let figure = if figure.starts_with('p') { format!("{unit}, {figure}") } else { unit.to_owned() };
        // Writing to a text does not fail.
        let _ = writeln!(
            text,
            "| {name} | {figure} | {:.2} | {:.2} ({}) | {:.2} ({}) |",
            ours.1, two.1, two.0, first.1, first.0
        );
    }
    text
}

const BEGIN: &str = "<!-- compare: begin -->\n";
const END: &str = "<!-- compare: end -->";

/// Writes the [`summary`] between the marks of a README.
pub(crate) fn into_readme(report: &Value, file: &Path) -> Outcome<()> {
    let text = std::fs::read_to_string(file).map_err(|error| format!("{}: {error}", file.display()))?;
    let marks =
        text.find(BEGIN).and_then(|begin| Some((begin + BEGIN.len(), begin + text[begin..].find(END)?)));
    let (begin, end) =
        marks.ok_or_else(|| format!("{}: the marks of the comparison are not there", file.display()))?;
    let new = format!("{}{}{}", &text[..begin], summary(report), &text[end..]);
    std::fs::write(file, new).map_err(|error| format!("{}: {error}", file.display()))?;
    Ok(())
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn a_summary_has_ours_and_the_best_peers() {
        let row = |name: &str, side: &str, median: f64| json!({ "name": name, "side": side, "figures": { "p50": { "median": median } } });
        let rows = [
            row("gpu-actor", "ours", 3.0),
            row("gpu-actor, otherwise", "ours", 1.0),
            row("ractor, one thread", "peer", 5.0),
            row("kameo, one thread", "peer", 4.0),
            row("actix, one thread", "peer", 2.0),
            row("queue", "limit", 0.5),
        ];
        let only = [row("gpu-actor", "ours", 1.0)];
        let report = json!({ "place": "here", "commit": "c", "rounds": 5, "load_average": "0", "tables": [
            { "workload": "w", "unit": "microseconds", "more_is_better": false, "rows": rows },
            { "workload": "alone", "unit": "u", "more_is_better": false, "rows": only },
        ]});
        let folder = std::env::temp_dir().join(format!("gpu-actor-readme-{}", std::process::id()));
        std::fs::create_dir_all(&folder).unwrap();
        let file = folder.join("README.md");
        std::fs::write(&file, format!("before\n{BEGIN}old\n{END}\nafter\n")).unwrap();
        into_readme(&report, &file).unwrap();
        let text = std::fs::read_to_string(&file).unwrap();
        std::fs::write(&file, "no marks").unwrap();
        let refused = into_readme(&report, &file);
        std::fs::remove_dir_all(&folder).unwrap();
        let line = "| w | microseconds, p50 | 3.00 | 4.00 (kameo, one thread) | 2.00 (actix, one thread) |\n";
        assert!(text.contains(line) && !text.contains("alone") && !text.contains("old"), "{text}");
        assert!(text.starts_with("before\n") && text.ends_with("after\n"), "{text}");
        assert!(refused.is_err_and(|error| error.to_string().contains("marks")));
    }
}
