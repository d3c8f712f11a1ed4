//! What the doctor says: lines of four levels, in sections.
//!
//! Rules kept here: a line that is not fine says what to do; its key is stable, so that programs can look for it.

use std::fmt::Write;

use serde_json::{Value, json};

use crate::output::Report;

/// How bad it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Level {
    /// As it should be.
    Ok,
    /// Worth knowing; nothing to do.
    Note,
    /// It works, but not as well as it could, or not in every case.
    Warning,
    /// It does not work.
    Problem,
}

impl Level {
    pub(crate) fn name(self) -> &'static str {
        match self {
            Level::Ok => "ok",
            Level::Note => "note",
            Level::Warning => "warning",
            Level::Problem => "problem",
        }
    }
}

/// One thing that was looked at.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Line {
    /// Names the thing, for programs: `device.0.watchdog`.
    pub(crate) key: String,
    pub(crate) level: Level,
    /// What was found.
    pub(crate) text: String,
    /// What to do about it.
    pub(crate) advice: Option<String>,
}

impl Line {
    fn new(level: Level, key: impl Into<String>, text: impl Into<String>, advice: Option<String>) -> Self {
        Self { key: key.into(), level, text: text.into(), advice }
    }

    pub(crate) fn ok(key: impl Into<String>, text: impl Into<String>) -> Self {
        Self::new(Level::Ok, key, text, None)
    }

    pub(crate) fn note(key: impl Into<String>, text: impl Into<String>) -> Self {
        Self::new(Level::Note, key, text, None)
    }

    pub(crate) fn warning(
        key: impl Into<String>,
        text: impl Into<String>,
        advice: impl Into<String>,
    ) -> Self {
        Self::new(Level::Warning, key, text, Some(advice.into()))
    }

    pub(crate) fn problem(
        key: impl Into<String>,
        text: impl Into<String>,
        advice: impl Into<String>,
    ) -> Self {
        Self::new(Level::Problem, key, text, Some(advice.into()))
    }
}

/// Lines about one subject.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Section {
    pub(crate) title: String,
    pub(crate) lines: Vec<Line>,
}

impl Section {
    pub(crate) fn new(title: impl Into<String>, lines: Vec<Line>) -> Self {
        Self { title: title.into(), lines }
    }
}

/// The whole report, as text and as JSON.
pub(crate) fn render(sections: &[Section]) -> Report {
    let version = env!("CARGO_PKG_VERSION");
    let mut text = format!("gpu-actor {version}, doctor\n");
    for section in sections.iter().filter(|section| !section.lines.is_empty()) {
        // Writing to a string cannot fail, here and below.
        let _ = writeln!(text, "\n{}", section.title);
        for line in &section.lines {
            let _ = writeln!(text, "  {:<8} {}", line.level.name(), line.text);
            if let Some(advice) = &line.advice {
                let _ = writeln!(text, "           -> {advice}");
            }
        }
    }
    let lines = || sections.iter().flat_map(|section| &section.lines);
    let count = |level| lines().filter(|line| line.level == level).count();
    let (warnings, problems) = (count(Level::Warning), count(Level::Problem));
    let _ = match (warnings, problems) {
        (0, 0) => writeln!(text, "\nAll is well."),
        _ => writeln!(text, "\n{}, {}.", plural(problems, "problem"), plural(warnings, "warning")),
    };
    let json = json!({
        "version": version,
        "problems": problems,
        "warnings": warnings,
        "sections": sections.iter().map(|section| json!({
            "title": section.title,
            "lines": section.lines.iter().map(|line| json!({
                "key": line.key,
                "level": line.level.name(),
                "text": line.text,
                "advice": line.advice,
            })).collect::<Value>(),
        })).collect::<Value>(),
    });
    Report { text, json, well: problems == 0 }
}

fn plural(count: usize, what: &str) -> String {
    format!("{count} {what}{}", if count == 1 { "" } else { "s" })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn text_and_json_say_the_same_and_only_problems_are_a_failure() {
        let sections = [
            Section::new(
                "Machine",
                vec![
                    Line::ok("machine.os", "a machine"),
                    Line::warning("machine.wsl", "a guest", "be polite"),
                ],
            ),
            Section::new("Nothing", vec![]),
        ];
        let report = render(&sections);
        assert!(report.well);
        let lines: Vec<_> = report.text.lines().skip(1).collect();
        assert_eq!(
            lines,
            [
                "",
                "Machine",
                "  ok       a machine",
                "  warning  a guest",
                "           -> be polite",
                "",
                "0 problems, 1 warning.",
            ]
        );
        assert_eq!(report.json["sections"][0]["lines"][1]["key"], "machine.wsl");
        assert_eq!(report.json["sections"][0]["lines"][1]["advice"], "be polite");
        assert_eq!(report.json["warnings"], 1);

        let report = render(&[Section::new("Machine", vec![Line::problem("x", "broken", "mend it")])]);
        assert!(!report.well && report.text.ends_with("1 problem, 0 warnings.\n"), "{}", report.text);
        assert!(render(&[]).text.ends_with("All is well.\n"));
    }
}
