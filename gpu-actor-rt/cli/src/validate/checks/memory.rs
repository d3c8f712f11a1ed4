//! Memory to the last megabyte.

use std::sync::Arc;
use std::time::Instant;

use gpu_actor_rt::device::{Allocation, Device, DeviceError, MemoryKind};

use crate::error::chain;
use crate::validate::actors::Probe;
use crate::validate::finding::{Recorder, Stop};
use crate::validate::ground::{Ground, Live};
use crate::validate::measure::rate;

const MIB: u64 = 1 << 20;

/// What may be missing at the end, in bytes: a driver keeps some of a card's memory for itself.
pub(super) fn tolerance(device: &dyn Device) -> u64 {
    if device.info().hardware { 64 * MIB } else { 0 }
}

pub(super) fn run(ground: &Ground, record: &Recorder) -> Result<(), Stop> {
    let device = ground.open()?;
    let before = device.memory_info()?;
    record.figure("memory", before.total as f64 / MIB as f64, "MiB");
    record.figure("free before", before.free as f64 / MIB as f64, "MiB");

    record.step("allocating");
    let begun = Instant::now();
    let (pieces, refusal) = exhaust(device.as_ref(), MIB)?;
    let took = begun.elapsed();
    let full = device.memory_info()?;
    let taken: u64 = pieces.iter().map(|piece| piece.len() as u64).sum();
    record.figure("taken until the device refused a megabyte", taken as f64 / MIB as f64, "MiB");
    record.figure("free at that point", full.free as f64 / MIB as f64, "MiB");
    record.figure("allocations", rate(pieces.len() as u64, took), "1/s");
    record.note(format!("The refusal: {}.", chain(&refusal)));
    record.require(matches!(refusal, DeviceError::OutOfMemory { .. }), || {
        format!("the refusal is not the typed error for exhausted memory: {refusal:?}")
    });
    let least = before.free.saturating_sub(MIB + tolerance(device.as_ref()));
    record.require(taken >= least, || {
        format!("the device refused with {taken} bytes taken of {} that were free", before.free)
    });

    record.step("writing and reading both ends of every piece");
    let wrong = ends(&device, &pieces)?;
    record.require(wrong == 0, || format!("{wrong} of {} pieces do not hold what was written", pieces.len()));

    record.step("freeing");
    drop(pieces);
    let after = device.memory_info()?;
    record.figure("free after", after.free as f64 / MIB as f64, "MiB");
    record.require(after.free + tolerance(device.as_ref()) >= before.free, || {
        format!("{} bytes were free before and {} are after everything was freed", before.free, after.free)
    });

    record.step("starting a system afterwards");
    let live = Live::start(ground.config(&device))?;
    let reply = live.wait(live.system.actor::<Probe>("after").add(7).into_future())?;
    record.require(reply == 7, || format!("an actor replied {reply} instead of 7"));
    live.end(record)?;
    Ok(())
}

/// Takes the memory in pieces, large ones first, until not even one of `least` bytes is given; what was taken, and the last
/// refusal.
pub(super) fn exhaust(
    device: &dyn Device,
    least: u64,
) -> Result<(Vec<Box<dyn Allocation>>, DeviceError), Stop> {
    let mut pieces = Vec::new();
    let mut size = (device.memory_info()?.total / 4).next_power_of_two().clamp(least, 8 << 30);
    loop {
        match device.alloc(MemoryKind::Device, size as usize) {
            Ok(piece) => pieces.push(piece),
            Err(error) if size <= least => return Ok((pieces, error)),
            // A larger piece may be refused for want of room in one place.
            Err(_) => size /= 2,
        }
    }
}

/// Takes all memory but what a system needs, or half if that is little.
pub(super) fn most(device: &dyn Device) -> Result<Vec<Box<dyn Allocation>>, Stop> {
    const SYSTEM: u64 = 512 * MIB;
    let info = device.memory_info()?;
    let mut wanted = info.free.saturating_sub(SYSTEM).max(info.free / 2);
    let mut pieces = Vec::new();
    while wanted >= MIB {
        let size = wanted.min(8 << 30);
        pieces.push(device.alloc(MemoryKind::Device, size as usize)?);
        wanted -= size;
    }
    Ok(pieces)
}

/// Writes a word at both ends of every piece, then reads all: pieces that overlap do not keep theirs.
fn ends(device: &Arc<dyn Device>, pieces: &[Box<dyn Allocation>]) -> Result<u64, Stop> {
    let places = || {
        pieces.iter().enumerate().flat_map(|(i, piece)| {
            let (address, end) = (piece.address(), piece.address() + piece.len() as u64 - 8);
            [(address, 2 * i as u64 + 1), (end, 2 * i as u64 + 2)]
        })
    };
    for (address, mark) in places() {
        device.copy_to_device(address, &mark.to_le_bytes())?;
    }
    let mut wrong = 0;
    for (address, mark) in places() {
        let mut bytes = [0; 8];
        device.copy_from_device(&mut bytes, address)?;
        wrong += u64::from(u64::from_le_bytes(bytes) != mark);
    }
    Ok(wrong)
}
