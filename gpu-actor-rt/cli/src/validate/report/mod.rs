//! A run and how it is written down: a table for the terminal, Markdown, JSON, plots.
//!
//! Rules kept here: every form says the same; a run that was not on hardware says so in its title and in its first
//! line, in every form and on every plot.

mod json;
mod markdown;
mod plot;
mod terminal;

use std::path::{Path, PathBuf};
use std::time::Duration;

use super::finding::{Done, Verdict};
use super::host::Host;

pub(crate) use json::json;
pub(crate) use markdown::markdown;
pub(crate) use terminal::terminal;

/// What a reader must be told of figures that no GPU gave.
pub(crate) const NO_GPU: &str = "Run on the software GPU: these figures say nothing about a GPU. They show that the checks run and what they print.";

/// The device that was validated.
#[derive(Clone, Debug)]
pub(crate) struct DeviceFacts {
    /// Its name.
    pub(crate) name: String,
    /// The driver behind it.
    pub(crate) driver: String,
    /// Whether it is a GPU, or software that stands in for one.
    pub(crate) hardware: bool,
    /// Memory in bytes.
    pub(crate) memory: u64,
    /// Multiprocessors.
    pub(crate) multiprocessors: u32,
    /// Workers and lanes of the ring kernels.
    pub(crate) ring: String,
}

/// A finished run.
#[derive(Clone, Debug)]
pub(crate) struct Run {
    /// What was validated.
    pub(crate) device: DeviceFacts,
    /// Where.
    pub(crate) host: Host,
    /// The options, as given.
    pub(crate) options: String,
    /// The checks, in their order.
    pub(crate) checks: Vec<Done>,
    /// How long it took.
    pub(crate) took: Duration,
}

impl Run {
    /// The title of the report.
    pub(crate) fn title(&self) -> &'static str {
        if self.device.hardware {
            "gpu-actor: hardware validation report"
        } else {
            "gpu-actor: validation report of the software GPU (no hardware: its figures say nothing about a GPU)"
        }
    }

    /// How many checks ended so.
    pub(crate) fn count(&self, verdict: Verdict) -> usize {
        self.checks.iter().filter(|check| check.findings.verdict() == verdict).count()
    }

    /// The result in one line.
    pub(crate) fn result(&self) -> String {
        format!(
            "{} passed, {} failed, {} not run, in {:.1} s",
            self.count(Verdict::Pass),
            self.count(Verdict::Fail),
            self.count(Verdict::NotRun),
            self.took.as_secs_f64()
        )
    }

    /// What a reader needs to repeat the run, as names and values.
    pub(crate) fn facts(&self) -> Vec<(&'static str, String)> {
        let device = &self.device;
        vec![
            ("Device", device.name.clone()),
            (
                "Hardware",
                if device.hardware { "yes".into() } else { "no, software in place of a GPU".into() },
            ),
            ("Driver", device.driver.clone()),
            ("Memory", format!("{} MiB", device.memory >> 20)),
            ("Multiprocessors", device.multiprocessors.to_string()),
            ("Ring kernel", device.ring.clone()),
            ("System", self.host.os.clone()),
            ("CPU", self.host.cpu.clone()),
            ("Program", self.host.program.clone()),
            ("Commit", self.host.commit.into()),
            ("Date", self.host.date.clone()),
            ("Options", self.options.clone()),
        ]
    }
}

/// Writes Markdown, JSON and plots into `folder`; gives the files.
pub(crate) fn write(run: &Run, folder: &Path) -> std::io::Result<Vec<PathBuf>> {
    std::fs::create_dir_all(folder)?;
    let mut files = Vec::new();
    let mut file = |name: &str, text: &str| {
        let path = folder.join(name);
        std::fs::write(&path, text)?;
        files.push(path);
        Ok::<_, std::io::Error>(())
    };
    for chart in run.checks.iter().flat_map(|check| &check.findings.charts) {
        let drawn = plot::svg(chart, run.device.hardware).map_err(std::io::Error::other)?;
        file(&format!("{}.svg", chart.file), &drawn)?;
    }
    file("validation.json", &format!("{:#}\n", json(run)))?;
    file("validation.md", &markdown(run))?;
    Ok(files)
}

#[cfg(test)]
pub(crate) mod tests {
    use super::super::finding::{Chart, Findings, Recorder, Shape, Stop, Table};
    use super::*;

    /// A run with a check of each kind.
    pub(crate) fn sample(hardware: bool) -> Run {
        let passed = Recorder::default();
        passed.figure("median", 1234.5, "us");
        passed.note("a | note");
        passed.table(Table {
            title: "Steps".into(),
            columns: vec!["actors", "rate"],
            rows: vec![vec!["1".into(), "2|3".into()]],
        });
        let shapes = [
            ("histogram", Shape::Histogram(vec![(1.0, 2.0, 10.0), (2.0, 4.0, 1.0), (8.0, 16.0, 200.0)])),
            ("lines", Shape::Lines(vec![("a <b> & c".into(), vec![(1.0, 10.0), (1e6, 1e3)])])),
            (
                "bars",
                Shape::Bars {
                    groups: vec!["one".into(), "two".into()],
                    series: vec![("x".into(), vec![1.0, 2.0])],
                },
            ),
        ];
        for (file, shape) in shapes {
            passed.chart(Chart { file, title: format!("The {file}"), x: "us", y: "samples", shape });
        }
        let failed = Recorder::default();
        failed.fail("7 is not 8");
        let skipped = Recorder::default();
        skipped.close(Err(Stop::NotRun("one device".into())));
        let done = |id, title, findings: Findings| Done {
            id,
            title,
            about: "What it is.",
            findings,
            took: Duration::from_millis(1500),
        };
        Run {
            device: DeviceFacts {
                name: "Test device".into(),
                driver: "test driver".into(),
                hardware,
                memory: 1 << 30,
                multiprocessors: 2,
                ring: "2 workers of 1 lane".into(),
            },
            host: Host::find(),
            options: "--quick".into(),
            checks: vec![
                done("first", "The first", passed.findings()),
                done("second", "The second", failed.findings()),
                done("third", "The third", skipped.findings()),
            ],
            took: Duration::from_secs(5),
        }
    }

    #[test]
    fn every_form_says_what_ran_and_how_it_ended() {
        for hardware in [false, true] {
            let run = sample(hardware);
            for text in [terminal(&run), markdown(&run), json(&run).to_string()] {
                for part in ["Test device", "test driver", "median", "7 is not 8", "one device", "not run"] {
                    assert!(text.contains(part), "{part} is not in\n{text}");
                }
                assert_eq!(text.contains("nothing about a GPU"), !hardware, "{text}");
            }
            assert_eq!(markdown(&run).lines().next().unwrap().contains("nothing about a GPU"), !hardware);
            assert_eq!(terminal(&run).lines().next().unwrap().contains("nothing about a GPU"), !hardware);
        }
    }

    #[test]
    fn every_chart_is_drawn_and_marked() {
        for hardware in [false, true] {
            for chart in &sample(hardware).checks[0].findings.charts {
                let svg = plot::svg(chart, hardware).unwrap();
                assert!(svg.starts_with("<svg") && svg.trim_end().ends_with("</svg>"), "{svg}");
                assert_eq!(svg.contains("not a GPU"), !hardware, "{svg}");
                assert!(!svg.contains("<b>"), "a name is text and not markup");
                assert!(!svg.contains("NaN") && !svg.contains("inf"), "{svg}");
            }
        }
    }

    #[test]
    fn an_empty_chart_is_no_panic() {
        let empty = [
            Shape::Histogram(Vec::new()),
            Shape::Lines(vec![("a".into(), Vec::new())]),
            Shape::Bars { groups: Vec::new(), series: Vec::new() },
        ];
        for shape in empty {
            let chart = Chart { file: "x", title: "x".into(), x: "x", y: "y", shape };
            assert!(plot::svg(&chart, false).unwrap().contains("</svg>"));
        }
    }
}
