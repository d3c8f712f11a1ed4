//! From a set of actor types to a module that a device can run: lower every handler, add dispatch and ring kernel,
//! verify. Done once per set and process.
//!
//! Rule kept here: nothing reaches a device that the verifier has not passed.

use std::collections::HashMap;
use std::fmt::Write;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use kernels_ptx::builder::Builder;
use kernels_ptx::dispatch::{self, Dispatch};
use kernels_ptx::ir::{FaultSite, Function};
use kernels_ptx::module::{Module, VerifiedModule};
use kernels_ptx::ring::buffers;

use crate::actor::{ActorInfo, MethodInfo};
use crate::device::{Device, LoadedModule};
use crate::error::{Error, Result};
use crate::registry::{self, TypeSet};

/// A verified module and what the host must know to understand it.
#[derive(Debug)]
pub(crate) struct Program {
    pub(crate) types: TypeSet,
    pub(crate) slot_size: u64,
    slices: bool,
    indices: HashMap<&'static str, u32>,
    methods: HashMap<u32, Method>,
    module: VerifiedModule,
    loaded: Mutex<Option<Arc<dyn LoadedModule>>>,
}

/// A handler of the program.
#[derive(Debug)]
pub(crate) struct Method {
    pub(crate) info: &'static MethodInfo,
    pub(crate) sites: Vec<FaultSite>,
}

impl Program {
    /// The program of a set of types; the same set gives the same program. One that is for a `lone` lane runs only so, and
    /// faster on a device that makes use of it.
    pub(crate) fn of(types: TypeSet, lone: bool) -> Result<Arc<Self>> {
        type Programs = HashMap<(Vec<usize>, bool), Arc<Program>>;
        static PROGRAMS: Mutex<Option<Programs>> = Mutex::new(None);
        let key = (types.iter().map(|info| std::ptr::from_ref(*info) as usize).collect(), lone);
        // Lowering under the lock: systems that start together do the work once.
        let mut programs = PROGRAMS.lock().unwrap_or_else(PoisonError::into_inner);
        let programs = programs.get_or_insert_default();
        if let Some(program) = programs.get(&key) {
            return Ok(Arc::clone(program));
        }
        let program = Arc::new(Self::build(types, lone)?);
        programs.insert(key, Arc::clone(&program));
        Ok(program)
    }

    fn build(types: TypeSet, lone: bool) -> Result<Self> {
        let mut module = Module::new("gpu_actor");
        if lone {
            module.block(1);
        }
        let mut methods = HashMap::new();
        let mut table = Vec::new();
        for (index, actor) in (1u32..).zip(&types) {
            for info in actor.methods {
                let function = lower(actor, info)?;
                let mut symbol = symbol(actor, info);
                if info.slices != 0 {
                    let handler = std::mem::replace(&mut symbol, format!("{}_slices", function.symbol()));
                    let wrapper = buffers::wrapper(&symbol, &handler, info.slices);
                    module.add(wrapper.map_err(|error| Error::Module(error.into()))?);
                }
                table.push(Dispatch { method: info.id, type_index: index, symbol });
                methods.insert(info.id, Method { info, sites: function.sites().to_vec() });
                module.add(function);
            }
        }
        module.add(dispatch::build(&table).map_err(|error| Error::Module(error.into()))?);
        module.add(kernels_ptx::ring::kernel().map_err(|error| Error::Module(error.into()))?);
        let slices = types.iter().flat_map(|actor| actor.methods).any(|info| info.slices != 0);
        let called = if slices { buffers::functions() } else { buffers::forgetting().map(|one| vec![one]) };
        for function in called.map_err(|error| Error::Module(error.into()))? {
            module.add(function);
        }
        let module = module.verify().map_err(|error| Error::Module(error.into()))?;
        let indices = (1u32..).zip(&types).map(|(index, info)| (info.name, index)).collect();
        let slot_size = registry::slot_size(&types);
        Ok(Self { types, slot_size, slices, indices, methods, module, loaded: Mutex::new(None) })
    }

    /// The program on a device, and how long loading took (nothing, if another system of the process loaded it).
    pub(crate) fn load(&self, device: &dyn Device) -> Result<(Arc<dyn LoadedModule>, Duration)> {
        let mut loaded = self.loaded.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(module) = loaded.as_ref().filter(|module| device.accepts(module.as_ref())) {
            return Ok((Arc::clone(module), Duration::ZERO));
        }
        let report = device.load(&self.module)?;
        if !report.log.is_empty() {
            tracing::info!(log = report.log, "the device's compiler");
        }
        *loaded = Some(Arc::clone(&report.module));
        Ok((report.module, report.time))
    }

    /// Whether a handler has slices.
    pub(crate) fn has_slices(&self) -> bool {
        self.slices
    }

    /// The index of a type, by its name; 0 if it is not part of the program.
    pub(crate) fn type_index(&self, name: &str) -> u32 {
        self.indices.get(name).copied().unwrap_or(0)
    }

    /// The type of an index.
    pub(crate) fn actor_type(&self, index: u32) -> Option<&'static ActorInfo> {
        self.types.get((index as usize).checked_sub(1)?).copied()
    }

    /// The handler of a method id.
    pub(crate) fn method(&self, id: u32) -> Option<&Method> {
        self.methods.get(&id)
    }

    /// The PTX, for the curious and for error reports.
    pub(crate) fn ptx(&self) -> &str {
        self.module.ptx()
    }
}

/// The PTX of the handlers of one type, without the ring kernel around them.
pub(crate) fn handlers_ptx(actor: &'static ActorInfo) -> Result<String> {
    let mut module = Module::new("gpu_actor");
    for info in actor.methods {
        module.add(lower(actor, info)?);
    }
    if actor.methods.iter().any(|info| info.slices != 0) {
        for function in buffers::functions().map_err(|error| Error::Module(error.into()))? {
            module.add(function);
        }
    }
    let module = module.verify().map_err(|error| Error::Module(error.into()))?;
    Ok(module.ptx().to_owned())
}

/// Lowers one handler.
pub(crate) fn lower(actor: &'static ActorInfo, info: &'static MethodInfo) -> Result<Function> {
    let builder = Builder::handler(&symbol(actor, info));
    (info.lower)(&builder);
    builder.finish().map_err(|source| Error::Lower { actor: actor.name, handler: info.name, source })
}

/// A handler's name in PTX: readable, and unique by the method id.
pub(crate) fn symbol(actor: &ActorInfo, info: &MethodInfo) -> String {
    let mut symbol = String::from("h_");
    symbol.extend(actor.name.chars().map(|c| if c.is_ascii_alphanumeric() { c } else { '_' }));
    symbol.push('_');
    symbol.extend(info.name.chars().filter(char::is_ascii));
    // Writing to a string cannot fail.
    let _ = write!(symbol, "_{:08x}", info.id);
    symbol
}
