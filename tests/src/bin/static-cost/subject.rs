//! What is measured: the ring kernel with the example actors, as the runtime would load it, and the messages whose way
//! through it is followed.

use std::error::Error;
use std::ops::Range;

use gpu_actor_examples::{counter, flights, vector};
use gpu_actor_rt::__private::ActorInfo;
use gpu_actor_rt::prelude::Actor;
use kernels_ptx::{
    abi::{actor_id, corr, fault, slot},
    builder::Builder,
    dispatch::{self, Dispatch},
    harness,
    ir::Function,
    module::Module,
    ring,
};

use crate::Result;
use crate::ptx::Ptx;

/// The example actors; the type index of one is its place here, counted from 1.
pub(crate) fn types() -> Vec<&'static ActorInfo> {
    vec![
        counter::Counter::info(),
        vector::Adder::info(),
        flights::Aircraft::info(),
        flights::Carrier::info(),
        flights::Airport::info(),
    ]
}

/// The type's name without its path.
fn short(info: &ActorInfo) -> &'static str {
    info.name.rsplit("::").next().unwrap_or(info.name)
}

/// A handler's symbol in the modules made here.
fn symbol(info: &ActorInfo, method: &str) -> String {
    format!("{}_{method}", short(info))
}

/// A handler, lowered.
fn lower(info: &ActorInfo, method: &gpu_actor_rt::__private::MethodInfo) -> Result<Function> {
    let builder = Builder::handler(&symbol(info, method.name));
    (method.lower)(&builder);
    Ok(builder.finish()?)
}

/// The ring kernel, the dispatcher and every handler of these types, as PTX.
pub(crate) fn ring(types: &[&'static ActorInfo]) -> Result<Ptx> {
    let mut module = Module::new("static_cost");
    let mut table = Vec::new();
    for (type_index, info) in (1..).zip(types) {
        for method in info.methods {
            module.add(lower(info, method)?);
            table.push(Dispatch { method: method.id, type_index, symbol: symbol(info, method.name) });
        }
    }
    module.add(dispatch::build(&table)?).add(ring::kernel()?).add(ring::buffers::forgetting()?);
    Ok(Ptx::new(module.verify()?.ptx()))
}

/// A handler by itself, as the only one that an entry calls.
pub(crate) struct Handler {
    /// What the table calls it.
    pub(crate) name: String,
    /// Its symbol.
    pub(crate) symbol: String,
    /// The module.
    pub(crate) ptx: Ptx,
}

/// Every handler of the examples by itself.
pub(crate) fn handlers() -> Result<Vec<Handler>> {
    let mut handlers = Vec::new();
    for info in types() {
        for method in info.methods {
            let symbol = symbol(info, method.name);
            let mut module = Module::new("static_cost");
            module.add(lower(info, method)?).add(harness::build(&[&symbol])?);
            let name = format!("`{}::{}`", short(info), method.name);
            handlers.push(Handler { name, symbol, ptx: Ptx::new(module.verify()?.ptx()) });
        }
    }
    Ok(handlers)
}

/// A message in a worker's host inbox.
#[derive(Clone, Debug)]
pub(crate) struct Message {
    /// Method id.
    pub(crate) method: u32,
    /// Raw id of the receiver.
    pub(crate) actor: u64,
    /// Correlation word: a tell or an ask.
    pub(crate) corr: u64,
    /// Payload.
    pub(crate) payload: Vec<u64>,
}

/// A message that is followed through the kernel.
pub(crate) struct Way {
    /// What the table calls it.
    pub(crate) name: &'static str,
    /// What the host sends, again and again.
    pub(crate) message: Message,
    /// The symbol of the handler that is followed: of the message itself, or of one that its handler sends.
    pub(crate) handler: String,
    /// Bytes of a slot: those of a system with the receiver's types alone.
    pub(crate) slot_size: u64,
}

/// The only actor of a type.
fn id(type_index: u64) -> u64 {
    type_index << actor_id::TYPE_SHIFT
}

/// Bytes of the smallest slot that holds every message and reply of the types, as the runtime chooses them.
fn slot_size(types: &[&'static ActorInfo]) -> u64 {
    let methods = types.iter().flat_map(|info| info.methods);
    let payload = methods.map(|m| u64::from(m.msg_size.max(m.reply_size))).fold(fault::SIZE, u64::max);
    let fits = slot::CLASSES.into_iter().find(|class| *class >= slot::HEADER + payload);
    fits.unwrap_or(slot::CLASSES[slot::CLASSES.len() - 1])
}

/// The messages of the table.
pub(crate) fn ways() -> Result<Vec<Way>> {
    let types = types();
    let way = |name,
               (receiver, method): (usize, &str),
               kind,
               payload,
               followed: (usize, &str),
               with: Range<usize>| {
        let info = types[receiver - 1];
        let known = info.methods.iter().find(|m| m.name == method);
        let method = known.ok_or_else(|| format!("{} has no handler {method}", info.name))?.id;
        let message = Message { method, actor: id(receiver as u64), corr: kind << corr::KIND_SHIFT, payload };
        let handler = symbol(types[followed.0 - 1], followed.1);
        let slot_size = slot_size(&types[with]);
        Ok::<_, Box<dyn Error>>(Way { name, message, handler, slot_size })
    };
    let flight = || vec![id(4), id(5), 7 | 800 << 32];
    // Two vectors of 26 elements, the most that fits; each is a length and its elements.
    let vector = || std::iter::once(26).chain((0..26).map(|i| (i as f32).to_bits()));
    let words: Vec<u32> = vector().chain(vector()).collect();
    let vectors =
        words.as_chunks().0.iter().map(|[low, high]| u64::from(*low) | u64::from(*high) << 32).collect();
    let (tell, ask) = (corr::KIND_TELL, corr::KIND_ASK);
    Ok(vec![
        way("tell `Counter::add` from the host", (1, "add"), tell, vec![3], (1, "add"), 0..1)?,
        way("ask `Counter::add` from the host, and its reply", (1, "add"), ask, vec![3], (1, "add"), 0..1)?,
        way("ask `Adder::add` for 26 elements, and its reply", (2, "add"), ask, vectors, (2, "add"), 1..2)?,
        way(
            "tell `Aircraft::flew` from the host, and its two sends",
            (3, "flew"),
            tell,
            flight(),
            (3, "flew"),
            2..5,
        )?,
        way(
            "tell `Carrier::arrived` from `Aircraft::flew`",
            (3, "flew"),
            tell,
            flight(),
            (4, "arrived"),
            2..5,
        )?,
    ])
}
