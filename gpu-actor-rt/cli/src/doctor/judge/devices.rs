//! What the driver's word on a device means for a ring kernel.

use super::driver::ours;
use super::trials;
use crate::cuda::Gpu;
use crate::doctor::Facts;
use crate::doctor::report::{Line, Section};
use crate::links::Link;

/// What to do about a device that lets no kernel run for long.
pub(super) const SLICES: &str =
    "run the ring kernel in bounded slices: `Config::slice(Duration::from_millis(20))`";

/// A section for each device.
pub(super) fn judge(facts: &Facts) -> Vec<Section> {
    let devices = facts.cuda.devices.iter().enumerate();
    devices
        .map(|(index, device)| match device {
            Ok(gpu) => {
                let whose = if gpu.hardware { "" } else { " (software GPU)" };
                let mut lines = attributes(index, gpu);
                lines.extend(trials::device(index, gpu, &facts.trials));
                Section::new(format!("Device {index}{whose}: {}", gpu.name), lines)
            }
            Err(why) => Section::new(
                format!("Device {index}"),
                vec![Line::problem(
                    format!("device.{index}"),
                    format!("says nothing: {why}"),
                    "see what `nvidia-smi` says of it; look at `dmesg | grep -i xid`",
                )],
            ),
        })
        .collect()
}

fn attributes(index: usize, gpu: &Gpu) -> Vec<Line> {
    let key = |what: &str| format!("device.{index}.{what}");
    let (major, minor) = gpu.capability;
    let mut lines = vec![Line::ok(
        key("identity"),
        format!(
            "compute capability {major}.{minor}, {} multiprocessors, {} MiB, {}, {}",
            gpu.multiprocessors,
            gpu.memory >> 20,
            gpu.pci,
            gpu.uuid
        ),
    )];
    lines.push(match ours() {
        Some((_, target)) if (target.major, target.minor) <= gpu.capability => Line::ok(
            key("target"),
            format!("runs PTX for compute capability {target}, which is what gpu-actor writes"),
        ),
        target => {
            let target = target.map_or_else(|| "unknown".into(), |(_, target)| target.to_string());
            Line::problem(
                key("target"),
                format!("is too old: gpu-actor writes PTX for compute capability {target}"),
                "use a device of the Volta generation or later",
            )
        }
    });
    // (attribute, whether it is there, what that gives, what its lack means, what to do)
    let needed = [
        (
            "mapped_memory",
            gpu.mapped_host_memory,
            "kernels reach mapped host memory, where the rings are",
            "kernels reach no mapped host memory, and rings need it",
            "use another device",
        ),
        (
            "unified_addressing",
            gpu.unified_addressing,
            "host and device share one address space",
            "host and device have address spaces of their own, and rings need one",
            "use another device",
        ),
        (
            "cooperative_launch",
            gpu.cooperative_launch,
            "cooperative launch: all workers are resident for certain",
            "no cooperative launch: it is not certain that all workers are resident",
            "use another device; under WSL2 and MPS, update the driver",
        ),
    ];
    for (what, there, gain, lack, advice) in needed {
        lines.push(if there { Line::ok(key(what), gain) } else { Line::problem(key(what), lack, advice) });
    }
    lines.push(if gpu.watchdog {
        Line::warning(
            key("watchdog"),
            "a watchdog ends kernels that run for seconds, as the ring kernel does",
            SLICES,
        )
    } else {
        Line::ok(key("watchdog"), "no watchdog: a kernel may run for ever")
    });
    lines.push(match gpu.compute_mode {
        0 => Line::ok(key("compute_mode"), "several processes may use it"),
        3 => Line::warning(
            key("compute_mode"),
            "one process at a time may use it: a second one gets an error",
            "`nvidia-smi -c DEFAULT` (as root) lets several processes use it",
        ),
        2 => Line::problem(
            key("compute_mode"),
            "no process may use it (compute mode \"prohibited\")",
            "`nvidia-smi -c DEFAULT` (as root)",
        ),
        other => Line::note(key("compute_mode"), format!("compute mode {other}")),
    });
    lines.push(if gpu.memory_pools {
        Line::ok(key("memory_pools"), "memory pools: actors get memory while the ring kernel runs")
    } else {
        Line::warning(
            key("memory_pools"),
            "no memory pools: what actors need is set aside before the ring kernel starts",
            "set aside enough for all actors (`CudaConfig::reserve`); under WSL2, update the driver",
        )
    });
    lines.push(if gpu.copy_engines > 0 {
        Line::ok(key("copy_engines"), format!("{} copy engines: copies run beside kernels", gpu.copy_engines))
    } else {
        Line::warning(
            key("copy_engines"),
            "no copy engine of its own: copies wait for the ring kernel's end",
            SLICES,
        )
    });
    lines.push(if gpu.compute_preemption {
        Line::ok(key("preemption"), "kernels are interrupted for other programs")
    } else {
        Line::warning(
            key("preemption"),
            "a kernel is not interrupted: other programs wait while the ring kernel runs",
            SLICES,
        )
    });
    lines.push(if gpu.concurrent_managed_access {
        Line::ok(key("concurrent_managed_access"), "the host may touch managed memory while a kernel runs")
    } else {
        Line::note(
            key("concurrent_managed_access"),
            "the host must not touch managed memory while a kernel runs; gpu-actor's rings are not in it",
        )
    });
    lines.push(Line::note(
        key("host_native_atomics"),
        if gpu.host_native_atomics {
            "atomics on host memory are native on the link; gpu-actor does not need them"
        } else {
            "atomics on host memory are not native on the link, as over PCIe; gpu-actor uses none"
        },
    ));
    let yes = |there| if there { "yes" } else { "no" };
    lines.push(Line::note(
        key("memory"),
        format!("memory corrects errors: {}; others reach it over PCIe: {}", yes(gpu.ecc), yes(gpu.rdma)),
    ));
    lines
}

/// The lines about peers.
pub(super) fn peers(facts: &Facts) -> Vec<Line> {
    let count = facts.cuda.devices.len();
    let mut lines = Vec::new();
    for from in 0..count {
        for to in (0..count).filter(|to| *to != from) {
            let key = format!("peer.{from}.{to}");
            let link = Link::between(&facts.cuda, facts.nvml.as_ref().ok(), from, to);
            let over = match link.label() {
                label if label == "-" => String::new(),
                label => format!(" over {label}"),
            };
            lines.push(match (facts.cuda.peer(from, to), link.peer) {
                (Some(Err(why)), _) => Line::warning(
                    key,
                    format!("{from} to {to}: the driver does not say: {why}"),
                    "see what `nvidia-smi topo -m` says",
                ),
                (_, Some(peer)) if peer.access && peer.atomics => {
                    Line::ok(key, format!("{from} to {to}{over}: peer access, with atomics"))
                }
                (_, Some(peer)) if peer.access => {
                    Line::ok(key, format!("{from} to {to}{over}: peer access, without atomics"))
                }
                _ => Line::note(
                    key,
                    format!("{from} to {to}{over}: no peer access; messages would go through the host"),
                ),
            });
        }
    }
    lines
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::cuda::Peer;
    use crate::cuda::tests::{cuda, gpu};
    use crate::doctor::report::Level;

    fn bad(gpu: &Gpu) -> Vec<(String, Level)> {
        let lines = attributes(0, gpu);
        let bad = lines.into_iter().filter(|line| line.level >= Level::Warning);
        bad.map(|line| (line.key, line.level)).collect()
    }

    #[test]
    fn a_card_that_has_everything_has_no_complaint_and_each_lack_has_one() {
        assert_eq!(bad(&gpu(1)), []);
        type Spoil = fn(&mut Gpu);
        let spoilt: [(&str, Level, Spoil); 10] = [
            ("target", Level::Problem, |gpu| gpu.capability = (6, 1)),
            ("mapped_memory", Level::Problem, |gpu| gpu.mapped_host_memory = false),
            ("unified_addressing", Level::Problem, |gpu| gpu.unified_addressing = false),
            ("cooperative_launch", Level::Problem, |gpu| gpu.cooperative_launch = false),
            ("watchdog", Level::Warning, |gpu| gpu.watchdog = true),
            ("compute_mode", Level::Warning, |gpu| gpu.compute_mode = 3),
            ("compute_mode", Level::Problem, |gpu| gpu.compute_mode = 2),
            ("memory_pools", Level::Warning, |gpu| gpu.memory_pools = false),
            ("copy_engines", Level::Warning, |gpu| gpu.copy_engines = 0),
            ("preemption", Level::Warning, |gpu| gpu.compute_preemption = false),
        ];
        for (what, level, spoil) in spoilt {
            let mut gpu = gpu(1);
            spoil(&mut gpu);
            assert_eq!(bad(&gpu), [(format!("device.0.{what}"), level)]);
        }
        let mut guest = gpu(1);
        (guest.concurrent_managed_access, guest.host_native_atomics) = (false, true);
        assert_eq!(bad(&guest), []);
    }

    #[test]
    fn a_device_of_the_software_gpu_is_called_that_and_a_silent_one_is_a_problem() {
        let mut soft = gpu(1);
        soft.hardware = false;
        let mut cuda = cuda(vec![soft, gpu(2)]);
        cuda.devices[1] = Err("fell off the bus".into());
        let sections = judge(&Facts { cuda, ..Facts::nothing() });
        assert_eq!(sections[0].title, "Device 0 (software GPU): Card 1");
        assert_eq!(sections[1].lines[0].level, Level::Problem);
        assert!(sections[1].lines[0].text.contains("fell off the bus"));
    }

    #[test]
    fn peers_have_a_line_in_each_direction() {
        let mut cuda = cuda(vec![gpu(1), gpu(2)]);
        cuda.peers[1].peer = Ok(Peer { access: false, atomics: false, rank: 0 });
        let mut facts = Facts { cuda, ..Facts::nothing() };
        let texts: Vec<_> = peers(&facts).into_iter().map(|line| (line.level, line.text)).collect();
        let there = (Level::Ok, "0 to 1: peer access, with atomics".to_owned());
        let back = (Level::Note, "1 to 0: no peer access; messages would go through the host".to_owned());
        assert_eq!(texts, [there, back]);
        facts.cuda.peers[0].peer = Err("not permitted".into());
        assert_eq!(peers(&facts)[0].level, Level::Warning);
        facts.cuda = crate::cuda::tests::cuda(vec![gpu(1)]);
        assert_eq!(peers(&facts), []);
    }
}
