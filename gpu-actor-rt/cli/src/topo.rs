//! `gpu-actor topo`: the devices, what connects them, and who reaches whose memory.

use std::fmt::Write;

use clap::Args;
use serde_json::{Value, json};

use crate::cuda::{Cuda, Gpu};
use crate::links::Link;
use crate::nvml::{Management, Unmanaged, Way};
use crate::output::Report;

/// Prints the matrix of links between the devices, and of peer access.
#[derive(Debug, Args)]
pub(crate) struct Options {}

/// Asks and draws.
pub(crate) fn run(_options: &Options) -> Report {
    draw(&Cuda::ask(), &Management::ask())
}

/// The report, from facts alone.
fn draw(cuda: &Cuda, nvml: &Result<Management, Unmanaged>) -> Report {
    let driver = match &cuda.driver {
        Ok(driver) => driver,
        Err(absence) => {
            let text = format!("No CUDA devices: {}\n", absence.why);
            let json = json!({ "driver": null, "why": absence.why, "devices": [], "links": [] });
            return Report { text, json, well: absence.plain };
        }
    };
    // Writing to a string cannot fail, here and below.
    let mut text = format!("{}\n", driver.name);
    if !driver.hardware {
        text.push_str("These devices are software GPUs: their links are configuration.\n");
    }
    text.push('\n');
    let mut devices = Vec::new();
    for (index, device) in cuda.devices.iter().enumerate() {
        let line = match device {
            Ok(gpu) => format!("{}  {}  {} MiB", gpu.pci, gpu.name, gpu.memory >> 20),
            Err(why) => format!("says nothing: {why}"),
        };
        let _ = writeln!(text, "GPU{index}  {line}");
        devices.push(describe(index, device));
    }
    let count = cuda.devices.len();
    let nvml = nvml.as_ref().ok();
    let links: Vec<Vec<Link>> =
        (0..count).map(|from| (0..count).map(|to| Link::between(cuda, nvml, from, to)).collect()).collect();
    if count > 1 {
        matrix(&mut text, "Links", &links, Link::label);
        let seen = |way: &Way| links.iter().flatten().any(|link| link.way == Some(*way) && link.nvlinks == 0);
        if links.iter().flatten().any(|link| link.nvlinks > 0) {
            text.push_str("  NV#   that many NVLinks\n");
        }
        for way in Way::ALL.iter().filter(|way| seen(way)) {
            let _ = writeln!(text, "  {:<5} {}", way.name(), way.meaning());
        }
        if nvml.is_none() || !driver.hardware {
            text.push_str("  -     not known (NVML knows them, of real cards)\n");
        }
        matrix(&mut text, "Peer access, from row to column", &links, |link| link.access().into());
        text.push_str("  atomics  kernels load, store, and use atomics that the link does itself\n");
        text.push_str("  yes      kernels load and store; atomics are not native\n");
        text.push_str("  no       messages go through the host\n");
        matrix(&mut text, "The driver's ranking of the links (lower is faster)", &links, |link| {
            link.peer.map_or_else(|| "?".into(), |peer| peer.rank.to_string())
        });
    }
    let pairs = (0..count).flat_map(|from| (0..count).map(move |to| (from, to)));
    let links = pairs.filter(|(from, to)| from != to).map(|(from, to)| {
        let link = &links[from][to];
        json!({
            "from": from,
            "to": to,
            "link": link.label(),
            "nvlinks": link.nvlinks,
            "way": link.way.map(Way::name),
            "access": link.peer.map(|peer| peer.access),
            "native_atomics": link.peer.map(|peer| peer.atomics),
            "rank": link.peer.map(|peer| peer.rank),
        })
    });
    let json = json!({
        "driver": driver.name,
        "hardware": driver.hardware,
        "devices": devices,
        "links": links.collect::<Value>(),
    });
    Report { text, json, well: cuda.devices.iter().all(Result::is_ok) }
}

fn describe(index: usize, device: &Result<Gpu, String>) -> Value {
    match device {
        Ok(gpu) => json!({
            "index": index,
            "name": gpu.name,
            "pci": gpu.pci,
            "uuid": gpu.uuid,
            "memory_bytes": gpu.memory,
            "hardware": gpu.hardware,
        }),
        Err(why) => json!({ "index": index, "why": why }),
    }
}

/// A square of cells with the devices' numbers beside and above.
fn matrix(text: &mut String, title: &str, links: &[Vec<Link>], cell: impl Fn(&Link) -> String) {
    let _ = write!(text, "\n{title}\n       ");
    for column in 0..links.len() {
        let _ = write!(text, "{:<9}", format!("GPU{column}"));
    }
    for (row, line) in links.iter().enumerate() {
        let _ = write!(text, "\n{:<7}", format!("GPU{row}"));
        for (column, link) in line.iter().enumerate() {
            let _ = write!(text, "{:<9}", if row == column { "X".into() } else { cell(link) });
        }
    }
    // No line ends in blanks.
    *text = text.lines().map(str::trim_end).collect::<Vec<_>>().join("\n");
    text.push('\n');
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::cuda::Absence;
    use crate::cuda::tests::{cuda, gpu};
    use crate::nvml::tests::device;

    fn nothing() -> Result<Management, Unmanaged> {
        Err(Unmanaged::NoLibrary("no such file".into()))
    }

    #[test]
    fn the_matrix_is_that_of_the_links() {
        let nvml = Management {
            devices: vec![device(1, &[2, 2]), device(2, &[1, 1]), device(3, &[])],
            ways: vec![(0, 1, Way::Node), (0, 2, Way::HostBridge), (1, 2, Way::System)],
            ..Management::default()
        };
        let mut cuda = cuda(vec![gpu(1), gpu(2), gpu(3)]);
        for of in &mut cuda.peers {
            if of.to == 2 {
                of.peer = Ok(crate::cuda::Peer { access: false, atomics: false, rank: 4 });
            }
        }
        let report = draw(&cuda, &Ok(nvml));
        let expected = "
Links
       GPU0     GPU1     GPU2
GPU0   X        NV2      PHB
GPU1   NV2      X        SYS
GPU2   PHB      SYS      X
  NV#   that many NVLinks
  PHB   a PCIe host bridge
  SYS   from one NUMA node to another

Peer access, from row to column
       GPU0     GPU1     GPU2
GPU0   X        atomics  no
GPU1   atomics  X        no
GPU2   atomics  atomics  X
";
        assert!(report.text.contains(expected), "{}", report.text);
        assert!(report.well && report.text.starts_with("CUDA 12.8 (vendor's"), "{}", report.text);
        assert_eq!(report.json["links"].as_array().unwrap().len(), 6);
        assert_eq!(report.json["links"][1]["rank"], 4);
        assert_eq!(report.json["links"][0]["link"], "NV2");
    }

    #[test]
    fn software_gpus_are_called_that() {
        let mut all = cuda(vec![gpu(1), gpu(2)]);
        all.driver.as_mut().unwrap().hardware = false;
        let report = draw(&all, &nothing());
        assert!(report.text.contains("software GPUs: their links are configuration"), "{}", report.text);
        assert!(report.text.contains("GPU0   X        -\n"), "{}", report.text);
        assert_eq!(report.json["hardware"], false);
    }

    #[test]
    fn one_device_has_no_matrix_and_no_device_says_why() {
        let report = draw(&cuda(vec![gpu(1)]), &nothing());
        assert!(report.text.ends_with("GPU0  0000:01:00.0  Card 1  81920 MiB\n"), "{}", report.text);
        let absence = |plain| Absence { why: "there is no CUDA device".into(), plain, library: None };
        let none = |plain| Cuda { driver: Err(absence(plain)), ..cuda(vec![]) };
        assert!(draw(&none(true), &nothing()).well);
        let report = draw(&none(false), &nothing());
        assert_eq!(report.text, "No CUDA devices: there is no CUDA device\n");
        assert!(!report.well);
    }
}
