//! Many calls of handlers on a device at once, through the harness of `kernels-ptx`.

use std::time::Duration;

use kernels_ptx::abi::{corr, cx, fault, scratch, slice, slot, view};
use kernels_ptx::harness;
use kernels_ptx::ir::FaultSite;
use kernels_ptx::module::Module;
use kernels_ptx::ring::buffers;

use crate::actor::{ActorInfo, MethodInfo};
use crate::device::{Allocation, Device, DeviceError, LaunchRequest, LaunchStatus, LoadedModule, MemoryKind};
use crate::error::{Error, Result};
use crate::program;

/// Loop back-edges that one call may take.
pub(super) const BUDGET: u64 = 1 << 16;
/// Messages that one call may send.
pub(super) const MAX_SENDS: u32 = crate::cx::DEFAULT_OUTBOX;
/// Bytes of a slot.
const SLOT: u64 = slot::CLASSES[slot::CLASSES.len() - 1];
/// Bytes from one context to the next: the record, the views of slices, the outbox.
const CONTEXT: u64 = scratch::OUTBOX + MAX_SENDS as u64 * SLOT;
/// What a buffer begins on a multiple of.
const ALIGN: u64 = 16;
/// How long a batch may take on a loaded machine: far more than its budget needs.
const PATIENCE: Duration = Duration::from_mins(5);

/// The handlers of a type, loaded on a device.
pub(super) struct Batch<'a> {
    device: &'a dyn Device,
    module: std::sync::Arc<dyn LoadedModule>,
    sites: Vec<Vec<FaultSite>>,
}

/// One call's input.
#[derive(Clone, Debug)]
pub(super) struct Input {
    pub(super) state: Vec<u8>,
    pub(super) message: Vec<u8>,
    pub(super) now: u64,
    /// The buffers of its slices.
    pub(super) buffers: Vec<Vec<u8>>,
}

/// What became of one call.
#[derive(Clone, Debug)]
pub(super) struct Output {
    pub(super) state: Vec<u8>,
    /// What its buffers have then.
    pub(super) buffers: Vec<Vec<u8>>,
    pub(super) end: Result<(Vec<u8>, Vec<Sent>), Faulted>,
}

/// A message in the outbox.
#[derive(Clone, Debug)]
pub(super) struct Sent {
    pub(super) target: u64,
    pub(super) method: u32,
    pub(super) payload: Vec<u8>,
}

/// A fault record.
#[derive(Clone, Debug)]
pub(super) struct Faulted {
    pub(super) code: u32,
    pub(super) site: Option<FaultSite>,
}

impl<'a> Batch<'a> {
    pub(super) fn load(device: &'a dyn Device, actor: &'static ActorInfo) -> Result<Self> {
        let (mut module, mut symbols, mut sites) = (Module::new("handlers"), Vec::new(), Vec::new());
        for info in actor.methods {
            let function = program::lower(actor, info)?;
            sites.push(function.sites().to_vec());
            symbols.push(program::symbol(actor, info));
            module.add(function);
        }
        if actor.methods.iter().any(|info| info.slices != 0) {
            for function in buffers::functions().map_err(|error| Error::Module(error.into()))? {
                module.add(function);
            }
        }
        let names: Vec<&str> = symbols.iter().map(String::as_str).collect();
        module.add(harness::build(&names).map_err(|error| Error::Module(error.into()))?);
        let module = module.verify().map_err(|error| Error::Module(error.into()))?;
        let module = device.load(&module)?.module;
        Ok(Self { device, module, sites })
    }

    /// Runs handler `index` once per input.
    pub(super) fn run(&self, index: usize, info: &MethodInfo, inputs: &[Input]) -> Result<Vec<Output>> {
        let count = inputs.len() as u64;
        let state_size = inputs.first().map_or(0, |input| input.state.len()) as u64;
        let state_stride = state_size.next_multiple_of(8).max(8);
        let states = self.array(count, state_stride)?;
        let messages = self.array(count, SLOT)?;
        let contexts = self.array(count, CONTEXT)?;
        let statuses = self.array(count, 8)?;
        let spans = inputs.iter().map(|input| span(&input.buffers));
        let data_stride = spans.max().unwrap_or(0);
        let data = self.array(count, data_stride)?;
        let mut bytes = vec![0; (count * data_stride) as usize];
        for (input, record) in inputs.iter().zip(bytes.chunks_mut(data_stride.max(1) as usize)) {
            for (at, buffer) in places(&input.buffers) {
                record[at as usize..][..buffer.len()].copy_from_slice(buffer);
            }
        }
        self.device.copy_to_device(data.address(), &bytes)?;
        let mut bytes = vec![0; (count * state_stride) as usize];
        for (input, record) in inputs.iter().zip(bytes.chunks_mut(state_stride as usize)) {
            record[..input.state.len()].copy_from_slice(&input.state);
        }
        self.device.copy_to_device(states.address(), &bytes)?;
        let mut bytes = vec![0; (count * SLOT) as usize];
        for (input, record) in inputs.iter().zip(bytes.chunks_mut(SLOT as usize)) {
            put(record, slot::SEQ_METHOD, u64::from(info.id) << 32);
            put(record, slot::CORR, corr::KIND_ASK << corr::KIND_SHIFT);
            let payload = slot::HEADER as usize;
            record[payload..payload + input.message.len()].copy_from_slice(&input.message);
        }
        self.device.copy_to_device(messages.address(), &bytes)?;
        let mut bytes = vec![0; (count * CONTEXT) as usize];
        for ((input, record), index) in inputs.iter().zip(bytes.chunks_mut(CONTEXT as usize)).zip(0..) {
            put(record, cx::BUDGET, BUDGET);
            put(record, cx::NOW, input.now);
            put(record, cx::OUTBOX, contexts.address() + index * CONTEXT + scratch::OUTBOX);
            // The number of sends, zero, shares its word with the capacity.
            put(record, cx::SENT, u64::from(MAX_SENDS) << 32);
            put(record, cx::SLOT_SIZE, SLOT);
            // As they are opened before a handler that the ring kernel calls.
            for (number, (at, buffer)) in places(&input.buffers).enumerate() {
                let view = scratch::VIEWS + number as u64 * view::SIZE;
                put(record, view + view::ADDRESS, data.address() + index * data_stride + at);
                put(record, view + view::BYTES, buffer.len() as u64);
                put(record, view + view::HANDLE, handle(number, buffer));
            }
        }
        self.device.copy_to_device(contexts.address(), &bytes)?;

        let mut args = [0; harness::param::COUNT_OF];
        for (parameter, value) in [
            (harness::param::HANDLER, index as u64),
            (harness::param::COUNT, count),
            (harness::param::STATES, states.address()),
            (harness::param::STATE_STRIDE, state_stride),
            (harness::param::MESSAGES, messages.address()),
            (harness::param::MESSAGE_STRIDE, SLOT),
            (harness::param::CONTEXTS, contexts.address()),
            (harness::param::CONTEXT_STRIDE, CONTEXT),
            (harness::param::STATUSES, statuses.address()),
        ] {
            args[parameter] = value;
        }
        self.launch(count as u32, &args)?;

        let states = self.read(&*states)?;
        let contexts = self.read(&*contexts)?;
        let statuses = self.read(&*statuses)?;
        let data = self.read(&*data)?;
        let data = (0..count).map(|index| &data[(index * data_stride) as usize..]);
        let records = states.chunks(state_stride as usize).zip(contexts.chunks(CONTEXT as usize));
        Ok(records
            .zip(statuses.chunks(8))
            .zip(inputs.iter().zip(data))
            .map(|(((state, context), status), (input, data))| Output {
                state: state[..state_size as usize].to_vec(),
                buffers: places(&input.buffers)
                    .map(|(at, buffer)| data[at as usize..][..buffer.len()].to_vec())
                    .collect(),
                end: if get(status, 0) == 0 {
                    let reply = &context[cx::REPLY as usize..][..info.reply_size as usize];
                    Ok((reply.to_vec(), sent(context)))
                } else {
                    Err(self.faulted(index, context))
                },
            })
            .collect())
    }

    fn faulted(&self, index: usize, context: &[u8]) -> Faulted {
        let word = get(context, cx::FAULT_CODE);
        Faulted { code: word as u32, site: self.sites[index].get((word >> 32) as usize).cloned() }
    }

    fn launch(&self, threads: u32, args: &[u64]) -> Result<()> {
        let request = LaunchRequest {
            module: self.module.as_ref(),
            entry: harness::SYMBOL,
            workers: threads,
            lanes: 1,
            args,
            persistent: false,
            spin: Duration::ZERO,
        };
        // SAFETY: the arguments name live allocations of this device with a record for each thread; they are dropped after
        // this function has seen the launch end (or has dropped it, which ends it).
        let launched = unsafe { self.device.launch(&request) }?;
        match launched.wait(Some(PATIENCE)) {
            LaunchStatus::Finished => Ok(()),
            LaunchStatus::Failed(error) => Err(error.into()),
            LaunchStatus::Running | LaunchStatus::Aborted => Err(Error::Device(DeviceError::Failed {
                device: self.device.info().name,
                action: "running the handlers".into(),
                source: format!("not done within {PATIENCE:?}").into(),
            })),
        }
    }

    fn array(&self, count: u64, stride: u64) -> Result<Box<dyn Allocation>> {
        Ok(self.device.alloc(MemoryKind::Device, (count * stride).max(8) as usize)?)
    }

    fn read(&self, memory: &dyn Allocation) -> Result<Vec<u8>> {
        let mut bytes = vec![0; memory.len()];
        self.device.copy_from_device(&mut bytes, memory.address())?;
        Ok(bytes)
    }
}

fn sent(context: &[u8]) -> Vec<Sent> {
    let count = get(context, cx::SENT) as u32;
    context[scratch::OUTBOX as usize..]
        .chunks(SLOT as usize)
        .take(count as usize)
        .map(|entry| Sent {
            target: get(entry, slot::ACTOR),
            method: (get(entry, slot::SEQ_METHOD) >> 32) as u32,
            payload: entry[slot::HEADER as usize..].to_vec(),
        })
        .collect()
}

/// What names the buffer of a slice; nothing names one without elements.
pub(super) fn handle(number: usize, buffer: &[u8]) -> u64 {
    if buffer.is_empty() { 0 } else { number as u64 | 1 << slice::INDEX_BITS }
}

/// Where each buffer of a call is.
fn places(buffers: &[Vec<u8>]) -> impl Iterator<Item = (u64, &[u8])> {
    buffers.iter().scan(0, |next, buffer| {
        let at = *next;
        *next += (buffer.len() as u64).next_multiple_of(ALIGN);
        Some((at, buffer.as_slice()))
    })
}

/// Bytes of all buffers of a call.
fn span(buffers: &[Vec<u8>]) -> u64 {
    places(buffers).map(|(at, buffer)| (at + buffer.len() as u64).next_multiple_of(ALIGN)).max().unwrap_or(0)
}

pub(super) fn put(record: &mut [u8], offset: u64, value: u64) {
    record[offset as usize..offset as usize + 8].copy_from_slice(&value.to_le_bytes());
}

fn get(record: &[u8], offset: u64) -> u64 {
    let mut word = [0; 8];
    word.copy_from_slice(&record[offset as usize..offset as usize + 8]);
    u64::from_le_bytes(word)
}

// The words that are written as one have their halves where the layout says.
const _: () = assert!(cx::FAULT_SITE == cx::FAULT_CODE + 4 && cx::OUTBOX_CAPACITY == cx::SENT + 4);
const _: () = assert!(fault::SIZE == 16 && cx::SIZE.is_multiple_of(8));
