//! What the libraries beside the CUDA driver say: NVML and cuFile.

use std::path::PathBuf;

use crate::doctor::Facts;
use crate::doctor::cufile;
use crate::doctor::report::Line;
use crate::nvml::{Management, Unmanaged};

/// The lines about the libraries.
pub(super) fn judge(facts: &Facts) -> Vec<Line> {
    let mut lines = vec![nvml(facts)];
    lines.extend(cards(facts));
    lines.extend(iommu(facts));
    lines.push(storage(&facts.cufile, facts.host.nvidia_fs.as_deref()));
    lines
}

fn nvml(facts: &Facts) -> Line {
    let key = "library.nvml";
    match &facts.nvml {
        Ok(all) => Line::ok(
            key,
            format!("NVML {}: driver {}, {} devices", all.library, all.driver, all.devices.len()),
        ),
        Err(Unmanaged::NoLibrary(_)) if facts.host.module.is_none() => {
            Line::note(key, "no NVML (libnvidia-ml.so.1), as on every machine without NVIDIA's driver")
        }
        Err(Unmanaged::NoLibrary(why)) => Line::warning(
            key,
            format!("NVML does not load: {why}"),
            "install the driver's library of the same version as its kernel module (Debian: `libnvidia-ml1`); without it \
             links are not known",
        ),
        Err(Unmanaged::Mismatch) => Line::problem(
            key,
            "the driver's libraries and its kernel module are of different versions, as after an update",
            "restart the machine",
        ),
        Err(Unmanaged::Refused(why)) => Line::warning(
            key,
            format!("NVML refuses: {why}"),
            "see what `nvidia-smi` says; without it links are not known",
        ),
    }
}

/// What NVML alone knows of the cards.
fn cards(facts: &Facts) -> Vec<Line> {
    let none = Management::default();
    let all = facts.nvml.as_ref().unwrap_or(&none);
    let mut lines = Vec::new();
    for device in &all.devices {
        let key = |what: &str| format!("card.{}.{what}", device.pci);
        let name = format!("{} at {}", device.name, device.pci);
        if let Some((generation, lanes)) = device.pcie {
            lines.push(Line::note(
                key("pcie"),
                format!("{name}: PCIe generation {generation}, {lanes} lanes now (an idle card slows down)"),
            ));
        }
        if device.display == Some(true) {
            lines.push(Line::warning(
                key("display"),
                format!("{name} drives a display, which stands still while a kernel holds the card"),
                "give the display to another card, or run the ring kernel in bounded slices",
            ));
        }
        if device.persistent == Some(false) {
            lines.push(Line::note(
                key("persistence"),
                format!(
                    "{name}: the driver leaves the card when nobody uses it, so that starting takes seconds \
                     (`nvidia-smi -pm 1` keeps it)"
                ),
            ));
        }
        if device.mig == Some(true) {
            lines.push(Line::note(
                key("mig"),
                format!("{name} is divided into instances (MIG): CUDA shows one of them, without peers"),
            ));
        }
    }
    lines
}

/// A warning that needs to know the bus and the links.
fn iommu(facts: &Facts) -> Option<Line> {
    let all = facts.nvml.as_ref().ok()?;
    let mut pairs = all.devices.iter().enumerate().flat_map(|(index, first)| {
        all.devices[index + 1..].iter().map(move |second| (first.pci, second.pci))
    });
    let over_pcie = pairs.any(|(a, b)| all.nvlinks(a, b) == 0);
    // The CUDA programming guide: no peer access over PCIe under an IOMMU, unless the machine is a guest.
    (over_pcie && facts.host.iommu).then(|| {
        Line::warning(
            "link.iommu",
            "an IOMMU translates the cards' addresses: CUDA does not support peer access over PCIe that way",
            "turn it off in the firmware, or start Linux with `iommu=pt`, if peers hang or give wrong data",
        )
    })
}

fn storage(cufile: &Result<PathBuf, String>, module: Option<&str>) -> Line {
    let key = "library.cufile";
    match cufile {
        Ok(path) => {
            let module = module.map_or_else(
                || "its kernel module is not loaded: it would copy through the host".into(),
                |version| format!("nvidia-fs {version}"),
            );
            Line::ok(key, format!("cuFile: {} ({module})", path.display()))
        }
        Err(_) => Line::note(key, format!("no cuFile ({}): nothing uses it yet", cufile::NAME)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::doctor::host::Host;
    use crate::doctor::report::Level;
    use crate::nvml::tests::device;

    fn facts(nvml: Result<Management, Unmanaged>) -> Facts {
        Facts { nvml, ..Facts::nothing() }
    }

    #[test]
    fn a_missing_library_matters_only_beside_a_driver() {
        let missing = || Err(Unmanaged::NoLibrary("libnvidia-ml.so.1: no such file".into()));
        assert_eq!(nvml(&facts(missing())).level, Level::Note);
        let driver = Host { module: Some("NVRM version: 535.1".into()), ..Host::default() };
        let line = nvml(&Facts { host: driver, ..facts(missing()) });
        assert!(line.level == Level::Warning && line.text.contains("no such file"), "{line:?}");
    }

    #[test]
    fn versions_that_differ_need_a_restart() {
        let line = nvml(&facts(Err(Unmanaged::Mismatch)));
        assert_eq!((line.level, line.advice.as_deref()), (Level::Problem, Some("restart the machine")));
        let line = nvml(&facts(Err(Unmanaged::Refused("permission".into()))));
        assert!(line.level == Level::Warning && line.text.contains("permission"), "{line:?}");
    }

    #[test]
    fn a_card_with_a_display_is_told_of_slices() {
        let plain = device(1, &[]);
        let mut busy = device(2, &[]);
        (busy.display, busy.persistent, busy.mig) = (Some(true), Some(false), Some(true));
        let mut silent = device(3, &[]);
        (silent.display, silent.persistent, silent.mig, silent.pcie) = (None, None, None, None);
        let all = Management { devices: vec![plain, busy, silent], ..Management::default() };
        let lines = cards(&facts(Ok(all)));
        let keys: Vec<_> = lines.iter().map(|line| (&*line.key, line.level)).collect();
        assert_eq!(
            keys,
            [
                ("card.0000:01:00.0.pcie", Level::Note),
                ("card.0000:02:00.0.pcie", Level::Note),
                ("card.0000:02:00.0.display", Level::Warning),
                ("card.0000:02:00.0.persistence", Level::Note),
                ("card.0000:02:00.0.mig", Level::Note),
            ]
        );
        assert!(lines[2].advice.as_ref().unwrap().contains("slices"));
    }

    #[test]
    fn pcie_under_an_iommu_is_a_warning_and_nvlinks_are_not() {
        let cards = vec![device(1, &[2, 2]), device(2, &[1, 1]), device(3, &[])];
        let mut facts = facts(Ok(Management { devices: cards, ..Management::default() }));
        assert_eq!(iommu(&facts), None);
        facts.host.iommu = true;
        assert_eq!(iommu(&facts).unwrap().level, Level::Warning);
        facts.nvml.as_mut().unwrap().devices.pop();
        assert_eq!(iommu(&facts), None);
    }

    #[test]
    fn the_storage_library_is_found_or_not_missed() {
        assert_eq!(storage(&Err("no such file".into()), None).level, Level::Note);
        let line = storage(&Ok("/usr/lib/libcufile.so.1.4.0".into()), Some("version: 2.17"));
        assert!(line.level == Level::Ok && line.text.contains("1.4.0 (nvidia-fs version: 2.17)"), "{line:?}");
        let line = storage(&Ok("/usr/lib/libcufile.so.1.4.0".into()), None);
        assert!(line.text.contains("through the host"), "{line:?}");
    }
}
