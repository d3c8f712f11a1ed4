//! Where and from what a report was made: the machine, its system, this program's source.

use std::fs;
use std::time::{SystemTime, UNIX_EPOCH};

/// The machine and the program.
#[derive(Clone, Debug)]
pub(crate) struct Host {
    /// The operating system and its kernel.
    pub(crate) os: String,
    /// The processor and how many threads it runs.
    pub(crate) cpu: String,
    /// The commit that the program was built from, if its source was a repository then.
    pub(crate) commit: &'static str,
    /// The program's version and how it was compiled.
    pub(crate) program: String,
    /// When the run began, UTC.
    pub(crate) date: String,
}

impl Host {
    /// What this program finds out here and now.
    pub(crate) fn find() -> Self {
        let read = |path| fs::read_to_string(path).unwrap_or_default();
        let kernel = read("/proc/sys/kernel/osrelease");
        let profile = if cfg!(debug_assertions) { "debug build" } else { "release build" };
        Self {
            os: os(&read("/etc/os-release"), kernel.trim()),
            cpu: cpu(&read("/proc/cpuinfo"), std::thread::available_parallelism().map_or(1, usize::from)),
            commit: option_env!("GPU_ACTOR_COMMIT").unwrap_or("unknown"),
            program: format!("gpu-actor {}, {profile}", env!("CARGO_PKG_VERSION")),
            date: date(SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, |since| since.as_secs())),
        }
    }
}

/// The system's own name for itself, and its kernel.
fn os(release: &str, kernel: &str) -> String {
    let name = release.lines().find_map(|line| line.strip_prefix("PRETTY_NAME="));
    let name = name.map_or(std::env::consts::OS, |name| name.trim_matches('"'));
    let kernel = if kernel.is_empty() { String::new() } else { format!(", kernel {kernel}") };
    format!("{name}{kernel}, {}", std::env::consts::ARCH)
}

fn cpu(info: &str, threads: usize) -> String {
    let model = info.lines().find_map(|line| line.strip_prefix("model name")?.split_once(": "));
    format!("{}, {threads} threads", model.map_or("unknown processor", |(_, name)| name.trim()))
}

/// The time of so many seconds since 1970, as ISO 8601 writes it.
///
/// The calendar is Howard Hinnant's `civil_from_days`: years that begin in March, in eras of 400.
fn date(seconds: u64) -> String {
    let (days, second) = (seconds / 86_400 + 719_468, seconds % 86_400);
    let (era, of_era) = (days / 146_097, days % 146_097);
    let year = (of_era - of_era / 1460 + of_era / 36_524 - of_era / 146_096) / 365;
    let of_year = of_era - (365 * year + year / 4 - year / 100);
    let march = (5 * of_year + 2) / 153;
    let day = of_year - (153 * march + 2) / 5 + 1;
    let month = if march < 10 { march + 3 } else { march - 9 };
    let year = era * 400 + year + u64::from(month <= 2);
    format!("{year:04}-{month:02}-{day:02}T{:02}:{:02}:{:02}Z", second / 3600, second / 60 % 60, second % 60)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn dates_are_those_of_the_calendar() {
        assert_eq!(date(0), "1970-01-01T00:00:00Z");
        assert_eq!(date(951_782_399), "2000-02-28T23:59:59Z");
        assert_eq!(date(951_782_400), "2000-02-29T00:00:00Z");
        assert_eq!(date(1_709_251_199), "2024-02-29T23:59:59Z");
        assert_eq!(date(4_107_542_400), "2100-03-01T00:00:00Z");
    }

    #[test]
    fn a_machine_names_itself_or_is_unknown() {
        let release = "NAME=\"Debian\"\nPRETTY_NAME=\"Debian GNU/Linux 12 (bookworm)\"\n";
        assert!(os(release, "6.1.0").starts_with("Debian GNU/Linux 12 (bookworm), kernel 6.1.0, "));
        assert!(os("", "").starts_with(std::env::consts::OS));
        assert_eq!(cpu("processor : 0\nmodel name\t: AMD EPYC 7B13\n", 4), "AMD EPYC 7B13, 4 threads");
        assert_eq!(cpu("", 1), "unknown processor, 1 threads");
    }
}
