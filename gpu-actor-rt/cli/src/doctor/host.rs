//! What the operating system says of NVIDIA cards and drivers, without asking any driver.
//!
//! Rule kept here: only facts; what they mean is judged elsewhere. What cannot be read is not there.

use std::collections::BTreeMap;
use std::ffi::OsString;
use std::fs;
use std::io::ErrorKind;
use std::path::Path;

/// NVIDIA's number among the makers of PCI cards.
const NVIDIA: &str = "0x10de";

/// Variables that change what CUDA or gpu-actor does.
const VARIABLES: [&str; 12] = [
    "CUDA_VISIBLE_DEVICES",
    "CUDA_DEVICE_ORDER",
    "CUDA_LAUNCH_BLOCKING",
    "CUDA_DISABLE_PTX_JIT",
    "CUDA_DEVICE_MAX_CONNECTIONS",
    "CUDA_CACHE_DISABLE",
    "CUDA_MODULE_LOADING",
    "CUDA_MPS_PIPE_DIRECTORY",
    "NVIDIA_VISIBLE_DEVICES",
    "GPU_ACTOR_DEVICE",
    "GPU_ACTOR_SOFT",
    "SOFT_GPU_LIBCUDA",
];

/// What the operating system says.
#[derive(Clone, Debug, Default)]
pub(crate) struct Host {
    /// The distribution's name.
    pub(crate) os: String,
    /// The kernel's version.
    pub(crate) kernel: String,
    /// Windows Subsystem for Linux.
    pub(crate) wsl: bool,
    /// A container.
    pub(crate) container: bool,
    /// NVIDIA's graphics cards on the PCI bus.
    pub(crate) cards: Vec<Card>,
    /// NVIDIA's kernel module, where it is loaded: the line that names its version.
    pub(crate) module: Option<String>,
    /// The device files.
    pub(crate) nodes: Vec<Node>,
    /// Variables that are set, even to nothing.
    pub(crate) variables: BTreeMap<&'static str, String>,
    /// Whether a daemon of the Multi-Process Service has its files where it puts them by default.
    pub(crate) mps: bool,
    /// Whether an IOMMU translates the cards' addresses.
    pub(crate) iommu: bool,
    /// The version of the kernel module behind cuFile, where it is loaded.
    pub(crate) nvidia_fs: Option<String>,
}

/// A card on the PCI bus.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Card {
    /// Domain, bus, device and function.
    pub(crate) address: String,
    /// The maker's number of the model.
    pub(crate) model: String,
    /// The kernel's driver that holds it.
    pub(crate) driver: Option<String>,
}

/// A device file.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Node {
    pub(crate) path: String,
    pub(crate) access: Access,
}

/// Whether this user can use a device file.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Access {
    Granted,
    Missing,
    Denied,
    /// Something else, in the system's words.
    Failed(String),
}

impl Host {
    /// Looks below `root`, which is `/` unless a test makes one of its own.
    pub(crate) fn look(root: &Path, variable: impl Fn(&str) -> Option<OsString>) -> Self {
        let read = |path: &str| fs::read_to_string(root.join(path)).unwrap_or_default();
        let exists = |path: &str| root.join(path).exists();
        let kernel = read("proc/sys/kernel/osrelease").trim().to_owned();
        let wsl = kernel.to_lowercase().contains("microsoft") || exists("dev/dxg");
        let variables =
            VARIABLES.iter().filter_map(|name| Some((*name, variable(name)?.to_string_lossy().into_owned())));
        Self {
            os: distribution(&read("etc/os-release")),
            wsl,
            container: exists(".dockerenv") || exists("run/.containerenv"),
            cards: cards(&root.join("sys/bus/pci/devices")),
            module: read("proc/driver/nvidia/version").lines().next().map(|line| line.trim().to_owned()),
            nodes: nodes(root, wsl),
            variables: variables.collect(),
            mps: exists("tmp/nvidia-mps/control"),
            iommu: fs::read_dir(root.join("sys/class/iommu")).is_ok_and(|mut all| all.next().is_some()),
            nvidia_fs: Some(read("proc/driver/nvidia-fs/version").trim().to_owned())
                .filter(|text| !text.is_empty()),
            kernel,
        }
    }

    /// The version in the kernel module's line: the first word that is numbers and dots.
    pub(crate) fn module_version(&self) -> Option<&str> {
        let number = |word: &&str| {
            word.contains('.') && word.bytes().all(|byte| byte.is_ascii_digit() || byte == b'.')
        };
        self.module.as_ref()?.split_whitespace().find(number)
    }
}

fn distribution(text: &str) -> String {
    let name = text.lines().find_map(|line| line.strip_prefix("PRETTY_NAME="));
    name.map_or_else(|| "unknown distribution".into(), |name| name.trim_matches('"').to_owned())
}

fn cards(folder: &Path) -> Vec<Card> {
    let Ok(entries) = fs::read_dir(folder) else { return Vec::new() };
    let mut cards: Vec<_> = entries
        .filter_map(|entry| {
            let entry = entry.ok()?;
            let read = |name: &str| Some(fs::read_to_string(entry.path().join(name)).ok()?.trim().to_owned());
            // Display controllers have class 03; a card's sound has another one.
            if read("vendor")? != NVIDIA || !read("class")?.starts_with("0x03") {
                return None;
            }
            let driver = fs::read_link(entry.path().join("driver")).ok();
            Some(Card {
                address: entry.file_name().to_string_lossy().into_owned(),
                model: read("device")?.trim_start_matches("0x").to_owned(),
                driver: driver.and_then(|path| Some(path.file_name()?.to_string_lossy().into_owned())),
            })
        })
        .collect();
    cards.sort_by(|a, b| a.address.cmp(&b.address));
    cards
}

/// The files that a CUDA program opens.
fn nodes(root: &Path, wsl: bool) -> Vec<Node> {
    if wsl {
        return vec![node(root, "dev/dxg")];
    }
    let mut numbered: Vec<String> = fs::read_dir(root.join("dev"))
        .into_iter()
        .flatten()
        .filter_map(|entry| entry.ok()?.file_name().into_string().ok())
        .filter(|name| {
            let number = name.strip_prefix("nvidia").unwrap_or("");
            !number.is_empty() && number.bytes().all(|byte| byte.is_ascii_digit())
        })
        .map(|name| format!("dev/{name}"))
        .collect();
    numbered.sort_by_key(|name| (name.len(), name.clone()));
    let fixed = ["dev/nvidiactl", "dev/nvidia-uvm"].map(String::from);
    fixed.into_iter().chain(numbered).map(|path| node(root, &path)).collect()
}

fn node(root: &Path, path: &str) -> Node {
    let access = match fs::File::options().read(true).write(true).open(root.join(path)) {
        Ok(_) => Access::Granted,
        Err(error) => match error.kind() {
            ErrorKind::NotFound => Access::Missing,
            ErrorKind::PermissionDenied => Access::Denied,
            _ => Access::Failed(error.to_string()),
        },
    };
    Node { path: format!("/{path}"), access }
}

#[cfg(test)]
mod tests {
    use std::path::PathBuf;

    use super::*;

    /// A folder that looks like a machine; it goes when this does.
    struct Machine(PathBuf);

    impl Machine {
        fn new(name: &str) -> Self {
            let root = std::env::temp_dir().join(format!("gpu-actor-host-{name}-{}", std::process::id()));
            fs::create_dir_all(&root).unwrap();
            Self(root)
        }

        fn file(&self, path: &str, text: &str) {
            let path = self.0.join(path);
            fs::create_dir_all(path.parent().unwrap()).unwrap();
            fs::write(path, text).unwrap();
        }

        fn look(&self, variables: &[(&str, &str)]) -> Host {
            Host::look(&self.0, |name| {
                variables.iter().find(|(of, _)| *of == name).map(|(_, value)| value.into())
            })
        }
    }

    impl Drop for Machine {
        fn drop(&mut self) {
            fs::remove_dir_all(&self.0).unwrap();
        }
    }

    #[test]
    fn a_machine_with_a_card_and_its_driver() {
        let machine = Machine::new("card");
        machine.file("etc/os-release", "ID=debian\nPRETTY_NAME=\"Debian GNU/Linux 12 (bookworm)\"\n");
        machine.file("proc/sys/kernel/osrelease", "6.1.0-21-amd64\n");
        machine.file(
            "proc/driver/nvidia/version",
            "NVRM version: NVIDIA UNIX Open Kernel Module for x86_64  550.54.14  Release Build\nGCC version: 12.2\n",
        );
        let card = "sys/bus/pci/devices/0000:65:00.0";
        machine.file(&format!("{card}/vendor"), "0x10de\n");
        machine.file(&format!("{card}/class"), "0x030200\n");
        machine.file(&format!("{card}/device"), "0x2331\n");
        machine.file("sys/bus/pci/drivers/nvidia/bind", "");
        #[cfg(unix)]
        std::os::unix::fs::symlink("../../drivers/nvidia", machine.0.join(card).join("driver")).unwrap();
        // Its sound, and somebody else's card, are not what is looked for.
        machine.file("sys/bus/pci/devices/0000:65:00.1/vendor", "0x10de\n");
        machine.file("sys/bus/pci/devices/0000:65:00.1/class", "0x040300\n");
        machine.file("sys/bus/pci/devices/0000:01:00.0/vendor", "0x1002\n");
        machine.file("sys/bus/pci/devices/0000:01:00.0/class", "0x030000\n");
        for name in ["nvidia10", "nvidia2", "nvidiactl", "nvidia-modeset"] {
            machine.file(&format!("dev/{name}"), "");
        }
        let host = machine.look(&[("CUDA_VISIBLE_DEVICES", ""), ("HOME", "/root")]);
        assert_eq!(host.os, "Debian GNU/Linux 12 (bookworm)");
        assert_eq!(host.module_version(), Some("550.54.14"));
        let driver = cfg!(unix).then(|| "nvidia".to_owned());
        let address = "0000:65:00.0".to_owned();
        assert_eq!(host.cards, [Card { address, model: "2331".into(), driver }]);
        let nodes: Vec<_> = host.nodes.iter().map(|node| (&*node.path, &node.access)).collect();
        assert_eq!(
            nodes,
            [
                ("/dev/nvidiactl", &Access::Granted),
                ("/dev/nvidia-uvm", &Access::Missing),
                ("/dev/nvidia2", &Access::Granted),
                ("/dev/nvidia10", &Access::Granted),
            ]
        );
        assert_eq!(host.variables.get("CUDA_VISIBLE_DEVICES").map(String::as_str), Some(""));
        assert_eq!(host.variables.len(), 1);
        assert!(!host.wsl && !host.container && !host.mps && !host.iommu && host.nvidia_fs.is_none());
    }

    #[test]
    fn a_guest_of_windows_and_an_empty_folder() {
        let machine = Machine::new("guest");
        machine.file("proc/sys/kernel/osrelease", "5.15.153.1-microsoft-standard-WSL2\n");
        machine.file("dev/dxg", "");
        machine.file("tmp/nvidia-mps/control", "");
        machine.file("run/.containerenv", "");
        machine.file("sys/class/iommu/dmar0/x", "");
        machine.file("proc/driver/nvidia-fs/version", "version: 2.17\n");
        let host = machine.look(&[]);
        assert!(host.wsl && host.mps && host.container && host.iommu);
        assert_eq!(host.nodes, [Node { path: "/dev/dxg".into(), access: Access::Granted }]);
        assert_eq!(host.nvidia_fs.as_deref(), Some("version: 2.17"));

        let host = Host::look(Path::new("/nowhere/at/all"), |_| None);
        assert!(host.cards.is_empty() && host.module.is_none() && host.module_version().is_none());
        assert!(host.nodes.iter().all(|node| node.access == Access::Missing));
    }
}
