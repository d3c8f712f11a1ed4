//! Runs handlers through the harness.

use kernels_ptx::{
    abi::cx,
    harness::{self, param},
    ir::Function,
};
use soft_gpu::{Arg, Device, DeviceConfig, DeviceMemory, LaunchConfig, Status};

use crate::support;

/// Bytes of a message slot and of an outbox entry.
const SLOT: usize = 256;
/// Entries of an outbox.
const OUTBOX: usize = 2;
const CX: usize = cx::SIZE as usize;

/// The context words that a handler can read.
pub(crate) const NOW: u64 = 0x1122_3344_5566_7788;
pub(crate) const SELF_ID: u64 = 99;
pub(crate) const WORKER: u32 = 5;
pub(crate) const LANE: u32 = 7;

/// What one handler did with one state and message.
#[derive(Debug, PartialEq)]
pub(crate) struct Outcome {
    pub(crate) faulted: bool,
    /// Code and site, if it faulted.
    pub(crate) fault: (u32, u32),
    pub(crate) state: Vec<u8>,
    pub(crate) reply: Vec<u8>,
    pub(crate) sent: u32,
    pub(crate) outbox: Vec<u8>,
}

/// Functions that are loaded, as built and optimised, and can be run.
pub(crate) struct Handlers {
    device: Device,
    built: soft_gpu::Function,
    optimised: soft_gpu::Function,
    pub(crate) names: Vec<String>,
}

/// The 8 bytes at `at`, as the word that they are.
pub(crate) fn word(bytes: &[u8], at: usize) -> u64 {
    bytes[at..at + 8].iter().rev().fold(0, |word, &byte| word << 8 | u64::from(byte))
}

fn half(bytes: &[u8], at: u64) -> u32 {
    word(&[&bytes[at as usize..at as usize + 4], &[0; 4]].concat(), 0) as u32
}

impl Handlers {
    pub(crate) fn new(mut functions: Vec<Function>) -> Self {
        let names: Vec<_> = functions.iter().map(|f| f.symbol().to_owned()).collect();
        let symbols: Vec<_> = names.iter().map(|name| &**name).collect();
        functions.push(harness::build(&symbols).expect("the harness lowers"));
        // The environment says in which mode, so that these tests run in every one.
        let mode = std::env::var("GPU_ACTOR_SOFT").unwrap_or_else(|_| "fast".into());
        let mode = mode.parse().unwrap_or_else(|error| panic!("GPU_ACTOR_SOFT: {error}"));
        let device = Device::open(DeviceConfig { mode, ..DeviceConfig::default() }).expect("a software GPU");
        let [built, optimised] = [false, true].map(|optimise| {
            let module = support::module_with(functions.clone(), optimise);
            let loaded = device.load_ptx(module.ptx()).unwrap_or_else(|error| panic!("{error}"));
            loaded.function(harness::SYMBOL).expect("the harness is there")
        });
        Self { device, built, optimised, names }
    }

    fn upload(&self, bytes: &[u8]) -> DeviceMemory {
        let memory = self.device.alloc(bytes.len()).expect("memory");
        self.device.copy_to_device(memory.address(), bytes).expect("the copy fits");
        memory
    }

    fn download(&self, memory: &DeviceMemory) -> Vec<u8> {
        let mut bytes = vec![0; memory.len()];
        self.device.copy_from_device(&mut bytes, memory.address()).expect("the copy fits");
        bytes
    }

    /// Runs the handler at `index` over states of one size, each with the message `payload`: as built and optimised,
    /// which must give the same.
    pub(crate) fn run(&self, index: usize, states: &[Vec<u8>], payload: &[u8], budget: u64) -> Vec<Outcome> {
        self.run_shown(index, states, payload, budget, "")
    }

    /// The same, with a text that is shown when the two differ.
    pub(crate) fn run_shown(
        &self,
        index: usize,
        states: &[Vec<u8>],
        payload: &[u8],
        budget: u64,
        text: &str,
    ) -> Vec<Outcome> {
        let built = self.run_one(&self.built, index, states, payload, budget);
        let optimised = self.run_one(&self.optimised, index, states, payload, budget);
        for ((built, optimised), state) in built.iter().zip(&optimised).zip(states) {
            assert_eq!(built, optimised, "{} of {state:?}: optimising changed it\n{text}", self.names[index]);
        }
        optimised
    }

    fn run_one(
        &self,
        entry: &soft_gpu::Function,
        index: usize,
        states: &[Vec<u8>],
        payload: &[u8],
        budget: u64,
    ) -> Vec<Outcome> {
        let count = states.len();
        let stride = states.iter().map(Vec::len).max().unwrap_or(0).next_multiple_of(16);
        let outboxes = self.upload(&vec![0; count * OUTBOX * SLOT]);
        let (mut all_states, mut messages, mut contexts) = (vec![], vec![], vec![]);
        for (i, state) in states.iter().enumerate() {
            let mut padded = state.clone();
            padded.resize(stride, 0);
            all_states.extend(padded);
            let mut message = vec![0; 32];
            message.extend(payload);
            message.resize(SLOT, 0);
            messages.extend(message);
            let mut context = vec![0; CX];
            let outbox = outboxes.address() + (i * OUTBOX * SLOT) as u64;
            for (at, word) in [
                (cx::BUDGET, budget),
                (cx::SELF_ID, SELF_ID),
                (cx::NOW, NOW),
                (cx::WORKER, u64::from(WORKER) | u64::from(LANE) << 32),
                (cx::OUTBOX, outbox),
                (cx::SENT, (OUTBOX as u64) << 32),
                (cx::SLOT_SIZE, SLOT as u64),
            ] {
                context[at as usize..at as usize + 8].copy_from_slice(&word.to_le_bytes());
            }
            contexts.extend(context);
        }
        let [all_states, messages, contexts] =
            [&all_states, &messages, &contexts].map(|bytes| self.upload(bytes));
        let statuses = self.upload(&vec![0; count * 8]);

        let mut args = [0; param::COUNT_OF];
        args[param::HANDLER] = index as u64;
        args[param::COUNT] = count as u64;
        args[param::STATES] = all_states.address();
        args[param::STATE_STRIDE] = stride as u64;
        args[param::MESSAGES] = messages.address();
        args[param::MESSAGE_STRIDE] = SLOT as u64;
        args[param::CONTEXTS] = contexts.address();
        args[param::CONTEXT_STRIDE] = CX as u64;
        args[param::STATUSES] = statuses.address();
        let config = LaunchConfig::new(count.div_ceil(32) as u32, 32);
        // SAFETY: the arguments are those that the harness documents; each array was made for `count` records of its
        // stride, and all of them live until the launch has ended, which `wait` sees to.
        let launch = unsafe { self.device.launch(entry, &config, &args.map(Arg::U64)) };
        let status = launch.expect("the launch fits").wait(None);
        assert!(matches!(status, Status::Finished), "{}: {status:?}", self.names[index]);

        let [all_states, contexts, statuses, outboxes] =
            [&all_states, &contexts, &statuses, &outboxes].map(|memory| self.download(memory));
        let outcome = |i: usize| {
            let context = &contexts[i * CX..(i + 1) * CX];
            Outcome {
                faulted: word(&statuses, i * 8) != 0,
                fault: (half(context, cx::FAULT_CODE), half(context, cx::FAULT_SITE)),
                state: all_states[i * stride..i * stride + states[i].len()].to_vec(),
                reply: context[cx::REPLY as usize..].to_vec(),
                sent: half(context, cx::SENT),
                outbox: outboxes[i * OUTBOX * SLOT..(i + 1) * OUTBOX * SLOT].to_vec(),
            }
        };
        (0..count).map(outcome).collect()
    }

    /// Runs the handler with this name once.
    pub(crate) fn once(&self, name: &str, state: &[u8], payload: &[u8], budget: u64) -> Outcome {
        let index = self.names.iter().position(|n| n == name).expect("a handler of that name");
        self.run(index, &[state.to_vec()], payload, budget).remove(0)
    }
}
