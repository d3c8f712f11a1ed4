//! Which lines of PTX one message executes: the kernel runs on the software GPU and writes down where it is.
//!
//! Rules kept here: nothing depends on time or on a host that takes part. The inbox is full of messages before the
//! launch, one lane of one worker handles them, and the launch ends when its notebook is full. What is followed is a pass
//! of the worker's loop that takes one message, in the steady state: more than half of the last such passes must be the same.

use std::fmt::Write as _;
use std::time::Duration;

use kernels_ptx::abi::{LINE, actor, actor_type, control, line, root, scratch, slot, worker};
use kernels_ptx::ring;
use soft_gpu::{Arg, Device, DeviceConfig, DeviceMemory, LaunchConfig, Status};

use crate::Result;
use crate::ptx::Ptx;
use crate::subject::{self, Way};

/// Lines that the notebook holds; about forty messages.
const NOTES: u64 = 1 << 16;
/// How many passes are compared to find the usual one.
const RECENT: usize = 16;
/// Slots of every ring.
const CAPACITY: u64 = 64;
/// Messages that a handler may send.
const OUTBOX: u64 = 16;
/// Bytes that an actor has, header and state; more than any of the examples needs.
const STRIDE: u64 = 256;

/// The PTX with a note before every instruction, in a notebook at `notes`: a count, then line numbers of four bytes.
fn annotated(ptx: &Ptx, notes: u64) -> String {
    let mut text = String::new();
    for (number, source) in ptx.lines() {
        if ptx.is_instruction(number) {
            // Full: the launch ends here.
            let _ = writeln!(
                text,
                "mov.u64 %note_at, {notes};\nld.u64 %note_count, [%note_at];\n\
                 setp.ge.u64 %note_full, %note_count, {NOTES};\n@%note_full trap;\n\
                 mad.lo.u64 %note_line, %note_count, 4, %note_at;\nst.u32 [%note_line+8], {number};\n\
                 add.u64 %note_count, %note_count, 1;\nst.u64 [%note_at], %note_count;"
            );
        }
        let _ = writeln!(text, "{source}");
        if source == "{" {
            text.push_str(".reg .b64 %note_at, %note_count, %note_line;\n.reg .pred %note_full;\n");
        }
    }
    text
}

/// Device memory, as words written by offset before the launch.
struct Block {
    memory: DeviceMemory,
    words: Vec<u64>,
}

/// Everything that the kernel works on.
struct Memory<'a> {
    device: &'a Device,
    slot_size: u64,
    blocks: Vec<DeviceMemory>,
}

impl Memory<'_> {
    fn block(&self, bytes: u64) -> Result<Block> {
        let memory = self.device.alloc(bytes as usize)?;
        Ok(Block { memory, words: vec![0; bytes.div_ceil(8) as usize] })
    }

    /// Gives the block its contents and keeps it; its address.
    fn put(&mut self, block: Block) -> Result<u64> {
        let bytes: Vec<u8> = block.words.iter().flat_map(|word| word.to_ne_bytes()).collect();
        let address = block.memory.address();
        self.device.copy_to_device(address, &bytes)?;
        self.blocks.push(block.memory);
        Ok(address)
    }

    fn zeroed(&mut self, bytes: u64) -> Result<u64> {
        let block = self.block(bytes)?;
        self.put(block)
    }

    fn record(&mut self, bytes: u64, fields: &[(u64, u64)]) -> Result<u64> {
        let mut block = self.block(bytes)?;
        for (offset, value) in fields {
            block.words[(offset / 8) as usize] = *value;
        }
        self.put(block)
    }

    /// A ring with nothing in it but these messages.
    fn ring(&mut self, messages: &[&subject::Message]) -> Result<u64> {
        let mut block = self.block(CAPACITY * self.slot_size)?;
        for (ticket, at) in (0..CAPACITY).map(|ticket| (ticket, (ticket * self.slot_size / 8) as usize)) {
            block.words[at] = ticket;
            let Some(message) = messages.get(ticket as usize) else { continue };
            let field = |offset: u64| at + (offset / 8) as usize;
            block.words[field(slot::SEQ_METHOD)] = (ticket + 1) | u64::from(message.method) << 32;
            block.words[field(slot::ACTOR)] = message.actor;
            block.words[field(slot::CORR)] = message.corr;
            block.words[field(slot::HEADER)..][..message.payload.len()].copy_from_slice(&message.payload);
        }
        self.put(block)
    }

    /// The root record of a system with one worker of one lane, whose inbox is full of `message`.
    fn system(&mut self, message: &subject::Message) -> Result<u64> {
        let mut types = self.block((subject::types().len() as u64 + 1) * actor_type::SIZE)?;
        for (index, info) in (1..).zip(subject::types()) {
            let mut initial = self.block(STRIDE)?;
            let mut bytes = vec![0; STRIDE as usize];
            (info.initial)(&mut bytes[..info.state_size as usize]);
            for (word, bytes) in initial.words.iter_mut().zip(bytes.as_chunks().0) {
                *word = u64::from_ne_bytes(*bytes);
            }
            let slab = self.zeroed(STRIDE)?;
            let record = index * (actor_type::SIZE / 8) as usize;
            for (offset, value) in [
                (actor_type::STRIDE, STRIDE),
                (actor_type::STATE_SIZE, u64::from(info.state_size).div_ceil(8) * 8),
                (actor_type::INITIAL, self.put(initial)?),
                (actor_type::CHUNKS, self.record(actor_type::MAX_CHUNKS * 8, &[(0, slab)])?),
                (actor_type::COUNTS, self.record(LINE, &[(0, 1)])?),
            ] {
                types.words[record + (offset / 8) as usize] = value;
            }
            assert!(actor::STATE + u64::from(info.state_size) <= STRIDE, "the slab has room for the state");
        }
        let types = self.put(types)?;
        let worker = [
            (worker::HOST_INBOX, self.ring(&[message; CAPACITY as usize])?),
            (worker::DEVICE_INBOX, self.ring(&[])?),
            (worker::DEVICE_TICKET, self.zeroed(LINE)?),
            (worker::COMPLETIONS, self.ring(&[])?),
            (worker::SPILL, self.ring(&[])?),
            (worker::LINE, self.zeroed(line::SIZE)?),
            (worker::SPILL_TICKET, self.zeroed(LINE)?),
            (worker::LOCAL, self.zeroed(CAPACITY * self.slot_size)?),
            (worker::CLOCK_SEQ, u64::MAX),
        ];
        let scratch_stride = (scratch::OUTBOX + OUTBOX * self.slot_size).next_multiple_of(LINE);
        let root = [
            (root::CONTROL, self.zeroed(control::SIZE)?),
            (root::WORKERS, self.record(worker::SIZE, &worker)?),
            (root::TYPES, types),
            (root::SLOT_SIZE, self.slot_size),
            (root::HOST_CAPACITY, CAPACITY),
            (root::DEVICE_CAPACITY, CAPACITY),
            (root::COMPLETION_CAPACITY, CAPACITY),
            (root::SPILL_CAPACITY, CAPACITY),
            (root::WORKER_COUNT, 1),
            (root::TYPE_COUNT, subject::types().len() as u64),
            (root::BUDGET, 1 << 24),
            (root::OUTBOX_CAPACITY, OUTBOX),
            (root::DRIFT_BOUND, 60_000_000_000),
            (root::SCRATCH, self.zeroed(scratch_stride)?),
            (root::SCRATCH_STRIDE, scratch_stride),
            (root::SPINS, root::MOST_SPINS),
        ];
        self.record(root::SIZE, &root)
    }
}

/// The lines that the kernel executed, from its start until the notebook was full.
fn run(ptx: &Ptx, way: &Way) -> Result<Vec<u32>> {
    let device = Device::open(DeviceConfig::default())?;
    let mut memory = Memory { device: &device, slot_size: way.slot_size, blocks: Vec::new() };
    let notes = memory.zeroed(8 + 4 * NOTES)?;
    let system = memory.system(&way.message)?;
    let module = device.load_ptx(&annotated(ptx, notes))?;
    let config = LaunchConfig::new(1, 1).cooperative(true);
    // SAFETY: the root record names memory of this device, laid out by `abi` as the kernel expects, and so does the
    // notebook; `memory` owns all of it until the launch is over. The host touches none of it until then.
    let launch = unsafe { device.launch(&module.function(ring::ENTRY)?, &config, &[Arg::U64(system)])? };
    match launch.wait(Some(Duration::from_mins(10))) {
        Status::Failed(soft_gpu::Error::Trap { .. }) => {}
        other => return Err(format!("following `{}`: the launch ended as {other:?}", way.name).into()),
    }
    let mut bytes = vec![0; 4 * NOTES as usize];
    device.copy_from_device(&mut bytes, notes + 8)?;
    Ok(bytes.as_chunks().0.iter().map(|word| u32::from_ne_bytes(*word)).collect())
}

/// The lines of one pass of the worker's loop, from its head to its head, in which the handler of `way` ran once.
pub(crate) fn pass(ptx: &Ptx, way: &Way) -> Result<Vec<u32>> {
    let trace = run(ptx, way)?;
    let kernel = ptx.function(ring::ENTRY)?;
    let handler = ptx.function(&way.handler)?;
    let first = *trace.first().ok_or("the kernel executed nothing")?;
    // Between two messages the loop jumps back to its head and not further: the head is the least line in between.
    let ran: Vec<_> = (0..trace.len()).filter(|i| trace[*i] == handler.start).collect();
    let between =
        ran.windows(2).map(|pair| trace[pair[0]..pair[1]].iter().filter(|line| kernel.contains(line)));
    // Every 64th time the loop around it comes in, whose head stands before.
    let head = *between.filter_map(Iterator::min).max().ok_or("the handler ran less than twice")?;
    if head <= first {
        return Err("the worker's loop has no head".into());
    }
    let heads: Vec<_> = (0..trace.len()).filter(|i| trace[*i] == head).collect();
    let passes = heads.windows(2).map(|pair| &trace[pair[0]..pair[1]]);
    let passes: Vec<_> = passes.filter(|pass| pass.contains(&handler.start)).collect();
    // Some look further than others: at the host's commands, at the device's messages beside the host's.
    let last = &passes[passes.len().saturating_sub(RECENT)..];
    let same = |pass: &[u32]| last.iter().filter(|other| **other == pass).count();
    let usual = last.iter().max_by_key(|pass| same(pass)).ok_or("no whole pass")?;
    if same(usual) * 2 <= last.len() {
        return Err(format!("the last passes with `{}` differ", way.handler).into());
    }
    Ok(usual.to_vec())
}
