//! What the CUDA driver's answer means.

use gpu_actor_rt::ActorType;
use soft_gpu::Version;

use super::machine::INSTALL;
use crate::cuda::{Absence, Driver, file_version};
use crate::doctor::Facts;
use crate::doctor::report::Line;
use crate::doctor::trial::Probe;

/// The lines about the driver.
pub(super) fn judge(facts: &Facts) -> Vec<Line> {
    match &facts.cuda.driver {
        Ok(driver) => present(facts, driver),
        Err(absence) => vec![absent(facts, absence)],
    }
}

fn present(facts: &Facts, driver: &Driver) -> Vec<Line> {
    let key = "driver.cuda";
    let count = facts.cuda.devices.len();
    let mut lines = vec![if driver.hardware {
        let from = driver.library.as_ref().map_or_else(String::new, |path| format!(", {}", path.display()));
        Line::ok(key, format!("{}{from}: {count} devices", driver.name))
    } else {
        Line::note(
            key,
            format!(
                "{}: the software GPU answers in the driver's place, with {count} devices; nothing below is hardware",
                driver.name
            ),
        )
    }];
    lines.push(ptx(driver));
    let library = driver.library.as_deref().and_then(file_version);
    if let (true, Some(library), Some(module)) = (driver.hardware, library, facts.host.module_version())
        && library != module
    {
        lines.push(Line::warning(
            "driver.mismatch",
            format!("the driver's library is {library}, its kernel module {module}"),
            "restart the machine, so that both are of one version; in a container, start it anew",
        ));
    }
    lines
}

/// Whether the driver takes our PTX.
fn ptx(driver: &Driver) -> Line {
    let key = "driver.ptx";
    let newest = Version::new(driver.version.0, driver.version.1).newest_ptx();
    let Some((ours, _)) = ours() else {
        return Line::problem(key, "the PTX of the probe has no header", "please report this bug");
    };
    if ours <= newest {
        return Line::ok(key, format!("takes PTX {newest} and older; gpu-actor writes PTX {ours}"));
    }
    Line::problem(
        key,
        format!("takes PTX {newest} at most; gpu-actor writes PTX {ours}"),
        "install a newer driver",
    )
}

/// The version and the target of the PTX that gpu-actor writes, read from a module.
pub(super) fn ours() -> Option<(Version, Version)> {
    header(&ActorType::of::<Probe>().ptx().ok()?)
}

fn header(ptx: &str) -> Option<(Version, Version)> {
    let behind = |mark: &str| ptx.lines().find_map(|line| line.strip_prefix(mark)).map(str::trim);
    let number: u32 = behind(".target")?.strip_prefix("sm_")?.parse().ok()?;
    Some((behind(".version")?.parse().ok()?, Version::new(number / 10, number % 10)))
}

fn absent(facts: &Facts, absence: &Absence) -> Line {
    let key = "driver.cuda";
    let host = &facts.host;
    let expected = host.module.is_some()
        || host.wsl && absence.library.is_some()
        || host.cards.iter().any(|card| card.driver.as_deref() == Some("nvidia"));
    if !absence.plain {
        return Line::problem(key, absence.why.clone(), "see the lines above, and what `nvidia-smi` says");
    }
    if host.variables.get("CUDA_VISIBLE_DEVICES").is_some_and(|value| matches!(value.trim(), "" | "-1")) {
        return Line::warning(key, absence.why.clone(), "`unset CUDA_VISIBLE_DEVICES`");
    }
    if expected && absence.library.is_none() {
        return Line::problem(
            key,
            format!("{}; the kernel module is there, libcuda.so.1 is not", absence.why),
            "install the driver's library of the same version as its kernel module (Debian: `libcuda1`); in a container, \
             start it with `--gpus all`",
        );
    }
    if expected {
        return Line::problem(key, absence.why.clone(), "see the lines above, and what `nvidia-smi` says");
    }
    if host.cards.is_empty() {
        return Line::note(key, format!("no NVIDIA GPU here, and none is needed: {}", absence.why));
    }
    Line::warning(key, absence.why.clone(), INSTALL)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::cuda::Cuda;
    use crate::cuda::tests::{cuda, gpu};
    use crate::doctor::host::{Card, Host};
    use crate::doctor::report::Level;

    fn without(host: Host, plain: bool, library: Option<&str>) -> Line {
        let absence =
            Absence { why: "there is no CUDA device".into(), plain, library: library.map(Into::into) };
        let facts = Facts { host, cuda: Cuda { driver: Err(absence), ..cuda(vec![]) }, ..Facts::nothing() };
        let mut lines = judge(&facts);
        assert_eq!(lines.len(), 1);
        lines.remove(0)
    }

    #[test]
    fn no_driver_is_a_complaint_only_where_there_is_something_to_drive() {
        let card = |driver: Option<&str>| Card {
            address: "0000:01:00.0".into(),
            model: "2331".into(),
            driver: driver.map(Into::into),
        };
        let level = |host, plain, library| without(host, plain, library).level;
        let bare = Host::default;
        assert_eq!(level(bare(), true, None), Level::Note);
        assert_eq!(level(bare(), false, None), Level::Problem);
        assert_eq!(level(Host { cards: vec![card(None)], ..bare() }, true, None), Level::Warning);
        let held = || Host { cards: vec![card(Some("nvidia"))], ..bare() };
        assert!(without(held(), true, None).text.contains("libcuda.so.1 is not"));
        assert_eq!(level(held(), true, Some("/usr/lib/libcuda.so.535.1.2")), Level::Problem);
        assert_eq!(
            level(Host { wsl: true, ..bare() }, true, Some("/usr/lib/wsl/lib/libcuda.so.1")),
            Level::Problem
        );
        let hidden = Host { variables: [("CUDA_VISIBLE_DEVICES", String::new())].into(), ..held() };
        let line = without(hidden, true, Some("/usr/lib/libcuda.so.535.1.2"));
        assert_eq!(
            (line.level, line.advice.as_deref()),
            (Level::Warning, Some("`unset CUDA_VISIBLE_DEVICES`"))
        );
    }

    #[test]
    fn versions_that_differ_and_drivers_that_are_too_old_are_told_of() {
        let module = |version: &str| Host {
            module: Some(format!("NVRM version: NVIDIA UNIX x86_64 Kernel Module  {version}  x")),
            ..Host::default()
        };
        let mut facts = Facts { host: module("570.86.10"), cuda: cuda(vec![gpu(1)]), ..Facts::nothing() };
        let keys =
            |facts: &Facts| judge(facts).into_iter().map(|line| (line.key, line.level)).collect::<Vec<_>>();
        let well = [("driver.cuda".to_owned(), Level::Ok), ("driver.ptx".to_owned(), Level::Ok)];
        assert_eq!(keys(&facts), well);
        facts.host = module("570.90.1");
        assert_eq!(keys(&facts)[2], ("driver.mismatch".to_owned(), Level::Warning));
        let driver = facts.cuda.driver.as_mut().unwrap();
        (driver.version, driver.hardware) = ((10, 2), false);
        let lines = judge(&facts);
        assert_eq!((lines.len(), lines[1].level), (2, Level::Problem));
        assert!(lines[0].text.contains("nothing below is hardware"), "{lines:?}");
    }

    #[test]
    fn our_own_ptx_is_for_volta_and_for_cuda_11() {
        assert_eq!(ours(), Some((Version::new(7, 0), Version::new(7, 0))));
        assert_eq!(header(".version 8.7\n.target sm_120\n"), Some((Version::new(8, 7), Version::new(12, 0))));
        assert_eq!(header(".version 8.7\n"), None);
    }
}
