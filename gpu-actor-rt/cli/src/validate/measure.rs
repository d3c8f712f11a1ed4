//! The statistics of the checks: medians, latency histograms, straight lines.
//!
//! Rule kept here: a summary says of how many samples it is, and a percentile is one that was measured: never the
//! maximum under another name.

use std::time::Duration;

use hdrhistogram::Histogram;

/// The median; the mean of the two in the middle if their number is even. Nothing for no values.
pub(crate) fn median(values: &[f64]) -> Option<f64> {
    let mut sorted = values.to_vec();
    sorted.sort_by(f64::total_cmp);
    let middle = sorted.len() / 2;
    match sorted.len() {
        0 => None,
        n if n % 2 == 1 => Some(sorted[middle]),
        _ => Some(f64::midpoint(sorted[middle - 1], sorted[middle])),
    }
}

/// How many things happen in a second, if `count` took `time`.
pub(crate) fn rate(count: u64, time: Duration) -> f64 {
    count as f64 / time.as_secs_f64().max(1e-9)
}

/// Times in nanoseconds, as a histogram with three significant digits.
#[derive(Clone, Debug)]
pub(crate) struct Latency(Histogram<u64>);

/// What a set of times was like, in nanoseconds.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) struct Summary {
    /// Samples.
    pub(crate) samples: u64,
    /// The smallest.
    pub(crate) min: f64,
    /// The median.
    pub(crate) p50: f64,
    /// 99 of 100 are no longer.
    pub(crate) p99: f64,
    /// 999 of 1000 are no longer.
    pub(crate) p999: f64,
    /// The longest.
    pub(crate) max: f64,
}

impl Latency {
    /// The longest time that is told apart: a minute.
    const LONGEST: u64 = 60_000_000_000;

    /// No samples.
    pub(crate) fn new() -> Self {
        // 1 <= low, low * 2 <= high, and at most 5 digits: what `new_with_bounds` asks for holds of these constants.
        Self(Histogram::new_with_bounds(1, Self::LONGEST, 3).expect("the bounds are in order"))
    }

    /// One more sample; one beyond a minute counts as a minute.
    pub(crate) fn add(&mut self, nanoseconds: u64) {
        self.0.saturating_record(nanoseconds.max(1));
    }

    /// Samples so far.
    pub(crate) fn samples(&self) -> u64 {
        self.0.len()
    }

    /// The summary; nothing for no samples.
    pub(crate) fn summary(&self) -> Option<Summary> {
        (self.samples() > 0).then(|| Summary {
            samples: self.samples(),
            min: self.0.min() as f64,
            p50: self.0.value_at_quantile(0.5) as f64,
            p99: self.0.value_at_quantile(0.99) as f64,
            p999: self.0.value_at_quantile(0.999) as f64,
            max: self.0.max() as f64,
        })
    }

    /// The bars of a histogram over a logarithmic axis: from, to (both in microseconds), samples. Between the shortest and
    /// the longest sample, eight bars to a doubling.
    pub(crate) fn bars(&self) -> Vec<(f64, f64, f64)> {
        const STEP: f64 = 1.090_507_732_665_257_7; // 2^(1/8)
        let mut bars: Vec<(f64, f64, f64)> = Vec::new();
        for recorded in self.0.iter_recorded() {
            let value = recorded.value_iterated_to() as f64 / 1e3;
            let index = (value.ln() / STEP.ln()).floor();
            let (from, to) = (STEP.powf(index), STEP.powf(index + 1.0));
            let count = recorded.count_at_value() as f64;
            match bars.last_mut() {
                Some(last) if (last.0 - from).abs() < from * 1e-6 => last.2 += count,
                _ => bars.push((from, to, count)),
            }
        }
        bars
    }
}

/// The slope of the straight line of least squares through points (x, y); nothing if all x are the same.
pub(crate) fn slope(points: &[(f64, f64)]) -> Option<f64> {
    let n = points.len() as f64;
    let (mean_x, mean_y) =
        (points.iter().map(|p| p.0).sum::<f64>() / n, points.iter().map(|p| p.1).sum::<f64>() / n);
    let across: f64 = points.iter().map(|p| (p.0 - mean_x) * (p.1 - mean_y)).sum();
    let along: f64 = points.iter().map(|p| (p.0 - mean_x).powi(2)).sum();
    (along > 0.0).then(|| across / along)
}

/// A number as a table shows it: three significant digits, thousands apart.
pub(crate) fn show(value: f64) -> String {
    if !value.is_finite() {
        return value.to_string();
    }
    let size = value.abs();
    let decimals = match size {
        s if s >= 100.0 || s == 0.0 || (s.fract() == 0.0 && s >= 1.0) => 0,
        s if s >= 10.0 => 1,
        s if s >= 1.0 => 2,
        s if s >= 0.1 => 3,
        _ => 4,
    };
    let text = format!("{size:.decimals$}");
    let (whole, rest) = text.find('.').map_or((text.as_str(), ""), |at| text.split_at(at));
    let mut grouped = String::new();
    for (i, digit) in whole.chars().enumerate() {
        if i > 0 && (whole.len() - i).is_multiple_of(3) {
            grouped.push(',');
        }
        grouped.push(digit);
    }
    format!("{}{grouped}{rest}", if value < 0.0 { "-" } else { "" })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn medians() {
        assert_eq!(median(&[]), None);
        assert_eq!(median(&[3.0, 1.0, 2.0]), Some(2.0));
        assert_eq!(median(&[4.0, 1.0, 2.0, 3.0]), Some(2.5));
    }

    #[test]
    fn a_percentile_is_not_the_maximum() {
        let mut latency = Latency::new();
        assert_eq!(latency.summary(), None);
        for value in 1..=10_000 {
            latency.add(value * 100);
        }
        latency.add(50_000_000);
        let summary = latency.summary().unwrap();
        assert_eq!(summary.samples, 10_001);
        let near = |a: f64, b: f64| (a - b).abs() <= b * 2e-3;
        assert!(near(summary.p50, 500_000.0) && near(summary.p99, 990_000.0), "{summary:?}");
        assert!(near(summary.p999, 999_000.0) && near(summary.max, 50_000_000.0), "{summary:?}");
        assert!(near(summary.min, 100.0), "{summary:?}");
    }

    #[test]
    fn what_is_too_long_for_the_histogram_is_counted_all_the_same() {
        let mut latency = Latency::new();
        latency.add(u64::MAX);
        latency.add(0);
        assert_eq!(latency.samples(), 2);
    }

    #[test]
    fn bars_hold_every_sample_and_do_not_overlap() {
        let mut latency = Latency::new();
        for value in [800, 1_000, 1_001, 40_000, 41_000, 9_000_000] {
            latency.add(value);
        }
        let bars = latency.bars();
        assert_eq!(bars.iter().map(|bar| bar.2).sum::<f64>() as u64, 6);
        assert!(bars.windows(2).all(|pair| pair[0].1 <= pair[1].0 * 1.000_001), "{bars:?}");
        assert!(bars.iter().all(|bar| bar.0 < bar.1));
    }

    #[test]
    fn a_line_has_its_slope() {
        let points: Vec<_> = (0..100).map(|i| (f64::from(i), 7.0 - 0.25 * f64::from(i))).collect();
        assert!((slope(&points).unwrap() + 0.25).abs() < 1e-12);
        assert_eq!(slope(&[(1.0, 1.0), (1.0, 2.0)]), None);
        assert_eq!(slope(&[]), None);
    }

    #[test]
    fn numbers_are_short_and_readable() {
        let shown: Vec<_> =
            [0.0, 1.0, 12.0, 0.051_23, 3.456, 12.34, 999.6, 1_234_567.8, -1234.5].map(show).into();
        assert_eq!(shown, ["0", "1", "12", "0.0512", "3.46", "12.3", "1,000", "1,234,568", "-1,234"]);
        assert_eq!(rate(500, Duration::from_millis(250)) as u64, 2000);
    }
}
