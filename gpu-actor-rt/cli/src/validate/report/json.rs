//! The report as JSON, for programs.

use serde_json::{Value, json};

use super::{NO_GPU, Run};
use crate::validate::finding::{Chart, Done, Shape};

/// The report as JSON. `schema` grows when a field changes its meaning.
pub(crate) fn json(run: &Run) -> Value {
    let (device, host) = (&run.device, &run.host);
    json!({
        "schema": 1,
        "title": run.title(),
        "warning": (!device.hardware).then_some(NO_GPU),
        "hardware": device.hardware,
        "device": {
            "name": device.name,
            "driver": device.driver,
            "memory_bytes": device.memory,
            "multiprocessors": device.multiprocessors,
            "ring": device.ring,
        },
        "host": { "os": host.os, "cpu": host.cpu },
        "program": host.program,
        "commit": host.commit,
        "date": host.date,
        "options": run.options,
        "seconds": run.took.as_secs_f64(),
        "checks": run.checks.iter().map(check).collect::<Vec<_>>(),
    })
}

fn check(check: &Done) -> Value {
    let findings = &check.findings;
    json!({
        "id": check.id,
        "title": check.title,
        "about": check.about,
        "verdict": findings.verdict().word(),
        "why": findings.why(),
        "seconds": check.took.as_secs_f64(),
        "figures": findings.figures.iter().map(|figure| json!({
            "name": figure.name, "value": figure.value, "unit": figure.unit,
        })).collect::<Vec<_>>(),
        "tables": findings.tables.iter().map(|table| json!({
            "title": table.title, "columns": table.columns, "rows": table.rows,
        })).collect::<Vec<_>>(),
        "notes": findings.notes,
        "charts": findings.charts.iter().map(chart).collect::<Vec<_>>(),
    })
}

fn chart(chart: &Chart) -> Value {
    let data = match &chart.shape {
        Shape::Histogram(bars) => json!({ "histogram": bars }),
        Shape::Lines(lines) => json!({ "lines": lines }),
        Shape::Bars { groups, series } => json!({ "groups": groups, "series": series }),
    };
    json!({ "file": format!("{}.svg", chart.file), "title": chart.title, "x": chart.x, "y": chart.y, "data": data })
}

#[cfg(test)]
mod tests {
    use super::super::tests::sample;
    use super::*;

    #[test]
    fn the_document_can_be_read_back() {
        let document: Value = serde_json::from_str(&json(&sample(false)).to_string()).unwrap();
        assert_eq!(document["hardware"], false);
        let verdicts: Vec<_> = document["checks"].as_array().unwrap().iter().map(|c| &c["verdict"]).collect();
        assert_eq!(verdicts, ["pass", "fail", "not run"]);
        assert_eq!(document["checks"][0]["figures"][0]["value"], 1234.5);
        assert!(document["warning"].is_string());
        assert!(json(&sample(true))["warning"].is_null());
    }
}
