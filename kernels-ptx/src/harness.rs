//! The differential harness: runs one handler over many states and messages, for tests that compare it with its
//! native twin.

use crate::{
    builder::Builder,
    error::LowerError,
    ir::{Function, Order, ScalarType, Special},
    lang::Val,
};

/// The symbol of the harness.
pub const SYMBOL: &str = "gpu_actor_harness";

/// The parameters of the entry, all `u64`, in their order.
///
/// Thread `i` of the launch works on the `i`-th record of each array; threads from `COUNT` on do nothing.
pub mod param {
    /// Which handler: an index into the list that the harness was built from.
    pub const HANDLER: usize = 0;
    /// How many records there are.
    pub const COUNT: usize = 1;
    /// Address of the first state.
    pub const STATES: usize = 2;
    /// Bytes from one state to the next.
    pub const STATE_STRIDE: usize = 3;
    /// Address of the first message slot.
    pub const MESSAGES: usize = 4;
    /// Bytes from one message slot to the next.
    pub const MESSAGE_STRIDE: usize = 5;
    /// Address of the first context record.
    pub const CONTEXTS: usize = 6;
    /// Bytes from one context record to the next.
    pub const CONTEXT_STRIDE: usize = 7;
    /// Address of the statuses, one `u64` each: what the handler returned, or `u64::MAX` if there is no such handler.
    pub const STATUSES: usize = 8;
    /// How many parameters there are.
    pub const COUNT_OF: usize = 9;
}

/// Builds the entry for handlers with these symbols; the module needs the handlers, too.
///
/// ```
/// use kernels_ptx::{builder::Builder, harness, module::Module};
///
/// let mut module = Module::new("test");
/// module.add(Builder::handler("idle").finish()?);
/// module.add(harness::build(&["idle"])?);
/// assert_eq!(module.verify()?.entries().collect::<Vec<_>>(), [harness::SYMBOL]);
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
pub fn build(handlers: &[&str]) -> Result<Function, LowerError> {
    let b = Builder::kernel(SYMBOL, &[ScalarType::U64; param::COUNT_OF]);
    let block = b.wrapping_mul(b.special::<u32>(Special::BlockId), b.special(Special::BlockSize));
    let thread = b.wrapping_add(block, b.special(Special::ThreadId));
    let thread = b.cast::<u32, u64>(thread);
    let record =
        |first: usize, stride: Val<u64>| b.wrapping_add(b.arg(first), b.wrapping_mul(thread, stride));
    b.if_begin(b.lt(thread, b.arg(param::COUNT)));
    let state = record(param::STATES, b.arg(param::STATE_STRIDE));
    let message = record(param::MESSAGES, b.arg(param::MESSAGE_STRIDE));
    let context = record(param::CONTEXTS, b.arg(param::CONTEXT_STRIDE));
    let result = record(param::STATUSES, b.lit(8));
    b.store(result, 0, b.lit(u64::MAX), Order::Weak);
    for (i, symbol) in handlers.iter().enumerate() {
        b.if_begin(b.eq(b.arg(param::HANDLER), b.lit(i as u64)));
        let status = b.call(symbol, vec![state.operand(), message.operand(), context.operand()]);
        b.store(result, 0, b.cast::<u32, u64>(status), Order::Weak);
        b.if_end();
    }
    b.if_end();
    b.finish()
}
