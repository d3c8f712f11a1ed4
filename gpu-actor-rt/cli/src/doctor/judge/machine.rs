//! What the operating system's facts mean.

use crate::doctor::host::{Access, Card, Host};
use crate::doctor::report::Line;

/// How NVIDIA's driver is installed, in one sentence.
pub(super) const INSTALL: &str = "install NVIDIA's driver (Debian: `apt install nvidia-driver` from non-free; Ubuntu: \
     `ubuntu-drivers install`; Fedora: akmod-nvidia of RPM Fusion), then restart";

/// The lines about the machine.
pub(super) fn judge(host: &Host) -> Vec<Line> {
    let mut lines = vec![Line::ok(
        "machine.os",
        format!("{}, Linux {}, {}", host.os, host.kernel, std::env::consts::ARCH),
    )];
    if host.wsl {
        lines.push(Line::warning(
            "machine.wsl",
            "Windows Subsystem for Linux: Windows drives the GPU, ends kernels that run for seconds, and lets no program \
             of the guest touch managed memory while a kernel runs",
            "run the ring kernel in bounded slices, see the book's chapter \"On your GPU\"; install the driver in Windows \
             alone, never in the guest",
        ));
    }
    if host.container {
        lines.push(Line::note("machine.container", "a container: the driver's libraries come from outside"));
    }
    lines.extend(cards(host));
    lines.extend(module(host));
    lines.extend(nodes(host));
    if host.mps {
        lines.push(mps());
    }
    lines
}

fn cards(host: &Host) -> Vec<Line> {
    if host.cards.is_empty() {
        let why = if host.wsl { "as always in WSL2" } else { "or the machine is virtual and hides it" };
        return vec![Line::note("machine.cards", format!("no NVIDIA card on the PCI bus ({why})"))];
    }
    host.cards.iter().map(|of| card(host, of)).collect()
}

fn card(host: &Host, card: &Card) -> Line {
    let key = format!("machine.card.{}", card.address);
    let what = format!("NVIDIA card {} at {}", card.model, card.address);
    match card.driver.as_deref() {
        Some("nvidia") => Line::ok(key, format!("{what}, held by NVIDIA's driver")),
        Some("nouveau") => Line::problem(
            key,
            format!("{what}, held by nouveau, which cannot run CUDA"),
            format!("{INSTALL}; it keeps nouveau away"),
        ),
        Some(driver @ ("vfio-pci" | "pci-stub")) => Line::warning(
            key,
            format!("{what}, held by {driver}: it is set aside for a virtual machine"),
            "use it there, or give it back to NVIDIA's driver",
        ),
        Some(other) => Line::problem(key, format!("{what}, held by {other}, which cannot run CUDA"), INSTALL),
        None if host.container && host.module.is_some() => {
            Line::note(key, format!("{what}; from inside a container its driver cannot be seen"))
        }
        None => Line::problem(key, format!("{what}, held by no driver"), INSTALL),
    }
}

fn module(host: &Host) -> Option<Line> {
    let key = "machine.module";
    match &host.module {
        Some(_) => {
            let version = host.module_version().unwrap_or("of an unknown version");
            Some(Line::ok(key, format!("NVIDIA's kernel module {version} is loaded")))
        }
        // Somebody else holds the card, which has its own line; or there is none to drive.
        None if host.wsl || !host.cards.iter().any(|card| card.driver.as_deref() == Some("nvidia")) => None,
        None => Some(Line::problem(
            key,
            "NVIDIA's kernel module holds a card but does not answer",
            "look at `dmesg | grep -i nvrm`; where Secure Boot is on, the module must be signed (`mokutil --sb-state`)",
        )),
    }
}

fn nodes(host: &Host) -> Vec<Line> {
    // Without a driver there are no files, and that has its line already.
    if !host.wsl && host.module.is_none() {
        return Vec::new();
    }
    let mut lines = Vec::new();
    let mut granted = Vec::new();
    for node in &host.nodes {
        let key = format!("machine.file.{}", node.path);
        lines.push(match &node.access {
            Access::Granted => {
                granted.push(node.path.as_str());
                continue;
            }
            Access::Missing if host.container => Line::problem(
                key,
                format!("{} is not there: the container was started without the GPU", node.path),
                "start it with `--gpus all` (NVIDIA Container Toolkit) or with the device files",
            ),
            Access::Missing => Line::problem(
                key,
                format!("{} is not there", node.path),
                "run `sudo nvidia-modprobe -u -c=0`, or `nvidia-smi` once as root",
            ),
            Access::Denied => Line::problem(
                key,
                format!("{} may not be opened by this user", node.path),
                "add the user to the file's group (`ls -l` names it, often video or render) and log in again",
            ),
            Access::Failed(why) => Line::problem(
                key,
                format!("{} cannot be opened: {why}", node.path),
                "look at `dmesg | grep -i nvrm`: the card may have fallen off the bus; restart the machine",
            ),
        });
    }
    if !granted.is_empty() {
        lines.insert(0, Line::ok("machine.files", format!("can be opened: {}", granted.join(", "))));
    }
    lines
}

fn mps() -> Line {
    Line::warning(
        "machine.mps",
        "the Multi-Process Service seems to run: a fault of one process ends the kernels of the others",
        "stop it (`echo quit | nvidia-cuda-mps-control`) unless the processes need to share the GPU",
    )
}

/// The lines about variables of the environment.
pub(super) fn variables(host: &Host) -> Vec<Line> {
    host.variables.iter().map(|(name, value)| variable(name, value.trim())).collect()
}

fn variable(name: &str, value: &str) -> Line {
    let key = format!("environment.{name}");
    let text = |meaning: &str| format!("{name}={value}: {meaning}");
    let on = !matches!(value, "" | "0");
    match name {
        "CUDA_VISIBLE_DEVICES" if matches!(value, "" | "-1" | "NoDevFiles") => Line::warning(
            key,
            text("hides every GPU from CUDA programs"),
            format!("`unset {name}`, or name the GPUs to use"),
        ),
        "CUDA_VISIBLE_DEVICES" => Line::note(key, text("CUDA programs see these alone, numbered from 0")),
        "NVIDIA_VISIBLE_DEVICES" if matches!(value, "void" | "none") => Line::warning(
            key,
            text("the container was given no GPU"),
            "start the container with `--gpus all`",
        ),
        "CUDA_LAUNCH_BLOCKING" if on => Line::problem(
            key,
            text("every launch waits for the kernel's end, and a ring kernel has none"),
            format!("`unset {name}`"),
        ),
        "CUDA_DISABLE_PTX_JIT" if on => Line::problem(
            key,
            text("the driver refuses PTX, and gpu-actor's modules are PTX"),
            format!("`unset {name}`"),
        ),
        "CUDA_DEVICE_MAX_CONNECTIONS" if value == "1" => Line::warning(
            key,
            text("all streams share one queue, so that a copy may wait behind the ring kernel"),
            format!("`unset {name}` (the default is 8)"),
        ),
        "CUDA_CACHE_DISABLE" if on => Line::note(key, text("the driver compiles each module at every start")),
        "CUDA_MPS_PIPE_DIRECTORY" => mps(),
        "GPU_ACTOR_DEVICE" => match value.parse::<gpu_actor_rt::device::DeviceChoice>() {
            Err(error) if !value.is_empty() => {
                Line::problem(key, text(&error.to_string()), format!("`unset {name}`, or correct it"))
            }
            _ => Line::note(key, text("overrides the device that programs choose")),
        },
        "GPU_ACTOR_SOFT" => match value.parse::<gpu_actor_rt::device::soft::SoftMode>() {
            Err(error) if !value.is_empty() => {
                Line::problem(key, text(&error.to_string()), format!("`unset {name}`, or correct it"))
            }
            _ => Line::note(key, text("the mode of every software GPU")),
        },
        "SOFT_GPU_LIBCUDA" => match answerer(value) {
            Ok(who) => Line::note(key, text(who)),
            Err(why) => Line::problem(key, text(&why), format!("`unset {name}`, or correct it")),
        },
        _ => Line::note(key, format!("{name}={value}")),
    }
}

/// Who answers for the CUDA driver, as `soft-gpu-libcuda` reads its variable.
fn answerer(value: &str) -> Result<&'static str, String> {
    match value.split_once(':') {
        _ if value.is_empty() || value == "vendor" => Ok("NVIDIA's driver answers, if there is one"),
        _ if value == "soft" => Ok("the software GPU answers in the CUDA driver's place"),
        Some(("soft", platform)) => match platform.parse::<soft_gpu::PlatformConfig>() {
            Ok(_) => Ok("the software GPU answers in the CUDA driver's place"),
            Err(error) => Err(error.to_string()),
        },
        _ if value.contains('/') => Ok("this library answers for the CUDA driver"),
        _ => Err("names nobody; say `soft`, `soft:<platform>`, `vendor`, or a path".into()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::doctor::host::Node;
    use crate::doctor::report::Level;

    fn healthy() -> Host {
        let node = |path: &str| Node { path: path.into(), access: Access::Granted };
        Host {
            os: "Debian".into(),
            kernel: "6.1".into(),
            cards: vec![Card {
                address: "0000:65:00.0".into(),
                model: "2331".into(),
                driver: Some("nvidia".into()),
            }],
            module: Some("NVRM version: NVIDIA UNIX x86_64 Kernel Module  535.261.03  x".into()),
            nodes: vec![node("/dev/nvidiactl"), node("/dev/nvidia-uvm"), node("/dev/nvidia0")],
            ..Host::default()
        }
    }

    /// The lines that are not fine, by key.
    fn bad(lines: &[Line]) -> Vec<(&str, Level)> {
        let bad = lines.iter().filter(|line| line.level >= Level::Warning);
        let bad: Vec<_> = bad.collect();
        assert!(bad.iter().all(|line| line.advice.is_some()), "{bad:?}");
        bad.into_iter().map(|line| (&*line.key, line.level)).collect()
    }

    #[test]
    fn a_healthy_machine_and_one_without_a_card_have_no_complaint() {
        let lines = judge(&healthy());
        assert_eq!(bad(&lines), []);
        assert!(
            lines.iter().any(|line| line.text == "NVIDIA's kernel module 535.261.03 is loaded"),
            "{lines:?}"
        );
        let lines = judge(&Host::default());
        assert_eq!(bad(&lines), []);
        assert!(lines.iter().any(|line| line.text.contains("no NVIDIA card")), "{lines:?}");
    }

    #[test]
    fn who_holds_the_card_decides() {
        let held = |driver: Option<&str>| {
            let mut host = Host { module: None, ..healthy() };
            host.cards[0].driver = driver.map(Into::into);
            judge(&host)
        };
        let card = "machine.card.0000:65:00.0";
        assert_eq!(bad(&held(Some("nouveau"))), [(card, Level::Problem)]);
        assert_eq!(bad(&held(Some("vfio-pci"))), [(card, Level::Warning)]);
        assert_eq!(bad(&held(None)), [(card, Level::Problem)]);
        assert_eq!(bad(&held(Some("nvidia"))), [("machine.module", Level::Problem)]);
        let mut inside = Host { container: true, ..healthy() };
        inside.cards[0].driver = None;
        assert_eq!(bad(&judge(&inside)), []);
    }

    #[test]
    fn files_that_cannot_be_opened_are_problems() {
        let mut host = healthy();
        host.nodes[1].access = Access::Missing;
        host.nodes[2].access = Access::Denied;
        let lines = judge(&host);
        let expected =
            [("machine.file./dev/nvidia-uvm", Level::Problem), ("machine.file./dev/nvidia0", Level::Problem)];
        assert_eq!(bad(&lines), expected);
        let advice =
            |host: &Host| judge(host).iter().filter_map(|line| line.advice.clone()).collect::<String>();
        assert!(advice(&host).contains("nvidia-modprobe") && advice(&host).contains("group"));
        host.container = true;
        assert!(advice(&host).contains("--gpus all"));
        host.nodes[2].access = Access::Failed("Input/output error".into());
        assert!(judge(&host).iter().any(|line| line.text.contains("Input/output error")));
    }

    #[test]
    fn a_guest_of_windows_is_told_of_slices() {
        let host = Host {
            wsl: true,
            nodes: vec![Node { path: "/dev/dxg".into(), access: Access::Granted }],
            ..Host::default()
        };
        let lines = judge(&host);
        assert_eq!(bad(&lines), [("machine.wsl", Level::Warning)]);
        assert!(lines[1].advice.as_ref().unwrap().contains("slices"));
        let host = Host { mps: true, ..Host::default() };
        assert_eq!(bad(&judge(&host)), [("machine.mps", Level::Warning)]);
    }

    #[test]
    fn variables_that_break_the_ring_kernel_are_problems() {
        let level = |name, value| variable(name, value).level;
        assert_eq!(level("CUDA_VISIBLE_DEVICES", ""), Level::Warning);
        assert_eq!(level("CUDA_VISIBLE_DEVICES", "1"), Level::Note);
        assert_eq!(level("NVIDIA_VISIBLE_DEVICES", "void"), Level::Warning);
        assert_eq!(level("NVIDIA_VISIBLE_DEVICES", "all"), Level::Note);
        assert_eq!(level("CUDA_LAUNCH_BLOCKING", "1"), Level::Problem);
        assert_eq!(level("CUDA_LAUNCH_BLOCKING", "0"), Level::Note);
        assert_eq!(level("CUDA_DISABLE_PTX_JIT", "1"), Level::Problem);
        assert_eq!(level("CUDA_DEVICE_MAX_CONNECTIONS", "1"), Level::Warning);
        assert_eq!(level("CUDA_DEVICE_MAX_CONNECTIONS", "8"), Level::Note);
        assert_eq!(level("GPU_ACTOR_DEVICE", "gpu"), Level::Problem);
        assert_eq!(level("GPU_ACTOR_DEVICE", "cuda:1"), Level::Note);
        assert_eq!(level("GPU_ACTOR_SOFT", "quick"), Level::Problem);
        assert_eq!(level("GPU_ACTOR_SOFT", "checked"), Level::Note);
        assert_eq!(level("SOFT_GPU_LIBCUDA", "nonsense"), Level::Problem);
        assert_eq!(level("SOFT_GPU_LIBCUDA", "soft:devices=many"), Level::Problem);
        for value in ["", "vendor", "soft", "soft:devices=2,links=nvlink", "/usr/lib/libcuda.so.1"] {
            assert_eq!(level("SOFT_GPU_LIBCUDA", value), Level::Note, "{value}");
        }
        assert_eq!(level("CUDA_MODULE_LOADING", "LAZY"), Level::Note);
    }
}
