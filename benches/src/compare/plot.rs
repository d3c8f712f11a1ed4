//! The comparison as a picture: a row of bars for each workload, from the JSON that the tables gave.

use std::path::Path;

use plotters::prelude::*;
use serde_json::Value;

use crate::Outcome;

const WIDTH: i32 = 900;
const NAMES: i32 = 270;
const FIGURES: i32 = 110;
const LINE: i32 = 19;
const GAP: i32 = 44;

fn rows(table: &Value) -> &[Value] {
    table["rows"].as_array().map_or(&[], Vec::as_slice)
}

/// The name and the median of a row's first figure.
fn bar(row: &Value) -> Option<(&str, f64)> {
    let figure = row["figures"].as_object()?.values().next()?;
    Some((row["name"].as_str()?, figure["median"].as_f64()?))
}

/// Draws the tables of a report.
pub(crate) fn draw(report: &Value, file: &Path) -> Outcome<()> {
    let none = Vec::new();
    let tables = report["tables"].as_array().unwrap_or(&none);
    let height: i32 = tables.iter().map(|table| rows(table).len() as i32 * LINE + GAP).sum::<i32>() + 30;
    let area = SVGBackend::new(file, (WIDTH as u32, height as u32)).into_drawing_area();
    area.fill(&WHITE)?;
    let text = ("sans-serif", 13).into_font();
    let place = format!(
        "{}, {}",
        report["place"].as_str().unwrap_or_default(),
        report["commit"].as_str().unwrap_or_default()
    );
    area.draw(&Text::new(place, (8, 8), text.clone()))?;
    let mut y = 34;
    for table in tables {
        let title = format!(
            "{} ({}; {} is better)",
            table["workload"].as_str().unwrap_or_default(),
            table["unit"].as_str().unwrap_or_default(),
            if table["more_is_better"].as_bool() == Some(true) { "more" } else { "less" },
        );
        area.draw(&Text::new(title, (8, y), ("sans-serif", 14).into_font().style(FontStyle::Bold)))?;
        y += LINE + 2;
        // A limit may be a hundred times a peer: the bars are for the actors, and a limit's may end at the edge.
        let most = rows(table).iter().filter(|row| row["side"] != "limit").filter_map(bar);
        let most = most.map(|(_, median)| median).fold(f64::MIN_POSITIVE, f64::max);
        for row in rows(table) {
            let Some((name, median)) = bar(row) else { continue };
            let colour = match row["side"].as_str() {
                Some("ours") => RGBColor(0x1b, 0x7f, 0x4d),
                Some("peer") => RGBColor(0x5b, 0x7f, 0xa6),
                _ => RGBColor(0xbb, 0xbb, 0xbb),
            };
            let length = ((median / most).min(1.0) * f64::from(WIDTH - NAMES - FIGURES)) as i32;
            area.draw(&Text::new(name.to_owned(), (16, y), text.clone()))?;
            area.draw(&Rectangle::new([(NAMES, y), (NAMES + length.max(1), y + LINE - 5)], colour.filled()))?;
            let figure = format!("{median:.3}");
            area.draw(&Text::new(figure, (NAMES + length + 6, y), text.clone()))?;
            y += LINE;
        }
        y += GAP - LINE - 2;
    }
    area.present()?;
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_row_has_a_bar() {
        let row = |name: &str, side: &str, median: f64| serde_json::json!({ "name": name, "side": side, "figures": { "rate": { "median": median } } });
        let rows = [row("a", "ours", 2.0), row("b", "peer", 1.0), row("c", "limit", 100.0)];
        let report = serde_json::json!({
            "place": "here", "tables": [{ "workload": "w", "unit": "u", "more_is_better": true, "rows": rows }],
        });
        let folder = std::env::temp_dir().join(format!("gpu-actor-plot-{}", std::process::id()));
        std::fs::create_dir_all(&folder).unwrap();
        let file = folder.join("plot.svg");
        draw(&report, &file).unwrap();
        let svg = std::fs::read_to_string(&file).unwrap();
        std::fs::remove_dir_all(&folder).unwrap();
        // The background, and a bar for each.
        assert_eq!(svg.matches("<rect").count(), 4);
        assert!(svg.contains("here"));
    }
}
