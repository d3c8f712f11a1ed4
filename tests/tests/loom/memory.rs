//! Memory under the model checker: what the device twins and the host's rings both run on.

use std::rc::Rc;
use std::sync::Arc;
use std::sync::atomic::Ordering;

use gpu_actor_rt::__private::sync::{Atom, Words};
use kernels_ptx::device::native::{self, Memory, Order};
use loom::cell::UnsafeCell;
use loom::sync::atomic::{AtomicU64, fence};

/// A control word is atomic; a data word is a cell whose concurrent use the model checker reports.
enum Word {
    Control(AtomicU64),
    Data(UnsafeCell<u64>),
}

/// Words from address 0 on, and the host's signals so far.
pub(crate) struct Model(Vec<Word>, AtomicU64);

// SAFETY: data words are loom cells, which check every access against the happens-before order.
unsafe impl Send for Model {}
// SAFETY: as above.
unsafe impl Sync for Model {}

impl Model {
    /// Memory of `words` words, zeroed; `is_control` tells which of them (by address) are control words.
    pub(crate) fn new(words: u64, is_control: impl Fn(u64) -> bool) -> Arc<Self> {
        let word = |index: u64| {
            if is_control(index * 8) {
                Word::Control(AtomicU64::new(0))
            } else {
                Word::Data(UnsafeCell::new(0))
            }
        };
        Arc::new(Self((0..words).map(word).collect(), AtomicU64::new(0)))
    }

    fn control(&self, address: u64) -> &AtomicU64 {
        match &self.0[address as usize / 8] {
            Word::Control(word) => word,
            Word::Data(_) => panic!("ordered access to the data word at {address}"),
        }
    }

    pub(crate) fn read(&self, address: u64) -> u64 {
        match &self.0[address as usize / 8] {
            // SAFETY: loom reports a read that is concurrent with a write.
            Word::Data(word) => word.with(|word| unsafe { *word }),
            Word::Control(_) => panic!("plain access to the control word at {address}"),
        }
    }

    pub(crate) fn write(&self, address: u64, value: u64) {
        match &self.0[address as usize / 8] {
            // SAFETY: loom reports a write that is concurrent with any access.
            Word::Data(word) => word.with_mut(|word| unsafe { *word = value }),
            Word::Control(_) => panic!("plain access to the control word at {address}"),
        }
    }

    pub(crate) fn set(&self, address: u64, value: u64) {
        self.control(address).store(value, Ordering::Relaxed);
    }

    /// How often the device has signalled the host.
    pub(crate) fn signals(&self) -> u64 {
        self.1.load(Ordering::Relaxed)
    }

    /// Runs `f`, and every thread that it starts, with this memory behind the device's intrinsics.
    pub(crate) fn run(self: &Arc<Self>, f: impl FnOnce()) {
        native::with_memory(Rc::new(Device(Arc::clone(self))), f);
    }
}

struct Device(Arc<Model>);

impl Memory for Device {
    fn load(&self, address: u64, order: Order) -> u64 {
        match order {
            Order::Weak => self.0.read(address),
            Order::Acquire => self.0.control(address).load(Ordering::Acquire),
            Order::Relaxed | Order::Release => self.0.control(address).load(Ordering::Relaxed),
        }
    }

    fn store(&self, address: u64, value: u64, order: Order) {
        match order {
            Order::Weak => self.0.write(address, value),
            Order::Release => self.0.control(address).store(value, Ordering::Release),
            Order::Relaxed | Order::Acquire => self.0.control(address).store(value, Ordering::Relaxed),
        }
    }

    fn cas(&self, address: u64, expected: u64, new: u64) -> u64 {
        self.0
            .control(address)
            .compare_exchange(expected, new, Ordering::AcqRel, Ordering::Acquire)
            .unwrap_or_else(|seen| seen)
    }

    fn add(&self, address: u64, value: u64) -> u64 {
        self.0.control(address).fetch_add(value, Ordering::AcqRel)
    }

    fn fence(&self) {
        fence(Ordering::SeqCst);
    }

    fn signal_host(&self) {
        self.0.1.fetch_add(1, Ordering::Relaxed);
    }

    fn nanosleep(&self, _: u32) {
        loom::thread::yield_now();
    }
}

/// The host's view of the memory from an address on.
#[derive(Clone)]
pub(crate) struct Region(pub(crate) Arc<Model>, pub(crate) u64);

/// An atomic word of the host alone.
pub(crate) struct HostWord(AtomicU64);

impl Atom for HostWord {
    fn new(value: u64) -> Self {
        Self(AtomicU64::new(value))
    }

    fn load(&self, order: Ordering) -> u64 {
        self.0.load(order)
    }

    fn store(&self, value: u64, order: Ordering) {
        self.0.store(value, order);
    }

    fn claim(&self, current: u64, new: u64) -> Result<u64, u64> {
        self.0.compare_exchange(current, new, Ordering::Relaxed, Ordering::Relaxed)
    }

    fn fetch_or(&self, bits: u64, order: Ordering) -> u64 {
        self.0.fetch_or(bits, order)
    }

    fn update(&self, mut rule: impl FnMut(u64) -> Option<u64>) -> Option<u64> {
        let mut last = self.0.load(Ordering::Relaxed);
        loop {
            let next = rule(last)?;
            match self.0.compare_exchange(last, next, Ordering::AcqRel, Ordering::Relaxed) {
                Ok(_) => return Some(next),
                Err(seen) => last = seen,
            }
        }
    }
}

impl Words for Region {
    type Atom = HostWord;

    fn load(&self, offset: u64, order: Ordering) -> u64 {
        self.0.control(self.1 + offset).load(order)
    }

    fn store(&self, offset: u64, value: u64, order: Ordering) {
        self.0.control(self.1 + offset).store(value, order);
    }

    fn read(&self, offset: u64, out: &mut [u64]) {
        for (word, value) in (0..).zip(out) {
            *value = self.0.read(self.1 + offset + 8 * word);
        }
    }

    fn write(&self, offset: u64, data: &[u64]) {
        for (word, value) in (0..).zip(data) {
            self.0.write(self.1 + offset + 8 * word, *value);
        }
    }

    fn fence_seq_cst() {
        fence(Ordering::SeqCst);
    }
}
