//! What a check finds: a verdict with its reasons, figures with units, tables, charts.
//!
//! Rules kept here: a check writes down what it has as it goes, so that one that fails half-way, or does not end, still
//! shows what it measured and where it stood; a check that records a failure has failed, whatever it does afterwards.

use std::fmt;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

/// How a check ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Verdict {
    /// Everything that it requires holds.
    Pass,
    /// Something that it requires does not hold.
    Fail,
    /// It has nothing to run on here.
    NotRun,
}

impl Verdict {
    /// The word that tables and JSON use.
    pub(crate) fn word(self) -> &'static str {
        match self {
            Self::Pass => "pass",
            Self::Fail => "fail",
            Self::NotRun => "not run",
        }
    }
}

impl fmt::Display for Verdict {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.word())
    }
}

/// A number and what it counts.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Figure {
    /// What it is.
    pub(crate) name: String,
    /// The number.
    pub(crate) value: f64,
    /// Its unit; empty for a plain count or a ratio.
    pub(crate) unit: &'static str,
}

/// Rows of text.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Table {
    /// What it shows.
    pub(crate) title: String,
    /// The columns' names.
    pub(crate) columns: Vec<&'static str>,
    /// The rows, each as long as `columns`.
    pub(crate) rows: Vec<Vec<String>>,
}

/// A plot, as data: the report draws it.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Chart {
    /// Name of its file, without the ending.
    pub(crate) file: &'static str,
    /// What it shows.
    pub(crate) title: String,
    /// The horizontal axis, with its unit.
    pub(crate) x: &'static str,
    /// The vertical axis, with its unit.
    pub(crate) y: &'static str,
    /// What is drawn.
    pub(crate) shape: Shape,
}

/// What a chart draws.
#[derive(Clone, Debug, PartialEq)]
pub(crate) enum Shape {
    /// Bars of a histogram: from, to, count. Both axes are logarithmic.
    Histogram(Vec<(f64, f64, f64)>),
    /// Lines with names, over two logarithmic axes.
    Lines(Vec<(String, Vec<(f64, f64)>)>),
    /// Bars side by side, one group for each name. The vertical axis is logarithmic.
    Bars {
        /// Names of the groups.
        groups: Vec<String>,
        /// Name of a series and its bar in each group.
        series: Vec<(String, Vec<f64>)>,
    },
}

/// Failures of one check that are told in full; one cause can have thousands.
const MOST_FAILURES: usize = 8;

/// Everything that one check found.
#[derive(Clone, Debug, Default)]
pub(crate) struct Findings {
    /// What it requires and does not hold.
    pub(crate) failures: Vec<String>,
    /// Failures beyond those.
    pub(crate) more_failures: u64,
    /// Why it could not run.
    pub(crate) not_run: Option<String>,
    /// What the reader should know.
    pub(crate) notes: Vec<String>,
    /// Figures.
    pub(crate) figures: Vec<Figure>,
    /// Tables.
    pub(crate) tables: Vec<Table>,
    /// Charts.
    pub(crate) charts: Vec<Chart>,
    /// What it does at the moment.
    pub(crate) step: String,
}

impl Findings {
    /// The verdict that follows.
    pub(crate) fn verdict(&self) -> Verdict {
        match (&self.failures[..], &self.not_run) {
            ([_, ..], _) => Verdict::Fail,
            ([], Some(_)) => Verdict::NotRun,
            ([], None) => Verdict::Pass,
        }
    }

    /// Why the verdict is not a pass: each reason.
    pub(crate) fn reasons(&self) -> Vec<String> {
        match self.verdict() {
            Verdict::Pass => Vec::new(),
            Verdict::NotRun => self.not_run.iter().cloned().collect(),
            Verdict::Fail => {
                let more = (self.more_failures > 0).then(|| format!("and {} more", self.more_failures));
                self.failures.iter().cloned().chain(more).collect()
            }
        }
    }

    /// The same in one line; empty for a pass.
    pub(crate) fn why(&self) -> String {
        self.reasons().join("; ")
    }

    fn fail(&mut self, failure: String) {
        if self.failures.len() < MOST_FAILURES {
            self.failures.push(failure);
        } else {
            self.more_failures += 1;
        }
    }
}

/// Where a running check writes what it finds. Clones write to one place.
#[derive(Clone, Debug, Default)]
pub(crate) struct Recorder(Arc<Mutex<Findings>>);

impl Recorder {
    /// What was found so far.
    pub(crate) fn findings(&self) -> Findings {
        self.with(|findings| findings.clone())
    }

    /// Says what is done next; a check that does not end is reported with it.
    pub(crate) fn step(&self, step: impl Into<String>) {
        self.with(|findings| findings.step = step.into());
    }

    /// A figure.
    pub(crate) fn figure(&self, name: impl Into<String>, value: f64, unit: &'static str) {
        self.with(|findings| findings.figures.push(Figure { name: name.into(), value, unit }));
    }

    /// Something that the reader should know.
    pub(crate) fn note(&self, note: impl Into<String>) {
        self.with(|findings| findings.notes.push(note.into()));
    }

    /// A table.
    pub(crate) fn table(&self, table: Table) {
        self.with(|findings| findings.tables.push(table));
    }

    /// A chart.
    pub(crate) fn chart(&self, chart: Chart) {
        self.with(|findings| findings.charts.push(chart));
    }

    /// A failure; the check may go on.
    pub(crate) fn fail(&self, failure: impl Into<String>) {
        self.with(|findings| findings.fail(failure.into()));
    }

    /// A failure unless `holds`; gives `holds`.
    pub(crate) fn require(&self, holds: bool, failure: impl FnOnce() -> String) -> bool {
        if !holds {
            self.fail(failure());
        }
        holds
    }

    /// How the check's function ended.
    pub(crate) fn close(&self, ended: Result<(), Stop>) {
        self.with(|findings| match ended {
            Ok(()) => {}
            Err(Stop::NotRun(why)) => findings.not_run = Some(why),
            Err(Stop::Failed(why)) => {
                let step = std::mem::take(&mut findings.step);
                findings.fail(if step.is_empty() { why } else { format!("{step}: {why}") });
            }
        });
    }

    fn with<R>(&self, work: impl FnOnce(&mut Findings) -> R) -> R {
        work(&mut self.0.lock().unwrap_or_else(PoisonError::into_inner))
    }
}

/// Why a check goes no further.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Stop {
    /// It failed.
    Failed(String),
    /// There is nothing to run it on.
    NotRun(String),
}

impl<E: std::error::Error> From<E> for Stop {
    fn from(error: E) -> Self {
        Self::Failed(crate::error::chain(&error))
    }
}

/// A check that has ended, or was given up.
#[derive(Clone, Debug)]
pub(crate) struct Done {
    /// Its name in JSON.
    pub(crate) id: &'static str,
    /// Its name in tables.
    pub(crate) title: &'static str,
    /// What it measures and what it requires.
    pub(crate) about: &'static str,
    /// What it found.
    pub(crate) findings: Findings,
    /// How long it took.
    pub(crate) took: Duration,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_failure_decides_whatever_comes_after_it() {
        let recorder = Recorder::default();
        assert_eq!(recorder.findings().verdict(), Verdict::Pass);
        assert!(recorder.require(true, || unreachable!()));
        recorder.step("the second half");
        assert!(!recorder.require(false, || "seven is not eight".into()));
        recorder.close(Err(Stop::NotRun("no device".into())));
        let findings = recorder.findings();
        assert_eq!((findings.verdict(), findings.why().as_str()), (Verdict::Fail, "seven is not eight"));
    }

    #[test]
    fn a_thousand_failures_are_counted_and_some_are_told() {
        let recorder = Recorder::default();
        for i in 0..1000 {
            recorder.fail(format!("number {i}"));
        }
        let reasons = recorder.findings().reasons();
        assert_eq!((reasons.len(), reasons[8].as_str()), (9, "and 992 more"));
    }

    #[test]
    fn an_error_is_told_with_its_cause_and_the_step_that_it_ended() {
        #[derive(Debug, thiserror::Error)]
        #[error("outer")]
        struct Outer(#[source] std::io::Error);
        let recorder = Recorder::default();
        recorder.step("measuring");
        recorder.close(Err(Outer(std::io::Error::other("inner")).into()));
        assert_eq!(recorder.findings().why(), "measuring: outer: inner");
        let other = Recorder::default();
        other.close(Err(Stop::NotRun("one device".into())));
        assert_eq!(
            (other.findings().verdict(), other.findings().why().as_str()),
            (Verdict::NotRun, "one device")
        );
    }
}
