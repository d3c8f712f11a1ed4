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
    lines.extend(links(facts));
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

/// What connects the cards.
fn links(facts: &Facts) -> Vec<Line> {
    let none = Management::default();
    let all = facts.nvml.as_ref().unwrap_or(&none);
    let mut lines = Vec::new();
    let mut over_pcie = false;
    for (index, first) in all.devices.iter().enumerate() {
        for second in &all.devices[index + 1..] {
            let way = match (all.nvlinks(first.pci, second.pci), all.way(first.pci, second.pci)) {
                (0, None) => "an unknown way".into(),
                (0, Some(way)) => {
                    over_pcie = true;
                    format!("{}, {}", way.name(), way.meaning())
                }
                (count, _) => format!("{count} NVLinks"),
            };
            let key = format!("link.{}.{}", first.pci, second.pci);
            lines.push(Line::note(key, format!("{} to {}: {way}", first.pci, second.pci)));
        }
    }
    // The CUDA programming guide: no peer access over PCIe under an IOMMU, unless the machine is a guest.
    if over_pcie && facts.host.iommu {
        lines.push(Line::warning(
            "link.iommu",
            "an IOMMU translates the cards' addresses: CUDA does not support peer access over PCIe that way",
            "turn it off in the firmware, or start Linux with `iommu=pt`, if peers hang or give wrong data",
        ));
    }
    lines
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
    use crate::nvml::Way;
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
    fn links_are_named_and_pcie_under_an_iommu_is_a_warning() {
        let all = Management {
            devices: vec![device(1, &[2, 2]), device(2, &[1, 1]), device(3, &[])],
            ways: vec![(0, 1, Way::Node), (0, 2, Way::HostBridge)],
            ..Management::default()
        };
        let mut facts = facts(Ok(all));
        let texts = |facts: &Facts| links(facts).into_iter().map(|line| line.text).collect::<Vec<_>>();
        assert_eq!(
            texts(&facts),
            [
                "0000:01:00.0 to 0000:02:00.0: 2 NVLinks",
                "0000:01:00.0 to 0000:03:00.0: PHB, a PCIe host bridge",
                "0000:02:00.0 to 0000:03:00.0: an unknown way",
            ]
        );
        facts.host.iommu = true;
        assert_eq!(links(&facts).last().unwrap().level, Level::Warning);
        facts.nvml.as_mut().unwrap().devices.pop();
        assert_eq!(links(&facts).len(), 1, "NVLinks do not mind");
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
