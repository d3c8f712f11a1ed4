//! Medians, spreads, and where they were measured.

/// The distribution of some timings.
pub(crate) struct Sample(Vec<f64>);

impl Sample {
    /// Of timings in milliseconds, at least one.
    pub(crate) fn new(mut times: Vec<f64>) -> Self {
        times.sort_by(f64::total_cmp);
        Self(times)
    }

    /// The middle one.
    pub(crate) fn median(&self) -> f64 {
        let middle = self.0.len() / 2;
        if self.0.len() % 2 == 1 { self.0[middle] } else { f64::midpoint(self.0[middle - 1], self.0[middle]) }
    }

    /// The fastest and the slowest.
    pub(crate) fn ends(&self) -> (f64, f64) {
        (self.0[0], self.0[self.0.len() - 1])
    }

    /// As text, in milliseconds.
    pub(crate) fn text(&self) -> String {
        let (least, most) = self.ends();
        format!("{:8.2} ms ({least:.2} to {most:.2})", self.median())
    }

    /// As JSON.
    pub(crate) fn json(&self) -> serde_json::Value {
        let (least, most) = self.ends();
        serde_json::json!({ "median_ms": self.median(), "least_ms": least, "most_ms": most, "rounds": self.0.len() })
    }
}

/// The CPU's name, as Linux tells it.
pub(crate) fn cpu() -> String {
    let text = std::fs::read_to_string("/proc/cpuinfo").unwrap_or_default();
    let name = text.lines().find_map(|line| line.strip_prefix("model name")?.split_once(':'));
    name.map_or_else(|| "unknown CPU".to_owned(), |(_, name)| name.trim().to_owned())
}

/// The machine and the build, as a line to begin with.
pub(crate) fn place() -> String {
    let threads = std::thread::available_parallelism().map_or(0, usize::from);
    let build = if cfg!(debug_assertions) { "debug build" } else { "release build" };
    format!("{}, {threads} threads, {build}", cpu())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn medians_are_in_the_middle() {
        assert!((Sample::new(vec![3.0, 1.0, 2.0]).median() - 2.0).abs() < 1e-12);
        assert!((Sample::new(vec![4.0, 1.0, 2.0, 3.0]).median() - 2.5).abs() < 1e-12);
        assert_eq!(Sample::new(vec![2.0, 1.0]).ends(), (1.0, 2.0));
    }
}
